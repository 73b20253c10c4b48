use reuse_db::reuse_db;
use sqlx::PgConnection;

#[reuse_db]
async fn handler(_id: u32, _db: &mut PgConnection) -> Option<u32> {
    Some(7)
}

#[tokio::main]
async fn main() {
    drop(handler(7).await);
}
