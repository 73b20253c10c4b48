//! Generics, lifetimes and bounds of the other parameters.

use std::fmt::Display;
use std::marker::PhantomData;

use reuse_db::reuse_db;
use sqlx::sqlite::SqliteRow;
use sqlx::{ColumnIndex, Decode, Row, Sqlite, SqliteConnection, Transaction, Type};

use crate::{MEMORY, counts, one_connection};

/// Only the caller determines `T`.
#[reuse_db(source = MEMORY)]
async fn read<T>(sql: &'static str, db: &mut SqliteConnection) -> Result<T, sqlx::Error>
where
    T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + Send + Unpin,
    usize: ColumnIndex<SqliteRow>,
{
    sqlx::query(sql).fetch_one(db).await?.try_get(0)
}

#[tokio::test]
async fn a_type_parameter_of_the_result_is_inferred() {
    assert_eq!(read::<i64>("select 7").await.expect("a number"), 7);
    let text: String = read("select 'seven'").await.expect("a text");
    assert_eq!(
        (text.as_str(), counts(READ_DB.stats())),
        ("seven", one_connection(2))
    );
}

#[reuse_db(source = MEMORY)]
async fn repeat<const N: usize, T: Display + Sync>(
    things: [T; N],
    _kind: PhantomData<[(); N]>,
    db: &mut SqliteConnection,
) -> Result<[String; N], sqlx::Error> {
    let mut texts = [const { String::new() }; N];
    for (text, thing) in texts.iter_mut().zip(&things) {
        *text = sqlx::query_scalar("select ?1 || ?1")
            .bind(thing.to_string())
            .fetch_one(&mut *db)
            .await?;
    }
    Ok(texts)
}

/// Only the body names the parameters.
#[reuse_db(source = MEMORY)]
async fn size<T, const SCALE: i64>(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let size = i64::try_from(size_of::<T>()).unwrap_or(i64::MAX);
    sqlx::query_scalar("select ? * ?")
        .bind(size)
        .bind(SCALE)
        .fetch_one(db)
        .await
}

#[tokio::test]
async fn const_parameters_are_passed_on() {
    assert_eq!(
        repeat([1, 2], PhantomData).await.expect("texts"),
        ["11", "22"]
    );
    assert_eq!(
        repeat::<1, _>(["a"], PhantomData).await.expect("texts"),
        ["aa"]
    );
    assert_eq!(size::<u32, 10>().await.expect("a number"), 40);
    assert_eq!(counts(REPEAT_DB.stats()), one_connection(2));
}

struct Named<'n>(&'n str);

#[reuse_db(source = MEMORY)]
async fn longest<'a, 'b: 'a, 'c>(
    a: &'a str,
    &Named(b): &Named<'b>,
    tx: &'c mut Transaction<'_, Sqlite>,
) -> Result<&'a str, sqlx::Error> {
    let is_longer = sqlx::query_scalar("select length(?) > length(?)");
    Ok(if is_longer.bind(a).bind(b).fetch_one(&mut **tx).await? {
        a
    } else {
        b
    })
}

#[tokio::test]
async fn a_result_borrows_from_another_parameter() {
    let short = "ab".to_owned();
    let found = {
        let short = Named(&short);
        longest("a", &short).await.expect("a text")
    };
    assert_eq!(
        (found, longest("abc", &Named(&short)).await.expect("a text")),
        ("ab", "abc")
    );
    assert_eq!(counts(LONGEST_TX.stats()), one_connection(2));
}

#[reuse_db(source = MEMORY)]
async fn say(
    text: impl Display + Send,
    then: impl AsyncFnOnce(&str) -> String,
    all: &(impl IntoIterator<Item = i64> + Copy),
    db: &mut SqliteConnection,
) -> Result<String, sqlx::Error> {
    let text: String = sqlx::query_scalar("select ? || ?")
        .bind(text.to_string())
        .bind(all.into_iter().sum::<i64>())
        .fetch_one(db)
        .await?;
    Ok(then(&text).await)
}

#[tokio::test]
async fn impl_trait_arguments_are_passed_on() {
    let shout = async |text: &str| text.to_uppercase();
    assert_eq!(say('a', shout, &[1, 2]).await.expect("a text"), "A3");
    assert_eq!(say("b", shout, &Some(7)).await.expect("a text"), "B7");
    assert_eq!(counts(SAY_DB.stats()), one_connection(2));
}

#[reuse_db(source = MEMORY)]
async fn by_reference(
    f: &(dyn Fn(i64) -> i64 + Sync),
    db: &mut SqliteConnection,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select ?")
        .bind(f(20))
        .fetch_one(db)
        .await
}

#[tokio::test]
async fn a_trait_object_is_passed_on() {
    let task = tokio::spawn(async { by_reference(&|n| n + 1).await });
    assert_eq!(task.await.expect("no panic").expect("a number"), 21);
    assert_eq!(counts(BY_REFERENCE_DB.stats()), one_connection(1));
}
