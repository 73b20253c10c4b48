//! The endpoint of one attempt to connect: URL, credentials, and an address of the host.

use std::net::IpAddr;

use tokio::net::lookup_host;

use super::{Driver, Options, tls_files};
use crate::connect::Attempt;
use crate::error::Error;
use crate::source::{Credentials, Source};

/// The source's URL, the attempt's credentials, and after a time-out another of the host's
/// addresses.
pub(super) struct Endpoint {
    url: String,
    credentials: Option<Credentials>,
    address: Option<IpAddr>,
}

impl Endpoint {
    pub(super) async fn of<DB: Driver>(source: &Source, attempt: &Attempt) -> Result<Self, Error> {
        let url = source.url()?;
        let mut address = None;
        if attempt.address_index > 0
            && let Some(host) = DB::host(&DB::options(&url, source)?)
        {
            address = other_address(&host, attempt).await;
        }
        Ok(Self {
            url,
            credentials: attempt.credentials.clone(),
            address,
        })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn options<DB: Driver>(&self, source: &Source) -> Result<Options<DB>, Error> {
        let mut options = DB::options(&self.url, source)?;
        tls_files::expect(&self.url)?;
        if let Some(credentials) = &self.credentials {
            options = DB::with_credentials(options, credentials).ok_or_else(|| {
                source.problem(
                    "is used with `Source::credentials` or a method for AWS, which SQLite and \
                     `AnyConnection` do not support: put the credentials in the URL, or use the \
                     database's own type",
                )
            })?;
        }
        Ok(match self.address {
            Some(address) => DB::with_host(options, address),
            None => options,
        })
    }
}

/// Returns a literal IPv6 address without the brackets that it has in a URL. sqlx looks it up with
/// its brackets, as a name.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(super) fn without_brackets(host: &str) -> Option<String> {
    let address = host.strip_prefix('[')?.strip_suffix(']')?;
    Some(address.to_owned())
}

/// Returns the host's next address, or `None` for its name, which is used again after each
/// address was.
async fn other_address(host: &str, attempt: &Attempt) -> Option<IpAddr> {
    let found = lookup_host((host, 0)).await.ok()?;
    let found: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    let mut last = attempt.last_address.lock();
    *last = next_address(&found, attempt.address_index, *last);
    *last
}

/// Chooses the address after the `last` one. A name leads to the address that is found first; a
/// resolver may rotate the order at each lookup, so the addresses are sorted.
fn next_address(found: &[IpAddr], index: usize, last: Option<IpAddr>) -> Option<IpAddr> {
    let mut all = found.to_vec();
    all.sort_unstable();
    all.dedup();
    let in_cycle = index.checked_rem(all.len())?;
    if in_cycle == 0 {
        return None;
    }
    let last = last.filter(|_| in_cycle > 1).or(found.first().copied())?;
    let position = all.iter().position(|address| *address == last);
    let next = position.map_or(0, |position| position + 1);
    all.get(next % all.len()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses<const N: usize>(texts: [&str; N]) -> [IpAddr; N] {
        texts.map(|text| text.parse().expect(text))
    }

    #[test]
    fn each_address_is_tried_and_then_the_name() {
        let [one, two, six] = addresses(["10.0.0.1", "10.0.0.2", "fd00::1"]);
        // The order differs at each lookup, and one address is found twice.
        let orders = [
            [two, six, one, two],
            [six, one, two, one],
            [one, two, six, six],
            [six, two, one, one],
            [one, six, two, two],
        ];
        let mut last = None;
        let chosen: Vec<_> = (1..=5)
            .map(|index| {
                last = next_address(&orders[index - 1], index, last);
                last
            })
            .collect();
        assert_eq!(chosen, [Some(six), Some(one), None, Some(one), Some(two)]);
    }

    #[test]
    fn a_removed_or_only_address_does_not_panic() {
        let [one, two, three] = addresses(["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
        assert_eq!(next_address(&[one, two], 2, Some(three)), None);
        assert_eq!(next_address(&[one, two, three], 2, None), Some(two));
        assert_eq!(next_address(&[one], 1, None), None);
        assert_eq!(next_address(&[], 1, None), None);
    }

    #[cfg(feature = "sqlite")]
    #[tokio::test]
    async fn sqlite_does_not_support_credentials() {
        use crate::telemetry::Counters;

        async fn app() -> Result<Credentials, Error> {
            Ok(Credentials::new("app", "s3cret"))
        }
        let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE").credentials(&app);
        for url in ["sqlite::memory:", "sqlite://app.db?mode=rwc"] {
            let source = source.or(url);
            let attempt = Attempt::single(&source, Counters::of_process()).await;
            let attempt = attempt.expect("credentials");
            let endpoint = Endpoint::of::<sqlx::Sqlite>(&source, &attempt).await;
            let endpoint = endpoint.expect("an endpoint");
            let error = endpoint.options::<sqlx::Sqlite>(&source);
            let text = error.expect_err("not supported").to_string();
            assert!(text.contains("do not support"), "{text}");
        }
    }
}
