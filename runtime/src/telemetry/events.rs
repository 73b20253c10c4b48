//! The events that this crate logs, one function each.
//!
//! `docs/logging.md` describes them, and `tests/docs.rs` compares that page with this file. No
//! field contains a password.

use std::fmt::Display;
use std::sync::Once;
use std::time::Duration;

use super::HandlerName;

/// A connection was opened.
pub(crate) fn opened(took: Duration, attempts: u32) {
    tracing::debug!(target: "reuse_db", ?took, attempts, "opened");
}

/// An invocation leased an open connection without waiting.
pub(crate) fn reused(idle: impl FnOnce() -> Duration) {
    // Evaluated only if the event is enabled: an idle time costs two readings of clocks.
    tracing::debug!(target: "reuse_db", idle = ?idle(), "reused");
}

/// An invocation leased an open connection after a wait.
pub(crate) fn reused_after(took: Duration) {
    tracing::debug!(target: "reuse_db", ?took, "reused");
}

/// A health check passed. `idle` is absent after a failed invocation.
pub(crate) fn checked(took: Duration, idle: Option<Duration>) {
    let idle = idle.map(tracing::field::debug);
    tracing::debug!(target: "reuse_db", ?took, idle, "checked");
}

/// A health check or BEGIN failed, and the connection is replaced. `idle` is unknown for BEGIN.
pub(crate) fn stale(took: Duration, idle: Option<Duration>, error: &dyn Display) {
    let idle = idle.map(tracing::field::debug);
    tracing::debug!(target: "reuse_db", ?took, idle, %error, "stale");
}

/// An attempt to connect failed and will be repeated after `pause`.
pub(crate) fn retried(error: &dyn Display, pause: Duration, attempts: u32, took: Duration) {
    tracing::debug!(target: "reuse_db", %error, ?pause, attempts, ?took, "retried");
}

/// A connection was dropped after an invocation.
pub(crate) fn discarded(reason: &str) {
    tracing::debug!(target: "reuse_db", reason, "discarded");
}

/// A connection was closed; `in_time` is `false` if closing was cut off by its limit.
pub(crate) fn closed(took: Duration, in_time: bool) {
    tracing::debug!(target: "reuse_db", ?took, in_time, "closed");
}

/// The system forbids to look at the sockets of connections. Logged once.
#[cfg(all(feature = "_driver", target_os = "linux"))]
pub(crate) fn socket_unseen(error: &dyn Display) {
    tracing::debug!(target: "reuse_db", %error, "socket unseen");
}

/// The server reported its number of connections, under the limit that is the nearest.
pub(crate) fn load(connections: u64, limit: u64, took: Duration) {
    tracing::debug!(target: "reuse_db", connections, limit, ?took, "load");
}

/// The server rejected a load query, or does not report its load.
#[cfg(feature = "_database")]
pub(crate) fn load_unknown(error: &dyn Display) {
    tracing::debug!(target: "reuse_db", %error, "load unknown");
}

/// The server is nearly full, and this sandbox closes idle connections.
pub(crate) fn load_shed(connections: usize) {
    tracing::debug!(target: "reuse_db", connections, "load shed");
}

/// A server or proxy rejects a limit of the session, or all. Logged once for each target and limit.
#[cfg(feature = "_database")]
pub(crate) fn unsupported(target: &str, error: &dyn Display) {
    tracing::warn!(
        target: "reuse_db",
        target,
        %error,
        "unsupported: connecting without the limit that the error names"
    );
}

/// A connection over the network is not encrypted. Logged once for each target.
#[cfg(any(feature = "_postgres", feature = "_mysql", feature = "redis"))]
pub(crate) fn unencrypted(target: &str) {
    tracing::warn!(
        target: "reuse_db",
        target,
        "not encrypted: passwords and rows can be read on the network. Add `.verified_tls()` to \
         the `Source`"
    );
}

/// A pooler drops start-up parameters without a word. Logged once for each target.
#[cfg(feature = "_postgres")]
pub(crate) fn dropped(target: &str) {
    tracing::warn!(
        target: "reuse_db",
        target,
        "pooler not declared: it drops start-up parameters. Add `.transaction_pooler()` or \
         `.session_pooler()` to the `Source`"
    );
}

/// A handler that succeeded left a transaction open that it had begun with SQL of its own.
pub(crate) fn left_open(function: &str, handler: HandlerName) {
    tracing::warn!(
        target: "reuse_db",
        function,
        %handler,
        "transaction left open: the handler began it and did not end it. It is rolled back"
    );
}

/// A URL turns the cache of prepared statements off. Logged once.
#[cfg(any(feature = "postgres", feature = "any"))]
pub(crate) fn statement_cache() {
    tracing::warn!(
        target: "reuse_db",
        "statement cache: `statement-cache-capacity=0` in the URL leaks each statement at the \
         server. 1 is used: write `.persistent(false)` at a query in its place"
    );
}

/// A URL has a parameter that its client does not know. Logged once for each name.
#[cfg(any(feature = "postgres", feature = "any"))]
pub(crate) fn ignored_parameter(name: &str) {
    tracing::warn!(target: "reuse_db", name, "parameter ignored");
}

/// An invocation, or the initialization, gets no connection.
pub(crate) fn unavailable(error: &dyn Display, took: Duration) {
    tracing::warn!(target: "reuse_db", %error, ?took, "unavailable");
}

/// A handler was ended shortly before its deadline, while it waited for `step`.
pub(crate) fn handler_ended(function: &str, step: &dyn Display) {
    tracing::warn!(target: "reuse_db", function, %step, "handler ended");
}

/// A task that its handler did not await holds a connection while the sandbox is frozen. Logged
/// once.
pub(crate) fn not_awaited(function: &str) {
    static LOGGED: Once = Once::new();
    LOGGED.call_once(|| {
        tracing::warn!(
            target: "reuse_db",
            function,
            "task not awaited: a spawned task holds a connection while the sandbox is frozen. Await \
             the task in the handler"
        );
    });
}

/// A transaction could not be begun or committed.
pub(crate) fn transaction_failed(step: &str, error: &dyn Display) {
    tracing::warn!(target: "reuse_db", step, %error, "transaction failed");
}

/// The connect options of a pool could not be renewed.
pub(crate) fn not_renewed(error: &dyn Display) {
    tracing::warn!(target: "reuse_db", %error, "not renewed");
}

/// The extension for SIGTERM could not be registered.
#[cfg(unix)]
pub(crate) fn no_extension(error: &dyn Display) {
    tracing::warn!(
        target: "reuse_db",
        %error,
        "no extension: connections are not closed at the end of the sandbox"
    );
}

/// The extension lost its connection to the Runtime API and asks again.
#[cfg(unix)]
pub(crate) fn extension_retried(error: &dyn Display) {
    tracing::debug!(target: "reuse_db", %error, "extension retried");
}
