//! The streams of the clients that take a stream of ours.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};

use super::io_error;
use crate::connect::Attempt;
use crate::error::Error;
use crate::socket::Socket;
use crate::source::Source;

/// A stream of any kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Opens a stream to a host, and returns its socket beside it. After a time-out, another address of
/// the host comes first.
pub(super) async fn tcp(
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
        let first = attempt.address_index % addresses.len();
        addresses.rotate_left(first);
    }
    let stream = TcpStream::connect(&*addresses).await;
    let stream = stream.map_err(Error::unavailable)?;
    stream.set_nodelay(true).map_err(Error::unavailable)?;
    let socket = Socket::of(&stream, source.socket_options);
    Ok((stream, socket))
}

/// Opens a stream to a Unix socket, and returns its socket beside it.
#[cfg(unix)]
pub(super) async fn unix(
    path: &std::path::Path,
    source: &Source,
) -> Result<(tokio::net::UnixStream, Option<Socket>), Error> {
    let stream = tokio::net::UnixStream::connect(path).await;
    let stream = stream.map_err(|error| Error::connect(io_error::kind(&error), error))?;
    let socket = Socket::of(&stream, source.socket_options);
    Ok((stream, socket))
}
