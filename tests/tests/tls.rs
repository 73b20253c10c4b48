//! Databases over TLS: certificates, and handshakes that the network breaks.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use lambda_bench::proxy::Proxy;
use lambda_bench::servers::{Mysql, Postgres};
use lambda_bench::wait::{until, within};
use reuse_db::{Connect, ErrorKind, FromConnection, Lease, Outcome};
use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{Function, a_long_freeze};
use reuse_db_tests::on_each;
use reuse_db_tests::statics::{exclusive, source};
use sqlx::{MySqlConnection, MySqlPool, PgConnection, PgPool};

/// A server with a known first message in a handshake.
trait Greets {
    /// The answer to a request for TLS, or a part of the greeting.
    const FIRST: &[u8];
}

impl Greets for Postgres {
    const FIRST: &[u8] = b"S";
}

impl Greets for Mysql {
    const FIRST: &[u8] = b"mysql_native_password";
}

on_each! {
    { on_postgres Postgres "tls", on_mysql Mysql "tls" }

    async fn a_warm_invocation_adds_nothing_to_the_wire(server: &impl Server) {
        let function = Function::start(server).await;
        // The first three successes are inspected.
        for n in 0..3 {
            function.add(n).await;
        }
        for n in 3..20 {
            let (reply, round_trips) = function.add_counting(n).await;
            assert_eq!(reply.stat("opened"), 1);
            // Two statements. A slow machine adds a health check.
            assert!(round_trips <= 3 && reply.stat("checked") + 2 >= round_trips, "{round_trips}");
        }
        a_long_freeze().await;
        let (reply, round_trips) = function.add_counting(20).await;
        assert_eq!((reply.stat("opened"), round_trips), (1, 3), "two statements and a check");
    }

    async fn background_work_ends_before_the_freeze(server: &impl Server) {
        let function = Function::start(server).await;
        for n in 0..3 {
            function.invoke(&format!("/note?n={n}")).await.ok();
            function.invoke("/end?how=fail").await;
        }
        assert_eq!(function.add(1).await.stat("discarded"), 0);
        let sessions = server.sessions().await;
        assert!(sessions.iter().all(|session| !session.in_transaction), "{sessions:?}");
    }
}

async fn is_rejected<C: Connect>(url: String, text: &str) {
    let result = within("an answer", C::connect(&source(url))).await;
    let error = result.err().expect("a rejection");
    assert_eq!(error.kind(), Some(ErrorKind::Rejected), "{error}");
    assert!(error.to_string().contains(text), "{error}");
}

#[tokio::test]
async fn the_certificate_of_a_postgres_is_verified_as_the_url_requires() {
    let (server, other) = tokio::join!(
        Postgres::builder().tls().start(),
        Postgres::builder().tls().start()
    );
    let url = |of: &Postgres, mode: &str| {
        let authority = of.authority();
        format!(
            "{}?sslmode={mode}&sslrootcert={}",
            server.url(),
            authority.display()
        )
    };
    for mode in ["require", "verify-ca", "verify-full"] {
        let connected = PgConnection::connect(&source(url(&server, mode))).await;
        connected.unwrap_or_else(|error| panic!("{mode}: {error}"));
    }
    for mode in ["verify-ca", "verify-full"] {
        is_rejected::<PgConnection>(url(&other, mode), "certificate").await;
        is_rejected::<PgPool>(url(&other, mode), "certificate").await;
    }
    let another_name = url(&server, "verify-full").replace("127.0.0.1", "localhost");
    is_rejected::<PgConnection>(another_name, "certificate").await;
    let no_file = format!("{}?sslmode=verify-ca&sslrootcert=/no/such", server.url());
    is_rejected::<PgConnection>(no_file.clone(), "`sslrootcert` names the file `/no/such`").await;
    is_rejected::<PgPool>(no_file, "`sslrootcert` names the file `/no/such`").await;
    let plain = Postgres::start().await;
    let required = format!("{}?sslmode=require", plain.url());
    is_rejected::<PgConnection>(required, "does not support TLS").await;
}

#[tokio::test]
async fn the_certificate_of_a_mysql_server_is_verified_as_the_url_requires() {
    let (server, other) = tokio::join!(
        Mysql::builder().tls().start(),
        Mysql::builder().tls().start()
    );
    let url = |of: &Mysql, mode: &str| {
        let authority = of.authority();
        format!(
            "{}?ssl-mode={mode}&ssl-ca={}",
            server.url(),
            authority.display()
        )
    };
    for mode in ["REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"] {
        let connected = MySqlConnection::connect(&source(url(&server, mode))).await;
        connected.unwrap_or_else(|error| panic!("{mode}: {error}"));
    }
    for mode in ["VERIFY_CA", "VERIFY_IDENTITY"] {
        is_rejected::<MySqlConnection>(url(&other, mode), "certificate").await;
        is_rejected::<MySqlPool>(url(&other, mode), "certificate").await;
    }
    let another_name = url(&server, "VERIFY_IDENTITY").replace("127.0.0.1", "localhost");
    is_rejected::<MySqlConnection>(another_name, "certificate").await;
    let no_file = format!("{}?ssl-mode=VERIFY_CA&ssl-ca=/no/such", server.url());
    is_rejected::<MySqlConnection>(no_file.clone(), "`ssl-ca` names the file `/no/such`").await;
    is_rejected::<MySqlPool>(no_file, "`ssl-ca` names the file `/no/such`").await;
    let plain = Mysql::start().await;
    let required = format!("{}?ssl-mode=REQUIRED", plain.url());
    is_rejected::<MySqlConnection>(required, "TLS").await;
}

/// The handshake of the first attempt stalls, and then `strike` hits its connection. The second
/// attempt of the lease succeeds.
async fn retries_a_broken_handshake<S: Server + Greets, H: FromConnection + 'static>(
    server: &S,
    strike: impl AsyncFn(&Proxy),
) {
    let proxy = Proxy::start(server.addr()).await;
    let source = source(server.url_at(proxy.port())).attempt_timeout(Duration::from_secs(1));
    let db = exclusive::<H>(source);
    proxy.stall_after(S::FIRST);
    let strike = async {
        until("the handshake", async || proxy.connections() > 0).await;
        strike(&proxy).await;
    };
    let (lease, ()) = tokio::join!(db.lease(), strike);
    let lease = lease.unwrap_or_else(|error| panic!("{error}"));
    Lease::settle(lease, Outcome::Success);
    assert!(db.stats().retried > 0);
}

#[tokio::test]
async fn a_broken_handshake_is_retried() {
    async fn on<S: Server + Greets, H: FromConnection + 'static>() {
        let server = S::start_for("tls").await;
        // Silence, a FIN, and a RST.
        retries_a_broken_handshake::<S, H>(&server, async |_| {}).await;
        retries_a_broken_handshake::<S, H>(&server, Proxy::close).await;
        retries_a_broken_handshake::<S, H>(&server, Proxy::reset).await;
    }
    on::<Postgres, PgConnection>().await;
    on::<Mysql, MySqlConnection>().await;
}
