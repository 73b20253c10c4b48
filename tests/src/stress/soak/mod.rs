//! A long-running process: memory and file descriptors do not grow.

mod figures;
mod server;

use std::fmt::Write as _;
use std::time::Duration;

use lambda_bench::lambda::{Event, Outcome, Sandbox};
use lambda_bench::proxy::Proxy;
use lambda_bench::servers::{Mysql, Postgres};
use tokio::time::{Instant, sleep};

use self::figures::Figures;
use self::server::Server;
use super::{Length, Programs};

/// A pause longer than `verify_after`, so that a check finds the fault before a handler does.
const PAUSE: Duration = Duration::from_millis(1_100);
/// The number of invocations between two measurements of a long run.
const MEASURED_EVERY: usize = 10_000;
/// The memory that an allocator may keep.
const MARGIN_KIB: u64 = 2_048;

const PATHS: [&str; 3] = ["/add", "/note", "/pool"];

#[derive(Clone, Copy, Debug)]
struct Scale {
    invocations: usize,
    /// The number of invocations between two faults.
    fault_every: usize,
    /// The invocation after which the growth counts. Each fault has occurred by then.
    first_measured: usize,
}

const SHORT: Scale = Scale {
    invocations: 1_000,
    fault_every: 100,
    first_measured: 500,
};

const LONG: Scale = Scale {
    invocations: 50_000,
    fault_every: 200,
    first_measured: 1_000,
};

/// The faults, which take turns.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Reset,
    Close,
    SessionsEnd,
    Restart,
    BlackHole,
}

const FAULTS: [Fault; 5] = [
    Fault::Reset,
    Fault::Close,
    Fault::SessionsEnd,
    Fault::Restart,
    Fault::BlackHole,
];

/// Invokes a connection, a transaction and a pool in a closed loop, with faults in between.
///
/// The long form runs 50,000 invocations on each server, the short form 1,000 on PostgreSQL.
///
/// # Panics
///
/// If memory or file descriptors grow, or if more invocations fail than were hit by a fault.
pub async fn run(programs: &Programs, length: Length) -> String {
    match length {
        Length::Short => on::<Postgres>(programs, SHORT).await,
        Length::Long => {
            let (postgres, mariadb) = tokio::join!(
                Box::pin(on::<Postgres>(programs, LONG)),
                Box::pin(on::<Mysql>(programs, LONG)),
            );
            format!("{postgres}\n{mariadb}")
        }
    }
}

async fn on<S: Server>(programs: &Programs, scale: Scale) -> String {
    let Scale {
        invocations,
        fault_every,
        first_measured,
    } = scale;
    let server = S::launch().await;
    let proxy = Proxy::start(server.addr()).await;
    let sandbox = Sandbox::builder(programs.path("function"))
        .env("DATABASE_URL", server.url_at(proxy.port()))
        .timeout(Duration::from_secs(10))
        .freezing(false)
        .start()
        .await;

    let begun = Instant::now();
    let (mut failed, mut hit, mut faults) = (0, 0, 0);
    // The invocations that may still fail after the last fault, and the last one that may.
    let (mut may_fail, mut until) = (0, 0);
    let mut measured = Vec::new();
    for n in 1..=invocations {
        if n % fault_every == 0 {
            let fault = FAULTS[faults % FAULTS.len()];
            // Every second time, and never for a black hole, there is no pause. Then no check finds
            // the fault. The exclusive connection and the pool's may fail one invocation each.
            let waits =
                matches!(fault, Fault::BlackHole) || (faults / FAULTS.len()).is_multiple_of(2);
            inject(&server, &proxy, fault).await;
            faults += 1;
            if waits {
                sleep(PAUSE).await;
            } else {
                hit += 2;
                (may_fail, until) = (2, n + 2 * PATHS.len());
            }
        }
        let path = PATHS[n % PATHS.len()];
        let answer = sandbox.invoke(Event::get(&format!("{path}?n={n}"))).await;
        match &answer.outcome {
            Outcome::Http(http) if http.status == 200 => {
                assert_eq!(answer.json()["sum"], n + 1, "{answer:?}");
            }
            Outcome::Failed(_) | Outcome::Http(_) if may_fail > 0 && n < until => {
                failed += 1;
                may_fail -= 1;
            }
            other => panic!("{}, after {n} invocations: {other:?}", S::NAME),
        }
        if n == first_measured || n % MEASURED_EVERY == 0 {
            measured.push((n, Figures::of(&sandbox, &proxy).await));
        }
    }
    assert_eq!(sandbox.starts(), 1, "the process was replaced");
    let took = begun.elapsed();
    if !invocations.is_multiple_of(MEASURED_EVERY) {
        measured.push((invocations, Figures::of(&sandbox, &proxy).await));
    }
    let (_, first) = measured[0];
    for (n, figures) in &measured {
        assert_eq!(
            figures.descriptors, first.descriptors,
            "file descriptors after {n} invocations: {measured:?}"
        );
        let limit = first.memory + MARGIN_KIB;
        assert!(
            figures.memory <= limit,
            "memory after {n} invocations: {first:?} {figures:?}"
        );
    }

    let mut text = format!(
        "## {}\n\n{invocations} invocations in {:.0} s, {faults} faults, {hit} may fail, \
         {failed} failed.\n\n\
         | after | VmRSS | file descriptors |\n|---|---|---|\n",
        S::NAME,
        took.as_secs_f64()
    );
    for (n, figures) in measured {
        let _ = writeln!(
            text,
            "| {n} | {} KiB | {} |",
            figures.memory, figures.descriptors
        );
    }
    text
}

async fn inject(server: &impl Server, proxy: &Proxy, fault: Fault) {
    match fault {
        Fault::Reset => proxy.reset().await,
        Fault::Close => proxy.close().await,
        Fault::SessionsEnd => server.end_sessions().await,
        Fault::Restart => server.restart().await,
        Fault::BlackHole => proxy.black_hole(),
    }
}
