//! A cloned pool.

use reuse_db::{Source, reuse_db};
use sqlx::PgPool;

/// Asks twice, once in the background.
///
/// # Errors
///
/// Returns the database's errors.
#[reuse_db(source = Source::env("READER_URL").max_connections(2))]
pub async fn ask(pool: PgPool) -> Result<tokio::task::JoinHandle<bool>, sqlx::Error> {
    sqlx::query("select 1").execute(&pool).await?;
    Ok(tokio::spawn(async move {
        sqlx::query("select 1").execute(&pool).await.is_ok()
    }))
}
