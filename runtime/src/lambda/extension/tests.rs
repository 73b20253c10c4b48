use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{PAUSE, next, registration, wait_for_events};
use crate::error::BoxError;
use crate::local_http::Server;

type Answer = (&'static str, &'static str);

const REFUSED: Answer = ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n", "");
const REGISTERED: &str =
    "HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: 7\r\nContent-Length: 2\r\n";

/// Reads a request and sends an answer. Returns the request's head.
async fn answer(stream: &mut TcpStream, head: &str, body: &str) -> io::Result<String> {
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        request.push(stream.read_u8().await?.into());
    }
    let length = request
        .split("content-length: ")
        .nth(1)
        .map(|rest| rest.split("\r\n").next());
    let length = length.flatten().map_or(0, |length| length.parse().unwrap());
    stream.read_exact(&mut vec![0; length]).await?;
    stream
        .write_all(format!("{head}\r\n{body}").as_bytes())
        .await?;
    Ok(request)
}

/// Serves one connection: an answer to each request, then the connection's end.
async fn lambda(answers: &'static [Answer]) -> (String, impl Future<Output = Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut requests = Vec::new();
        for (head, body) in answers {
            requests.push(answer(&mut stream, head, body).await.unwrap());
        }
        requests
    });
    (address, async { served.await.unwrap() })
}

async fn registered(base: &str) -> Result<(Server, String), BoxError> {
    registration(base.parse()?).await
}

#[tokio::test]
async fn registering_takes_one_connection_for_both_calls() {
    let (address, requests) = lambda(&[(REGISTERED, "{}"), REFUSED]).await;
    let (api, identifier) = registered(&address).await.unwrap();
    assert_eq!(identifier, "7");
    let error = next(api, &identifier).await;
    assert_eq!(error.to_string(), "Lambda answered 403 Forbidden");
    let requests = requests.await;
    let host = format!("host: {address}\r\n");
    assert!(requests[0].starts_with("POST /2020-01-01/extension/register HTTP/1.1\r\n"));
    assert!(requests[0].contains("lambda-extension-name: reuse-db\r\n"));
    assert!(requests[1].starts_with("GET /2020-01-01/extension/event/next HTTP/1.1\r\n"));
    assert!(requests[1].contains("lambda-extension-identifier: 7\r\n"));
    assert!(
        requests.iter().all(|request| request.contains(&host)),
        "{requests:?}"
    );
}

#[tokio::test]
async fn an_address_may_have_a_scheme_and_a_path() {
    let (address, requests) = lambda(&[(REGISTERED, "{}")]).await;
    registered(&format!("http://{address}/shop/"))
        .await
        .unwrap();
    assert!(requests.await[0].starts_with("POST /shop/2020-01-01/extension/register "));
}

#[tokio::test]
async fn an_answer_at_the_end_of_the_connection_counts() {
    const LAST: &str = "HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: 7\r\nConnection: close\r\n";
    let (address, requests) = lambda(&[(LAST, "{}")]).await;
    let (api, identifier) = registered(&address).await.unwrap();
    requests.await;
    // The next call ends instead of waiting for a connection that is gone.
    next(api, &identifier).await;
}

#[tokio::test]
async fn a_refusal_names_lambdas_status() {
    let (address, requests) = lambda(&[REFUSED]).await;
    let error = registered(&address).await.err().unwrap();
    assert_eq!(error.to_string(), "Lambda answered 403 Forbidden");
    requests.await;
}

#[tokio::test]
async fn a_connection_that_ends_before_the_answer_is_an_error() {
    let (address, requests) = lambda(&[]).await;
    assert!(registered(&address).await.is_err());
    requests.await;
}

#[tokio::test]
async fn an_answer_without_the_end_of_its_body_counts() {
    let (address, requests) = lambda(&[(REGISTERED, "")]).await;
    let (_, identifier) = registered(&address).await.unwrap();
    assert_eq!(identifier, "7");
    requests.await;
}

/// Lambda waits for the extension's question before it sends the first event.
#[tokio::test]
async fn the_next_event_is_asked_for_at_once_over_another_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let served = async {
        let (mut first, _) = listener.accept().await.unwrap();
        answer(&mut first, REGISTERED, "{}").await.unwrap();
        drop(first);
        let begun = tokio::time::Instant::now();
        let (mut second, _) = listener.accept().await.unwrap();
        answer(&mut second, REFUSED.0, REFUSED.1).await.unwrap();
        begun.elapsed()
    };
    let extension = async {
        let (api, identifier) = registered(&address).await.unwrap();
        wait_for_events(api, &identifier).await;
    };
    let took = tokio::select! {
        took = served => took,
        () = extension => unreachable!(),
    };
    assert!(took < PAUSE / 2, "{took:?}");
}
