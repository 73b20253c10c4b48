//! Failures in the middle of connecting, by a server or by a port that is no server.

use std::time::Duration;

use lambda_bench::servers::{Mysql, Postgres};
use lambda_bench::wait::{until, within};
use reuse_db::{Connect, Error, ErrorKind};
use reuse_db_tests::statics::{exclusive, source};
use sqlx::{MySqlConnection, PgConnection, SqliteConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::listener;

/// Returns the error of a connection whose session is ended while it runs `on_connect`.
async fn ended_in_on_connect<C: Connect>(
    url: String,
    on_connect: &'static str,
    end: impl AsyncFn() -> bool,
) -> Error {
    let source = source(url).on_connect(on_connect);
    let end = until("the end of the session", &end);
    let (result, ()) = within("an answer", async {
        tokio::join!(C::connect(&source), end)
    })
    .await;
    result.err().expect("the session has ended")
}

#[tokio::test]
async fn a_session_that_ends_during_on_connect_is_unavailable() {
    let server = Postgres::start().await;
    let end = async || {
        let sessions = server.sessions().await;
        let naps = sessions
            .iter()
            .any(|session| session.query.contains("pg_sleep"));
        naps && server.end_sessions().await > 0
    };
    let nap = "select pg_sleep(60)";
    let error = ended_in_on_connect::<PgConnection>(server.url(), nap, end).await;
    assert_eq!(error.kind(), Some(ErrorKind::Unavailable), "{error}");
    assert!(error.to_string().contains("terminating"), "{error}");

    let server = Mysql::start().await;
    let end = async || {
        let sessions = server.sessions().await;
        let naps = sessions
            .iter()
            .any(|session| session.query.contains("sleep"));
        naps && server.end_sessions().await > 0
    };
    let nap = "do sleep(60)";
    let error = ended_in_on_connect::<MySqlConnection>(server.url(), nap, end).await;
    assert_eq!(error.kind(), Some(ErrorKind::Unavailable), "{error}");
}

/// Returns a port that sends `answer` to each client and hangs up. With `reads` the client speaks
/// first.
async fn port_that_answers(answer: &'static [u8], reads: bool) -> u16 {
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                if reads {
                    let _some = client.read(&mut [0; 1024]).await?;
                }
                client.write_all(answer).await
            });
        }
    });
    port
}

/// A proxy without a server does this, and a server that crashes. sqlx reports no end of the
/// connection here.
#[tokio::test]
async fn a_server_that_hangs_up_on_a_request_for_tls_is_unavailable() {
    for mode in ["prefer", "require"] {
        let port = port_that_answers(b"", true).await;
        let url = format!("postgres://app:s3cret@127.0.0.1:{port}/app?sslmode={mode}");
        let result = within("an answer", PgConnection::connect(&source(url))).await;
        let error = result.expect_err("no server");
        assert_eq!(error.kind(), Some(ErrorKind::Unavailable), "{error}");
    }
}

/// sqlx panics on some of these bytes.
#[tokio::test]
async fn nonsense_from_a_server_is_an_error_and_no_panic() {
    const NONSENSE: [&[u8]; 6] = [
        b"\x02\0\0\08\0",
        b"\x01\0\0\0\xff",
        b"\x05\0\0\0\x0a5.5\0",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"N",
        b"R\0\0\0\x04",
    ];
    async fn is_an_error<C: Connect>(scheme: &str, port: u16, nonsense: &[u8]) {
        let url = format!("{scheme}://app:s3cret@127.0.0.1:{port}/app");
        let source = source(url).connect_timeout(Duration::from_millis(300));
        let db = exclusive::<C>(source);
        let lease = within("an answer", db.lease()).await;
        let error = lease.map(drop).expect_err("no server");
        assert!(
            !error.to_string().contains("s3cret"),
            "{nonsense:?}: {error}"
        );
        assert_eq!(db.stats().unavailable, 1, "{nonsense:?}");
    }
    for nonsense in NONSENSE {
        let port = port_that_answers(nonsense, false).await;
        is_an_error::<MySqlConnection>("mysql", port, nonsense).await;
        let port = port_that_answers(nonsense, true).await;
        is_an_error::<PgConnection>("postgres", port, nonsense).await;
    }
}

#[tokio::test]
async fn a_locked_sqlite_file_is_unavailable() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("db").display());
    let mut other = <SqliteConnection as sqlx::Connection>::connect(&url)
        .await
        .expect("a database");
    let lock = "begin exclusive";
    sqlx::raw_sql(lock)
        .execute(&mut other)
        .await
        .expect("a free database");
    let source = source(url).on_connect("pragma busy_timeout = 0; create table notes (text)");
    let result = within("an answer", <SqliteConnection as Connect>::connect(&source)).await;
    let error = result.expect_err("a locked database");
    assert_eq!(error.kind(), Some(ErrorKind::Unavailable), "{error}");
    assert!(error.to_string().contains("locked"), "{error}");
}
