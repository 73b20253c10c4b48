//! The stream to a server: TCP, TLS or a Unix socket.

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _};
use tokio::net::TcpStream;

use crate::connect::Attempt;
use crate::drivers::encryption;
use crate::drivers::stream::{Stream, tcp};
#[cfg(feature = "redis-tls")]
use crate::drivers::tls;
use crate::error::Error;
use crate::socket::Socket;
use crate::source::Source;

/// An address, with the settings of the session.
pub(super) struct Address {
    pub(super) info: ConnectionInfo,
    is_tls: bool,
}

impl Address {
    /// Parses the source's URL. redis-rs without its own TLS rejects `rediss:`. So it gets `redis:`
    /// in its place.
    pub(super) fn of(source: &Source) -> Result<Self, Error> {
        let url = source.url()?;
        if url.ends_with("#insecure") {
            let problem = "ends with `#insecure`, which would accept any certificate: remove it, \
                           and name the server's certificate authority in `SSL_CERT_FILE`";
            return Err(source.problem(problem));
        }
        let of_tls = [("rediss://", "redis://"), ("valkeys://", "valkey://")];
        let plain = of_tls
            .iter()
            .find_map(|(scheme, plain)| Some(format!("{plain}{}", url.strip_prefix(scheme)?)));
        let is_tls = plain.is_some();
        let info = plain.unwrap_or(url).into_connection_info();
        let info = info.map_err(|error| source.problem(format!("is no URL of Redis: {error}")))?;
        Ok(Self { info, is_tls })
    }

    /// Returns `true` if the URL has a user and no password.
    pub(super) fn lacks_password(&self) -> bool {
        let settings = self.info.redis_settings();
        settings.username().is_some() && settings.password().is_none()
    }
}

/// Opens the stream to an address, and returns its socket beside it.
pub(super) async fn open(
    address: &Address,
    source: &Source,
    attempt: &Attempt,
) -> Result<(Box<dyn Stream>, Option<Socket>), Error> {
    match address.info.addr() {
        ConnectionAddr::Tcp(host, port) if address.is_tls => {
            let (stream, socket) = tcp(host, *port, source, attempt).await?;
            Ok((over_tls(host, stream).await?, socket))
        }
        ConnectionAddr::Tcp(host, port) => {
            let (stream, socket) = tcp(host, *port, source, attempt).await?;
            encryption::remember(source, false);
            Ok((Box::new(stream), socket))
        }
        #[cfg(unix)]
        ConnectionAddr::Unix(path) => {
            let (stream, socket) = crate::drivers::stream::unix(path, source).await?;
            Ok((Box::new(stream), socket))
        }
        _ => Err(Error::rejected("an address that this system does not have")),
    }
}

#[cfg(feature = "redis-tls")]
async fn over_tls(host: &str, stream: TcpStream) -> Result<Box<dyn Stream>, Error> {
    Ok(Box::new(
        tls::connect(host, stream, &tls::Settings::default()).await?,
    ))
}

#[cfg(not(feature = "redis-tls"))]
async fn over_tls(_: &str, _: TcpStream) -> Result<Box<dyn Stream>, Error> {
    Err(Error::rejected(
        "TLS needs the feature `redis-tls` of reuse-db",
    ))
}
