//! The warning about a connection that is not encrypted.

use crate::source::{Address, Source};
use crate::sync::Mutex;
use crate::telemetry::events;

/// The targets whose encryption is known.
static KNOWN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Returns `true` if it is known whether connections to the source's target are encrypted, and for
/// a server of this machine, where it does not matter.
pub(super) fn is_known(source: &Source) -> bool {
    if source.requires_tls() {
        return true;
    }
    let Some(target) = source.target() else {
        return true;
    };
    let is_near = target.address().is_none_or(Address::is_local);
    is_near || KNOWN.lock().iter().any(|known| known == target.shown())
}

/// Remembers whether a connection to the source's target is encrypted. Logs once if it is not.
pub(super) fn remember(source: &Source, is_encrypted: bool) {
    if is_known(source) {
        return;
    }
    let target = source.shown_target();
    if !is_encrypted {
        events::unencrypted(&target);
    }
    KNOWN.lock().push(target);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_network_matters_and_a_target_once() {
        const SOURCE: Source = Source::env("REUSE_DB_NO_SUCH_VARIABLE");
        for url in [
            "postgres://app:s@localhost/app",
            "mysql://app:s@127.0.0.1/app",
            "postgres:///app?host=/run/postgresql",
        ] {
            assert!(is_known(&SOURCE.or(url)), "{url}");
        }
        let source = SOURCE.or("postgres://app:s@db.encryption.example/app");
        assert!(!is_known(&source));
        remember(&source, false);
        assert!(is_known(&source));
    }
}
