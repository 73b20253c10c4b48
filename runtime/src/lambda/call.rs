//! The call of a service within an invocation.

use std::pin::Pin;
use std::sync::Arc;

use lambda_http::Service;

use crate::invocation::{INVOCATION, Invocation};

/// Calls a service within an invocation.
///
/// The future of a handler contains those of its statements, and may be large. Each layer would
/// copy it several times. In its box, it stays where it is.
pub(super) fn within<S: Service<R>, R>(
    invocation: &Arc<Invocation>,
    service: &mut S,
    request: R,
) -> Pin<Box<S::Future>> {
    INVOCATION.sync_scope(Arc::clone(invocation), || Box::pin(service.call(request)))
}
