//! A function that runs the statements in the body of its request, for the reports from the field.
//!
//! The path selects the form of the parameter: `/conn`, `/tx`, `/pool`, `/any`, `/lease` or
//! `/lease-tx`. `/lease` opens its lease twice and runs the statements each time, `/lease-once`
//! opens it once. `/pool-begun` holds a transaction of the pool meanwhile, and `/pool-tx` runs the
//! script in one. `/conn-twice` and `/pool-twice` call a handler two times.
//!
//! Each line of the body is a statement, which is prepared, or one of these words and its rest:
//!
//! | word | rest |
//! |---|---|
//! | `raw` | a statement that is not prepared |
//! | `cut` | such a statement, abandoned after 100 ms |
//! | `cut-prepared` | a prepared statement, abandoned after 100 ms |
//! | `cut-preparing` | the same, abandoned after 10 ms |
//! | `cut-begin` | the milliseconds after which a BEGIN is abandoned |
//! | `nested` | a statement in a transaction of its own within |
//! | `int`, `text` | a value, and a statement to which the value is bound |
//! | `sleep`, `block` | milliseconds |
//!
//! | parameter | selects |
//! |---|---|
//! | `error` | the treatment of an error: returned (default), wrapped in an `enum` or `anyhow`, kept as `text`, a `response` with status 500, or `swallow` |
//! | `end` | the end after the statements: a response (default), `fail`, `not-found` as an error, `panic`, or a status |
//! | `persistent` | `no` runs prepared statements without keeping them |
//! | `spawn` | `yes` runs the handler in a task that is not awaited |
//!
//! | variable | selects |
//! |---|---|
//! | `DATABASE_URL` | PostgreSQL, MySQL or SQLite, by its scheme |
//! | `SOURCE` | the settings of the source, see `sources!` |
//! | `DRIVERS` | the user's own installation of sqlx's drivers, for `/any`: `own` or `default` before the first connection, or `later` after it |
//! | `WARM` | the forms whose connection is opened in the initialization: `conn`, `pool`, `any` |
//! | `SECRET` | the file of the password, for the source `rotated` |

mod script;

use std::time::Duration;

use reuse_db::{BoxError, Credentials, LoadShedding};

use lambda_http::{Body, Error, Request, Response, service_fn};
use reuse_db_tests::query::word;

/// Defines the three forms of a parameter for a database, as a module for each source.
macro_rules! forms {
    ($module:ident, $database:ident, $connection:ident, $($source:ident = $value:expr;)+) => {
        mod $module {
            $(
                pub(crate) mod $source {
                    use lambda_http::{Body, Error, Request, Response};
                    use reuse_db::{Finish, Lease, Outcome, Source, reuse_db};
                    use sqlx::{$connection, $database, Pool, Transaction};

                    use crate::script::{Script, run};

                    const SOURCE: Source = $value;

                    #[reuse_db(source = SOURCE)]
                    async fn conn(
                        request: Request,
                        db: &mut $connection,
                    ) -> Result<Response<Body>, Error> {
                        let script = Script::of(&request);
                        let result = run!(script, &mut *db);
                        script.conclude(result)
                    }

                    #[reuse_db(source = SOURCE)]
                    async fn tx(
                        request: Request,
                        db: &mut Transaction<'_, $database>,
                    ) -> Result<Response<Body>, Error> {
                        let script = Script::of(&request);
                        let result = run!(script, &mut **db);
                        script.conclude(result)
                    }

                    #[reuse_db(source = SOURCE)]
                    async fn pool(
                        request: Request,
                        db: &Pool<$database>,
                    ) -> Result<Response<Body>, Error> {
                        let script = Script::of(&request);
                        let result = run!(script, db);
                        script.conclude(result)
                    }

                    /// Runs the script on the pool while a transaction of the pool is open.
                    #[reuse_db(source = SOURCE)]
                    async fn pool_begun(
                        request: Request,
                        db: &Pool<$database>,
                    ) -> Result<Response<Body>, Error> {
                        let script = Script::of(&request);
                        let tx = db.begin().await?;
                        let result = run!(script, db);
                        tx.rollback().await?;
                        script.conclude(result)
                    }

                    /// Runs the script in a transaction of the pool, and commits that itself.
                    #[reuse_db(source = SOURCE)]
                    async fn pool_tx(
                        request: Request,
                        db: &Pool<$database>,
                    ) -> Result<Response<Body>, Error> {
                        let script = Script::of(&request);
                        let mut tx = db.begin().await?;
                        let result = run!(script, &mut *tx);
                        tx.commit().await?;
                        script.conclude(result)
                    }

                    /// Opens the lease for each of two runs, and not at all without statements.
                    #[reuse_db(source = SOURCE)]
                    async fn lease(
                        request: Request,
                        mut db: Lease<$connection>,
                    ) -> Result<Response<Body>, Error> {
                        let script = Script::of(&request);
                        if script.statements.is_empty() {
                            return script.conclude(Ok(Default::default()));
                        }
                        let _ = run!(script, &mut *Lease::open(&mut db).await?);
                        let result = run!(script, &mut *Lease::open(&mut db).await?);
                        script.conclude(result)
                    }

                    #[reuse_db(source = SOURCE)]
                    async fn lease_once(
                        request: Request,
                        mut db: Lease<$connection>,
                    ) -> Result<Response<Body>, Error> {
                        let script = Script::of(&request);
                        let result = run!(script, &mut *Lease::open(&mut db).await?);
                        script.conclude(result)
                    }

                    #[reuse_db(source = SOURCE)]
                    async fn lease_tx(
                        request: Request,
                        mut db: Lease<Transaction<'_, $database>>,
                    ) -> Result<Response<Body>, Error> {
                        let script = Script::of(&request);
                        if script.statements.is_empty() {
                            return script.conclude(Ok(Default::default()));
                        }
                        let mut tx = Lease::open(&mut db).await?;
                        let findings = run!(script, &mut *tx)?;
                        Finish::finish(tx, Outcome::Success).await?;
                        script.conclude(Ok(findings))
                    }

                    pub(crate) async fn warm(form: &str) {
                        match form {
                            "conn" => CONN_DB.warm().await,
                            "pool" => POOL_DB.warm().await,
                            _ => {}
                        }
                    }

                    pub(crate) async fn route(request: Request) -> Result<Response<Body>, Error> {
                        match request.uri().path() {
                            "/conn" => conn(request).await,
                            "/tx" => tx(request).await,
                            "/pool" => pool(request).await,
                            "/pool-begun" => pool_begun(request).await,
                            "/pool-tx" => pool_tx(request).await,
                            "/conn-twice" => {
                                conn(request.clone()).await?;
                                conn(request).await
                            }
                            "/pool-twice" => {
                                pool(request.clone()).await?;
                                pool(request).await
                            }
                            "/lease" => lease(request).await,
                            "/lease-once" => lease_once(request).await,
                            "/lease-tx" => lease_tx(request).await,
                            path => Err(format!("no route {path}").into()),
                        }
                    }
                }
            )+

            pub(crate) async fn warm(source: &str, form: &str) {
                match source {
                    $(stringify!($source) => $source::warm(form).await,)+
                    _ => {}
                }
            }

            pub(crate) async fn route(
                source: &str,
                request: lambda_http::Request,
            ) -> Result<lambda_http::Response<lambda_http::Body>, lambda_http::Error> {
                match source {
                    $(stringify!($source) => $source::route(request).await,)+
                    _ => Err(format!("no source {source}").into()),
                }
            }
        }
    };
}

/// Defines the sources for each database.
macro_rules! sources {
    ($($source:ident = $value:expr;)+) => {
        forms! { sqlite, Sqlite, SqliteConnection, $($source = $value;)+ }
        forms! { postgres, Postgres, PgConnection, $($source = $value;)+ }
        forms! { mysql, MySql, MySqlConnection, $($source = $value;)+ }
    };
}

sources! {
    plain = Source::env("DATABASE_URL");
    reset = Source::env("DATABASE_URL").reset_session();
    pooler = Source::env("DATABASE_URL").transaction_pooler();
    writer = Source::env("DATABASE_URL").read_write();
    set_up = Source::env("DATABASE_URL").on_connect("set application_name = 'on_connect'");
    tenant = Source::env("DATABASE_URL").on_connect("select set_config('app.tenant', {tenant_id}, false)");
    tenant_of_mysql = Source::env("DATABASE_URL").on_connect("set @tenant = {tenant_id}");
    dsql = Source::env("DATABASE_URL").dsql();
    session_pooler = Source::env("DATABASE_URL").session_pooler();
    brief = Source::env("DATABASE_URL").connect_timeout(std::time::Duration::from_secs(2));
    rotated = Source::env("DATABASE_URL").credentials(&crate::secret);
    impatient = Source::env("DATABASE_URL").attempt_timeout(std::time::Duration::from_millis(100));
    app_path = Source::env("DATABASE_URL").on_connect("set search_path to app2");
    narrow = Source::env("DATABASE_URL").max_connections(1).connect_timeout(std::time::Duration::from_secs(1));
    hasty = Source::env("DATABASE_URL").connect_timeout(std::time::Duration::from_secs(3));
    brisk = Source::env("DATABASE_URL").load_shedding(crate::BRISK);
    shedding = Source::env("DATABASE_URL").load_shedding(crate::BRISK.threshold_percent(50));
    off = Source::env("DATABASE_URL").load_shedding(reuse_db::LoadShedding::off());
    idle_100 = Source::env("DATABASE_URL").idle_session_timeout(std::time::Duration::from_secs(100));
    idle_2 = Source::env("DATABASE_URL").idle_session_timeout(std::time::Duration::from_secs(2));
    short_lived = Source::env("DATABASE_URL").max_lifetime(std::time::Duration::from_millis(10));
    patient = Source::env("DATABASE_URL").check_timeout(std::time::Duration::from_secs(3));
    idle_zero = Source::env("DATABASE_URL").idle_session_timeout(std::time::Duration::ZERO);
}

/// A kept connection asks for the load as often as the size of the fleet allows.
const BRISK: LoadShedding = LoadShedding::new().interval(Duration::ZERO);

/// Returns the password from a file, which a test changes.
async fn secret() -> Result<Credentials, BoxError> {
    let secret = std::fs::read_to_string(std::env::var("SECRET")?)?;
    Ok(Credentials::new("app", secret))
}

#[reuse_db::reuse_db]
async fn any(request: Request, db: &mut sqlx::AnyConnection) -> Result<Response<Body>, Error> {
    let script = script::Script::of(&request);
    let result = script::run!(script, &mut *db);
    script.conclude(result)
}

/// Installs sqlx's drivers as a user may, if `DRIVERS` is `how`.
fn install_drivers(how: &str) {
    if std::env::var("DRIVERS").is_ok_and(|drivers| drivers == how) {
        if how == "own" {
            let drivers = &[sqlx::postgres::any::DRIVER, sqlx::mysql::any::DRIVER];
            // No other installation comes before.
            let _ = sqlx::any::install_drivers(drivers);
        } else {
            sqlx::any::install_default_drivers();
        }
    }
}

fn source() -> String {
    std::env::var("SOURCE").unwrap_or_else(|_| "plain".to_owned())
}

/// Opens a connection for each form that `WARM` names.
async fn warm() {
    let forms = std::env::var("WARM").unwrap_or_default();
    let source = source();
    for form in forms.split(',').filter(|form| !form.is_empty()) {
        match std::env::var("DATABASE_URL") {
            _ if form == "any" => ANY_DB.warm().await,
            Ok(url) if url.starts_with("mysql") => mysql::warm(&source, form).await,
            Ok(url) if url.starts_with("sqlite") => sqlite::warm(&source, form).await,
            _ => postgres::warm(&source, form).await,
        }
    }
}

async fn route(request: Request) -> Result<Response<Body>, Error> {
    if word(&request, "spawn") == "yes" {
        tokio::spawn(Box::pin(in_place(request)));
        return Ok(Response::new(Body::Empty));
    }
    in_place(request).await
}

async fn in_place(request: Request) -> Result<Response<Body>, Error> {
    if request.uri().path() == "/any" {
        let response = any(request).await;
        install_drivers("later");
        return response;
    }
    let source = source();
    match std::env::var("DATABASE_URL") {
        Ok(url) if url.starts_with("mysql") => mysql::route(&source, request).await,
        Ok(url) if url.starts_with("sqlite") => sqlite::route(&source, request).await,
        _ => postgres::route(&source, request).await,
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    if std::env::var_os("INIT").is_some() {
        lambda_http::tracing::init_default_subscriber();
    }
    install_drivers("own");
    install_drivers("default");
    warm().await;
    reuse_db::run(service_fn(route)).await
}
