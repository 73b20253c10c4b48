//! Handlers that are dropped or panic. The connection's state is unknown, so the connection is
//! discarded; its permit is released, and the next call succeeds.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use reuse_db::{Source, reuse_db};
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};

use crate::{Counts, MEMORY, counts};

/// With one connection, a lost permit would fail the next call.
const ONE: Source = MEMORY
    .max_connections(1)
    .connect_timeout(Duration::from_secs(10));

const DISCARDED: Counts = Counts {
    opened: 1,
    reused: 0,
    discarded: 1,
    unavailable: 0,
};
const DISCARDED_AND_OPENED: Counts = Counts {
    opened: 2,
    ..DISCARDED
};

/// Polls the handler until it is inside the body, and drops it.
async fn cancel<T>(handler: impl Future<Output = T>, is_inside: impl Fn() -> bool) {
    let mut handler = pin!(handler);
    poll_fn(|context| {
        assert!(handler.as_mut().poll(context).is_pending(), "it never ends");
        if is_inside() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

#[reuse_db(source = ONE)]
async fn hang(hang: bool, db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let n = sqlx::query_scalar("select count(*) from notes")
        .fetch_one(&mut *db)
        .await?;
    sqlx::query("insert into notes values ('mine')")
        .execute(db)
        .await?;
    if hang {
        std::future::pending::<()>().await;
    }
    Ok(n)
}

#[tokio::test]
async fn a_dropped_handler_discards_its_connection() {
    cancel(hang(true), || HANG_DB.stats().opened == 1).await;
    assert_eq!(counts(HANG_DB.stats()), DISCARDED);
    assert_eq!(hang(false).await.expect("a number"), 0, "a new connection");
    assert_eq!(hang(false).await.expect("a number"), 1);
    assert_eq!(
        counts(HANG_DB.stats()),
        Counts {
            reused: 1,
            ..DISCARDED_AND_OPENED
        }
    );
}

#[tokio::test]
async fn a_handler_that_is_never_polled_leases_nothing() {
    drop(never_polled());
    assert_eq!(counts(NEVER_POLLED_DB.stats()), Counts::default());
}

#[reuse_db(source = ONE)]
async fn never_polled(_db: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    Ok(())
}

#[reuse_db(source = ONE)]
async fn panicking(panics: bool, tx: &mut Transaction<'_, Sqlite>) -> Result<(), sqlx::Error> {
    sqlx::query("insert into notes values ('mine')")
        .execute(&mut **tx)
        .await?;
    assert!(!panics, "as requested");
    Ok(())
}

#[tokio::test]
async fn a_panic_discards_the_connection() {
    let error = tokio::spawn(panicking(true)).await.expect_err("a panic");
    assert!(error.is_panic());
    assert_eq!(counts(PANICKING_TX.stats()), DISCARDED);
    tokio::spawn(panicking(false))
        .await
        .expect("no panic")
        .expect("a commit");
    assert_eq!(counts(PANICKING_TX.stats()), DISCARDED_AND_OPENED);
}

#[reuse_db(source = ONE)]
async fn two_levels(
    panics: bool,
    #[db(source = MEMORY)] db: &mut SqliteConnection,
    #[db] tx: &mut Transaction<'_, Sqlite>,
) -> Result<(), sqlx::Error> {
    sqlx::query("select 1").execute(db).await?;
    panicking_with(panics, tx).await
}

#[tokio::test]
async fn a_panic_discards_every_connection_of_the_handler() {
    tokio::spawn(two_levels(true)).await.expect_err("a panic");
    assert_eq!(
        [TWO_LEVELS_DB.stats(), TWO_LEVELS_TX.stats()].map(counts),
        [DISCARDED; 2]
    );
    two_levels(false).await.expect("a commit");
    assert_eq!(
        [TWO_LEVELS_DB.stats(), TWO_LEVELS_TX.stats()].map(counts),
        [DISCARDED_AND_OPENED; 2]
    );
}

#[reuse_db(source = ONE)]
async fn on_a_pool(panics: bool, pool: &SqlitePool) -> Result<(), sqlx::Error> {
    let mut connection = pool.acquire().await?;
    sqlx::query("select 1").execute(&mut *connection).await?;
    assert!(!panics, "as requested");
    Ok(())
}

#[tokio::test]
async fn a_pool_outlives_a_panic() {
    tokio::spawn(on_a_pool(true)).await.expect_err("a panic");
    on_a_pool(false).await.expect("nothing");
    let stats = ON_A_POOL_POOL.stats();
    assert_eq!((stats.opened, stats.reused), (1, 1), "it is kept");
    // The pool is checked, and its connection if background work has not reset that before.
    assert!((1..=2).contains(&stats.checked), "{stats:?}");
}
