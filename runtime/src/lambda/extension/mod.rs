//! The extension that makes Lambda send SIGTERM.

use std::convert::Infallible;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use lambda_http::BoxFuture;
use lambda_http::http::header::{CONTENT_TYPE, HOST};
use lambda_http::http::response::Parts;
use lambda_http::http::{Method, Request, Uri};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::environment;
use crate::error::BoxError;
use crate::telemetry::events;

/// Unique among the extensions of a function.
const NAME: &str = "reuse-db";

/// The limit of registering, which is a call within the machine.
const LIMIT: Duration = Duration::from_secs(2);

/// The pause after the connection to Lambda's API was lost, as it is when a snapshot is restored.
const PAUSE: Duration = Duration::from_secs(1);

/// Registers an internal extension that subscribes to no events.
///
/// Lambda sends SIGTERM only to a sandbox that has an extension, and kills any other at once (AWS,
/// "Lambda Extensions API", "Shutdown phase"). Call it before the first event is asked for, which
/// ends the initialization.
pub(crate) async fn register() -> Result<(), BoxError> {
    let base = environment::runtime_api()?;
    let (sender, registered) = oneshot::channel();
    // The task outlives the wait: Lambda waits for every extension that it has registered.
    tokio::spawn(async move {
        match registration(base).await {
            Ok((api, identifier)) => {
                let _ = sender.send(Ok(()));
                wait_for_events(api, &identifier).await;
            }
            Err(error) => _ = sender.send(Err(error)),
        }
    });
    timeout(LIMIT, registered).await??
}

/// Returns the extension's identifier, and the connection that brought it.
async fn registration(base: Uri) -> Result<(Api, String), BoxError> {
    let mut api = Api::connect(base).await?;
    let register = "/2020-01-01/extension/register";
    let name = ("Lambda-Extension-Name", NAME);
    let answer = api.call(Method::POST, register, name, r#"{"events":[]}"#);
    let answer = answer.await?;
    let identifier = answer.headers.get("Lambda-Extension-Identifier");
    let identifier = identifier.ok_or_else(|| format!("Lambda answered {}", answer.status))?;
    let identifier = identifier.to_str()?.to_owned();
    Ok((api, identifier))
}

/// Asks for the next event for ever. Lambda treats the extension as ready, and later as idle, while
/// it asks. No event comes, because it subscribed to none.
async fn wait_for_events(api: Api, identifier: &str) {
    let base = api.base.clone();
    let mut connected = Ok(api);
    // The first connection may have ended with the answer that it brought.
    let mut pause = Duration::ZERO;
    loop {
        let error = match connected {
            Ok(api) => next(api, identifier).await,
            Err(error) => error,
        };
        events::extension_retried(&error);
        sleep(pause).await;
        pause = PAUSE;
        connected = Api::connect(base.clone()).await;
    }
}

/// Returns the reason for which no event came.
async fn next(mut api: Api, identifier: &str) -> BoxError {
    let next = "/2020-01-01/extension/event/next";
    let identifier = ("Lambda-Extension-Identifier", identifier);
    match api.call(Method::GET, next, identifier, "").await {
        Ok(answer) => format!("Lambda answered {}", answer.status).into(),
        Err(error) => error,
    }
}

/// A connection to Lambda's API.
///
/// The call that waits for an answer drives it. A client with a pool drives it in another task,
/// whose detours through other threads delay a cold start.
struct Api {
    base: Uri,
    sender: SendRequest<String>,
    /// Reads and writes. It never resolves: a call ends if the connection does.
    driver: BoxFuture<'static, Infallible>,
}

impl Api {
    async fn connect(base: Uri) -> Result<Self, BoxError> {
        let authority = base.authority().ok_or("Lambda's address names no host")?;
        let address = match authority.port() {
            Some(_) => authority.to_string(),
            None => format!("{authority}:80"),
        };
        let stream = timeout(LIMIT, TcpStream::connect(address)).await??;
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

    async fn call(
        &mut self,
        method: Method,
        path: &str,
        (name, value): (&str, &str),
        body: &str,
    ) -> Result<Parts, BoxError> {
        let host = self
            .base
            .authority()
            .map_or("", |authority| authority.as_str());
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base.path().trim_end_matches('/')))
            .header(HOST, host)
            .header(CONTENT_TYPE, "application/json")
            .header(name, value)
            .body(body.to_owned())?;
        let answer = async {
            let (head, body) = self.sender.send_request(request).await?.into_parts();
            // Read to its end, so that the connection can be used again. The head is enough.
            let _ = timeout(LIMIT / 2, body.collect()).await;
            Ok(head)
        };
        tokio::select! {
            // The first step hands over the request, the second one writes it.
            biased;
            answer = answer => answer,
            never = &mut self.driver => match never {},
        }
    }
}

#[cfg(test)]
mod tests;
