use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use url::form_urlencoded;

/// The event of an invocation: an HTTP request or any JSON.
///
/// HTTP requests have the form of an API Gateway HTTP API, payload format 2.0.
#[derive(Clone, Debug)]
pub struct Event {
    pub(super) name: String,
    pub(super) payload: Value,
    pub(super) leaves_after: Option<usize>,
}

impl Event {
    /// Creates a `GET` request for a path and, after a `?`, a query.
    pub fn get(path_and_query: &str) -> Self {
        Self::request("GET", path_and_query)
    }

    /// Creates a `POST` request with a body.
    pub fn post(path_and_query: &str, body: impl AsRef<[u8]>) -> Self {
        Self::request("POST", path_and_query).body(body)
    }

    /// Creates an HTTP request with any method.
    pub fn request(method: &str, path_and_query: &str) -> Self {
        let (path, query) = path_and_query
            .split_once('?')
            .unwrap_or((path_and_query, ""));
        let mut parameters = serde_json::Map::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            append(parameters.entry(name).or_insert(Value::Null), &value);
        }
        let payload = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query,
            "queryStringParameters": parameters,
            "headers": { "host": "bench.execute-api.eu-central-1.amazonaws.com" },
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "bench",
                "domainName": "bench.execute-api.eu-central-1.amazonaws.com",
                "domainPrefix": "bench",
                "http": {
                    "method": method,
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.1",
                    "userAgent": "bench",
                },
                "requestId": "bench",
                "routeKey": "$default",
                "stage": "$default",
                "time": "01/Jan/2026:00:00:00 +0000",
                "timeEpoch": epoch_ms(SystemTime::now()),
            },
            "isBase64Encoded": false,
        });
        Self {
            name: format!("{method} {path_and_query}"),
            payload,
            leaves_after: None,
        }
    }

    /// Creates an event that is not an HTTP request.
    pub fn json(payload: Value) -> Self {
        Self {
            name: payload.to_string(),
            payload,
            leaves_after: None,
        }
    }

    /// Sets the body of the request. A body that is not UTF-8 is sent as Base64.
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        let (text, is_base64) = match str::from_utf8(body.as_ref()) {
            Ok(text) => (text.to_owned(), false),
            Err(_) => (BASE64_STANDARD.encode(body), true),
        };
        self.payload["body"] = text.into();
        self.payload["isBase64Encoded"] = is_base64.into();
        self
    }

    /// Makes the client disconnect after `bytes` bytes of a streamed body.
    pub fn leaves_after(mut self, bytes: usize) -> Self {
        self.leaves_after = Some(bytes);
        self
    }

    /// Adds a header. A second value of a header is appended to the first, as API Gateway does.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        append(&mut self.payload["headers"][name.to_lowercase()], value);
        self
    }
}

fn append(list: &mut Value, value: &str) {
    *list = match list.as_str() {
        Some(values) => format!("{values},{value}").into(),
        None => value.into(),
    };
}

/// Converts a time to the format of the Runtime API: milliseconds since 1970.
pub(super) fn epoch_ms(time: SystemTime) -> u64 {
    let since = time
        .duration_since(UNIX_EPOCH)
        .expect("the clock is after 1970");
    u64::try_from(since.as_millis()).expect("milliseconds of this age fit")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_the_query_both_raw_and_decoded() {
        let event = Event::get("/path?x=1&x=2&y=a%20b");
        assert_eq!(event.payload["rawPath"], "/path");
        assert_eq!(event.payload["rawQueryString"], "x=1&x=2&y=a%20b");
        assert_eq!(
            event.payload["queryStringParameters"],
            json!({ "x": "1,2", "y": "a b" })
        );
    }
}
