//! Two marked databases.
use reuse_db::Source;
use sqlx::{PgConnection, PgPool};
const WRITER: Source = Source::env("WRITER_URL").on_connect("set search_path to app");
/// The kept connections of [`copy`](fn@copy).
pub static COPY_WRITER: ::reuse_db::Exclusive<PgConnection> = ::reuse_db::Exclusive::of_handler(
    WRITER,
    ::core::module_path!(),
    "copy",
);
/// The kept database of [`copy`](fn@copy).
pub static READER: ::reuse_db::Shared<PgPool> = ::reuse_db::Shared::of_handler(
    ::reuse_db::Source::env("READER_URL"),
    ::core::module_path!(),
    "copy",
);
/// Copies a name.
///
/// # Errors
///
/// Returns the errors of both databases.
pub async fn copy(id: i64) -> Result<(), sqlx::Error> {
    let mut lease = ::core::option::Option::None;
    if let ::core::result::Result::Err(error) = ::reuse_db::__private::lease(
            &COPY_WRITER,
            &mut lease,
        )
        .await
    {
        return ::reuse_db::FromError::from_error(error);
    }
    let lease1 = match ::reuse_db::__private::lease_shared(&READER).await {
        ::core::result::Result::Ok(lease1) => lease1,
        ::core::result::Result::Err(error) => {
            return ::reuse_db::FromError::from_error(error);
        }
    };
    let mut open = match ::reuse_db::__private::open(&COPY_WRITER, &mut lease).await {
        ::core::result::Result::Ok(open) => open,
        ::core::result::Result::Err(error) => {
            return ::reuse_db::FromError::from_error(error);
        }
    };
    let output = copy_between(&mut open, id, ::reuse_db::SharedLease::get(&lease1))
        .await;
    let outcome = ::reuse_db::__private::Judge::new(&output).__outcome();
    if let ::core::result::Result::Err(error) = ::reuse_db::Finish::finish(open, outcome)
        .await
    {
        ::reuse_db::__private::settle_unfinished(lease, &error);
        return ::reuse_db::FromError::from_error(error);
    }
    ::reuse_db::__private::settle(lease, outcome);
    ::reuse_db::SharedLease::settle(lease1, outcome);
    output
}
/// The body of [`copy`](fn@copy), for callers with a database of their own.
///
/// Copies a name.
///
/// # Errors
///
/// Returns the errors of both databases.
pub async fn copy_between(
    writer: &mut PgConnection,
    id: i64,
    reader: &PgPool,
) -> Result<(), sqlx::Error> {
    let name: String = sqlx::query_scalar("select name from users where id = $1")
        .bind(id)
        .fetch_one(reader)
        .await?;
    sqlx::query("insert into names values ($1)").bind(name).execute(writer).await?;
    Ok(())
}
