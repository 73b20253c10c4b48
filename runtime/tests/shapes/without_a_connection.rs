//! Handlers without a connection. Each return type carries the error, and the body does not run.

use std::error::Error as StdError;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use lambda_http::{Body, IntoResponse, Response};
use reuse_db::{Error, Source, reuse_db};
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};

use crate::{Counts, NOWHERE, counts};

#[derive(Debug)]
enum Mine {
    NoDatabase(String),
}

impl From<Error> for Mine {
    fn from(error: Error) -> Self {
        Self::NoDatabase(error.to_string())
    }
}

macro_rules! without_a_connection {
    ($($name:ident($($db:tt)*) -> $output:ty;)*) => {$(
        #[reuse_db(source = NOWHERE)]
        async fn $name(_db: $($db)*) -> $output {
            unreachable!("there is no database")
        }
    )*};
}

without_a_connection! {
    sqlx_error(&mut SqliteConnection) -> Result<u8, sqlx::Error>;
    own_error(&mut Transaction<'_, Sqlite>) -> Result<(), Mine>;
    our_error(&SqlitePool) -> Result<(), Error>;
    anyhow_error(SqlitePool) -> anyhow::Result<Vec<u8>>;
    lambda_error(&mut SqliteConnection) -> Result<Response<Body>, lambda_http::Error>;
    boxed_error(&mut SqliteConnection) -> Result<(), Box<dyn StdError>>;
    axum_response(&SqlitePool) -> axum::response::Response;
    response(&mut Transaction<'_, Sqlite>) -> Response<Body>;
    text_response(SqlitePool) -> Response<String>;
}

const UNAVAILABLE_ONCE: Counts = Counts {
    opened: 0,
    reused: 0,
    discarded: 0,
    unavailable: 1,
};

#[tokio::test]
async fn the_error_converts_into_the_handlers_error() {
    let errors = [
        sqlx_error().await.expect_err("no database").to_string(),
        our_error().await.expect_err("no database").to_string(),
        anyhow_error().await.expect_err("no database").to_string(),
        lambda_error().await.expect_err("no database").to_string(),
        boxed_error().await.expect_err("no database").to_string(),
        own_error()
            .await
            .map_err(|Mine::NoDatabase(error)| error)
            .expect_err("no database"),
    ];
    for error in errors {
        assert!(error.contains("`NO_SUCH_VARIABLE` is not set"), "{error}");
    }
    let stats = [
        SQLX_ERROR_DB.stats(),
        OWN_ERROR_DB.stats(),
        OUR_ERROR_DB.stats(),
        ANYHOW_ERROR_DB.stats(),
        LAMBDA_ERROR_DB.stats(),
        BOXED_ERROR_DB.stats(),
    ];
    assert_eq!(stats.map(counts), [UNAVAILABLE_ONCE; 6]);
    // The next call tries again.
    sqlx_error().await.expect_err("no database");
    assert_eq!(SQLX_ERROR_DB.stats().unavailable, 2);
}

#[tokio::test]
async fn a_response_is_a_503() {
    let axum = axum_response().await;
    let (plain, text) = (response().await, text_response().await);
    assert_eq!(
        [axum.status(), plain.status(), text.status()].map(|status| status.as_u16()),
        [503; 3]
    );
    assert_eq!(axum.headers()["retry-after"], "1");
    assert!(!text.body().contains("NO_SUCH_VARIABLE"), "{}", text.body());
    let stats = [
        AXUM_RESPONSE_DB.stats(),
        RESPONSE_DB.stats(),
        TEXT_RESPONSE_DB.stats(),
    ];
    assert_eq!(stats.map(counts), [UNAVAILABLE_ONCE; 3]);
}

#[reuse_db(source = NOWHERE)]
async fn opaque(db: &mut SqliteConnection) -> Result<impl IntoResponse, lambda_http::Error> {
    sqlx::query("select 1").execute(db).await?;
    Ok("there is a database")
}

#[tokio::test]
async fn a_handler_with_an_opaque_response_returns_the_error() {
    let Err(error) = opaque().await else {
        panic!("there is no database");
    };
    assert!(error.to_string().contains("`NO_SUCH_VARIABLE`"), "{error}");
}

#[reuse_db(source = Source::env("NO_SUCH_VARIABLE").or("sqlite:///no/such/folder/notes.db"))]
async fn no_file(_db: &mut SqliteConnection) -> anyhow::Result<()> {
    unreachable!("there is no such file")
}

#[tokio::test]
async fn the_error_contains_the_drivers_message() {
    let error = no_file().await.expect_err("no such file");
    let text = error.to_string();
    assert!(
        text.contains("/no/such/folder/notes.db") && text.contains("unable to open"),
        "{text}"
    );
    assert!(
        error
            .downcast_ref::<Error>()
            .is_some_and(|error| error.kind().is_some())
    );
}

#[test]
fn a_call_outside_of_tokio_is_an_error() {
    let mut call = pin!(our_error());
    match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Err(Error::NoRuntime { .. })) => {}
        other => panic!("{other:?}"),
    }
}
