//! The function of the emulator's own tests.
//!
//! Its routes do what a test requests. The variables `TEST_INIT`, `TEST_EXTENSION` and
//! `TEST_STREAMING` select its initialization, its extension and streamed responses.

#![expect(clippy::panic, reason = "one route panics")]

use std::convert::Infallible;
use std::env;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::Response;
use http_body::Frame;
use http_body_util::StreamBody;
use lambda_extension::{Extension, LambdaEvent, NextEvent};
use lambda_http::{
    Body, BoxFuture, Error, Request, RequestExt as _, SnapStartResource, service_fn, tower,
};
use serde_json::json;
use tokio::sync::{Barrier, mpsc};
use tokio::time::sleep;

/// The milliseconds of work that the last request left for after its response.
static AFTER: AtomicU64 = AtomicU64::new(0);
static VISITS: AtomicU64 = AtomicU64::new(0);
static TWO: std::sync::LazyLock<Barrier> = std::sync::LazyLock::new(|| Barrier::new(2));

#[tokio::main]
async fn main() -> Result<(), Error> {
    match env::var("TEST_INIT").as_deref() {
        Ok("exit") => exit(7),
        Ok("hang") => sleep(Duration::MAX).await,
        _ => {}
    }
    match env::var("TEST_EXTENSION").as_deref() {
        Ok("shutdown") => {
            lambda_runtime::spawn_graceful_shutdown_handler(|| async { println!("goodbye") }).await;
        }
        Ok(ms) => slow_extension(Duration::from_millis(ms.parse()?)).await?,
        Err(_) => {}
    }
    if env::var_os("TEST_STREAMING").is_some() {
        return lambda_http::run_with_streaming_response(service_fn(streamed)).await;
    }
    let after = tower::util::ThenLayer::new(|result| async {
        let work = AFTER.swap(0, Ordering::Relaxed);
        if work > 0 {
            sleep(Duration::from_millis(work)).await;
            println!("worked after the response");
        }
        result
    });
    if env::var_os("AWS_LAMBDA_MAX_CONCURRENCY").is_some() {
        let runtime = lambda_http::runtime_concurrent(service_fn(routes));
        return runtime.layer(after).run_concurrent().await;
    }
    let runtime = lambda_http::runtime(service_fn(routes));
    let runtime = runtime.register_snapstart_resource(Arc::new(Snapshot));
    runtime.layer(after).run().await
}

async fn routes(request: Request) -> Result<Response<Body>, Error> {
    let query = request.query_string_parameters();
    let wanted = |name| query.first(name).unwrap_or_default().to_owned();
    let ms = || wanted("ms").parse().unwrap_or_default();
    let body = match request.uri().path() {
        "/hello" => {
            json!({ "hello": wanted("name"), "visits": VISITS.fetch_add(1, Ordering::Relaxed) + 1 })
        }
        "/env" => json!(env::vars().collect::<std::collections::BTreeMap<_, _>>()),
        "/echo" => return echo(&request),
        "/after" => {
            AFTER.store(ms(), Ordering::Relaxed);
            json!("work is pending")
        }
        "/sleep" => {
            sleep(Duration::from_millis(ms())).await;
            json!("slept")
        }
        "/deadline" => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
            json!({ "deadline": request.lambda_context().deadline, "now": now.as_millis() as u64 })
        }
        "/meet" => json!({ "first": TWO.wait().await.is_leader() }),
        "/fail" => return Err("no luck".into()),
        "/panic" => panic!("help"),
        "/exit" => exit(3),
        "/abort" => std::process::abort(),
        _ => {
            return Ok(Response::builder()
                .status(404)
                .body("no such route".into())?);
        }
    };
    Ok(Response::new(body.to_string().into()))
}

fn echo(request: &Request) -> Result<Response<Body>, Error> {
    let header = request
        .headers()
        .get("x-sent")
        .cloned()
        .unwrap_or(http::HeaderValue::from_static(""));
    // lambda_http would send any other type as text.
    let response = Response::builder()
        .header("content-type", "application/octet-stream")
        .header("x-echo", header)
        .header("set-cookie", "a=1")
        .header("set-cookie", "b=2");
    Ok(response.body(request.body().clone())?)
}

type Chunks =
    StreamBody<tokio_stream::wrappers::ReceiverStream<Result<Frame<bytes::Bytes>, Error>>>;

/// Sends `first`, and `second` or an error 300 ms later.
async fn streamed(request: Request) -> Result<Response<Chunks>, Infallible> {
    let fails = request.uri().path() == "/fail";
    let (chunks, body) = mpsc::channel(1);
    tokio::spawn(async move {
        let _ = chunks.send(Ok(Frame::data("first ".into()))).await;
        sleep(Duration::from_millis(300)).await;
        let last = if fails {
            Err("torn".into())
        } else {
            Ok(Frame::data("second".into()))
        };
        let _ = chunks.send(last).await;
    });
    Ok(Response::new(StreamBody::new(body.into())))
}

/// Registers an extension that works for `work` in every invocation.
async fn slow_extension(work: Duration) -> Result<(), Error> {
    let service = lambda_extension::service_fn(move |event: LambdaEvent| async move {
        if let NextEvent::Invoke(_) = event.next {
            sleep(work).await;
            println!("the extension has worked");
        }
        Ok::<_, Error>(())
    });
    let extension = Extension::new()
        .with_events(&["INVOKE"])
        .with_events_processor(service)
        .register()
        .await?;
    tokio::spawn(extension.run());
    Ok(())
}

struct Snapshot;

impl SnapStartResource for Snapshot {
    fn before_snapshot(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async {
            println!("before the snapshot");
            if env::var("TEST_INIT").as_deref() == Ok("error") {
                Err("not today".into())
            } else {
                Ok(())
            }
        })
    }

    fn after_restore(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async {
            println!("after the restore");
            Ok(())
        })
    }
}
