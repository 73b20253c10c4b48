//! Closing what is kept, when the sandbox ends.

use std::time::Duration;

use crate::owed::{self, Debtor};
use crate::{limit, registry};

/// How long it may take: Lambda leaves a sandbox 300 to 500 ms between SIGTERM and SIGKILL.
const LIMIT: Duration = Duration::from_millis(300);

/// Closes every connection that is kept idle in this tokio runtime, politely, and finishes what is
/// owed to others, within 300 ms; what is not done by then is dropped. A connection that is leased
/// is left to its invocation.
///
/// [`run`](crate::run) calls it when the sandbox ends; call it in a graceful shutdown of your own.
/// Statics stay usable: the next lease opens a new connection.
pub async fn shutdown() {
    let end = limit::after(LIMIT);
    // What is owed to a connection may park it: the second round closes that.
    for _ in 0..2 {
        for work in registry::drain() {
            owed::spawn(work);
        }
        owed::done(Debtor::Anybody, end).await;
    }
}

/// Runs `runtime`, which serves on Lambda, until that ends or the sandbox does: on SIGTERM (and
/// SIGINT) every kept connection is closed as by [`shutdown`], and this returns `Ok`, so that
/// `main` can end.
///
/// Lambda sends SIGTERM only to a sandbox that has an extension; so this registers an internal one
/// by the name of `reuse-db`, which wants no events. Where that is refused, or takes longer than 2 s, a
/// warning is logged, and it serves all the same; off Lambda, or not on Unix, it is as `runtime` alone.
///
/// [`run`](crate::run) does this; it is for those who build their own runtime:
///
/// ```no_run
/// # async fn handler(_: lambda_http::Request) -> Result<&'static str, lambda_http::Error> { Ok("") }
/// # async fn start() -> Result<(), lambda_http::Error> {
/// let runtime = lambda_http::runtime(lambda_http::service_fn(handler)).layer(reuse_db::AfterResponse::new());
/// reuse_db::until_shutdown(runtime.run()).await
/// # }
/// ```
///
/// It does not go with `lambda_runtime::spawn_graceful_shutdown_handler`, which ends the process
/// when its own hook has run: there, `await` [`shutdown`] in the hook.
///
/// # Errors
///
/// Those of `runtime`.
pub async fn until_shutdown<F>(runtime: F) -> Result<(), lambda_http::Error>
where
    F: Future<Output = Result<(), lambda_http::Error>>,
{
    #[cfg(unix)]
    if crate::sandbox::is_lambda() {
        // Listened to before it can be sent.
        let terminated = terminated();
        if let Err(error) = crate::extension::register().await {
            // Somebody else may send it, and it does not end the process by itself any more.
            tracing::warn!(target: "reuse_db", %error, "no extension: Lambda will not tell that the sandbox ends");
        }
        return tokio::select! {
            result = runtime => result,
            () = terminated => {
                shutdown().await;
                Ok(())
            }
        };
    }
    runtime.await
}

/// Resolves on SIGTERM or SIGINT; where they cannot be had, never. They are listened to from the
/// call.
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

/// Resolves on Ctrl-C; where that cannot be had, never.
#[cfg(all(not(unix), feature = "local"))]
pub(crate) async fn terminated() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::fake::{Fake, GATES, Gate, SOURCE, alive, set};
    use crate::{Lease, Outcome, Parked};

    #[tokio::test(start_paused = true)]
    async fn what_is_idle_and_what_is_being_checked_is_closed_in_time() {
        static DB: Parked<Fake> = Parked::new(SOURCE);
        for (check, close) in GATES
            .iter()
            .flat_map(|a| GATES.iter().map(move |b| (*a, *b)))
        {
            let idle = DB.lease().await.expect("a lease");
            let failed = DB.lease().await.expect("a lease");
            set(|world| (world.check, world.close) = (check, close));
            Lease::settle(idle, Outcome::Success);
            Lease::settle(failed, Outcome::Failure);
            let begun = Instant::now();
            shutdown().await;
            assert_eq!(alive(), 0, "check {check:?}, close {close:?}");
            // The timers' resolution.
            let most = LIMIT + Duration::from_millis(1);
            assert!(begun.elapsed() <= most, "check {check:?}, close {close:?}");
            assert!(DB.lease().await.is_ok(), "it stays usable");
            set(|world| (world.check, world.close) = (Gate::Ok, Gate::Ok));
            shutdown().await;
        }
    }
}
