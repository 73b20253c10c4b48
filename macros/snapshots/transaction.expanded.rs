//! A transaction.
use sqlx::{Postgres, Transaction};
/// The kept connections of [`add`](fn@add).
pub static ADD_TX: ::reuse_db::Exclusive<Transaction<'static, Postgres>> = ::reuse_db::Exclusive::of_handler(
    ::reuse_db::Source::env("DATABASE_URL"),
    ::core::module_path!(),
    "add",
);
/// Adds a user.
///
/// # Errors
///
/// Returns the database's errors.
pub async fn add(name: String) -> Result<(), sqlx::Error> {
    let mut lease = ::core::option::Option::None;
    let mut open = match ::reuse_db::__private::open(&ADD_TX, &mut lease).await {
        ::core::result::Result::Ok(open) => open,
        ::core::result::Result::Err(error) => {
            return ::reuse_db::FromError::from_error(error);
        }
    };
    let output = add_with(name, &mut open).await;
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
/// The body of [`add`](fn@add), for callers with a database of their own.
///
/// Adds a user.
///
/// # Errors
///
/// Returns the database's errors.
pub async fn add_with(
    name: String,
    tx: &mut Transaction<'_, Postgres>,
) -> Result<(), sqlx::Error> {
    sqlx::query("insert into users (name) values ($1)")
        .bind(name)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
