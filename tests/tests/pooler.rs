//! PgBouncer in transaction mode: the table of [`Source::transaction_pooler`].

#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, with a message"
)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lambda_bench::servers::{PgBouncer, Postgres};
use reuse_db::{Exclusive, Lease, Outcome, Shared, SharedLease, Source};
use reuse_db_tests::statics::{self, exclusive, outcome, shared};
use sqlx::{Any, AnyConnection, AnyPool, PgConnection, PgPool, Postgres as Pg, Transaction};

/// The number of transactions of each of four clients at once.
const ROUNDS: i64 = 300;

fn source(bouncer: &PgBouncer) -> Source {
    statics::source(bouncer.url())
}

/// Returns a source that equals no other source, and so has its own connections.
fn unequal(bouncer: &PgBouncer) -> Source {
    static NEXT: AtomicU64 = AtomicU64::new(2);
    let unequal = Duration::from_secs(NEXT.fetch_add(1, Ordering::Relaxed));
    source(bouncer).transaction_pooler().verify_after(unequal)
}

/// Starts a pooler with one session, in which any client's transaction may follow another's.
async fn with_one_session(postgres: &Postgres) -> PgBouncer {
    PgBouncer::builder()
        .setting("default_pool_size", "1")
        .start(postgres)
        .await
}

/// Asks for `n + 1` or for `1000 n` in a transaction, as the table advises.
async fn ask(db: &mut Transaction<'_, Pg>, is_first: bool, n: i64) -> Result<i64, sqlx::Error> {
    let sql = if is_first {
        "select $1::bigint + 1"
    } else {
        "select $1::bigint * 1000"
    };
    sqlx::query_scalar(sql)
        .bind(n)
        .persistent(false)
        .fetch_one(&mut **db)
        .await
}

fn answer(is_first: bool, n: i64) -> i64 {
    if is_first { n + 1 } else { n * 1000 }
}

#[tokio::test]
async fn concurrent_transactions_get_their_own_answers() {
    let postgres = Postgres::start().await;
    let bouncer = with_one_session(&postgres).await;
    let client = async |is_first: bool| {
        let db = exclusive::<Transaction<'_, Pg>>(source(&bouncer).transaction_pooler());
        for n in 0..ROUNDS {
            let mut lease = db.lease().await.expect("a connection");
            let mut transaction = Lease::open(&mut lease).await.expect("a transaction");
            let got = ask(&mut transaction, is_first, n).await.expect("an answer");
            assert_eq!(got, answer(is_first, n));
            transaction.commit().await.expect("a commit");
            Lease::settle(lease, Outcome::Success);
        }
        let stats = db.stats();
        assert_eq!((stats.opened, stats.unavailable), (1, 0), "{stats:?}");
    };
    let pool_client = async |is_first: bool| {
        let db = shared::<PgPool>(source(&bouncer).transaction_pooler());
        for n in 0..ROUNDS {
            let lease = db.lease().await.expect("a pool");
            let begun = SharedLease::get(&lease).begin().await;
            let mut transaction = begun.expect("a transaction");
            let got = ask(&mut transaction, is_first, n).await.expect("an answer");
            assert_eq!(got, answer(is_first, n));
            transaction.commit().await.expect("a commit");
            SharedLease::settle(lease, Outcome::Success);
        }
    };
    tokio::join!(
        client(true),
        client(false),
        pool_client(true),
        pool_client(false)
    );
}

/// Statics of equal sources have opened one connection together.
fn have_opened_one(stats: &[reuse_db::Stats]) {
    assert_eq!(stats.iter().map(|stats| stats.opened).sum::<u64>(), 1);
    assert!(
        stats.iter().all(|stats| stats.unavailable == 0),
        "{stats:?}"
    );
}

async fn raw_on_a_connection(db: &'static Exclusive<PgConnection>) {
    let mut lease = db.lease().await.expect("a connection");
    let connection = Lease::open(&mut lease).await.expect("an open lease");
    let result = sqlx::raw_sql("select 1").execute(connection).await;
    result.expect("an answer");
    Lease::settle(lease, Outcome::Success);
}

async fn raw_on_a_pool(db: &'static Shared<PgPool>) {
    let lease = db.lease().await.expect("a pool");
    let result = sqlx::raw_sql("select 1").execute(SharedLease::get(&lease));
    result.await.expect("an answer");
    SharedLease::settle(lease, Outcome::Success);
}

#[tokio::test]
async fn raw_statements_work_on_each_parameter_type() {
    let postgres = Postgres::start().await;
    let bouncer = with_one_session(&postgres).await;
    let source = source(&bouncer).transaction_pooler();
    let connection = exclusive::<PgConnection>(source);
    let transaction = exclusive::<Transaction<'_, Pg>>(source);
    let pool = shared::<PgPool>(source);
    for _ in 0..20 {
        let mut lease = transaction.lease().await.expect("a connection");
        let mut db = Lease::open(&mut lease).await.expect("a transaction");
        sqlx::raw_sql("select 1")
            .execute(&mut *db)
            .await
            .expect("an answer");
        db.commit().await.expect("a commit");
        Lease::settle(lease, Outcome::Success);
        raw_on_a_connection(connection).await;
        raw_on_a_pool(pool).await;
    }
    have_opened_one(&[connection.stats(), transaction.stats()]);
}

async fn on_a_connection(db: &'static Exclusive<PgConnection>) -> Result<(), sqlx::Error> {
    let mut lease = db.lease().await.expect("a connection");
    let connection = Lease::open(&mut lease).await.expect("an open lease");
    let result = sqlx::query("select 1").execute(connection).await;
    Lease::settle(lease, outcome(&result));
    result.map(drop)
}

async fn in_a_transaction(db: &'static Exclusive<Transaction<'_, Pg>>) -> Result<(), sqlx::Error> {
    let mut lease = db.lease().await.expect("a connection");
    let mut transaction = Lease::open(&mut lease).await.expect("a transaction");
    let result = sqlx::query("select 1").execute(&mut *transaction).await;
    transaction.rollback().await.expect("an end");
    Lease::settle(lease, outcome(&result));
    result.map(drop)
}

async fn on_a_pool(db: &'static Shared<PgPool>) -> Result<(), sqlx::Error> {
    let lease = db.lease().await.expect("a pool");
    let result = sqlx::query("select 1")
        .execute(SharedLease::get(&lease))
        .await;
    SharedLease::settle(lease, outcome(&result));
    result.map(drop)
}

fn expect_code(result: Result<(), sqlx::Error>, expected: &str) {
    let error = result.expect_err("an error, as in the table");
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    assert_eq!(code.as_deref(), Some(expected), "{error}");
}

/// The error is the server's.
#[tokio::test]
async fn a_prepared_statement_fails_after_another_client_has_prepared_one() {
    let postgres = Postgres::start().await;
    let bouncer = with_one_session(&postgres).await;
    let first = on_a_connection(exclusive(unequal(&bouncer))).await;
    first.expect("an unused name");
    expect_code(on_a_connection(exclusive(unequal(&bouncer))).await, "42P05");
    expect_code(
        in_a_transaction(exclusive(unequal(&bouncer))).await,
        "42P05",
    );
    expect_code(on_a_pool(shared(unequal(&bouncer))).await, "42P05");
}

/// The error is the server's.
#[tokio::test]
async fn a_prepared_statement_fails_in_another_session() {
    let postgres = Postgres::start().await;
    let bouncer = with_one_session(&postgres).await;
    async fn check<F>(postgres: &Postgres, ask: impl Fn() -> F)
    where
        F: Future<Output = Result<(), sqlx::Error>>,
    {
        postgres.end_sessions().await;
        ask().await.expect("a prepared statement");
        postgres.end_sessions().await;
        expect_code(ask().await, "26000");
    }
    let connection = exclusive(unequal(&bouncer));
    check(&postgres, || on_a_connection(connection)).await;
    let transaction = exclusive(unequal(&bouncer));
    check(&postgres, || in_a_transaction(transaction)).await;
    let pool = shared(unequal(&bouncer));
    check(&postgres, || on_a_pool(pool)).await;
}

/// The docs warn of this: a client gets the answer to another client's statement.
#[tokio::test]
async fn unnamed_statements_outside_a_transaction_may_run_another_clients_statement() {
    let postgres = Postgres::start().await;
    let bouncer = with_one_session(&postgres).await;
    let client = async |is_first: bool| {
        let options: sqlx::postgres::PgConnectOptions = bouncer.url().parse().expect("a URL");
        let options = options.extra_float_digits(None);
        let mut db = sqlx::ConnectOptions::connect(&options)
            .await
            .expect("a connection");
        let sql = if is_first {
            "select $1::bigint + 1"
        } else {
            "select $1::bigint * 1000"
        };
        let mut wrong = 0;
        for n in 2..ROUNDS {
            let query = sqlx::query_scalar::<_, i64>(sql).bind(n).persistent(false);
            let got = query.fetch_one(&mut db).await.expect("an answer");
            wrong += usize::from(got != answer(is_first, n));
        }
        wrong
    };
    let (one, two) = tokio::join!(client(true), client(false));
    assert!(
        one + two > 0,
        "sqlx prepares and runs in one round trip now: correct the table"
    );
}

/// The source does not mention the pooler, which rejects the first connection.
#[tokio::test]
async fn a_startup_parameter_that_a_pooler_rejects_is_left_out() {
    let postgres = Postgres::start().await;
    let bouncer = PgBouncer::builder()
        .setting("pool_mode", "session")
        .start(&postgres)
        .await;
    let db = exclusive::<PgConnection>(source(&bouncer));
    for _ in 0..2 {
        let mut lease = db.lease().await.expect("a connection");
        let db = Lease::open(&mut lease).await.expect("an open lease");
        sqlx::query("select 1")
            .execute(db)
            .await
            .expect("an answer");
        Lease::settle(lease, Outcome::Success);
    }
    let stats = db.stats();
    assert_eq!((stats.opened, stats.retried), (1, 0), "{stats:?}");
}

/// `AnyConnection` takes no options: the pooler must ignore the start-up parameters of sqlx.
#[tokio::test]
async fn any_connection_works_where_the_pooler_ignores_what_sqlx_sends() {
    let postgres = Postgres::start().await;
    let bouncer = with_one_session(&postgres).await;
    let lease = exclusive::<AnyConnection>(unequal(&bouncer)).lease().await;
    let error = lease.map(drop).expect_err("it is refused").to_string();
    assert!(
        error.contains("extra_float_digits") && error.contains("rejected"),
        "{error}"
    );

    let bouncer = PgBouncer::builder()
        .setting("default_pool_size", "1")
        .setting("ignore_startup_parameters", "extra_float_digits")
        .start(&postgres)
        .await;
    let source = source(&bouncer).transaction_pooler();
    let connection = exclusive::<AnyConnection>(source);
    let transaction = exclusive::<Transaction<'_, Any>>(source);
    let pool = shared::<AnyPool>(source);
    let sql = "select 7::bigint";
    for _ in 0..20 {
        let number = |row: sqlx::any::AnyRow| sqlx::Row::get::<i64, _>(&row, 0);

        let mut lease = connection.lease().await.expect("a connection");
        let db = Lease::open(&mut lease).await.expect("an open lease");
        let row = sqlx::raw_sql(sql).fetch_one(db).await;
        assert_eq!(row.map(number).expect("an answer"), 7);
        Lease::settle(lease, Outcome::Success);

        let mut lease = transaction.lease().await.expect("a connection");
        let mut db = Lease::open(&mut lease).await.expect("a transaction");
        let row = sqlx::raw_sql(sql).fetch_one(&mut *db).await;
        assert_eq!(row.map(number).expect("an answer"), 7);
        db.commit().await.expect("a commit");
        Lease::settle(lease, Outcome::Success);

        let lease = pool.lease().await.expect("a pool");
        let row = sqlx::raw_sql(sql).fetch_one(SharedLease::get(&lease)).await;
        assert_eq!(row.map(number).expect("an answer"), 7);
        SharedLease::settle(lease, Outcome::Success);
    }
    have_opened_one(&[connection.stats(), transaction.stats()]);
}

#[tokio::test]
async fn connections_of_a_restarted_pooler_are_replaced() {
    let postgres = Postgres::start().await;
    let bouncer = PgBouncer::start(&postgres).await;
    let source = source(&bouncer)
        .transaction_pooler()
        .verify_after(Duration::ZERO);
    let db = exclusive::<PgConnection>(source);
    let pool = shared::<PgPool>(source);
    for n in 1..=3 {
        raw_on_a_connection(db).await;
        assert_eq!(db.stats().opened, n);
        raw_on_a_pool(pool).await;
        bouncer.stop().await;
        bouncer.start_again().await;
    }
}
