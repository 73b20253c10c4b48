//! PostgreSQL.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{
    AssertSqlSafe, ColumnIndex, Connection as _, Database as _, Decode, Encode, Executor,
    IntoArguments, PgConnection, Postgres, Row as _, Transaction, Type,
};

use super::session::outside_transaction;
use super::{Driver, driver, endpoint, error, parameters, session, statement_cache};
use crate::connect::Reset;
use crate::drivers::database_url::expect_scheme;
use crate::drivers::driver_error::DriverError as _;
use crate::drivers::postgres::{self, BEGIN, PgSession, session_name, start_up};
use crate::drivers::target;
use crate::error::Error;
use crate::source::{Credentials, ServerLoad, Source};

driver!(Postgres, PgConnection);

/// Fails in an aborted transaction, where a COMMIT alone reports a success. The empty transaction
/// that follows ends with the queued ROLLBACK.
const COMMIT_AND_CHAIN: &str = "select 1; commit and chain";

impl Driver for Postgres {
    fn resets_all(source: &Source) -> bool {
        !target::is_proxy(source)
    }

    fn options(url: &str, source: &Source) -> Result<PgConnectOptions, Error> {
        expect_scheme(url, Self::URL_SCHEMES, source)?;
        let known = parameters::known(url);
        let mut options = PgConnectOptions::from_str(&statement_cache::bounded(&known))
            .map_err(|error| error::malformed(error, source))?;
        if let Some(address) = endpoint::without_brackets(options.get_host()) {
            options = options.host(&address);
        }
        if options.get_application_name().is_none()
            && let Some(name) = session_name()
        {
            options = options.application_name(&name);
        }
        if let Some(roots) = super::rds_roots::of(url) {
            options = options.ssl_root_cert_from_pem(roots);
        }
        Ok(with_limits(options, source))
    }

    fn with_credentials(
        options: PgConnectOptions,
        credentials: &Credentials,
    ) -> Option<PgConnectOptions> {
        let options = options.username(credentials.user());
        Some(options.password(credentials.password()))
    }

    fn uses_path(options: &PgConnectOptions) -> bool {
        options.get_socket().is_some() || options.get_host().starts_with('/')
    }

    fn port(options: &PgConnectOptions) -> Option<u16> {
        (!Self::uses_path(options)).then(|| options.get_port())
    }

    fn failing(options: &PgConnectOptions) -> Option<PgConnectOptions> {
        Some(options.clone().socket(super::too_long_path()))
    }

    fn host(options: &PgConnectOptions) -> Option<String> {
        let is_verified = matches!(options.get_ssl_mode(), PgSslMode::VerifyFull);
        (!Self::uses_path(options) && !is_verified).then(|| options.get_host().to_owned())
    }

    fn with_host(options: PgConnectOptions, address: IpAddr) -> PgConnectOptions {
        options.host(&address.to_string())
    }

    fn rejected_startup_parameter(
        error: &sqlx::Error,
        source: &Source,
        sent: &PgConnectOptions,
    ) -> bool {
        start_up::remember_rejected(error, source, sent.get_options().unwrap_or_default())
    }

    async fn execute(connection: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        sql.execute(connection).await.map(drop)
    }

    async fn set_up_shared(
        connection: &mut PgConnection,
        source: &Source,
    ) -> Result<(), sqlx::Error> {
        connection.detect_passed_names(source).await
    }

    async fn check(connection: &mut PgConnection, source: &Source) -> Result<(), sqlx::Error> {
        postgres::check(connection, source).await
    }

    async fn reset(connection: &mut PgConnection, source: &Source) -> Result<Reset, sqlx::Error> {
        postgres::reset(connection, source).await
    }

    async fn inspect(connection: &mut PgConnection, source: &Source) -> Result<bool, sqlx::Error> {
        postgres::inspect(connection, source).await
    }

    async fn quiesce(connection: &mut PgConnection, source: &Source) -> Result<(), sqlx::Error> {
        session::quiesce::<Self>(connection, source).await?;
        connection.forget_passed_names(source).await
    }

    async fn begin<'c>(
        connection: &'c mut PgConnection,
        source: &Source,
    ) -> Result<Transaction<'c, Self>, sqlx::Error> {
        begin::<Self>(connection, source).await
    }

    async fn commit(mut transaction: Transaction<'_, Self>) -> Result<(), sqlx::Error> {
        if !can_chain(&transaction) {
            return commit_checked::<Self>(transaction).await;
        }
        let commit = sqlx::raw_sql(COMMIT_AND_CHAIN).execute(&mut *transaction);
        commit.await.map(drop)
    }

    async fn server_load(
        connection: &mut PgConnection,
        source: &Source,
        least_idle: Duration,
    ) -> Result<Option<ServerLoad>, sqlx::Error> {
        postgres::server_load(connection, source, least_idle).await
    }
}

impl PgSession for PgConnection {
    type Error = sqlx::Error;

    async fn texts(&mut self, sql: String) -> Result<Vec<String>, sqlx::Error> {
        texts::<Postgres>(self, sql).await
    }

    async fn outside_transaction(&mut self, sql: &str) -> Result<bool, sqlx::Error> {
        outside_transaction::<Postgres>(self, sql).await
    }

    async fn detect_passed_names(&mut self, source: &Source) -> Result<(), sqlx::Error> {
        detect_passed_names::<Postgres>(self, source).await
    }

    async fn forget_passed_names(&mut self, source: &Source) -> Result<(), sqlx::Error> {
        forget_passed_names::<Postgres>(self, source).await
    }
}

/// Adds the limits that neither the URL sets nor the target is known to reject.
fn with_limits(options: PgConnectOptions, source: &Source) -> PgConnectOptions {
    if start_up::omits_all(source) {
        return options.extra_float_digits(None);
    }
    match start_up::limits(options.get_options().unwrap_or_default(), source) {
        limits if limits.is_empty() => options,
        limits => options.options(limits),
    }
}

/// Returns the texts in the first column of the answers, for this driver and for `AnyConnection`.
pub(super) async fn texts<DB>(
    connection: &mut DB::Connection,
    sql: String,
) -> Result<Vec<String>, sqlx::Error>
where
    DB: Driver,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'r> Option<String>: Decode<'r, DB> + Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    let answer = sqlx::raw_sql(AssertSqlSafe(sql))
        .fetch_all(connection)
        .await?;
    let texts = answer.iter().map(|row| row.try_get::<Option<String>, _>(0));
    texts.filter_map(Result::transpose).collect()
}

/// Begins a transaction. If sessions are shared and know the names of statements, they may know
/// those of another client: BEGIN removes them in its own round trip, and sqlx prepares anew.
pub(super) async fn begin<'c, DB: Driver>(
    connection: &'c mut DB::Connection,
    source: &Source,
) -> Result<Transaction<'c, DB>, sqlx::Error> {
    if source.is_dsql() {
        HAS_DSQL.store(true, Ordering::Relaxed);
        return connection.begin().await;
    }
    if !target::passes_names(source) {
        return connection.begin_with(AssertSqlSafe(BEGIN)).await;
    }
    forget_passed_names::<DB>(connection, source).await?;
    let begin = format!("{BEGIN}; deallocate all");
    connection.begin_with(AssertSqlSafe(begin)).await
}

/// Makes sqlx forget the statements that it has prepared in a shared session.
pub(super) async fn forget_passed_names<DB: Driver>(
    connection: &mut DB::Connection,
    source: &Source,
) -> Result<(), sqlx::Error> {
    if target::passes_names(source) && connection.cached_statements_size() > 0 {
        connection.clear_cached_statements().await?;
    }
    Ok(())
}

/// Commits, with a statement ahead that fails in an aborted transaction.
pub(super) async fn commit_checked<DB: Driver>(
    mut transaction: Transaction<'_, DB>,
) -> Result<(), sqlx::Error> {
    DB::execute(&mut transaction, "select 1".to_owned()).await?;
    transaction.commit().await
}

/// `true` once a transaction was begun at Aurora DSQL. A transaction does not tell its source.
static HAS_DSQL: AtomicBool = AtomicBool::new(false);

/// Returns `true` if the server knows COMMIT AND CHAIN: PostgreSQL 12 and later.
///
/// CockroachDB reports 13.0.0, and its older versions do not know it. Nor may Aurora DSQL.
fn can_chain(connection: &PgConnection) -> bool {
    if HAS_DSQL.load(Ordering::Relaxed) {
        return false;
    }
    let version = connection.server_version_num();
    version.is_some_and(|version| version >= 120_000 && version != 130_000)
}

/// Finds out whether the sessions behind a pooler know prepared statements by the names that
/// clients gave them. If the pooler renames them, they are safe.
pub(super) async fn detect_passed_names<DB>(
    connection: &mut DB::Connection,
    source: &Source,
) -> Result<(), sqlx::Error>
where
    DB: Driver,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'r> i64: Decode<'r, DB> + Encode<'r, DB> + Type<DB>,
    DB::Arguments: IntoArguments<DB>,
    usize: ColumnIndex<DB::Row>,
{
    // Unique, so that the statement is found in no other client's session.
    let id = getrandom::u64().unwrap_or_default();
    let sql = format!(
        "select pg_catalog.count(*) from pg_catalog.pg_prepared_statements \
         where name operator(pg_catalog.~~) 'sqlx%' \
             and statement operator(pg_catalog.~~) '%reuse-db {id}%'"
    );
    let mut transaction = connection.begin().await?;
    let count = sqlx::query_scalar::<DB, i64>(AssertSqlSafe(sql));
    let passed = match count.fetch_one(&mut *transaction).await {
        Ok(count) => count > 0,
        // Another client has prepared a statement with this name.
        Err(error) if error.has_code("42P05") => true,
        Err(error) => return Err(error),
    };
    transaction.rollback().await?;
    if passed {
        target::remember_passed_names(source);
    }
    forget_passed_names::<DB>(connection, source).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::Barrier;

    use super::*;
    use crate::connect::Connect;

    const REJECTION: &[u8] = b"SFATAL\0VFATAL\0C0A000\0MUnsupported startup parameter: options\0\0";
    /// The messages "authenticated" and "ready for a query".
    const WELCOME: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";

    /// Rejects the parameter as RDS Proxy does, once `both` connections have sent it.
    async fn serve(mut client: TcpStream, both: Arc<Barrier>) -> std::io::Result<()> {
        let length = client.read_i32().await?;
        let mut start_up = Vec::new();
        (&mut client)
            .take(length as u64 - 4)
            .read_to_end(&mut start_up)
            .await?;
        if start_up.windows(12).any(|word| word == b"idle_session") {
            both.wait().await;
            client.write_u8(b'E').await?;
            client.write_i32(REJECTION.len() as i32 + 4).await?;
            return client.write_all(REJECTION).await;
        }
        client.write_all(WELCOME).await?;
        client.read_to_end(&mut start_up).await.map(drop)
    }

    #[tokio::test]
    async fn an_ipv6_address_can_be_connected_to() {
        let server = TcpListener::bind("[::1]:0").await.expect("a port");
        let at = server.local_addr().expect("an address");
        tokio::spawn(async move {
            let (client, _) = server.accept().await?;
            serve(client, Arc::new(Barrier::new(1))).await
        });
        let url = format!("postgres://app@host/app?sslmode=disable&port={}", at.port());
        let source = Source::env("X").transaction_pooler();
        let options =
            Postgres::with_host(Postgres::options(&url, &source).expect("options"), at.ip());
        let connection = sqlx::ConnectOptions::connect(&options).await;
        assert!(connection.is_ok(), "{connection:?}");
    }

    #[tokio::test]
    async fn concurrent_connects_each_omit_the_rejected_parameter() {
        let server = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = server.local_addr().expect("an address").port();
        tokio::spawn(async move {
            let both = Arc::new(Barrier::new(2));
            while let Ok((client, _)) = server.accept().await {
                tokio::spawn(serve(client, Arc::clone(&both)));
            }
        });
        let url = format!("postgres://app@127.0.0.1:{port}/app?sslmode=disable");
        let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE").or(url.leak());
        let (one, two) = tokio::join!(
            <PgConnection as Connect>::connect(&source),
            <PgConnection as Connect>::connect(&source)
        );
        assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
    }
}
