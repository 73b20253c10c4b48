//! Other attributes.

use reuse_db::reuse_db;
use sqlx::PgConnection;

/// Ends a session.
///
/// # Errors
///
/// Returns the database's errors.
#[cfg(not(target_os = "none"))]
#[must_use = "it may have failed"]
#[deprecated(note = "sessions end by themselves")]
#[expect(clippy::cast_possible_truncation, reason = "ids are small")]
#[reuse_db]
#[tracing::instrument(skip(db))]
pub async fn end(
    #[allow(unused_mut)] mut id: i64,
    db: &mut PgConnection,
) -> Result<i32, sqlx::Error> {
    sqlx::query("delete from sessions where id = $1")
        .bind(id)
        .execute(db)
        .await?;
    Ok(id as i32)
}
