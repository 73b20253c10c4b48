//! Known failures of other crates and modules, and the promise of reuse-db for each.
//!
//! The failures were found in the sources of serverless-mysql 2.1, serverless-postgres 2.1, middy's
//! rds middlewares and sqlx. Most of them were seen on MariaDB 10.11 and PostgreSQL 15. The last
//! column names the test file that holds the promise.
//!
//! | peer | its failure | promise of reuse-db | tests |
//! |---|---|---|---|
//! | serverless-mysql, serverless-postgres | A connection is lost between two statements of a transaction. The second statement is repeated alone on a new connection, and the caller sees a success. | A statement that may have run is never sent again. | here |
//! | serverless-mysql, serverless-postgres | Counting and ending sessions runs before the response: 1.6 to 2 statements more per invocation. | A statement costs one round trip, and the response waits for nothing else. | `warm_round_trips`, `after_response` |
//! | serverless-mysql, serverless-postgres, middy | The first query of the user finds a dead connection, and fails. A dead connection of middy stays until the sandbox ends. | A doubtful connection is checked, and replaced in the same invocation. | `dead_connections` |
//! | serverless-mysql | At 17 of 20 connections it ends all 16 idle sessions at once, sessions of other users among them. | A sandbox closes only its own connections. | `load_shedding` |
//! | serverless-postgres | It ends sessions that were idle for 500 ms, sessions of busy siblings among them. | The server ends a session after 300 s of idle time, and nobody else does. | `sharing` |
//! | serverless-postgres | It recognizes a full server by the text of the error, and misses a full role. | A full role and a full server are recognized by their code, and waited for. | here, `retries` |
//! | serverless-mysql | Its counter of attempts is never reset, and the final error has no code. | Each lease has its own attempts, and its error names the last cause. | here, `retries` |
//! | serverless-mysql | It waits 0 to 2 ms between attempts, whatever the settings. | The backoff grows from 25 ms to 1 s, with full jitter. | `stress`, and `runtime/src/connect/tests.rs` |
//! | middy | A token that is valid for 15 minutes is cached for ever. | The credentials function is called for each new connection. | `credentials` |
//! | static `sqlx::Pool` | A ping per acquire and per release, up to `max_connections` sessions, a hang in a black hole, and `PoolTimedOut` in place of the cause. | Only the handler's statements, one connection, a health check with a limit, and the cause. | `warm_round_trips`, `dead_connections`, `retries` |
//! | static `sqlx::Pool` in tests | Parallel `#[tokio::test]`s time out at random. | Each tokio runtime has its own connections. | `sharing` |
//! | a pool per invocation | Each invocation opens a pool, and closes none. | A pool by value is the same pool in each invocation. | `sharing` |
//! | all | After a failover a warm sandbox writes to the old server until the next deployment. | A connection that became read-only is replaced. | `dead_connections` |
//! | all | Settings, temporary tables, locks or an open transaction of a failed invocation reach the next one. | Nothing crosses invocations. | `session_reset` |
//! | all | A timer for idle connections does not run in a frozen sandbox. | A connection's age is compared at its next use, and the server ends idle sessions. | `warm_round_trips`, `sharing` |

#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, with a message"
)]

use std::time::Duration;

use lambda_bench::servers::{Mysql, Postgres};
use lambda_bench::wait::until;
use reuse_db::{Exclusive, Lease, Outcome};
use reuse_db_tests::function::server::Server;
use reuse_db_tests::on_each_server;
use reuse_db_tests::statics::{exclusive, source};
use sqlx::{Connection as _, MySql, MySqlConnection, PgConnection, Postgres as Pg, Transaction};

/// Defines a test of the statements that are the same on both databases.
macro_rules! on_each_database {
    ($test:ident($server:ident, $database:ident) $body:block) => {
        mod $test {
            use super::*;

            #[tokio::test]
            async fn on_postgres() {
                type $database = Pg;
                let $server = <Postgres as Server>::launch().await;
                $body
            }

            #[tokio::test]
            async fn on_mysql() {
                type $database = MySql;
                let $server = <Mysql as Server>::launch().await;
                $body
            }
        }
    };
}

on_each_database! {
    a_statement_of_a_lost_transaction_is_not_sent_again(server, Database) {
        const INSERT: &str = "insert into notes (text) values ('one')";
        const NOTES: &str = "select count(*) from notes";
        let db: &Exclusive<Transaction<'_, Database>> = exclusive(source(Server::url(&server)));
        let mut lease = db.lease().await.expect("a connection");
        let mut transaction = Lease::open(&mut lease).await.expect("a transaction");
        sqlx::query(INSERT).execute(&mut *transaction).await.expect("the first statement");
        assert_eq!(server.end_sessions().await, 1);
        let second = sqlx::query(INSERT).execute(&mut *transaction).await;
        assert!(second.is_err(), "the second statement is not repeated");
        drop(transaction);
        Lease::settle(lease, Outcome::Failure);
        assert_eq!(server.number(NOTES).await, 0);
        let mut lease = db.lease().await.expect("a connection");
        let mut transaction = Lease::open(&mut lease).await.expect("a transaction");
        sqlx::query(INSERT).execute(&mut *transaction).await.expect("the next invocation");
        transaction.commit().await.expect("a commit");
        Lease::settle(lease, Outcome::Success);
        assert_eq!(server.number(NOTES).await, 1);
    }
}

async fn has_attempts_of_its_own<C: reuse_db::Connect>(server: &impl Server) {
    let source = source(server.url()).connect_timeout(Duration::from_millis(700));
    let db: &Exclusive<C> = exclusive(source);
    server.stop().await;
    for _ in 0..3 {
        let error = db.lease().await.expect_err("the server is down");
        let error = error.to_string();
        assert!(error.contains("Connection refused"), "{error}");
        assert!(!error.contains("(1 attempt"), "{error}");
    }
    server.start_again().await;
    drop(db.lease().await.expect("a connection"));
}

on_each_server! {
    async fn each_lease_has_its_own_attempts_and_names_the_last_cause(server: &impl Server) {
        if server.url().starts_with("postgres") {
            has_attempts_of_its_own::<PgConnection>(server).await;
        } else {
            has_attempts_of_its_own::<MySqlConnection>(server).await;
        }
    }
}

/// Both errors have the code 53300, and different texts.
#[tokio::test]
async fn a_full_role_and_a_full_server_are_waited_for() {
    let server = Postgres::builder()
        .setting("max_connections", "5")
        .start()
        .await;
    let db: &Exclusive<PgConnection> = exclusive(source(server.url()).keep(0));
    let retried = async |at_least: u64| {
        until("an attempt that is retried", async || {
            db.stats().retried >= at_least
        })
        .await;
    };
    server.execute("alter role app connection limit 0").await;
    let (lease, ()) = tokio::join!(db.lease(), async {
        retried(1).await;
        server.execute("alter role app connection limit -1").await;
    });
    Lease::settle(lease.expect("a connection of the role"), Outcome::Success);
    until("the end of the session", async || {
        server.sessions().await.is_empty()
    })
    .await;

    let mut held = Vec::new();
    // A session of the administrator may still be ending.
    for _ in 0..5 {
        while let Ok(connection) = PgConnection::connect(&server.url()).await {
            held.push(connection);
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let at_least = db.stats().retried + 1;
    let (lease, ()) = tokio::join!(db.lease(), async {
        retried(at_least).await;
        held.clear();
    });
    drop(lease.expect("a connection of the server"));
}
