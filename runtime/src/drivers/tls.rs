//! TLS, which verifies the server's certificate and its name.
//!
//! The certificate authorities are Mozilla's, with those of the file in `SSL_CERT_FILE`, unless the
//! URL names a file. ElastiCache and MemoryDB use one of Mozilla's. RDS uses its own, which are
//! trusted for its hosts with the feature `aws`.

use std::fmt::Display;
use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::stream::Stream;
use super::{certificate, named_file};
use crate::error::Error;
use crate::sync::Mutex;

/// The settings of a URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// The file of the only certificate authorities that are trusted.
    pub(super) authorities: Option<String>,
    /// The files of the client's certificate and of its private key.
    pub(super) identity: Option<(String, String)>,
    /// The protocol that the server expects to be named.
    pub(super) protocol: Option<&'static str>,
}

/// Performs the handshake, and verifies the server's certificate and its name.
pub(super) async fn connect<S: Stream>(
    host: &str,
    stream: S,
    settings: &Settings,
) -> Result<TlsStream<S>, Error> {
    let name = ServerName::try_from(host.to_owned()).map_err(Error::rejected)?;
    let connector = TlsConnector::from(config(settings, certificate::roots_of_rds(host))?);
    let connected = connector.connect(name, stream).await;
    connected.map_err(|error| explained(error, host))
}

/// Converts an error of the handshake.
fn explained(error: io::Error, host: &str) -> Error {
    if error.kind() != io::ErrorKind::InvalidData {
        return Error::unavailable(error);
    }
    match certificate::advice(&error.to_string(), host) {
        Some(advice) => Error::rejected(format!("{error}; {advice}")),
        None => Error::rejected(error),
    }
}

/// Returns the configuration of settings, with further roots in PEM format. It is made once.
fn config(settings: &Settings, roots: Option<&'static str>) -> Result<Arc<ClientConfig>, Error> {
    type Key = (Settings, Option<&'static str>);
    static CONFIGS: Mutex<Vec<(Key, Arc<ClientConfig>)>> = Mutex::new(Vec::new());
    let key = (settings.clone(), roots);
    let known = |configs: &[(Key, Arc<ClientConfig>)]| {
        let known = configs.iter().find(|(known, _)| *known == key);
        known.map(|(_, config)| Arc::clone(config))
    };
    if let Some(config) = known(&CONFIGS.lock()) {
        return Ok(config);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Error::rejected)?
        .with_root_certificates(authorities(settings, roots)?);
    let mut config = match &settings.identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let own = certificates("sslcert", certificate)?;
            named_file::expect("sslkey", key)?;
            let unusable = |error: &dyn Display| unusable("sslkey", key, error);
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(&error))?;
            let config = builder.with_client_auth_cert(own, key);
            config.map_err(|error| unusable(&error))?
        }
    };
    config.alpn_protocols = settings
        .protocol
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    let config = Arc::new(config);
    CONFIGS.lock().push((key, Arc::clone(&config)));
    Ok(config)
}

fn authorities(settings: &Settings, of_rds: Option<&'static str>) -> Result<RootCertStore, Error> {
    let mozillas = || webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
    let (mut roots, name, file) = match &settings.authorities {
        Some(file) => (RootCertStore::empty(), "sslrootcert", file.clone()),
        None => {
            let mut roots = RootCertStore::from_iter(mozillas());
            let of_rds = of_rds.unwrap_or_default().as_bytes();
            roots.add_parsable_certificates(CertificateDer::pem_slice_iter(of_rds).flatten());
            let Some(file) = std::env::var_os("SSL_CERT_FILE") else {
                return Ok(roots);
            };
            (roots, "SSL_CERT_FILE", file.to_string_lossy().into_owned())
        }
    };
    if roots
        .add_parsable_certificates(certificates(name, &file)?)
        .0
        == 0
    {
        return Err(unusable(
            name,
            &file,
            &"it has no certificate of an authority",
        ));
    }
    Ok(roots)
}

/// Reads the certificates of a file.
fn certificates(name: &str, file: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    named_file::expect(name, file)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    let all = all.map_err(|error| unusable(name, file, &error))?;
    if all.is_empty() {
        return Err(unusable(name, file, &"it has no certificate in PEM format"));
    }
    Ok(all)
}

/// Returns an error that names the file. A value that is itself in PEM format may be secret.
fn unusable(name: &str, file: &str, error: &dyn Display) -> Error {
    Error::rejected(if file.contains("-----BEGIN") {
        format!("`{name}` must name a file")
    } else {
        format!("`{name}` names the file `{file}`, which is unusable: {error}")
    })
}
