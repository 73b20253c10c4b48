//! Nothing of a connection in a snapshot.

use lambda_http::{BoxFuture, Error, SnapStartResource};

/// Closes every kept connection before Lambda takes a snapshot of the sandbox (SnapStart), for a
/// [`lambda_runtime::Runtime`](lambda_http::lambda_runtime::Runtime).
///
/// A sandbox that is restored from the snapshot opens a new one when it first needs it: a socket
/// that came back in a hundred sandboxes at once would be of no use in any. [`run`](crate::run)
/// registers it; those who build their own runtime do:
///
/// ```no_run
/// use std::sync::Arc;
///
/// # async fn handler(_: lambda_http::Request) -> Result<&'static str, lambda_http::Error> { Ok("") }
/// # async fn start() -> Result<(), lambda_http::Error> {
/// lambda_http::runtime(lambda_http::service_fn(handler))
///     .layer(reuse_db::AfterResponse::new())
///     .register_snapstart_resource(Arc::new(reuse_db::SnapStart))
///     .run()
///     .await
/// # }
/// ```
///
/// Registered first, its turn is after that of resources which may still use a connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct SnapStart;

impl SnapStartResource for SnapStart {
    fn before_snapshot(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async {
            crate::shutdown().await;
            Ok(())
        })
    }
}
