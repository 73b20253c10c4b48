use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::folder::write_private;

/// The files of a TLS server: its certificate, for 127.0.0.1 only, and its key.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// Returns the file with the authority's certificate in a server's folder. Clients trust it.
pub(super) fn authority(folder: &Path) -> PathBuf {
    folder.join("authority.pem")
}

impl Certificate {
    /// Issues a certificate from a new authority and writes both to the server's `folder`.
    ///
    /// Only `user` can read the files, since PostgreSQL rejects a key that others can read.
    pub(super) fn issue(folder: &Path, user: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, new_key()).expect("an authority");
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("an address");
        let own = new_key();
        let certificate = params.signed_by(&own, &issuer).expect("a certificate");

        let files = Self {
            certificate: folder.join("server.pem"),
            key: folder.join("server.key"),
        };
        write_private(&authority(folder), &issuer.pem(), user);
        write_private(&files.certificate, &certificate.pem(), user);
        write_private(&files.key, &own.serialize_pem(), user);
        files
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("a key")
}
