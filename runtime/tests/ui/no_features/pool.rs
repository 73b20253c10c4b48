use reuse_db::reuse_db;
use sqlx::PgPool;

#[reuse_db]
async fn handler(_id: u32, _db: &PgPool) -> Result<(), lambda_http::Error> {
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    handler(7).await
}
