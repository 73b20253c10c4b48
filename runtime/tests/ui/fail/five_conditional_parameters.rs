use reuse_db::reuse_db;
use sqlx::PgConnection;

#[reuse_db]
async fn handler(
    #[cfg(all())] _a: u8,
    #[cfg(all())] _b: u8,
    #[cfg(all())] _c: u8,
    #[cfg(all())] _d: u8,
    #[cfg(all())] _e: u8,
    _db: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    handler(1, 2, 3, 4, 5).await
}
