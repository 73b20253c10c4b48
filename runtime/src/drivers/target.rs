//! The findings about a target, kept for the life of the process: a server that does not know a
//! start-up parameter, a proxy that rejects or drops one, and a pooler that shares sessions.

use std::fmt::Display;

#[cfg(feature = "_postgres")]
use super::postgres::start_up::Parameter;
use crate::error::Error;
use crate::source::{Pooler, Source};
use crate::sync::Mutex;
use crate::telemetry::events;

static TARGETS: Mutex<Vec<(String, Findings)>> = Mutex::new(Vec::new());

/// The findings about one target.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Findings {
    /// The target rejects all limits of a session.
    rejects_limits: bool,
    /// The start-up parameters that the server does not know, as bits.
    unknown: u16,
    /// The target is a proxy, because it rejects or drops a start-up parameter.
    is_proxy: bool,
    /// The proxy may use another session for each transaction.
    shares_sessions: bool,
    /// A session knows a client's prepared statements by the names that the client gave them.
    passes_names: bool,
    /// A connection to the target was inspected once.
    is_inspected: bool,
    /// The server has a limit for transactions: PostgreSQL 17 and later. `None` until it is asked.
    has_transaction_timeout: Option<bool>,
}

/// The way in which a target rejects a start-up parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rejection {
    /// A server that does not know the parameter.
    Server,
    /// A proxy that gives each client a session of its own while the client needs it.
    Proxy,
    /// A pooler that may use another session for each transaction.
    Pooler,
}

/// Returns `true` if the source's target has rejected the limits of a session.
pub(super) fn rejects_limits(source: &Source) -> bool {
    findings(source).rejects_limits
}

/// Returns `true` if the server does not know a start-up parameter, or has a stricter one for the
/// role or the database.
#[cfg(feature = "_postgres")]
pub(super) fn omits(source: &Source, parameter: Parameter) -> bool {
    let stricter = stricter(source).unwrap_or_default();
    (findings(source).unknown | stricter) & bit(parameter) != 0
}

/// Remembers the parameters that the server does not know, and logs that once.
#[cfg(feature = "_postgres")]
pub(super) fn remember_unknown(source: &Source, parameters: &[Parameter], error: &dyn Display) {
    let is_new = update(source, |findings| {
        findings.unknown |= parameters
            .iter()
            .copied()
            .map(bit)
            .fold(0, |all, bit| all | bit);
    });
    if is_new {
        events::unsupported(&source.shown_target(), error);
    }
}

/// The start-up parameters of which role or database have a stricter one, as bits, by source: they
/// depend on the user, and on the limits of the source.
#[cfg(feature = "_postgres")]
static STRICTER: Mutex<Vec<(Source, u16)>> = Mutex::new(Vec::new());

#[cfg(feature = "_postgres")]
fn stricter(source: &Source) -> Option<u16> {
    let all = STRICTER.lock();
    all.iter()
        .find(|(known, _)| known == source)
        .map(|(_, bits)| *bits)
}

/// Returns `true` if the stricter limits of role and database are known.
#[cfg(feature = "_postgres")]
pub(super) fn knows_stricter(source: &Source) -> bool {
    stricter(source).is_some()
}

/// Returns `true` if role or database have a stricter limit.
#[cfg(feature = "_postgres")]
pub(super) fn has_stricter(source: &Source) -> bool {
    stricter(source).is_some_and(|bits| bits != 0)
}

/// Forgets the stricter limits of role and database, because the source has other limits.
#[cfg(feature = "_postgres")]
pub(super) fn forget_stricter(source: &Source) {
    STRICTER.lock().retain(|(known, _)| known != source);
}

/// Remembers the limits that role or database have stricter.
#[cfg(feature = "_postgres")]
pub(super) fn remember_stricter(source: &Source, parameters: &[Parameter]) {
    let bits = parameters
        .iter()
        .fold(0, |bits, parameter| bits | bit(*parameter));
    let mut all = STRICTER.lock();
    all.retain(|(known, _)| known != source);
    all.push((*source, bits));
}

#[cfg(feature = "_postgres")]
fn bit(parameter: Parameter) -> u16 {
    1 << parameter as u8
}

/// Returns `true` if the target is a proxy whose sessions must be neither reset nor questioned, or
/// Aurora DSQL, which knows nothing of it.
pub(super) fn is_proxy(source: &Source) -> bool {
    match source.pooler {
        Some(Pooler::Transaction) => true,
        Some(Pooler::Session) => false,
        None => source.is_dsql() || source.is_rds_proxy() || findings(source).is_proxy,
    }
}

/// Returns `true` if two transactions of a connection may run in two sessions.
pub(super) fn shares_sessions(source: &Source) -> bool {
    match source.pooler {
        Some(Pooler::Transaction) => true,
        Some(Pooler::Session) => false,
        None => findings(source).shares_sessions,
    }
}

/// Returns `true` if a session that clients share knows statements by the names of the clients.
pub(super) fn passes_names(source: &Source) -> bool {
    shares_sessions(source) && findings(source).passes_names
}

/// Returns an error if a statement outside a transaction may run in a session that another client
/// has changed since the statement was prepared.
pub(super) fn expect_own_session(source: &Source) -> Result<(), Error> {
    let advice = match source.pooler {
        Some(Pooler::Transaction) => {
            "`Source::transaction_pooler` is set, and outside a transaction such a pooler may run \
             another client's statement: take `&mut Transaction<'_, Postgres>` or \
             `Lease<Transaction<'_, Postgres>>`"
        }
        None if findings(source).rejects_limits && shares_sessions(source) => {
            "a pooler such as PgBouncer rejected a start-up parameter, and in transaction mode a \
             pooler may run another client's statement outside a transaction: take \
             `&mut Transaction<'_, Postgres>` or `Lease<Transaction<'_, Postgres>>`, and add \
             `.transaction_pooler()` to the `Source`. If the pooler is in session mode, add \
             `.session_pooler()`"
        }
        _ => return Ok(()),
    };
    Err(Error::rejected(advice))
}

/// Returns an error if a shared session may know another client's statements by our names.
#[cfg(any(all(feature = "any", feature = "postgres"), feature = "tokio-postgres"))]
pub(super) fn expect_renamed_statements(source: &Source) -> Result<(), Error> {
    if !passes_names(source) {
        return Ok(());
    }
    Err(Error::rejected(
        "the pooler may run another client's prepared statement: set `max_prepared_statements` in \
         PgBouncer 1.21 or later, or take `&mut Transaction<'_, Postgres>` of sqlx",
    ))
}

/// Remembers that the target rejected the limits of a session, and logs that once.
pub(super) fn remember_rejection(source: &Source, rejection: Rejection, error: &dyn Display) {
    // A concurrent connect may have remembered it first.
    let is_new = update(source, |findings| {
        findings.rejects_limits = true;
        findings.is_proxy |= rejection != Rejection::Server;
        findings.shares_sessions |= rejection == Rejection::Pooler;
    });
    if is_new {
        events::unsupported(&source.shown_target(), error);
    }
}

/// Remembers that the target dropped a start-up parameter, as only a pooler does, and logs that
/// once.
#[cfg(feature = "_postgres")]
pub(super) fn remember_dropped(source: &Source) {
    let is_new = update(source, |findings| {
        findings.is_proxy = true;
        findings.shares_sessions = true;
    });
    if is_new {
        events::dropped(&source.shown_target());
    }
}

/// Remembers that the target passes the names of prepared statements on to its sessions.
pub(super) fn remember_passed_names(source: &Source) {
    update(source, |findings| findings.passes_names = true);
}

/// Returns `true` if the server has a limit for transactions. `None` if it was not asked yet.
#[cfg(feature = "_postgres")]
pub(super) fn has_transaction_timeout(source: &Source) -> Option<bool> {
    findings(source).has_transaction_timeout
}

/// Remembers whether the server has a limit for transactions.
#[cfg(feature = "_postgres")]
pub(super) fn remember_transaction_timeout(source: &Source, has: bool) {
    update(source, |findings| {
        findings.has_transaction_timeout = Some(has);
    });
}

/// Returns `true` if the target is known to drop or to keep start-up parameters.
pub(super) fn is_inspected(source: &Source) -> bool {
    findings(source).is_inspected
}

/// Remembers that the target was inspected.
pub(super) fn remember_inspected(source: &Source) {
    update(source, |findings| findings.is_inspected = true);
}

fn findings(source: &Source) -> Findings {
    let targets = TARGETS.lock();
    if targets.is_empty() {
        return Findings::default();
    }
    let target = source.target();
    let target = target.as_ref().map_or("", |target| target.shown());
    let known = targets.iter().find(|(known, _)| known == target);
    known.map(|(_, findings)| *findings).unwrap_or_default()
}

/// Changes the findings about the source's target. Returns `true` if that made a difference.
fn update(source: &Source, change: impl FnOnce(&mut Findings)) -> bool {
    let target = source.shown_target();
    let mut targets = TARGETS.lock();
    let known = targets.iter().position(|(known, _)| *known == target);
    let mut findings = known
        .map(|at| targets.swap_remove(at).1)
        .unwrap_or_default();
    let before = findings;
    change(&mut findings);
    targets.push((target, findings));
    findings != before
}
