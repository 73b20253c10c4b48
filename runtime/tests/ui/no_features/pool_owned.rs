use reuse_db::reuse_db;
use sqlx::MySqlPool;

#[reuse_db]
async fn handler(_id: u32, _db: MySqlPool) -> Result<(), lambda_http::Error> {
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    handler(7).await
}
