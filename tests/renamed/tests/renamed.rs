//! The argument `crate = …`, in a crate of an older edition without the name `reuse_db`.

use kept::{reuse_db, Source};
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};

const MEMORY: Source = Source::env("NO_SUCH_VARIABLE").or("sqlite::memory:");

#[reuse_db(crate = kept, source = MEMORY)]
async fn each_form(
    #[db] db: &mut SqliteConnection,
    #[db] tx: &mut Transaction<'_, Sqlite>,
    #[db] pool: &SqlitePool,
    #[db] own: SqlitePool,
) -> Result<i64, sqlx::Error> {
    let mut sum: i64 = sqlx::query_scalar("select 1").fetch_one(db).await?;
    sum += sqlx::query_scalar::<_, i64>("select 10")
        .fetch_one(&mut **tx)
        .await?;
    sum += sqlx::query_scalar::<_, i64>("select 100")
        .fetch_one(pool)
        .await?;
    sum += sqlx::query_scalar::<_, i64>("select 1000")
        .fetch_one(&own)
        .await?;
    Ok(sum)
}

#[reuse_db(crate = ::kept)]
async fn by_default(
    #[db(env = "NO_SUCH_VARIABLE")] _db: &mut SqliteConnection,
) -> Result<(), kept::Error> {
    Ok(())
}

#[tokio::test]
async fn the_attribute_finds_a_dependency_with_another_name() {
    assert_eq!(each_form().await.expect("a sum"), 1111);
    let opened = [
        EACH_FORM_DB.stats(),
        EACH_FORM_TX.stats(),
        EACH_FORM_POOL.stats(),
        EACH_FORM_OWN.stats(),
    ];
    assert_eq!(
        opened.map(|stats| (stats.opened, stats.reused)),
        [(1, 0), (1, 0), (1, 0), (0, 1)]
    );
    let error = by_default().await.expect_err("there is no such variable");
    assert!(error.to_string().contains("`NO_SUCH_VARIABLE`"), "{error}");
}

#[reuse_db_tests_renamed::kept::reuse_db(crate = reuse_db_tests_renamed::kept, source = MEMORY)]
async fn through_a_re_export(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select 1").fetch_one(db).await
}

reuse_db_tests_renamed::handler! {
    #[must_use]
    async fn through_a_macro(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar("select 2").fetch_one(db).await
    }
}

#[tokio::test]
async fn the_attribute_works_through_a_re_export_and_a_macro() {
    assert_eq!(through_a_re_export().await.expect("a number"), 1);
    assert_eq!(through_a_macro().await.expect("a number"), 2);
    assert_eq!(
        (
            THROUGH_A_RE_EXPORT_DB.stats().opened,
            THROUGH_A_MACRO_DB.stats().reused
        ),
        (1, 1)
    );
}

#[reuse_db(crate = kept, source = MEMORY)]
async fn opaque<'a, T: Copy>(
    things: &'a [T],
    db: &mut SqliteConnection,
) -> Result<impl Iterator<Item = T> + 'a, sqlx::Error> {
    let twice: i64 = sqlx::query_scalar("select 2").fetch_one(db).await?;
    Ok(things
        .iter()
        .copied()
        .flat_map(move |thing| (0..twice).map(move |_| thing)))
}

#[tokio::test]
async fn an_opaque_result_may_borrow_in_an_older_edition() {
    let things = opaque(&['a', 'b']).await.expect("things");
    assert_eq!(things.collect::<String>(), "aabb");
    assert_eq!(OPAQUE_DB.stats().opened, 1);
}
