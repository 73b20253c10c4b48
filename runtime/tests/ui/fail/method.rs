use reuse_db::reuse_db;
use sqlx::PgConnection;

struct Users;

impl Users {
    #[reuse_db]
    async fn handler(&self, _id: u32, _db: &mut PgConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    Users.handler(7).await
}
