//! Closing kept connections when the sandbox shuts down, and before a snapshot of it.

use std::time::Duration;

use lambda_http::{BoxFuture, Error, SnapStartResource};

use crate::invocation::background::{self, Owner};
use crate::invocation::deadline;
use crate::pool::registry;

/// The limit of a shutdown. Lambda leaves a sandbox 300 to 500 ms between SIGTERM and SIGKILL.
const LIMIT: Duration = Duration::from_millis(300);

/// The time from SIGTERM to the end of [`until_shutdown`]. Another listener to the signal, such as
/// that of lambda_runtime, has as long before `main` ends the process.
const TIME_FOR_OTHERS: Duration = Duration::from_millis(400);

/// Closes every connection that is idle in this tokio runtime, and finishes background work,
/// within 300 ms. What is not done by then is dropped. A leased connection is left to its
/// invocation.
///
/// [`run`](crate::run) calls it when the sandbox shuts down. Call it in a graceful shutdown of your
/// own. Statics stay usable: the next lease opens a new connection.
pub async fn shutdown() {
    let end = deadline::after(LIMIT);
    // Background work may make a connection idle. The second round closes it.
    for _ in 0..2 {
        for work in registry::close_idle() {
            background::spawn(work);
        }
        background::wait(Owner::Any, end).await;
    }
}

/// Runs `runtime`, which serves on Lambda, until it ends or the sandbox shuts down.
///
/// On SIGTERM and SIGINT it closes every kept connection, as [`shutdown`] does. It returns `Ok`
/// 400 ms after the signal, so that `main` can end. Lambda ends the process after about 500 ms.
///
/// The 400 ms are for another listener to the signal, such as
/// `lambda_runtime::spawn_graceful_shutdown_handler`. That one ends the process as soon as its hook
/// has run: await [`shutdown`] at the hook's end, so that a short hook does not cut off the closing
/// of connections.
///
/// Lambda sends SIGTERM only to a sandbox that has an extension. So this function registers an
/// internal one by the name of `reuse-db`, which subscribes to no events. If registering fails or
/// takes longer than 2 s, it logs a warning and serves all the same. Outside Lambda and on other
/// systems than Unix it only runs `runtime`.
///
/// [`run`](crate::run) does this. Use it if you build your own runtime:
///
/// ```no_run
/// # async fn handler(_: lambda_http::Request) -> Result<&'static str, lambda_http::Error> { Ok("") }
/// # async fn start() -> Result<(), lambda_http::Error> {
/// let runtime = lambda_http::runtime(lambda_http::service_fn(handler)).layer(reuse_db::AfterResponse::new());
/// reuse_db::until_shutdown(runtime.run()).await
/// # }
/// ```
///
/// # Errors
///
/// Returns the errors of `runtime`.
pub async fn until_shutdown<F>(runtime: F) -> Result<(), Error>
where
    F: Future<Output = Result<(), Error>>,
{
    #[cfg(unix)]
    if crate::environment::is_lambda() {
        // Signals are listened to before the first can be sent. A task waits for them, so that this
        // one does not look for a signal at each step of a handler.
        let terminated = tokio::spawn(terminated());
        register_extension().await;
        // The runtime ends at the signal. Its request for the next event may fail in a shutdown.
        tokio::select! {
            biased;
            _ = terminated => {}
            result = runtime => return result,
        }
        shut_down_beside_others().await;
        return Ok(());
    }
    runtime.await
}

// A boxed future is compiled here. An `async fn` would be compiled in the user's crate.

#[cfg(unix)]
fn register_extension() -> BoxFuture<'static, ()> {
    Box::pin(async {
        if let Err(error) = super::extension::register().await {
            // Without an extension SIGTERM may still come from somebody else.
            crate::telemetry::events::no_extension(&error);
        }
    })
}

#[cfg(unix)]
fn shut_down_beside_others() -> BoxFuture<'static, ()> {
    Box::pin(async {
        let end = deadline::after(TIME_FOR_OTHERS);
        shutdown().await;
        tokio::time::sleep_until(end).await;
    })
}

/// Resolves on SIGTERM or SIGINT, from the call on. Never resolves if signals are unavailable.
#[cfg(unix)]
pub(crate) fn terminated() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = signal(SignalKind::terminate());
    let interrupted = signal(SignalKind::interrupt());
    async {
        let (Ok(mut terminated), Ok(mut interrupted)) = (terminated, interrupted) else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
    }
}

/// Resolves on Ctrl-C. Never resolves if signals are unavailable.
#[cfg(all(not(unix), feature = "local"))]
pub(crate) async fn terminated() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Closes every kept connection before Lambda takes a snapshot of the sandbox (SnapStart), for a
/// [`lambda_runtime::Runtime`](lambda_http::lambda_runtime::Runtime).
///
/// A restored sandbox opens a new connection when it first needs one. A socket that is restored in
/// a hundred sandboxes works in none. [`run`](crate::run) registers it. Register it yourself if you
/// build your own runtime:
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
/// Register it before resources that use a connection: the last one registered runs first.
#[derive(Clone, Copy, Debug, Default)]
pub struct SnapStart;

impl SnapStartResource for SnapStart {
    fn before_snapshot(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async {
            shutdown().await;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::response::Outcome;
    use crate::statics::{Exclusive, Lease};
    use crate::testing::{Fake, GATES, Gate, SOURCE, alive, set};

    #[tokio::test(start_paused = true)]
    async fn idle_and_returning_connections_are_closed_in_time() {
        static DB: Exclusive<Fake> = Exclusive::new(SOURCE);
        for (check, close) in GATES
            .iter()
            .flat_map(|a| GATES.iter().map(move |b| (*a, *b)))
        {
            let idle = DB.lease().await.expect("a lease");
            let failed = DB.lease().await.expect("a lease");
            set(|fake| (fake.check, fake.close) = (check, close));
            Lease::settle(idle, Outcome::Success);
            Lease::settle(failed, Outcome::Failure);
            let begun = Instant::now();
            shutdown().await;
            assert_eq!(alive(), 0, "check {check:?}, close {close:?}");
            // Timers have a resolution of 1 ms.
            let most = LIMIT + Duration::from_millis(1);
            assert!(begun.elapsed() <= most, "check {check:?}, close {close:?}");
            assert!(DB.lease().await.is_ok(), "the static stays usable");
            set(|fake| (fake.check, fake.close) = (Gate::Ok, Gate::Ok));
            shutdown().await;
        }
    }
}
