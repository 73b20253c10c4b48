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

/// The look at a quiet socket, which a lease of a sqlx connection adds on Linux: a call of `poll`.
#[cfg(target_os = "linux")]
#[divan::bench]
fn look_at_a_socket(bencher: divan::Bencher<'_, '_>) {
    use std::net::{TcpListener, TcpStream};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let socket = TcpStream::connect(server.local_addr().expect("an address"));
    let socket = socket.expect("a connection");
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    bencher.bench_local(|| {
        let mut polled = [PollFd::new(&socket, PollFlags::IN | PollFlags::RDHUP)];
        poll(&mut polled, Some(&at_once)).expect("a look")
    });
}

/// Runs a future that is ready at its first poll, as everything here is for a kept connection.
fn ready(future: impl Future<Output = ()>) {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(std::pin::pin!(future).poll(&mut cx).is_ready());
}
