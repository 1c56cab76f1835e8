//! Secrets, from the environment or from the files it names. They are wrapped where they enter, so that printing the
//! settings cannot print them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use secrecy::SecretString;

use super::ConfigError;

/// What nobody else may see.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    fastio_api_key: Option<SecretString>,
    openai_api_key: Option<SecretString>,
    /// The present one first, then the one that is being rotated out.
    pub fastio_webhook: Vec<SecretString>,
    /// As those. Without one OpenAI's webhooks are not taken in.
    pub openai_webhook: Vec<SecretString>,
    /// What the operator listener asks for.
    pub admin_token: Option<SecretString>,
}

impl Secrets {
    pub(super) fn read(environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        Ok(Secrets {
            fastio_api_key: value(environment, "FASTIO_API_KEY")?.map(SecretString::from),
            openai_api_key: value(environment, "OPENAI_API_KEY")?.map(SecretString::from),
            fastio_webhook: several(environment, "FASTIO_WEBHOOK_SECRET")?,
            openai_webhook: several(environment, "OPENAI_WEBHOOK_SECRET")?,
            admin_token: value(environment, "DOCKET_ADMIN_TOKEN")?.map(SecretString::from),
        })
    }

    /// # Errors
    /// It is not set.
    pub fn fastio_api_key(&self) -> Result<SecretString, ConfigError> {
        self.fastio_api_key.clone().ok_or(ConfigError::NoSecret {
            variable: "FASTIO_API_KEY",
            why: "make a key at go.fast.io under Settings, API keys, that may read the workspaces of the rules",
        })
    }

    /// # Errors
    /// It is not set.
    pub fn openai_api_key(&self) -> Result<SecretString, ConfigError> {
        self.openai_api_key.clone().ok_or(ConfigError::NoSecret {
            variable: "OPENAI_API_KEY",
            why: "make a project key at platform.openai.com that may write files and vector stores",
        })
    }
}

/// The secrets in a variable, separated by commas.
fn several(environment: &BTreeMap<String, String>, name: &str) -> Result<Vec<SecretString>, ConfigError> {
    let text = value(environment, name)?.unwrap_or_default();
    let each = text.split(',').map(str::trim).filter(|secret| !secret.is_empty());
    Ok(each.map(SecretString::from).collect())
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
