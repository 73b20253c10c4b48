//! One process for a long time: memory and file descriptors stay where they were.

mod figures;
mod server;

use std::fmt::Write as _;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use self::figures::Figures;
use self::server::Server;
use super::{Length, Programs};
use lambda_bench::lambda::{Event, Outcome, Sandbox};
use lambda_bench::proxy::Proxy;
use lambda_bench::servers::{Mariadb, Postgres};

/// Longer than `verify_after`: what happened is found before a handler meets it.
const LONG: Duration = Duration::from_millis(1_100);
/// In which each fault comes at least once.
const FIRST: usize = 1_000;
const MEASURED_EVERY: usize = 10_000;
/// What an allocator may keep besides.
const MARGIN_KIB: u64 = 2_048;

const PATHS: [&str; 3] = ["/add", "/note", "/pool"];

/// What happens now and then.
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

/// Tens of thousands of invocations in a closed loop, of a connection, a transaction and a pool; in short
/// some, and of PostgreSQL alone.
///
/// # Panics
///
/// If memory or file descriptors grow, or more fail than were hit.
pub async fn run(programs: &Programs, length: Length) -> String {
    match length {
        Length::Short => on::<Postgres>(programs, 2_000, 125).await,
        Length::Long => {
            let (postgres, mariadb) = tokio::join!(
                Box::pin(on::<Postgres>(programs, 50_000, 200)),
                Box::pin(on::<Mariadb>(programs, 50_000, 200)),
            );
            format!("{postgres}\n{mariadb}")
        }
    }
}

/// With a fault `every` so many.
async fn on<S: Server>(programs: &Programs, invocations: usize, every: usize) -> String {
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
    // How many may fail for the last fault, and until when.
    let (mut may_fail, mut until) = (0, 0);
    let mut measured = Vec::new();
    for n in 1..=invocations {
        if n % every == 0 {
            let fault = FAULTS[faults % FAULTS.len()];
            // Half of them meet a connection that is trusted: it and the pool's fail one each.
            let waits =
                matches!(fault, Fault::BlackHole) || (faults / FAULTS.len()).is_multiple_of(2);
            befall(&server, &proxy, fault).await;
            faults += 1;
            if waits {
                sleep(LONG).await;
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
        if n == FIRST || n % MEASURED_EVERY == 0 {
            measured.push((n, Figures::of(&sandbox, &proxy).await));
        }
    }
    assert_eq!(sandbox.starts(), 1, "one process");
    let took = begun.elapsed();
    if !invocations.is_multiple_of(MEASURED_EVERY) {
        measured.push((invocations, Figures::of(&sandbox, &proxy).await));
    }
    let (_, first) = measured[0];
    for (n, figures) in &measured {
        assert_eq!(
            figures.descriptors, first.descriptors,
            "file descriptors after {n}: {measured:?}"
        );
        let limit = first.memory + MARGIN_KIB;
        assert!(figures.memory <= limit, "after {n}: {first:?} {figures:?}");
    }

    let mut text = format!(
        "## {}\n\n{invocations} invocations in {:.0} s, {faults} faults, {hit} could be hit, {failed} failed.\n\n\
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

async fn befall(server: &impl Server, proxy: &Proxy, fault: Fault) {
    match fault {
        Fault::Reset => proxy.reset().await,
        Fault::Close => proxy.close().await,
        Fault::SessionsEnd => server.end_sessions().await,
        Fault::Restart => server.restart().await,
        Fault::BlackHole => proxy.black_hole(),
    }
}
