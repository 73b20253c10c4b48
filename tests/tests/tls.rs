//! Over TLS, as most are reached: certificates, and what the network does to a handshake.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod function;

use std::time::Duration;

use function::server::Server;
use function::{Function, LONG};
use lambda_bench::proxy::Proxy;
use lambda_bench::servers::{Mariadb, Postgres};
use lambda_bench::wait::{until, within};
use reuse_db::{Connect, Error, ErrorKind, Exclusive, FromConnection, Lease, Outcome, Source};
use sqlx::{MySqlConnection, MySqlPool, PgConnection, PgPool};

/// What the server sends first in a handshake: the answer to a request for TLS, or a greeting.
trait Greets {
    const FIRST: &[u8];
}

impl Greets for Postgres {
    const FIRST: &[u8] = b"S";
}

impl Greets for Mariadb {
    const FIRST: &[u8] = b"mysql_native_password";
}

on_each! {
    { on_postgres Postgres "tls", on_mariadb Mariadb "tls" }

    async fn a_warm_invocation_adds_nothing_to_the_wire(server: &impl Server) {
        let function = Function::start(server).await;
        function.add(1).await;
        for n in 2..20 {
            let (reply, round_trips) = function.add_counting(n).await;
            assert_eq!(reply.stat("opened"), 1);
            // Its own two; and a check, where this machine was slow.
            assert!(round_trips <= 3 && reply.stat("checked") + 2 >= round_trips, "{round_trips}");
        }
        tokio::time::sleep(LONG).await;
        let (reply, round_trips) = function.add_counting(20).await;
        assert_eq!((reply.stat("opened"), round_trips), (1, 3), "it was checked");
    }

    async fn what_is_frozen_while_it_owes_comes_to_rest(server: &impl Server) {
        let function = Function::start(server).await;
        for n in 0..3 {
            function.invoke(&format!("/note?n={n}")).await.ok();
            function.invoke("/fail").await;
        }
        assert_eq!(function.add(1).await.stat("discarded"), 0);
        assert!(server.sessions().await.iter().all(|session| !session.in_transaction));
    }
}

fn source(url: String) -> Source {
    Source::env("REUSE_DB_NO_SUCH_VARIABLE").or(url.leak())
}

async fn refusal<C: Connect>(url: String) -> Error {
    let result = within("an answer", C::connect(&source(url))).await;
    result.err().expect("it is refused")
}

async fn is_rejected<C: Connect>(url: String, words: &str) {
    let error = refusal::<C>(url).await;
    assert_eq!(error.kind(), Some(ErrorKind::Rejected), "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

#[tokio::test]
async fn a_postgres_is_who_its_certificate_says() {
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
    is_rejected::<PgConnection>(no_file, "a file that the URL names").await;
    let plain = Postgres::start().await;
    let required = format!("{}?sslmode=require", plain.url());
    is_rejected::<PgConnection>(required, "does not support TLS").await;
}

#[tokio::test]
async fn a_mariadb_is_who_its_certificate_says() {
    let (server, other) = tokio::join!(
        Mariadb::builder().tls().start(),
        Mariadb::builder().tls().start()
    );
    let url = |of: &Mariadb, mode: &str| {
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
    is_rejected::<MySqlConnection>(no_file, "a file that the URL names").await;
    let plain = Mariadb::start().await;
    let required = format!("{}?ssl-mode=REQUIRED", plain.url());
    is_rejected::<MySqlConnection>(required, "TLS").await;
}

/// The first try is struck in the middle of the handshake: the second succeeds, in the same lease.
async fn gets_over_a_broken_handshake<S: Server + Greets, H: FromConnection + 'static>(
    server: &S,
    strike: impl AsyncFn(&Proxy),
) {
    let proxy = Proxy::start(server.addr()).await;
    let source = source(server.url_at(proxy.port())).attempt_timeout(Duration::from_secs(1));
    let db: &Exclusive<H> = Box::leak(Box::new(Exclusive::new(source)));
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
async fn a_handshake_that_the_network_breaks_is_tried_again() {
    async fn on<S: Server + Greets, H: FromConnection + 'static>() {
        let server = S::start_for("tls").await;
        // Silence; an end; a RST.
        gets_over_a_broken_handshake::<S, H>(&server, async |_| {}).await;
        gets_over_a_broken_handshake::<S, H>(&server, Proxy::close).await;
        gets_over_a_broken_handshake::<S, H>(&server, Proxy::reset).await;
    }
    on::<Postgres, PgConnection>().await;
    on::<Mariadb, MySqlConnection>().await;
}
