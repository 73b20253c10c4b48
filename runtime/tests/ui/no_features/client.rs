use reuse_db::reuse_db;

struct Client;

#[reuse_db]
async fn handler(_id: u32, _db: &mut Client) -> Result<(), lambda_http::Error> {
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    handler(7).await
}
