//! PostgreSQL.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{
    AssertSqlSafe, ColumnIndex, Connection as _, Database as _, Decode, Encode, Executor,
    IntoArguments, PgConnection, Postgres, Row as _, Transaction, Type,
};

use super::error::has_code;
use super::idle_limits::{IdleLimits, load_sql};
use super::session::{self, end_transaction, outside_transaction};
use super::start_up::{self, Parameter};
use super::{Driver, driver, endpoint, error, postgres_limits, statement_cache, target};
use crate::connect::Reset;
use crate::environment;
use crate::error::Error;
use crate::source::{Credentials, ServerLoad, Source};

driver!(Postgres, PgConnection);

/// A health check. A session whose role was dropped fails it: such a session has no rights, even if
/// the role is created again.
///
/// The check names nothing that a `search_path` can replace.
const CHECK: &str = "select current_user";

/// A health check for a session that other clients share.
const CHECK_SHARED: &str = "select 1";

/// Fails with 22012, "division by zero", on a read-only server or in a read-only transaction.
const EXPECT_WRITES: &str = include_str!("sql/postgres_expect_writes.sql");

/// Does what DISCARD ALL does, but as statements beside others, and without deallocating the
/// statements that sqlx has prepared.
const RESET: &str = include_str!("sql/postgres_reset.sql");

/// Fails with 22012, "division by zero", if a handler has prepared a statement in SQL.
const EXPECT_NOTHING_PREPARED: &str = "select pg_catalog.int4div(1, case \
    when exists (select from pg_catalog.pg_prepared_statements where from_sql) then 0 else 1 end)";

/// Returns SQL that deallocates the statements that handlers have prepared in SQL.
const DEALLOCATE: &str = "select pg_catalog.string_agg( \
        pg_catalog.format('deallocate %I', name), '; ') \
    from pg_catalog.pg_prepared_statements where from_sql";

/// Releases the advisory locks of a session. A handler that succeeded may have left some.
const RELEASE_LOCKS: &str = "select pg_catalog.pg_advisory_unlock_all()";

/// Fails in an aborted transaction, where a COMMIT alone reports a success. The empty transaction
/// that follows ends with the queued ROLLBACK.
const COMMIT_AND_CHAIN: &str = "select 1; commit and chain";

/// Returns the number of this user's newer sessions, and three pairs of sessions and their limit:
/// of the server less the reserved slots, of the role, and of the database.
///
/// Of other users' sessions only user and database are visible. The server's own processes have no
/// user or no database. `pg_stat_activity` would take three times as long on a server with 2,000
/// sessions. The SQL names nothing that a `search_path` can replace.
const LOAD: &str = include_str!("sql/postgres_load.sql");

impl Driver for Postgres {
    fn resets_all(source: &Source) -> bool {
        !target::is_proxy(source)
    }

    fn options(url: &str, source: &Source) -> Result<PgConnectOptions, Error> {
        error::expect_scheme(url, Self::URL_SCHEMES, source)?;
        let mut options = PgConnectOptions::from_str(&statement_cache::bounded(url))
            .map_err(|error| error::malformed(error, source))?;
        if let Some(address) = endpoint::without_brackets(options.get_host()) {
            options = options.host(&address);
        }
        if options.get_application_name().is_none()
            && let Some(name) = session_name()
        {
            options = options.application_name(&name);
        }
        Ok(start_up::with_limits(options, source))
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
        start_up::remember_rejected(error, source, sent)
    }

    async fn execute(connection: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        sql.execute(connection).await.map(drop)
    }

    async fn set_up_shared(
        connection: &mut PgConnection,
        source: &Source,
    ) -> Result<(), sqlx::Error> {
        detect_passed_names::<Self>(connection, source).await
    }

    async fn texts(connection: &mut PgConnection, sql: String) -> Result<Vec<String>, sqlx::Error> {
        texts::<Self>(connection, sql).await
    }

    async fn check(connection: &mut PgConnection, source: &Source) -> Result<(), sqlx::Error> {
        check::<Self>(connection, source).await
    }

    async fn reset(connection: &mut PgConnection, source: &Source) -> Result<Reset, sqlx::Error> {
        reset::<Self>(connection, source).await
    }

    async fn inspect(connection: &mut PgConnection, source: &Source) -> Result<bool, sqlx::Error> {
        inspect::<Self>(connection, source).await
    }

    async fn quiesce(connection: &mut PgConnection, source: &Source) -> Result<(), sqlx::Error> {
        session::quiesce::<Self>(connection, source).await?;
        forget_passed_names::<Self>(connection, source).await
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
    ) -> Result<ServerLoad, sqlx::Error> {
        server_load::<Self>(connection, source, least_idle).await
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

/// Runs the load query, for this driver and for `AnyConnection`. It leaves an idle limit of zero,
/// because the handler or a pooler has turned it off.
pub(super) async fn server_load<DB>(
    connection: &mut DB::Connection,
    source: &Source,
    least_idle: Duration,
) -> Result<ServerLoad, sqlx::Error>
where
    DB: Driver,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'r> Option<i64>: Decode<'r, DB> + Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    let parameter = Parameter::IdleSession;
    let is_ours =
        !start_up::url_sets(source, parameter) && !source.sets_on_connect(parameter.name());
    let most = source.idle_limit().filter(|_| is_ours);
    let idle = IdleLimits::new(least_idle, most, Duration::from_millis(1));
    let query = sqlx::raw_sql(AssertSqlSafe(load_sql(LOAD, source, idle)));
    // Reads the answer to its end, which fetching one row would not.
    let answer = query.fetch_all(connection).await?;
    let row = answer.first().ok_or(sqlx::Error::RowNotFound)?;
    let number = |n: usize| row.try_get::<Option<i64>, _>(n);
    let of = |n: usize| Ok::<_, sqlx::Error>((number(n)?, number(n + 1)?));
    let newer = number(0)?.unwrap_or(0);
    Ok(narrowest([of(1)?, of(3)?, of(5)?], newer))
}

/// Returns the load by the limit with the smallest share of free connections, of the server, the
/// role and the database. A negative limit is none.
fn narrowest(limits: [(Option<i64>, Option<i64>); 3], newer: i64) -> ServerLoad {
    let known = limits.into_iter().filter_map(|(connections, limit)| {
        let (connections, limit) = (connections?.try_into().ok()?, limit?.try_into().ok()?);
        Some(ServerLoad {
            connections,
            limit,
            newer: newer.try_into().unwrap_or(0),
        })
    });
    let share = |load: &ServerLoad| load.connections as f64 / load.limit.max(1) as f64;
    let narrowest = known.max_by(|one, other| share(one).total_cmp(&share(other)));
    narrowest.unwrap_or(ServerLoad {
        connections: 0,
        limit: 0,
        newer: 0,
    })
}

/// Performs a health check, for this driver and for `AnyConnection`.
pub(super) async fn check<DB: Driver>(
    connection: &mut DB::Connection,
    source: &Source,
) -> Result<(), sqlx::Error> {
    let sql = if target::is_proxy(source) {
        CHECK_SHARED
    } else {
        CHECK
    };
    check_and::<DB>(connection, source, sql).await.map(drop)
}

/// Performs a health check, and resets the session unless other clients share it.
pub(super) async fn reset<DB>(
    connection: &mut DB::Connection,
    source: &Source,
) -> Result<Reset, sqlx::Error>
where
    DB: Driver,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'r> i64: Decode<'r, DB> + Encode<'r, DB> + Type<DB>,
    DB::Arguments: IntoArguments<DB>,
    usize: ColumnIndex<DB::Row>,
{
    postgres_limits::inspect::<DB>(connection, source).await?;
    if target::is_proxy(source) {
        check::<DB>(connection, source).await?;
        forget_passed_names::<DB>(connection, source).await?;
        // A proxy that shares no sessions pins this one if a handler changes it.
        return Ok(if target::shares_sessions(source) {
            Reset::Complete
        } else {
            Reset::Partial
        });
    }
    let on_connect = source.on_connect.unwrap_or_default();
    // The rare case is an error, because a DO block would load PL/pgSQL and its settings.
    let again = postgres_limits::again_sql(source);
    let sql = format!("{EXPECT_NOTHING_PREPARED}; {CHECK}; {RESET}; {again}; {on_connect}");
    check_and::<DB>(connection, source, &sql).await?;
    Ok(Reset::Complete)
}

/// Ends what a handler left behind that succeeded, unless other clients share the session.
pub(super) async fn inspect<DB>(
    connection: &mut DB::Connection,
    source: &Source,
) -> Result<bool, sqlx::Error>
where
    DB: Driver,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'r> i64: Decode<'r, DB> + Encode<'r, DB> + Type<DB>,
    DB::Arguments: IntoArguments<DB>,
    usize: ColumnIndex<DB::Row>,
{
    let was_open = postgres_limits::inspect::<DB>(connection, source).await?;
    if target::is_proxy(source) {
        return Ok(was_open);
    }
    let is_open = match check_and::<DB>(connection, source, RELEASE_LOCKS).await {
        // A server without advisory locks, such as CockroachDB.
        Err(error) if error::is_rejection(&error) => {
            check_and::<DB>(connection, source, CHECK_SHARED).await?
        }
        result => result?,
    };
    Ok(was_open || is_open)
}

/// Runs the SQL of a health check, of which some statements fail with 22012: if the server is
/// read-only and must not be, and if statements must be deallocated. Returns `true` if a
/// transaction was open.
async fn check_and<DB: Driver>(
    connection: &mut DB::Connection,
    source: &Source,
    sql: &str,
) -> Result<bool, sqlx::Error> {
    let expect_writes = if source.read_write { EXPECT_WRITES } else { "" };
    let sql = format!("{expect_writes} {sql}");
    let is_unexpected = |error: &sqlx::Error| has_code(error, "22012");
    let mut result = outside_transaction::<DB>(connection, &sql).await;
    if result.as_ref().is_err_and(is_unexpected) {
        // A read-only transaction may be open.
        end_transaction::<DB>(connection).await?;
        for deallocate in DB::texts(connection, DEALLOCATE.to_owned()).await? {
            DB::execute(connection, deallocate).await?;
        }
        result = outside_transaction::<DB>(connection, &sql).await;
    }
    match result {
        Err(error) if is_unexpected(&error) => error::expect_writes(true).map(|()| false),
        result => result,
    }
}

/// Begins a transaction. If sessions are shared and know the names of statements, they may know
/// those of another client: BEGIN removes them in its own round trip, and sqlx prepares anew.
pub(super) async fn begin<'c, DB: Driver>(
    connection: &'c mut DB::Connection,
    source: &Source,
) -> Result<Transaction<'c, DB>, sqlx::Error> {
    if !target::passes_names(source) {
        return connection.begin().await;
    }
    forget_passed_names::<DB>(connection, source).await?;
    let begin = "begin; deallocate all".to_owned();
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

/// Returns `true` if the server knows COMMIT AND CHAIN: PostgreSQL 12 and later.
///
/// CockroachDB reports 13.0.0, and its older versions do not know it.
fn can_chain(connection: &PgConnection) -> bool {
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
        Err(error) if has_code(&error, "42P05") => true,
        Err(error) => return Err(error),
    };
    transaction.rollback().await?;
    if passed {
        target::remember_passed_names(source);
    }
    forget_passed_names::<DB>(connection, source).await
}

/// Returns a session's name, unless the environment sets one for libpq and sqlx.
fn session_name() -> Option<String> {
    if std::env::var_os("PGAPPNAME").is_some() {
        return None;
    }
    environment::session_name()
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
