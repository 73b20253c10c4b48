use std::fmt;
use std::net::SocketAddr;

use reuse_db_tests::function::server::Server;

/// A server, plain or over TLS.
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) is_over_tls: bool,
    pub(crate) is_postgres: bool,
    pub(crate) url: String,
    pub(crate) addr: SocketAddr,
    /// Returns the URL at another port. Owns the server.
    pub(crate) url_at: Box<dyn Fn(u16) -> String>,
}

impl Place {
    /// Starts a server, over TLS if `wire` is `tls`.
    pub(crate) async fn start<S: Server + 'static>(name: &str, wire: &str) -> Self {
        let server = S::start_for(wire).await;
        let is_over_tls = wire == "tls";
        let url = server.url();
        Self {
            name: format!("{name} {}", if is_over_tls { "over TLS" } else { "plain" }),
            is_over_tls,
            is_postgres: url.starts_with("postgres"),
            url,
            addr: server.addr(),
            url_at: Box::new(move |port| server.url_at(port)),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
