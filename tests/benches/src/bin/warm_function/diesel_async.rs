//! The ways by diesel-async.

use diesel::IntoSql as _;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl as _};
use lambda_http::Error;
use reuse_db::reuse_db;
use tokio::sync::Mutex;

use super::url;

static HELD: Mutex<Option<AsyncPgConnection>> = Mutex::const_new(None);

async fn run(n: i64, connection: &mut AsyncPgConnection) -> Result<i64, Error> {
    let mut sum = 0;
    for i in 0..n {
        let query = diesel::select(i.into_sql::<BigInt>() + 1_i64);
        sum += query.get_result::<i64>(connection).await?;
    }
    Ok(sum)
}

#[reuse_db]
async fn kept(n: i64, connection: &mut AsyncPgConnection) -> Result<i64, Error> {
    run(n, connection).await
}

/// The limit: a connection in a static, without any care for it.
async fn held(n: i64) -> Result<i64, Error> {
    let mut held = HELD.lock().await;
    if held.is_none() {
        *held = Some(AsyncPgConnection::establish(&url()?).await?);
    }
    run(n, held.as_mut().ok_or("connected above")?).await
}

pub(super) async fn sum(way: &str, n: i64) -> Result<i64, Error> {
    match way {
        "diesel" => kept(n).await,
        _ => held(n).await,
    }
}
