//! Two marked databases.

use reuse_db::{Source, reuse_db};
use sqlx::{PgConnection, PgPool};

const WRITER: Source = Source::env("WRITER_URL").on_connect("set search_path to app");

/// Copies a name.
///
/// # Errors
///
/// Returns the errors of both databases.
#[reuse_db(source = WRITER, with = copy_between)]
pub async fn copy(
    #[db] writer: &mut PgConnection,
    id: i64,
    #[db(env = "READER_URL", name = READER)] reader: &PgPool,
) -> Result<(), sqlx::Error> {
    let name: String = sqlx::query_scalar("select name from users where id = $1")
        .bind(id)
        .fetch_one(reader)
        .await?;
    sqlx::query("insert into names values ($1)")
        .bind(name)
        .execute(writer)
        .await?;
    Ok(())
}
