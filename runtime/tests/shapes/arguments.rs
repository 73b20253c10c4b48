//! The arguments of the function and of single parameters.

use reuse_db::{Connect, Error, Source, reuse_db};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, SqliteConnection};

use crate::{MEMORY, counts, one_connection};

/// Holds the URL, without a connection.
struct Url(String);

impl Connect for Url {
    async fn connect(source: &Source) -> Result<Self, Error> {
        source.url().map(Self)
    }

    async fn check(&mut self, _: &Source) -> Result<(), Error> {
        Ok(())
    }
}

const HERE: Source = Source::env("NO_SUCH_VARIABLE").or("here");

// Cargo sets both variables for a test.
#[reuse_db(env = "CARGO_PKG_NAME")]
async fn of_variables(
    #[db] a: &mut Url,
    #[db(env = "CARGO_PKG_VERSION")] b: &mut Url,
    #[db(source = HERE)] c: &mut Url,
) -> Result<[String; 3], Error> {
    Ok([&*a, b, c].map(|url| url.0.clone()))
}

#[reuse_db(source = HERE)]
async fn of_sources(
    #[db(source = Source::env("NO_SUCH_VARIABLE").or("there"), name = ELSEWHERE)] a: &mut Url,
    #[db] b: &mut Url,
    #[db(env = "CARGO_PKG_NAME")] c: &mut Url,
) -> Result<[String; 3], Error> {
    Ok([&*a, b, c].map(|url| url.0.clone()))
}

#[tokio::test]
async fn an_argument_on_a_parameter_takes_precedence() {
    let (name, version) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    assert_eq!(of_variables().await.expect("URLs"), [name, version, "here"]);
    assert_eq!(of_sources().await.expect("URLs"), ["there", "here", name]);
    assert_eq!(counts(ELSEWHERE.stats()), one_connection(1));
    // Both values were opened through the other function's statics.
    let again =
        [OF_SOURCES_B.stats(), OF_SOURCES_C.stats()].map(|stats| (stats.opened, stats.reused));
    assert_eq!(again, [(0, 1), (0, 1)]);
}

#[reuse_db]
async fn by_default(url: &mut Url) -> Result<String, Error> {
    Ok(url.0.clone())
}

#[reuse_db(env = "NO_SUCH_VARIABLE")]
async fn nowhere(_url: &mut Url) -> Result<(), Error> {
    Ok(())
}

#[tokio::test]
async fn the_default_is_the_variable_database_url() {
    let is_right = match (by_default().await, std::env::var("DATABASE_URL")) {
        (Ok(url), Ok(variable)) => url == variable,
        (Err(error), _) => error.to_string().contains("`DATABASE_URL`"),
        _ => false,
    };
    assert!(is_right, "{BY_DEFAULT_URL:?}");
    let error = nowhere().await.expect_err("it is not set");
    assert!(
        error.to_string().contains("`NO_SUCH_VARIABLE` is not set"),
        "{error}"
    );
    assert_eq!(NOWHERE_URL.stats().unavailable, 1);
}

#[reuse_db(source = MEMORY, with = sum)]
async fn summed(a: i64, b: i64, db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select ? + ?")
        .bind(a)
        .bind(b)
        .fetch_one(db)
        .await
}

#[tokio::test]
async fn with_names_the_inner_function() {
    let mut db = SqliteConnectOptions::new()
        .in_memory(true)
        .connect()
        .await
        .expect("a connection");
    assert_eq!(sum(1, 2, &mut db).await.expect("a sum"), 3);
    assert_eq!(summed(1, 2).await.expect("a sum"), 3);
    assert_eq!(counts(SUMMED_DB.stats()), one_connection(1));
}

mod facade {
    pub(crate) mod deep {
        pub(crate) use reuse_db as kept;
    }
}

#[facade::deep::kept::reuse_db(crate = crate::arguments::facade::deep::kept, source = MEMORY)]
async fn through_a_facade(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select 1").fetch_one(db).await
}

mod inner {
    use super::facade;

    #[facade::deep::kept::reuse_db(crate = facade::deep::kept, source = super::MEMORY)]
    pub(super) async fn relative(
        #[db] tx: &mut sqlx::Transaction<'_, sqlx::Sqlite>,
        #[db] _pool: &sqlx::SqlitePool,
        #[db] _own: sqlx::SqlitePool,
    ) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar("select 1").fetch_one(&mut **tx).await
    }
}

#[tokio::test]
async fn crate_is_any_path_of_the_runtime() {
    assert_eq!(through_a_facade().await.expect("a number"), 1);
    assert_eq!(inner::relative().await.expect("a number"), 1);
    assert_eq!(counts(THROUGH_A_FACADE_DB.stats()), one_connection(1));
}
