//! A connection that does at each await what the test says.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use crate::guard::Load;
use crate::{Connect, Error, Handle, Source};

/// What a fake does when awaited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Gate {
    Ok,
    Err,
    /// An error that may pass.
    Refuse,
    Slow,
    Never,
}

pub(crate) const GATES: [Gate; 5] = [Gate::Ok, Gate::Err, Gate::Refuse, Gate::Slow, Gate::Never];

impl Gate {
    async fn pass(self) -> Result<(), Error> {
        match self {
            Self::Ok => {}
            Self::Err => return Err(Error::rejected("the gate is shut")),
            Self::Refuse => return Err(Error::unavailable("the gate is shut for now")),
            Self::Slow => tokio::time::sleep(Duration::from_millis(20)).await,
            Self::Never => std::future::pending().await,
        }
        Ok(())
    }
}

/// What fakes do in this test (a test has a thread of its own).
#[derive(Clone, Copy, Debug)]
pub(crate) struct World {
    pub(crate) connect: Gate,
    pub(crate) check: Gate,
    pub(crate) rest: Gate,
    pub(crate) close: Gate,
    pub(crate) load: Gate,
    pub(crate) reap: Gate,
    pub(crate) renew: Gate,
    /// BEGIN on connections up to the one of this number, and on those after it.
    pub(crate) begin: (usize, Gate, Gate),
    pub(crate) unfinished: bool,
}

impl World {
    pub(crate) const SOUND: Self = Self {
        connect: Gate::Ok,
        check: Gate::Ok,
        rest: Gate::Ok,
        close: Gate::Ok,
        load: Gate::Ok,
        reap: Gate::Ok,
        renew: Gate::Ok,
        begin: (0, Gate::Ok, Gate::Ok),
        unfinished: false,
    };
}

thread_local! {
    static WORLD: RefCell<World> = const { RefCell::new(World::SOUND) };
    static ALIVE: Cell<usize> = const { Cell::new(0) };
    static RENEWED: Cell<usize> = const { Cell::new(0) };
    static NEXT: Cell<usize> = const { Cell::new(0) };
}

pub(crate) fn world() -> World {
    WORLD.with_borrow(|world| *world)
}

pub(crate) fn set(change: impl FnOnce(&mut World)) {
    WORLD.with_borrow_mut(change);
}

pub(crate) fn alive() -> usize {
    ALIVE.get()
}

/// How often one was told to renew what it connects with.
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
    async fn connect(_: &Source) -> Result<Self, Error> {
        world().connect.pass().await?;
        NEXT.set(NEXT.get() + 1);
        ALIVE.set(ALIVE.get() + 1);
        Ok(Self { number: NEXT.get() })
    }

    async fn check(&mut self) -> Result<(), Error> {
        world().check.pass().await
    }

    fn unfinished(&self) -> bool {
        world().unfinished
    }

    async fn rest(&mut self) -> Result<(), Error> {
        world().rest.pass().await
    }

    /// A full server.
    async fn load(&mut self) -> Result<Option<Load>, Error> {
        world().load.pass().await?;
        Ok(Some(Load {
            used: 10,
            most: 10,
            ours: 3,
        }))
    }

    async fn reap(&mut self, _: Duration, most: u64) -> Result<u64, Error> {
        world().reap.pass().await?;
        Ok(most)
    }

    async fn renew(&self, _: &Source) -> Result<(), Error> {
        RENEWED.set(RENEWED.get() + 1);
        world().renew.pass().await
    }

    async fn close(self) {
        let _ = world().close.pass().await;
    }
}

/// A transaction on it.
#[derive(Debug)]
pub(crate) struct FakeTransaction;

impl Handle for FakeTransaction {
    type Connection = Fake;
    type Open<'c> = &'c mut Fake;

    async fn open(connection: &mut Fake) -> Result<&mut Fake, Error> {
        let (last, old, new) = world().begin;
        let gate = if connection.number <= last { old } else { new };
        gate.pass().await?;
        Ok(connection)
    }
}

pub(crate) const SOURCE: Source = Source::env("REUSE_DB_FAKE")
    .or("fake://user:s3cret@host:1/db")
    .max_connections(3)
    .keep(1);
