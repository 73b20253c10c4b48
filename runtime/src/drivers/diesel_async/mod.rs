//! The connections of diesel-async.

mod failure;
mod postgres;

pub(super) use self::failure::of_one;
