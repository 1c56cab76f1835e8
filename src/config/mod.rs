//! `docket.toml`, then the environment, then flags: one checked value. Secrets come from the environment or from files
//! and never print.

mod base_url;
mod fault;
mod login;
mod overlay;
pub mod permissions;
mod ranges;
mod rotation;
mod secrets;
mod shown;
mod tools;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use url::Url;

use crate::http::stays_here;
use crate::openai::{KeyHeader, TokenType};
use crate::operate::status::About;
use crate::rule::{RuleError, RuleSettings, Rules};
use crate::{database, feed, govern, notify, operate, queue, receive, retention, run, setting_error, sync};

pub use base_url::Way;
pub use fault::{Fault, PUBLIC_SECRET};
pub use rotation::{Rotated, SecretFiles};
pub use secrets::Secrets;
pub use shown::Shown;

/// Where the settings are when neither flag nor environment says otherwise.
const DEFAULT_PATH: &str = "docket.toml";

/// What Docket works by.
#[derive(Debug)]
pub struct Config {
    pub database: database::Settings,
    pub fastio: FastioSettings,
    pub openai: OpenaiSettings,
    pub receive: receive::Settings,
    pub operate: operate::Settings,
    pub queue: queue::Settings,
    pub sync: sync::Settings,
    pub storage: sync::budget::Settings,
    pub limits: govern::Settings,
    pub feed: feed::Settings,
    pub sweep: feed::SweepSettings,
    pub retention: retention::Settings,
    pub log: LogSettings,
    /// What models' tokens cost, by the model's name in the rules.
    pub prices: BTreeMap<String, run::Price>,
    /// Who is told what happens, or what stands in the way of that.
    pub endpoints: Result<Vec<notify::Endpoint>, notify::SettingsError>,
    pub rules: Vec<RuleSettings>,
    pub secrets: Secrets,
    /// The settings file, if there is one.
    path: Option<PathBuf>,
    /// Where the settings file is: what it names is relative to it.
    folder: PathBuf,
    /// The files that hold secrets, each by the variable that names it.
    secret_files: Vec<(String, PathBuf)>,
    /// What was set, where: all but what is a default.
    set: shown::Set,
}

/// Where the settings come from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// `--config`. Without it `DOCKET_CONFIG`, then `docket.toml` if there is one.
    pub path: Option<PathBuf>,
    /// `--set KEY=VALUE`, in their order.
    pub set: Vec<String>,
    /// The process's environment.
    pub environment: BTreeMap<String, String>,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the settings in {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path}: {message}")]
    File { path: PathBuf, message: String },
    #[error("{place}: {message}")]
    Override { place: String, message: String },
    // Not the path: it may be the secret itself, in the wrong variable.
    #[error("cannot read the file that {variable}_FILE names: {source}{}", encoding(.source))]
    SecretFile { variable: String, source: std::io::Error },
    #[error("both {0} and {0}_FILE are set: keep one of them")]
    TwoSecrets(String),
    #[error("{variable} is not set: {why}")]
    NoSecret { variable: &'static str, why: &'static str },
    #[error("{}", .0.join("\n"))]
    Unusable(Vec<String>),
    #[error(
        "{section}.base_url is http:// on another machine, where the key would arrive in clear text: write https://, or \
         set {section}.allow_plain_http = true if the way there is safe otherwise"
    )]
    PlainHttp { section: &'static str },
    #[error("openai.identity: {0}")]
    Identity(String),
    #[error("{which} {fault}")]
    BadSecret { which: String, fault: Fault },
    #[error("{0}")]
    Rule(#[from] RuleError),
    #[error("{0}")]
    Run(#[from] run::SettingsError),
}

/// What to do about a file whose bytes are no text.
fn encoding(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::InvalidData => {
            "; save it as UTF-8 without a byte order mark (a Windows editor may write UTF-16)"
        }
        _ => "",
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    database: database::Settings,
    fastio: FastioSettings,
    openai: OpenaiSettings,
    receive: receive::Settings,
    operate: operate::Settings,
    queue: queue::Settings,
    sync: sync::Settings,
    storage: sync::budget::Settings,
    limits: govern::Settings,
    feed: feed::Settings,
    sweep: feed::SweepSettings,
    retention: retention::Settings,
    log: LogSettings,
    prices: BTreeMap<String, run::Price>,
    notify: Vec<notify::Settings>,
    #[serde(deserialize_with = "rule_tables")]
    rule: Vec<RuleSettings>,
}

/// A rule in single brackets would be the only one; the error says how a list of tables is written.
fn rule_tables<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<RuleSettings>, D::Error> {
    struct Tables;
    impl<'de> Visitor<'de> for Tables {
        type Value = Vec<RuleSettings>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("[[rule]] in two pairs of brackets, once for each rule")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut tables: A) -> Result<Self::Value, A::Error> {
            let mut rules = Vec::new();
            while let Some(rule) = tables.next_element()? {
                rules.push(rule);
            }
            Ok(rules)
        }
    }
    deserializer.deserialize_seq(Tables)
}

/// `[fastio]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FastioSettings {
    /// Fastio's API.
    #[serde(deserialize_with = "base_url::read")]
    pub base_url: Url,
    /// Send the key over a network in clear text all the same.
    pub allow_plain_http: bool,
    /// Fastio's MCP server, which OpenAI asks for runs with `tools = ["fastio"]`.
    #[serde(deserialize_with = "base_url::read")]
    pub mcp_url: Url,
    /// What such a run may use without a person.
    pub mcp_tools: Vec<String>,
}

/// Tools of Fastio's MCP server that only read (its named set, as its skill describes it).
const READING_TOOLS: [&str; 4] = ["storage", "find", "metadata", "event"];

impl Default for FastioSettings {
    fn default() -> Self {
        FastioSettings {
            base_url: Url::parse("https://api.fast.io/current").expect("it is a URL"),
            allow_plain_http: false,
            mcp_url: Url::parse("https://mcp.fast.io/mcp/tools").expect("it is a URL"),
            mcp_tools: READING_TOOLS.map(str::to_owned).to_vec(),
        }
    }
}

/// `[openai]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpenaiSettings {
    /// OpenAI's API, or a compatible one.
    #[serde(deserialize_with = "base_url::read")]
    pub base_url: Url,
    /// Send the key over a network in clear text all the same.
    pub allow_plain_http: bool,
    /// Sent as `OpenAI-Organization`.
    pub organization: Option<String>,
    /// Sent as `OpenAI-Project`.
    pub project: Option<String>,
    /// Where the key stands in a request: `authorization`, or `api-key`. Default: as the host takes it, which for Azure OpenAI is `api-key`.
    pub key_header: Option<KeyHeader>,
    /// Who Docket is to OpenAI: what has the `key`, or a workload whose identity OpenAI (`workload`) or Microsoft `entra` gives a
    /// token for.
    pub identity: Identity,
    /// The file with the workload's own token, which whoever wrote it replaces before it ends; with `entra` by default what
    /// `AZURE_FEDERATED_TOKEN_FILE` names.
    pub identity_token_file: Option<PathBuf>,
    /// What kind of token that is: `jwt` or `id_token`.
    pub identity_token_type: TokenType,
    /// OpenAI's id of the provider that gave it.
    pub identity_provider: Option<String>,
    /// OpenAI's id of the service account that the workload acts as.
    pub service_account: Option<String>,
    /// Entra's tenant and client. Default: `AZURE_TENANT_ID` and `AZURE_CLIENT_ID`.
    pub entra_tenant: Option<String>,
    pub entra_client: Option<String>,
    /// What a token of Entra's is for.
    pub entra_scope: String,
    /// Where tokens are given. Default: OpenAI's exchange, or the tenant's at `AZURE_AUTHORITY_HOST`, else at login.microsoftonline.com.
    pub token_url: Option<Url>,
}

/// Who Docket is to OpenAI.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    #[default]
    Key,
    Workload,
    Entra,
}

impl Default for OpenaiSettings {
    fn default() -> Self {
        OpenaiSettings {
            base_url: Url::parse("https://api.openai.com/v1").expect("it is a URL"),
            allow_plain_http: false,
            organization: None,
            project: None,
            key_header: None,
            identity: Identity::Key,
            identity_token_file: None,
            identity_token_type: TokenType::Jwt,
            identity_provider: None,
            service_account: None,
            entra_tenant: None,
            entra_client: None,
            // As Microsoft's guide to the v1 API has it.
            entra_scope: "https://ai.azure.com/.default".to_owned(),
            token_url: None,
        }
    }
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// What is logged, such as `info` or `docket::sync=debug,info`.
    pub filter: String,
    /// `text`, `json`, or `auto`: text on a terminal, JSON elsewhere.
    pub format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Auto,
    Text,
    Json,
}

impl Default for LogSettings {
    fn default() -> Self {
        LogSettings { filter: "info".to_owned(), format: LogFormat::Auto }
    }
}

impl Sources {
    /// The environment of this process.
    pub fn from_process(path: Option<PathBuf>, set: Vec<String>) -> Self {
        // What is not UTF-8 cannot be one of ours.
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Sources { path, set, environment: std::env::vars_os().filter_map(text).collect() }
    }

    fn path(&self) -> Option<PathBuf> {
        let named = self.path.clone().or_else(|| self.environment.get("DOCKET_CONFIG").map(PathBuf::from));
        named.or_else(|| Some(PathBuf::from(DEFAULT_PATH)).filter(|path| path.exists()))
    }
}

impl Config {
    /// Reads and checks all sources.
    ///
    /// # Errors
    /// The first thing that is wrong, and where it stands.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let path = sources.path();
        let text = path.as_deref().map_or(Ok(String::new()), read)?;
        Self::from_text(&text, path.as_deref(), sources)
    }

    /// Checks all sources, of which the file at `path` says `text`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_text(text: &str, path: Option<&Path>, sources: &Sources) -> Result<Self, ConfigError> {
        let file_error = |message: String| ConfigError::File {
            path: path.unwrap_or(Path::new(DEFAULT_PATH)).to_owned(),
            message,
        };
        // The file alone first: only then does an error tell its line.
        let told = |error: &toml::de::Error| file_error(setting_error::in_text(text, error));
        let file: File = toml::from_str(text).map_err(|error| told(&error))?;
        let overrides = overlay::overrides(sources)?;
        let set = shown::set(text, path, &overrides);
        let file = if overrides.is_empty() {
            file
        } else {
            let table = text.parse().map_err(|error| told(&error))?;
            overlay::apply(table, overrides)?
        };
        let File {
            mut database,
            fastio,
            mut openai,
            receive,
            operate,
            queue,
            sync,
            storage,
            limits,
            feed,
            sweep,
            retention,
            log,
            prices,
            notify,
            rule,
        } = file;
        if let Some((model, _)) = prices.iter().find(|(_, price)| !price.is_sound()) {
            return Err(file_error(format!(
                "prices.\"{model}\": a price is a number of dollars, and not below 0"
            )));
        }
        login::fill(&mut openai, &sources.environment);
        let secrets = Secrets::read(&sources.environment)?;
        let folder = path.and_then(Path::parent).map(Path::to_owned).unwrap_or_default();
        if !database.is_postgres() {
            database.url = database::relative_to(&database.url, &folder);
        }
        database.password = secrets.database_password.clone();
        let rules = rule;
        let endpoints = notify::endpoints(&notify, |name| secrets::named(&sources.environment, name));
        let secret_files = permissions::secret_files(&sources.environment);
        let config = Config {
            database,
            fastio,
            openai,
            receive,
            operate,
            queue,
            sync,
            storage,
            limits,
            feed,
            sweep,
            retention,
            log,
            prices,
            endpoints,
            rules,
            secrets,
            path: path.map(Path::to_owned),
            folder,
            secret_files,
            set,
        };
        config.ways().iter().try_for_each(Way::check)?;
        Ok(config)
    }

    /// Where the keys go.
    pub fn ways(&self) -> [Way<'_>; 2] {
        let FastioSettings { base_url: fastio, allow_plain_http: fastio_plain, .. } = &self.fastio;
        let OpenaiSettings { base_url: openai, allow_plain_http: openai_plain, .. } = &self.openai;
        [
            Way { section: "fastio", url: fastio, allow_plain_http: *fastio_plain },
            Way { section: "openai", url: openai, allow_plain_http: *openai_plain },
        ]
    }

    /// The settings file, by its absolute path. `None` where all stands in the environment and in flags.
    pub fn path(&self) -> Option<PathBuf> {
        self.path.as_deref().map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
    }

    /// The rules, checked together.
    ///
    /// # Errors
    /// The first rule that cannot work.
    pub fn rules(&self) -> Result<Rules, RuleError> {
        Rules::new(self.rules.clone())
    }

    /// Which Docket this is, for those who ask how it is.
    pub fn about(&self) -> About {
        let rules = self.rules();
        let storage = rules.as_ref().map(|rules| self.storage.plan(rules)).unwrap_or_default();
        let rules = rules.iter().flat_map(|rules| rules.iter().map(|rule| rule.name.clone()));
        About {
            storage,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            database: self.database.shown(),
            rules: rules.collect(),
        }
    }

    /// What is wrong with the webhooks' secrets, without them. None may be used by a server.
    pub fn webhook_faults(&self) -> Vec<ConfigError> {
        let bases = [&self.fastio.base_url, &self.openai.base_url];
        self.secrets.webhook_faults(bases.into_iter().all(stays_here))
    }

    /// What is wrong with how the operators' token is written, without it.
    pub fn token_fault(&self) -> Option<ConfigError> {
        self.secrets.token_fault()
    }

    /// What is run over the files of `rules`, checked, with the schemas it names.
    ///
    /// # Errors
    /// The first `[rule.run]` that cannot work.
    pub fn runs(&self, rules: &Rules) -> Result<Vec<run::Definition>, run::SettingsError> {
        let mut found = run::definitions(&self.rules, rules, (&self.folder, &self.openai.base_url))?;
        for definition in &mut found {
            definition.price = definition.engine.model().and_then(|model| self.prices.get(model)).copied();
            if definition.tools.contains(&run::ToolServer::Fastio) {
                definition.mcp = self.secrets.fastio_mcp_key().map(|key| run::Mcp {
                    url: self.fastio.mcp_url.clone(),
                    key: key.clone(),
                    tools: self.fastio.mcp_tools.clone(),
                });
            }
        }
        Ok(found)
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
