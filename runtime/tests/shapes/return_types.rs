//! Return types and their borrows.

use std::collections::HashMap;
use std::ops::Deref;

use reuse_db::{Error, reuse_db};
use sqlx::SqliteConnection;

use crate::{MEMORY, counts, one_connection};

#[reuse_db(source = MEMORY)]
async fn borrowed<'a>(
    texts: &'a [String],
    n: i64,
    db: &mut SqliteConnection,
) -> Result<Option<&'a str>, sqlx::Error> {
    let at: i64 = sqlx::query_scalar("select ? - 1")
        .bind(n)
        .fetch_one(db)
        .await?;
    Ok(usize::try_from(at)
        .ok()
        .and_then(|at| texts.get(at))
        .map(Deref::deref))
}

#[tokio::test]
async fn a_result_borrows_from_another_parameter() {
    let texts = ["a".to_owned(), "b".to_owned()];
    assert_eq!(borrowed(&texts, 2).await.expect("an answer"), Some("b"));
    assert_eq!(borrowed(&texts, 3).await.expect("an answer"), None);
    assert_eq!(counts(BORROWED_DB.stats()), one_connection(2));
}

#[reuse_db(source = MEMORY)]
async fn iterator(
    n: i64,
    db: &mut SqliteConnection,
) -> Result<impl Iterator<Item = i64> + use<>, Error> {
    let squares: Vec<i64> = sqlx::query_scalar(
        "with recursive r(i) as (select 1 union all select i + 1 from r where i < ?) \
         select i * i from r",
    )
    .bind(n)
    .fetch_all(db)
    .await?;
    Ok(squares.into_iter())
}

#[reuse_db(source = MEMORY)]
async fn callback<'a, F: Fn(i64) -> i64>(
    f: &'a F,
    db: &mut SqliteConnection,
) -> Result<impl Fn() -> i64, Error> {
    let n = sqlx::query_scalar("select 20").fetch_one(db).await?;
    Ok(move || f(n))
}

#[tokio::test]
async fn an_opaque_result_outlives_the_lease() {
    assert_eq!(
        iterator(3).await.expect("squares").collect::<Vec<_>>(),
        [1, 4, 9]
    );
    let offset = 1;
    let add = |n| n + offset;
    // The connection is released before the call.
    let callback = callback(&add).await.expect("a function");
    assert_eq!(callback(), 21);
    assert_eq!(
        (counts(ITERATOR_DB.stats()), CALLBACK_DB.stats().reused),
        (one_connection(1), 1)
    );
}

type Answer<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[reuse_db(source = MEMORY)]
async fn nested(db: &mut SqliteConnection) -> Answer<Result<HashMap<&'static str, i64>, String>> {
    let n: i64 = sqlx::query_scalar("select 7").fetch_one(db).await?;
    Ok(Ok(HashMap::from([("n", n)])))
}

#[reuse_db(source = MEMORY)]
async fn nothing(_db: &mut SqliteConnection) -> Answer<()> {
    Ok(())
}

#[reuse_db(source = MEMORY)]
async fn never(db: &mut SqliteConnection) -> Result<std::convert::Infallible, sqlx::Error> {
    sqlx::query("select * from no_such_table")
        .execute(db)
        .await?;
    Err(sqlx::Error::RowNotFound)
}

#[tokio::test]
async fn a_return_type_is_an_alias_or_nested_or_never_ok() {
    assert_eq!(nested().await.expect("an answer").expect("a map")["n"], 7);
    nothing().await.expect("nothing");
    assert!(matches!(never().await, Err(sqlx::Error::Database(_))));
    assert_eq!(
        (
            NESTED_DB.stats().opened,
            NOTHING_DB.stats().reused,
            NEVER_DB.stats().reused
        ),
        (1, 1, 1)
    );
}
