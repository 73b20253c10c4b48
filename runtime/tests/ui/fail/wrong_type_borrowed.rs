use reuse_db::reuse_db;

struct Client;

#[reuse_db]
async fn handler(_id: u32, _db: &Client) -> Result<(), sqlx::Error> {
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    handler(7).await
}
