//! TLS on a stream of a client of PostgreSQL.

use std::pin::Pin;
use std::task::{Context, Poll};

use lambda_http::BoxFuture;
use pin_project_lite::pin_project;
use tokio::io::{self, AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use super::settings::TlsSettings;
use super::tap::Tap;
use crate::error::Error;

/// Performs the handshake of TLS once the server has agreed to it.
pub(super) struct Connector {
    /// The name that the certificate must have.
    pub(super) host: String,
    pub(super) settings: TlsSettings,
}

impl TlsConnect<Tap> for Connector {
    type Stream = Encrypted;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Encrypted, Error>>;

    fn connect(self, tap: Tap) -> Self::Future {
        Box::pin(async move {
            let Some(stream) = tap.take() else {
                return Err(Error::unavailable("the stream is gone"));
            };
            let binding = handshake(&self, stream, &tap).await?;
            Ok(Encrypted { tap, binding })
        })
    }
}

#[cfg(feature = "tokio-postgres-tls")]
async fn handshake(
    connector: &Connector,
    stream: Box<dyn crate::drivers::stream::Stream>,
    tap: &Tap,
) -> Result<Option<Vec<u8>>, Error> {
    use crate::drivers::tls;

    let TlsSettings {
        authorities,
        certificate,
        key,
    } = &connector.settings;
    let settings = tls::Settings {
        authorities: authorities.clone(),
        identity: certificate.clone().zip(key.clone()),
        // The server expects it if TLS comes first (`sslnegotiation=direct`).
        protocol: Some("postgresql"),
    };
    let stream = tls::connect(&connector.host, stream, &settings).await?;
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().and_then(<[_]>::first);
    let binding = certificate.and_then(|certificate| super::binding::of(certificate));
    tap.put(Box::new(stream));
    Ok(binding)
}

#[cfg(not(feature = "tokio-postgres-tls"))]
async fn handshake(
    _: &Connector,
    _: Box<dyn crate::drivers::stream::Stream>,
    _: &Tap,
) -> Result<Option<Vec<u8>>, Error> {
    Err(Error::rejected(
        "TLS needs the feature `tokio-postgres-tls` of reuse-db",
    ))
}

pin_project! {
    /// A stream under TLS.
    pub(super) struct Encrypted {
        #[pin]
        tap: Tap,
        binding: Option<Vec<u8>>,
    }
}

impl TlsStream for Encrypted {
    fn channel_binding(&self) -> ChannelBinding {
        let binding = self.binding.clone();
        binding.map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.project().tap.poll_read(cx, buffer)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.project().tap.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().tap.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().tap.poll_shutdown(cx)
    }
}
