//! PgBouncer in transaction mode, and what each handle can do behind it: the table of
//! [`Source::transaction_pooler`].

use reuse_db::{Lease, Outcome, Parked, Shared, SharedLease, Source};
use reuse_db_tests::servers::{PgBouncer, Postgres};
use sqlx::{PgConnection, PgPool, Postgres as Pg, Transaction};

/// How often each of two clients asks, side by side.
const ROUNDS: i64 = 300;

/// A source of a pooler that a test has started.
fn source(bouncer: &PgBouncer) -> Source {
    Source::env("REUSE_DB_NO_SUCH_VARIABLE").or(bouncer.url().leak())
}

fn parked<H>(source: Source) -> &'static Parked<H> {
    Box::leak(Box::new(Parked::new(source)))
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
        assert_eq!((stats.opened, stats.refused), (1, 0), "{stats:?}");
    };
    tokio::join!(client(true), client(false));
}

#[tokio::test]
async fn raw_statements_work_on_a_connection_and_on_a_pool() {
    let postgres = Postgres::start().await;
    let bouncer = with_one_session(&postgres).await;
    let source = source(&bouncer).transaction_pooler();
    let connection = parked::<PgConnection>(source);
    let pool: &'static Shared<PgPool> = Box::leak(Box::new(Shared::new(source)));
    for _ in 0..20 {
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
    assert_eq!(
        (connection.stats().opened, connection.stats().refused),
        (1, 0)
    );
}

/// Why the docs say that it does not work: the server's error, not ours.
#[tokio::test]
async fn named_statements_fail() {
    let postgres = Postgres::start().await;
    let bouncer = with_one_session(&postgres).await;
    let ask = async || {
        // Two sources that are not equal have a connection each.
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(2);
        let apart =
            std::time::Duration::from_secs(NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let db = parked::<PgConnection>(source(&bouncer).transaction_pooler().verify_after(apart));
        let mut lease = db.lease().await.expect("a connection");
        let db = Lease::open(&mut lease).await.expect("it is open");
        sqlx::query("select 1").execute(db).await
    };
    assert!(ask().await.is_ok());
    let error = ask().await.expect_err("the name is taken");
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .map(String::from);
    assert_eq!(code.as_deref(), Some("42P05"), "{error}");
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

/// One that is gone while the sandbox is frozen is replaced like any other.
#[tokio::test]
async fn a_pooler_that_was_restarted() {
    let postgres = Postgres::start().await;
    let bouncer = PgBouncer::start(&postgres).await;
    let source = source(&bouncer)
        .transaction_pooler()
        .verify_after(std::time::Duration::ZERO);
    let db = parked::<PgConnection>(source);
    for n in 1..=3 {
        let mut lease = db.lease().await.expect("a connection");
        let connection = Lease::open(&mut lease).await.expect("it is open");
        sqlx::raw_sql("select 1")
            .execute(connection)
            .await
            .expect("an answer");
        Lease::settle(lease, Outcome::Success);
        assert_eq!(db.stats().opened, n);
        bouncer.stop().await;
        bouncer.start_again().await;
    }
}
