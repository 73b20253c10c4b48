//! The classification of I/O errors while connecting.

use std::error::Error as StdError;
use std::io;

use crate::error::ErrorKind;

/// Returns the kind of an error of the network, of a socket's path, or of TLS, while connecting.
pub(super) fn kind(error: &io::Error) -> ErrorKind {
    match error.kind() {
        // A socket's path without permission or of the wrong kind. A missing one is transient: the
        // server may be starting.
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::Unsupported => ErrorKind::Rejected,
        // rustls: an invalid certificate.
        io::ErrorKind::InvalidData => ErrorKind::Rejected,
        _ => ErrorKind::Unavailable,
    }
}

/// Returns the I/O error among an error and its sources.
pub(super) fn cause<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e io::Error> {
    let mut error = Some(error);
    while let Some(this) = error {
        if let Some(found) = this.downcast_ref() {
            return Some(found);
        }
        error = this.source();
    }
    None
}
