//! An HTTP request as API Gateway would give it to the function.

use std::time::{Duration, SystemTime};

use lambda_http::http::header::{COOKIE, HOST, USER_AGENT};
use lambda_http::http::{HeaderMap, HeaderName, request::Parts, uri::Authority};
use lambda_http::{Body, Context, Error, Request, RequestExt as _};
use serde_json::{Map, Value, json};

/// The longest that a function may run.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// The request, by way of an event of an HTTP API (payload format 2.0), so that everything that
/// lambda_http's `RequestExt` finds on Lambda is there too.
pub(super) fn request(head: Parts, body: &[u8]) -> Result<Request, Error> {
    let host = text(&head.headers, &HOST).unwrap_or("localhost");
    host.parse::<Authority>()
        .map_err(|error| format!("the header `Host: {host}` is not valid: {error}"))?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let request_id = format!("local-{}", now.as_nanos());
    let event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": head.uri.path(),
        "rawQueryString": head.uri.query().unwrap_or_default(),
        "cookies": text(&head.headers, &COOKIE).map(|cookies| cookies.split("; ").collect::<Vec<_>>()),
        "headers": headers(&head.headers),
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": host,
            "domainPrefix": "local",
            "http": {
                "method": head.method.as_str(),
                "path": head.uri.path(),
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": text(&head.headers, &USER_AGENT).unwrap_or_default(),
            },
            "requestId": request_id,
            "routeKey": "$default",
            "stage": "$default",
            "timeEpoch": u64::try_from(now.as_millis())?,
        },
        "isBase64Encoded": false,
    });
    let mut request = lambda_http::request::from_str(&event.to_string())?;
    *request.body_mut() = match std::str::from_utf8(body) {
        Ok("") => Body::Empty,
        Ok(text) => Body::Text(text.to_owned()),
        Err(_) => Body::Binary(body.to_owned()),
    };
    let mut context = Context::default();
    context.request_id = request_id;
    context.deadline = u64::try_from((now + LONGEST).as_millis())?;
    Ok(request.with_lambda_context(context))
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// Headers of one name are joined by a comma; cookies go elsewhere.
fn headers(headers: &HeaderMap) -> Map<String, Value> {
    let names = headers.keys().filter(|name| *name != COOKIE);
    names
        .map(|name| {
            let values: Vec<_> = headers
                .get_all(name)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()))
                .collect();
            (name.to_string(), Value::String(values.join(",")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(request: lambda_http::http::Result<lambda_http::http::Request<()>>) -> Parts {
        request.expect("a request").into_parts().0
    }

    #[test]
    fn is_what_a_handler_gets_on_lambda() {
        let head = parts(
            lambda_http::http::Request::post("/visits/%C3%A9?page=2&page=3")
                .header("host", "localhost:3000")
                .header("accept", "a")
                .header("accept", "b")
                .header("cookie", "x=1; y=2")
                .body(()),
        );
        let request = request(head, b"hello").expect("an event");
        assert_eq!(request.method(), "POST");
        assert_eq!(request.raw_http_path(), "/visits/%C3%A9");
        assert_eq!(request.uri().query(), Some("page=2&page=3"));
        assert_eq!(
            request.query_string_parameters().all("page"),
            Some(vec!["2", "3"])
        );
        assert_eq!(request.headers()["accept"], "a,b");
        assert_eq!(request.headers()["cookie"], "x=1; y=2");
        assert_eq!(request.body(), &Body::Text("hello".into()));
        assert!(
            request
                .lambda_context_ref()
                .is_some_and(|context| context.request_id.starts_with("local-"))
        );
    }

    #[test]
    fn a_wrong_host_is_an_error() {
        let head = parts(
            lambda_http::http::Request::get("/")
                .header("host", "a b")
                .body(()),
        );
        assert!(request(head, b"").is_err());
    }

    #[test]
    fn bytes_stay_bytes() {
        let head = parts(lambda_http::http::Request::put("/").body(()));
        assert_eq!(
            request(head, &[0xff, 0]).expect("an event").body(),
            &Body::Binary(vec![0xff, 0])
        );
    }
}
