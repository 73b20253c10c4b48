//! The files that a URL names for TLS.

use std::fs::metadata;

use crate::error::Error;

/// Expects a file, if anything is there. The read of a pipe would not end.
pub(super) fn expect(name: &str, path: &str) -> Result<(), Error> {
    match metadata(path) {
        Ok(found) if !found.is_file() => Err(Error::rejected(format!(
            "`{name}` names `{path}`, which is no file"
        ))),
        // The client reports what is missing.
        _ => Ok(()),
    }
}
