//! Where the modules that people use today break, by the number of the row in the list of what they do:
//! rows 4, 5 and 8 are in `guard` and in the unit tests of the runtime, 9 in `credentials`, 12 in
//! `failover`.

mod function;

use std::time::Duration;

use function::server::Server;
use function::{Function, Reply, a_long_freeze};
use lambda_bench::lambda::Event;
use lambda_bench::servers::{Mariadb, Postgres};
use reuse_db::{Exclusive, Lease, Outcome, Source};
use sqlx::{Connection as _, MySql, MySqlConnection, PgConnection, Postgres as Pg, Transaction};

fn source(server: &impl Server) -> Source {
    Source::env("REUSE_DB_NO_SUCH_VARIABLE").or(server.url().leak())
}

/// A test of the same words on each server's types.
macro_rules! on_each_connection {
    ($($test:ident($server:ident, $connection:ident, $database:ident) $body:block)*) => {
        $(mod $test {
            use super::*;

            #[tokio::test]
            async fn on_postgres() {
                #[allow(dead_code, reason = "not each test takes both")]
                type $connection = PgConnection;
                #[allow(dead_code, reason = "not each test takes both")]
                type $database = Pg;
                let $server = <Postgres as Server>::launch().await;
                $body
            }

            #[tokio::test]
            async fn on_mariadb() {
                #[allow(dead_code, reason = "not each test takes both")]
                type $connection = MySqlConnection;
                #[allow(dead_code, reason = "not each test takes both")]
                type $database = MySql;
                let $server = <Mariadb as Server>::launch().await;
                $body
            }
        })*
    };
}

on_each_connection! {
    row_01_a_statement_of_a_lost_transaction_is_not_sent_again(server, Connection, Database) {
        let db: &'static Exclusive<Transaction<'_, Database>> = Box::leak(Box::new(Exclusive::new(source(&server))));
        let mut lease = db.lease().await.expect("a connection");
        let mut transaction = Lease::open(&mut lease).await.expect("a transaction");
        let insert = "insert into notes (text) values ('one')";
        sqlx::query(insert).execute(&mut *transaction).await.expect("the first");
        assert_eq!(server.end_sessions().await, 1);
        assert!(sqlx::query(insert).execute(&mut *transaction).await.is_err(), "the second is not replayed");
        drop(transaction);
        Lease::settle(lease, Outcome::Failure);
        assert_eq!(server.number("select count(*) from notes").await, 0);
        let mut lease = db.lease().await.expect("a connection");
        let mut transaction = Lease::open(&mut lease).await.expect("a transaction");
        sqlx::query(insert).execute(&mut *transaction).await.expect("of the next invocation");
        transaction.commit().await.expect("a commit");
        Lease::settle(lease, Outcome::Success);
        assert_eq!(server.number("select count(*) from notes").await, 1);
    }

    row_07_each_lease_has_tries_of_its_own_and_tells_the_last_cause(server, Connection, Database) {
        let source = source(&server).connect_timeout(Duration::from_millis(700));
        let db: &'static Exclusive<Connection> = Box::leak(Box::new(Exclusive::new(source)));
        server.stop().await;
        for _ in 0..3 {
            let error = db.lease().await.expect_err("it is down").to_string();
            assert!(error.contains("Connection refused") && !error.contains("(1 try"), "{error}");
        }
        server.start_again().await;
        drop(db.lease().await.expect("a connection"));
    }

    row_13_what_a_failed_invocation_has_set_is_taken_back(server, Connection, Database) {
        let on_postgres = server.url().starts_with("postgres");
        let (leak, question) = if on_postgres {
            (
                "set search_path to nowhere; create temp table left_over (n int); \
                 select pg_advisory_lock(7); listen news; begin; insert into public.notes values ('open'); \
                 set role pg_monitor",
                "select (current_setting('search_path') = 'app') and current_user = 'app' \
                 and to_regclass('left_over') is null \
                 and not exists (select from pg_locks where locktype = 'advisory') \
                 and not exists (select from pg_listening_channels())",
            )
        } else {
            (
                "do get_lock('left_over', 0); lock tables notes write; \
                 set autocommit = 1; start transaction; insert into notes values ('open')",
                "select is_used_lock('left_over') is null and not exists \
                 (select * from information_schema.innodb_trx where trx_mysql_thread_id = connection_id())",
            )
        };
        if on_postgres {
            server.execute("grant pg_monitor to app").await;
        } else {
            server.execute("grant process on *.* to app@'%'").await;
        }
        let set_up = if on_postgres { "set search_path to app" } else { "set @app = 1" };
        let db: &'static Exclusive<Connection> =
            Box::leak(Box::new(Exclusive::new(source(&server).on_connect(set_up))));
        for _ in 0..2 {
            let mut lease = db.lease().await.expect("a connection");
            let connection = Lease::open(&mut lease).await.expect("it is open");
            sqlx::raw_sql(leak).execute(&mut *connection).await.expect("it is set");
            Lease::settle(lease, Outcome::Failure);
            let mut lease = db.lease().await.expect("the same connection");
            let connection = Lease::open(&mut lease).await.expect("it is open");
            let clean: bool = sqlx::query_scalar(question).fetch_one(&mut *connection).await.expect("an answer");
            assert!(clean, "nothing is left");
            // What sqlx has prepared is still there.
            let _: bool = sqlx::query_scalar(question).fetch_one(connection).await.expect("an answer");
            Lease::settle(lease, Outcome::Success);
        }
        assert_eq!(db.stats().opened, 1, "{:?}", db.stats());
        assert_eq!(server.number("select count(*) from notes").await, 0);
    }
}

on_each_server! {
    async fn row_02_a_statement_costs_a_round_trip_and_nothing_is_asked_before_the_response(server: &impl Server) {
        let function = Function::start(server).await;
        for n in 0..3 {
            function.add(n).await;
        }
        for n in 0..20 {
            let (_, round_trips) = function.add_counting(n).await;
            assert_eq!(round_trips, 2, "it has two statements");
        }
    }

    async fn row_03_a_connection_that_died_is_replaced_in_the_same_invocation(server: &impl Server) {
        let function = Function::start(server).await;
        function.add(0).await;
        server.end_sessions().await;
        a_long_freeze().await;
        let reply = function.add(1).await;
        assert_eq!((reply.stat("stale"), reply.stat("opened"), reply.stat("unavailable")), (1, 2, 0));
    }

    async fn row_10_what_a_static_pool_costs_and_hides(server: &impl Server) {
        let function = Function::start(server).await;
        function.add(0).await;
        function.add(1).await;
        let (reply, round_trips) = function.add_counting(2).await;
        assert_eq!((round_trips, reply.stat("opened")), (2, 1), "of its own statements; one connection");
        assert_eq!(server.sessions().await.len(), 1);
        // A black hole: no hang, no lost permit, nothing that has expired is handed out.
        for n in 0..3 {
            function.proxy.black_hole();
            a_long_freeze().await;
            let answer = function.sandbox.invoke(Event::get(&format!("/add?n={n}"))).await;
            assert_eq!(Reply::of(&answer).sum, n + 1, "{answer:?}");
            assert!(answer.took < Duration::from_secs(3), "{answer:?}");
            function.sandbox.frozen().await;
        }
    }

    async fn row_11_a_pool_by_value_is_one_for_all_invocations(server: &impl Server) {
        let function = Function::start(server).await;
        for n in 0..20 {
            function.invoke(&format!("/own-pool?n={n}")).await.ok();
        }
        assert_eq!((function.proxy.connections(), server.sessions().await.len()), (1, 1));
    }

    /// None keeps a timer: what is too old is known by its age, at use, and to the server.
    async fn row_14_what_was_idle_for_too_long_is_known_when_it_is_used(server: &impl Server) {
        let function = Function::start(server).await;
        function.add(0).await;
        let (reply, round_trips) = function.add_counting(1).await;
        assert_eq!((reply.stat("checked"), round_trips), (0, 2));
        a_long_freeze().await;
        let (reply, round_trips) = function.add_counting(2).await;
        assert_eq!((reply.stat("checked"), round_trips), (1, 3));
        let limit = function.invoke("/idle-limit").await.text().to_owned();
        assert!(["5min", "300"].contains(&limit.as_str()), "{limit}");
    }
}

/// Both are 53300, and only one is a full server; neither is known by its words.
#[tokio::test]
async fn row_06_a_full_role_and_a_full_server_are_waited_for() {
    let server = Postgres::builder()
        .setting("max_connections", "5")
        .start()
        .await;
    let db: &'static Exclusive<PgConnection> = Box::leak(Box::new(Exclusive::new(source(&server))));
    server.execute("alter role app connection limit 0").await;
    let (lease, ()) = tokio::join!(db.lease(), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.execute("alter role app connection limit -1").await;
    });
    drop(lease.expect("the role has room"));
    let retried = db.stats().retried;
    assert!(retried > 0);
    server.end_sessions().await;
    tokio::time::sleep(function::LONG).await;
    let mut held = Vec::new();
    while let Ok(connection) = PgConnection::connect(&server.url()).await {
        held.push(connection);
    }
    let (lease, ()) = tokio::join!(db.lease(), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        held.clear();
    });
    drop(lease.expect("the server has room"));
    assert!(db.stats().retried > retried);
}
