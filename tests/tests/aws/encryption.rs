//! A connection over the network that is not encrypted is logged, once.

use lambda_bench::aws::{Authority, Gate};
use lambda_bench::servers::{Mysql, Postgres, Redis};
use reuse_db_tests::function::a_long_freeze;

use super::stage::{ALIAS, Place, invoke};

/// Returns the number of warnings about a client's connections at a URL. The second connection
/// replaces the first one, which has ended.
async fn warnings(path: &str, source: &str, url: &str, end: impl AsyncFn() -> usize) -> usize {
    let place = Place::new();
    let function = place.function(url).env("RUST_LOG", "reuse_db=warn");
    let sandbox = function.start().await;
    let mut session = 0;
    for _ in 0..2 {
        // The first successes are inspected.
        for _ in 0..4 {
            session = invoke(&sandbox, path, source).await.session;
        }
        assert!(end().await > 0);
        a_long_freeze().await;
    }
    assert_ne!(
        invoke(&sandbox, path, source).await.session,
        session,
        "{path}"
    );
    sandbox.output().matches("not encrypted").count()
}

fn by_alias(url: &str) -> String {
    url.replace("127.0.0.1", ALIAS)
}

#[tokio::test]
async fn a_plain_connection_to_postgres_is_logged_once() {
    let server = Postgres::start().await;
    let end = async || server.end_sessions().await;
    for path in ["/pg", "/pool", "/client"] {
        let found = warnings(path, "plain", &by_alias(&server.url()), end).await;
        assert_eq!(found, 1, "{path}");
        assert_eq!(
            warnings(path, "plain", &server.url(), end).await,
            0,
            "{path}: local"
        );
    }
}

#[tokio::test]
async fn a_plain_connection_to_mysql_is_logged_once() {
    let server = Mysql::start().await;
    let end = async || server.end_sessions().await;
    for path in ["/mysql", "/diesel"] {
        let found = warnings(path, "plain", &by_alias(&server.url()), end).await;
        assert_eq!(found, 1, "{path}");
        assert_eq!(
            warnings(path, "plain", &server.url(), end).await,
            0,
            "{path}: local"
        );
    }
}

#[tokio::test]
async fn a_plain_connection_to_redis_is_logged_once() {
    let server = Redis::start().await;
    let url = server.url_at(server.addr().port());
    let end = async || server.end_sessions().await;
    assert_eq!(warnings("/redis", "plain", &by_alias(&url), end).await, 1);
    assert_eq!(warnings("/redis", "plain", &url, end).await, 0, "local");
}

#[tokio::test]
async fn an_encrypted_connection_is_not_logged() {
    let server = Postgres::builder().tls().start().await;
    let end = async || server.end_sessions().await;
    // tokio-postgres and diesel-async verify in each mode. Their test is the next one.
    for path in ["/pg", "/pool"] {
        let url = by_alias(&format!("{}?sslmode=require", server.url()));
        assert_eq!(warnings(path, "plain", &url, end).await, 0, "{path}");
    }
    let server = Mysql::builder().tls().start().await;
    let end = async || server.end_sessions().await;
    let url = by_alias(&format!("{}?ssl-mode=REQUIRED", server.url()));
    assert_eq!(warnings("/mysql", "plain", &url, end).await, 0);
}

/// RDS Proxy, or a pooler, may end TLS, and connect to the server without.
#[tokio::test]
async fn a_connection_over_tls_to_a_pooler_is_not_logged() {
    let authority = Authority::new();
    let file = authority.file();
    let server = Gate::postgres().await;
    let gate = Gate::before_postgres(&server, authority.issue(&[ALIAS])).await;
    let (port, file) = (gate.port(), file.display());
    let url = format!("postgres://app@{ALIAS}:{port}/app?sslrootcert={file}");
    let end = async || server.end_sessions().await;
    for path in ["/pg", "/pool", "/client"] {
        assert_eq!(warnings(path, "verified", &url, end).await, 0, "{path}");
    }
    let server = Mysql::start().await;
    let gate = Gate::before_mysql(&server, authority.issue(&[ALIAS])).await;
    let port = gate.port();
    let url = format!("mysql://app@{ALIAS}:{port}/app?ssl-ca={file}");
    let end = async || server.end_sessions().await;
    for path in ["/mysql", "/diesel"] {
        assert_eq!(warnings(path, "verified", &url, end).await, 0, "{path}");
    }
}
