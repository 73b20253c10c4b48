//! Serves pages from Redis, and reads those that are not there from PostgreSQL. A write removes its
//! page from Redis.
//!
//! `GET /…` answers a page, `PUT /…` stores the body as one. The table is in `schema.sql`.

use lambda_http::{Body, Error, Request, Response, service_fn, tracing};
use redis::AsyncCommands as _;
use redis::aio::MultiplexedConnection;
use reuse_db::{Lease, reuse_db};
use sqlx::PgConnection;

/// The lifetime of a cached page, in seconds. It limits how long a reader's old page is served.
const LIFETIME: u64 = 60;

/// Serves a request. The writer is leased, but connects only for a PUT.
#[reuse_db]
async fn page(
    request: Request,
    #[db(env = "WRITER_URL")] mut writer: Lease<PgConnection>,
    #[db(env = "READER_URL")] reader: &mut PgConnection,
    #[db(env = "REDIS_URL")] cache: &mut MultiplexedConnection,
) -> Result<Response<Body>, Error> {
    let path = request.uri().path();
    let key = format!("page:{path}");
    match request.method().as_str() {
        "GET" => {
            if let Some(content) = cache.get::<_, Option<String>>(&key).await? {
                return answer(200, content);
            }
            let content: Option<String> =
                sqlx::query_scalar("select content from pages where path = $1")
                    .bind(path)
                    .fetch_optional(reader)
                    .await?;
            let Some(content) = content else {
                return answer(404, String::new());
            };
            let () = cache.set_ex(&key, &content, LIFETIME).await?;
            answer(200, content)
        }
        "PUT" => {
            let content = std::str::from_utf8(request.body())?;
            let writer = Lease::open(&mut writer).await?;
            sqlx::query(
                "insert into pages values ($1, $2)
                 on conflict (path) do update set content = excluded.content",
            )
            .bind(path)
            .bind(content)
            .execute(writer)
            .await?;
            // Only now: a page that was cached before the write would stay.
            let () = cache.del(&key).await?;
            answer(204, String::new())
        }
        _ => answer(405, String::new()),
    }
}

fn answer(status: u16, content: String) -> Result<Response<Body>, Error> {
    Ok(Response::builder().status(status).body(content.into())?)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    reuse_db::run(service_fn(page)).await
}
