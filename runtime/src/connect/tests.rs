//! How connecting goes on, with fakes that say what the test wants.

use std::cell::{Cell, RefCell};

use super::*;
use crate::Credentials;

fn spread(tries: u32, source: &Source) -> (Duration, Duration) {
    let mut pauses: Vec<_> = (0..200).map(|_| jitter(tries, source)).collect();
    pauses.sort();
    (pauses[20], pauses[199])
}

/// Of what the peers do wrong (see the tests' `peers`).
#[test]
fn row_08_pauses_are_spread_and_capped() {
    let default = Source::env("X");
    let own = default
        .retry_base(Duration::from_millis(2))
        .retry_cap(Duration::from_millis(5));
    for (source, tries, most) in [
        (default, 1, 25),
        (default, 2, 50),
        (default, 6, 800),
        (default, 7, 1000),
        (default, u32::MAX, 1000),
        (own, 1, 2),
        (own, 2, 4),
        (own, 3, 5),
    ] {
        let most = Duration::from_millis(most);
        let (low, high) = spread(tries, &source);
        assert!(
            low < most / 2 && high > most / 2 && high <= most,
            "{tries}: {low:?} {high:?}"
        );
    }
    let endless = default.retry_base(Duration::MAX).retry_cap(Duration::MAX);
    assert!(jitter(u32::MAX, &endless) <= limit::FAR);
}

/// Answers at its second address only, and to the second of its passwords.
#[derive(Debug)]
struct Picky;

impl Connect for Picky {
    async fn connect(source: &Source) -> Result<Self, Error> {
        if source.attempt.turn == 0 {
            std::future::pending::<()>().await;
        }
        match source.current_credentials().await? {
            Some(credentials) if credentials.password() == "2" => Ok(Self),
            Some(_) => Err(Error::rejected("wrong password")),
            None => Err(Error::rejected("no password")),
        }
    }

    async fn check(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

thread_local! {
    static ASKED: Cell<u32> = const { Cell::new(0) };
}

async fn rotated() -> Result<Credentials, Error> {
    ASKED.set(ASKED.get() + 1);
    Ok(Credentials::new("app", ASKED.get().to_string()))
}

async fn opened(source: Source) -> (Result<Picky, Error>, Duration) {
    static COUNTERS: Counters = Counters::new();
    let begun = Instant::now();
    let end = begun + Duration::from_secs(5);
    (open(&source, end, &COUNTERS).await, begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_silent_address_and_a_rotated_password_are_got_over() {
    let source = Source::env("X").credentials(&rotated);
    let (result, took) = opened(source).await;
    assert!(result.is_ok(), "{result:?}");
    assert_eq!(ASKED.get(), 2, "asked once more");
    let silence = Duration::from_secs(2);
    assert!((silence..silence * 2).contains(&took), "{took:?}");
}

thread_local! {
    /// Where the tries went: 0 is the name.
    static TURNS: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Says in each try what the test's script has for it; at its end it is silent.
struct Scripted;

impl Connect for Scripted {
    async fn connect(source: &Source) -> Result<Self, Error> {
        source.current_credentials().await?;
        let tried = TURNS.with_borrow_mut(|turns| {
            turns.push(source.attempt.turn);
            turns.len()
        });
        match SCRIPT.get().get(tried - 1) {
            Some(Some(kind)) => Err(Error::connect(*kind, format!("{kind:?}"))),
            _ => std::future::pending().await,
        }
    }

    async fn check(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

thread_local! {
    static SCRIPT: Cell<&'static [Option<Kind>]> = const { Cell::new(&[]) };
}

#[tokio::test(start_paused = true)]
async fn after_silence_each_address_has_its_turn_and_the_name_the_last_word() {
    static COUNTERS: Counters = Counters::new();
    const SILENT: Option<Kind> = None;
    const FULL: Option<Kind> = Some(Kind::Saturated);
    const DOWN: Option<Kind> = Some(Kind::Unavailable);
    const REJECTED: Option<Kind> = Some(Kind::Rejected);
    for (script, turns, kind) in [
        // Who answers by the name is the one to be waited for.
        (
            &[FULL, FULL, SILENT][..],
            &[0, 0, 0, 1][..],
            Kind::Saturated,
        ),
        // One that is there, and of no use, is not waited for.
        (&[SILENT, DOWN, FULL], &[0, 1, 2, 3], Kind::Saturated),
        // TLS may tell servers apart by the name.
        (&[SILENT, REJECTED, REJECTED], &[0, 1, 0], Kind::Rejected),
        (&[SILENT, REJECTED, SILENT], &[0, 1, 0, 1], Kind::Rejected),
        (&[SILENT, SILENT], &[0, 1], Kind::Unavailable),
    ] {
        SCRIPT.set(script);
        TURNS.take();
        let end = Instant::now() + Duration::from_secs(10);
        let error = open::<Scripted>(&Source::env("X"), end, &COUNTERS).await;
        let error = error.err().expect("no connection");
        let taken = TURNS.take();
        assert_eq!(taken.get(..turns.len()), Some(turns), "{script:?}");
        assert_eq!(error.kind(), Some(kind), "{script:?}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn credentials_that_are_not_given_in_time_are_no_silence_of_the_server() {
    async fn never() -> Result<Credentials, Error> {
        std::future::pending().await
    }
    static COUNTERS: Counters = Counters::new();
    let source = Source::env("X").credentials(&never);
    let (begun, all) = (Instant::now(), Duration::from_secs(5));
    let error = open::<Scripted>(&source, begun + all, &COUNTERS).await;
    let error = error.err().expect("no credentials").to_string();
    assert!(error.contains("no credentials in time"), "{error}");
    assert_eq!(begun.elapsed(), all);

    async fn late() -> Result<Credentials, Error> {
        ASKED.set(ASKED.get() + 1);
        if ASKED.get() == 1 {
            never().await?;
        }
        Ok(Credentials::new("app", "s3cret"))
    }
    let source = Source::env("X").credentials(&late);
    let end = Instant::now() + all;
    assert!(open::<Scripted>(&source, end, &COUNTERS).await.is_err());
    assert_eq!(TURNS.take(), [0], "no other address for it");
}

#[tokio::test(start_paused = true)]
async fn what_is_rejected_twice_is_rejected() {
    let source = Source::env("X").credentials(&rotated);
    ASKED.set(2);
    let (result, _) = opened(source).await;
    assert_eq!(result.expect_err("rejected").kind(), Some(Kind::Rejected));
    assert_eq!(ASKED.get(), 4);
    let (result, _) = opened(Source::env("X")).await;
    let text = result.expect_err("rejected").to_string();
    assert!(text.contains("no password (3 tries"), "{text}");
}

/// Refuses, and notes when.
#[derive(Debug)]
struct Refusing;

thread_local! {
    static REFUSED: Cell<Option<Instant>> = const { Cell::new(None) };
}

impl Connect for Refusing {
    async fn connect(_: &Source) -> Result<Self, Error> {
        REFUSED.set(Some(Instant::now()));
        Err(Error::saturated("full"))
    }

    async fn check(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_try_comes_in_the_time_that_is_left() {
    static COUNTERS: Counters = Counters::new();
    // The first pause passes the end, nearly always.
    let source = Source::env("X")
        .retry_base(limit::FAR)
        .retry_cap(Duration::MAX);
    for _ in 0..20 {
        let (begun, all) = (Instant::now(), Duration::from_secs(1));
        let result = open::<Refusing>(&source, begun + all, &COUNTERS).await;
        let text = result.expect_err("full").to_string();
        assert!(text.contains("full (2 tries"), "{text}");
        let last = REFUSED.get().expect("it came").duration_since(begun);
        // The clock's steps are milliseconds.
        assert!(last <= all / 2 + Duration::from_millis(2), "{last:?}");
    }
}

/// Answers after a while, which is longer than a try may take at first.
#[derive(Debug)]
struct Slow;

impl Connect for Slow {
    async fn connect(_: &Source) -> Result<Self, Error> {
        sleep(Duration::from_secs(7)).await;
        Ok(Self)
    }

    async fn check(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_server_is_given_more_time() {
    static COUNTERS: Counters = Counters::new();
    let end = Instant::now() + Duration::from_secs(30);
    let result = open::<Slow>(&Source::env("X"), end, &COUNTERS).await;
    assert!(result.is_ok(), "{result:?}");
}
