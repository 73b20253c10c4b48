//! Other attributes, above and below: a warning that is missing fails its `expect`, and one that is
//! too much fails the build of those who deny it, as this module does.
#![deny(
    warnings,
    let_underscore_drop,
    single_use_lifetimes,
    unit_bindings,
    unused_lifetimes,
    unused_qualifications,
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
async fn deprecated() {
    #[expect(deprecated, reason = "the caller is told")]
    let one = old().await;
    #[expect(deprecated, reason = "the caller is told")]
    let two = older().await;
    assert_eq!((one.expect("a number"), two.expect("a number")), (1, 2));
    assert_eq!((OLD_DB.stats().opened, OLDER_DB.stats().reused), (1, 1));
}

#[reuse_db(source = MEMORY)]
#[must_use = "it is expensive"]
async fn expensive(db: &mut SqliteConnection) -> reuse_db_answer::Answer {
    reuse_db_answer::Answer(sqlx::query("select 1").execute(db).await.is_ok())
}

/// A return type of the user's own.
mod reuse_db_answer {
    pub(super) struct Answer(pub(super) bool);

    impl reuse_db::FromError for Answer {
        fn from_error(_: reuse_db::Error) -> Self {
            Self(false)
        }
    }
}

#[tokio::test]
async fn must_use() {
    let mut db = SqliteConnection::connect("sqlite::memory:")
        .await
        .expect("a connection");
    #[expect(unused_must_use, reason = "the caller is told")]
    {
        expensive().await;
    }
    #[expect(unused_must_use, reason = "the caller is told")]
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
    db: &mut SqliteConnection,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select ?")
        .bind(a + b + c + d + e + f + g)
        .fetch_one(db)
        .await
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

/// With a lifetime that is needed beside the database alone.
#[reuse_db(source = MEMORY)]
async fn lending<'a>(text: &'a str, db: &mut SqliteConnection) -> Result<&'a str, sqlx::Error> {
    sqlx::query("select 1").execute(db).await?;
    Ok(text)
}

#[reuse_db(source = MEMORY)]
#[expect(dead_code, reason = "nobody calls it")]
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
async fn lints_and_the_rest() {
    expecting(1).await.expect("nothing");
    assert_eq!(many(1, 2, 3, 4, 5, 6, 7).await.expect("a number"), 28);
    assert_eq!(Allowing(7, 0).await.expect("a number"), 7);
    assert_eq!(rest().await.expect("a number"), 1);
    assert_eq!(lending("a").await.expect("a text"), "a");
    let reused = [MANY_DB.stats(), ALLOWING_DB.stats(), REST_DB.stats()].map(|stats| stats.reused);
    assert_eq!((EXPECTING_DB.stats().opened, reused), (1, [1, 1, 1]));
}
