//! The opening of a session.

use tokio_postgres::Client;
use tokio_postgres::config::SslMode;

use super::answer::{ClientError, PgError};
use super::connector::{Connector, Encrypted};
use super::conversation::Status;
use super::session::Session;
use super::settings::{Place, Settings};
use super::tap::Tap;
use super::{PgClient, PgSessionOf};
use crate::connect::{Attempt, Link};
use crate::drivers::driver_error::DriverError as _;
use crate::drivers::encryption;
use crate::drivers::postgres::{self, PgSession as _, start_up};
use crate::drivers::stream::{Stream, tcp};
use crate::drivers::target;
use crate::error::Error;
use crate::socket::Socket;
use crate::source::Source;

/// Opens a session and sets it up.
pub(super) async fn open<C: PgClient>(
    source: &Source,
    attempt: &Attempt,
) -> Result<(PgSessionOf<C>, Link), Error> {
    let (client, session, socket) = sign_in(source, attempt).await?;
    let client = C::adopt(client).await?;
    let mut connection = PgSessionOf { client, session };
    let set_up = set_up(&mut connection, source).await;
    set_up.map_err(|error| in_set_up(error, source))?;
    let link = Link {
        socket,
        session: None,
    };
    Ok((connection, link))
}

/// Signs in. A target may reject several start-up parameters, each once.
async fn sign_in(
    source: &Source,
    attempt: &Attempt,
) -> Result<(Client, Session, Option<Socket>), Error> {
    loop {
        let mut settings = Settings::of(source, attempt)?;
        let (stream, socket) = stream(&settings.place, source, attempt).await?;
        let mut host = String::new();
        if let Place::Tcp { name, .. } = settings.place {
            host = name;
        }
        let encrypts = encrypts(&settings.config, &host);
        if !encrypts {
            settings.config.ssl_mode(SslMode::Disable);
        }
        let tap = Tap::new(stream);
        let connector = Connector {
            host,
            settings: settings.tls,
        };
        let opened = settings.config.connect_raw(tap.clone(), connector).await;
        let error = match opened {
            Ok((client, connection)) => {
                // N is the answer of a server without TLS.
                let is_encrypted = encrypts && tap.first_byte() != Some(b'N');
                encryption::remember(source, is_encrypted);
                let session = Session::new(tap, serve(connection));
                return Ok((client, session, socket));
            }
            Err(error) => ClientError(error),
        };
        let options = settings.config.get_options().unwrap_or_default();
        if !start_up::remember_rejected(&error, source, options) {
            return Err(explained(error, tap.first_byte()));
        }
    }
}

/// Reads and writes the stream for the client. An error ends the stream, which the session sees.
async fn serve(connection: tokio_postgres::Connection<Tap, Encrypted>) {
    let _ = connection.await;
}

async fn stream(
    place: &Place,
    source: &Source,
    attempt: &Attempt,
) -> Result<(Box<dyn Stream>, Option<Socket>), Error> {
    match place {
        Place::Tcp { host, port, .. } => {
            let (stream, socket) = tcp(host, *port, source, attempt).await?;
            Ok((Box::new(stream), socket))
        }
        #[cfg(unix)]
        Place::Unix(path) => {
            let (stream, socket) = crate::drivers::stream::unix(path, source).await?;
            Ok((Box::new(stream), socket))
        }
        #[cfg(not(unix))]
        Place::Unix(_) => Err(Error::rejected("a socket that this system does not have")),
    }
}

/// Returns `true` unless the stream stays as it is: to a Unix socket, and where TLS is only
/// preferred, to this machine, and without the feature for TLS.
fn encrypts(config: &tokio_postgres::Config, host: &str) -> bool {
    let is_local = host == "localhost"
        || host
            .parse()
            .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    match config.get_ssl_mode() {
        _ if host.is_empty() => false,
        SslMode::Prefer => cfg!(feature = "tokio-postgres-tls") && !is_local,
        _ => true,
    }
}

/// Converts an error of the sign-in.
fn explained(error: ClientError, first_byte: Option<u8>) -> Error {
    let lacks_tls = error
        .answer()
        .is_some_and(|(_, text)| text.contains("no encryption"));
    if lacks_tls && cfg!(not(feature = "tokio-postgres-tls")) {
        return Error::rejected(format!(
            "{error}; TLS needs the feature `tokio-postgres-tls` of reuse-db"
        ));
    }
    error.into_error(first_byte)
}

/// Runs the SQL that a new session needs, and checks that the server accepts writes if the source
/// requires that.
async fn set_up<C: PgClient>(
    connection: &mut PgSessionOf<C>,
    source: &Source,
) -> Result<(), PgError> {
    if let Some(sql) = source.on_connect_sql()? {
        connection.texts(sql).await?;
        if connection.session.status() != Status::NoTransaction {
            let problem = "it leaves a transaction open";
            return Err(PgError::Protocol(problem.to_owned()));
        }
    }
    if source.read_write {
        // After a failover, the host's name may lead to the old writer for a while.
        postgres::check(connection, source).await?;
    }
    if target::shares_sessions(source) {
        connection.detect_passed_names(source).await?;
    }
    Ok(())
}

/// Converts an error in the set-up of a new connection.
fn in_set_up(error: PgError, source: &Source) -> Error {
    let explanation = match source.on_connect {
        Some(_) => "setting up the connection (`Source::on_connect`)",
        None => "setting up the connection",
    };
    match error {
        PgError::Ours(error) => *error,
        error => {
            let (kind, found) = (error.kind(), error.finding());
            Error::connect(kind, format!("{explanation}: {error}")).with_finding(found)
        }
    }
}
