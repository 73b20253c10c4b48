//! PgBouncer in transaction mode, and what each handle can do behind it: the table of
//! [`Source::transaction_pooler`].

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lambda_bench::servers::{PgBouncer, Postgres};
use reuse_db::{Exclusive, Lease, Outcome, Shared, SharedLease, Source};
use sqlx::{Any, AnyConnection, AnyPool, PgConnection, PgPool, Postgres as Pg, Transaction};

/// How often each of two clients asks, side by side.
const ROUNDS: i64 = 300;

/// A source of a pooler that a test has started.
fn source(bouncer: &PgBouncer) -> Source {
    Source::env("REUSE_DB_NO_SUCH_VARIABLE").or(bouncer.url().leak())
}

fn parked<H>(source: Source) -> &'static Exclusive<H> {
    Box::leak(Box::new(Exclusive::new(source)))
}

fn shared<S>(source: Source) -> &'static Shared<S> {
    Box::leak(Box::new(Shared::new(source)))
}

/// One that is equal to no other, and so has connections of its own.
fn apart(bouncer: &PgBouncer) -> Source {
    static NEXT: AtomicU64 = AtomicU64::new(2);
    let apart = Duration::from_secs(NEXT.fetch_add(1, Ordering::Relaxed));
    source(bouncer).transaction_pooler().verify_after(apart)
}

fn outcome<T>(result: &Result<T, sqlx::Error>) -> Outcome {
    match result {
        Ok(_) => Outcome::Success,
        Err(_) => Outcome::Failure,
    }
}

/// One session for all clients, so that each transaction may follow another client's.
async fn with_one_session(postgres: &Postgres) -> PgBouncer {
    PgBouncer::builder()
        .setting("default_pool_size", "1")
        .start(postgres)
        .await
}

/// Asks for `n + 1` or for `1000 n` in a transaction of its own, as the row of the table says.
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
async fn transactions_get_their_own_answers() {
    let postgres = Postgres::start().await;
    let bouncer = with_one_session(&postgres).await;
    let client = async |is_first: bool| {
        let db = parked::<Transaction<'_, Pg>>(source(&bouncer).transaction_pooler());
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
    let of_a_pool = async |is_first: bool| {
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
        of_a_pool(true),
        of_a_pool(false)
    );
}

/// Of equal sources the connection and the transaction are of the same one.
fn has_opened_one(stats: &[reuse_db::Stats]) {
    assert_eq!(stats.iter().map(|stats| stats.opened).sum::<u64>(), 1);
    assert!(
        stats.iter().all(|stats| stats.unavailable == 0),
        "{stats:?}"
    );
}

#[tokio::test]
async fn raw_statements_work_on_each_handle() {
    let postgres = Postgres::start().await;
    let bouncer = with_one_session(&postgres).await;
    let source = source(&bouncer).transaction_pooler();
    let connection = parked::<PgConnection>(source);
    let transaction = parked::<Transaction<'_, Pg>>(source);
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
        let mut lease = connection.lease().await.expect("a connection");
        let db = Lease::open(&mut lease).await.expect("it is open");
        sqlx::raw_sql("select 1")
            .execute(db)
            .await
            .expect("an answer");
        Lease::settle(lease, Outcome::Success);
        let lease = pool.lease().await.expect("a pool");
        sqlx::raw_sql("select 1")
            .execute(SharedLease::get(&lease))
            .await
            .expect("an answer");
        SharedLease::settle(lease, Outcome::Success);
    }
    has_opened_one(&[connection.stats(), transaction.stats()]);
}

async fn on_a_connection(db: &'static Exclusive<PgConnection>) -> Result<(), sqlx::Error> {
    let mut lease = db.lease().await.expect("a connection");
    let connection = Lease::open(&mut lease).await.expect("it is open");
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

/// What the pooler's server says.
fn expect_code(result: Result<(), sqlx::Error>, expected: &str) {
    let error = result.expect_err("the table says so");
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    assert_eq!(code.as_deref(), Some(expected), "{error}");
}

/// Why the docs say that it does not work: the server's error, not ours.
#[tokio::test]
async fn named_statements_fail_where_another_client_has_prepared_one() {
    let postgres = Postgres::start().await;
    let bouncer = with_one_session(&postgres).await;
    let first = on_a_connection(parked(apart(&bouncer))).await;
    first.expect("the name is free");
    expect_code(on_a_connection(parked(apart(&bouncer))).await, "42P05");
    expect_code(in_a_transaction(parked(apart(&bouncer))).await, "42P05");
    expect_code(on_a_pool(shared(apart(&bouncer))).await, "42P05");
}

/// The same, where the pooler has another session for it the next time.
#[tokio::test]
async fn named_statements_fail_where_their_session_is_another() {
    let postgres = Postgres::start().await;
    let bouncer = with_one_session(&postgres).await;
    async fn check<F>(postgres: &Postgres, ask: impl Fn() -> F)
    where
        F: Future<Output = Result<(), sqlx::Error>>,
    {
        postgres.end_sessions().await;
        ask().await.expect("it is prepared");
        postgres.end_sessions().await;
        expect_code(ask().await, "26000");
    }
    let connection = parked(apart(&bouncer));
    check(&postgres, || on_a_connection(connection)).await;
    let transaction = parked(apart(&bouncer));
    check(&postgres, || in_a_transaction(transaction)).await;
    let pool = shared(apart(&bouncer));
    check(&postgres, || on_a_pool(pool)).await;
}

/// Why the docs warn of it: a client gets what another has asked for.
#[tokio::test]
async fn unnamed_statements_outside_a_transaction_run_another_clients() {
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
        "sqlx prepares and runs in one round trip now: the table can be mended"
    );
}

/// Without a word of it in the source: its first connection is refused once.
#[tokio::test]
async fn what_a_pooler_refuses_is_left_out() {
    let postgres = Postgres::start().await;
    let bouncer = PgBouncer::builder()
        .setting("pool_mode", "session")
        .start(&postgres)
        .await;
    let db = parked::<PgConnection>(source(&bouncer));
    for _ in 0..2 {
        let mut lease = db.lease().await.expect("a connection");
        let db = Lease::open(&mut lease).await.expect("it is open");
        sqlx::query("select 1")
            .execute(db)
            .await
            .expect("an answer");
        Lease::settle(lease, Outcome::Success);
    }
    let stats = db.stats();
    assert_eq!((stats.opened, stats.retried), (1, 0), "{stats:?}");
}

/// `AnyConnection` takes no options, so what sqlx sends has to be let through by the pooler.
#[tokio::test]
async fn any_connection_works_where_the_pooler_ignores_what_sqlx_sends() {
    let postgres = Postgres::start().await;
    let bouncer = with_one_session(&postgres).await;
    let lease = parked::<AnyConnection>(apart(&bouncer)).lease().await;
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
    let connection = parked::<AnyConnection>(source);
    let transaction = parked::<Transaction<'_, Any>>(source);
    let pool = shared::<AnyPool>(source);
    let sql = "select 7::bigint";
    for _ in 0..20 {
        let number = |row: sqlx::any::AnyRow| sqlx::Row::get::<i64, _>(&row, 0);

        let mut lease = connection.lease().await.expect("a connection");
        let db = Lease::open(&mut lease).await.expect("it is open");
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
    has_opened_one(&[connection.stats(), transaction.stats()]);
}

/// One that is gone while the sandbox is frozen is replaced like any other.
#[tokio::test]
async fn a_pooler_that_was_restarted() {
    let postgres = Postgres::start().await;
    let bouncer = PgBouncer::start(&postgres).await;
    let source = source(&bouncer)
        .transaction_pooler()
        .verify_after(Duration::ZERO);
    let db = parked::<PgConnection>(source);
    let pool = shared::<PgPool>(source);
    for n in 1..=3 {
        let mut lease = db.lease().await.expect("a connection");
        let connection = Lease::open(&mut lease).await.expect("it is open");
        sqlx::raw_sql("select 1")
            .execute(connection)
            .await
            .expect("an answer");
        Lease::settle(lease, Outcome::Success);
        assert_eq!(db.stats().opened, n);
        let lease = pool.lease().await.expect("a pool");
        sqlx::raw_sql("select 1")
            .execute(SharedLease::get(&lease))
            .await
            .expect("an answer");
        SharedLease::settle(lease, Outcome::Success);
        bouncer.stop().await;
        bouncer.start_again().await;
    }
}
