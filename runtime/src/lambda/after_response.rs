//! The layer between the response and the freeze.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use lambda_http::Error;
use lambda_http::lambda_runtime::LambdaInvocation;
use lambda_http::tower::{Layer, Service};
use tokio::task::futures::TaskLocalFuture;

use crate::invocation::{INVOCATION, Invocation};
use crate::metrics::Metrics;
use crate::owed::{self, Debtor};
use crate::registry::Work;
use crate::{limit, sandbox};

/// A layer for a [`lambda_runtime::Runtime`](lambda_http::lambda_runtime::Runtime): tells leases
/// how much time the invocation has left, and after the response was posted waits for what is owed
/// to connections (a queued ROLLBACK, a check after a failure, closing those above
/// [`keep`](crate::Source::keep)) before the next event is asked for, since Lambda freezes the
/// sandbox there.
///
/// [`run`](crate::run) adds it; those who build their own runtime add it last, so that it is the
/// outermost:
///
/// ```no_run
/// # async fn handler(_: lambda_http::Request) -> Result<&'static str, lambda_http::Error> { Ok("") }
/// # async fn start() -> Result<(), lambda_http::Error> {
/// lambda_http::runtime(lambda_http::service_fn(handler)).layer(reuse_db::AfterResponse::new()).run().await
/// # }
/// ```
///
/// The wait ends after 500 ms, or 50 ms before the invocation's deadline if that is earlier;
/// connections that are not done by then are dropped. An invocation that owes nothing does not
/// wait. Where Lambda has several served at once (`AWS_LAMBDA_MAX_CONCURRENCY`), each waits for what
/// it owes itself; else also for what was left by tasks of the handler's own.
#[derive(Clone, Copy, Debug)]
pub struct AfterResponse {
    limit: Duration,
    metrics: Metrics,
}

impl AfterResponse {
    /// A layer that waits for up to 500 ms.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            limit: Duration::from_millis(500),
            metrics: Metrics::NONE,
        }
    }

    /// How long the wait may take. Default: 500 ms.
    #[must_use]
    pub const fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Prints what happened to connections to the standard output, which is the function's log: one
    /// line an invocation in the form of [`Stats::embedded_metrics`](crate::Stats::embedded_metrics), of which
    /// CloudWatch makes metrics in `namespace`. Default: nothing is printed.
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
            is_alone: sandbox::concurrency() == 1,
        }
    }
}

/// The service that [`AfterResponse`] makes.
#[derive(Clone, Debug)]
pub struct AfterResponseService<S> {
    inner: S,
    layer: AfterResponse,
    /// Whether the sandbox serves one invocation at a time.
    is_alone: bool,
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
        let known = Invocation::until(invocation.context.deadline);
        // The handler is called in here: it knows the deadline from its first line.
        let future = INVOCATION.sync_scope(Arc::clone(&known), || self.inner.call(invocation));
        AfterResponseFuture {
            future: INVOCATION.scope(Arc::clone(&known), future),
            invocation: known,
            layer: self.layer,
            is_alone: self.is_alone,
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
        is_alone: bool,
        // The response is out; what is owed is being done.
        after: Option<(Result<(), Error>, Work)>,
    }
}

impl<F: Future<Output = Result<(), Error>>> Future for AfterResponseFuture<F> {
    type Output = Result<(), Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.after.is_none() {
            let result = ready!(this.future.poll(cx));
            this.invocation.respond();
            // Where several are served at once nothing is frozen between them.
            let debtor = if *this.is_alone {
                Debtor::Anybody
            } else {
                Debtor::Invocation(this.invocation.id)
            };
            if owed::none(debtor) {
                this.layer.metrics.print();
                return Poll::Ready(result);
            }
            let end = INVOCATION.sync_scope(Arc::clone(this.invocation), || {
                limit::until_the_last(this.layer.limit)
            });
            *this.after = Some((result, Box::pin(owed::done(debtor, end))));
        }
        if let Some((_, work)) = this.after {
            ready!(work.as_mut().poll(cx));
        }
        this.layer.metrics.print();
        Poll::Ready(this.after.take().map_or(Ok(()), |(result, _)| result))
    }
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

    use lambda_http::Context as Invocation;
    use lambda_http::tower::service_fn;
    use tokio::time::Instant;

    use super::*;

    /// An invocation with its deadline in 300 ms.
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
    async fn what_is_owed_is_given_up_before_the_deadline() {
        let mut service = AfterResponse::new().layer(service_fn(async |_: LambdaInvocation| {
            owed::spawn(std::future::pending());
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

    #[tokio::test(start_paused = true)]
    async fn served_at_once_none_waits_for_what_another_owes() {
        let (sender, ended) = tokio::sync::oneshot::channel::<()>();
        // Left by somebody else, and not ended by whoever does not wait for it.
        owed::spawn(async {
            let _ = ended.await;
        });
        for (is_alone, waits) in [(false, false), (true, true)] {
            let mut service =
                AfterResponse::new().layer(service_fn(async |_: LambdaInvocation| Ok(())));
            service.is_alone = is_alone;
            let begun = Instant::now();
            service.call(invocation()).await.expect("a response");
            assert_eq!(begun.elapsed() > Duration::ZERO, waits);
            assert_eq!(sender.is_closed(), waits);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn served_at_once_each_waits_for_what_it_owes_itself() {
        let mut service = AfterResponse::new().layer(service_fn(async |_: LambdaInvocation| {
            owed::spawn(tokio::time::sleep(Duration::from_millis(40)));
            Ok(())
        }));
        service.is_alone = false;
        let begun = Instant::now();
        service.call(invocation()).await.expect("a response");
        assert!(begun.elapsed() >= Duration::from_millis(40));
    }
}
