//! The cost of a warm invocation on top of the handler: leasing and settling a kept connection.
//!
//! `cargo bench -p reuse-db`: the time, and the allocations (none).

#![expect(clippy::expect_used, reason = "it fails by panicking")]

use divan::AllocProfiler;
use reuse_db::{Connect, Error, Exclusive, Lease, Outcome, Source};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

struct Fake;

impl Connect for Fake {
    async fn connect(_: &Source) -> Result<Self, Error> {
        Ok(Self)
    }

    async fn check(&mut self, _: &Source) -> Result<(), Error> {
        Ok(())
    }
}

static DB: Exclusive<Fake> = Exclusive::new(Source::env("REUSE_DB_FAKE").or("fake://host"));

fn main() {
    divan::main();
}

#[divan::bench]
fn lease_open_settle(bencher: divan::Bencher<'_, '_>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let _entered = runtime.enter();
    let once = || {
        ready(async {
            let mut lease = DB.lease().await.expect("a connection");
            let fake = Lease::open(&mut lease).await.expect("the connection");
            divan::black_box(fake);
            Lease::settle(lease, Outcome::Success);
        });
    };
    once();
    bencher.bench_local(once);
}

/// Runs a future that is ready at its first poll, as everything here is for a kept connection.
fn ready(future: impl Future<Output = ()>) {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(std::pin::pin!(future).poll(&mut cx).is_ready());
}
