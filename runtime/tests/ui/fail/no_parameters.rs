use reuse_db::reuse_db;

#[reuse_db]
async fn handler() -> Result<(), sqlx::Error> {
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    handler().await
}
