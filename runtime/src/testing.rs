//! A fake connection that does at each await what the test sets.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use lambda_http::BoxFuture;

use crate::connect::{Attempt, Connect, Driver, DriverConnect, FromConnection, Link};
use crate::error::Error;
use crate::source::{ServerLoad, Source};

/// The behavior of one await.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Gate {
    Ok,
    /// A permanent error.
    Err,
    /// A transient error.
    Transient,
    /// The error of a full server.
    Full,
    /// Ok after 20 ms.
    Slow,
    Never,
}

pub(crate) const GATES: [Gate; 5] = [
    Gate::Ok,
    Gate::Err,
    Gate::Transient,
    Gate::Slow,
    Gate::Never,
];

impl Gate {
    async fn pass(self) -> Result<(), Error> {
        match self {
            Self::Ok => {}
            Self::Err => return Err(Error::rejected("the gate is shut")),
            Self::Transient => return Err(Error::unavailable("the gate is shut for now")),
            Self::Full => return Err(Error::saturated("the server is full")),
            Self::Slow => tokio::time::sleep(Duration::from_millis(20)).await,
            Self::Never => std::future::pending().await,
        }
        Ok(())
    }
}

/// The behavior of all fakes of a test, which runs in a thread of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FakeBehavior {
    pub(crate) connect: Gate,
    pub(crate) check: Gate,
    pub(crate) quiesce: Gate,
    pub(crate) close: Gate,
    pub(crate) load: Gate,
    pub(crate) clear: Gate,
    pub(crate) renew: Gate,
    /// BEGIN on connections up to the one of this number, and on those after it.
    pub(crate) begin: (usize, Gate, Gate),
    pub(crate) needs_quiesce: bool,
    /// The server's connections, of ten. Zero if it does not report them.
    pub(crate) connections: u64,
}

impl FakeBehavior {
    pub(crate) const SOUND: Self = Self {
        connect: Gate::Ok,
        check: Gate::Ok,
        quiesce: Gate::Ok,
        close: Gate::Ok,
        load: Gate::Ok,
        clear: Gate::Ok,
        renew: Gate::Ok,
        begin: (0, Gate::Ok, Gate::Ok),
        needs_quiesce: false,
        connections: 1,
    };
}

thread_local! {
    static BEHAVIOR: RefCell<FakeBehavior> = const { RefCell::new(FakeBehavior::SOUND) };
    static ALIVE: Cell<usize> = const { Cell::new(0) };
    static CLEARED: Cell<usize> = const { Cell::new(0) };
    static INSPECTED: Cell<usize> = const { Cell::new(0) };
    static RENEWED: Cell<usize> = const { Cell::new(0) };
    static NEXT: Cell<usize> = const { Cell::new(0) };
}

pub(crate) fn behavior() -> FakeBehavior {
    BEHAVIOR.with_borrow(|behavior| *behavior)
}

pub(crate) fn set(change: impl FnOnce(&mut FakeBehavior)) {
    BEHAVIOR.with_borrow_mut(change);
}

/// Returns the number of fakes that are not dropped.
pub(crate) fn alive() -> usize {
    ALIVE.get()
}

/// Returns the number of fakes whose statements were closed.
pub(crate) fn cleared() -> usize {
    CLEARED.get()
}

/// Returns the number of inspections.
pub(crate) fn inspected() -> usize {
    INSPECTED.get()
}

/// Returns the number of renewals.
pub(crate) fn renewed() -> usize {
    RENEWED.get()
}

#[derive(Debug)]
pub(crate) struct Fake {
    pub(crate) number: usize,
}

impl Drop for Fake {
    fn drop(&mut self) {
        ALIVE.set(ALIVE.get() - 1);
    }
}

impl Connect for Fake {
    const DRIVER: Option<Driver<Self>> = Some(Driver::of());

    async fn connect(_: &Source) -> Result<Self, Error> {
        behavior().connect.pass().await?;
        NEXT.set(NEXT.get() + 1);
        ALIVE.set(ALIVE.get() + 1);
        Ok(Self { number: NEXT.get() })
    }

    async fn check(&mut self, _: &Source) -> Result<(), Error> {
        behavior().check.pass().await
    }

    fn needs_quiesce(&self) -> bool {
        behavior().needs_quiesce
    }

    async fn quiesce(&mut self, _: &Source) -> Result<(), Error> {
        behavior().quiesce.pass().await
    }

    async fn close(self) {
        let _ = behavior().close.pass().await;
    }
}

impl DriverConnect for Fake {
    const IS_EXCLUSIVE: bool = true;
    const INSPECTS: bool = true;
    fn resets_all(_: &Source) -> bool {
        true
    }

    fn connect_attempt<'a>(
        source: &'a Source,
        _: &'a Attempt,
    ) -> BoxFuture<'a, Result<(Self, Link), Error>> {
        Box::pin(async { Ok((Self::connect(source).await?, Link::default())) })
    }

    fn clear(&mut self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async {
            CLEARED.set(CLEARED.get() + 1);
            behavior().clear.pass().await
        })
    }

    fn inspect<'a>(&'a mut self, _: &'a Source) -> BoxFuture<'a, Result<bool, Error>> {
        INSPECTED.set(INSPECTED.get() + 1);
        Box::pin(async { Ok(false) })
    }

    fn server_load<'a>(
        &'a mut self,
        _: &'a Source,
        _: Duration,
    ) -> BoxFuture<'a, Result<Option<ServerLoad>, Error>> {
        Box::pin(async {
            behavior().load.pass().await?;
            let connections = behavior().connections;
            Ok((connections > 0).then_some(ServerLoad {
                connections,
                limit: 10,
                newer: 0,
            }))
        })
    }

    fn renew<'a>(&'a self, _: &'a Source) -> BoxFuture<'a, Result<(), Error>> {
        RENEWED.set(RENEWED.get() + 1);
        Box::pin(behavior().renew.pass())
    }
}

/// A transaction on a fake.
#[derive(Debug)]
pub(crate) struct FakeTransaction;

impl FromConnection for FakeTransaction {
    type Connection = Fake;
    type Open<'c> = &'c mut Fake;

    async fn open<'c>(connection: &'c mut Fake, _: &Source) -> Result<&'c mut Fake, Error> {
        let (last, old, new) = behavior().begin;
        let gate = if connection.number <= last { old } else { new };
        gate.pass().await?;
        Ok(connection)
    }
}

pub(crate) const SOURCE: Source = Source::env("REUSE_DB_FAKE")
    .or("fake://user:s3cret@host:1/db")
    .max_connections(3)
    .keep(1);
