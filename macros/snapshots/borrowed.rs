//! A borrowed pool.

use lambda_http::Response;
use reuse_db::reuse_db;
use sqlx::PgPool;

/// Asks the server.
#[reuse_db(env = "READER_URL")]
pub async fn health(pool: &PgPool) -> Response<String> {
    match sqlx::query("select 1").execute(pool).await {
        Ok(_) => Response::new("ok".to_owned()),
        Err(error) => Response::new(error.to_string()),
    }
}
