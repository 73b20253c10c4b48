//! Every pool of the process, found by its type, its [`Source`] and its runtime.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Weak};

use lambda_http::BoxFuture;
use tokio::runtime::{Handle, Id};

use crate::error::Error;
use crate::source::Source;
use crate::sync::Mutex;

/// A pool of any type, as the registry sees it.
pub(crate) trait ErasedPool: Any + Send + Sync {
    /// Takes what is idle, and returns the work that closes it.
    fn close_idle(self: Arc<Self>) -> Vec<BoxFuture<'static, ()>>;

    /// Shuts down what tasks use that outlive their invocation, because the freeze comes next.
    fn shut_down(&self);

    /// Drops what is idle, because the runtime has ended. From then on nothing is kept.
    fn runtime_ended(&self);
}

struct Entry {
    runtime: Id,
    source: Source,
    pool: Arc<dyn ErasedPool>,
}

static REGISTRY: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

/// The pool that a static used last: a cache of a lookup in the registry.
///
/// The pool's type is a parameter of [`find`](Self::find), not of this struct. A static of an
/// unsupported type therefore compiles, and the error is reported once, at the lease.
pub(crate) struct PoolCache(Mutex<Option<(Id, Weak<dyn ErasedPool>)>>);

impl PoolCache {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Finds the pool of the current runtime, or makes it.
    ///
    /// A connection belongs to the runtime that opened it. Used from another, it hangs until a
    /// time-out, or fails if its own runtime has ended. So every runtime, and each
    /// `#[tokio::test]` has one, gets its own pools, which end with it.
    pub(crate) fn find<P: ErasedPool>(
        &self,
        source: &Source,
        make: fn(Source) -> P,
    ) -> Result<Arc<P>, Error> {
        let runtime = Handle::try_current().map_err(|_| Error::NoRuntime)?;
        let id = runtime.id();
        if let Some(pool) = self.cached(id) {
            return Ok(pool);
        }
        let pool = find_or_make(&runtime, source, make);
        let weak: Weak<dyn ErasedPool> = Arc::<P>::downgrade(&pool);
        *self.0.lock() = Some((id, weak));
        Ok(pool)
    }

    fn cached<P: ErasedPool>(&self, runtime: Id) -> Option<Arc<P>> {
        let last = self.0.lock();
        let (id, pool) = last.as_ref()?;
        let pool = (*id == runtime).then(|| pool.upgrade()).flatten()?;
        drop(last);
        downcast(pool)
    }
}

impl fmt::Debug for PoolCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolCache").finish_non_exhaustive()
    }
}

fn downcast<P: ErasedPool>(pool: Arc<dyn ErasedPool>) -> Option<Arc<P>> {
    (pool as Arc<dyn Any + Send + Sync>).downcast().ok()
}

fn find_or_make<P: ErasedPool>(runtime: &Handle, source: &Source, make: fn(Source) -> P) -> Arc<P> {
    let id = runtime.id();
    let mut registry = REGISTRY.lock();
    let known = registry.iter().filter(|entry| entry.runtime == id);
    for entry in known.clone().filter(|entry| entry.source == *source) {
        if let Some(pool) = downcast(Arc::clone(&entry.pool)) {
            return pool;
        }
    }
    let is_first = known.count() == 0;
    let pool = Arc::new(make(*source));
    registry.push(Entry {
        runtime: id,
        source: *source,
        pool: Arc::clone(&pool) as Arc<dyn ErasedPool>,
    });
    // A runtime that is ending drops the task at once, which locks the registry.
    drop(registry);
    if is_first {
        let end = EndOfRuntime(id);
        runtime.spawn(async move {
            let _end = end;
            std::future::pending::<()>().await;
        });
    }
    pool
}

/// Owned by a task that never finishes, and so dropped when its runtime ends.
struct EndOfRuntime(Id);

impl Drop for EndOfRuntime {
    fn drop(&mut self) {
        let ended: Vec<_> = REGISTRY
            .lock()
            .extract_if(.., |entry| entry.runtime == self.0)
            .collect();
        for entry in ended {
            entry.pool.runtime_ended();
        }
    }
}

/// Returns the work that closes everything idle in the current runtime.
pub(crate) fn close_idle() -> Vec<BoxFuture<'static, ()>> {
    let pools = all().into_iter();
    pools.flat_map(ErasedPool::close_idle).collect()
}

/// Shuts down what tasks of the current runtime use that outlive their invocation.
pub(crate) fn shut_down() {
    all().iter().for_each(|pool| pool.shut_down());
}

/// Returns the pools of the current runtime.
fn all() -> Vec<Arc<dyn ErasedPool>> {
    let Ok(runtime) = Handle::try_current() else {
        return Vec::new();
    };
    let registry = REGISTRY.lock();
    let entries = registry.iter();
    let entries = entries.filter(|entry| entry.runtime == runtime.id());
    entries.map(|entry| Arc::clone(&entry.pool)).collect()
}
