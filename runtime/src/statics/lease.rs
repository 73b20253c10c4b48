//! The hold of one invocation on a connection.

use std::fmt;
use std::sync::Arc;

use tokio::sync::Notify;

use super::Static;
use crate::connect::{Connect, FromConnection};
use crate::error::Error;
use crate::pool::{CheckedOut, Pool};
use crate::response::Outcome;
use crate::sync::Mutex;

/// The hold of one invocation on a connection.
///
/// A lease of [`Exclusive::lease`](crate::Exclusive::lease) has its connection. One that a handler
/// takes by value connects when it is opened for the first time: a handler that does not open it
/// sends nothing, and does not fail without a server.
///
/// [`settle`](Self::settle) releases the connection. A lease of a handler may also be dropped in
/// the handler: the annotated function then settles it with the handler's outcome.
/// Any other opened lease that is dropped drops its connection, because the connection's state is
/// unknown. That happens after a panic, a cancelled future, or a failed BEGIN or COMMIT.
/// A lease that was not opened releases its connection.
///
/// A handler that takes a lease by value can move it into the body of a streamed response, which
/// settles it at its end.
#[must_use = "open it, or settle it: outside a handler, a lease that is dropped drops its connection"]
pub struct Lease<H: FromConnection> {
    from: &'static Static,
    /// `None` until a lease on first use is opened, and while a lease is being dropped.
    checked_out: Option<CheckedOut<H::Connection>>,
    progress: Progress,
    /// The place where a lease of a handler leaves its connection when it is dropped.
    slot: Option<Arc<Slot<H::Connection>>>,
}

/// The use of a lease so far.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Progress {
    Unopened,
    Opened,
    /// Opening failed or was cancelled.
    Failed,
}

/// The reason for dropping the connection of a lease whose opening failed or was cancelled.
const NOT_OPENED: &str = "it could not be opened";

/// The reason for dropping the connection of a lease that was not settled.
const NOT_SETTLED: &str = "the handler panicked or was cancelled, or BEGIN or COMMIT failed";

impl<H: FromConnection> Lease<H> {
    /// Acquires a connection from the pool of a static.
    pub(super) async fn acquire(from: &'static Static) -> Result<Self, Error> {
        Ok(Self {
            from,
            checked_out: Some(check_out::<H>(from).await?),
            progress: Progress::Unopened,
            slot: None,
        })
    }

    /// Makes a lease that acquires its connection when it is opened.
    pub(super) fn on_first_use(from: &'static Static) -> (Self, LeaseEnd<H::Connection>) {
        let slot = Arc::new(Slot::new());
        let lease = Self {
            from,
            checked_out: None,
            progress: Progress::Unopened,
            slot: Some(Arc::clone(&slot)),
        };
        (lease, LeaseEnd { from, slot })
    }

    /// Makes the handler's argument from the connection: the connection itself, or a transaction
    /// on it. A lease that a handler takes by value first acquires its connection, as
    /// [`Exclusive::lease`](crate::Exclusive::lease) does.
    ///
    /// A lease can be opened several times, also after an error.
    /// If BEGIN finds a kept connection dead, within
    /// [`check_timeout`](crate::Source::check_timeout), the connection is replaced.
    ///
    /// # Errors
    ///
    /// [`Error::Transaction`] if the server rejects BEGIN. The errors of
    /// [`Exclusive::lease`](crate::Exclusive::lease) if the server cannot be reached within
    /// [`connect_timeout`](crate::Source::connect_timeout), or has no session left.
    // Cancellation safety: this lease owns the connection, which counts as failed until it is open.
    pub async fn open(lease: &mut Self) -> Result<H::Open<'_>, Error> {
        let Self {
            from,
            checked_out,
            progress,
            slot,
        } = lease;
        let prepared = slot.as_ref().and_then(|slot| slot.take_prepared());
        if let Some(prepared) = prepared {
            *checked_out = Some(prepared);
        }
        if *progress == Progress::Failed
            && let Some(failed) = checked_out.take()
        {
            failed.discard(NOT_OPENED);
        }
        let checked_out = match checked_out {
            Some(checked_out) => checked_out,
            // Boxed, because most leases have their connection.
            none => none.insert(Box::pin(check_out::<H>(from)).await?),
        };
        *progress = Progress::Failed;
        let open = checked_out.open::<H>().await?;
        *progress = Progress::Opened;
        Ok(open)
    }

    /// Releases the connection at once and without awaiting.
    ///
    /// It is idle at once if the outcome is no failure and nothing is unfinished on it. Otherwise
    /// background work quiesces or checks it first, within
    /// [`check_timeout`](crate::Source::check_timeout).
    pub fn settle(mut lease: Self, outcome: Outcome) {
        match lease.checked_out.take() {
            Some(failed) if lease.progress == Progress::Failed => failed.discard(NOT_OPENED),
            Some(checked_out) => checked_out.release(outcome),
            None => {}
        }
    }
}

/// Acquires a connection from the pool of a static.
async fn check_out<H: FromConnection>(
    from: &'static Static,
) -> Result<CheckedOut<H::Connection>, Error> {
    let pool = from.pool(Pool::<H::Connection>::new)?;
    pool.expect_own_session::<H>(&from.counters)?;
    pool.acquire(&from.counters).await
}

impl<H: FromConnection> Drop for Lease<H> {
    fn drop(&mut self) {
        let slot = self.slot.take();
        let prepared = slot.as_ref().and_then(|slot| slot.take_prepared());
        let Some(checked_out) = self.checked_out.take().or(prepared) else {
            return;
        };
        match (self.progress, slot) {
            (Progress::Unopened, _) => checked_out.release_unused(),
            // A panic that is caught in the handler leaves the connection in an unknown state.
            (Progress::Opened, Some(slot)) if !std::thread::panicking() => slot.put(checked_out),
            // A handler may panic beside a statement, in `select!` or `join!`.
            (Progress::Opened, _) => checked_out.abandon(NOT_SETTLED),
            (Progress::Failed, _) => checked_out.discard(NOT_OPENED),
        }
    }
}

/// The place where a lease of a handler and the annotated function hand over a connection.
pub(crate) struct Slot<C> {
    place: Mutex<Place<C>>,
    /// Notified when the lease has a connection or is dropped.
    needs_none: Notify,
}

struct Place<C> {
    /// While the handler runs, that of a lease that was dropped. After the handler, one for a lease
    /// that outlives it.
    checked_out: Option<CheckedOut<C>>,
    /// `true` while the handler runs.
    handler_runs: bool,
    /// `true` until the lease has a connection or is dropped.
    is_awaited: bool,
}

impl<C: Connect> Slot<C> {
    fn new() -> Self {
        Self {
            place: Mutex::new(Place {
                checked_out: None,
                handler_runs: true,
                is_awaited: true,
            }),
            needs_none: Notify::new(),
        }
    }

    /// Takes the connection that was prepared for the lease, if any. From now on the lease awaits
    /// none.
    fn take_prepared(&self) -> Option<CheckedOut<C>> {
        let mut place = self.place.lock();
        place.is_awaited = false;
        self.needs_none.notify_one();
        place.checked_out.take()
    }

    /// Leaves the connection of a lease that is dropped.
    fn put(&self, checked_out: CheckedOut<C>) {
        let mut place = self.place.lock();
        if place.handler_runs {
            place.checked_out = Some(checked_out);
            return;
        }
        drop(place);
        checked_out.abandon(NOT_SETTLED);
    }
}

/// The part of a lease that stays with the annotated function. Dropped without
/// [`settle`](Self::settle), it drops the connection of a lease that was dropped.
#[must_use = "the connection is dropped with it: settle it"]
pub struct LeaseEnd<C: Connect> {
    from: &'static Static,
    slot: Arc<Slot<C>>,
}

impl<C: Connect> LeaseEnd<C> {
    /// Returns `true` if the lease outlives the handler, and was not opened.
    pub(crate) fn is_awaited(&self) -> bool {
        self.slot.place.lock().is_awaited
    }

    /// Connects in place of a lease that outlives the handler. So a streamed response does not
    /// begin without its connection.
    pub(crate) async fn connect(&mut self) -> Result<(), Error> {
        let pool = self.from.pool(Pool::<C>::new)?;
        let checked_out = tokio::select! {
            biased;
            // A task has it, and may even wait for the same connection.
            () = self.slot.needs_none.notified() => return Ok(()),
            checked_out = pool.acquire(&self.from.counters) => checked_out?,
        };
        let mut place = self.slot.place.lock();
        if place.is_awaited {
            place.handler_runs = false;
            place.checked_out = Some(checked_out);
        } else {
            // The lease was opened or dropped meanwhile.
            drop(place);
            checked_out.release_unused();
        }
        Ok(())
    }

    /// Releases the connection if the handler has dropped its lease. Otherwise the lease may
    /// outlive the handler, and whoever has it settles it.
    pub(crate) fn settle(self, outcome: Outcome) {
        if let Some(checked_out) = self.end() {
            checked_out.release(outcome);
        }
    }

    /// Ends the handler. Takes the connection of a lease that was dropped.
    fn end(&self) -> Option<CheckedOut<C>> {
        let mut place = self.slot.place.lock();
        let handler_ran = std::mem::replace(&mut place.handler_runs, false);
        handler_ran.then(|| place.checked_out.take()).flatten()
    }
}

impl<C: Connect> Drop for LeaseEnd<C> {
    fn drop(&mut self) {
        if let Some(checked_out) = self.end() {
            checked_out.abandon(NOT_SETTLED);
        }
    }
}

impl<C: Connect> fmt::Debug for LeaseEnd<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeaseEnd").finish_non_exhaustive()
    }
}

impl<H: FromConnection> fmt::Debug for Lease<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use super::*;
    use crate::statics::{Exclusive, Shared};
    use crate::testing::{Fake, FakeTransaction, Gate, SOURCE, alive, set};

    /// Waits until all spawned work is done.
    async fn settled() {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_the_handler_settles_a_lease_that_was_dropped_in_it() {
        static DB: Shared<Lease<Fake>> = Shared::new(SOURCE);
        for (outcome, opened, checked, discarded) in [
            (Some(Outcome::Success), 1, 0, 0),
            (Some(Outcome::Failure), 1, 1, 0),
            (None, 1, 1, 1),
            (Some(Outcome::Success), 2, 1, 1),
        ] {
            let (mut lease, end) = DB.lease_on_first_use();
            Lease::open(&mut lease).await.expect("a connection");
            drop(lease);
            match outcome {
                Some(outcome) => end.settle(outcome),
                None => drop(end),
            }
            settled().await;
            let stats = DB.stats();
            let counts = (stats.opened, stats.checked, stats.discarded);
            assert_eq!(counts, (opened, checked, discarded), "{outcome:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_outlives_its_handler_is_settled_by_its_owner() {
        static DB: Shared<Lease<Fake>> = Shared::new(SOURCE);
        for settles in [true, false] {
            let (mut lease, end) = DB.lease_on_first_use();
            end.settle(Outcome::Failure);
            Lease::open(&mut lease).await.expect("a connection");
            if settles {
                Lease::settle(lease, Outcome::Success);
            } else {
                drop(lease);
            }
            settled().await;
        }
        let stats = DB.stats();
        assert_eq!((stats.opened, stats.checked, stats.discarded), (1, 0, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_outlives_its_handler_has_its_connection_before_the_response() {
        static DB: Shared<Lease<Fake>> = Shared::new(SOURCE.max_connections(1));
        for opens in [true, false] {
            let (mut lease, mut end) = DB.lease_on_first_use();
            assert!(end.is_awaited());
            end.connect().await.expect("a connection");
            assert_eq!(alive(), 1);
            end.settle(Outcome::Success);
            set(|fakes| fakes.connect = Gate::Err);
            if opens {
                Lease::open(&mut lease).await.expect("the same connection");
                Lease::settle(lease, Outcome::Success);
            } else {
                drop(lease);
            }
            assert_eq!((DB.stats().opened, DB.stats().discarded), (1, 0));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_was_opened_or_dropped_meanwhile_leaves_nothing_behind() {
        static DB: Shared<Lease<Fake>> = Shared::new(SOURCE);
        for opens in [true, false] {
            let (mut lease, mut end) = DB.lease_on_first_use();
            set(|fakes| fakes.connect = Gate::Slow);
            let meanwhile = async {
                tokio::task::yield_now().await;
                if opens {
                    Lease::open(&mut lease).await.expect("a connection");
                    Lease::settle(lease, Outcome::Success);
                } else {
                    drop(lease);
                }
            };
            let (connected, ()) = tokio::join!(end.connect(), meanwhile);
            connected.expect("a connection");
            assert!(!end.is_awaited());
            end.settle(Outcome::Success);
            settled().await;
            assert_eq!(DB.stats().discarded, 0);
            for permit in 0..3 {
                let another = DB.lease().await;
                assert!(another.is_ok(), "permit {permit}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_can_be_opened_again_after_each_failure() {
        static DB: Shared<Lease<FakeTransaction>> = Shared::new(SOURCE);
        for shut in [Gate::Err, Gate::Transient, Gate::Never] {
            let (mut lease, end) = DB.lease_on_first_use();
            set(|fakes| fakes.connect = shut);
            assert!(Lease::open(&mut lease).await.is_err(), "{shut:?}");
            set(|fakes| {
                fakes.connect = Gate::Ok;
                fakes.begin = (usize::MAX, shut, Gate::Ok);
            });
            assert!(Lease::open(&mut lease).await.is_err(), "{shut:?}");
            set(|fakes| fakes.begin = (0, Gate::Ok, Gate::Ok));
            Lease::open(&mut lease).await.expect("a transaction");
            assert_eq!(alive(), 1, "the failed one is dropped");
            drop(lease);
            drop(end);
            assert_eq!(alive(), 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_lost_when_open_is_dropped_at_any_await() {
        static DB: Shared<Lease<FakeTransaction>> = Shared::new(SOURCE.max_connections(1));
        for (connect, begin) in [
            (Gate::Never, Gate::Ok),
            (Gate::Slow, Gate::Never),
            (Gate::Ok, Gate::Slow),
        ] {
            for polls in 1..4 {
                set(|fakes| {
                    fakes.connect = connect;
                    fakes.begin = (usize::MAX, begin, begin);
                });
                let (mut lease, end) = DB.lease_on_first_use();
                {
                    let mut open = pin!(Lease::open(&mut lease));
                    let mut cx = Context::from_waker(Waker::noop());
                    for _ in 0..polls {
                        if let Poll::Ready(open) = open.as_mut().poll(&mut cx) {
                            open.expect("a transaction");
                            break;
                        }
                        tokio::time::advance(Duration::from_millis(15)).await;
                    }
                }
                drop(lease);
                end.settle(Outcome::Success);
                set(|fakes| {
                    fakes.connect = Gate::Ok;
                    fakes.begin = (0, Gate::Ok, Gate::Ok);
                });
                settled().await;
                // Its permit is free again.
                let (mut lease, end) = DB.lease_on_first_use();
                Lease::open(&mut lease).await.expect("a transaction");
                drop(lease);
                drop(end);
                assert_eq!(alive(), 0, "{connect:?} {begin:?} {polls}");
            }
        }
    }

    #[test]
    fn a_lease_that_is_dropped_by_a_panic_drops_its_connection() {
        static DB: Shared<Lease<Fake>> = Shared::new(SOURCE);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let handler = async {
            let (mut lease, _end) = DB.lease_on_first_use();
            Lease::open(&mut lease).await.expect("a connection");
            std::panic::resume_unwind(Box::new("the handler panicked"));
        };
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(handler)));
        assert!(result.is_err());
        assert_eq!(
            (DB.stats().opened, DB.stats().discarded, alive()),
            (1, 1, 0)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_lease_keeps_its_connection_until_it_is_opened() {
        static DB: Exclusive<Fake> = Exclusive::new(SOURCE);
        for _ in 0..2 {
            drop(DB.lease().await.expect("a lease"));
        }
        assert_eq!((DB.stats().opened, DB.stats().discarded), (1, 0));
        let mut lease = DB.lease().await.expect("a lease");
        Lease::open(&mut lease).await.expect("a connection");
        drop(lease);
        assert_eq!((DB.stats().opened, DB.stats().discarded), (1, 1));
    }
}
