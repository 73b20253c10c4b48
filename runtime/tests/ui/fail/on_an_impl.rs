use reuse_db::reuse_db;
use sqlx::PgConnection;

struct Handler;

#[reuse_db]
impl Handler {
    async fn handler(_db: &mut PgConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }
}

fn main() {
    let _call = |mut db: PgConnection| async move { Handler::handler(&mut db).await };
}
