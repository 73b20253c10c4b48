//! The layer that ends a handler shortly before its deadline.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use lambda_http::http::Response;
use lambda_http::lambda_runtime::Diagnostic;
use lambda_http::tower::{Layer, Service};
use lambda_http::{BoxFuture, Request};
use tokio::time::timeout_at;

use super::call;
use crate::environment;
use crate::invocation::{self, INVOCATION, deadline};
use crate::response::gateway_timeout;
use crate::telemetry::events;

/// A layer for a handler of HTTP requests that ends it 100 ms before the invocation's deadline.
///
/// The client gets a 504 with a small JSON body. The handler's future is dropped: an open
/// transaction is rolled back, and an opened connection is closed. The event `handler ended`
/// names the function and the step that the handler waited for. Without the layer Lambda ends the
/// process: the client gets a 502, and the next invocation starts a new one.
///
/// A response that has begun to stream is not ended. Nor is a handler that blocks its thread, or a
/// task that it spawned. Without a deadline, as outside Lambda, nothing is ended.
///
/// [`run`](crate::run) adds it. If you build your own runtime, put it around your handler, inside
/// of [`ServiceUnavailable`](crate::ServiceUnavailable):
///
/// ```no_run
/// use lambda_http::tower::ServiceBuilder;
/// use lambda_http::{Body, Error, Request, Response};
///
/// # async fn handler(_: Request) -> Result<Response<Body>, Error> { Ok(Response::new(Body::Empty)) }
/// # async fn start() -> Result<(), Error> {
/// let service = ServiceBuilder::new()
///     .layer(reuse_db::ServiceUnavailable::new())
///     .layer(reuse_db::HandlerDeadline::new())
///     .service_fn(handler);
/// lambda_http::runtime(service).layer(reuse_db::AfterResponse::new()).run().await
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct HandlerDeadline {
    margin: Duration,
}

impl HandlerDeadline {
    /// Creates a layer that ends a handler 100 ms before the deadline.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            margin: deadline::HANDLER_MARGIN,
        }
    }

    /// Sets the time between the handler's end and the deadline, at most half of the function's
    /// time-out. Default: 100 ms.
    ///
    /// In that time the response is posted, and background work ends up to 30 ms before the
    /// deadline. A wait for a connection ends 150 ms before the handler, and a COMMIT 20 ms before,
    /// so that the handler can return their errors.
    #[must_use]
    pub const fn margin(mut self, margin: Duration) -> Self {
        self.margin = margin;
        self
    }

    /// Runs a handler of events until its end. An error of the handler, or of its end, becomes a
    /// function error.
    pub(super) async fn end_event<T, E: Into<Diagnostic>>(
        self,
        handler: Pin<Box<impl Future<Output = Result<T, E>>>>,
    ) -> Result<T, Diagnostic> {
        match self.end(handler).await {
            Ok(result) => result.map_err(Into::into),
            Err(reason) => Err(Diagnostic {
                error_type: "HandlerDeadline".to_owned(),
                error_message: reason,
            }),
        }
    }

    /// Runs a handler until its end. Returns the text of an error if it was ended.
    // Cancellation safety: the handler's future is dropped with this one.
    async fn end<T>(self, mut handler: Pin<Box<impl Future<Output = T>>>) -> Result<T, String> {
        let Some(end) = deadline::of_handler(self.margin) else {
            return Ok(handler.await);
        };
        if let Ok(result) = timeout_at(end, &mut handler).await {
            return Ok(result);
        }
        let step = invocation::current_step();
        deadline::handler_ended();
        drop(handler);
        let function = environment::function();
        events::handler_ended(&function, &step);
        let (margin, time_out) = (self.margin, invocation::time_out().unwrap_or_default());
        Err(format!(
            "the handler of `{function}` was ended {margin:.0?} before its deadline, while it \
             waited for {step}: the function's time-out is {time_out:.1?}"
        ))
    }
}

impl Default for HandlerDeadline {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for HandlerDeadline {
    type Service = HandlerDeadlineService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HandlerDeadlineService {
            inner,
            layer: *self,
        }
    }
}

/// The service of the layer [`HandlerDeadline`].
#[derive(Clone, Debug)]
pub struct HandlerDeadlineService<S> {
    inner: S,
    layer: HandlerDeadline,
}

impl<S, B> Service<Request> for HandlerDeadlineService<S>
where
    S: Service<Request, Response = Response<B>>,
    S::Future: Send + 'static,
    B: From<String>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<B>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // Without the `AfterResponse` layer there is no invocation yet.
        let invocation = invocation::current_or_new();
        let response = call::within(&invocation, &mut self.inner, request);
        let layer = self.layer;
        Box::pin(INVOCATION.scope(invocation, async move {
            match layer.end(response).await {
                Ok(result) => result,
                Err(_) => Ok(gateway_timeout().map(B::from)),
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::pending;

    use lambda_http::Body;
    use lambda_http::tower::service_fn;
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::invocation::{Invocation, Step};

    #[tokio::test(start_paused = true)]
    async fn a_handler_is_ended_before_its_deadline() {
        let seconds = Duration::from_secs;
        for (takes, margin, status, took) in [
            (seconds(1), 100, 200, seconds(1)),
            (seconds(9), 100, 504, Duration::from_millis(2_900)),
            (seconds(9), 1_000, 504, seconds(2)),
            // At most half of the time-out.
            (seconds(9), 9_000, 504, Duration::from_millis(1_500)),
        ] {
            let begun = Instant::now();
            let invocation = Invocation::new(Some(begun + seconds(3)));
            let layer = HandlerDeadline::new().margin(Duration::from_millis(margin));
            let mut service = layer.layer(service_fn(move |_: Request| async move {
                sleep(takes).await;
                Ok::<_, Infallible>(Response::new(Body::Empty))
            }));
            let response = INVOCATION.sync_scope(invocation, || service.call(Request::default()));
            let response = response.await.expect("a response");
            assert_eq!(response.status(), status);
            assert_eq!(begun.elapsed(), took);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_error_of_an_event_names_the_step() {
        let invocation = Invocation::new(Some(Instant::now() + Duration::from_secs(3)));
        let handler = Box::pin(async {
            let _waits = invocation::waits_for(Step::Commit);
            pending::<Result<(), Diagnostic>>().await
        });
        let ended = HandlerDeadline::new().end_event(handler);
        let error = INVOCATION.scope(invocation, ended).await;
        let text = error.expect_err("no answer").error_message;
        assert!(
            text.contains("100ms before its deadline, while it waited for COMMIT"),
            "{text}"
        );
        assert!(text.ends_with("is 3.0s"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_deadline_nothing_is_ended() {
        let handler = Box::pin(async {
            sleep(Duration::from_secs(60 * 60)).await;
            Ok::<_, Diagnostic>(())
        });
        assert!(HandlerDeadline::new().end_event(handler).await.is_ok());
    }
}
