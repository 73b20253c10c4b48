#![cfg_attr(feature = "postgres", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "postgres"),
    doc = "Keep one database connection across AWS Lambda invocations."
)]
//!
//! # Every wait and its limit
//!
//! | wait | limit | default |
//! |---|---|---|
//! | for a connection to be free, to be checked or to be opened, retries included | [`Source::connect_timeout`], and 250 ms before the invocation's deadline | 5 s |
//! | one try to connect: TCP, TLS, the greeting, signing in and setting up | [`Source::attempt_timeout`], doubled after each silence | 2 s |
//! | credentials ([`Source::credentials`]) | a part of the try; of a pool that asks again, [`Source::attempt_timeout`] | 2 s |
//! | a pause between two tries to connect, a random part of it | [`Source::retry_base`], doubled up to [`Source::retry_cap`] | 25 ms, 1 s |
//! | one check before an invocation; taking back what a failed one has set; bringing to rest; closing politely | [`Source::check_timeout`] | 500 ms |
//! | for all that is owed after a response, before the freeze, and for a stream whose client has left | [`AfterResponse::limit`], and 50 ms before the invocation's deadline | 500 ms |
//! | a pool's connection whose query was cut off, to read the rest of it | a quarter of [`Source::check_timeout`] | 125 ms |
//! | BEGIN on a kept connection, before another is opened in its place | [`Source::check_timeout`] | 500 ms |
//! | BEGIN in all | [`Source::connect_timeout`], and 250 ms before the invocation's deadline | 5 s |
//! | COMMIT | 29 s, and 50 ms before the invocation's deadline | |
//! | [`shutdown`], and with it before a snapshot ([`SnapStart`]) | 300 ms | |
//! | registering the extension for SIGTERM ([`until_shutdown`]) | 2 s | |
//! | opening in INIT ([`Exclusive::warm`], [`Shared::warm`]) | [`Source::connect_timeout`] | 5 s |
//! | a pool's first connection, before it is asked why there is none; and once more where the server is full | | 500 ms |
//! | sqlx's ping when a pool's connection is given back | none of ours ([sqlx 4349]): a pool that lost a connection in it is replaced when it is leased next and nobody else has it; the connection's task and its socket stay until TCP gives up | Linux: some 15 min if nobody acknowledges the ping, else none |
//! | a connection in place of a pool's that was found dead, or whose query was cut off and goes on | [`Source::attempt_timeout`] | 2 s |
//! | the guard's question, and what it ends ([`LoadShedding`]) | [`Source::check_timeout`] | 500 ms |
//! | between two of the guard's questions | [`LoadShedding::every`] | 5 s |
//! | what a reaped session was idle for | [`LoadShedding::reap`] | 10 s at least |
//! | requests that go on after Ctrl-C (feature `local`) | 500 ms | |
//! | an idle session, at the server | [`Source::idle_session_timeout`] | 300 s |
//! | a connection's age | [`Source::max_lifetime`] | none |
//!
//! [sqlx 4349]: https://github.com/transact-rs/sqlx/issues/4349
//!
//! The deadline is known to what runs in the task of the invocation, under [`run`] or the
//! [`AfterResponse`] layer.
//!
//! # How it fits together
//!
//! - [`Source`]: where to connect and under which limits; [`Credentials`] that change; a [`LoadShedding`] for a server that is nearly full.
//! - [`Connect`]: what can be kept; [`FromConnection`] and [`Finish`]: what a `&mut` parameter is made of it.
//! - [`Exclusive`] and its [`Lease`], [`Shared`] and its [`SharedLease`]: the statics, and one invocation's hold on what they keep.
//! - [`Error`] and its [`ErrorKind`]: what an error of connecting means, by the codes of the servers.
//! - [`Outcome`]: what a handler's result says; [`FromError`]: how it says that there was no connection.
//! - [`run`], [`run_with_streaming_response`], [`run_events`], and [`Runner`] with settings: the sandbox's life.
//! - [`AfterResponse`], [`ServiceUnavailable`], [`Streaming`], [`until_shutdown`], [`SnapStart`]: the parts that they are made of,
//!   for a runtime of your own:
//!
//! ```no_run
//! # async fn handler(_: lambda_http::Request) -> Result<lambda_http::Response<String>, lambda_http::Error> { Ok(lambda_http::Response::new(String::new())) }
//! # async fn start() -> Result<(), lambda_http::Error> {
//! use lambda_http::tower::ServiceBuilder;
//! use std::sync::Arc;
//!
//! let service = ServiceBuilder::new().layer(reuse_db::ServiceUnavailable::new()).service_fn(handler);
//! let runtime = lambda_http::runtime_concurrent(service)
//!     .layer(lambda_http::lambda_runtime::layers::TracingLayer::new())
//!     .layer(reuse_db::AfterResponse::new())
//!     .register_snapstart_resource(Arc::new(reuse_db::SnapStart));
//! reuse_db::until_shutdown(runtime.run_concurrent()).await
//! # }
//! ```
//!
//! # Logs and figures
//!
//! Events go to `tracing`, with the target `reuse_db`; none holds a password.
//!
//! | event | level | when | fields |
//! |---|---|---|---|
//! | `opened` | debug | a connection was opened | `took`, `tries` |
//! | `reused` | debug | an invocation got one that was open | `idle`; or `took`, if it had to wait |
//! | `checked` | debug | a doubtful one answered | `took`, `idle` |
//! | `stale` | debug | a doubtful one did not, and is replaced | `took`, `idle`, `error` |
//! | `retried` | debug | connecting failed and is tried again | `error`, `pause`, `tries`, `took` |
//! | `discarded` | debug | one was dropped after an invocation | `reason` |
//! | `closed` | debug | one was closed politely | `took` |
//! | `counted` | debug | a guard asked how full the server is | `used`, `most`, `ours`, `took` |
//! | `made room` | info | the server is nearly full: this sandbox closes its connections | `used`, `most` |
//! | `reaped` | info | idle sessions of other sandboxes were ended | `ended` |
//! | `not reaped` | warn | they could not be: a right is missing | `error` |
//! | `refused: connecting without …` | warn | a server or a pooler will not be asked for an end of idle sessions; once | `target`, `error` |
//! | `refused` | warn | an invocation got none | `error`, `took` |
//! | `not warmed` | warn | none could be opened in INIT | `error` |
//! | `not renewed` | warn | a pool's credentials could not be had | `error` |
//!
//! [`stats`] has the figures of the process, [`Exclusive::stats`] and [`Shared::stats`] those of one static;
//! [`AfterResponse::embedded_metrics`] prints them for CloudWatch.

mod attribute;
mod clock;
mod connect;
#[cfg(feature = "_sqlx")]
mod drivers;
mod environment;
mod error;
mod invocation;
mod lambda;
mod pool;
mod response;
mod source;
mod statics;
mod sync;
mod telemetry;
#[cfg(test)]
mod testing;

#[cfg_attr(feature = "postgres", doc = include_str!("../ATTRIBUTE.md"))]
pub use reuse_db_macros::reuse_db;

pub use connect::{Connect, Finish, FromConnection};
pub use error::{BoxError, Error, ErrorKind};
pub use lambda::{
    AfterResponse, AfterResponseFuture, AfterResponseService, Runner, ServiceUnavailable,
    ServiceUnavailableService, SnapStart, Streaming, StreamingBody, StreamingService, run,
    run_events, run_with_streaming_response, shutdown, until_shutdown,
};
pub use pool::SharedLease;
pub use response::{FromError, Outcome};
pub use source::{Credentials, LoadShedding, ProvideCredentials, Source};
pub use statics::{Exclusive, Lease, Shared};
pub use telemetry::{Stats, stats};

/// The functions that the attribute's expansion calls. Not part of the API.
#[doc(hidden)]
pub mod __private {
    pub use crate::attribute::{
        AnyResult, Anything, HasStatus, Judge, lease, lease_owned, lease_shared, open, settle,
        settle_owned, supports_exclusive, supports_shared,
    };
    pub use crate::connect::Driver;
}
