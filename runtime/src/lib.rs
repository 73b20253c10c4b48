//! Keep one database connection across AWS Lambda invocations.

mod after_response;
mod clock;
mod connect;
mod connecting;
mod depot;
#[cfg(feature = "_sqlx")]
mod drivers;
mod error;
mod handle;
mod lease;
mod limit;
#[cfg(feature = "local")]
mod local;
mod outcome;
mod owed;
mod parked;
mod refuse;
mod registry;
mod run;
mod shared;
mod shutdown;
mod source;
mod stats;

pub use reuse_db_macros::reuse_db;

pub use after_response::{AfterResponse, AfterResponseFuture, AfterResponseService};
pub use connect::Connect;
pub use error::{BoxError, Error, Kind};
pub use handle::{Finish, Handle};
pub use lease::Lease;
pub use outcome::Outcome;
pub use parked::Parked;
pub use refuse::Refuse;
pub use run::run;
pub use shared::{Shared, SharedLease};
pub use shutdown::shutdown;
pub use source::Source;
pub use stats::{Stats, stats};

/// What the attribute's expansion uses besides the public items. Not part of the API.
#[doc(hidden)]
pub mod __private {
    pub use crate::outcome::{AnyResult, Anything, Judge};
}
