//! What a handler returns: how it says that there is no database, and what becomes of a transaction.

use lambda_http::http::Response;
use lambda_http::{Body, IntoResponse};
use reuse_db::{Source, reuse_db};
use sqlx::{Sqlite, SqliteConnection, Transaction};

use super::{NONE, counts};

fn answer(status: u16) -> Response<Body> {
    let response = Response::builder().status(status).body(Body::Empty);
    response.expect("a response")
}

/// An error type of the user's own.
#[derive(Debug)]
enum Failure {
    NoDatabase(String),
    Mine,
}

impl From<reuse_db::Error> for Failure {
    fn from(error: reuse_db::Error) -> Self {
        Self::NoDatabase(error.to_string())
    }
}

#[tokio::test]
async fn each_return_type_can_refuse() {
    #[reuse_db(source = NONE)]
    async fn of_sqlx(_db: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }
    #[reuse_db(source = NONE)]
    async fn of_lambda(
        _db: &mut SqliteConnection,
    ) -> Result<impl IntoResponse, lambda_http::Error> {
        Ok("hello")
    }
    #[reuse_db(source = NONE)]
    async fn of_anyhow(_db: &mut SqliteConnection) -> anyhow::Result<()> {
        Ok(())
    }
    #[reuse_db(source = NONE)]
    async fn of_mine(_db: &mut SqliteConnection) -> Result<u8, Failure> {
        Err(Failure::Mine)
    }
    #[reuse_db(source = NONE)]
    async fn of_text(_db: &mut SqliteConnection) -> Response<String> {
        Response::new("hello".to_owned())
    }
    #[reuse_db(source = NONE)]
    async fn of_body(_tx: &mut Transaction<'_, Sqlite>) -> Response<Body> {
        answer(200)
    }

    let is_told = |text: String| assert!(text.contains("/no/such/folder/no.db"), "{text}");
    is_told(of_sqlx().await.expect_err("no database").to_string());
    is_told(
        of_lambda()
            .await
            .map(|_| ())
            .expect_err("no database")
            .to_string(),
    );
    is_told(of_anyhow().await.expect_err("no database").to_string());
    match of_mine().await {
        Err(Failure::NoDatabase(text)) => is_told(text),
        other => panic!("{other:?}"),
    }
    for response in [of_text().await.map(|_| ()), of_body().await.map(|_| ())] {
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "1");
    }
}

/// The rows that are there after a transaction that ended with each output.
#[tokio::test]
async fn a_transaction_is_committed_after_a_success_only() {
    const SOURCE: Source =
        Source::env("NO_SUCH_VARIABLE").or("sqlite:file:tx?mode=memory&cache=shared");

    #[reuse_db(source = SOURCE)]
    async fn rows(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
        sqlx::query("create table if not exists rows (how)")
            .execute(&mut *db)
            .await?;
        sqlx::query_scalar("select count(*) from rows")
            .fetch_one(db)
            .await
    }
    async fn add(tx: &mut Transaction<'_, Sqlite>) {
        let row = sqlx::query("insert into rows values (1)")
            .execute(&mut **tx)
            .await;
        row.expect("a row");
    }
    #[reuse_db(source = SOURCE)]
    async fn result(is_ok: bool, tx: &mut Transaction<'_, Sqlite>) -> Result<(), anyhow::Error> {
        add(tx).await;
        if is_ok {
            Ok(())
        } else {
            Err(anyhow::anyhow!("no"))
        }
    }
    #[reuse_db(source = SOURCE)]
    async fn response(status: u16, tx: &mut Transaction<'_, Sqlite>) -> Response<Body> {
        add(tx).await;
        answer(status)
    }
    #[reuse_db(source = SOURCE)]
    async fn both(
        status: u16,
        tx: &mut Transaction<'_, Sqlite>,
    ) -> Result<Response<Body>, sqlx::Error> {
        add(tx).await;
        match status {
            0 => Err(sqlx::Error::RowNotFound),
            status => Ok(answer(status)),
        }
    }

    assert_eq!(rows().await.expect("a count"), 0);
    result(true).await.expect("a row");
    assert_eq!(rows().await.expect("a count"), 1);
    result(false).await.expect_err("no row");
    for status in [400, 404, 500, 503] {
        assert_eq!(response(status).await.status(), status);
        assert_eq!(both(status).await.expect("a response").status(), status);
    }
    both(0).await.expect_err("no row");
    assert_eq!(rows().await.expect("a count"), 1);
    for status in [200, 201, 302] {
        assert_eq!(response(status).await.status(), status);
        assert_eq!(both(status).await.expect("a response").status(), status);
    }
    assert_eq!(rows().await.expect("a count"), 7);
    assert_eq!(ROWS_DB.stats().opened, 1);
    assert_eq!(
        counts(RESPONSE_TX.stats()).2 + counts(BOTH_TX.stats()).2 + counts(RESULT_TX.stats()).2,
        0
    );
}
