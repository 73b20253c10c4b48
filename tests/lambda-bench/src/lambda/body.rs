//! Parses the responses that a function posts: whole or streamed, HTTP or JSON.

use std::time::Duration;

use axum::body::Body;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::answer::{FunctionError, Http, Outcome};

/// The separator between the prelude of a streamed response and its body.
const DELIMITER: [u8; 8] = [0; 8];
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
const ERROR_BODY: &str = "lambda-runtime-function-error-body";

/// Parses a response posted in one piece. Returns `None` if the connection broke.
pub(super) async fn whole(body: Body) -> Option<Outcome> {
    let bytes = body.collect().await.ok()?.to_bytes();
    Some(
        serde_json::from_slice(&bytes)
            .ok()
            .and_then(gateway)
            .unwrap_or_else(|| {
                let message = String::from_utf8_lossy(&bytes).into_owned();
                Outcome::Failed(FunctionError {
                    error_type: "Runtime.InvalidResponse".into(),
                    message,
                })
            }),
    )
}

/// Converts a payload as API Gateway does. A payload with a `statusCode` is an HTTP response.
fn gateway(payload: Value) -> Option<Outcome> {
    if payload["statusCode"].is_null() {
        return Some(Outcome::Payload(payload));
    }
    let text = payload["body"].as_str().unwrap_or_default();
    let body = match payload["isBase64Encoded"].as_bool() {
        Some(true) => BASE64_STANDARD.decode(text).ok()?,
        _ => text.into(),
    };
    http(&payload, body).map(Outcome::Http)
}

/// Parses a response posted piece by piece: a prelude in JSON, eight NUL bytes, the body.
///
/// `since` is the time of the invocation. The client leaves after `leaves_after` bytes of the body.
/// Returns `None` if the stream ended before the body, or if it is malformed.
pub(super) async fn streamed(
    mut body: Body,
    since: Instant,
    leaves_after: Option<usize>,
) -> Option<Outcome> {
    let mut posted = Vec::new();
    let mut split = None;
    let mut first_byte: Option<Duration> = None;
    let mut error = None;
    // The first position at which a delimiter that has not been found yet can begin.
    let mut searched = 0;
    while let Some(frame) = body.frame().await {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => posted.extend_from_slice(&data),
            Ok(Err(frame)) => error = frame.trailers_ref().and_then(trailer),
            Err(broken) => {
                error = Some(FunctionError {
                    error_type: "Broken".into(),
                    message: broken.to_string(),
                });
                break;
            }
        }
        split = split.or_else(|| {
            let found = posted[searched..]
                .windows(DELIMITER.len())
                .position(|bytes| bytes == DELIMITER);
            let at = found.map(|at| searched + at);
            searched = posted.len().saturating_sub(DELIMITER.len() - 1);
            at
        });
        let received = split.map_or(0, |at| posted.len() - at - DELIMITER.len());
        if received > 0 {
            first_byte.get_or_insert_with(|| since.elapsed());
        }
        if leaves_after.is_some_and(|bytes| received >= bytes) {
            // Unread bytes reset the function's connection, perhaps before it has the answer.
            let rest = async move { while let Some(Ok(_)) = body.frame().await {} };
            tokio::spawn(timeout(Duration::from_millis(200), rest));
            break;
        }
    }
    let split = split?;
    let prelude = serde_json::from_slice(&posted[..split]).ok()?;
    let mut body = posted.split_off(split + DELIMITER.len());
    let error = error.or_else(|| cut_error(&mut body));
    let http = http(&prelude, body)?;
    Some(Outcome::Http(Http {
        first_byte,
        stream_error: error,
        ..http
    }))
}

fn http(head: &Value, body: Vec<u8>) -> Option<Http> {
    let mut headers = HeaderMap::new();
    let mut add = |name: &str, value: &Value| {
        let name = HeaderName::try_from(name).ok()?;
        headers.append(name, HeaderValue::try_from(value.as_str()?).ok()?);
        Some(())
    };
    for (name, values) in head["multiValueHeaders"].as_object().into_iter().flatten() {
        values
            .as_array()?
            .iter()
            .try_for_each(|value| add(name, value))?;
    }
    for (name, value) in head["headers"].as_object().into_iter().flatten() {
        if head["multiValueHeaders"].get(name).is_none() {
            add(name, value)?;
        }
    }
    for cookie in head["cookies"].as_array().into_iter().flatten() {
        add("set-cookie", cookie)?;
    }
    let status = u16::try_from(head["statusCode"].as_u64()?).ok()?;
    Some(Http {
        status,
        headers,
        body,
        first_byte: None,
        stream_error: None,
    })
}

fn trailer(trailers: &HeaderMap) -> Option<FunctionError> {
    let text = |name| trailers.get(name).and_then(|value| value.to_str().ok());
    Some(stream_error(
        text(ERROR_TYPE)?,
        text(ERROR_BODY).unwrap_or_default(),
    ))
}

/// Removes and returns the error at the end of the body.
///
/// Rust's runtime writes this error as the last piece of the body, in the form of a trailer.
fn cut_error(body: &mut Vec<u8>) -> Option<FunctionError> {
    let text = str::from_utf8(body).ok()?;
    let at = text.to_lowercase().rfind(ERROR_TYPE)?;
    let mut lines = text[at..]
        .split("\r\n")
        .filter_map(|line| line.split_once(": "));
    let error = stream_error(lines.next()?.1, lines.next()?.1);
    body.truncate(at);
    Some(error)
}

fn stream_error(error_type: &str, base64: &str) -> FunctionError {
    let message = BASE64_STANDARD
        .decode(base64)
        .unwrap_or_else(|_| base64.into());
    FunctionError {
        error_type: error_type.into(),
        message: String::from_utf8_lossy(&message).into_owned(),
    }
}
