use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// The files of a server that speaks TLS: its certificate, for 127.0.0.1 only, and who vouches for it.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// The file of the authority in a server's folder, which a client is to know.
pub(super) fn authority(folder: &Path) -> PathBuf {
    folder.join("authority.pem")
}

impl Certificate {
    /// A new one in a server's `folder`, which the server's `user` can read.
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
        write(&authority(folder), &issuer.pem(), user);
        write(&files.certificate, &certificate.pem(), user);
        write(&files.key, &own.serialize_pem(), user);
        files
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

/// PostgreSQL takes no key that others can read.
fn write(file: &Path, text: &str, user: &str) {
    std::fs::write(file, text).expect("the folder is ours");
    std::fs::set_permissions(file, PermissionsExt::from_mode(0o600)).expect("it is ours");
    if Uid::effective().is_root() {
        let owner = User::from_name(user).ok().flatten();
        let owner = owner.expect("the server's package made its user").uid;
        chown(file, Some(owner.as_raw()), None).expect("root may");
    }
}
