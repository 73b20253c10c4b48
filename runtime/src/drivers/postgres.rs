//! PostgreSQL.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{
    AssertSqlSafe, ColumnIndex, Database, Decode, Executor, PgConnection, Postgres, Row as _, Type,
};

use super::{Driver, driver, errors, refused};
use crate::guard::Load;
use crate::{Credentials, Error, Source, sandbox};

driver!(Postgres, PgConnection);

impl Driver for Postgres {
    fn options(url: &str, source: &Source) -> Result<PgConnectOptions, Error> {
        errors::expect_scheme(url, Self::URL_SCHEMES, source)?;
        let mut options =
            PgConnectOptions::from_str(url).map_err(|error| errors::malformed(&error, source))?;
        if options.get_application_name().is_none()
            && let Some(name) = session_name()
        {
            options = options.application_name(&name);
        }
        if is_plain(source) {
            options = options.extra_float_digits(None);
        }
        Ok(match idle_session_timeout(source) {
            Some(setting)
                if !options
                    .get_options()
                    .is_some_and(|set| set.contains(setting.0)) =>
            {
                options.options([setting])
            }
            _ => options,
        })
    }

    fn sign_in(options: PgConnectOptions, credentials: &Credentials) -> Option<PgConnectOptions> {
        Some(
            options
                .username(credentials.user())
                .password(credentials.password()),
        )
    }

    fn is_by_socket(options: &PgConnectOptions) -> bool {
        options.get_socket().is_some() || options.get_host().starts_with('/')
    }

    fn host(options: &PgConnectOptions) -> Option<String> {
        let is_verified = matches!(options.get_ssl_mode(), PgSslMode::VerifyFull);
        (!Self::is_by_socket(options) && !is_verified).then(|| options.get_host().to_owned())
    }

    fn at(options: PgConnectOptions, address: IpAddr) -> PgConnectOptions {
        options.host(&address.to_string())
    }

    fn was_too_much(error: &sqlx::Error, source: &Source) -> bool {
        was_refused(error, source)
    }

    async fn execute(connection: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(connection)
            .await
            .map(drop)
    }

    async fn check(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        asked::<Self>(connection, NO_TRANSACTION).await.map(drop)
    }

    async fn check_writer(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        errors::expect_writes(asked::<Self>(connection, NO_TRANSACTION_AND_READ_ONLY).await?)
    }

    async fn reset(connection: &mut PgConnection, source: &Source) -> Result<(), sqlx::Error> {
        let question = if source.read_write {
            NO_TRANSACTION_AND_READ_ONLY
        } else {
            NO_TRANSACTION
        };
        if source.transaction_pooler {
            // The session is whoever's.
            return errors::expect_writes(asked::<Self>(connection, question).await?);
        }
        let set_up = source.on_connect.unwrap_or_default();
        let sql = format!("{question}; {RESET}; {set_up}");
        errors::expect_writes(asked::<Self>(connection, &sql).await?)
    }

    async fn load(connection: &mut PgConnection) -> Result<Option<Load>, sqlx::Error> {
        // To the end of the answer, which one row would not be.
        let answer = sqlx::raw_sql(LOAD).fetch_all(connection).await?;
        let row = answer.first().ok_or(sqlx::Error::RowNotFound)?;
        let count = |n| {
            row.try_get::<i64, _>(n)
                .map(|count| count.try_into().unwrap_or(0))
        };
        Ok(Some(Load {
            used: count(0)?,
            most: count(1)?,
            ours: count(2)?,
        }))
    }

    async fn reap(
        connection: &mut PgConnection,
        idle: Duration,
        most: u64,
    ) -> Result<u64, sqlx::Error> {
        // Only where the name is of our making: what a user has called it may be others' name, too.
        let Some(name) = session_name() else {
            return Ok(0);
        };
        let name = name.replace('\'', "''");
        let sql = format!(
            "set role none; {OUR_IDLE_SESSIONS} and current_setting('application_name') = '{name}' and state_change < now() - interval '{} s' \
             order by state_change limit {most}) as oldest",
            idle.as_secs()
        );
        let answer = sqlx::raw_sql(AssertSqlSafe(sql))
            .fetch_all(connection)
            .await?;
        let row = answer.first().ok_or(sqlx::Error::RowNotFound)?;
        Ok(row.try_get::<i64, _>(0)?.try_into().unwrap_or(0))
    }
}

/// Asks for a sign of life; again, after a ROLLBACK, if there is a transaction open, which may be a
/// read-only one. The answer is whether the server takes no writes, if that was asked.
pub(super) async fn asked<DB>(
    connection: &mut DB::Connection,
    sql: &str,
) -> Result<bool, sqlx::Error>
where
    DB: Database,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'r> bool: Decode<'r, DB> + Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    loop {
        // To the end of the answer, which one row would not be.
        let answer = sqlx::raw_sql(AssertSqlSafe(sql))
            .fetch_all(&mut *connection)
            .await
            .and_then(|rows| rows.into_iter().next().ok_or(sqlx::Error::RowNotFound));
        let is_read_only = answer
            .as_ref()
            .is_ok_and(|row| row.try_get(1).unwrap_or(false));
        if !is_transaction_open(answer.and_then(|row| row.try_get(0)))? {
            return Ok(is_read_only);
        }
        sqlx::raw_sql("rollback").execute(&mut *connection).await?;
    }
}

/// What DISCARD ALL does, in a statement beside others, and without taking sqlx's prepared statements
/// away.
const RESET: &str = "close all; unlisten *; set session authorization default; reset all; \
    discard temp; discard sequences; select pg_advisory_unlock_all()";

/// Of another user's session no more is seen than whose it is and in which database: it counts as a
/// client's. A role that was taken on may not even see its own user's, so it is left for this statement. The server's own processes have no user, or no database.
const LOAD: &str = "\
    set local role none; select count(*), \
        current_setting('max_connections')::int8 \
            - current_setting('superuser_reserved_connections')::int8 \
            - coalesce(current_setting('reserved_connections', true), '0')::int8, \
        count(*) filter (where usename = session_user \
            and split_part(application_name, '/', 1) = split_part(current_setting('application_name'), '/', 1)) \
    from pg_stat_activity \
    where usesysid is not null and datid is not null \
        and coalesce(backend_type, 'client backend') = 'client backend'";

/// Ends the sessions of this function, user and database (whatever role they have taken on) that are in no
/// transaction, if nobody else is about to: the lock is held until the statement has ended.
const OUR_IDLE_SESSIONS: &str = "\
    with turn as materialized (select pg_try_advisory_xact_lock(hashtext('reuse-db'), \
        hashtext(session_user || split_part(current_setting('application_name'), '/', 1))) as is_ours) \
    select count(*) filter (where pg_terminate_backend(pid)) from (\
        select pid from pg_stat_activity \
        where (select is_ours from turn) and pid <> pg_backend_pid() \
            and usename = session_user and datname = current_database() and state = 'idle' \
            and split_part(application_name, '/', 1) = split_part(current_setting('application_name'), '/', 1)";

/// The same, and whether the server is a standby, or was told to take no writes.
pub(super) const NO_TRANSACTION_AND_READ_ONLY: &str = "select now() = statement_timestamp() and current_user is not null, \
        current_setting('transaction_read_only') = 'on'";

/// A sign of life that finds a transaction which a handler began with SQL of its own, and of which
/// sqlx knows nothing: outside one, the transaction's time is the statement's own. And that its user is still
/// there: a session outlives a role that is dropped, and has the rights of nobody, also when the role is made again.
pub(super) const NO_TRANSACTION: &str =
    "select now() = statement_timestamp() and current_user is not null";

/// What the answer says; in a transaction that has failed (25P02) there is none but an error.
fn is_transaction_open(answer: Result<bool, sqlx::Error>) -> Result<bool, sqlx::Error> {
    match answer {
        Ok(no_transaction) => Ok(!no_transaction),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("25P02") => Ok(true),
        Err(error) => Err(error),
    }
}

/// What a session is called, unless the environment says it for libpq and for sqlx.
pub(super) fn session_name() -> Option<String> {
    if std::env::var_os("PGAPPNAME").is_some() {
        return None;
    }
    sandbox::session_name()
}

/// Whether the server, or what is before it, is sent no start-up parameter that it may refuse: neither
/// ours nor `extra_float_digits`, which sqlx sends for the sake of servers before PostgreSQL 12.
fn is_plain(source: &Source) -> bool {
    source.transaction_pooler || refused::is_known(source)
}

/// The start-up parameter that makes the server end an idle session by itself, where it is not
/// known to be refused.
pub(super) fn idle_session_timeout(source: &Source) -> Option<(&'static str, String)> {
    let idle = source.idle_session_timeout?;
    // The server takes no more than this.
    let millis = idle.as_millis().clamp(1, i32::MAX.unsigned_abs().into());
    (!is_plain(source)).then(|| (IDLE_LIMIT, format!("{millis}ms")))
}

const IDLE_LIMIT: &str = "idle_session_timeout";

/// Whether a start-up parameter was refused: by PostgreSQL before 14, which does not know ours
/// (42704), by RDS Proxy (0A000) or by PgBouncer, which says 08P01 to everything. It is remembered,
/// and said once.
pub(super) fn was_refused(error: &sqlx::Error, source: &Source) -> bool {
    let Some(said) = error.as_database_error() else {
        return false;
    };
    let is_refusal = match said.code().as_deref() {
        Some("42704") => said.message().contains(IDLE_LIMIT),
        Some("0A000") => source.idle_session_timeout.is_some(),
        Some("08P01") => said.message().contains("startup parameter"),
        _ => false,
    };
    if is_refusal {
        refused::remember(source, error);
    }
    is_refusal
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::Barrier;

    use super::*;
    use crate::Connect as _;

    const REFUSAL: &[u8] = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: options\0\0";
    /// Authenticated, and ready for a query.
    const WELCOME: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";

    /// Refuses the parameter as PgBouncer does, once `both` have sent it.
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
            client.write_i32(REFUSAL.len() as i32 + 4).await?;
            return client.write_all(REFUSAL).await;
        }
        client.write_all(WELCOME).await?;
        client.read_to_end(&mut start_up).await.map(drop)
    }

    #[tokio::test]
    async fn an_address_of_the_newer_kind_is_connected_to() {
        let server = TcpListener::bind("[::1]:0").await.expect("a port");
        let at = server.local_addr().expect("an address");
        tokio::spawn(async move {
            let (client, _) = server.accept().await?;
            serve(client, Arc::new(Barrier::new(1))).await
        });
        let url = format!("postgres://app@host/app?sslmode=disable&port={}", at.port());
        let source = Source::env("X").transaction_pooler();
        let options = Postgres::at(Postgres::options(&url, &source).expect("options"), at.ip());
        let connection = sqlx::ConnectOptions::connect(&options).await;
        assert!(connection.is_ok(), "{connection:?}");
    }

    #[tokio::test]
    async fn each_of_those_that_connect_at_once_connects_without_what_was_refused() {
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
