//! Other attributes, above and below `#[reuse_db]`. A missing warning fails its `expect`, and a
//! superfluous warning fails the build, because this module denies warnings.
#![deny(
    warnings,
    let_underscore_drop,
    single_use_lifetimes,
    unit_bindings,
    unused_lifetimes,
    unused_qualifications,
    unused_results,
    clippy::pedantic
)]

use reuse_db::reuse_db;
use sqlx::{Connection as _, SqliteConnection};

use crate::{MEMORY, counts, one_connection};

#[deprecated = "use another"]
#[reuse_db(source = MEMORY)]
async fn old(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select 1").fetch_one(db).await
}

#[reuse_db(source = MEMORY)]
#[deprecated(since = "1.0.0", note = "use another")]
async fn older(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select 2").fetch_one(db).await
}

#[tokio::test]
async fn a_call_of_a_deprecated_handler_is_a_warning() {
    #[expect(deprecated, reason = "the attribute applies")]
    let one = old().await;
    #[expect(deprecated, reason = "the attribute applies")]
    let two = older().await;
    assert_eq!((one.expect("a number"), two.expect("a number")), (1, 2));
    assert_eq!((OLD_DB.stats().opened, OLDER_DB.stats().reused), (1, 1));
}

#[reuse_db(source = MEMORY)]
#[must_use = "it is expensive"]
async fn expensive(db: &mut SqliteConnection) -> reuse_db_answer::Answer {
    reuse_db_answer::Answer(sqlx::query("select 1").execute(db).await.is_ok())
}

/// A user-defined return type.
mod reuse_db_answer {
    pub(super) struct Answer(pub(super) bool);

    impl reuse_db::FromError for Answer {
        fn from_error(_: reuse_db::Error) -> Self {
            Self(false)
        }
    }
}

#[tokio::test]
async fn an_unused_result_of_either_function_is_a_warning() {
    let mut db = SqliteConnection::connect("sqlite::memory:")
        .await
        .expect("a connection");
    #[expect(unused_must_use, reason = "the attribute applies")]
    {
        expensive().await;
    }
    #[expect(unused_must_use, reason = "the attribute applies")]
    {
        expensive_with(&mut db).await;
    }
    assert!(expensive().await.0 && expensive_with(&mut db).await.0);
    assert_eq!(counts(EXPENSIVE_DB.stats()), one_connection(2));
}

#[reuse_db(source = MEMORY)]
#[expect(unused_variables, clippy::unused_async, reason = "it does nothing")]
async fn expecting(unused: i64, db: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    Ok(())
}

/// Both functions have too many arguments, and the expectation is on the inner one.
#[expect(clippy::too_many_arguments, clippy::many_single_char_names)]
#[reuse_db(source = MEMORY)]
async fn many(
    a: i64,
    b: i64,
    c: i64,
    d: i64,
    e: i64,
    f: i64,
    g: i64,
    h: i64,
    db: &mut SqliteConnection,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select ?")
        .bind(a + b + c + d + e + f + g + h)
        .fetch_one(db)
        .await
}

/// The names of both functions are wrong, and the expectation is on the inner one.
#[reuse_db(source = MEMORY)]
#[expect(non_snake_case, reason = "as written")]
async fn ExpectingName(N: i64, db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select ?").bind(N).fetch_one(db).await
}

/// The outer function uses a parameter with an underscore, which is no warning.
#[reuse_db(source = MEMORY)]
async fn underscored(_id: i64, db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select 1").fetch_one(db).await
}

#[reuse_db(source = MEMORY)]
#[allow(non_snake_case, unused_mut, reason = "as written")]
async fn Allowing(
    mut N: i64,
    #[expect(unused_variables)] unused: u8,
    db: &mut SqliteConnection,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select ?").bind(N).fetch_one(db).await
}

/// Beside the database's reference, the lifetime cannot be elided.
#[reuse_db(source = MEMORY)]
async fn lending<'a>(text: &'a str, db: &mut SqliteConnection) -> Result<&'a str, sqlx::Error> {
    sqlx::query("select 1").execute(db).await.map(drop)?;
    Ok(text)
}

#[reuse_db(source = MEMORY)]
#[allow(dead_code, reason = "nobody calls it")]
async fn dead(db: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("select 1").execute(db).await.map(drop)
}

#[reuse_db(source = MEMORY)]
#[inline]
#[cold]
#[doc(hidden)]
#[cfg_attr(test, doc = "documented", allow(unused_mut))]
#[rustfmt::skip]
#[clippy::cognitive_complexity = "10"]
async fn rest(mut db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select 1").fetch_one(db).await
}

#[tokio::test]
async fn lint_levels_and_other_attributes_cause_no_warning() {
    expecting(1).await.expect("nothing");
    assert_eq!(many(1, 2, 3, 4, 5, 6, 7, 8).await.expect("a number"), 36);
    assert_eq!(Allowing(7, 0).await.expect("a number"), 7);
    assert_eq!(ExpectingName(7).await.expect("a number"), 7);
    assert_eq!(underscored(7).await.expect("a number"), 1);
    assert_eq!(rest().await.expect("a number"), 1);
    assert_eq!(lending("a").await.expect("a text"), "a");
    let reused = [MANY_DB.stats(), ALLOWING_DB.stats(), REST_DB.stats()].map(|stats| stats.reused);
    assert_eq!((EXPECTING_DB.stats().opened, reused), (1, [1, 1, 1]));
}
