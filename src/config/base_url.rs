//! The addresses of the two services. A key goes with every request there, so it goes over TLS, or stays on this machine,
//! or a setting says aloud that the way is safe for another reason.

use serde::{Deserialize, Deserializer};
use url::Url;

use super::ConfigError;
use crate::http::stays_here;

/// Hosts whose API is known to lie under a path, which is easily forgotten.
const KNOWN: [(&str, &str); 2] = [("api.fast.io", "current"), ("api.openai.com", "v1")];

/// Reads a base URL. An error says what to write, and never what was written: it may hold a password.
pub fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    let text = String::deserialize(deserializer)?;
    let url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some(url) = url.filter(Url::has_host) else {
        let words = "this must be a whole URL: begin with https://, as in https://api.openai.com/v1";
        return Err(serde::de::Error::custom(words));
    };
    for (host, path) in KNOWN {
        if url.host_str() == Some(host) && url.path() == "/" {
            let words = format!("this lacks its path: write https://{host}/{path}");
            return Err(serde::de::Error::custom(words));
        }
    }
    Ok(url)
}

/// One service's address, and whether its setting allows what is not safe by itself.
pub struct Way<'a> {
    /// `fastio` or `openai`.
    pub section: &'static str,
    pub url: &'a Url,
    pub allow_plain_http: bool,
}

impl Way<'_> {
    /// # Errors
    /// The key would go over the network in clear text, and no setting says that it may.
    pub fn check(&self) -> Result<(), ConfigError> {
        match self.is_plain() && !self.allow_plain_http {
            true => Err(ConfigError::PlainHttp { section: self.section }),
            false => Ok(()),
        }
    }

    /// Whether the key goes over a network in clear text.
    pub fn is_plain(&self) -> bool {
        self.url.scheme() != "https" && !stays_here(self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_to_https_or_stays_here_unless_a_setting_says_otherwise() {
        let refused = |url: &str, allow_plain_http| {
            let url = Url::parse(url).unwrap();
            Way { section: "fastio", url: &url, allow_plain_http }.check().is_err()
        };
        for url in [
            "https://fastio.corp.example/current",
            "http://127.0.0.1:9101/current",
            "http://127.9.9.9/",
            "http://localhost:1/v1",
            "http://[::1]/",
        ] {
            assert!(!refused(url, false), "{url}");
        }
        for url in [
            "http://fastio.corp.example/current",
            "http://10.0.0.1/",
            "http://0.0.0.0/",
            "http://localhost.corp.example/",
            "http://a.localhost/",
            "http://[::ffff:127.0.0.1]/",
            "http://127.0.0.1.corp.example/",
        ] {
            assert!(refused(url, false), "{url}");
            assert!(!refused(url, true), "{url}");
        }
    }
}
