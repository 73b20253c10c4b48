use reuse_db::{Connect, reuse_db};
use sqlx::PgConnection;

#[reuse_db]
async fn handler<C: Connect>(_id: u32, _db: &mut C) -> Result<(), sqlx::Error> {
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    handler::<PgConnection>(7).await
}
