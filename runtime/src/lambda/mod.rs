//! The life of a sandbox on Lambda: serving, the layers around a handler, shutdown.

mod after_response;
mod call;
#[cfg(unix)]
mod extension;
mod handler_deadline;
#[cfg(feature = "local")]
mod local;
mod run;
mod service_unavailable;
mod shutdown;
mod streaming;

pub use after_response::{AfterResponse, AfterResponseFuture, AfterResponseService};
pub use handler_deadline::{HandlerDeadline, HandlerDeadlineService};
pub use run::{Runner, run, run_events, run_with_streaming_response};
pub use service_unavailable::{ServiceUnavailable, ServiceUnavailableService};
pub use shutdown::{SnapStart, shutdown, until_shutdown};
pub use streaming::{Streaming, StreamingBody, StreamingService};
