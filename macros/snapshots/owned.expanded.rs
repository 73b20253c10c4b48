//! A cloned pool.
use reuse_db::Source;
use sqlx::PgPool;
/// The kept database of [`ask`](fn@ask).
pub static ASK_POOL: ::reuse_db::Shared<PgPool> = ::reuse_db::Shared::of_handler(
    Source::env("READER_URL").max_connections(2),
    ::core::module_path!(),
    "ask",
);
/// Asks twice, once in the background.
///
/// # Errors
///
/// Returns the database's errors.
pub async fn ask() -> Result<tokio::task::JoinHandle<bool>, sqlx::Error> {
    let (open, mut lease) = match ::reuse_db::__private::lease_owned(&ASK_POOL).await {
        ::core::result::Result::Ok(lease) => lease,
        ::core::result::Result::Err(error) => {
            return ::reuse_db::FromError::from_error(error);
        }
    };
    let output = ask_with(open).await;
    let outcome = ::reuse_db::__private::Judge::new(&output).__outcome();
    if let ::core::result::Result::Err(error) = ::reuse_db::__private::prepare_owned(
            &mut lease,
            outcome,
        )
        .await
    {
        return ::reuse_db::FromError::from_error(error);
    }
    ::reuse_db::__private::settle_owned(lease, outcome);
    output
}
/// The body of [`ask`](fn@ask), for callers with a database of their own.
///
/// Asks twice, once in the background.
///
/// # Errors
///
/// Returns the database's errors.
pub async fn ask_with(
    pool: PgPool,
) -> Result<tokio::task::JoinHandle<bool>, sqlx::Error> {
    sqlx::query("select 1").execute(&pool).await?;
    Ok(tokio::spawn(async move { sqlx::query("select 1").execute(&pool).await.is_ok() }))
}
