//! Sandboxes that are refused together do not come back together.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Length, Programs};
use crate::lambda::{Event, Sandbox};

/// What the tries are counted by.
const BIN: Duration = Duration::from_millis(100);
/// When those that come at once would be a crowd.
const AT_ONCE: Duration = Duration::from_millis(25);
/// Before this the pauses are too short to be apart.
const SPREAD_AFTER: Duration = Duration::from_secs(1);

/// All are invoked at once, and each of their tries is refused: when do they come?
///
/// # Panics
///
/// If a second after the first of them more than a third come within 25 ms; in short, all of them.
pub async fn run(programs: &Programs, length: Length) -> String {
    let count = match length {
        Length::Short => 12,
        Length::Long => 50,
    };
    let (port, tries) = refuse();
    let mut sandboxes = Vec::new();
    for _ in 0..count {
        let sandbox = Sandbox::builder(programs.path("fleet"))
            .env(
                "DATABASE_URL",
                format!("postgres://app@127.0.0.1:{port}/app?sslmode=disable"),
            )
            .timeout(Duration::from_secs(10))
            .start()
            .await;
        sandbox.invoke(Event::get("/nothing")).await.ok();
        sandboxes.push(sandbox);
    }
    let invoked: Vec<_> = sandboxes
        .into_iter()
        .map(|sandbox| {
            tokio::spawn(async move { sandbox.invoke(Event::get("/default")).await.status() })
        })
        .collect();
    for status in invoked {
        assert_eq!(status.await.expect("an answer"), 503);
    }
    let tries = std::mem::take(&mut *tries.lock().expect("nobody panics with it"));
    // On a busy machine processes wait for each other, and then come together.
    let most = match length {
        Length::Short => count - 1,
        Length::Long => count / 3,
    };
    report(count, most, &tries)
}

/// A port that hangs up on everybody, and when it did. It has a thread of its own, which is not kept
/// waiting by the rest of a busy process.
fn refuse() -> (u16, Arc<Mutex<Vec<Instant>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let times = Arc::new(Mutex::new(Vec::new()));
    std::thread::spawn({
        let times = times.clone();
        move || {
            for client in listener.incoming() {
                drop(client);
                times
                    .lock()
                    .expect("nobody panics with it")
                    .push(Instant::now());
            }
        }
    });
    (port, times)
}

fn report(count: usize, most: usize, tries: &[Instant]) -> String {
    let Some(first) = tries.iter().min() else {
        panic!("nobody came");
    };
    let mut times: Vec<Duration> = tries
        .iter()
        .map(|time| time.duration_since(*first))
        .collect();
    times.sort();
    let within = |from: Duration| {
        times
            .iter()
            .filter(|time| (from..from + AT_ONCE).contains(*time))
            .count()
    };
    let later = times.iter().filter(|time| **time >= SPREAD_AFTER);
    let crowd = later.map(|time| within(*time)).max().unwrap_or(0);
    assert!(crowd <= most, "{crowd} of {count} come within {AT_ONCE:?}");

    let mut text = format!(
        "{count} sandboxes, refused together; {} tries. Most within {AT_ONCE:?}: {} at the beginning, {crowd} from {SPREAD_AFTER:?} on.\n\n\
         | after | tries | |\n|---|---|---|\n",
        times.len(),
        times.iter().map(|time| within(*time)).max().unwrap_or(0),
    );
    let last = times.last().copied().unwrap_or_default();
    let mut from = Duration::ZERO;
    while from <= last {
        let tries = times
            .iter()
            .filter(|time| (from..from + BIN).contains(*time))
            .count();
        let _ = writeln!(
            text,
            "| {:.1} s | {tries} | {} |",
            from.as_secs_f64(),
            "▪".repeat(tries)
        );
        from += BIN;
    }
    text
}
