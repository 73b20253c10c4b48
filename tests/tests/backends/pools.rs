//! The end of a pool, and the error of a handler on SeaORM.

use lambda_bench::servers::{Mysql, Postgres};

use super::place::Place;
use super::{Function, invoke, sandbox};

async fn heals<P: Place>(backend: &str) {
    let function = Function::<P>::start(backend).await;
    for n in 0..3 {
        function.invoke("close").await.ok();
        function.add(n).await;
    }
}

#[tokio::test]
async fn a_handler_that_closes_its_pool_costs_the_pool() {
    heals::<Postgres>("PgPool").await;
    heals::<Mysql>("MySqlPool").await;
    heals::<Postgres>("DatabaseConnection").await;
    heals::<Mysql>("DatabaseConnection").await;
}

/// `DbErr` keeps the 503.
#[tokio::test]
async fn a_handler_may_return_the_error_of_sea_orm() {
    let server = Postgres::launch(None).await;
    let port = server.address().port();
    let sandbox = sandbox(&server, port, "DatabaseConnection").start().await;
    invoke(&sandbox, "/?how=typed").await.ok();
    server.stop().await;
    let answer = invoke(&sandbox, "/?how=typed").await;
    assert_eq!(answer.status(), 503, "{answer:?}");
}
