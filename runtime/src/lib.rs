#![cfg_attr(feature = "postgres", doc = include_str!("../docs/figures/warm.uri.md"))]
#![cfg_attr(feature = "postgres", doc = include_str!("../docs/invocation.uri.md"))]
#![cfg_attr(feature = "postgres", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "postgres"),
    doc = "Keep one database connection across AWS Lambda invocations: one attribute on the handler."
)]

// The rooms of the crate, from the foundation up. `tests/layers.rs` checks that a room imports
// from rooms above it in this list only.
mod clock;
mod environment;
mod error;
mod random;
mod sync;

mod local_http;

#[cfg(feature = "aws")]
mod aws;

mod telemetry;

mod socket;

mod invocation;
mod response;

mod source;

mod connect;

#[cfg(feature = "_driver")]
mod drivers;
mod pool;

mod lambda;
mod statics;

mod attribute;

#[cfg(test)]
mod testing;

#[cfg_attr(feature = "postgres", doc = include_str!("../ATTRIBUTE.md"))]
pub use reuse_db_macros::reuse_db;

pub use connect::{Connect, Finish, FromConnection};
pub use error::{BoxError, Error, ErrorKind};
pub use invocation::tenant_id;
pub use lambda::{
    AfterResponse, AfterResponseFuture, AfterResponseService, HandlerDeadline,
    HandlerDeadlineService, Runner, ServiceUnavailable, ServiceUnavailableService, SnapStart,
    Streaming, StreamingBody, StreamingService, run, run_events, run_with_streaming_response,
    shutdown, until_shutdown,
};
pub use pool::SharedLease;
pub use response::{FromError, HasOutcome, Outcome};
pub use source::{Credentials, LoadShedding, ProvideCredentials, Source};
pub use statics::{Exclusive, Lease, Shared};
pub use telemetry::{Stats, stats};

/// The functions that the attribute's expansion calls. Not part of the API.
#[doc(hidden)]
pub mod __private {
    pub use crate::attribute::{
        Judge, hint, lease, lease_owned, lease_shared, open, prepare_owned, settle, settle_owned,
        settle_unfinished, supports_exclusive, supports_shared,
    };
    pub use crate::connect::Driver;
}

/// Pages on the promises of this crate, and how it keeps them.
#[cfg(any(doc, doctest))]
pub mod docs {
    #[doc = include_str!("../docs/architecture.md")]
    pub mod architecture {}
    #[doc = include_str!("../docs/choosing.md")]
    pub mod choosing {}
    #[doc = include_str!("../docs/clients.md")]
    pub mod clients {}
    #[doc = include_str!("../docs/endings.md")]
    pub mod endings {}
    #[doc = include_str!("../docs/figures/cold.uri.md")]
    #[doc = include_str!("../docs/figures/warm.uri.md")]
    #[doc = include_str!("../docs/figures.md")]
    pub mod figures {}
    #[doc = include_str!("../docs/fleets.uri.md")]
    #[doc = include_str!("../docs/fleets.md")]
    pub mod fleets {}
    #[doc = include_str!("../docs/guarantees.md")]
    pub mod guarantees {}
    #[doc = include_str!("../docs/limitations.md")]
    pub mod limitations {}
    #[doc = include_str!("../docs/limits.md")]
    pub mod limits {}
    #[doc = include_str!("../docs/logging.md")]
    pub mod logging {}
    #[doc = include_str!("../docs/on-aws.md")]
    pub mod on_aws {}
    #[doc = include_str!("../docs/other-clients.md")]
    pub mod other_clients {}
    #[doc = include_str!("../docs/redis.md")]
    pub mod redis {}
    #[doc = include_str!("../docs/servers.md")]
    pub mod servers {}
    #[doc = include_str!("../docs/sockets.md")]
    pub mod sockets {}
    #[doc = include_str!("../docs/stress.md")]
    pub mod stress {}
    #[doc = include_str!("../docs/transaction-pooler.md")]
    pub mod transaction_pooler {}
    #[doc = include_str!("../docs/your-own-client.md")]
    pub mod your_own_client {}
}
