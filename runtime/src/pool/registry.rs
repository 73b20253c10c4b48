//! Every depot of the process, found by what it holds, its `Source`, and its runtime.

use std::any::Any;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use tokio::runtime::{Handle, Id};

use crate::{Error, Source};

/// What keeps connections, as the process sees it.
pub(crate) trait Keeper: Any + Send + Sync {
    /// Takes what is idle, to be closed politely: the work that does it.
    fn drain(self: Arc<Self>) -> Vec<Work>;

    /// The runtime has ended: drops what is idle, and keeps nothing more.
    fn end(&self);
}

/// Something to be run in the background.
pub(crate) type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Entry {
    runtime: Id,
    source: Source,
    keeper: Arc<dyn Keeper>,
}

static REGISTRY: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

fn registry() -> MutexGuard<'static, Vec<Entry>> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A static's way to its keeper: the one it used last is remembered.
///
/// Which type that is says [`find`](Self::find): so a static can name a type that no keeper can
/// have, and the error is told once, where it is leased.
pub(crate) struct Way(RwLock<Option<(Id, Weak<dyn Keeper>)>>);

impl Way {
    pub(crate) const fn new() -> Self {
        Self(RwLock::new(None))
    }

    /// The keeper of the current runtime. A connection belongs to the runtime that opened it: used
    /// from another, it hangs until a time-out, or fails if its own has ended. So every runtime
    /// (each `#[tokio::test]` has one) has keepers of its own, which end with it.
    pub(crate) fn find<K: Keeper>(
        &self,
        source: &Source,
        make: fn(Source) -> K,
    ) -> Result<Arc<K>, Error> {
        let runtime = Handle::try_current().map_err(|_| Error::NoRuntime)?;
        let id = runtime.id();
        {
            let last = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(keeper) = last
                .as_ref()
                .filter(|last| last.0 == id)
                .and_then(|last| last.1.upgrade())
                .and_then(downcast)
            {
                return Ok(keeper);
            }
        }
        let keeper = find_or_make(&runtime, source, make);
        let last: Weak<dyn Keeper> = Arc::<K>::downgrade(&keeper);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some((id, last));
        Ok(keeper)
    }
}

fn downcast<K: Keeper>(keeper: Arc<dyn Keeper>) -> Option<Arc<K>> {
    (keeper as Arc<dyn Any + Send + Sync>).downcast().ok()
}

fn find_or_make<K: Keeper>(runtime: &Handle, source: &Source, make: fn(Source) -> K) -> Arc<K> {
    let id = runtime.id();
    let mut registry = registry();
    let known = registry.iter().filter(|entry| entry.runtime == id);
    for entry in known.clone().filter(|entry| entry.source == *source) {
        if let Some(keeper) = downcast(Arc::clone(&entry.keeper)) {
            return keeper;
        }
    }
    let is_first = known.count() == 0;
    let keeper = Arc::new(make(*source));
    registry.push(Entry {
        runtime: id,
        source: *source,
        keeper: Arc::clone(&keeper) as Arc<dyn Keeper>,
    });
    // A runtime that is ending drops the task at once, and that takes the lock.
    drop(registry);
    if is_first {
        let end = EndOfRuntime(id);
        runtime.spawn(async move {
            let _end = end;
            std::future::pending::<()>().await;
        });
    }
    keeper
}

/// Owned by a task that never ends by itself: dropped when its runtime ends.
struct EndOfRuntime(Id);

impl Drop for EndOfRuntime {
    fn drop(&mut self) {
        let ended: Vec<_> = registry()
            .extract_if(.., |entry| entry.runtime == self.0)
            .collect();
        for entry in ended {
            entry.keeper.end();
        }
    }
}

/// The work that closes all that is idle in the current runtime.
pub(crate) fn drain() -> Vec<Work> {
    let Ok(runtime) = Handle::try_current() else {
        return Vec::new();
    };
    let keepers: Vec<_> = registry()
        .iter()
        .filter(|entry| entry.runtime == runtime.id())
        .map(|entry| Arc::clone(&entry.keeper))
        .collect();
    keepers.into_iter().flat_map(Keeper::drain).collect()
}
