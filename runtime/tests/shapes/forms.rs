//! Each form of the parameter with sqlx's types, under any name.

use reuse_db::{Source, reuse_db};
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};

use crate::{MEMORY, counts, one_connection};

/// A second connection would open a second database.
const POOL: Source = MEMORY.max_connections(1);

#[reuse_db(source = POOL)]
async fn borrowed(text: &str, pool: &SqlitePool) -> Result<i64, sqlx::Error> {
    sqlx::query("insert into notes values (?)")
        .bind(text)
        .execute(pool)
        .await?;
    sqlx::query_scalar("select count(*) from notes")
        .fetch_one(pool)
        .await
}

#[reuse_db(source = POOL)]
async fn by_value(pool: SqlitePool) -> Result<i64, sqlx::Error> {
    let count = tokio::spawn(async move {
        sqlx::query_scalar("select count(*) from notes")
            .fetch_one(&pool)
            .await
    });
    count.await.map_err(|error| sqlx::Error::Io(error.into()))?
}

#[tokio::test]
async fn a_pool_is_borrowed_or_cloned() {
    for n in 1..=3 {
        assert_eq!(borrowed("a").await.expect("a number"), n);
        assert_eq!(by_value().await.expect("a number"), n, "the same pool");
    }
    assert_eq!(counts(BORROWED_POOL.stats()), one_connection(3));
    assert_eq!(
        (BY_VALUE_POOL.stats().opened, BY_VALUE_POOL.stats().reused),
        (0, 3)
    );
}

#[reuse_db(source = POOL)]
async fn at_once(pool: &SqlitePool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select count(*) from notes")
        .fetch_one(pool)
        .await
}

#[tokio::test]
async fn a_pool_serves_concurrent_calls() {
    let (a, b, c) = tokio::join!(at_once(), at_once(), at_once());
    assert!(
        [a, b, c]
            .into_iter()
            .all(|count| count.is_ok_and(|count| count == 0))
    );
    assert_eq!(counts(AT_ONCE_POOL.stats()), one_connection(3));
}

type Db = SqliteConnection;
type Tx<'t> = Transaction<'t, Sqlite>;

mod database {
    pub(super) use sqlx::Pool as Of;
    /// A connection with the name of a pool.
    pub(super) use sqlx::SqliteConnection as OnePool;
    /// A pool with the name of a connection.
    pub(super) use sqlx::SqlitePool as ManyConnection;
}

#[reuse_db(source = MEMORY.keep(4))]
#[allow(unused_parens)]
async fn aliases(
    #[db] db: &mut Db,
    #[db] tx: &mut Tx<'_>,
    #[db] named: (&mut (<Sqlite as sqlx::Database>::Connection)),
    #[db(source = POOL)] pool: &database::Of<Sqlite>,
    #[db] one: &mut database::OnePool,
    #[db(source = POOL)] many: &database::ManyConnection,
) -> Result<i64, sqlx::Error> {
    let mut sum: i64 = sqlx::query_scalar("select 1").fetch_one(db).await?;
    sum += sqlx::query_scalar::<_, i64>("select 10")
        .fetch_one(&mut **tx)
        .await?;
    sum += sqlx::query_scalar::<_, i64>("select 100")
        .fetch_one(named)
        .await?;
    sum += sqlx::query_scalar::<_, i64>("select 1000")
        .fetch_one(pool)
        .await?;
    sum += sqlx::query_scalar::<_, i64>("select 10000")
        .fetch_one(one)
        .await?;
    sum += sqlx::query_scalar::<_, i64>("select 100000")
        .fetch_one(many)
        .await?;
    Ok(sum)
}

#[tokio::test]
async fn a_type_means_the_same_under_any_name() {
    assert_eq!(aliases().await.expect("a number"), 111_111);
    let opened = [
        ALIASES_DB.stats(),
        ALIASES_TX.stats(),
        ALIASES_NAMED.stats(),
        ALIASES_POOL.stats(),
        ALIASES_ONE.stats(),
        ALIASES_MANY.stats(),
    ];
    assert_eq!(opened.map(|stats| stats.opened), [1, 1, 1, 1, 1, 0]);
}
