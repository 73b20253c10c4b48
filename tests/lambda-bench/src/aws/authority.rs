use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

/// A certificate authority, with the file that a client's URL names.
#[derive(Debug)]
pub struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// Makes an authority with a name of its own.
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self::named(&format!("Bench Root CA {number}"))
    }

    /// Makes an authority. Others may have its name.
    pub fn named(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, new_key()).expect("an authority");
        std::fs::write(folder.path().join("authority.pem"), issuer.pem())
            .expect("the folder is our own");
        Self { folder, issuer }
    }

    /// Returns the file with the authority's certificate, for `sslrootcert` or `ssl-ca`.
    pub fn file(&self) -> PathBuf {
        self.folder().join("authority.pem")
    }

    /// Returns a folder that lives as long as the authority.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Issues a server's certificate for host names.
    pub fn issue(&self, names: &[&str]) -> Identity {
        self.issue_of(names, |_| {})
    }

    /// Issues a server's certificate that has expired.
    pub fn issue_expired(&self, names: &[&str]) -> Identity {
        self.issue_of(names, |params| {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        })
    }

    fn issue_of(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).expect("host names");
        change(&mut params);
        let key = new_key();
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .expect("a key for the certificate");
        Identity(TlsAcceptor::from(Arc::new(config)))
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// The certificate of a server, with its key.
#[derive(Clone)]
pub struct Identity(pub(super) TlsAcceptor);

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("a key")
}
