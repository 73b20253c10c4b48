//! Questions to a database by each client: the number of the session, and its user.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncMysqlConnection, AsyncPgConnection, RunQueryDsl as _};
use lambda_http::{Body, Error, Response};
use redis::aio::MultiplexedConnection;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend};
use serde_json::json;
use sqlx::{MySqlConnection, PgExecutor};
use tokio_postgres::Client;

const POSTGRES: &str = "select pg_backend_pid()::int8 as session, current_user::text as name";
const MYSQL: &str = "select cast(connection_id() as signed) as session, \
                     cast(current_user() as char) as name";

#[derive(QueryableByName)]
struct Session {
    #[diesel(sql_type = BigInt)]
    session: i64,
    #[diesel(sql_type = Text)]
    name: String,
}

pub(crate) async fn postgres(db: impl PgExecutor<'_>) -> Result<Response<Body>, Error> {
    let (session, name): (i64, String) = sqlx::query_as(POSTGRES).fetch_one(db).await?;
    Ok(answer(session, &name))
}

pub(crate) async fn mysql(db: &mut MySqlConnection) -> Result<Response<Body>, Error> {
    let (session, name): (i64, String) = sqlx::query_as(MYSQL).fetch_one(db).await?;
    Ok(answer(session, &name))
}

pub(crate) async fn tokio_postgres(db: &Client) -> Result<Response<Body>, Error> {
    let row = db.query_one(POSTGRES, &[]).await?;
    Ok(answer(row.try_get(0)?, row.try_get(1)?))
}

pub(crate) async fn diesel(db: &mut AsyncMysqlConnection) -> Result<Response<Body>, Error> {
    let Session { session, name } = diesel::sql_query(MYSQL).get_result(db).await?;
    Ok(answer(session, &name))
}

pub(crate) async fn postgres_diesel(db: &mut AsyncPgConnection) -> Result<Response<Body>, Error> {
    let Session { session, name } = diesel::sql_query(POSTGRES).get_result(db).await?;
    Ok(answer(session, &name))
}

pub(crate) async fn sea_orm(db: &DatabaseConnection) -> Result<Response<Body>, Error> {
    let question = match db.get_database_backend() {
        DbBackend::MySql => MYSQL,
        _ => POSTGRES,
    };
    let row = db.query_one_raw(sea_orm::Statement::from_string(
        db.get_database_backend(),
        question,
    ));
    let row = row.await?.ok_or("no row")?;
    let (session, name): (i64, String) = (row.try_get("", "session")?, row.try_get("", "name")?);
    Ok(answer(session, &name))
}

pub(crate) async fn redis(db: &mut MultiplexedConnection) -> Result<Response<Body>, Error> {
    let session = redis::cmd("CLIENT").arg("ID").query_async(db).await?;
    Ok(answer(session, ""))
}

fn answer(session: i64, name: &str) -> Response<Body> {
    let stats = reuse_db::stats();
    // MySQL adds the host to a user.
    let user = name.split('@').next().unwrap_or_default();
    let answer = json!({
        "session": session, "user": user, "opened": stats.opened, "retried": stats.retried
    });
    Response::new(answer.to_string().into())
}
