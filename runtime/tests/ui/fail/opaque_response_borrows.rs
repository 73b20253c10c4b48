use reuse_db::reuse_db;
use sqlx::PgConnection;

#[reuse_db]
async fn handler(_id: u32, db: &mut PgConnection) -> Result<impl Sized, sqlx::Error> {
    Ok(db)
}

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    handler(7).await.map(drop)
}
