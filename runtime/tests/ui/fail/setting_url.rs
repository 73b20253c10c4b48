use reuse_db::reuse_db;
use sqlx::PgConnection;

#[reuse_db(url = "postgres://app@db/app")]
async fn handler(_id: u32, _db: &mut PgConnection) -> Result<(), sqlx::Error> {
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    handler(7).await
}
