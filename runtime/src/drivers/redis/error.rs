//! The meaning of Redis's errors: for connecting, and for the connection of a failed handler.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::error::{Error, Finding};
use crate::response::Outcome;

/// Makes `?` and the attribute work in handlers that return `RedisError`.
impl From<Error> for RedisError {
    fn from(error: Error) -> Self {
        std::io::Error::other(error).into()
    }
}

/// Returns an answer of the server without the arguments of the command that it may repeat, and
/// without the password.
pub(super) fn without_secrets(answer: &str, password: Option<&str>) -> String {
    let answer = answer.split(", with args beginning with").next();
    let answer = answer.unwrap_or_default();
    match password.filter(|password| !password.is_empty()) {
        Some(password) => answer.replace(password, "…"),
        None => answer.to_owned(),
    }
}

/// Converts an error of connecting. The `answer` is the error that the server has sent, if any.
/// redis-rs may replace it by one of its own.
pub(super) fn connecting(error: RedisError, answer: Option<String>) -> Error {
    let Some(answer) = answer else {
        return match error.kind() {
            ErrorKind::Io => Error::unavailable(error),
            ErrorKind::Server(kind) if is_transient(kind) => Error::unavailable(error),
            ErrorKind::AuthenticationFailed => {
                Error::rejected(error).with_finding(Finding::SignInRejected)
            }
            _ => Error::rejected(error),
        };
    };
    // The server sends this in place of its first answer, and hangs up. The text is the only sign.
    if answer.contains("max number of clients") {
        return Error::saturated(answer);
    }
    let rejects_sign_in = error.kind() == ErrorKind::AuthenticationFailed;
    match answer.split(' ').next().unwrap_or_default() {
        "BUSY" | "CLUSTERDOWN" | "LOADING" | "MASTERDOWN" | "TRYAGAIN" => {
            Error::unavailable(answer)
        }
        "NOAUTH" | "WRONGPASS" => Error::rejected(answer).with_finding(Finding::SignInRejected),
        _ if rejects_sign_in => Error::rejected(answer).with_finding(Finding::SignInRejected),
        _ => Error::rejected(answer),
    }
}

/// Returns `true` for an answer of the server: the connection is alive.
pub(super) fn is_answer(error: &RedisError) -> bool {
    // The kind of an error whose code redis-rs does not know is `Extension`.
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}

/// Returns `true` for an answer after which no command is answered: the server serves nobody at the
/// moment, or not this session.
pub(super) fn serves_nobody(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(kind) => is_transient(kind),
        _ => error.code() == Some("NOAUTH"),
    }
}

/// Returns `true` for an error of the server that ends by itself: it loads its data, or waits for
/// its primary.
fn is_transient(kind: ServerErrorKind) -> bool {
    matches!(
        kind,
        ServerErrorKind::BusyLoading
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown
            | ServerErrorKind::TryAgain
    )
}

/// Returns the outcome that an error of redis-rs stands for.
pub(crate) fn outcome(error: &RedisError) -> Outcome {
    match error.kind() {
        // After a failover, the host's name leads to a server that accepts writes.
        ErrorKind::Server(ServerErrorKind::ReadOnly) => Outcome::Broken,
        ErrorKind::Server(kind) if is_transient(kind) => Outcome::Failure,
        ErrorKind::Extension if matches!(error.code(), Some("NOAUTH" | "WRONGPASS")) => {
            Outcome::Broken
        }
        // The server has answered, and the handler's command is at fault.
        //
        // `Parse` is the kind of a value that does not convert, too. An answer that cannot be read
        // has ended the stream.
        ErrorKind::Server(_)
        | ErrorKind::Extension
        | ErrorKind::UnexpectedReturnType
        | ErrorKind::Client
        | ErrorKind::Parse => Outcome::Rejected,
        _ => Outcome::Failure,
    }
}
