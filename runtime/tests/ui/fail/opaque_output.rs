use lambda_http::{IntoResponse, Response};
use reuse_db::reuse_db;
use sqlx::PgConnection;

#[reuse_db]
async fn handler(_id: u32, _db: &mut PgConnection) -> impl IntoResponse {
    Response::new(String::new())
}

#[tokio::main]
async fn main() {
    drop(handler(7).await);
}
