use reuse_db::reuse_db;
use sqlx::PgConnection;

#[reuse_db]
async fn handler(
    _id: u32,
    #[cfg(all())] _db: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    handler(7).await
}
