//! A warm invocation allocates nothing when it leases, opens and settles a kept connection. The
//! layers around a handler hold its future once.

#![expect(clippy::expect_used, reason = "it fails by panicking")]

use std::alloc::System;
use std::pin::pin;
use std::task::{Context, Waker};

use lambda_http::tower::{Layer as _, Service as _, service_fn};
use lambda_http::{Body, Request, Response};
use reuse_db::{
    Connect, Error, Exclusive, HandlerDeadline, Lease, Outcome, ServiceUnavailable, Source,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

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

async fn invocation() {
    let mut lease = DB.lease().await.expect("a connection");
    Lease::open(&mut lease).await.expect("the connection");
    Lease::settle(lease, Outcome::Success);
}

/// The size of what a handler keeps in its future.
const KEPT: usize = 64 * 1024;

/// Calls a large handler in the layers of `run`, and returns the bytes that this allocates.
fn allocated_by_layers() -> usize {
    let handler = service_fn(|_: Request| async {
        let kept = [1_u8; KEPT];
        std::future::pending::<()>().await;
        Ok::<_, Error>(Response::new(Body::from(kept.to_vec())))
    });
    let mut service = ServiceUnavailable::new().layer(HandlerDeadline::new().layer(handler));
    let region = Region::new(ALLOCATOR);
    let mut response = pin!(service.call(Request::default()));
    let first = response
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    assert!(first.is_pending());
    region.change().bytes_allocated
}

// Without libtest, whose threads allocate, too.
fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let _entered = runtime.enter();
    let invoke = || {
        let mut invocation = pin!(invocation());
        let first = invocation
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(first.is_ready());
    };
    invoke();
    let region = Region::new(ALLOCATOR);
    for _ in 0..1_000 {
        invoke();
    }
    let change = region.change();
    assert_eq!(
        (change.allocations, change.reallocations),
        (0, 0),
        "{change:?}"
    );
    assert_eq!((DB.stats().opened, DB.stats().reused), (1, 1_000));
    let allocated = allocated_by_layers();
    assert!((KEPT..2 * KEPT).contains(&allocated), "{allocated}");
}
