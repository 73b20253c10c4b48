//! The ways by SeaORM.

use lambda_http::Error;
use reuse_db::reuse_db;
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement};
use tokio::sync::OnceCell;

use super::url;

static HELD: OnceCell<DatabaseConnection> = OnceCell::const_new();

async fn run(n: i64, db: &DatabaseConnection) -> Result<i64, Error> {
    let backend = db.get_database_backend();
    let sql = match backend {
        DbBackend::Postgres => "select $1::int8 + 1",
        _ => "select cast(? + 1 as signed)",
    };
    let mut sum = 0;
    for i in 0..n {
        let statement = Statement::from_sql_and_values(backend, sql, [i.into()]);
        let row = db.query_one_raw(statement).await?.ok_or("no row")?;
        sum += row.try_get_by_index::<i64>(0)?;
    }
    Ok(sum)
}

#[reuse_db]
async fn kept(n: i64, db: &DatabaseConnection) -> Result<i64, Error> {
    run(n, db).await
}

/// A pool of SeaORM in a static, with its defaults.
async fn held(n: i64) -> Result<i64, Error> {
    let connect = async || Ok::<_, Error>(Database::connect(url()?).await?);
    run(n, HELD.get_or_try_init(connect).await?).await
}

pub(super) async fn sum(way: &str, n: i64) -> Result<i64, Error> {
    match way {
        "sea_orm" => kept(n).await,
        _ => held(n).await,
    }
}
