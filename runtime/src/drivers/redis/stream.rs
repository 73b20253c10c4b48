//! The stream to a server: TCP, TLS or a Unix socket.

use std::net::SocketAddr;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};

use crate::connect::Attempt;
use crate::error::Error;
use crate::socket::Socket;
use crate::source::Source;

/// A stream of any kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

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
            Ok((Box::new(stream), socket))
        }
        #[cfg(unix)]
        ConnectionAddr::Unix(path) => {
            let stream = tokio::net::UnixStream::connect(path).await;
            let stream = stream.map_err(Error::unavailable)?;
            let socket = Socket::of(&stream, source.socket_options);
            Ok((Box::new(stream), socket))
        }
        _ => Err(Error::rejected("an address that this system does not have")),
    }
}

#[cfg(feature = "redis-tls")]
async fn over_tls(host: &str, stream: TcpStream) -> Result<Box<dyn Stream>, Error> {
    Ok(Box::new(super::tls::connect(host, stream).await?))
}

#[cfg(not(feature = "redis-tls"))]
async fn over_tls(_: &str, _: TcpStream) -> Result<Box<dyn Stream>, Error> {
    Err(Error::rejected(
        "TLS needs the feature `redis-tls` of reuse-db",
    ))
}

async fn tcp(
    host: &str,
    port: u16,
    source: &Source,
    attempt: &Attempt,
) -> Result<(TcpStream, Option<Socket>), Error> {
    let found = lookup_host((host, port))
        .await
        .map_err(Error::unavailable)?;
    let mut addresses: Vec<SocketAddr> = found.collect();
    if !addresses.is_empty() {
        // After a time-out, another address comes first.
        let first = attempt.address_index % addresses.len();
        addresses.rotate_left(first);
    }
    let stream = TcpStream::connect(&*addresses).await;
    let stream = stream.map_err(Error::unavailable)?;
    stream.set_nodelay(true).map_err(Error::unavailable)?;
    let socket = Socket::of(&stream, source.socket_options);
    Ok((stream, socket))
}
