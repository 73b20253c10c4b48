//! The transfers under the Lambda emulator, on PostgreSQL.

use lambda_bench::lambda::{Event, Sandbox};
use lambda_bench::servers::Postgres;
use sqlx::{Connection as _, PgConnection};

#[tokio::test]
async fn a_transfer_happens_whole_or_not_at_all() {
    let server = Postgres::start().await;
    let mut db = PgConnection::connect(&server.url())
        .await
        .expect("a connection");
    sqlx::raw_sql(include_str!("../schema.sql"))
        .execute(&mut db)
        .await
        .expect("tables");
    sqlx::raw_sql("insert into accounts values (1, 100), (2, 100)")
        .execute(&mut db)
        .await
        .expect("accounts");
    let sandbox = Sandbox::builder(env!("CARGO_BIN_EXE_transfer"))
        .env("DATABASE_URL", server.url())
        .start()
        .await;
    for (transfer, status) in [
        (r#"{"id":1,"payer":1,"payee":2,"amount":60}"#, 201),
        // The client has lost the answer.
        (r#"{"id":1,"payer":1,"payee":2,"amount":60}"#, 200),
        (r#"{"id":2,"payer":1,"payee":2,"amount":60}"#, 409),
        (r#"{"id":3,"payer":2,"payee":1,"amount":5}"#, 201),
        (r#"{"id":4,"payer":2,"payee":2,"amount":5}"#, 422),
        (r#"{"id":5,"payer":2,"payee":1,"amount":-5}"#, 422),
    ] {
        let answer = sandbox.invoke(Event::post("/", transfer)).await;
        assert_eq!(answer.status(), status, "{transfer}: {answer:?}");
        sandbox.frozen().await;
    }
    // An account that does not exist.
    let unknown = r#"{"id":6,"payer":1,"payee":3,"amount":5}"#;
    sandbox.invoke(Event::post("/", unknown)).await.error();
    sandbox.frozen().await;

    let balances: Vec<i64> = sqlx::query_scalar("select balance from accounts order by id")
        .fetch_all(&mut db)
        .await
        .expect("balances");
    assert_eq!(balances, [45, 155]);
    let transfers: Vec<i64> = sqlx::query_scalar("select id from transfers order by id")
        .fetch_all(&mut db)
        .await
        .expect("transfers");
    assert_eq!(transfers, [1, 3]);
    assert_eq!(
        server.sessions().await.len(),
        2,
        "one of them is the test's"
    );
}
