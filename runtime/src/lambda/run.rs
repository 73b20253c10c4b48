//! Serving a handler: drop-in replacements for the `run` functions of lambda_http and
//! lambda_runtime.

use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;
use futures_core::Stream;
use http_body::Body;
use lambda_http::http::Response;
use lambda_http::lambda_runtime::layers::TracingLayer;
use lambda_http::lambda_runtime::{Diagnostic, IntoFunctionResponse, LambdaInvocation, Runtime};
use lambda_http::tower::util::Either;
use lambda_http::tower::{Layer, ServiceExt as _};
use lambda_http::{Error, IntoResponse, LambdaEvent, Request, Service, service_fn};
use serde::{Deserialize, Serialize};

use super::{
    AfterResponse, HandlerDeadline, ServiceUnavailable, SnapStart, Streaming, until_shutdown,
};
use crate::environment;

/// A service with or without the layer [`HandlerDeadline`].
type Ended<S> = Either<<HandlerDeadline as Layer<S>>::Service, S>;

/// [`run`](crate::run), [`run_with_streaming_response`](crate::run_with_streaming_response) and
/// [`run_events`](crate::run_events) with settings.
///
/// ```no_run
/// use lambda_http::{Body, Error, Request, Response, service_fn};
/// use reuse_db::{AfterResponse, Runner};
///
/// # async fn handler(_: Request) -> Result<Response<Body>, Error> { Ok(Response::new(Body::Empty)) }
/// #[tokio::main]
/// async fn main() -> Result<(), Error> {
///     Runner::new()
///         .after_response(AfterResponse::new().embedded_metrics("shop"))
///         .service_unavailable(|error| Response::new(format!("come back later: {:?}", error.kind())))
///         .run(service_fn(handler))
///         .await
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Runner {
    after_response: AfterResponse,
    service_unavailable: Option<ServiceUnavailable>,
    handler_deadline: Option<HandlerDeadline>,
    closes_at_shutdown: bool,
}

impl Runner {
    /// Returns the defaults, which are those of [`run`](crate::run).
    pub fn new() -> Self {
        Self {
            after_response: AfterResponse::new(),
            service_unavailable: Some(ServiceUnavailable::new()),
            handler_deadline: Some(HandlerDeadline::new()),
            closes_at_shutdown: true,
        }
    }

    /// Sets the layer that works after a response. Default: [`AfterResponse::new`].
    pub fn after_response(mut self, layer: AfterResponse) -> Self {
        self.after_response = layer;
        self
    }

    /// Sets the response for an invocation that gets no connection. Default: a 503 with
    /// `Retry-After: 1`. See [`ServiceUnavailable::with`].
    pub fn service_unavailable(
        mut self,
        response: impl Fn(&crate::error::Error) -> Response<String> + Send + Sync + 'static,
    ) -> Self {
        self.service_unavailable = Some(ServiceUnavailable::with(response));
        self
    }

    /// Leaves the error of a handler that got no connection as a function error.
    pub fn without_service_unavailable(mut self) -> Self {
        self.service_unavailable = None;
        self
    }

    /// Sets the layer that ends a handler before its deadline. Default: [`HandlerDeadline::new`].
    pub fn handler_deadline(mut self, layer: HandlerDeadline) -> Self {
        self.handler_deadline = Some(layer);
        self
    }

    /// Leaves a handler that does not finish in time to Lambda, which ends the process.
    pub fn without_handler_deadline(mut self) -> Self {
        self.handler_deadline = None;
        self
    }

    /// Ignores SIGTERM and registers no extension. Use it with a graceful shutdown of your own, and
    /// call [`shutdown`](crate::shutdown) there. Has no effect outside Lambda.
    pub fn without_shutdown(mut self) -> Self {
        self.closes_at_shutdown = false;
        self
    }

    fn http<S>(
        &self,
        service: S,
    ) -> Either<<ServiceUnavailable as Layer<Ended<S>>>::Service, Ended<S>> {
        let service = match self.handler_deadline {
            Some(layer) => Either::Left(layer.layer(service)),
            None => Either::Right(service),
        };
        let Some(layer) = self.service_unavailable.clone() else {
            return Either::Right(service);
        };
        #[cfg(feature = "local")]
        let layer = if environment::is_lambda() {
            layer
        } else {
            layer.also_to_stderr()
        };
        Either::Left(layer.layer(service))
    }

    async fn serve<S>(self, runtime: Runtime<S>) -> Result<(), Error>
    where
        S: Service<LambdaInvocation, Response = (), Error = Error> + Clone + Send + 'static,
        S::Future: Send,
    {
        let runtime = runtime
            .layer(TracingLayer::new())
            .layer(self.after_response)
            .register_snapstart_resource(Arc::new(SnapStart))
            .run_concurrent();
        if self.closes_at_shutdown {
            until_shutdown(runtime).await
        } else {
            runtime.await
        }
    }
}

impl Default for Runner {
    fn default() -> Self {
        Self::new()
    }
}

/// Declares a function of the crate and the method of [`Runner`] by that name, with one signature.
macro_rules! runs {
    (
        $(#[$docs:meta])*
        pub async fn $name:ident<$($generic:ident),+>($runner:ident, $service:ident)
        where { $($bounds:tt)+ }
        $body:block
    ) => {
        $(#[$docs])*
        pub async fn $name<$($generic),+>(service: S) -> Result<(), Error>
        where
            $($bounds)+
        {
            Runner::new().$name(service).await
        }

        impl Runner {
            #[doc = concat!("Serves a handler with these settings, see [`", stringify!($name), "`](crate::", stringify!($name), ").")]
            ///
            /// # Errors
            ///
            #[doc = concat!("Returns the errors of [`", stringify!($name), "`](crate::", stringify!($name), ").")]
            pub async fn $name<$($generic),+>(self, $service: S) -> Result<(), Error>
            where
                $($bounds)+
            {
                let $runner = self;
                $body
            }
        }
    };
}

runs! {
    /// Serves the handler, as a drop-in replacement for `lambda_http::run`. It takes what that
    /// function takes if it is also `Clone + Send + 'static`: `service_fn(handler)`, an axum
    /// `Router`.
    ///
    /// On Lambda it is `lambda_http::run` with
    ///
    /// - the [`AfterResponse`](crate::AfterResponse) layer: background work is done before the
    ///   freeze, and leases know the invocation's deadline;
    /// - the [`ServiceUnavailable`](crate::ServiceUnavailable) layer: an invocation without a
    ///   connection is a 503, not a function error;
    /// - the [`HandlerDeadline`](crate::HandlerDeadline) layer: a handler that does not finish in
    ///   time is a 504, and leaves nothing behind;
    /// - [`until_shutdown`](crate::until_shutdown): all kept connections are closed when the
    ///   sandbox shuts down;
    /// - [`SnapStart`](crate::SnapStart): they are also closed before a snapshot;
    /// - concurrent invocations where Lambda asks for them (`AWS_LAMBDA_MAX_CONCURRENCY`).
    ///
    /// [`Runner`] has the settings.
    ///
    /// Outside Lambda (`AWS_LAMBDA_RUNTIME_API` is unset) the feature `local` serves the same
    /// handler over plain HTTP on 127.0.0.1:3000, or on the address in `REUSE_DB_LOCAL_ADDR`. On
    /// Ctrl-C it closes all kept connections and returns.
    ///
    /// # Errors
    ///
    /// Returns the errors of `lambda_http::run`. Outside Lambda it returns an
    /// [`Error::OffLambda`](crate::Error::OffLambda) without the feature `local`, and with it an
    /// error if the address cannot be listened on.
    pub async fn run<S, R, E>(runner, service)
    where {
        S: Service<Request, Response = R, Error = E> + Clone + Send + 'static,
        S::Future: Send + 'static,
        R: IntoResponse + Send + 'static,
        E: Debug + Into<Diagnostic> + Send + 'static,
    }
    {
        // lambda_http requires a `Sync` response, which axum's is not, and converts it into this
        // one in any case. A combinator of tower would also convert the error into a `Diagnostic`,
        // which keeps its text only.
        let service = service_fn(move |request| {
            // The block would copy the handler's future.
            let response = Box::pin(service.clone().oneshot(request));
            async move {
                match response.await {
                    Ok(response) => Ok(response.into_response().await),
                    Err(error) => Err(error),
                }
            }
        });
        let service = runner.http(service);
        if environment::is_lambda() {
            environment::expect_lambda()?;
            return runner.serve(lambda_http::runtime_concurrent(service)).await;
        }
        off_lambda(service).await
    }
}

runs! {
    /// Serves a handler with streamed responses, as a drop-in replacement for
    /// `lambda_http::run_with_streaming_response`. It does what [`run`] does, and adds the
    /// [`Streaming`](crate::Streaming) layer.
    ///
    /// A handler streams rows over a pool that it takes by value. Over a connection of its own it
    /// takes a [`Lease`](crate::Lease) by value.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`run`].
    pub async fn run_with_streaming_response<S, B, E>(runner, service)
    where {
        S: Service<Request, Response = Response<B>, Error = E> + Clone + Send + 'static,
        S::Future: Send + 'static,
        E: Debug + Into<Diagnostic> + Send + 'static,
        B: Body + Unpin + Send + 'static,
        B::Data: Into<Bytes> + Send,
        B::Error: Into<Error> + Send + Debug,
    }
    {
        let service = runner.http(Streaming.layer(service));
        if environment::is_lambda() {
            environment::expect_lambda()?;
            let runtime = lambda_http::streaming_runtime_concurrent(service);
            return runner.serve(runtime).await;
        }
        off_lambda(service).await
    }
}

runs! {
    /// Serves a handler of events that are not HTTP requests, such as `LambdaEvent<SqsEvent>`, as a
    /// drop-in replacement for `lambda_runtime::run`. It does what [`run`] does, with two
    /// differences: an error stays a function error, so that Lambda retries the event, and there
    /// is no local server. A handler that does not finish in time is a function error, too.
    ///
    /// ```no_run
    /// # #[cfg(feature = "postgres")] mod postgres {
    /// use lambda_http::{Error, LambdaEvent, service_fn};
    /// use reuse_db::reuse_db;
    /// use sqlx::PgConnection;
    ///
    /// #[reuse_db]
    /// async fn handler(event: LambdaEvent<Vec<String>>, db: &mut PgConnection) -> Result<u64, Error> {
    ///     let names = sqlx::query("insert into names select * from unnest($1)").bind(&event.payload);
    ///     Ok(names.execute(db).await?.rows_affected())
    /// }
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), Error> {
    ///     reuse_db::run_events(service_fn(handler)).await
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of `lambda_runtime::run`, and an
    /// [`Error::OffLambda`](crate::Error::OffLambda) outside Lambda.
    pub async fn run_events<A, S, R, B, T, D, E>(runner, service)
    where {
        S: Service<LambdaEvent<A>, Response = R> + Clone + Send + 'static,
        S::Future: Future<Output = Result<R, S::Error>> + Send + 'static,
        S::Error: Into<Diagnostic> + Debug,
        A: for<'de> Deserialize<'de> + Send + 'static,
        R: IntoFunctionResponse<B, T> + Send + 'static,
        B: Serialize + Send + 'static,
        T: Stream<Item = Result<D, E>> + Unpin + Send + 'static,
        D: Into<Bytes> + Send + 'static,
        E: Into<Error> + Send + Debug + 'static,
    }
    {
        if !environment::is_lambda() {
            return Err(crate::error::Error::OffLambda {
                advice: "this is not AWS Lambda (`AWS_LAMBDA_RUNTIME_API` is not set): run the \
                         function with `cargo lambda watch`, and send it an event with \
                         `cargo lambda invoke`",
            }
            .into());
        }
        environment::expect_lambda()?;
        let handler_deadline = runner.handler_deadline;
        let service = service_fn(move |event| {
            let handler = Box::pin(service.clone().oneshot(event));
            async move {
                match handler_deadline {
                    Some(layer) => layer.end_event(handler).await,
                    None => handler.await.map_err(Into::into),
                }
            }
        });
        runner.serve(Runtime::new(service)).await
    }
}

#[cfg(feature = "local")]
use super::local::serve as off_lambda;

#[cfg(not(feature = "local"))]
async fn off_lambda<S>(_: S) -> Result<(), Error> {
    Err(crate::error::Error::OffLambda {
        advice: "this is not AWS Lambda (`AWS_LAMBDA_RUNTIME_API` is not set): run the function \
                 with `cargo lambda watch`, or enable the feature `local` of `reuse-db` to serve \
                 it on 127.0.0.1:3000",
    }
    .into())
}

#[cfg(all(test, not(feature = "local")))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn outside_lambda_the_error_names_the_feature_local() {
        let handler = |_: Request| async { Ok::<_, Error>("hello") };
        let error = crate::run(service_fn(handler))
            .await
            .expect_err("this is not Lambda")
            .to_string();
        assert!(
            error.contains("`cargo lambda watch`") && error.contains("the feature `local`"),
            "{error}"
        );
    }
}
