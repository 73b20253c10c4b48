//! HTTP to the servers beside the function: Lambda's API, the endpoint for credentials, and the
//! extension for secrets.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Collected, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use lambda_http::BoxFuture;
use lambda_http::http::header::HOST;
use lambda_http::http::request::Builder;
use lambda_http::http::{Response, Uri};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::error::BoxError;

/// The limit of a connect, which stays within the machine.
const CONNECT: Duration = Duration::from_secs(2);

/// The limit of reading the rest of an answer.
const BODY: Duration = Duration::from_secs(1);

/// The largest answer. A secret has up to 64 KB.
const LARGEST: usize = 1 << 20;

/// A connection to a server beside the function.
///
/// The call that waits for an answer drives it. A client with a pool drives it in another task,
/// whose detours through other threads delay a cold start.
pub(crate) struct Server {
    base: Uri,
    sender: SendRequest<String>,
    /// Reads and writes. It never resolves: a call ends if the connection does.
    driver: BoxFuture<'static, Infallible>,
}

impl Server {
    /// Connects to an address: a host, mostly with a port and a scheme, and perhaps a path.
    pub(crate) async fn connect(base: Uri) -> Result<Self, BoxError> {
        let authority = base.authority().ok_or("the address names no host")?;
        let address = match authority.port() {
            Some(_) => authority.to_string(),
            None => format!("{authority}:80"),
        };
        let stream = timeout(CONNECT, TcpStream::connect(address)).await??;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        let driver = Box::pin(async {
            // The call that this error ends returns it, too.
            let _ = connection.await;
            std::future::pending().await
        });
        Ok(Self {
            base,
            sender,
            driver,
        })
    }

    pub(crate) fn base(&self) -> &Uri {
        &self.base
    }

    /// Sends a request to a path below the address. The answer's body is empty if it has no end.
    pub(crate) async fn call(
        &mut self,
        path: &str,
        request: Builder,
        body: &str,
    ) -> Result<Response<Bytes>, BoxError> {
        let host = self
            .base
            .authority()
            .map_or("", |authority| authority.as_str());
        let request = request
            .uri(format!("{}{path}", self.base.path().trim_end_matches('/')))
            .header(HOST, host)
            .body(body.to_owned())?;
        let answer = async {
            let (head, body) = self.sender.send_request(request).await?.into_parts();
            // Read to its end, so that the connection can be used again.
            let body = timeout(BODY, Limited::new(body, LARGEST).collect()).await;
            let body = body.ok().and_then(Result::ok);
            let body = body.map(Collected::to_bytes).unwrap_or_default();
            Ok(Response::from_parts(head, body))
        };
        tokio::select! {
            // The first step hands over the request, the second one writes it.
            biased;
            answer = answer => answer,
            never = &mut self.driver => match never {},
        }
    }
}

/// Asks a server for a text, over a connection of its own.
#[cfg(feature = "aws")]
pub(crate) async fn get(
    base: Uri,
    path: &str,
    header: (&str, &str),
) -> Result<Response<Bytes>, BoxError> {
    let (name, value) = header;
    let request = Builder::new().header(name, value);
    Server::connect(base).await?.call(path, request, "").await
}
