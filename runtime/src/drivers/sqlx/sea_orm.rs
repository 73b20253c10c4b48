//! SeaORM's `DatabaseConnection`, over a pool of sqlx that is set up as a pool parameter is.

use std::sync::Arc;
use std::time::Duration;

use lambda_http::BoxFuture;
use sea_orm::{DatabaseConnection, DatabaseConnectionType, DbErr, RuntimeErr};

use super::{Driver as _, sqlx_pool};
use crate::connect::{Answer, Attempt, Connect, Cure, Driver, DriverConnect, Link, Unused};
use crate::drivers::boxed;
use crate::drivers::database_url::expect_scheme;
use crate::error::Error;
use crate::source::{ServerLoad, Source};
use crate::telemetry::Counters;

/// Evaluates an expression on the pool inside, or `otherwise` for a connection without a pool. This
/// driver never opens such a connection.
macro_rules! on_pool {
    ($connection:expr, $pool:ident => $on_pool:expr, $otherwise:expr) => {
        match &$connection.inner {
            #[cfg(feature = "postgres")]
            DatabaseConnectionType::SqlxPostgresPoolConnection(_) => {
                let $pool = $connection.get_postgres_connection_pool();
                $on_pool
            }
            #[cfg(feature = "mysql")]
            DatabaseConnectionType::SqlxMySqlPoolConnection(_) => {
                let $pool = $connection.get_mysql_connection_pool();
                $on_pool
            }
            #[cfg(feature = "sqlite")]
            DatabaseConnectionType::SqlxSqlitePoolConnection(_) => {
                let $pool = $connection.get_sqlite_connection_pool();
                $on_pool
            }
            _ => $otherwise,
        }
    };
}

/// Opens a pool by a single attempt. The URL's scheme chooses the database.
async fn open(source: &Source, attempt: &Attempt) -> Result<DatabaseConnection, Error> {
    let source = &source.of_sea_orm();
    match scheme(source)?.as_str() {
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => {
            let pool = sqlx_pool::open::<sqlx::Postgres>(source, attempt).await?;
            Ok(sea_orm::SqlxPostgresConnector::from_sqlx_postgres_pool(
                pool,
            ))
        }
        #[cfg(feature = "mysql")]
        "mysql" | "mariadb" => {
            let pool = sqlx_pool::open::<sqlx::MySql>(source, attempt).await?;
            Ok(sea_orm::SqlxMySqlConnector::from_sqlx_mysql_pool(pool))
        }
        #[cfg(feature = "sqlite")]
        "sqlite" => {
            let pool = sqlx_pool::open::<sqlx::Sqlite>(source, attempt).await?;
            Ok(sea_orm::SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
        }
        _ => {
            expect_scheme(&source.url()?, SCHEMES, source)?;
            Err(source.problem("is not a usable database URL"))
        }
    }
}

/// Returns the scheme of the source's URL, which is empty if it has none.
fn scheme(source: &Source) -> Result<String, Error> {
    let url = source.url()?;
    Ok(url
        .split_once(':')
        .map_or("", |(scheme, _)| scheme)
        .to_owned())
}

/// The schemes of the databases whose features are on.
const SCHEMES: &[&str] = &[
    #[cfg(feature = "postgres")]
    "postgres",
    #[cfg(feature = "postgres")]
    "postgresql",
    #[cfg(feature = "mysql")]
    "mysql",
    #[cfg(feature = "mysql")]
    "mariadb",
    #[cfg(feature = "sqlite")]
    "sqlite",
];

/// Makes `?` and the attribute work in handlers that return `DbErr`.
impl From<Error> for DbErr {
    fn from(error: Error) -> Self {
        Self::Conn(RuntimeErr::SqlxError(Arc::new(error.into())))
    }
}

/// SeaORM's handle of a pool. It opens connections as they are needed, up to
/// [`max_connections`](crate::Source::max_connections).
impl Connect for DatabaseConnection {
    const DRIVER: Option<Driver<Self>> = Some(Driver::of());

    fn connect(source: &Source) -> impl Future<Output = Result<Self, Error>> + Send {
        boxed(async move {
            let attempt = Attempt::single(source, Counters::of_process()).await?;
            open(source, &attempt).await
        })
    }

    /// Waits until the pool has all its connections back. Sends nothing, because each connection is
    /// checked when it is acquired, unless the source requires a server that accepts writes.
    fn check(&mut self, source: &Source) -> impl Future<Output = Result<(), Error>> + Send {
        let source = source.of_sea_orm();
        boxed(async move { on_pool!(self, pool => sqlx_pool::check(pool, &source).await, Ok(())) })
    }

    /// Returns `true` while a connection is returning: sqlx pings it and rolls back its
    /// transaction.
    fn needs_quiesce(&self) -> bool {
        on_pool!(self, pool => sqlx_pool::has_connection_out(pool), false)
    }

    fn close(self) -> impl Future<Output = ()> + Send {
        boxed(async move { on_pool!(self, pool => pool.close().await, ()) })
    }
}

impl DriverConnect for DatabaseConnection {
    const IS_EXCLUSIVE: bool = false;
    const COUNTS_ABORTED_HANDSHAKES: bool = cfg!(feature = "mysql");

    fn connect_attempt<'a>(source: &'a Source, attempt: &'a Attempt) -> Answer<'a, (Self, Link)> {
        Box::pin(async { Ok((open(source, attempt).await?, Link::default())) })
    }

    fn resets_all(source: &Source) -> bool {
        match scheme(source).as_deref() {
            #[cfg(feature = "postgres")]
            Ok("postgres" | "postgresql") => sqlx::Postgres::resets_all(source),
            #[cfg(feature = "mysql")]
            Ok("mysql" | "mariadb") => sqlx::MySql::resets_all(source),
            #[cfg(feature = "sqlite")]
            Ok("sqlite") => sqlx::Sqlite::resets_all(source),
            _ => false,
        }
    }

    fn is_doubtful(&self) -> bool {
        on_pool!(self, pool => pool.is_closed(), false)
    }

    fn shut_down(&self, source: &Source) {
        on_pool!(self, pool => sqlx_pool::shut_down(pool, &source.of_sea_orm()), ());
    }

    fn recover(&self, source: &Source, cure: Cure) -> BoxFuture<'static, ()> {
        let source = source.of_sea_orm();
        on_pool!(
            self,
            pool => Box::pin(sqlx_pool::recover(pool.clone(), source, cure)),
            Box::pin(std::future::ready(()))
        )
    }

    fn has_abandoned(source: &Source) -> bool {
        sqlx_pool::has_abandoned(&source.of_sea_orm())
    }

    fn end_abandoned(&self, source: &Source, unused: Unused) -> BoxFuture<'static, ()> {
        let source = source.of_sea_orm();
        on_pool!(
            self,
            pool => Box::pin(sqlx_pool::end_abandoned(pool.clone(), source, unused)),
            Box::pin(std::future::ready(()))
        )
    }

    fn take_opened(&self, source: &Source) -> usize {
        sqlx_pool::take_opened(&source.of_sea_orm())
    }

    fn idle_connections(&self) -> usize {
        on_pool!(self, pool => pool.num_idle(), 0)
    }

    fn tend(
        &self,
        source: &Source,
        inspects: bool,
        least_idle: Option<Duration>,
    ) -> Answer<'static, Option<ServerLoad>> {
        let source = source.of_sea_orm();
        on_pool!(
            self,
            pool => Box::pin(sqlx_pool::tend(pool.clone(), source, inspects, least_idle)),
            Box::pin(std::future::ready(Ok(None)))
        )
    }

    fn close_idle(&self, source: &Source, most: usize) -> BoxFuture<'static, (usize, usize)> {
        let limit = source.check_timeout;
        on_pool!(
            self,
            pool => Box::pin(sqlx_pool::close_idle(pool.clone(), limit, most)),
            Box::pin(std::future::ready((0, 0)))
        )
    }

    fn renew<'a>(&'a self, source: &'a Source) -> Answer<'a, ()> {
        let source = source.of_sea_orm();
        Box::pin(
            async move { on_pool!(self, pool => sqlx_pool::renew(pool, &source).await, Ok(())) },
        )
    }
}
