//! Sign-in and TLS of the clients over tokio-postgres.

use std::time::Duration;

use lambda_bench::lambda::Event;
use lambda_bench::servers::{PASSWORD, Postgres};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{CLIENTS, sandbox};

const IS_ENCRYPTED: &str = "query select ssl from pg_stat_ssl where pid = pg_backend_pid()";

/// Returns the answer of a function at a URL, or the text of its error.
async fn answer_at(url: &str, path: &str) -> String {
    let sandbox = sandbox(url).await;
    let answer = sandbox.invoke(Event::post(path, IS_ENCRYPTED)).await;
    let text = match &answer.outcome {
        lambda_bench::lambda::Outcome::Http(http) if http.status == 200 => answer.text().to_owned(),
        _ => format!("{answer:?}"),
    };
    assert!(!text.contains(PASSWORD), "{text}");
    text
}

#[tokio::test]
async fn a_verified_server_is_encrypted_and_others_are_refused() {
    let postgres = Postgres::builder().tls().start().await;
    let other = Postgres::builder().tls().start().await;
    let (url, own) = (postgres.url(), postgres.authority());
    let (own, other) = (own.display(), other.authority());
    let other = other.display();
    let by_name = url.replace("127.0.0.1", "localhost");
    for (url, wanted) in [
        (format!("{url}?sslmode=require&sslrootcert={own}"), "t"),
        (format!("{url}?sslmode=verify-full&sslrootcert={own}"), "t"),
        (
            format!("{url}?sslmode=require&sslrootcert={own}&channel_binding=require"),
            "t",
        ),
        (format!("{url}?sslmode=disable"), "f"),
        (
            format!("{url}?sslmode=require&sslrootcert={other}"),
            "invalid peer certificate",
        ),
        (format!("{url}?sslmode=require"), "UnknownIssuer"),
        (
            format!("{by_name}?sslmode=verify-full&sslrootcert={own}"),
            "not valid for name",
        ),
        (
            format!("{url}?sslmode=require&sslrootcert=/no/such"),
            "`sslrootcert` names the file `/no/such`, which is unusable",
        ),
        (
            format!("{url}?sslmode=require&sslrootcert=/dev/zero"),
            "`sslrootcert` names `/dev/zero`, which is no file",
        ),
        (
            format!("{url}?sslmode=disable&channel_binding=require"),
            "channel binding",
        ),
    ] {
        let found = answer_at(&url, "/client").await;
        assert!(
            found == wanted || wanted.len() > 1 && found.contains(wanted),
            "{url}: {found}"
        );
    }
    let diesel = format!("{url}?sslmode=require&sslrootcert={own}");
    assert!(answer_at(&diesel, "/diesel").await.starts_with('t'));
}

#[tokio::test]
async fn no_password_leaves_without_tls_that_is_required() {
    let server = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = server.local_addr().expect("an address").port();
    let seen = tokio::spawn(async move {
        let mut seen = Vec::new();
        // The retries of one invocation.
        while let Ok(Ok((mut client, _))) =
            tokio::time::timeout(Duration::from_secs(2), server.accept()).await
        {
            let mut request = [0; 8];
            client.read_exact(&mut request).await.expect("a request");
            client.write_all(b"N").await.expect("an answer");
            client.read_to_end(&mut seen).await.expect("an end");
        }
        seen
    });
    let url = format!("postgres://app:{PASSWORD}@127.0.0.1:{port}/app?sslmode=require");
    let text = answer_at(&url, "/client").await;
    assert!(text.contains("does not support TLS"), "{text}");
    assert_eq!(seen.await.expect("a server"), b"");
}

#[tokio::test]
async fn errors_of_connecting_name_their_cause() {
    let postgres = Postgres::start().await;
    let url = postgres.url();
    for path in CLIENTS {
        for (url, wanted) in [
            (url.replace("/app:s3cret@", "/app:wrong@"), "28P01"),
            (format!("{}_none", url), "3D000"),
            (
                format!("{url}?pgbouncer=true"),
                "unknown option `pgbouncer`",
            ),
            (format!("{url}?options=-c%20nothing%3D1"), "42704"),
        ] {
            let text = answer_at(&url, path).await;
            assert!(text.contains(wanted), "{path} {url}: {text}");
        }
    }
}
