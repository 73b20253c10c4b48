//! PostgreSQL.

use std::net::IpAddr;
use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{
    AssertSqlSafe, ColumnIndex, Database, Decode, Executor, PgConnection, Postgres, Row as _, Type,
};

use super::{Driver, driver, error, unsupported};
use crate::environment;
use crate::error::Error;
use crate::source::{Credentials, ServerLoad, Source};

driver!(Postgres, PgConnection);

/// A health check. Its first column is `true` outside a transaction, its second if the server is
/// read-only: a standby, or set to read-only.
///
/// Outside a transaction, the transaction's time is the statement's own. So the check finds a
/// transaction that a handler began with SQL of its own, which sqlx does not know. The check of
/// `current_user` is for a session whose role was dropped: it has no rights, even if the role is
/// created again.
pub(super) const CHECK: &str = include_str!("sql/postgres_check.sql");

/// Does what DISCARD ALL does, but as statements beside others, and without deallocating the
/// statements that sqlx has prepared.
const RESET: &str = include_str!("sql/postgres_reset.sql");

/// Returns the server's connections, its limit, and this function's own connections.
///
/// A role that was taken on may not see the sessions of its own user, so it is left first. Of
/// other users' sessions only user and database are visible; they count as client sessions. The
/// server's own processes have no user or no database.
const LOAD: &str = include_str!("sql/postgres_load.sql");

/// The start-up parameter that makes the server end an idle session.
const IDLE_LIMIT: &str = "idle_session_timeout";

impl Driver for Postgres {
    fn options(url: &str, source: &Source) -> Result<PgConnectOptions, Error> {
        error::expect_scheme(url, Self::URL_SCHEMES, source)?;
        let mut options =
            PgConnectOptions::from_str(url).map_err(|error| error::malformed(error, source))?;
        if options.get_application_name().is_none()
            && let Some(name) = session_name()
        {
            options = options.application_name(&name);
        }
        if omits_startup_parameters(source) {
            return Ok(options.extra_float_digits(None));
        }
        let is_set = |options: &PgConnectOptions| {
            let set = options.get_options();
            set.is_some_and(|set| set.contains(IDLE_LIMIT))
        };
        Ok(match idle_limit_millis(source) {
            Some(millis) if !is_set(&options) => {
                options.options([(IDLE_LIMIT, format!("{millis}ms"))])
            }
            _ => options,
        })
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

    fn host(options: &PgConnectOptions) -> Option<String> {
        let is_verified = matches!(options.get_ssl_mode(), PgSslMode::VerifyFull);
        (!Self::uses_path(options) && !is_verified).then(|| options.get_host().to_owned())
    }

    fn with_host(options: PgConnectOptions, address: IpAddr) -> PgConnectOptions {
        options.host(&address.to_string())
    }

    /// PostgreSQL before 14 does not know our parameter (42704). RDS Proxy rejects it with 0A000,
    /// PgBouncer with 08P01, its code for everything.
    fn rejected_startup_parameter(error: &sqlx::Error, source: &Source) -> bool {
        let Some(cause) = error.as_database_error() else {
            return false;
        };
        let is_rejected = match cause.code().as_deref() {
            Some("42704") => cause.message().contains(IDLE_LIMIT),
            Some("0A000") => source.idle_session_timeout.is_some(),
            Some("08P01") => cause.message().contains("startup parameter"),
            _ => false,
        };
        if is_rejected {
            unsupported::remember(source, error);
        }
        is_rejected
    }

    async fn execute(connection: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        sql.execute(connection).await.map(drop)
    }

    async fn check(connection: &mut PgConnection, source: &Source) -> Result<(), sqlx::Error> {
        probe_session::<Self>(connection, source, CHECK).await
    }

    async fn reset(connection: &mut PgConnection, source: &Source) -> Result<(), sqlx::Error> {
        if source.transaction_pooler {
            // The session is shared with other clients.
            return probe_session::<Self>(connection, source, CHECK).await;
        }
        let on_connect = source.on_connect.unwrap_or_default();
        let sql = format!("{CHECK}; {RESET}; {on_connect}");
        probe_session::<Self>(connection, source, &sql).await
    }

    async fn server_load(connection: &mut PgConnection) -> Result<Option<ServerLoad>, sqlx::Error> {
        // Reads the answer to its end, which fetching one row would not.
        let answer = sqlx::raw_sql(LOAD).fetch_all(connection).await?;
        let row = answer.first().ok_or(sqlx::Error::RowNotFound)?;
        let count = |n| {
            row.try_get::<i64, _>(n)
                .map(|count| count.try_into().unwrap_or(0))
        };
        Ok(Some(ServerLoad {
            connections: count(0)?,
            limit: count(1)?,
            own: count(2)?,
        }))
    }
}

/// Performs the health check in `sql`. If a transaction is open, rolls it back and checks again,
/// because the transaction may be a read-only one.
pub(super) async fn probe_session<DB>(
    connection: &mut DB::Connection,
    source: &Source,
    sql: &str,
) -> Result<(), sqlx::Error>
where
    DB: Database,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'r> bool: Decode<'r, DB> + Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    loop {
        // Reads the answer to its end, which fetching one row would not.
        let answer = sqlx::raw_sql(AssertSqlSafe(sql))
            .fetch_all(&mut *connection)
            .await
            .and_then(|rows| rows.into_iter().next().ok_or(sqlx::Error::RowNotFound));
        let is_read_only = answer
            .as_ref()
            .is_ok_and(|row| row.try_get(1).unwrap_or(false));
        if !is_transaction_open(answer.and_then(|row| row.try_get(0)))? {
            return error::expect_writes(is_read_only && source.read_write);
        }
        sqlx::raw_sql("rollback").execute(&mut *connection).await?;
    }
}

/// Reads the answer of a health check. A transaction that has failed answers with 25P02.
fn is_transaction_open(is_outside: Result<bool, sqlx::Error>) -> Result<bool, sqlx::Error> {
    match is_outside {
        Ok(is_outside) => Ok(!is_outside),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("25P02") => Ok(true),
        Err(error) => Err(error),
    }
}

/// Returns a session's name, unless the environment sets one for libpq and sqlx.
fn session_name() -> Option<String> {
    if std::env::var_os("PGAPPNAME").is_some() {
        return None;
    }
    environment::session_name()
}

/// Returns `true` if start-up parameters that a pooler rejects are omitted: ours, and
/// `extra_float_digits`, which sqlx sends for servers before PostgreSQL 12.
fn omits_startup_parameters(source: &Source) -> bool {
    source.transaction_pooler || unsupported::is_known(source)
}

/// Returns the limit for idle sessions in milliseconds, clamped to what PostgreSQL accepts.
fn idle_limit_millis(source: &Source) -> Option<u128> {
    let idle = source.idle_session_timeout?;
    Some(idle.as_millis().clamp(1, i32::MAX.unsigned_abs().into()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::Barrier;

    use super::*;
    use crate::connect::Connect as _;

    const REJECTION: &[u8] = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: options\0\0";
    /// The messages "authenticated" and "ready for a query".
    const WELCOME: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";

    /// Rejects the parameter as PgBouncer does, once `both` connections have sent it.
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
            PgConnection::connect(&source),
            PgConnection::connect(&source)
        );
        assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
    }
}
