//! TLS, with Mozilla's certificate authorities and those of the file in `SSL_CERT_FILE`.
//! ElastiCache and MemoryDB use one of Mozilla's.

use std::fmt::Display;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::Error;

/// Performs the handshake, and verifies the server's certificate and its name.
pub(super) async fn connect(host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>, Error> {
    let name = ServerName::try_from(host.to_owned()).map_err(Error::rejected)?;
    let connector = TlsConnector::from(config()?);
    connector.connect(name, stream).await.map_err(|error| {
        if error.kind() == std::io::ErrorKind::InvalidData {
            Error::rejected(error)
        } else {
            Error::unavailable(error)
        }
    })
}

/// Returns the settings, which are made once.
fn config() -> Result<Arc<ClientConfig>, Error> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(Arc::clone(config));
    }
    let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(file) = std::env::var_os("SSL_CERT_FILE") {
        let unusable = |error: &dyn Display| {
            Error::rejected(format!("the file in SSL_CERT_FILE is unusable: {error}"))
        };
        let certificates: Result<Vec<_>, _> =
            CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
        let certificates = certificates.map_err(|error| unusable(&error))?;
        if roots.add_parsable_certificates(certificates).0 == 0 {
            return Err(unusable(&"it has no certificate"));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Error::rejected)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::clone(CONFIG.get_or_init(|| Arc::new(config))))
}
