//! The return type of a handler: the outcome that it reports, and the 503 that it becomes.

mod from_error;
mod http;
mod outcome;

pub use from_error::FromError;
pub use outcome::Outcome;
