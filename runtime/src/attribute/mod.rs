//! The functions that the attribute's expansion calls: one for each form of the parameter, each
//! with one bound, so that rustc reports a wrong type once.

mod by_value;
mod failure;
pub mod hint;
mod outcome_of;

pub use outcome_of::Judge;

use self::by_value::{ByValue, SettleOnReturn};
use crate::connect::diagnostics::database_trait;
use crate::connect::{Connect, Driver, FromConnection};
use crate::error::Error;
use crate::pool::SharedLease;
use crate::response::Outcome;
use crate::statics::{Exclusive, Lease, Shared};

/// Leases a `&mut H` among several databases. All are leased before any is opened.
///
/// # Errors
///
/// Returns the errors of [`Exclusive::lease`].
#[expect(
    clippy::needless_maybe_sized,
    reason = "for an unsized type, rustc reports one bound in place of two"
)]
pub async fn lease<H: FromConnection + ?Sized>(
    from: &'static Exclusive<H>,
    lease: &mut Option<Lease<H>>,
) -> Result<(), Error> {
    *lease = Some(from.lease().await?);
    Ok(())
}

/// Opens a `&mut H`, and leases it first unless that is done. One future compiles faster than two.
///
/// # Errors
///
/// Returns the errors of [`Exclusive::lease`] and of [`Lease::open`].
#[expect(
    clippy::needless_maybe_sized,
    reason = "for an unsized type, rustc reports one bound in place of two"
)]
pub async fn open<'l, H: FromConnection + ?Sized>(
    from: &'static Exclusive<H>,
    lease: &'l mut Option<Lease<H>>,
) -> Result<H::Open<'l>, Error> {
    let lease = match lease {
        Some(lease) => lease,
        none => none.insert(from.lease().await?),
    };
    Lease::open(lease).await
}

/// Settles the lease of a `&mut H`.
#[expect(
    clippy::needless_maybe_sized,
    reason = "for an unsized type, rustc reports one bound in place of two"
)]
pub fn settle<H: FromConnection + ?Sized>(lease: Option<Lease<H>>, outcome: Outcome) {
    if let Some(lease) = lease {
        Lease::settle(lease, outcome);
    }
}

/// Settles the lease of a `&mut H` that could not be finished, as after a refused COMMIT. If the
/// server did not answer, the connection is dropped.
#[expect(
    clippy::needless_maybe_sized,
    reason = "for an unsized type, rustc reports one bound in place of two"
)]
pub fn settle_unfinished<H: FromConnection + ?Sized>(lease: Option<Lease<H>>, error: &Error) {
    let outcome = Outcome::of_error(error);
    if matches!(outcome, Outcome::Rejected | Outcome::Stale) {
        settle(lease, outcome);
    }
}

/// Leases a `&S`.
///
/// # Errors
///
/// Returns the errors of [`Exclusive::lease`].
#[expect(
    clippy::needless_maybe_sized,
    reason = "for an unsized type, rustc reports one bound in place of two"
)]
pub fn lease_shared<S: Borrowed + ?Sized>(
    from: &'static Shared<S>,
) -> impl Future<Output = Result<SharedLease<S>, Error>> + Send {
    from.lease()
}

/// Leases a by-value parameter. Returns the handler's argument, and the part to settle after the
/// handler.
///
/// # Errors
///
/// Returns the errors of [`Exclusive::lease`].
#[expect(
    clippy::needless_maybe_sized,
    reason = "for an unsized type, rustc reports one bound in place of two"
)]
pub fn lease_owned<S: ByValue + ?Sized>(
    from: &'static Shared<S>,
) -> impl Future<Output = Result<(S, S::OnReturn), Error>> + Send {
    S::lease(from)
}

/// Gets the connection of a by-value parameter that outlives the handler, before the response.
///
/// # Errors
///
/// Returns the errors of [`Exclusive::lease`].
pub fn prepare_owned(
    on_return: &mut impl SettleOnReturn,
    outcome: Outcome,
) -> impl Future<Output = Result<(), Error>> + Send {
    on_return.prepare(outcome)
}

/// Settles a by-value parameter.
pub fn settle_owned(on_return: impl SettleOnReturn, outcome: Outcome) {
    on_return.settle(outcome);
}

/// Returns `true` unless `H` is a pool, which many invocations share.
#[must_use]
pub const fn supports_exclusive<H: FromConnection>() -> bool {
    !matches!(
        <H::Connection as Connect>::DRIVER,
        Some(Driver {
            is_exclusive: false,
            ..
        })
    )
}

/// Returns `true` unless `S` is a connection, which serves one invocation at a time.
#[must_use]
pub const fn supports_shared<S: Borrowed>() -> bool {
    !matches!(
        S::DRIVER,
        Some(Driver {
            is_exclusive: true,
            ..
        })
    )
}

database_trait! {
    {
        "`&{Self}` cannot be a database parameter",
        "expected a pool or a shared client",
        "write `&mut` for a connection or a transaction",
        "your own client must be `Sync`, and needs `impl reuse_db::Connect for {Self}`"
    }
    /// A type that a handler can take as `&S`.
    pub trait Borrowed: Connect + Sync {}
}

#[diagnostic::do_not_recommend]
impl<S: Connect + Sync> Borrowed for S {}
