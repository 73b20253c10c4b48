//! Serving over plain HTTP outside Lambda, for development.

mod event;

use std::pin::pin;
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use lambda_http::http::StatusCode;
use lambda_http::lambda_runtime::Diagnostic;
use lambda_http::tower::ServiceExt as _;
use lambda_http::{Request, Response, Service};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::error::BoxError;

const ADDRESS: &str = "127.0.0.1:3000";
const ADDRESS_VARIABLE: &str = "REUSE_DB_LOCAL_ADDR";

/// The largest request that Lambda accepts (AWS Lambda quotas, "Invocation payload").
const LARGEST_REQUEST: usize = 6 * 1024 * 1024;

/// The limit of open requests after Ctrl-C.
const GRACE: Duration = Duration::from_millis(500);

/// The body of a response, whole or streamed.
pub(crate) trait Answer:
    Body<Data: Send, Error: Into<BoxError>> + From<String> + Send + 'static
{
}

impl<B> Answer for B where B: Body<Data: Send, Error: Into<BoxError>> + From<String> + Send + 'static
{}

/// Serves until Ctrl-C (on Unix also SIGTERM), then closes every kept connection.
pub(crate) async fn serve<S, B, E>(service: S) -> Result<(), lambda_http::Error>
where
    S: Service<Request, Response = Response<B>, Error = E> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Answer,
    E: Into<Diagnostic> + Send + 'static,
{
    let address = std::env::var(ADDRESS_VARIABLE).unwrap_or_else(|_| ADDRESS.to_owned());
    let listener = TcpListener::bind(&address).await.map_err(|error| {
        format!("cannot listen on {address}: {error}; set `{ADDRESS_VARIABLE}` to another address")
    })?;
    eprintln!(
        "listening on http://{}, stop with Ctrl-C",
        listener.local_addr()?
    );

    let connections = GracefulShutdown::new();
    let mut stopped = pin!(super::shutdown::terminated());
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    tokio::spawn(connections.watch(connection(stream, service.clone())));
                }
                // For example, no file descriptor is left: others will be closed.
                Err(error) => {
                    eprintln!("cannot accept a connection: {error}");
                    sleep(Duration::from_millis(50)).await;
                }
            },
            () = &mut stopped => break,
        }
    }
    drop(listener);
    // A request that is cut off drops its lease, and the connection with it.
    let _ = timeout(GRACE, connections.shutdown()).await;
    super::shutdown().await;
    Ok(())
}

/// Serves the requests of one client one after the other.
fn connection<S, B, E>(
    stream: TcpStream,
    service: S,
) -> http1::Connection<
    TokioIo<TcpStream>,
    impl hyper::service::HttpService<
        Incoming,
        ResBody = B,
        Error = std::convert::Infallible,
        Future: Send,
    >,
>
where
    S: Service<Request, Response = Response<B>, Error = E> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Answer,
    E: Into<Diagnostic> + Send + 'static,
{
    let answer = hyper::service::service_fn(move |request| {
        let service = service.clone();
        async move { Ok(answer(request, service).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), answer)
}

async fn answer<S, B, E>(request: hyper::Request<Incoming>, service: S) -> Response<B>
where
    S: Service<Request, Response = Response<B>, Error = E> + Send + 'static,
    S::Future: Send + 'static,
    B: Answer,
    E: Into<Diagnostic> + Send + 'static,
{
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, LARGEST_REQUEST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return plain(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()),
    };
    let request = match event::request(head, &body) {
        Ok(request) => request,
        Err(error) => return plain(StatusCode::BAD_REQUEST, error.to_string()),
    };
    // A task of its own, as on Lambda: a client that disconnects does not cancel the handler, and a
    // panic is an error.
    let cause = match tokio::spawn(service.oneshot(request)).await {
        Ok(Ok(response)) => return response,
        Ok(Err(error)) => error.into().error_message,
        Err(panic) => panic.to_string(),
    };
    eprintln!("the handler failed: {cause}");
    // API Gateway makes a 502 of a function error and hides the cause. A developer sees it.
    plain(StatusCode::BAD_GATEWAY, cause)
}

fn plain<B: From<String>>(status: StatusCode, text: String) -> Response<B> {
    let mut response = Response::new(B::from(text));
    *response.status_mut() = status;
    response
}
