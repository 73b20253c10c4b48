//! The extension that makes Lambda send SIGTERM.

use std::time::Duration;

use http_body_util::BodyExt as _;
use lambda_http::http::Request;
use lambda_runtime_api_client::PooledClient;
use lambda_runtime_api_client::body::Body;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

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
    let (sender, registered) = oneshot::channel();
    // The task outlives the wait: Lambda waits for every extension that it has registered.
    tokio::spawn(async move {
        let client = PooledClient::builder().build();
        match identifier(&client).await {
            Ok(identifier) => {
                let _ = sender.send(Ok(()));
                wait_for_events(client, &identifier).await;
            }
            Err(error) => _ = sender.send(Err(error)),
        }
    });
    timeout(LIMIT, registered).await??
}

/// Asks for the next event for ever. Lambda treats the extension as ready, and later as idle, while
/// it asks. No event comes, because it subscribed to none.
async fn wait_for_events(mut client: PooledClient, identifier: &str) {
    loop {
        if let Err(error) = next(&client, identifier).await {
            events::extension_retried(&error);
        }
        sleep(PAUSE).await;
        client = PooledClient::builder().build();
    }
}

async fn identifier(client: &PooledClient) -> Result<String, BoxError> {
    let request = Request::post("/2020-01-01/extension/register")
        .header("Lambda-Extension-Name", NAME)
        .header("Content-Type", "application/json")
        .body(Body::from(r#"{"events":[]}"#))?;
    let response = client.call(request).await?;
    let status = response.status();
    let identifier = response.headers().get("Lambda-Extension-Identifier");
    let identifier = identifier.ok_or_else(|| format!("Lambda answered {status}"))?;
    let identifier = identifier.to_str()?.to_owned();
    // Read to its end, so that the client reuses the connection.
    response.into_body().collect().await?;
    Ok(identifier)
}

async fn next(client: &PooledClient, identifier: &str) -> Result<(), BoxError> {
    let request = Request::get("/2020-01-01/extension/event/next")
        .header("Lambda-Extension-Identifier", identifier)
        .body(Body::empty())?;
    let response = client.call(request).await?;
    Err(format!("Lambda answered {}", response.status()).into())
}
