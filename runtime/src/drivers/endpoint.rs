//! Where one try connects to, and as whom.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use tokio::net::lookup_host;

use super::{Driver, Options};
use crate::credentials::Credentials;
use crate::{Error, Source};

/// The source's URL, the credentials of now, and after silence another of the host's addresses.
pub(super) struct Place {
    url: String,
    credentials: Option<Credentials>,
    address: Option<IpAddr>,
}

impl Place {
    pub(super) async fn of<DB: Driver>(source: &Source) -> Result<Self, Error> {
        let url = source.url()?;
        let credentials = source.current_credentials().await?;
        let mut address = None;
        let turn = source.attempt.turn;
        if turn > 0
            && let Some(host) = DB::host(&DB::options(&url, source)?)
        {
            address = another(&host, turn).await;
        }
        Ok(Self {
            url,
            credentials,
            address,
        })
    }

    pub(super) fn options<DB: Driver>(&self, source: &Source) -> Result<Options<DB>, Error> {
        let mut options = DB::options(&self.url, source)?;
        if let Some(credentials) = &self.credentials {
            options = DB::sign_in(options, credentials).ok_or_else(|| {
                source.problem("names no server to sign in at, and so takes no credentials")
            })?;
        }
        Ok(match self.address {
            Some(address) => DB::at(options, address),
            None => options,
        })
    }
}

/// The address of each host that was taken last.
static TAKEN: Mutex<Vec<(String, IpAddr)>> = Mutex::new(Vec::new());

/// The host's next address, for the `turn`th time; `None` for the name itself, which is tried again when
/// each of them has had its turn.
async fn another(host: &str, turn: usize) -> Option<IpAddr> {
    let found = lookup_host((host, 0)).await.ok()?;
    let found: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let at = taken.iter().position(|(of, _)| of == host);
    let last = at.map(|at| taken.swap_remove(at).1);
    let next = next(&found, turn, last)?;
    taken.push((host.to_owned(), next));
    Some(next)
}

/// The name leads to what is found first, mostly: a resolver may turn them at each question.
fn next(found: &[IpAddr], turn: usize, last: Option<IpAddr>) -> Option<IpAddr> {
    let mut all = found.to_vec();
    all.sort_unstable();
    all.dedup();
    let of_cycle = turn.checked_rem(all.len())?;
    if of_cycle == 0 {
        return None;
    }
    let last = last.filter(|_| of_cycle > 1).or(found.first().copied())?;
    let place = all.iter().position(|address| *address == last);
    all.get(place.map_or(0, |place| place + 1) % all.len())
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses<const N: usize>(texts: [&str; N]) -> [IpAddr; N] {
        texts.map(|text| text.parse().expect(text))
    }

    #[test]
    fn each_address_has_its_turn_and_then_the_name() {
        let [one, two, six] = addresses(["10.0.0.1", "10.0.0.2", "fd00::1"]);
        // In whatever order they are found after the first time; one of them twice.
        let orders = [
            [two, six, one, two],
            [six, one, two, one],
            [one, two, six, six],
            [six, two, one, one],
            [one, six, two, two],
        ];
        let mut last = None;
        let taken: Vec<_> = (1..=5)
            .map(|turn| {
                last = next(&orders[turn - 1], turn, last);
                last
            })
            .collect();
        assert_eq!(taken, [Some(six), Some(one), None, Some(one), Some(two)]);
    }

    #[test]
    fn one_that_is_gone_or_alone_is_no_panic() {
        let [one, two, three] = addresses(["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
        assert_eq!(next(&[one, two], 2, Some(three)), None);
        assert_eq!(next(&[one, two, three], 2, None), Some(two));
        assert_eq!(next(&[one], 1, None), None);
        assert_eq!(next(&[], 1, None), None);
    }

    #[cfg(feature = "sqlite")]
    #[tokio::test]
    async fn a_file_takes_no_credentials() {
        async fn app() -> Result<Credentials, Error> {
            Ok(Credentials::new("app", "s3cret"))
        }
        let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE").credentials(&app);
        for url in ["sqlite::memory:", "sqlite://app.db?mode=rwc"] {
            let source = source.or(url);
            let place = Place::of::<sqlx::Sqlite>(&source).await.expect("a place");
            let error = place
                .options::<sqlx::Sqlite>(&source)
                .expect_err("no server");
            let text = error.to_string();
            assert!(text.contains("takes no credentials"), "{text}");
        }
    }
}
