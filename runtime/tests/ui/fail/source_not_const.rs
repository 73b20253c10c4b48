use reuse_db::{Source, reuse_db};
use sqlx::PgConnection;

fn reader() -> Source {
    Source::env("READER_URL")
}

#[reuse_db(source = reader())]
async fn handler(_id: u32, _db: &mut PgConnection) -> Result<(), sqlx::Error> {
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    handler(7).await
}
