//! The function of the suite `backends`: one handler for each type of parameter, all with the same
//! behaviour.
//!
//! The variable `BACKEND` selects the type of the database parameter. The query's `how` selects the
//! work of the handler:
//!
//! | `how` | the handler |
//! |---|---|
//! | (none) | answers `n` plus one, and the number of its session, in one round trip |
//! | `fail` | changes the session, begins a transaction that writes, and returns an error |
//! | `panic` | does the same, and panics |
//! | `cancel` | does the same, and is dropped while a statement runs |
//! | `reject` | runs a statement that the server rejects, and returns its error |
//! | `transact` | runs a statement in a transaction of the client's own kind |
//! | `close` | closes the client, if that is a pool |
//! | `abandon` | drops a statement that would run for a minute, and succeeds |
//! | `state` | answers what it sees of the above: `clean` |

#![expect(clippy::panic, reason = "the handler is asked to panic")]

mod client;

use std::time::Duration;

use lambda_http::{Body, Error, Request, Response, service_fn};
use reuse_db::{LoadShedding, Source, reuse_db};
use reuse_db_tests::query::{number, word};
use serde_json::json;
use tokio::time::timeout;

use self::client::Client;

/// A sandbox asks for the server's load often, so that a test need not wait.
const SOURCE: Source = Source::env("DATABASE_URL")
    .load_shedding(LoadShedding::new().interval(Duration::from_millis(200)));

const POOL: Source = SOURCE.max_connections(1);

async fn handle(request: Request, mut client: impl Client) -> Result<Response<Body>, Error> {
    match word(&request, "how").as_str() {
        "" => {
            let n = number(&request, "n");
            let (sum, session) = client.add(n).await?;
            Ok(Response::new(
                json!({ "sum": sum, "session": session }).to_string().into(),
            ))
        }
        "abandon" => {
            assert!(
                timeout(Duration::from_millis(50), client.block())
                    .await
                    .is_err(),
                "the statement was cut off"
            );
            Ok(Response::new(Body::Empty))
        }
        "state" => Ok(Response::new(client.state().await?.into())),
        "reject" => {
            client.reject().await?;
            Err("the server has accepted it".into())
        }
        "transact" => {
            client.transact().await?;
            Ok(Response::new(Body::Empty))
        }
        "close" => {
            client.close().await;
            Ok(Response::new(Body::Empty))
        }
        end => {
            client.change().await?;
            match end {
                "panic" => panic!("the handler panics"),
                "cancel" => {
                    client.block().await?;
                    Err("the statement was not cut off".into())
                }
                _ => Err("the handler fails".into()),
            }
        }
    }
}

/// Defines a handler for each type of parameter, and the function that selects one.
macro_rules! handlers {
    ($($name:literal $handler:ident($source:ident): $database:ident: $type:ty;)+) => {
        $(
            #[reuse_db(source = $source)]
            async fn $handler(
                request: Request,
                $database: $type,
            ) -> Result<Response<Body>, Error> {
                handle(request, $database).await
            }
        )+

        async fn select(request: Request) -> Result<Response<Body>, Error> {
            match std::env::var("BACKEND").as_deref() {
                $(Ok($name) => $handler(request).await,)+
                other => Err(format!("no backend {other:?}").into()),
            }
        }
    };
}

handlers! {
    "PgConnection" pg_connection(SOURCE): db: &mut sqlx::PgConnection;
    "PgPool" pg_pool(POOL): db: &sqlx::PgPool;
    "MySqlConnection" mysql_connection(SOURCE): db: &mut sqlx::MySqlConnection;
    "MySqlPool" mysql_pool(POOL): db: &sqlx::MySqlPool;
    "DatabaseConnection" sea_orm(POOL): db: &sea_orm::DatabaseConnection;
    "AsyncMysqlConnection" diesel_on_mysql(SOURCE): db: &mut diesel_async::AsyncMysqlConnection;
    "AsyncPgConnection" diesel_on_postgres(SOURCE): db: &mut diesel_async::AsyncPgConnection;
    "Client" tokio_postgres(SOURCE): db: &mut tokio_postgres::Client;
    "MultiplexedConnection" redis(SOURCE): db: &mut redis::aio::MultiplexedConnection;
}

/// Returns the error of SeaORM.
#[reuse_db(source = POOL)]
async fn typed(db: &sea_orm::DatabaseConnection) -> Result<Response<Body>, sea_orm::DbErr> {
    sea_orm::ConnectionTrait::execute_unprepared(db, "select 1").await?;
    Ok(Response::new(Body::Empty))
}

async fn route(request: Request) -> Result<Response<Body>, Error> {
    if word(&request, "how") == "cancel" {
        let cut = timeout(Duration::from_millis(100), select(request)).await;
        assert!(cut.is_err(), "the handler was dropped");
        return Ok(Response::new(Body::Empty));
    }
    if word(&request, "how") == "typed" {
        return Ok(typed().await?);
    }
    select(request).await
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    lambda_http::tracing::init_default_subscriber();
    reuse_db::run(service_fn(route)).await
}
