use reuse_db::reuse_db;
use sqlx::PgConnection;

#[reuse_db]
async fn handler<'c>(
    _id: u32,
    db: &'c mut PgConnection,
) -> Result<&'c mut PgConnection, sqlx::Error> {
    Ok(db)
}

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    handler(7).await.map(drop)
}
