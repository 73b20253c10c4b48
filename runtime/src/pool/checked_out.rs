//! What a handler gets is made of a connection; a dead one is replaced as long as no handler had it.

use tokio::time::{Instant, timeout_at};

use super::{Depot, Held};
use crate::clock::Moment;
use crate::stats::{Count, Counters};
use crate::{Connect, Error, Handle, connecting, limit};

impl<C: Connect> Held<C> {
    /// Makes the handler's argument: for a transaction that takes a BEGIN, which may find out that the
    /// connection is dead. Nothing of the handler's was sent then, so it is replaced, once.
    // Cancellation safety: both connections are owned by this lease.
    pub(crate) async fn open<H: Handle<Connection = C>>(&mut self) -> Result<H::Open<'_>, Error> {
        let Self {
            connection,
            instead,
            was_idle,
            opened,
            depot,
            counters,
            ..
        } = self;
        // What was opened before is over.
        if let Some(another) = instead.take() {
            *connection = another;
        }
        // Nobody had it in hand yet.
        let may_be_replaced = std::mem::take(was_idle);
        let begun = Instant::now();
        let end = limit::until(depot.source.connect_timeout);
        let end_of_try = if may_be_replaced && !depot.source.transaction_pooler {
            // As of a check: it was sound not long ago. A pooler may have no session free for longer.
            end.min(limit::after(depot.source.check_timeout))
        } else {
            end
        };
        let error = match timeout_at(end_of_try, H::open(connection)).await {
            Ok(Ok(open)) => return Ok(open),
            Ok(Err(error)) => error,
            Err(_) => silence(),
        };
        if !may_be_replaced {
            return Err(depot.not_opened(error, begun, counters));
        }
        tracing::debug!(target: "reuse_db", took = ?begun.elapsed(), %error, "stale");
        counters.add(Count::Stale);
        let another = Box::pin(connecting::open(&depot.source, end, counters)).await;
        *opened = Moment::now();
        let connection = match another {
            Ok(another) => instead.insert(another),
            Err(error) => return Err(connecting::refused(error, begun.elapsed(), counters)),
        };
        timeout_at(end, H::open(connection))
            .await
            .unwrap_or_else(|_| Err(silence()))
            .map_err(|error| depot.not_opened(error, begun, counters))
    }
}

fn silence() -> Error {
    Error::unavailable("no answer to BEGIN in time")
}

impl<C: Connect> Depot<C> {
    /// One that may be had later is a refusal like another.
    fn not_opened(&self, error: Error, begun: Instant, counters: &Counters) -> Error {
        let took = begun.elapsed();
        if error.passes() {
            connecting::refused(error.after(self.source.target(), 1, took), took, counters)
        } else {
            error
        }
    }
}
