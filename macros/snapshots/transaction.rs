//! A transaction.

use reuse_db::reuse_db;
use sqlx::{Postgres, Transaction};

/// Adds a user.
///
/// # Errors
///
/// Returns the database's errors.
#[reuse_db]
pub async fn add(name: String, tx: &mut Transaction<'_, Postgres>) -> Result<(), sqlx::Error> {
    sqlx::query("insert into users (name) values ($1)")
        .bind(name)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
