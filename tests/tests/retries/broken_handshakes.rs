//! What a server, or what is taken for one, does in the middle of connecting.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::net::Ipv4Addr;
use std::time::Duration;

use lambda_bench::servers::{Mariadb, Postgres};
use lambda_bench::wait::{until, within};
use reuse_db::{Connect, Error, ErrorKind, Exclusive, Source};
use sqlx::{MySqlConnection, PgConnection, SqliteConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// It is ended in the middle of what `on_connect` asks for, by an administrator.
async fn ended_while_it_is_set_up<C: Connect>(
    url: String,
    nap: &'static str,
    end: impl AsyncFn() -> bool,
) -> Error {
    let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE").or(url.leak());
    let source = source.on_connect(nap);
    let end = until("the nap, and its end", &end);
    let (result, ()) = within("an answer", async {
        tokio::join!(C::connect(&source), end)
    })
    .await;
    result.err().expect("it is ended")
}

#[tokio::test]
async fn a_session_that_is_ended_while_it_is_set_up() {
    let server = Postgres::start().await;
    let end = async || {
        let sessions = server.sessions().await;
        let naps = sessions.iter().any(|it| it.query.contains("pg_sleep"));
        naps && server.end_sessions().await > 0
    };
    let nap = "select pg_sleep(60)";
    let error = ended_while_it_is_set_up::<PgConnection>(server.url(), nap, end).await;
    assert_eq!(error.kind(), Some(ErrorKind::Unavailable), "{error}");
    assert!(error.to_string().contains("terminating"), "{error}");

    let server = Mariadb::start().await;
    let end = async || {
        let sessions = server.sessions().await;
        let naps = sessions.iter().any(|it| it.query.contains("sleep"));
        naps && server.end_sessions().await > 0
    };
    let nap = "do sleep(60)";
    let error = ended_while_it_is_set_up::<MySqlConnection>(server.url(), nap, end).await;
    assert_eq!(error.kind(), Some(ErrorKind::Unavailable), "{error}");
}

/// A port where everybody is answered with `answer`, once something was read if `reads`, and then left.
async fn who_answers(answer: &'static [u8], reads: bool) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port");
    let port = listener.local_addr().expect("an address").port();
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

/// A proxy without a server; a server that crashes: over TLS sqlx does not call that an end.
#[tokio::test]
async fn who_hangs_up_when_asked_for_tls() {
    for mode in ["prefer", "require"] {
        let port = who_answers(b"", true).await;
        let url = format!("postgres://app:s3cret@127.0.0.1:{port}/app?sslmode={mode}");
        let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE").or(url.leak());
        let result = within("an answer", PgConnection::connect(&source)).await;
        let error = result.expect_err("nobody serves");
        assert_eq!(error.kind(), Some(ErrorKind::Unavailable), "{error}");
    }
}

/// Whatever is sent, it is an error: sqlx panics over some of it.
#[tokio::test]
async fn who_talks_nonsense() {
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
        let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE")
            .or(url.leak())
            .connect_timeout(Duration::from_millis(300));
        let db: &Exclusive<C> = Box::leak(Box::new(Exclusive::new(source)));
        let lease = within("an answer", db.lease()).await;
        let error = lease.map(drop).expect_err("nobody serves");
        assert!(
            !error.to_string().contains("s3cret"),
            "{nonsense:?}: {error}"
        );
        assert_eq!(db.stats().unavailable, 1, "{nonsense:?}");
    }
    for nonsense in NONSENSE {
        let port = who_answers(nonsense, false).await;
        is_an_error::<MySqlConnection>("mysql", port, nonsense).await;
        let port = who_answers(nonsense, true).await;
        is_an_error::<PgConnection>("postgres", port, nonsense).await;
    }
}

#[tokio::test]
async fn a_sqlite_that_is_busy() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("db").display());
    let mut other = <SqliteConnection as sqlx::Connection>::connect(&url)
        .await
        .expect("a database");
    let lock = "begin exclusive";
    sqlx::raw_sql(lock)
        .execute(&mut other)
        .await
        .expect("it is free");
    let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE")
        .or(url.leak())
        .on_connect("pragma busy_timeout = 0; create table notes (text)");
    let result = within("an answer", <SqliteConnection as Connect>::connect(&source)).await;
    let error = result.expect_err("it is locked");
    assert_eq!(error.kind(), Some(ErrorKind::Unavailable), "{error}");
    assert!(error.to_string().contains("locked"), "{error}");
}
