//! Generics, lifetimes, patterns and an opaque response.
use lambda_http::{IntoResponse, Request};
use sqlx::PgConnection;
/// The kept connections of [`match`](fn@match).
pub static MATCH_IN: ::reuse_db::Exclusive<PgConnection> = ::reuse_db::Exclusive::of_handler(
    ::reuse_db::Source::env("DATABASE_URL"),
    ::core::module_path!(),
    "match",
);
/// Finds a row.
///
/// # Errors
///
/// Returns the database's errors.
#[allow(clippy::needless_lifetimes)]
pub async fn r#match<'r, K, const N: usize>(
    __arg0: (&'r str, [u8; N]),
    keys: Vec<K>,
    __arg2: &Request,
) -> Result<impl IntoResponse, sqlx::Error>
where
    K: Into<i64> + Send + 'r,
{
    let mut lease = ::core::option::Option::None;
    let mut open = match ::reuse_db::__private::open(&MATCH_IN, &mut lease).await {
        ::core::result::Result::Ok(open) => open,
        ::core::result::Result::Err(error) => {
            return ::reuse_db::FromError::from_error(error);
        }
    };
    let output = match_with::<K, N>(__arg0, keys, __arg2, &mut open).await;
    let outcome = ::reuse_db::__private::Judge::new(&output).__outcome();
    if let ::core::result::Result::Err(error) = ::reuse_db::Finish::finish(open, outcome)
        .await
    {
        ::reuse_db::__private::settle_unfinished(lease, &error);
        return ::reuse_db::FromError::from_error(error);
    }
    ::reuse_db::__private::settle(lease, outcome);
    output
}
/// The body of [`match`](fn@match), for callers with a database of their own.
///
/// Finds a row.
///
/// # Errors
///
/// Returns the database's errors.
pub async fn match_with<'r, K, const N: usize>(
    (table, _): (&'r str, [u8; N]),
    mut keys: Vec<K>,
    _: &Request,
    r#in: &mut PgConnection,
) -> Result<impl use<'r, K, N> + IntoResponse, sqlx::Error>
where
    K: Into<i64> + Send + 'r,
{
    let key: i64 = keys.pop().map_or(0, Into::into);
    let sql = sqlx::AssertSqlSafe(format!("select name from {table} where id = $1"));
    let name: String = sqlx::query_scalar(sql).bind(key).fetch_one(r#in).await?;
    Ok(name)
}
