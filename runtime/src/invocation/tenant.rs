//! The tenant of this sandbox, where Lambda isolates tenants.

use std::sync::OnceLock;

/// The tenant that the first event with one has told. A sandbox serves one tenant for its life.
static TENANT: OnceLock<String> = OnceLock::new();

/// Returns the id of the tenant that this sandbox serves, once an invocation has told it.
///
/// Lambda sends it to functions with [tenant isolation][isolation], and gives each tenant sandboxes
/// of its own. So a kept connection serves one tenant. The function for
/// [`Source::credentials`](crate::Source::credentials) can choose a user by it, and
/// [`Source::on_connect`](crate::Source::on_connect) can name it. `None` in the initialization, and
/// without tenant isolation. In a runtime of your own, [`AfterResponse`](crate::AfterResponse)
/// learns it.
///
/// [isolation]: https://docs.aws.amazon.com/lambda/latest/dg/tenant-isolation.html
#[must_use]
pub fn tenant_id() -> Option<&'static str> {
    TENANT.get().map(String::as_str)
}

/// Remembers the tenant of an invocation.
pub(crate) fn remember_tenant(id: Option<&str>) {
    if let Some(id) = id {
        TENANT.get_or_init(|| id.to_owned());
    }
}
