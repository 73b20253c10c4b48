use reuse_db::reuse_db;

#[reuse_db]
mod handlers {
    use sqlx::PgConnection;

    pub async fn handler(_db: &mut PgConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }
}

fn main() {
    let _call = |mut db| async move { handlers::handler(&mut db).await };
}
