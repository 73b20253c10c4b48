//! How the attribute's expansion leases: one function a form of the parameter, each with one bound,
//! so that rustc tells a wrong type once.

use crate::by_value::{Owned, Rest};
use crate::wrong_type::told;
use crate::{Connect, Error, Handle, Lease, Outcome, Parked, Shared, SharedLease};

/// For a `&mut H` among several databases, which are all leased before any is opened.
///
/// # Errors
///
/// Those of [`Parked::lease`].
#[expect(
    clippy::needless_maybe_sized,
    reason = "of an unsized type rustc tells one bound then, and not two"
)]
pub async fn lease<H: Handle + ?Sized>(
    from: &'static Parked<H>,
    lease: &mut Option<Lease<H>>,
) -> Result<(), Error> {
    *lease = Some(from.lease().await?);
    Ok(())
}

/// For `&mut H`: leases it, unless that is done, and opens it. One future is quicker to compile than
/// two.
///
/// # Errors
///
/// Those of [`Parked::lease`] and of [`Lease::open`].
#[expect(
    clippy::needless_maybe_sized,
    reason = "of an unsized type rustc tells one bound then, and not two"
)]
pub async fn open<'l, H: Handle + ?Sized>(
    from: &'static Parked<H>,
    lease: &'l mut Option<Lease<H>>,
) -> Result<H::Open<'l>, Error> {
    let lease = match lease {
        Some(lease) => lease,
        none => none.insert(from.lease().await?),
    };
    Lease::open(lease).await
}

/// Gives back what was opened.
#[expect(
    clippy::needless_maybe_sized,
    reason = "of an unsized type rustc tells one bound then, and not two"
)]
pub fn settle<H: Handle + ?Sized>(lease: Option<Lease<H>>, outcome: Outcome) {
    if let Some(lease) = lease {
        Lease::settle(lease, outcome);
    }
}

/// For `&S`.
///
/// # Errors
///
/// Those of [`Parked::lease`].
#[expect(
    clippy::needless_maybe_sized,
    reason = "of an unsized type rustc tells one bound then, and not two"
)]
pub fn lease_shared<S: Borrowed + ?Sized>(
    from: &'static Shared<S>,
) -> impl Future<Output = Result<SharedLease<S>, Error>> + Send {
    from.lease()
}

/// For a parameter by value: what the handler gets, and what is settled after it.
///
/// # Errors
///
/// Those of [`Parked::lease`].
#[expect(
    clippy::needless_maybe_sized,
    reason = "of an unsized type rustc tells one bound then, and not two"
)]
pub fn lease_owned<S: Owned + ?Sized>(
    from: &'static Shared<S>,
) -> impl Future<Output = Result<(S, S::Rest), Error>> + Send {
    S::lease(from)
}

/// Settles what is left of a parameter by value.
pub fn settle_owned(rest: impl Rest, outcome: Outcome) {
    rest.settle(outcome);
}

/// Whether a `&mut H` makes sense: what it is made of is not for many invocations at once.
#[must_use]
pub const fn suits_one<H: Handle>() -> bool {
    !matches!(<H::Connection as Connect>::EXCLUSIVE, Some(false))
}

/// Whether a `&S` makes sense: it is not for one invocation at a time.
#[must_use]
pub const fn suits_many<S: Borrowed>() -> bool {
    !matches!(S::EXCLUSIVE, Some(true))
}

told! {
    {
        "`&{Self}` is not a database that can be kept",
        "no pool or client that reuse-db knows",
        "a connection or a transaction is taken as `&mut`",
        "a client of your own has to be `Sync`: write that, and `impl reuse_db::Connect for {Self}`"
    }
    /// What a `&S` parameter can be.
    pub trait Borrowed: Connect + Sync {}
}

#[diagnostic::do_not_recommend]
impl<S: Connect + Sync> Borrowed for S {}
