//! Sandboxes that are refused at the same moment spread their next attempts.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lambda_bench::lambda::{Event, Sandbox};

use super::{Length, Programs};

/// The width of a row of the report.
const BIN: Duration = Duration::from_millis(500);
/// The window in which attempts count as simultaneous.
const AT_ONCE: Duration = Duration::from_millis(25);
/// The time from which on attempts must be spread. Before it, the pauses are too short.
const SPREAD_AFTER: Duration = Duration::from_secs(1);
/// The time until which each sandbox must retry. `connect_timeout` is 5 s.
const RETRIES_UNTIL: Duration = Duration::from_secs(4);
/// The least attempts of a sandbox.
///
/// There is time for 10 with the longest pauses: 25 ms, 50 ms … 800 ms, 1 s, 1 s …
const LEAST_ATTEMPTS: usize = 8;

/// Invokes all sandboxes at once, refuses every attempt, and returns when the attempts arrived.
///
/// # Panics
///
/// If there are too few attempts, or if many arrive at once more than 1 s after the first.
pub async fn run(programs: &Programs, length: Length) -> String {
    let count = match length {
        Length::Short => 12,
        Length::Long => 50,
    };
    let (port, attempts) = refuse();
    let mut sandboxes = Vec::new();
    for _ in 0..count {
        let sandbox = Sandbox::builder(programs.path("fleet_function"))
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
            tokio::spawn(async move { sandbox.invoke(Event::get("/connection")).await.status() })
        })
        .collect();
    for status in invoked {
        assert_eq!(status.await.expect("an answer"), 503);
    }
    let attempts = std::mem::take(
        &mut *attempts
            .lock()
            .expect("no thread panics while it holds the times"),
    );
    // On a busy machine, processes wait for a core and then connect together. Without jitter, a
    // tenth to a fifth of the attempts would arrive at once.
    let most = match length {
        Length::Short => 0.15,
        Length::Long => 0.06,
    };
    report(count, most, &attempts)
}

/// Returns a port that closes every connection, and the times at which it did.
///
/// A thread of its own accepts the connections, so a busy runtime does not delay the times.
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
                    .expect("no thread panics while it holds the times")
                    .push(Instant::now());
            }
        }
    });
    (port, times)
}

/// Returns the report, and checks that at most the share `most` of the later attempts is at once.
fn report(count: usize, most: f64, attempts: &[Instant]) -> String {
    let first = attempts.iter().min().expect("an attempt arrived");
    let times: Vec<Duration> = attempts
        .iter()
        .map(|time| time.duration_since(*first))
        .collect();
    let within = |from: Duration, length: Duration| {
        let window = from..from + length;
        times.iter().filter(|time| window.contains(*time)).count()
    };
    let at_once = |times: &[&Duration]| {
        let crowds = times.iter().map(|time| within(**time, AT_ONCE));
        crowds.max().unwrap_or(0)
    };
    let (early, later): (Vec<_>, Vec<_>) = times.iter().partition(|time| **time < SPREAD_AFTER);
    let (beginning, crowd) = (at_once(&early), at_once(&later));
    let last = times.iter().max().copied().unwrap_or_default();

    let mut text = format!(
        "{count} sandboxes, refused at the same moment; {} attempts, \
         {} of them after {SPREAD_AFTER:?}. Most within {AT_ONCE:?}: \
         {beginning} before {SPREAD_AFTER:?}, {crowd} after it.\n\n\
         | after | attempts | |\n|---|---|---|\n",
        times.len(),
        later.len(),
    );
    let (mut from, mut is_silent) = (Duration::ZERO, false);
    while from <= last {
        let attempts = within(from, BIN);
        let _ = writeln!(
            text,
            "| {:.1} s | {attempts} | {} |",
            from.as_secs_f64(),
            "▪".repeat(attempts / 3)
        );
        let is_checked = (SPREAD_AFTER..RETRIES_UNTIL).contains(&from);
        is_silent |= is_checked && attempts == 0;
        from += BIN;
    }
    assert!(!is_silent, "no attempt arrives for {BIN:?}:\n{text}");
    assert!(
        times.len() >= LEAST_ATTEMPTS * count && last >= RETRIES_UNTIL,
        "sandboxes give up too early:\n{text}"
    );
    let share = crowd as f64 / later.len() as f64;
    assert!(
        share <= most,
        "the share {share:.2} of the attempts arrives at once:\n{text}"
    );
    text
}
