//! The roots of RDS, for a URL that names no authority.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::tls_files;
use crate::drivers::certificate;
use crate::source::Address;

/// The number of roots of a region.
const OF_REGION: usize = 3;

/// The position of the root that comes first. native-tls reads no other one.
static FIRST: AtomicUsize = AtomicUsize::new(0);

/// Returns the roots of a URL's host in PEM format: those of its region, or all for a host without
/// a region. `None` if the host is none of RDS, or if the URL or the environment names a file.
pub(super) fn of(url: &str) -> Option<Vec<u8>> {
    if tls_files::names_authority(url) {
        return None;
    }
    let host = Address::of(url)?.host;
    let all = certificate::roots_of_rds(&host)?;
    let likely = certificate::likely_roots_of_rds(&host);
    Some(ordered(all, likely, FIRST.load(Ordering::Relaxed)).into_bytes())
}

/// Returns the likely roots, beginning with one of them, and then the others.
fn ordered(all: &str, likely: Option<&str>, first: usize) -> String {
    let mut roots = each(likely.unwrap_or_default());
    if !roots.is_empty() {
        let first = first % roots.len();
        roots.rotate_left(first);
    }
    let others = each(all);
    let others = others.into_iter().filter(|root| !roots.contains(root));
    let others: Vec<_> = others.collect();
    roots.extend(others);
    roots.join("\n")
}

/// Returns each certificate of a text in PEM format, from the line that begins it.
fn each(pem: &str) -> Vec<&str> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    let parts = pem.split_inclusive("-----END CERTIFICATE-----");
    parts
        .filter_map(|part| Some(&part[part.find(BEGIN)?..]))
        .collect()
}

/// The number of roots that an attempt to connect has not tried yet.
#[derive(Debug)]
pub(super) struct Untried(usize);

impl Untried {
    pub(super) fn new() -> Self {
        Self(OF_REGION)
    }

    /// Lets the next root come first, if native-tls has found another one in a certificate. Returns
    /// `false` for any other error. Returns `false` if each was tried: then the first is the first
    /// again.
    pub(super) fn try_next(&mut self, error: &sqlx::Error, url: &str) -> bool {
        let sqlx::Error::Tls(error) = error else {
            return false;
        };
        let error = error.to_string();
        let is_unknown = [
            "self-signed certificate",
            "self signed",
            "local issuer certificate",
        ]
        .iter()
        .any(|text| error.contains(text));
        if self.0 == 0 || !is_unknown || of(url).is_none() {
            return false;
        }
        self.0 -= 1;
        FIRST.fetch_add(1, Ordering::Relaxed);
        self.0 > 0
    }
}

#[cfg(all(test, feature = "aws"))]
mod tests {
    use super::*;

    #[test]
    fn each_root_of_a_region_can_come_first() {
        let url = "postgres://app@db.abc.us-east-1.rds.amazonaws.com/app";
        let host = "db.abc.us-east-1.rds.amazonaws.com";
        let roots = certificate::roots_of_rds(host).expect("roots");
        let firsts: std::collections::HashSet<_> = (0..4)
            .map(|first| {
                let all = ordered(roots, certificate::likely_roots_of_rds(host), first);
                let markers = |name| all.lines().filter(|line| *line == name).count();
                assert_eq!(markers("-----BEGIN CERTIFICATE-----"), 3, "{all}");
                assert_eq!(markers("-----END CERTIFICATE-----"), 3, "{all}");
                all.lines().nth(20).map(ToOwned::to_owned)
            })
            .collect();
        assert_eq!(firsts.len(), 3);
        assert_eq!(each(&ordered("", Some(roots), 0)).len(), 3);
        let every = certificate::roots_of_rds("db.global-a.global.rds.amazonaws.com");
        let every = ordered(every.expect("roots"), Some(roots), 1);
        assert_eq!((each(&every).len(), each(&every)[0]), (102, each(roots)[1]));

        assert!(of(url).is_some());
        assert!(of(&format!("{url}?sslrootcert=/rds.pem")).is_none());
        assert!(of("postgres://app@db.example/app").is_none());

        let error = || sqlx::Error::Tls("(self-signed certificate in certificate chain)".into());
        let mut untried = Untried::new();
        let tried = (0..4).map(|_| untried.try_next(&error(), url));
        assert_eq!(Vec::from_iter(tried), [true, true, false, false]);
        let first = FIRST.load(Ordering::Relaxed);
        assert_eq!(first % OF_REGION, 0, "as before");
        let elsewhere = "postgres://app@db.example/app";
        assert!(!Untried::new().try_next(&error(), elsewhere));
        assert!(!Untried::new().try_next(&sqlx::Error::PoolTimedOut, url));
    }
}
