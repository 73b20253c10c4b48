//! In place of `lambda_http::run`.

use std::fmt::Debug;

use lambda_http::lambda_runtime::Diagnostic;
use lambda_http::lambda_runtime::layers::TracingLayer;
use lambda_http::tower::ServiceExt as _;
use lambda_http::{IntoResponse, Request, Service};

use crate::AfterResponse;

/// Serves the handler, in place of `lambda_http::run`, and takes what that takes, as long as it is
/// `Clone + Send + 'static` too: `service_fn(handler)`, an axum `Router`.
///
/// On Lambda it is `lambda_http::run` with the [`AfterResponse`] layer, and serves several
/// invocations at once where Lambda asks for that (`AWS_LAMBDA_MAX_CONCURRENCY`).
///
/// Off Lambda (`AWS_LAMBDA_RUNTIME_API` is unset), with the feature `local`, it serves the same
/// handler over plain HTTP on 127.0.0.1:3000, or on the address in `REUSE_DB_LOCAL_ADDR`, until
/// Ctrl-C; then it closes every kept connection and returns.
///
/// # Errors
///
/// Those of `lambda_http::run`; off Lambda without the feature `local`, an
/// [`Error::OffLambda`](crate::Error::OffLambda) that says what to do; with it, an address that
/// cannot be listened on.
pub async fn run<S, R, E>(service: S) -> Result<(), lambda_http::Error>
where
    S: Service<Request, Response = R, Error = E> + Clone + Send + 'static,
    S::Future: Send + 'static,
    R: IntoResponse + Send + 'static,
    E: Debug + Into<Diagnostic> + Send + 'static,
{
    // lambda_http asks a response to be `Sync`, which axum's is not, and turns it into this one in
    // any case.
    let service = service.and_then(|response: R| async move { Ok(response.into_response().await) });
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() {
        expect_lambda()?;
        let runtime = lambda_http::runtime_concurrent(service);
        return runtime
            .layer(TracingLayer::new())
            .layer(AfterResponse::new())
            .run_concurrent()
            .await;
    }
    #[cfg(feature = "local")]
    return crate::local::serve(service).await;
    #[cfg(not(feature = "local"))]
    Err(crate::Error::OffLambda {
        advice: "this is not AWS Lambda (`AWS_LAMBDA_RUNTIME_API` is not set): run the function with `cargo lambda watch`, \
                 or enable the feature `local` of `reuse-db` to serve it on 127.0.0.1:3000",
    }
    .into())
}

/// lambda_runtime panics where one of these is missing.
fn expect_lambda() -> Result<(), lambda_http::Error> {
    let names = [
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
    ];
    match names.into_iter().find(|name| std::env::var_os(name).is_none()) {
        Some(name) => Err(format!("`AWS_LAMBDA_RUNTIME_API` is set, but `{name}` is not: set both, as Lambda does, or none").into()),
        None => Ok(()),
    }
}

#[cfg(all(test, not(feature = "local")))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn off_lambda_without_the_feature_local_it_says_what_to_do() {
        let handler = |_: Request| async { Ok::<_, lambda_http::Error>("hello") };
        let error = run(lambda_http::service_fn(handler))
            .await
            .expect_err("this is not Lambda")
            .to_string();
        assert!(
            error.contains("`cargo lambda watch`") && error.contains("the feature `local`"),
            "{error}"
        );
    }
}
