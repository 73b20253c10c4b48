//! The Runtime API and the Extensions API, served to the function over HTTP.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::answer::{FunctionError, Outcome};
use super::body;
use super::control::Control;
use super::event::epoch_ms;

/// The ARN of every function.
const ARN: &str = "arn:aws:lambda:eu-central-1:123456789012:function:bench";
const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0";

pub(super) fn router(control: Arc<Control>) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route(
            "/2018-06-01/runtime/invocation/{id}/response",
            post(response),
        )
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .route("/2018-06-01/runtime/restore/next", get(restore))
        .route("/2018-06-01/runtime/restore/error", post(init_error))
        .route("/2020-01-01/extension/register", post(register))
        .route("/2020-01-01/extension/event/next", get(extension_next))
        .with_state(control)
}

async fn next(State(control): State<Arc<Control>>) -> Response {
    let Ok(delivery) = control.next_event().await else {
        return StatusCode::GONE.into_response();
    };
    let headers = [
        ("lambda-runtime-aws-request-id", delivery.id),
        (
            "lambda-runtime-deadline-ms",
            epoch_ms(delivery.deadline).to_string(),
        ),
        ("lambda-runtime-invoked-function-arn", ARN.into()),
        ("lambda-runtime-trace-id", TRACE.into()),
    ];
    let tenant = control.settings.tenant.clone();
    let tenant = tenant.map(|tenant| [("lambda-runtime-aws-tenant-id", tenant)]);
    let response = (headers, Json(delivery.payload)).into_response();
    match tenant {
        Some(tenant) => (tenant, response).into_response(),
        None => response,
    }
}

async fn response(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    posted: Body,
) -> Response {
    let Some((since, leaves_after)) = control.running(&id) else {
        return rejected("no such invocation");
    };
    let mode = headers.get("lambda-runtime-function-response-mode");
    let outcome = match mode.is_some_and(|mode| mode == "streaming") {
        true => body::streamed(posted, since, leaves_after).await,
        false => body::whole(posted).await,
    };
    match outcome {
        Some(outcome) => accepted(control.finish(&id, outcome)),
        None => rejected("not a response"),
    }
}

async fn error(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    posted: Bytes,
) -> Response {
    accepted(control.finish(&id, Outcome::Failed(function_error(&posted))))
}

async fn init_error(State(control): State<Arc<Control>>, posted: Bytes) -> Response {
    control.init_failed(function_error(&posted));
    accepted(true)
}

async fn restore(State(control): State<Arc<Control>>) -> StatusCode {
    match control.next_restore().await {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::GONE,
    }
}

async fn register(
    State(control): State<Arc<Control>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let Some(name) = headers
        .get("lambda-extension-name")
        .and_then(|name| name.to_str().ok())
    else {
        return rejected("the header `lambda-extension-name` is required");
    };
    if !control.settings.extensions {
        return rejected("extensions are disabled");
    }
    let events = body["events"].as_array().into_iter().flatten();
    let id = control.register(
        name,
        events.filter_map(Value::as_str).map(Into::into).collect(),
    );
    let function =
        json!({ "functionName": "bench", "functionVersion": "$LATEST", "handler": "bootstrap" });
    ([("lambda-extension-identifier", id)], Json(function)).into_response()
}

async fn extension_next(State(control): State<Arc<Control>>, headers: HeaderMap) -> Response {
    let id = headers
        .get("lambda-extension-identifier")
        .and_then(|id| id.to_str().ok());
    let Some(event) = id.and_then(|id| control.next_extension_event(id)) else {
        return rejected("no such extension");
    };
    match event.await {
        Ok(mut event) => {
            event["invokedFunctionArn"] = ARN.into();
            event["tracing"] = json!({ "type": "X-Amzn-Trace-Id", "value": TRACE });
            Json(event).into_response()
        }
        Err(_) => StatusCode::GONE.into_response(),
    }
}

/// Parses a posted body. The content type is ignored because Rust's runtime sends none.
fn json(posted: &[u8]) -> Value {
    serde_json::from_slice(posted).unwrap_or_default()
}

fn function_error(posted: &[u8]) -> FunctionError {
    let posted = json(posted);
    let text = |key: &str| posted[key].as_str().unwrap_or_default().to_owned();
    FunctionError {
        error_type: text("errorType"),
        message: text("errorMessage"),
    }
}

fn accepted(known: bool) -> Response {
    match known {
        true => (StatusCode::ACCEPTED, Json(json!({ "status": "OK" }))).into_response(),
        false => rejected("no such invocation"),
    }
}

fn rejected(message: &str) -> Response {
    let error = json!({ "errorType": "InvalidRequest", "errorMessage": message });
    (StatusCode::BAD_REQUEST, Json(error)).into_response()
}
