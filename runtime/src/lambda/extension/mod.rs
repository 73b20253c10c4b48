//! The extension that makes Lambda send SIGTERM.

use std::time::Duration;

use lambda_http::http::header::CONTENT_TYPE;
use lambda_http::http::{Method, Request, Uri};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::environment;
use crate::error::BoxError;
use crate::local_http::Server;
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
async fn registration(base: Uri) -> Result<(Server, String), BoxError> {
    let mut api = Server::connect(base).await?;
    let register = Request::builder()
        .method(Method::POST)
        .header(CONTENT_TYPE, "application/json")
        .header("Lambda-Extension-Name", NAME);
    let path = "/2020-01-01/extension/register";
    let answer = api.call(path, register, r#"{"events":[]}"#).await?;
    let identifier = answer.headers().get("Lambda-Extension-Identifier");
    let identifier = identifier.ok_or_else(|| format!("Lambda answered {}", answer.status()))?;
    let identifier = identifier.to_str()?.to_owned();
    Ok((api, identifier))
}

/// Asks for the next event for ever. Lambda treats the extension as ready, and later as idle, while
/// it asks. No event comes, because it subscribed to none.
async fn wait_for_events(api: Server, identifier: &str) {
    let base = api.base().clone();
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
        connected = Server::connect(base.clone()).await;
    }
}

/// Returns the reason for which no event came.
async fn next(mut api: Server, identifier: &str) -> BoxError {
    let next = Request::builder().header("Lambda-Extension-Identifier", identifier);
    match api.call("/2020-01-01/extension/event/next", next, "").await {
        Ok(answer) => format!("Lambda answered {}", answer.status()).into(),
        Err(error) => error,
    }
}

#[cfg(test)]
mod tests;
