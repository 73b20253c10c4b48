//! Other attributes.
use sqlx::PgConnection;
/// The kept connections of [`end`](fn@end).
#[cfg(not(target_os = "none"))]
#[allow(clippy::cast_possible_truncation, reason = "ids are small")]
pub static END_DB: ::reuse_db::Exclusive<PgConnection> = ::reuse_db::Exclusive::of_handler(
    ::reuse_db::Source::env("DATABASE_URL"),
    ::core::module_path!(),
    "end",
);
/// Ends a session.
///
/// # Errors
///
/// Returns the database's errors.
#[cfg(not(target_os = "none"))]
#[must_use = "it may have failed"]
#[deprecated(note = "sessions end by themselves")]
#[allow(clippy::cast_possible_truncation, reason = "ids are small")]
pub async fn end(#[allow(unused_mut)] id: i64) -> Result<i32, sqlx::Error> {
    let mut lease = ::core::option::Option::None;
    let mut open = match ::reuse_db::__private::open(&END_DB, &mut lease).await {
        ::core::result::Result::Ok(open) => open,
        ::core::result::Result::Err(error) => {
            return ::reuse_db::FromError::from_error(error);
        }
    };
    let output = end_with(id, &mut open).await;
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
/// The body of [`end`](fn@end), for callers with a database of their own.
///
/// Ends a session.
///
/// # Errors
///
/// Returns the database's errors.
#[cfg(not(target_os = "none"))]
#[must_use = "it may have failed"]
#[expect(clippy::cast_possible_truncation, reason = "ids are small")]
#[tracing::instrument(skip(db))]
pub async fn end_with(
    #[allow(unused_mut)]
    mut id: i64,
    db: &mut PgConnection,
) -> Result<i32, sqlx::Error> {
    sqlx::query("delete from sessions where id = $1").bind(id).execute(db).await?;
    Ok(id as i32)
}
