//! Who Docket is to OpenAI, checked.

use std::collections::BTreeMap;
use std::path::PathBuf;

use url::Url;

use super::{Config, ConfigError, Identity, OpenaiSettings, Way};
use crate::openai::{Exchange, KeyHeader, Login, Workload, is_azure};

/// Where OpenAI exchanges tokens (its API reference on workload identity federation).
const OPENAI_EXCHANGE: &str = "https://auth.openai.com/oauth/token";

/// Where Entra gives them, unless `AZURE_AUTHORITY_HOST` says otherwise.
const ENTRA: &str = "https://login.microsoftonline.com/";

/// Takes what Azure's webhook for workload identities puts into a container's environment, where no setting says otherwise.
pub(super) fn fill(openai: &mut OpenaiSettings, environment: &BTreeMap<String, String>) {
    if openai.identity != Identity::Entra {
        return;
    }
    let said = |name: &str| {
        environment.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    openai.entra_tenant = openai.entra_tenant.take().or_else(|| said("AZURE_TENANT_ID"));
    openai.entra_client = openai.entra_client.take().or_else(|| said("AZURE_CLIENT_ID"));
    let file = || said("AZURE_FEDERATED_TOKEN_FILE").map(PathBuf::from);
    openai.identity_token_file = openai.identity_token_file.take().or_else(file);
    if openai.token_url.is_none() {
        let host = said("AZURE_AUTHORITY_HOST").and_then(|host| Url::parse(&host).ok());
        let host = host.unwrap_or_else(|| Url::parse(ENTRA).expect("it is a URL"));
        let path = openai.entra_tenant.as_ref().map(|tenant| format!("/{tenant}/oauth2/v2.0/token"));
        openai.token_url = path.and_then(|path| host.join(&path).ok());
    }
}

impl Config {
    /// Who Docket is to OpenAI.
    ///
    /// # Errors
    /// What is missing for that: the key, or a part of the identity.
    pub fn openai_login(&self) -> Result<Login, ConfigError> {
        let openai = &self.openai;
        if openai.identity == Identity::Key {
            let at_azure = openai.base_url.host_str().is_some_and(is_azure);
            let by_host = if at_azure { KeyHeader::ApiKey } else { KeyHeader::Authorization };
            return Ok(Login::Key(self.secrets.openai_api_key()?, openai.key_header.unwrap_or(by_host)));
        }
        let (token_file, token_url, exchange) = match openai.identity {
            Identity::Workload | Identity::Key => (
                needed(
                    &openai.identity_token_file,
                    "identity_token_file",
                    "the file with the workload's own token",
                )?,
                openai.token_url.clone().unwrap_or_else(|| Url::parse(OPENAI_EXCHANGE).expect("it is a URL")),
                Exchange::OpenAi {
                    identity_provider: needed(
                        &openai.identity_provider,
                        "identity_provider",
                        "OpenAI's id of the provider",
                    )?,
                    service_account: needed(
                        &openai.service_account,
                        "service_account",
                        "OpenAI's id of the service account",
                    )?,
                    token_type: openai.identity_token_type,
                },
            ),
            Identity::Entra => {
                needed(&openai.entra_tenant, "entra_tenant", "or AZURE_TENANT_ID, the tenant's id")?;
                (
                    needed(
                        &openai.identity_token_file,
                        "identity_token_file",
                        "or AZURE_FEDERATED_TOKEN_FILE, the file with the token",
                    )?,
                    needed(&openai.token_url, "token_url", "where the tenant gives tokens")?,
                    Exchange::Entra {
                        client: needed(
                            &openai.entra_client,
                            "entra_client",
                            "or AZURE_CLIENT_ID, the client's id",
                        )?,
                        scope: openai.entra_scope.clone(),
                    },
                )
            }
        };
        Way { section: "openai", url: &token_url, allow_plain_http: openai.allow_plain_http }.check()?;
        Ok(Login::Workload(Workload { token_url, token_file: self.folder.join(token_file), exchange }))
    }
}

fn needed<T: Clone>(setting: &Option<T>, name: &str, what: &str) -> Result<T, ConfigError> {
    setting.clone().ok_or_else(|| ConfigError::Identity(format!("set openai.{name}, {what}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    fn login(text: &str, environment: &[(&str, &str)]) -> Result<Login, String> {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let sources = Sources { environment: environment.collect(), ..Sources::default() };
        let config = Config::from_text(text, None, &sources).map_err(|error| error.to_string())?;
        config.openai_login().map_err(|error| error.to_string())
    }

    #[test]
    fn a_key_stands_where_the_host_takes_it() {
        let header = |text: &str| match login(text, &[("OPENAI_API_KEY", "sk-0123456789abcdef")]).unwrap() {
            Login::Key(_, header) => header,
            Login::Workload(workload) => panic!("{workload:?}"),
        };
        assert_eq!(header(""), KeyHeader::Authorization);
        assert_eq!(header("[openai]\nbase_url = 'https://a.openai.azure.com/openai/v1/'"), KeyHeader::ApiKey);
        let said =
            "[openai]\nbase_url = 'https://a.openai.azure.com/openai/v1/'\nkey_header = 'authorization'";
        assert_eq!(header(said), KeyHeader::Authorization);
    }

    #[test]
    fn what_is_missing_for_an_identity_is_told_by_its_setting() {
        let workload = "[openai]\nidentity = 'workload'\nidentity_token_file = '/t'\nidentity_provider = 'p'";
        assert!(login(workload, &[]).unwrap_err().contains("openai.service_account"));
        let Login::Workload(whole) = login(&format!("{workload}\nservice_account = 's'"), &[]).unwrap()
        else {
            panic!()
        };
        assert_eq!(whole.token_url.as_str(), OPENAI_EXCHANGE);
        let entra = "[openai]\nidentity = 'entra'";
        assert!(login(entra, &[]).unwrap_err().contains("AZURE_TENANT_ID"));
        let plain = format!("{entra}\ntoken_url = 'http://login.example/'");
        let azure =
            [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c"), ("AZURE_FEDERATED_TOKEN_FILE", "/t")];
        assert!(login(&plain, &azure).unwrap_err().contains("clear text"));
        let Login::Workload(entra) = login(entra, &azure).unwrap() else { panic!() };
        assert_eq!(entra.token_url.as_str(), "https://login.microsoftonline.com/t/oauth2/v2.0/token");
    }
}
