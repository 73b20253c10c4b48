//! The opening of a connection.

use std::borrow::Cow;
use std::fmt;

use diesel_async::{AsyncConnection as _, AsyncMysqlConnection, SimpleAsyncConnection as _};
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts, Row};

use super::watch::Watch;
use super::{MysqlSession, settings};
use crate::connect::{Attempt, Link, SessionId};
use crate::drivers::driver_error::{DriverError, read_only};
use crate::drivers::mysql::{CHECK_WRITER, SESSION, limits, session_id};
use crate::drivers::target::{self, Rejection};
use crate::drivers::{certificate, encryption, io_error, mysql_number};
use crate::error::{Error, ErrorKind, Finding};
use crate::socket::{self, Socket};
use crate::source::Source;

/// Opens a connection and sets it up.
pub(super) async fn open(
    source: &Source,
    attempt: &Attempt,
) -> Result<(MysqlSession, Link), Error> {
    let (mut connection, socket) = sign_in(source, attempt).await?;
    let session = set_up(&mut connection, source).await.map_err(|error| {
        let (kind, found) = (error.kind(), error.finding());
        Error::connect(kind, format!("setting up the connection: {error}")).with_finding(found)
    })?;
    if source.read_write {
        expect_writes(&mut connection).await?;
    }
    let wrapped = AsyncMysqlConnection::try_from(connection).await;
    let mut client = wrapped
        .map_err(|error| Error::unavailable(format!("the set-up of diesel-async: {error}")))?;
    if let Some(sql) = source.on_connect_sql()? {
        client.batch_execute(&sql).await.map_err(|error| {
            Error::rejected(format!(
                "setting up the connection (`Source::on_connect`): {error}"
            ))
        })?;
    }
    let watch = Watch::default();
    client.set_instrumentation(watch.instrumentation());
    Ok((MysqlSession { client, watch }, Link { socket, session }))
}

/// Signs in.
pub(super) async fn sign_in(
    source: &Source,
    attempt: &Attempt,
) -> Result<(Conn, Option<Socket>), Error> {
    choose_cryptography();
    let opts = Opts::from(settings::of(source, attempt).await?);
    let port = opts.socket().is_none().then(|| opts.tcp_port());
    let host = opts.ip_or_hostname().to_owned();
    let is_encrypted = opts.ssl_opts().is_some();
    let connect = Conn::new(opts);
    let (result, found) = socket::connecting(port, source.socket_options, connect).await;
    let connection = result.map_err(|error| {
        let error = MysqlError(error);
        match certificate::advice(&error.to_string(), &host) {
            Some(advice) => Error::rejected(format!("{error}; {advice}")),
            None => connecting(error),
        }
    })?;
    encryption::remember(source, is_encrypted);
    Ok((connection, found.socket))
}

fn connecting(error: MysqlError) -> Error {
    let (kind, found) = (error.kind(), error.finding());
    Error::connect(kind, error).with_finding(found)
}

/// Chooses the cryptography of rustls, unless the process has. mysql_async uses the chosen one.
fn choose_cryptography() {
    #[cfg(feature = "diesel-async-mysql-tls")]
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // An error means that another thread was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// Sets the limits of a new session, unless the server rejects them. Returns its identity.
async fn set_up(connection: &mut Conn, source: &Source) -> Result<Option<SessionId>, MysqlError> {
    let limits = limits::sql(source).filter(|_| !target::rejects_limits(source));
    let Some(limits) = limits else {
        return Ok(None);
    };
    match rows(connection, &format!("{limits}; {SESSION}")).await {
        Ok(rows) => Ok(rows.iter().find_map(|row| session(row, source))),
        Err(error) if error.is_rejection() => {
            set_limits(connection, source, &limits).await?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Sets the limits of a session whose server may reject them, or only the question for the
/// session's identity.
async fn set_limits(
    connection: &mut Conn,
    source: &Source,
    limits: &str,
) -> Result<(), MysqlError> {
    match rows(connection, limits).await {
        Err(error) if error.is_rejection() => {
            target::remember_rejection(source, Rejection::Server, &error);
            Ok(())
        }
        result => result.map(drop),
    }
}

fn session(row: &Row, source: &Source) -> Option<SessionId> {
    let text: String = row.get_opt(1)?.ok()?;
    let (id, is_mysql) = session_id(&text)?;
    if is_mysql {
        limits::has_no_transaction_limit(source);
    }
    Some(id)
}

/// Fails if the server is read-only.
async fn expect_writes(connection: &mut Conn) -> Result<(), Error> {
    let rows = rows(connection, CHECK_WRITER).await.map_err(connecting)?;
    let is_read_only = rows.first().and_then(|row| row.get_opt::<i64, _>(0)?.ok());
    match is_read_only {
        Some(0) => Ok(()),
        _ => Err(read_only()),
    }
}

/// Runs SQL, and returns the rows of all its answers.
async fn rows(connection: &mut Conn, sql: &str) -> Result<Vec<Row>, MysqlError> {
    let mut answer = connection.query_iter(sql).await.map_err(MysqlError)?;
    let mut rows = Vec::new();
    while !answer.is_empty() {
        rows.extend(answer.collect::<Row>().await.map_err(MysqlError)?);
    }
    Ok(rows)
}

/// An error of mysql_async.
#[derive(Debug)]
pub(super) struct MysqlError(pub(super) mysql_async::Error);

impl fmt::Display for MysqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for MysqlError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl DriverError for MysqlError {
    fn answer(&self) -> Option<(Cow<'_, str>, &str)> {
        match &self.0 {
            mysql_async::Error::Server(error) => {
                Some((error.state.as_str().into(), error.message.as_str()))
            }
            _ => None,
        }
    }

    fn kind(&self) -> ErrorKind {
        match &self.0 {
            mysql_async::Error::Server(error) => mysql_number::kind(error.code, &error.state),
            mysql_async::Error::Io(error) => {
                io_error::cause(error).map_or(ErrorKind::Rejected, io_error::kind)
            }
            // The server hung up during the sign-in.
            mysql_async::Error::Driver(mysql_async::DriverError::ConnectionClosed) => {
                ErrorKind::Unavailable
            }
            _ => ErrorKind::Rejected,
        }
    }

    fn finding(&self) -> Finding {
        match &self.0 {
            mysql_async::Error::Server(error) => mysql_number::finding(error.code, &error.message),
            _ => Finding::Nothing,
        }
    }
}
