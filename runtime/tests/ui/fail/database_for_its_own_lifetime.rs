use reuse_db::reuse_db;
use sqlx::{Postgres, Transaction};

#[reuse_db]
async fn handler<'c>(_id: u32, _db: &'c mut Transaction<'c, Postgres>) -> Result<(), sqlx::Error> {
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    handler(7).await
}
