//! Several databases, and where each is.

use reuse_db::{Source, reuse_db};
use sqlx::{Connection as _, Sqlite, SqliteConnection, SqlitePool, Transaction};

use super::{MEMORY, NONE, counts};

/// Two exclusive parameters on one depot are two connections, kept for the next time.
#[tokio::test]
async fn two_connections_of_one_source() {
    #[reuse_db(source = MEMORY)]
    async fn both(
        #[db] one: &mut SqliteConnection,
        name: &str,
        #[db] two: &mut SqliteConnection,
    ) -> Result<bool, sqlx::Error> {
        for db in [&mut *one, &mut *two] {
            sqlx::query("create table if not exists names (name)")
                .execute(db)
                .await?;
        }
        sqlx::query("insert into names values ($1)")
            .bind(name)
            .execute(&mut *one)
            .await?;
        let (in_one, in_two): (i64, i64) = (
            sqlx::query_scalar("select count(*) from names where name = $1")
                .bind(name)
                .fetch_one(one)
                .await?,
            sqlx::query_scalar("select count(*) from names where name = $1")
                .bind(name)
                .fetch_one(two)
                .await?,
        );
        Ok((in_one, in_two) == (1, 0))
    }

    for name in ["a", "b", "c"] {
        assert!(both(name).await.expect("an answer"));
    }
    let (one, two) = (BOTH_ONE.stats(), BOTH_TWO.stats());
    assert_eq!((one.opened + two.opened, one.reused + two.reused), (2, 4));
}

#[tokio::test]
async fn a_connection_a_transaction_a_pool_and_a_clone() {
    #[reuse_db(source = MEMORY)]
    async fn all(
        #[db] db: &mut SqliteConnection,
        #[db] tx: &mut Transaction<'_, Sqlite>,
        (left, right): (i64, i64),
        #[db] borrowed: &SqlitePool,
        #[db] owned: SqlitePool,
    ) -> Result<i64, sqlx::Error> {
        let in_background = tokio::spawn(async move {
            sqlx::query_scalar::<_, i64>("select 1000")
                .fetch_one(&owned)
                .await
        });
        let sum: i64 = sqlx::query_scalar("select $1 + $2")
            .bind(left)
            .bind(right)
            .fetch_one(db)
            .await?;
        let sum: i64 = sqlx::query_scalar("select $1 + 10")
            .bind(sum)
            .fetch_one(&mut **tx)
            .await?;
        let sum: i64 = sqlx::query_scalar("select $1 + 100")
            .bind(sum)
            .fetch_one(borrowed)
            .await?;
        Ok(sum + in_background.await.map_err(std::io::Error::other)??)
    }

    for _ in 0..2 {
        assert_eq!(all((1, 2)).await.expect("a sum"), 1113);
    }
    assert_eq!(ALL_DB.stats().opened + ALL_TX.stats().opened, 2);
    assert_eq!(ALL_BORROWED.stats().opened + ALL_OWNED.stats().opened, 1);
}

/// The parameter's own place wins over the function's, and that over the default.
#[tokio::test]
async fn places_and_names() {
    const A: Source = Source::env("NO_SUCH_VARIABLE").or("sqlite:file:a?mode=memory&cache=shared");
    const B: Source = Source::env("NO_SUCH_VARIABLE").or("sqlite:file:b?mode=memory&cache=shared");

    async fn file(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
        sqlx::query("create table if not exists visits (id)")
            .execute(&mut *db)
            .await?;
        sqlx::query("insert into visits values (1)")
            .execute(&mut *db)
            .await?;
        sqlx::query_scalar("select count(*) from visits")
            .fetch_one(db)
            .await
    }
    #[reuse_db(source = A, inject = on_both)]
    async fn visit(
        #[db(name = THE_FIRST)] a: &mut SqliteConnection,
        #[db(source = B, name = THE_SECOND)] b: &mut SqliteConnection,
    ) -> Result<(i64, i64), sqlx::Error> {
        Ok((file(a).await?, file(b).await?))
    }
    #[reuse_db(source = B)]
    async fn visit_b(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
        file(db).await
    }

    assert_eq!(visit().await.expect("two counts"), (1, 1));
    assert_eq!(visit_b().await.expect("a count"), 2);
    assert_eq!(visit().await.expect("two counts"), (2, 3));
    assert_eq!(THE_FIRST.stats().opened, 1);
    assert_eq!(THE_SECOND.stats().opened + VISIT_B_DB.stats().opened, 1);

    let mut own = SqliteConnection::connect("sqlite::memory:")
        .await
        .expect("a connection");
    let mut other = SqliteConnection::connect("sqlite::memory:")
        .await
        .expect("a connection");
    assert_eq!(
        on_both(&mut own, &mut other).await.expect("two counts"),
        (1, 1)
    );
}

#[tokio::test]
async fn a_variable_by_name() {
    #[reuse_db(env = "NO_SUCH_READER_URL")]
    async fn of_the_function(_db: &mut SqliteConnection) -> Result<(), reuse_db::Error> {
        Ok(())
    }
    #[reuse_db(source = MEMORY)]
    async fn of_the_parameter(
        #[db(env = "NO_SUCH_WRITER_URL")] _db: &mut SqliteConnection,
    ) -> Result<(), reuse_db::Error> {
        Ok(())
    }

    let error = of_the_function().await.expect_err("no URL").to_string();
    assert!(error.contains("`NO_SUCH_READER_URL` is not set"), "{error}");
    let error = of_the_parameter().await.expect_err("no URL").to_string();
    assert!(error.contains("`NO_SUCH_WRITER_URL` is not set"), "{error}");
}

/// Nobody had their hands on the first, so it is as good as before.
#[tokio::test]
async fn without_the_second_the_first_is_kept() {
    #[reuse_db(source = MEMORY)]
    async fn both(
        #[db] _one: &mut Transaction<'_, Sqlite>,
        #[db(source = NONE)] _two: &mut SqliteConnection,
    ) -> Result<(), reuse_db::Error> {
        Ok(())
    }

    for _ in 0..3 {
        both().await.expect_err("no second database");
    }
    assert_eq!(counts(BOTH_ONE.stats()), (1, 2, 0));
    assert_eq!(BOTH_TWO.stats().refused, 3);
}
