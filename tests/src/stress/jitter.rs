//! Sandboxes that are refused together do not come back together.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Length, Programs};
use lambda_bench::lambda::{Event, Sandbox};

/// What the tries are counted by.
const BIN: Duration = Duration::from_millis(500);
/// When those that come at once would be a crowd.
const AT_ONCE: Duration = Duration::from_millis(25);
/// Before this the pauses are too short to be apart.
const SPREAD_AFTER: Duration = Duration::from_secs(1);
/// Until this each sandbox goes on: it has 5 s.
const GOES_ON_UNTIL: Duration = Duration::from_secs(4);
/// With the longest of pauses, of 25 ms, 50 ms … 800 ms, 1 s, 1 s …, there is time for 10.
const LEAST_TRIES: usize = 8;

/// All are invoked at once, and each of their tries is refused: when do they come?
///
/// # Panics
///
/// If there are too few of them, or many come at once later than a second after the first.
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
    // On a busy machine processes wait for each other, and then come together; without jitter a tenth
    // or a fifth would come at once.
    let most = match length {
        Length::Short => 0.15,
        Length::Long => 0.06,
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

/// `most` is the share of the later tries that may come at once.
fn report(count: usize, most: f64, tries: &[Instant]) -> String {
    let first = tries.iter().min().expect("somebody came");
    let times: Vec<Duration> = tries
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
        "{count} sandboxes, refused together; {} tries, {} of them from {SPREAD_AFTER:?} on. \
         Most within {AT_ONCE:?}: {beginning} at the beginning, {crowd} from {SPREAD_AFTER:?} on.\n\n\
         | after | tries | |\n|---|---|---|\n",
        times.len(),
        later.len(),
    );
    let (mut from, mut is_silent) = (Duration::ZERO, false);
    while from <= last {
        let tries = within(from, BIN);
        let _ = writeln!(
            text,
            "| {:.1} s | {tries} | {} |",
            from.as_secs_f64(),
            "▪".repeat(tries / 3)
        );
        let goes_on = (SPREAD_AFTER..GOES_ON_UNTIL).contains(&from);
        is_silent |= goes_on && tries == 0;
        from += BIN;
    }
    assert!(!is_silent, "nobody comes for a while:\n{text}");
    assert!(
        times.len() >= LEAST_TRIES * count && last >= GOES_ON_UNTIL,
        "they give up:\n{text}"
    );
    let share = crowd as f64 / later.len() as f64;
    assert!(share <= most, "{share:.2} come at once:\n{text}");
    text
}
