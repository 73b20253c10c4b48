//! The outcome that an error of sqlx stands for.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use sqlx::error::{DatabaseError, UnexpectedNullError};

use super::error_kind::{finding, number};
use crate::drivers::failure::chain;
use crate::drivers::{mysql_number, sqlstate};
use crate::error::{Error, Finding};
use crate::response::Outcome;

/// Returns the reason in words if an error is that of a pool without a connection.
pub(crate) fn without_connection(error: &(dyn StdError + 'static)) -> Option<String> {
    let mut chain = chain(error).take_while(is_not_ours);
    chain.find_map(|error| match as_sqlx_error(error)? {
        error @ sqlx::Error::PoolTimedOut => Some(error.to_string()),
        sqlx::Error::Io(error) if is_of_connecting(error.kind()) => Some(error.to_string()),
        sqlx::Error::Database(error) if refuses_connections(error.as_ref()) => {
            Some(error.to_string())
        }
        _ => None,
    })
}

/// Returns `true` for an answer that only a new connection gets: the server is full, PostgreSQL
/// starts or stops, or its database accepts no connections. A statement can fail with 55000 and
/// 1226, too, for other causes.
fn refuses_connections(error: &dyn DatabaseError) -> bool {
    match number(error) {
        Some(1040 | 1203) => return true,
        Some(1226) => return error.message().contains("max_user_connections"),
        _ => {}
    }
    match error.code().as_deref() {
        Some("53300" | "57P03") => true,
        Some("55000") => error.message().contains("accepting connections"),
        _ => false,
    }
}

/// Returns the server's answer if it rejected the sign-in of a connection.
pub(crate) fn rejected_sign_in(error: &(dyn StdError + 'static)) -> Option<String> {
    let mut chain = chain(error).take_while(is_not_ours);
    chain.find_map(|error| {
        let error = as_sqlx_error(error)?;
        let is_rejected = finding(error) == Finding::SignInRejected;
        is_rejected.then(|| error.to_string())
    })
}

/// Returns `false` for an error of a lease, which is reported where it fails.
fn is_not_ours(error: &&(dyn StdError + 'static)) -> bool {
    !error.is::<Error>()
}

/// Returns `true` for an I/O error that an open connection does not meet.
fn is_of_connecting(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
    matches!(
        kind,
        ConnectionRefused | HostUnreachable | NetworkUnreachable
    )
}

/// Returns the outcome of one error of a chain, unless its source decides.
pub(in crate::drivers) fn of_one(error: &(dyn StdError + 'static)) -> Option<Outcome> {
    match as_sqlx_error(error) {
        Some(error) => of_sqlx(error),
        None => of_database(as_database_error(error)?),
    }
}

fn as_sqlx_error<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e sqlx::Error> {
    #[cfg(feature = "sea-orm")]
    if let Some(sea_orm::ConnAcquireErr::Timeout) = error.downcast_ref() {
        return Some(&sqlx::Error::PoolTimedOut);
    }
    if let Some(error) = error.downcast_ref::<Box<sqlx::Error>>() {
        return Some(error);
    }
    if let Some(error) = error.downcast_ref::<Arc<sqlx::Error>>() {
        return Some(error);
    }
    error.downcast_ref()
}

/// Returns an error of a driver that stands alone in a chain: `#[error(transparent)]` hides the
/// error of sqlx around it.
fn as_database_error<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e dyn DatabaseError> {
    if let Some(error) = error.downcast_ref::<Box<dyn DatabaseError>>() {
        return Some(&**error);
    }
    #[cfg(feature = "postgres")]
    if let Some(error) = error.downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        return Some(error);
    }
    #[cfg(feature = "mysql")]
    if let Some(error) = error.downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return Some(error);
    }
    #[cfg(feature = "sqlite")]
    if let Some(error) = error.downcast_ref::<sqlx::sqlite::SqliteError>() {
        return Some(error);
    }
    None
}

fn of_sqlx(error: &sqlx::Error) -> Option<Outcome> {
    Some(match error {
        sqlx::Error::Database(error) => return of_database(error.as_ref()),
        // sqlx may be out of step with the server.
        sqlx::Error::Protocol(_) => Outcome::Broken,
        sqlx::Error::ColumnDecode { source, .. } | sqlx::Error::Decode(source)
            if source.is::<UnexpectedNullError>() =>
        {
            Outcome::Rejected
        }
        // The descriptions of statements, parameters and types. sqlx cannot forget all of them, but
        // a handler with a wrong type must not cost a connection each time.
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_)
        | sqlx::Error::TypeNotFound { .. }
        | sqlx::Error::Encode(_)
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. } => Outcome::Stale,
        sqlx::Error::RowNotFound
        | sqlx::Error::InvalidArgument(_)
        | sqlx::Error::AnyDriverError(_)
        | sqlx::Error::InvalidSavePointStatement => Outcome::Rejected,
        // The network, the pool, a migration: their sources may tell more.
        _ => return None,
    })
}

fn of_database(error: &dyn DatabaseError) -> Option<Outcome> {
    let code = error.code();
    let code = code.as_deref().unwrap_or_default();
    Some(match number(error) {
        Some(number) => mysql_number::outcome(number, code),
        None => sqlstate::outcome(code, error.message()),
    })
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use sqlx::error::ErrorKind;

    use super::*;
    use crate::drivers::outcome;

    #[derive(Debug, thiserror::Error)]
    #[error("an answer")]
    struct Answer(&'static str, &'static str);

    impl DatabaseError for Answer {
        fn message(&self) -> &str {
            self.1
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some(self.0.into())
        }

        fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> ErrorKind {
            ErrorKind::Other
        }
    }

    fn stale() -> sqlx::Error {
        Answer("0A000", "cached plan must not change result type").into()
    }

    #[derive(Debug, thiserror::Error)]
    enum Wrapper {
        #[error(transparent)]
        Transparent(sqlx::Error),
        #[error("in an arc")]
        Arc(#[source] Arc<sqlx::Error>),
        #[error("in a box")]
        Boxed(#[source] Box<sqlx::Error>),
        #[error("of anything")]
        Any(#[source] Arc<dyn StdError + Send + Sync>),
        #[error("ours")]
        Ours(#[from] Error),
        #[error("anyhow")]
        Anyhow(#[source] anyhow::Error),
    }

    #[test]
    fn an_error_of_the_database_is_found_in_any_wrapper() {
        assert_eq!(outcome(&stale()), Outcome::Stale);
        assert_eq!(outcome(&Arc::new(stale())), Outcome::Stale);
        assert_eq!(outcome(&io::Error::other(stale())), Outcome::Stale);
        let twice = io::Error::other(io::Error::other(Wrapper::Transparent(stale())));
        assert_eq!(outcome(&twice), Outcome::Stale);
        let as_anyhow = anyhow::Error::new(stale()).context("in a handler");
        for error in [
            Wrapper::Transparent(stale()),
            Wrapper::Arc(Arc::new(stale())),
            Wrapper::Boxed(Box::new(stale())),
            Wrapper::Any(Arc::new(stale())),
            Wrapper::Ours(Error::broken(stale())),
            Wrapper::Ours(Error::connect(crate::error::ErrorKind::Rejected, stale())),
            Wrapper::Anyhow(as_anyhow),
        ] {
            assert_eq!(outcome(&error), Outcome::Stale, "{error:?}");
        }
        let through_sqlx = sqlx::Error::from(Error::broken(stale()));
        assert_eq!(outcome(&through_sqlx), Outcome::Stale);
    }

    #[test]
    fn a_pool_without_a_connection_is_told_from_other_failures() {
        let text = |error: &(dyn StdError + 'static)| without_connection(error);
        let boxed = io::Error::other(sqlx::Error::PoolTimedOut);
        assert!(text(&boxed).is_some_and(|text| text.contains("timed out")));
        let refused = sqlx::Error::Io(io::ErrorKind::ConnectionRefused.into());
        assert!(text(&Arc::new(refused)).is_some_and(|text| text.contains("refused")));
        let reset = sqlx::Error::Io(io::ErrorKind::ConnectionReset.into());
        assert_eq!(text(&reset), None);
        // Of a client of the handler's own.
        assert_eq!(
            text(&io::Error::from(io::ErrorKind::ConnectionRefused)),
            None
        );
        assert_eq!(text(&stale()), None);
        let answer = |code, message| text(&sqlx::Error::from(Answer(code, message)));
        assert!(answer("57P03", "").is_some());
        assert!(
            answer(
                "55000",
                "database \"app\" is not currently accepting connections"
            )
            .is_some()
        );
        assert_eq!(
            answer("55000", "currval of sequence is not yet defined"),
            None
        );
    }

    #[test]
    fn a_rejected_sign_in_is_found_in_any_wrapper() {
        let rejected = || sqlx::Error::from(Answer("28P01", "password authentication failed"));
        let wrapped = io::Error::other(Wrapper::Boxed(Box::new(rejected())));
        assert!(rejected_sign_in(&wrapped).is_some());
        assert_eq!(rejected_sign_in(&stale()), None);
    }

    #[test]
    fn an_endless_chain_is_a_failure() {
        #[derive(Debug)]
        struct Endless;
        impl std::fmt::Display for Endless {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("its own source")
            }
        }
        impl StdError for Endless {
            fn source(&self) -> Option<&(dyn StdError + 'static)> {
                Some(self)
            }
        }
        assert_eq!(outcome(&Endless), Outcome::Failure);
        let text: Box<dyn StdError> = stale().to_string().into();
        assert_eq!(outcome(text.as_ref()), Outcome::Failure);
    }

    #[test]
    fn each_kind_of_error_has_its_outcome() {
        let of = |code, message| outcome(&sqlx::Error::from(Answer(code, message)));
        for code in [
            "0A000", "26000", "42P05", "08P01", "22P03", "22021", "42804", "42883", "17", "273",
        ] {
            assert_eq!(of(code, ""), Outcome::Stale, "{code}");
        }
        assert_eq!(
            of("XX000", "cache lookup failed for type 7"),
            Outcome::Stale
        );
        assert_eq!(
            of("42704", "type with OID 7 does not exist"),
            Outcome::Stale
        );
        for code in ["XX000", "57P01", "53200", "08006"] {
            assert_eq!(of(code, ""), Outcome::Failure, "{code}");
        }
        assert_eq!(of("25006", ""), Outcome::Broken);
        assert_eq!(of("42501", ""), Outcome::Failure);
        for code in ["23505", "40001", "42P01", "1", "5", "2067"] {
            assert_eq!(of(code, ""), Outcome::Rejected, "{code}");
        }
        for number in [1243, 1210, 1461, 1615] {
            assert_eq!(
                mysql_number::outcome(number, "HY000"),
                Outcome::Stale,
                "{number}"
            );
        }
        assert_eq!(mysql_number::outcome(1050, "42S01"), Outcome::Broken);
        assert_eq!(mysql_number::outcome(1062, "23000"), Outcome::Rejected);
        let null = sqlx::Error::Decode(Box::new(UnexpectedNullError));
        assert_eq!(outcome(&null), Outcome::Rejected);
        let mismatch = sqlx::Error::Decode("mismatched types".into());
        assert_eq!(outcome(&mismatch), Outcome::Stale);
        assert_eq!(
            outcome(&sqlx::Error::Protocol(String::new())),
            Outcome::Broken
        );
        assert_eq!(outcome(&sqlx::Error::RowNotFound), Outcome::Rejected);
        assert_eq!(outcome(&sqlx::Error::PoolTimedOut), Outcome::Failure);
        let no_column = sqlx::Error::ColumnNotFound("a".into());
        assert_eq!(outcome(&no_column), Outcome::Stale);
    }
}
