//! Secrets, from the environment or from the files it names. They are wrapped where they enter, so that printing the
//! settings cannot print them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use super::ConfigError;
use super::fault::{self, Fault};
use crate::operate::Tokens;

/// What only Docket may see.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    fastio_api_key: Option<SecretString>,
    /// For OpenAI, which asks Fastio's MCP server with it.
    fastio_mcp_key: Option<SecretString>,
    openai_api_key: Option<SecretString>,
    /// The present one first, then the one that is being rotated out.
    pub fastio_webhook: Vec<SecretString>,
    /// As those. Without one OpenAI's webhooks are not taken in.
    pub openai_webhook: Vec<SecretString>,
    /// What the operator listener asks for.
    pub tokens: Tokens,
    /// PostgreSQL's.
    pub(super) database_password: Option<SecretString>,
}

impl Secrets {
    pub(super) fn read(environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        Ok(Secrets {
            fastio_api_key: value(environment, "FASTIO_API_KEY")?.map(SecretString::from),
            fastio_mcp_key: value(environment, "FASTIO_MCP_KEY")?.map(SecretString::from),
            openai_api_key: value(environment, "OPENAI_API_KEY")?.map(SecretString::from),
            fastio_webhook: several(environment, "FASTIO_WEBHOOK_SECRET")?,
            openai_webhook: several(environment, "OPENAI_WEBHOOK_SECRET")?,
            tokens: Tokens {
                admin: value(environment, "DOCKET_ADMIN_TOKEN")?.map(SecretString::from),
                view: value(environment, "DOCKET_VIEW_TOKEN")?.map(SecretString::from),
            },
            database_password: value(environment, "DATABASE_PASSWORD")?.map(SecretString::from),
        })
    }

    /// These, with those of `newer` that it has.
    pub(super) fn with(&self, newer: Secrets) -> Secrets {
        let either =
            |new: Vec<SecretString>, old: &Vec<SecretString>| if new.is_empty() { old.clone() } else { new };
        Secrets {
            fastio_api_key: newer.fastio_api_key.or_else(|| self.fastio_api_key.clone()),
            openai_api_key: newer.openai_api_key.or_else(|| self.openai_api_key.clone()),
            fastio_webhook: either(newer.fastio_webhook, &self.fastio_webhook),
            openai_webhook: either(newer.openai_webhook, &self.openai_webhook),
            // Of a start.
            fastio_mcp_key: self.fastio_mcp_key.clone(),
            tokens: self.tokens.clone(),
            database_password: self.database_password.clone(),
        }
    }

    /// # Errors
    /// It is not set, or is none.
    pub fn fastio_api_key(&self) -> Result<SecretString, ConfigError> {
        let why =
            "make a key at go.fast.io under Settings, API keys, that may read the workspaces of the rules";
        key(self.fastio_api_key.as_ref(), "FASTIO_API_KEY", why)
    }

    /// The key that runs with Fastio's tools give to OpenAI, if it is set.
    pub fn fastio_mcp_key(&self) -> Option<&SecretString> {
        self.fastio_mcp_key.as_ref()
    }

    /// Whether that is the key that Docket itself uses, which may do more than read.
    pub(super) fn shares_its_key(&self) -> bool {
        let [ours, given] = [&self.fastio_api_key, &self.fastio_mcp_key];
        ours.as_ref()
            .zip(given.as_ref())
            .is_some_and(|(ours, given)| ours.expose_secret() == given.expose_secret())
    }

    /// # Errors
    /// It is not set, or is none.
    pub fn openai_api_key(&self) -> Result<SecretString, ConfigError> {
        let why = "make a project key at platform.openai.com that may write files and vector stores";
        key(self.openai_api_key.as_ref(), "OPENAI_API_KEY", why)
    }

    /// What is wrong with the webhooks' secrets; `is_at_home` where both services are stand-ins on this machine.
    pub(super) fn webhook_faults(&self, is_at_home: bool) -> Vec<ConfigError> {
        let lists = [
            ("FASTIO_WEBHOOK_SECRET", &self.fastio_webhook),
            ("OPENAI_WEBHOOK_SECRET", &self.openai_webhook),
        ];
        let each = lists.into_iter().flat_map(|(variable, list)| {
            // Which of several it is, is told by its number.
            let which = move |place: usize| match list.len() {
                1 => variable.to_owned(),
                _ => format!("{variable}, secret number {},", place + 1),
            };
            list.iter().enumerate().map(move |(place, secret)| (which(place), secret))
        });
        each.filter_map(|(which, secret)| {
            let fault = fault::of_webhook_secret(secret.expose_secret(), is_at_home)?;
            Some(ConfigError::BadSecret { which, fault })
        })
        .collect()
    }

    /// What is wrong with how the operators' tokens are written.
    pub(super) fn token_fault(&self) -> Option<ConfigError> {
        let tokens = [("DOCKET_ADMIN_TOKEN", &self.tokens.admin), ("DOCKET_VIEW_TOKEN", &self.tokens.view)];
        tokens.into_iter().find_map(|(which, token)| {
            let fault = fault::written(token.as_ref()?.expose_secret());
            // One that could be guessed is told of by the listener, with how to make another.
            let fault = fault.filter(|fault| *fault != Fault::Placeholder)?;
            Some(ConfigError::BadSecret { which: which.to_owned(), fault })
        })
    }
}

fn key(
    key: Option<&SecretString>,
    variable: &'static str,
    why: &'static str,
) -> Result<SecretString, ConfigError> {
    let key = key.ok_or(ConfigError::NoSecret { variable, why })?;
    match fault::of_key(key.expose_secret()) {
        Some(fault) => Err(ConfigError::BadSecret { which: variable.to_owned(), fault }),
        None => Ok(key.clone()),
    }
}

/// The secrets in a variable, separated by commas.
fn several(environment: &BTreeMap<String, String>, name: &str) -> Result<Vec<SecretString>, ConfigError> {
    let text = value(environment, name)?.unwrap_or_default();
    let each = text.split(',').map(str::trim).filter(|secret| !secret.is_empty());
    Ok(each.map(SecretString::from).collect())
}

/// What a variable has that the settings name, or the file that it names with `_FILE`. Whoever needs it says that it is missing.
pub(super) fn named(environment: &BTreeMap<String, String>, name: &str) -> Option<String> {
    value(environment, name).ok().flatten()
}

/// The variable, or what the file holds that `NAME_FILE` names. Empty counts as not set: compose files pass on what is
/// missing as nothing.
fn value(environment: &BTreeMap<String, String>, name: &str) -> Result<Option<String>, ConfigError> {
    let set = |name: &str| environment.get(name).filter(|value| !value.trim().is_empty());
    match (set(name), set(&format!("{name}_FILE"))) {
        (Some(_), Some(_)) => Err(ConfigError::TwoSecrets(name.to_owned())),
        (Some(value), None) => Ok(Some(value.trim().to_owned())),
        (None, Some(path)) => {
            let path = PathBuf::from(path);
            let text = std::fs::read_to_string(&path)
                .map_err(|source| ConfigError::SecretFile { variable: name.to_owned(), source })?;
            Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
        }
        (None, None) => Ok(None),
    }
}
