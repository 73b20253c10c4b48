use reuse_db::reuse_db;
use sqlx::PgConnection;

struct Refused;

#[reuse_db]
async fn handler(_id: u32, _db: &mut PgConnection) -> Result<(), Refused> {
    Err(Refused)
}

#[tokio::main]
async fn main() {
    drop(handler(7).await);
}
