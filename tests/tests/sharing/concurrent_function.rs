//! Managed concurrency: 32 invocations at once in one process, with leases that nest and leases side
//! by side, of which many fail, panic or are cut off.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod function;

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use function::server::Server;
use lambda_bench::lambda::{Event, Outcome, Sandbox};
use lambda_bench::wait::until;

const INVOCATIONS: i64 = 5_000;
const AT_ONCE: usize = 32;
/// What the function's `Source` says.
const MOST: usize = 40;
const KEEP: usize = 8;

/// One in ten fails, panics or is cut off.
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

/// The connections that a process has to a port of this machine, or is opening, as the kernel has
/// them: their own ends.
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

/// The most that were open at once, as far as was seen until `is_over`. What is read twice running was
/// open in between; one reading alone may have one that has ended and its successor.
fn most(pid: i32, port: u16, is_over: &AtomicBool) -> usize {
    let (mut most, mut last) = (0, BTreeSet::new());
    while !is_over.load(Ordering::Relaxed) {
        let now = connections(pid, port);
        most = most.max(last.intersection(&now).count());
        last = now;
    }
    most
}

on_each_server_and_runtime! {
    async fn thirty_two_at_once(server: &impl Server) {
        let sandbox = Sandbox::builder(env!("CARGO_BIN_EXE_crowd"))
            .env("DATABASE_URL", server.url())
            .env("RUN", function::RUN.get())
            .timeout(Duration::from_secs(60))
            .concurrency(AT_ONCE)
            .freezing(false)
            .start()
            .await;
        let sandbox = Arc::new(sandbox);
        sandbox.invoke(Event::get("/?how=plain&n=1")).await.ok();

        let (pid, port) = (sandbox.pid(), server.addr().port());
        let is_over = Arc::new(AtomicBool::new(false));
        let watch = std::thread::spawn({
            let is_over = is_over.clone();
            move || most(pid, port, &is_over)
        });

        let next = Arc::new(AtomicI64::new(0));
        let clients = (0..AT_ONCE).map(|_| {
            let (sandbox, next) = (sandbox.clone(), next.clone());
            tokio::spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= INVOCATIONS {
                        return;
                    }
                    let how = how(n);
                    let answer = sandbox.invoke(Event::get(&format!("/?how={how}&n={n}"))).await;
                    match (how, &answer.outcome) {
                        ("fail" | "panic", Outcome::Failed(error)) => {
                            assert!(error.message.contains("the handler"), "{how} {n}: {error:?}");
                        }
                        _ => {
                            let json = answer.ok().json();
                            assert_eq!((&json["n"], &json["value"]), (&n.into(), &n.into()), "{how}: {json}");
                        }
                    }
                }
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.expect("every answer is right");
        }
        is_over.store(true, Ordering::Relaxed);
        let most = watch.join().expect("it only looks");
        assert!((AT_ONCE..=MOST).contains(&most), "{most} connections at once");
        until("the end of all but those that are kept", async || server.sessions().await.len() <= KEEP).await;
        assert_eq!(server.sessions().await.len(), KEEP);
        let json = sandbox.invoke(Event::get("/?how=plain&n=1")).await.ok().json();
        println!("most at once: {most}; {json}");
        assert_eq!(sandbox.starts(), 1);
        assert_eq!(json["unavailable"], 0, "{json}");
    }
}
