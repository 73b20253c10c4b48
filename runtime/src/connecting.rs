//! Opening a connection, tried again until the time is up.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::stats::{Count, Counters};
use crate::{Connect, Error, Kind, Source, invocation, limit, sandbox};

/// Opens a connection. Refusals that pass are tried again, with full jitter, until `end`; the error
/// is the last real cause, never "timed out" when something else is known.
pub(crate) async fn open<C: Connect>(
    source: &Source,
    end: Instant,
    counters: &Counters,
) -> Result<C, Error> {
    let begun = Instant::now();
    let mut source = *source;
    let mut has_asked_again = false;
    let mut is_last = false;
    let mut last = None;
    let result = loop {
        let tries = source.tries + 1;
        let end_of_try = limit::after(patience(&source));
        let error = match timeout_at(end_of_try.min(end), C::connect(&source)).await {
            Ok(Ok(connection)) => break Ok(connection),
            Ok(Err(error)) => error,
            Err(_) if end <= end_of_try => break Err(last.unwrap_or_else(silence)),
            Err(_) => {
                source.silent += 1;
                silence()
            }
        };
        let mut pause = match error.kind() {
            _ if error.passes() => jitter(tries, &source),
            // It may have been rotated since it was asked for.
            Some(Kind::Rejected) if source.credentials.is_some() && !has_asked_again => {
                has_asked_again = true;
                Duration::ZERO
            }
            _ => break Err(error),
        };
        let left = end.saturating_duration_since(Instant::now());
        if pause >= left {
            if is_last || left < LAST_TRY {
                break Err(error);
            }
            // Not all of what is left is given away.
            is_last = true;
            pause = random_part_of(left / 2);
        }
        tracing::debug!(target: "reuse_db", %error, ?pause, tries, took = ?begun.elapsed(), "retried");
        counters.add(Count::Retried);
        last = Some(error);
        source.tries = tries;
        sleep(pause).await;
    };
    let tries = source.tries + 1;
    counters.add_time(Count::ConnectingNanos, begun.elapsed());
    match result {
        Ok(connection) => {
            tracing::debug!(target: "reuse_db", tries, took = ?begun.elapsed(), "opened");
            counters.add(Count::Opened);
            Ok(connection)
        }
        Err(error) => Err(error.after(source.target(), tries, begun.elapsed())),
    }
}

/// How long a try may take: twice as long after each silence, since a server that is slow, and not
/// silent, would else be asked for ever and answer nobody.
fn patience(source: &Source) -> Duration {
    let doubled = 1 << source.silent.min(16);
    source.attempt_timeout.saturating_mul(doubled)
}

/// What a last try takes at least.
const LAST_TRY: Duration = Duration::from_millis(20);

fn silence() -> Error {
    Error::unavailable("no answer in time")
}

/// Opens what the first invocation will need. A failure has been logged, as a refusal, and is not
/// remembered.
pub(crate) async fn warm(lease: impl AsyncFnOnce() -> Result<(), Error>) {
    if sandbox::is_snap_start() {
        tracing::debug!(target: "reuse_db", "not warmed: a snapshot will be taken");
        return;
    }
    if let Err(error) = lease().await {
        tracing::warn!(target: "reuse_db", %error, "not warmed");
    }
}

/// An invocation gets no connection.
pub(crate) fn refused(error: Error, took: Duration, counters: &Counters) -> Error {
    tracing::warn!(target: "reuse_db", %error, ?took, "refused");
    counters.add(Count::Refused);
    invocation::remember(error)
}

/// A random pause between nothing and 25 ms, 50 ms, 100 ms … 1 s, unless the source says otherwise:
/// sandboxes that were refused together do not come back together ("full jitter", AWS Architecture
/// Blog, "Exponential Backoff And Jitter").
///
/// The operating system is asked each time: a generator's state would be the same in every sandbox
/// restored from one snapshot.
fn jitter(tries: u32, source: &Source) -> Duration {
    let most = source.retry_base.saturating_mul(1 << (tries - 1).min(16));
    random_part_of(most.min(source.retry_cap).min(limit::FAR))
}

fn random_part_of(most: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    most.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

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
            if source.silent == 0 {
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

    #[tokio::test(start_paused = true)]
    async fn what_is_rejected_twice_is_rejected() {
        let source = Source::env("X").credentials(&rotated);
        ASKED.set(2);
        let (result, _) = opened(source).await;
        assert_eq!(result.expect_err("rejected").kind(), Some(Kind::Rejected));
        assert_eq!(ASKED.get(), 4);
        let (result, _) = opened(Source::env("X")).await;
        let text = result.expect_err("rejected").to_string();
        assert!(text.contains("no password (2 tries"), "{text}");
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
}
