//! Where the operator listener listens, and when it must not.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use serde::Deserialize;

use super::token::{self, Tokens, Weak};
use crate::hidden::is_hidden;

/// `[operate]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the operator listener listens; `off` for nowhere.
    pub listen: Listen,
    /// What this Docket is called, such as `production`: pages and confirmations show it.
    pub environment: Environment,
}

/// A name that fits beside a heading. Empty where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Environment(String);

/// Characters of it.
const LONGEST_NAME: usize = 40;

impl TryFrom<String> for Environment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let text = text.trim();
        if text.chars().count() > LONGEST_NAME || text.chars().any(is_hidden) {
            return Err(format!("write a name of at most {LONGEST_NAME} characters, such as production"));
        }
        Ok(Environment(text.to_owned()))
    }
}

impl Environment {
    pub fn as_str(&self) -> &str {
        &self.0
    }
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
    /// Tokens that could be guessed or that say two things, or an address that other machines can reach and no token that would
    /// keep them out.
    pub fn check(&self, tokens: &Tokens) -> Result<(), Error> {
        let Some(address) = self.listen.0 else { return Ok(()) };
        let weak = |which| move |why| Error::Token { which, why };
        if let Some(view) = &tokens.view {
            let admin = tokens.admin.as_ref().ok_or(Error::ViewAlone)?;
            token::check(view).map_err(weak("DOCKET_VIEW_TOKEN"))?;
            if token::are_one(admin, view) {
                return Err(Error::SameTokens);
            }
        }
        match &tokens.admin {
            None if !address.ip().is_loopback() => Err(Error::Open(address)),
            Some(token) => token::check(token).map_err(weak("DOCKET_ADMIN_TOKEN")),
            None => Ok(()),
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
    #[error("{which} {why}: set it to a random text, such as `openssl rand -hex 32` prints")]
    Token { which: &'static str, why: Weak },
    #[error(
        "DOCKET_VIEW_TOKEN is set and DOCKET_ADMIN_TOKEN is not, so that everybody on this machine could do what only \
         the second allows: set both"
    )]
    ViewAlone,
    #[error("DOCKET_VIEW_TOKEN and DOCKET_ADMIN_TOKEN are the same: set one of them to another random text")]
    SameTokens,
    #[error("cannot listen on operate.listen = {address}: {source}; name a free port, or \"off\"")]
    Bind { address: SocketAddr, source: std::io::Error },
}

impl Error {
    /// Whether the person at the keyboard can put it right by writing something else.
    pub fn is_usage(&self) -> bool {
        !matches!(self, Error::Bind { .. })
    }
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

    #[test]
    fn tokens_that_say_two_things_are_refused_where_there_is_a_listener() {
        let tokens = |admin: Option<&str>, view: Option<&str>| Tokens {
            admin: admin.map(Into::into),
            view: view.map(Into::into),
        };
        let (one, other) = ("a-token-for-operators", "another-for-who-looks");
        let check = |tokens| Settings::default().check(&tokens);
        assert!(check(tokens(None, None)).is_ok());
        assert!(check(tokens(Some(one), Some(other))).is_ok());
        assert!(matches!(check(tokens(None, Some(one))), Err(Error::ViewAlone)));
        assert!(matches!(check(tokens(Some(one), Some(one))), Err(Error::SameTokens)));
        let weak = check(tokens(Some(one), Some("short"))).unwrap_err().to_string();
        assert!(weak.contains("DOCKET_VIEW_TOKEN") && weak.contains("openssl rand"), "{weak}");
        let off = toml::from_str::<Settings>("listen = 'off'").unwrap();
        assert!(off.check(&tokens(None, Some(one))).is_ok());
    }

    #[test]
    fn an_environment_is_a_short_name() {
        let name = |text: &str| Environment::try_from(text.to_owned());
        assert_eq!(name(" production ").unwrap().as_str(), "production");
        for wrong in ["a\nb", "a\u{202e}b", &"x".repeat(LONGEST_NAME + 1)] {
            assert!(name(wrong).is_err());
        }
    }
}
