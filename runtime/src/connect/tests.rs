//! Retries, time-outs and rotated credentials, with scripted fakes.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use lambda_http::BoxFuture;
use tokio::time::{Instant, sleep};

use super::retry::{jitter, open};
use super::*;
use crate::error::{ErrorKind, Finding};
use crate::invocation::deadline;
use crate::source::Credentials;
use crate::telemetry::Counters;

fn spread(previous: u32, source: &Source) -> (Duration, Duration) {
    let mut pauses: Vec<_> = (0..200).map(|_| jitter(previous, source)).collect();
    pauses.sort();
    (pauses[20], pauses[199])
}

#[test]
fn pauses_are_spread_and_capped() {
    let default = Source::env("REUSE_DB_NO_SUCH_VARIABLE").or("fake://host/app");
    let own = default
        .retry_base(Duration::from_millis(2))
        .retry_cap(Duration::from_millis(5));
    for (source, previous, most) in [
        (default, 0, 25),
        (default, 1, 50),
        (default, 5, 800),
        (default, 6, 1000),
        (default, u32::MAX, 1000),
        (own, 0, 2),
        (own, 1, 4),
        (own, 2, 5),
    ] {
        let most = Duration::from_millis(most);
        let (low, high) = spread(previous, &source);
        assert!(
            low < most / 2 && high > most / 2 && high <= most,
            "{previous}: {low:?} {high:?}"
        );
    }
    let endless = default.retry_base(Duration::MAX).retry_cap(Duration::MAX);
    assert!(jitter(u32::MAX, &endless) <= deadline::MAX_WAIT);
}

/// Implements the traits for a fake whose driver connects as in the block.
macro_rules! fake_driver {
    ($fake:ident, |$source:ident, $attempt:ident| $connect:block) => {
        impl Connect for $fake {
            const DRIVER: Option<Driver<Self>> = Some(Driver::of());

            async fn connect(_: &Source) -> Result<Self, Error> {
                unreachable!("the driver connects")
            }

            async fn check(&mut self, _: &Source) -> Result<(), Error> {
                Ok(())
            }
        }

        impl DriverConnect for $fake {
            const IS_EXCLUSIVE: bool = true;

            fn connect_attempt<'a>(
                $source: &'a Source,
                $attempt: &'a Attempt,
            ) -> BoxFuture<'a, Result<(Self, Link), Error>> {
                Box::pin(async move {
                    let connection: Result<Self, Error> = async { $connect }.await;
                    connection.map(|connection| (connection, Link::default()))
                })
            }
        }
    };
}

/// A server that answers at its second address only, and accepts the third password only.
#[derive(Debug)]
struct Picky;

fake_driver! { Picky, |_source, attempt| {
    if attempt.address_index == 0 {
        std::future::pending::<()>().await;
    }
    match &attempt.credentials {
        Some(credentials) if credentials.password() == "3" => Ok(Self),
        Some(_) => {
            Err(Error::rejected("wrong password").with_finding(Finding::SignInRejected))
        }
        None => Err(Error::rejected("no password")),
    }
}}

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
    let opened = open(&source, Duration::ZERO, end, &COUNTERS).await;
    (opened.map(|opened| opened.connection), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_silent_address_and_a_rotated_password_are_retried() {
    let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE")
        .or("fake://host/app")
        .credentials(&rotated);
    let (result, took) = opened(source).await;
    assert!(result.is_ok(), "{result:?}");
    assert_eq!(ASKED.get(), 3, "one call for each attempt");
    let silence = Duration::from_secs(2);
    assert!((silence..silence * 2).contains(&took), "{took:?}");
}

thread_local! {
    /// The address of each attempt. 0 is the name.
    static ADDRESSES: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// A server that fails each attempt as the test's script says, and is silent after its end.
struct Scripted;

fake_driver! { Scripted, |_source, attempt| {
    let count = ADDRESSES.with_borrow_mut(|addresses| {
        addresses.push(attempt.address_index);
        addresses.len()
    });
    match SCRIPT.get().get(count - 1) {
        Some(Some(kind)) => Err(Error::connect(*kind, format!("{kind:?}"))),
        _ => std::future::pending().await,
    }
}}

thread_local! {
    static SCRIPT: Cell<&'static [Option<ErrorKind>]> = const { Cell::new(&[]) };
}

#[tokio::test(start_paused = true)]
async fn after_a_time_out_the_next_address_is_tried_and_the_name_last() {
    static COUNTERS: Counters = Counters::new();
    const SILENT: Option<ErrorKind> = None;
    const FULL: Option<ErrorKind> = Some(ErrorKind::Saturated);
    const DOWN: Option<ErrorKind> = Some(ErrorKind::Unavailable);
    const REJECTED: Option<ErrorKind> = Some(ErrorKind::Rejected);
    for (script, addresses, kind) in [
        // A server that answers by its name is waited for.
        (
            &[FULL, FULL, SILENT][..],
            &[0, 0, 0, 1][..],
            ErrorKind::Saturated,
        ),
        // Another address that answers with an error is not waited for.
        (&[SILENT, DOWN, FULL], &[0, 1, 2, 3], ErrorKind::Saturated),
        // With TLS the name may lead to another server.
        (
            &[SILENT, REJECTED, REJECTED],
            &[0, 1, 0],
            ErrorKind::Rejected,
        ),
        (
            &[SILENT, REJECTED, SILENT],
            &[0, 1, 0, 1],
            ErrorKind::Rejected,
        ),
        (&[SILENT, SILENT], &[0, 1], ErrorKind::Unavailable),
    ] {
        SCRIPT.set(script);
        ADDRESSES.take();
        let end = Instant::now() + Duration::from_secs(10);
        let error = open::<Scripted>(
            &Source::env("REUSE_DB_NO_SUCH_VARIABLE").or("fake://host/app"),
            Duration::ZERO,
            end,
            &COUNTERS,
        )
        .await;
        let error = error.err().expect("no connection");
        let taken = ADDRESSES.take();
        assert_eq!(taken.get(..addresses.len()), Some(addresses), "{script:?}");
        assert_eq!(error.kind(), Some(kind), "{script:?}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn late_credentials_do_not_change_the_address() {
    async fn never() -> Result<Credentials, Error> {
        std::future::pending().await
    }
    static COUNTERS: Counters = Counters::new();
    let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE")
        .or("fake://host/app")
        .credentials(&never);
    let (begun, all) = (Instant::now(), Duration::from_secs(5));
    let error = open::<Scripted>(&source, Duration::ZERO, begun + all, &COUNTERS).await;
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
    let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE")
        .or("fake://host/app")
        .credentials(&late);
    let end = Instant::now() + all;
    assert!(
        open::<Scripted>(&source, Duration::ZERO, end, &COUNTERS)
            .await
            .is_err()
    );
    assert_eq!(ADDRESSES.take(), [0], "the name only");
}

#[tokio::test(start_paused = true)]
async fn without_credentials_a_rejected_sign_in_is_permanent() {
    let (result, _) = opened(Source::env("REUSE_DB_NO_SUCH_VARIABLE").or("fake://host/app")).await;
    let error = result.expect_err("rejected");
    assert_eq!(error.kind(), Some(ErrorKind::Rejected));
    let text = error.to_string();
    assert!(text.contains("no password (3 attempts"), "{text}");
}

/// A server that rejects every sign-in, or another thing for the user `other`.
#[derive(Debug)]
struct Locked;

fake_driver! { Locked, |_source, attempt| {
    let user = attempt.credentials.as_ref().map(Credentials::user);
    if user == Some("other") {
        return Err(Error::rejected("no such database"));
    }
    Err(Error::rejected("locked").with_finding(Finding::SignInRejected))
}}

#[tokio::test(start_paused = true)]
async fn a_rejected_sign_in_is_retried_until_the_time_is_up() {
    static COUNTERS: Counters = Counters::new();
    const URL: Source = Source::env("REUSE_DB_NO_SUCH_VARIABLE").or("fake://host/app");
    let all = Duration::from_secs(5);
    ASKED.set(0);
    let begun = Instant::now();
    let error = open::<Locked>(
        &URL.credentials(&rotated),
        Duration::ZERO,
        begun + all,
        &COUNTERS,
    )
    .await;
    let error = error.expect_err("it is locked");
    assert_eq!(error.kind(), Some(ErrorKind::Unavailable), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("the sign-in kept failing") && text.contains(": locked ("),
        "{text}"
    );
    assert!(begun.elapsed() > all - Duration::from_secs(2), "{text}");
    // At once, and then at most twice a second.
    assert!((5..=12).contains(&ASKED.get()), "{}", ASKED.get());

    async fn other() -> Result<Credentials, Error> {
        Ok(Credentials::new("other", "s3cret"))
    }
    for (source, text) in [
        (URL.credentials(&other), "no such database"),
        (URL, "locked"),
    ] {
        let begun = Instant::now();
        let error = open::<Locked>(&source, Duration::ZERO, begun + all, &COUNTERS).await;
        let error = error.expect_err("a rejection");
        assert_eq!(error.kind(), Some(ErrorKind::Rejected), "{error}");
        assert!(error.to_string().contains(text), "{error}");
        assert_eq!(begun.elapsed(), Duration::ZERO, "one attempt");
    }
}

/// A user's own client, which cannot say that a sign-in was rejected.
#[derive(Debug)]
struct OwnClient;

impl Connect for OwnClient {
    async fn connect(source: &Source) -> Result<Self, Error> {
        source.current_credentials().await?;
        Err(Error::rejected("no"))
    }

    async fn check(&mut self, _: &Source) -> Result<(), Error> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn an_own_client_asks_for_credentials_twice() {
    static COUNTERS: Counters = Counters::new();
    let source = Source::env("X").credentials(&rotated);
    ASKED.set(0);
    let end = Instant::now() + Duration::from_secs(5);
    let error = open::<OwnClient>(&source, Duration::ZERO, end, &COUNTERS).await;
    assert_eq!(error.expect_err("no").kind(), Some(ErrorKind::Rejected));
    assert_eq!(ASKED.get(), 2);
}

/// A full server that records the time of the last attempt.
#[derive(Debug)]
struct Full;

thread_local! {
    static LAST_ATTEMPT: Cell<Option<Instant>> = const { Cell::new(None) };
}

impl Connect for Full {
    async fn connect(_: &Source) -> Result<Self, Error> {
        LAST_ATTEMPT.set(Some(Instant::now()));
        Err(Error::saturated("full"))
    }

    async fn check(&mut self, _: &Source) -> Result<(), Error> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_attempt_comes_within_the_time_that_is_left() {
    static COUNTERS: Counters = Counters::new();
    // The first pause nearly always passes the end.
    let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE")
        .or("fake://host/app")
        .retry_base(deadline::MAX_WAIT)
        .retry_cap(Duration::MAX);
    for _ in 0..20 {
        let (begun, all) = (Instant::now(), Duration::from_secs(1));
        let result = open::<Full>(&source, Duration::ZERO, begun + all, &COUNTERS).await;
        let text = result.expect_err("full").to_string();
        assert!(text.contains("full (2 attempts"), "{text}");
        let last = LAST_ATTEMPT.get().expect("it came").duration_since(begun);
        // Timers have a resolution of 1 ms.
        assert!(last <= all / 2 + Duration::from_millis(2), "{last:?}");
    }
}

/// A server that answers after 7 s, which is longer than the first attempt may take.
#[derive(Debug)]
struct Slow;

impl Connect for Slow {
    async fn connect(_: &Source) -> Result<Self, Error> {
        sleep(Duration::from_secs(7)).await;
        Ok(Self)
    }

    async fn check(&mut self, _: &Source) -> Result<(), Error> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_server_gets_more_time() {
    static COUNTERS: Counters = Counters::new();
    let end = Instant::now() + Duration::from_secs(30);
    let result = open::<Slow>(
        &Source::env("REUSE_DB_NO_SUCH_VARIABLE").or("fake://host/app"),
        Duration::ZERO,
        end,
        &COUNTERS,
    )
    .await;
    assert!(result.is_ok(), "{result:?}");
}
