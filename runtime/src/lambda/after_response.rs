//! The layer between the response and the freeze.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use lambda_http::lambda_runtime::LambdaInvocation;
use lambda_http::tower::{Layer, Service};
use lambda_http::{BoxFuture, Error};
use tokio::runtime::Handle;
use tokio::task::futures::TaskLocalFuture;
use tokio::time::{Instant, sleep};

use crate::environment;
use crate::invocation::background::{self, Owner};
use crate::invocation::{INVOCATION, Invocation, deadline, leases_out, remember_tenant};
use crate::pool::registry;
use crate::telemetry::{Metrics, events};

/// The time in which a task that a handler has spawned begins.
const TO_BEGIN: Duration = Duration::from_millis(10);

/// A layer for a [`lambda_runtime::Runtime`](lambda_http::lambda_runtime::Runtime) that works after
/// a response.
///
/// It passes the invocation's deadline to leases. After the response was posted, it waits for
/// background work: a queued ROLLBACK, a health check after a failure, a load query, the KILL of an
/// abandoned statement, the end of a connection. It also waits for annotated functions in tasks
/// that the handler has spawned and not awaited. Then it asks for the next event, and Lambda
/// freezes the sandbox.
///
/// [`run`](crate::run) adds it. If you build your own runtime, add it last, so that it is the
/// outermost layer:
///
/// ```no_run
/// # async fn handler(_: lambda_http::Request) -> Result<&'static str, lambda_http::Error> { Ok("") }
/// # async fn start() -> Result<(), lambda_http::Error> {
/// lambda_http::runtime(lambda_http::service_fn(handler)).layer(reuse_db::AfterResponse::new()).run().await
/// # }
/// ```
///
/// The wait ends after 500 ms, or 50 ms before the invocation's deadline if that is earlier.
/// Connections that are not done by then are dropped. Without background work and spawned tasks
/// there is no wait. A task that has just been spawned has up to 10 ms to begin.
///
/// An invocation waits for its own work and for work left by the handler's tasks. If Lambda runs
/// several at once (`AWS_LAMBDA_MAX_CONCURRENCY`), each waits for its own work only.
#[derive(Clone, Copy, Debug)]
pub struct AfterResponse {
    limit: Duration,
    metrics: Metrics,
}

impl AfterResponse {
    /// Creates a layer that waits for up to 500 ms and prints no metrics.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            limit: Duration::from_millis(500),
            metrics: Metrics::NONE,
        }
    }

    /// Limits the wait. Default: 500 ms.
    #[must_use]
    pub const fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Prints one line of counters after each invocation to the standard output, which is the
    /// function's log. CloudWatch makes metrics of it in `namespace`. See
    /// [`Stats::embedded_metrics`](crate::Stats::embedded_metrics). Default: prints nothing.
    #[must_use]
    pub const fn embedded_metrics(mut self, namespace: &'static str) -> Self {
        self.metrics = Metrics::of(namespace);
        self
    }
}

impl Default for AfterResponse {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for AfterResponse {
    type Service = AfterResponseService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AfterResponseService {
            inner,
            layer: *self,
            single_concurrency: environment::concurrency() == 1,
            is_lambda: environment::is_lambda(),
        }
    }
}

/// The service that [`AfterResponse`] makes.
#[derive(Clone, Debug)]
pub struct AfterResponseService<S> {
    inner: S,
    layer: AfterResponse,
    /// `true` if the sandbox serves one invocation at a time.
    single_concurrency: bool,
    is_lambda: bool,
}

impl<S> Service<LambdaInvocation> for AfterResponseService<S>
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
{
    type Response = ();
    type Error = Error;
    type Future = AfterResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        remember_tenant(invocation.context.tenant_id.as_deref());
        let known = Invocation::with_deadline(invocation.context.deadline);
        if self.is_lambda {
            known.remember_time_out();
        }
        // The handler is called in here, so it knows the deadline from its first line.
        let future = INVOCATION.sync_scope(Arc::clone(&known), || self.inner.call(invocation));
        AfterResponseFuture {
            future: INVOCATION.scope(Arc::clone(&known), future),
            invocation: known,
            layer: self.layer,
            single_concurrency: self.single_concurrency,
            tasks: foreign_tasks(),
            after: None,
        }
    }
}

pin_project_lite::pin_project! {
    /// The future of [`AfterResponseService`].
    pub struct AfterResponseFuture<F> {
        #[pin]
        future: TaskLocalFuture<Arc<Invocation>, F>,
        invocation: Arc<Invocation>,
        layer: AfterResponse,
        single_concurrency: bool,
        // The tasks of the runtime when the invocation began.
        tasks: usize,
        // The result, and the background work that is waited for once the response is out.
        after: Option<(Result<(), Error>, BoxFuture<'static, ()>)>,
    }
}

impl<F: Future<Output = Result<(), Error>>> Future for AfterResponseFuture<F> {
    type Output = Result<(), Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.after.is_none() {
            let result = ready!(this.future.poll(cx));
            this.invocation.respond();
            // With several invocations at once the sandbox is not frozen between them.
            let owner = if *this.single_concurrency {
                Owner::Any
            } else {
                Owner::Invocation(this.invocation.id)
            };
            let begun = this.invocation.begun;
            // Without a freeze, the tasks of a handler go on.
            let has_spawned = *this.single_concurrency
                && (foreign_tasks() > *this.tasks || !leases_out::none_since(begun));
            if !has_spawned && background::is_idle(owner) {
                this.layer.metrics.print();
                return Poll::Ready(result);
            }
            let end = INVOCATION.sync_scope(Arc::clone(this.invocation), || {
                deadline::before_deadline_final(this.layer.limit)
            });
            let spawned = has_spawned.then_some((*this.tasks, begun));
            *this.after = Some((result, wait_for_work(spawned, owner, end)));
        }
        if let Some((_, work)) = this.after {
            ready!(work.as_mut().poll(cx));
        }
        this.layer.metrics.print();
        Poll::Ready(this.after.take().map_or(Ok(()), |(result, _)| result))
    }
}

/// Waits for background work, and before that for tasks that the handler has spawned. `spawned` has
/// the number of tasks before the handler, and its start.
// Boxed here, it is not compiled in the user's crate.
fn wait_for_work(
    spawned: Option<(usize, Instant)>,
    owner: Owner,
    end: Instant,
) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        if let Some((tasks, begun)) = spawned {
            wait_for_begin(tasks, begun).await;
            if !leases_out::wait(begun, end).await {
                events::not_awaited(&environment::function());
                registry::shut_down();
            }
        }
        background::wait(owner, end).await;
    })
}

/// Waits until the tasks that a handler has spawned have ended, or one of them holds a lease. A
/// task may not have begun when its handler returns.
async fn wait_for_begin(tasks: usize, begun: Instant) {
    let end = Instant::now() + TO_BEGIN;
    while foreign_tasks() > tasks && leases_out::none_since(begun) && Instant::now() < end {
        sleep(Duration::from_millis(1)).await;
    }
}

/// Returns the number of tasks of the current runtime that are not our background work.
fn foreign_tasks() -> usize {
    let all = Handle::try_current().map_or(0, |runtime| runtime.metrics().num_alive_tasks());
    all.saturating_sub(background::running())
}

impl<F> std::fmt::Debug for AfterResponseFuture<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AfterResponseFuture")
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use lambda_http::Context as Invocation;
    use lambda_http::tower::service_fn;

    /// Returns an invocation with a deadline in 300 ms.
    fn invocation() -> LambdaInvocation {
        let epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let mut context = Invocation::default();
        context.deadline = epoch.expect("a time").as_millis() as u64 + 300;
        let (parts, ()) = lambda_http::http::Response::new(()).into_parts();
        LambdaInvocation {
            parts,
            context,
            body: Default::default(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn background_work_is_dropped_before_the_deadline() {
        let mut service = AfterResponse::new().layer(service_fn(async |_: LambdaInvocation| {
            background::spawn(std::future::pending());
            Ok(())
        }));
        let begun = Instant::now();
        service.call(invocation()).await.expect("a response");
        assert!(
            begun.elapsed() <= Duration::from_millis(251),
            "{:?}",
            begun.elapsed()
        );
    }

    /// It is no task that the handler has spawned, for whose begin the layer would wait.
    #[tokio::test(start_paused = true)]
    async fn brief_background_work_takes_no_time() {
        let mut service = AfterResponse::new().layer(service_fn(async |_: LambdaInvocation| {
            background::spawn(async {
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
            });
            Ok(())
        }));
        let begun = Instant::now();
        service.call(invocation()).await.expect("a response");
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    /// Nor is a task that serves a connection, as long as that lives.
    #[cfg(feature = "redis")]
    #[tokio::test(start_paused = true)]
    async fn a_new_connection_takes_no_time() {
        let mut service = AfterResponse::new().layer(service_fn(async |_: LambdaInvocation| {
            background::serve(Box::pin(std::future::pending()));
            Ok(())
        }));
        let begun = Instant::now();
        service.call(invocation()).await.expect("a response");
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn concurrent_invocations_do_not_wait_for_each_other() {
        let (sender, ended) = tokio::sync::oneshot::channel::<()>();
        // Work of no invocation, which only an invocation that waits for it may abort.
        background::spawn(async {
            let _ = ended.await;
        });
        for (single_concurrency, waits) in [(false, false), (true, true)] {
            let mut service =
                AfterResponse::new().layer(service_fn(async |_: LambdaInvocation| Ok(())));
            service.single_concurrency = single_concurrency;
            let begun = Instant::now();
            service.call(invocation()).await.expect("a response");
            assert_eq!(begun.elapsed() > Duration::ZERO, waits);
            assert_eq!(sender.is_closed(), waits);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn concurrent_invocations_wait_for_their_own_work() {
        let mut service = AfterResponse::new().layer(service_fn(async |_: LambdaInvocation| {
            background::spawn(tokio::time::sleep(Duration::from_millis(40)));
            Ok(())
        }));
        service.single_concurrency = false;
        let begun = Instant::now();
        service.call(invocation()).await.expect("a response");
        assert!(begun.elapsed() >= Duration::from_millis(40));
    }
}
