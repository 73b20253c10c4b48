//! What a function posts as its response: whole or streamed, HTTP or not.

use std::time::Duration;

use axum::body::Body;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::time::Instant;

use super::answer::{FunctionError, Http, Outcome};

/// Ends the prelude of a streamed response.
const DELIMITER: [u8; 8] = [0; 8];
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
const ERROR_BODY: &str = "lambda-runtime-function-error-body";

/// A response posted in one piece. `None`: it broke off.
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

/// Takes a payload as API Gateway does: as an HTTP response if it is a proxy response.
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

/// A response posted piece by piece: a prelude in JSON, eight NUL bytes, the body. `since` is the
/// time of the invocation. What follows `leaves_after` bytes of the body is not read. `None`: it broke
/// off before the body, or is none.
pub(super) async fn streamed(
    mut body: Body,
    since: Instant,
    leaves_after: Option<usize>,
) -> Option<Outcome> {
    let mut posted = Vec::new();
    let mut split = None;
    let mut first_byte: Option<Duration> = None;
    let mut error = None;
    // As long as the delimiter has not been found, from where it may begin.
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
        let had = split.map_or(0, |at| posted.len() - at - DELIMITER.len());
        if had > 0 {
            first_byte.get_or_insert_with(|| since.elapsed());
        }
        if leaves_after.is_some_and(|bytes| had >= bytes) {
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

/// The error that Rust's runtime writes as the last piece of the body, in the form of a trailer.
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
