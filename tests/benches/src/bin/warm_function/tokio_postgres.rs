//! The ways by tokio-postgres.

use lambda_http::Error;
use reuse_db::reuse_db;
use tokio::sync::OnceCell;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls};

use super::url;

static HELD: OnceCell<Client> = OnceCell::const_new();

async fn run(n: i64, client: &Client) -> Result<i64, Error> {
    let mut sum = 0;
    for i in 0..n {
        let i: (&(dyn ToSql + Sync), _) = (&i, Type::INT8);
        let rows = client.query_typed("select $1 + 1", &[i]).await?;
        sum += rows.first().ok_or("no row")?.try_get::<_, i64>(0)?;
    }
    Ok(sum)
}

#[reuse_db]
async fn kept(n: i64, client: &mut Client) -> Result<i64, Error> {
    run(n, client).await
}

/// The limit: a client in a static, without any care for it.
async fn held(n: i64) -> Result<i64, Error> {
    let connect = async || {
        let (client, connection) = tokio_postgres::connect(&url()?, NoTls).await?;
        tokio::spawn(connection);
        Ok::<_, Error>(client)
    };
    run(n, HELD.get_or_try_init(connect).await?).await
}

pub(super) async fn sum(way: &str, n: i64) -> Result<i64, Error> {
    match way {
        "tokio_postgres" => kept(n).await,
        _ => held(n).await,
    }
}
