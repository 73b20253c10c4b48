//! The statics of a test that leases connections in its own process, without the attribute.

use reuse_db::{Exclusive, Outcome, Shared, Source};

/// Returns the source of a URL.
pub fn source(url: impl Into<String>) -> Source {
    Source::env("REUSE_DB_NO_SUCH_VARIABLE").or(url.into().leak())
}

/// Returns a static of connections or transactions.
pub fn exclusive<H>(source: Source) -> &'static Exclusive<H> {
    Box::leak(Box::new(Exclusive::new(source)))
}

/// Returns a static of a pool.
pub fn shared<S>(source: Source) -> &'static Shared<S> {
    Box::leak(Box::new(Shared::new(source)))
}

/// Returns the outcome with which a handler settles its lease after `result`.
pub fn outcome<T, E>(result: &Result<T, E>) -> Outcome {
    match result {
        Ok(_) => Outcome::Success,
        Err(_) => Outcome::Failure,
    }
}
