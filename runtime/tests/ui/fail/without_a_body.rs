use reuse_db::reuse_db;
use sqlx::PgConnection;

trait Handlers {
    #[reuse_db]
    async fn handler(_id: u32, _db: &mut PgConnection) -> Result<(), sqlx::Error>;
}

struct Users;

impl Handlers for Users {
    async fn handler(_id: u32) -> Result<(), sqlx::Error> {
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    Users::handler(7).await
}
