//! Managed concurrency: 32 invocations at once in one process, with nested and parallel leases.
//! Every tenth invocation fails, panics or is cancelled.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use lambda_bench::lambda::{Event, Outcome, Sandbox};
use lambda_bench::proxy::Proxy;
use lambda_bench::wait::until;
use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{RUN, program};
use reuse_db_tests::on_each_server_and_runtime;

const INVOCATIONS: i64 = 900;
const AT_ONCE: usize = 32;
/// The limits in the function's `Source`.
const MAX_CONNECTIONS: usize = 40;
const KEEP: usize = 8;

fn how(n: i64) -> &'static str {
    match n % 30 {
        0 => "fail",
        10 => "panic",
        20 => "cancel",
        n if n % 3 == 1 => "nested",
        n if n % 3 == 2 => "parallel",
        6 | 12 => "transaction",
        _ => "plain",
    }
}

/// Returns the local addresses of a process's connections to a port of this machine, those that
/// are being opened included.
fn connections(pid: i32, port: u16) -> BTreeSet<String> {
    let sockets = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
    let remote = format!(":{port:04X}");
    let open = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let (own, other, state) = (words.next()?, words.next()?, words.next()?);
        let is_open = other.ends_with(&remote) && matches!(state, "01" | "02");
        is_open.then(|| own.to_owned())
    };
    sockets.lines().filter_map(open).collect()
}

/// Returns the largest number of connections at once until `is_over`.
///
/// A connection counts if two readings in a row contain it: a single reading may contain a
/// connection that has ended, and its successor.
fn most_at_once(pid: i32, port: u16, is_over: &AtomicBool) -> usize {
    let (mut most, mut last) = (0, BTreeSet::new());
    while !is_over.load(Ordering::Relaxed) {
        let now = connections(pid, port);
        most = most.max(last.intersection(&now).count());
        last = now;
        std::thread::sleep(Duration::from_millis(1));
    }
    most
}

/// Invokes the function in the way `how`, and checks the answer.
async fn invoke(sandbox: &Sandbox, how: &str, n: i64) {
    let event = Event::get(&format!("/?how={how}&n={n}"));
    let answer = sandbox.invoke(event).await;
    match (how, &answer.outcome) {
        ("fail" | "panic", Outcome::Failed(error)) => {
            assert!(
                error.message.contains("the handler"),
                "{how} {n}: {error:?}"
            );
        }
        _ => {
            let json = answer.ok().json();
            let right = (&n.into(), &n.into());
            assert_eq!((&json["n"], &json["value"]), right, "{how}: {json}");
        }
    }
}

/// Starts the function, which connects to a port of this machine.
async fn start(server: &impl Server, port: u16) -> Arc<Sandbox> {
    let sandbox = Sandbox::builder(program("concurrent_function"))
        .env("DATABASE_URL", server.url_at(port))
        .env("RUN", RUN.get())
        .timeout(Duration::from_secs(60))
        .concurrency(AT_ONCE)
        .freezing(false)
        .start()
        .await;
    sandbox.invoke(Event::get("/?how=plain&n=1")).await.ok();
    Arc::new(sandbox)
}

/// Invokes the function `invocations` times, [`AT_ONCE`] at once. Returns the largest number of its
/// connections to `port` at once.
async fn most_during(
    sandbox: &Arc<Sandbox>,
    port: u16,
    invocations: i64,
    how: fn(i64) -> &'static str,
) -> usize {
    let pid = sandbox.pid();
    let is_over = Arc::new(AtomicBool::new(false));
    let watch = std::thread::spawn({
        let is_over = is_over.clone();
        move || most_at_once(pid, port, &is_over)
    });
    let next = Arc::new(AtomicI64::new(0));
    let clients = (0..AT_ONCE).map(|_| {
        let (sandbox, next) = (sandbox.clone(), next.clone());
        tokio::spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= invocations {
                    return;
                }
                invoke(&sandbox, how(n), n).await;
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("every answer is right");
    }
    is_over.store(true, Ordering::Relaxed);
    watch.join().expect("the thread that counts connections")
}

on_each_server_and_runtime! {
    async fn no_connection_serves_two_of_32_invocations_at_once(server: &impl Server) {
        let port = server.addr().port();
        let sandbox = start(server, port).await;
        let most = most_during(&sandbox, port, INVOCATIONS, how).await;
        assert!((AT_ONCE..=MAX_CONNECTIONS).contains(&most), "{most} connections at once");
        let closed = async || server.sessions().await.len() <= KEEP;
        until("the end of excess connections", closed).await;
        assert_eq!(server.sessions().await.len(), KEEP);
        let json = sandbox.invoke(Event::get("/?how=plain&n=1")).await.ok().json();
        println!("most at once: {most}; {json}");
        assert_eq!(sandbox.starts(), 1);
        assert_eq!(json["unavailable"], 0, "{json}");
    }

    async fn the_end_of_a_statement_stays_within_max_connections(server: &impl Server) {
        let proxy = Proxy::start(server.addr()).await;
        proxy.delay(Duration::from_millis(3));
        let sandbox = start(server, proxy.port()).await;
        let cancel_or_nest = |n| if n % 2 == 0 { "cancel" } else { "nested" };
        let most = most_during(&sandbox, proxy.port(), 320, cancel_or_nest).await;
        assert!(most <= MAX_CONNECTIONS, "{most} connections at once");
    }
}
