//! The connections of diesel-async.

mod failure;
#[cfg(feature = "diesel-async-mysql")]
mod mysql;
#[cfg(feature = "diesel-async")]
mod postgres;

pub(super) use self::failure::of_one;
