//! Generics, lifetimes, patterns and an opaque response.

use lambda_http::{IntoResponse, Request};
use reuse_db::reuse_db;
use sqlx::PgConnection;

/// Finds a row.
///
/// # Errors
///
/// Returns the database's errors.
#[reuse_db]
pub async fn r#match<'r, K, const N: usize>(
    (table, _): (&'r str, [u8; N]),
    mut keys: Vec<K>,
    _: &Request,
    r#in: &mut PgConnection,
) -> Result<impl IntoResponse, sqlx::Error>
where
    K: Into<i64> + Send + 'r,
{
    let key: i64 = keys.pop().map_or(0, Into::into);
    let sql = sqlx::AssertSqlSafe(format!("select name from {table} where id = $1"));
    let name: String = sqlx::query_scalar(sql).bind(key).fetch_one(r#in).await?;
    Ok(name)
}
