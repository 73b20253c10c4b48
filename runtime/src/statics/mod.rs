//! The statics that the attribute hoists a parameter into.

mod exclusive;
mod lease;
mod shared;

pub use exclusive::Exclusive;
pub use lease::Lease;
pub(crate) use lease::LeaseEnd;
pub use shared::Shared;

use std::fmt;
use std::sync::Arc;

use crate::error::Error;
use crate::pool::registry::{ErasedPool, PoolCache};
use crate::source::Source;
use crate::telemetry::{Counters, HandlerName, Stats};

/// The part that both statics have in common.
struct Static {
    source: Source,
    cached_pool: PoolCache,
    counters: Counters,
}

impl Static {
    const fn new(source: Source, handler: HandlerName) -> Self {
        Self {
            source,
            cached_pool: PoolCache::new(),
            counters: Counters::of_handler(handler),
        }
    }

    fn pool<P: ErasedPool>(&self, make: fn(Source) -> P) -> Result<Arc<P>, Error> {
        self.cached_pool.find(&self.source, make)
    }

    fn stats(&self) -> Stats {
        self.counters.read()
    }

    fn fmt(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("source", &self.source)
            .field("stats", &self.stats())
            .finish()
    }
}
