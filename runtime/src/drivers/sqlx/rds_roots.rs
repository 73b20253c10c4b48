//! The roots of RDS, for a URL that names no authority.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::tls_files;
use crate::drivers::certificate;
use crate::source::Address;

/// The number of roots of a region.
const OF_REGION: usize = 3;

/// The position of the root that comes first. native-tls reads no other one.
static FIRST: AtomicUsize = AtomicUsize::new(0);

/// Returns the roots of the region of a URL's host, in PEM format. `None` if the host is none of
/// RDS, or if the URL or the environment names a file.
pub(super) fn of(url: &str) -> Option<Vec<u8>> {
    if tls_files::names_authority(url) {
        return None;
    }
    let roots = certificate::roots_of_rds(&Address::of(url)?.host)?;
    Some(beginning_with(roots, FIRST.load(Ordering::Relaxed)).into_bytes())
}

fn beginning_with(roots: &str, first: usize) -> String {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    let mut each: Vec<_> = roots.split_inclusive("-----END CERTIFICATE-----").collect();
    each.retain(|root| root.contains(BEGIN));
    if each.len() == OF_REGION {
        each.rotate_left(first % OF_REGION);
    }
    each.concat()
}

/// The roots that an attempt to connect has not tried yet.
#[derive(Debug)]
pub(super) struct Untried(usize);

impl Untried {
    pub(super) fn new() -> Self {
        Self(OF_REGION - 1)
    }

    /// Lets the next root come first, if native-tls has found another one in a certificate. Returns
    /// `false` for any other error, and if each was tried.
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
        true
    }
}

#[cfg(all(test, feature = "aws"))]
mod tests {
    use super::*;

    #[test]
    fn each_root_of_a_region_can_come_first() {
        let url = "postgres://app@db.abc.us-east-1.rds.amazonaws.com/app";
        let roots = certificate::roots_of_rds("db.abc.us-east-1.rds.amazonaws.com").expect("roots");
        let firsts: std::collections::HashSet<_> = (0..3)
            .map(|first| {
                let all = beginning_with(roots, first);
                assert_eq!(all.matches("BEGIN CERTIFICATE").count(), 3);
                all.lines().nth(20).map(ToOwned::to_owned)
            })
            .collect();
        assert_eq!(firsts.len(), 3);
        assert!(of(url).is_some());
        assert!(of(&format!("{url}?sslrootcert=/rds.pem")).is_none());
        assert!(of("postgres://app@db.example/app").is_none());

        let error = || sqlx::Error::Tls("(self-signed certificate in certificate chain)".into());
        let mut untried = Untried::new();
        let tried = (0..4).map(|_| untried.try_next(&error(), url));
        assert_eq!(Vec::from_iter(tried), [true, true, false, false]);
        let elsewhere = "postgres://app@db.example/app";
        assert!(!Untried::new().try_next(&error(), elsewhere));
        assert!(!Untried::new().try_next(&sqlx::Error::PoolTimedOut, url));
    }
}
