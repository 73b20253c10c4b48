//! The outcome that a handler's error stands for, by the error of a client that it holds.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

#[cfg(all(feature = "sea-orm", feature = "_sqlx"))]
use crate::error::BoxError;
use crate::response::Outcome;

/// The number of sources that are looked at. An error of a user may be its own source.
const MOST_SOURCES: usize = 64;

/// Returns the outcome that an error stands for. It is [`Outcome::Failure`] if no error of a client
/// is found in it.
pub(crate) fn outcome(error: &(dyn StdError + 'static)) -> Outcome {
    chain(error).find_map(of_one).unwrap_or(Outcome::Failure)
}

/// Returns the outcome of one error of a chain, unless its source decides.
fn of_one(error: &(dyn StdError + 'static)) -> Option<Outcome> {
    #[cfg(feature = "redis")]
    if let Some(error) = error.downcast_ref::<::redis::RedisError>() {
        return Some(super::redis::error::outcome(error));
    }
    #[cfg(feature = "tokio-postgres")]
    if let Some(outcome) = super::tokio_postgres::of_one(error) {
        return Some(outcome);
    }
    #[cfg(feature = "_diesel")]
    if let Some(outcome) = super::diesel_async::of_one(error) {
        return Some(outcome);
    }
    #[cfg(all(feature = "sea-orm", feature = "_sqlx"))]
    if let Some(outcome) = of_sea_orm(error) {
        return Some(outcome);
    }
    #[cfg(feature = "_sqlx")]
    return super::sqlx::failure::of_one(error);
    #[cfg(not(feature = "_sqlx"))]
    None
}

/// Returns the outcome of an error of SeaORM itself: the server has answered, and the handler is at
/// fault.
#[cfg(all(feature = "sea-orm", feature = "_sqlx"))]
fn of_sea_orm(error: &(dyn StdError + 'static)) -> Option<Outcome> {
    use sea_orm::DbErr;
    match error.downcast_ref()? {
        // Their source decides, if they have one.
        DbErr::ConnectionAcquire(_)
        | DbErr::Conn(_)
        | DbErr::Exec(_)
        | DbErr::Query(_)
        | DbErr::Custom(_)
        | DbErr::Migration(_) => None,
        _ => Some(Outcome::Rejected),
    }
}

/// Returns an error and its sources.
pub(super) fn chain<'e>(
    error: &'e (dyn StdError + 'static),
) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| source(*error)).take(MOST_SOURCES)
}

/// Returns the next error of a chain.
fn source<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e (dyn StdError + 'static)> {
    // The source of an I/O error is that of the error inside, without that error.
    if let Some(inside) = error.downcast_ref().and_then(io::Error::get_ref) {
        return Some(inside);
    }
    // So is the source of an `Arc`.
    if let Some(inside) = error.downcast_ref::<Arc<dyn StdError + Send + Sync>>() {
        return Some(&**inside);
    }
    if let Some(inside) = error.downcast_ref::<Arc<io::Error>>() {
        return Some(&**inside);
    }
    #[cfg(all(feature = "sea-orm", feature = "_sqlx"))]
    if let Some(inside) = source_of_sea_orm(error) {
        return Some(inside);
    }
    error.source()
}

/// Returns the source of an error of SeaORM that names none.
#[cfg(all(feature = "sea-orm", feature = "_sqlx"))]
fn source_of_sea_orm<'e>(
    error: &'e (dyn StdError + 'static),
) -> Option<&'e (dyn StdError + 'static)> {
    use sea_orm::{DbErr, RuntimeErr, TransactionError};
    if let Some(RuntimeErr::SqlxError(inside)) = error.downcast_ref() {
        return Some(&**inside);
    }
    match error.downcast_ref::<TransactionError<DbErr>>() {
        Some(TransactionError::Connection(inside) | TransactionError::Transaction(inside)) => {
            return Some(inside);
        }
        None => {}
    }
    match error.downcast_ref::<TransactionError<BoxError>>()? {
        TransactionError::Connection(inside) => Some(inside),
        TransactionError::Transaction(inside) => Some(&**inside),
    }
}

#[cfg(all(test, feature = "sea-orm", feature = "_sqlx"))]
mod tests {
    use sea_orm::{DbErr, RuntimeErr, TransactionError};

    use super::*;

    fn broken() -> sqlx::Error {
        sqlx::Error::Protocol("out of step".to_owned())
    }

    #[test]
    fn errors_of_sea_orm_are_judged_by_what_they_hide() {
        let query = || DbErr::Query(RuntimeErr::SqlxError(Arc::new(broken())));
        let not_found = || DbErr::RecordNotFound("a row".to_owned());
        let boxed = |error: BoxError| TransactionError::Transaction(error);
        let cases: [(&(dyn StdError + 'static), Outcome); 7] = [
            (&query(), Outcome::Broken),
            (&not_found(), Outcome::Rejected),
            (&TransactionError::Transaction(query()), Outcome::Broken),
            (
                &TransactionError::<DbErr>::Connection(query()),
                Outcome::Broken,
            ),
            (
                &TransactionError::Transaction(not_found()),
                Outcome::Rejected,
            ),
            (&boxed(broken().into()), Outcome::Broken),
            (&boxed("another error".into()), Outcome::Failure),
        ];
        for (error, wanted) in cases {
            assert_eq!(outcome(error), wanted, "{error:?}");
        }
    }
}
