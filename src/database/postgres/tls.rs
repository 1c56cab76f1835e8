//! The way to a PostgreSQL on another machine: encrypted, and its certificate checked as a browser would.

use std::fmt;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::ConfigVerifierExt;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::database::open_error::OpenError;

#[derive(Clone)]
pub struct Connector(pub MakeRustlsConnect);

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

/// Trusts those whom this machine trusts, or those in the file `authority` and nobody else.
///
/// # Errors
/// The file cannot be read, or has no certificate.
pub fn connector(authority: Option<&str>) -> Result<Connector, OpenError> {
    let config = match authority {
        None => ClientConfig::with_platform_verifier().map_err(|error| OpenError::Tls(error.to_string()))?,
        Some(file) => ClientConfig::builder().with_root_certificates(roots(file)?).with_no_client_auth(),
    };
    Ok(Connector(MakeRustlsConnect::new(config)))
}

fn roots(file: &str) -> Result<RootCertStore, OpenError> {
    let failed = |what: String| OpenError::Tls(format!("sslrootcert names {file}: {what}"));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| failed(error.to_string()))? {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(failed("there is no certificate in it".to_owned()));
    }
    Ok(roots)
}
