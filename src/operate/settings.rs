//! Where the operator listener listens, and when it must not.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use secrecy::SecretString;
use serde::Deserialize;

use super::token::{self, Weak};

/// `[operate]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the operator listener listens; `off` for nowhere.
    pub listen: Listen,
}

/// An address, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Listen(pub Option<SocketAddr>);

impl Default for Listen {
    fn default() -> Self {
        Listen(Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 8081))))
    }
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.trim() {
            "" | "off" => Ok(Listen(None)),
            address => address.parse().map(|address| Listen(Some(address))).map_err(|_| {
                format!("`{address}` is no address: write one such as 127.0.0.1:8081, or \"off\"")
            }),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("off"),
        }
    }
}

impl Settings {
    /// # Errors
    /// A token that could be guessed, or an address that other machines can reach and no token that would keep them out.
    pub fn check(&self, token: Option<&SecretString>) -> Result<(), Error> {
        match (self.listen.0, token) {
            (Some(address), None) if !address.ip().is_loopback() => Err(Error::Open(address)),
            (Some(_), Some(token)) => token::check(token).map_err(Error::Token),
            _ => Ok(()),
        }
    }
}

/// Why the operator listener does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "operate.listen = {0} can be reached from other machines, and DOCKET_ADMIN_TOKEN is not set: set it (or \
         DOCKET_ADMIN_TOKEN_FILE), listen on 127.0.0.1, or set operate.listen to \"off\""
    )]
    Open(SocketAddr),
    #[error("DOCKET_ADMIN_TOKEN {0}: set it to a random text, such as `openssl rand -hex 32` prints")]
    Token(Weak),
    #[error("cannot listen on operate.listen = {address}: {source}; name a free port, or \"off\"")]
    Bind { address: SocketAddr, source: std::io::Error },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_listens_on_this_machine_somewhere_else_or_nowhere() {
        let listen =
            |text: &str| toml::from_str::<Settings>(text).map(|settings| settings.listen.to_string());
        assert_eq!(listen("").unwrap(), "127.0.0.1:8081");
        assert_eq!(listen("listen = '[::1]:9'").unwrap(), "[::1]:9");
        for off in ["", "off"] {
            assert_eq!(listen(&format!("listen = '{off}'")).unwrap(), "off");
        }
        assert!(listen("listen = 'here'").unwrap_err().to_string().contains("127.0.0.1:8081"));
    }
}
