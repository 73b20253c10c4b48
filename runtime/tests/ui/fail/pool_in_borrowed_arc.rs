use std::sync::Arc;

use reuse_db::reuse_db;
use sqlx::PgPool;

#[reuse_db]
async fn handler(_id: u32, _db: &Arc<PgPool>) -> Result<(), sqlx::Error> {
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    handler(7).await
}
