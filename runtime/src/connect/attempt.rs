//! A single attempt to connect.

use std::future::poll_fn;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::error::Error;
use crate::source::{Credentials, Source};
use crate::sync::Mutex;
use crate::telemetry::Counters;

/// A single attempt to connect, with the findings of the attempts before it.
#[derive(Clone)]
pub(crate) struct Attempt {
    /// The number of attempts before this one.
    pub(crate) previous: u32,
    /// The number of those that timed out.
    timeouts: u32,
    /// The number of times that another address of the host was chosen since its name was used.
    /// Zero for the name.
    pub(crate) address_index: usize,
    /// The address that was chosen last.
    pub(crate) last_address: Arc<Mutex<Option<IpAddr>>>,
    /// The credentials from [`Source::credentials`], if it has a function.
    pub(crate) credentials: Option<Credentials>,
    /// The error of the first attempt that the server rejected because it was full.
    pub(crate) full: Option<Arc<Error>>,
    /// The counters of the static that connects.
    pub(crate) counters: &'static Counters,
}

impl Attempt {
    pub(crate) fn first(counters: &'static Counters) -> Self {
        Self {
            previous: 0,
            timeouts: 0,
            address_index: 0,
            last_address: Arc::default(),
            credentials: None,
            full: None,
            counters,
        }
    }

    /// Creates a single attempt, outside the retry loop.
    pub(crate) async fn single(
        source: &Source,
        counters: &'static Counters,
    ) -> Result<Self, Error> {
        let mut attempt = Self::first(counters);
        attempt.ask_for_credentials(source).await?;
        Ok(attempt)
    }

    /// Calls the function of [`Source::credentials`], if the source has one and a URL.
    pub(crate) async fn ask_for_credentials(&mut self, source: &Source) -> Result<(), Error> {
        if source.has_credentials() {
            source.url()?;
            self.credentials = source.current_credentials().await?;
        }
        Ok(())
    }

    /// Returns the time that the attempt may take.
    ///
    /// It doubles after each time-out. Otherwise a server that is slow, but alive, would never
    /// finish an attempt.
    pub(crate) fn limit(&self, source: &Source) -> Duration {
        let doubled = 1 << self.timeouts.min(16);
        source.attempt_timeout.saturating_mul(doubled)
    }

    /// Records a time-out. If it was the server's, the next attempt uses another address.
    pub(crate) fn timed_out(&mut self, is_servers: bool) {
        self.timeouts += 1;
        self.address_index += usize::from(is_servers);
    }
}

/// Converts a panic into an error, so that it costs this attempt only.
///
/// A driver may panic over what a server sends, and so may the function for credentials.
pub(crate) async fn catch_panic<T>(
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))).unwrap_or_else(|_| {
            Poll::Ready(Err(Error::rejected(
                "a panic in the driver or in the function for credentials, see the log",
            )))
        })
    })
    .await
}
