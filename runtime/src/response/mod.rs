//! The return type of a handler: the outcome that it reports, and the 503 that it becomes.

mod from_error;
mod has_outcome;
mod http;
mod outcome;

pub use from_error::FromError;
pub use has_outcome::HasOutcome;
pub(crate) use http::gateway_timeout;
pub use outcome::Outcome;
