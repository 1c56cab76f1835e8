//! Whom the clients of this process trust.

use std::sync::OnceLock;

use reqwest::ClientBuilder;
use rustls::ClientConfig;
use rustls_platform_verifier::ConfigVerifierExt;

/// Has a client trust whom this machine trusts. Who that is is read once for all clients: on most systems it stands in hundreds of files.
pub fn trusting(builder: ClientBuilder) -> ClientBuilder {
    match config() {
        Ok(config) => builder.tls_backend_preconfigured(config),
        // The client looks for itself then, and says what is wrong.
        Err(_) => builder,
    }
}

/// What is wrong with whom this machine trusts, and what to do about it; none where nothing is.
pub fn fault() -> Option<String> {
    let error = config().err()?;
    Some(format!(
        "TLS cannot be set up, because this machine trusts no certificate authority ({error}): install its CA certificates (Debian: \
         apt-get install ca-certificates), or name a file that has some in SSL_CERT_FILE"
    ))
}

fn config() -> Result<ClientConfig, rustls::Error> {
    static CONFIG: OnceLock<ClientConfig> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(config.clone());
    }
    let mut config = ClientConfig::with_platform_verifier()?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(CONFIG.get_or_init(|| config).clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_takes_what_was_read_once() {
        assert!(trusting(ClientBuilder::new()).build().is_ok() && config().is_ok());
    }
}
