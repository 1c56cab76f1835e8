//! The settings for a person to look at: each with its value and where that came from. No secret is among them: those are in no
//! setting, and of an address only what is no credential is shown.

use std::fmt;
use std::path::Path;

use toml::{Table, Value};
use url::Url;

use super::overlay::Override;
use super::{Config, DEFAULT_PATH};

/// What every setting is unless it is set. A test holds it to the program.
const DEFAULTS: &str = include_str!("../../docket.example.toml");

/// The variables of the secrets. Each may name a file instead.
const SECRETS: [&str; 8] = [
    "FASTIO_API_KEY",
    "FASTIO_MCP_KEY",
    "OPENAI_API_KEY",
    "FASTIO_WEBHOOK_SECRET",
    "OPENAI_WEBHOOK_SECRET",
    "DOCKET_ADMIN_TOKEN",
    "DOCKET_VIEW_TOKEN",
    "DATABASE_PASSWORD",
];

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// `section.name`.
    pub name: String,
    pub value: String,
    /// The file, a variable, a flag, or `default`.
    pub from: String,
}

/// What is set. Two that say the same in other words are the same settings, and print alike.
#[derive(Default)]
pub(super) struct Set(Vec<Shown>);

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What the file and what stands above it say, the strongest last.
pub(super) fn set(text: &str, path: Option<&Path>, overrides: &[Override]) -> Set {
    let table: Table = text.parse().unwrap_or_default();
    let file = path.unwrap_or(Path::new(DEFAULT_PATH)).display().to_string();
    let mut set = Vec::new();
    for (section, fields) in &table {
        // Rules are told by themselves.
        let Some(fields) = fields.as_table().filter(|_| section != "rule") else { continue };
        for (name, value) in fields {
            let name = format!("{section}.{name}");
            let value = shown(&name, value);
            set.push(Shown { name, value, from: file.clone() });
        }
    }
    for Override { place, key, value } in overrides {
        set.retain(|shown| shown.name != *key);
        set.push(Shown { name: key.clone(), value: shown(key, value), from: place.clone() });
    }
    Set(set)
}

fn shown(name: &str, value: &Value) -> String {
    match value {
        Value::String(text) => without_credentials(name, text),
        other => other.to_string(),
    }
}

/// An address without what may be a password: the user, and what is asked of it.
fn without_credentials(name: &str, text: &str) -> String {
    let is_address = text.contains("://") || name.ends_with("url");
    match Url::parse(text) {
        Ok(mut url) if is_address => {
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.set_query(None);
            url.set_fragment(None);
            url.to_string()
        }
        // What cannot be read could have one anywhere.
        Err(_) if is_address => "set".to_owned(),
        _ => text.to_owned(),
    }
}

impl Config {
    /// Every setting, those that are set and those that are not, and of each secret whether it is set.
    pub fn shown(&self) -> Vec<Shown> {
        let mut all = self.set.0.clone();
        for default in defaults() {
            if !all.iter().any(|shown| shown.name == default.name) {
                all.push(default);
            }
        }
        all.sort_by(|one, other| one.name.cmp(&other.name));
        let files = &self.secret_files;
        let secrets = &self.secrets;
        let is_set = [
            secrets.fastio_api_key().is_ok(),
            secrets.fastio_mcp_key().is_some(),
            secrets.openai_api_key().is_ok(),
            !secrets.fastio_webhook.is_empty(),
            !secrets.openai_webhook.is_empty(),
            secrets.tokens.admin.is_some(),
            secrets.tokens.view.is_some(),
            secrets.database_password.is_some(),
        ];
        all.extend(SECRETS.iter().zip(is_set).map(|(name, is_set)| {
            let is_of_file = files.iter().any(|(variable, _)| variable.strip_suffix("_FILE") == Some(name));
            let from = match (is_set, is_of_file) {
                (false, _) => "default",
                (true, true) => "a file that the environment names",
                (true, false) => "environment",
            };
            Shown {
                name: (*name).to_owned(),
                value: if is_set { "set" } else { "not set" }.to_owned(),
                from: from.to_owned(),
            }
        }));
        all
    }
}

/// The example has every setting with its default, commented out.
fn defaults() -> Vec<Shown> {
    let (mut section, mut found) = (String::new(), Vec::new());
    for line in DEFAULTS.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_matches(['[', ']']).to_owned();
            continue;
        }
        let Some((name, value)) = line.split_once(" = ") else { continue };
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        // A rule, and who is told something, have no defaults to be told here, and a price none at all.
        if is_name && !["rule", "prices", "notify"].iter().any(|of| section.starts_with(of)) {
            let name = format!("{section}.{name}");
            let value = if WITHOUT_DEFAULT.contains(&name.as_str()) { "not set" } else { value };
            let value = value.trim_matches('"').to_owned();
            found.push(Shown { name, value, from: "default".to_owned() });
        }
    }
    found
}

/// Settings that are off unless they are set: the example shows what one could be.
const WITHOUT_DEFAULT: [&str; 14] = [
    "database.migration_url",
    "openai.organization",
    "openai.project",
    "openai.key_header",
    "openai.identity_token_file",
    "openai.identity_provider",
    "openai.service_account",
    "openai.entra_tenant",
    "openai.entra_client",
    "openai.token_url",
    "operate.environment",
    "feed.org_id",
    "storage.budget",
    "storage.stores",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::Sources;

    #[test]
    fn each_setting_is_told_with_where_it_came_from_and_no_secret() {
        let sources = Sources {
            set: vec!["queue.workers=3".to_owned()],
            environment: BTreeMap::from(
                [
                    ("DOCKET_RECEIVE__LISTEN", "127.0.0.1:9"),
                    ("OPENAI_API_KEY", "sk-secret-one"),
                    ("DOCKET_ADMIN_TOKEN", "a-token-for-operators"),
                    ("DATABASE_URL", "postgres://kim:secret-two@db.example/docket?password=secret-three"),
                ]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
            ),
            ..Sources::default()
        };
        let config =
            Config::from_text("[queue]\nworkers = 2\n[log]\nfilter = 'debug'\n", None, &sources).unwrap();
        let shown = config.shown();
        let of = |name: &str| {
            let mut found = shown.iter().filter(|shown| shown.name == name);
            let (one, None) = (found.next().unwrap(), found.next()) else { panic!("{name} is there twice") };
            (one.value.as_str(), one.from.as_str())
        };
        assert_eq!(of("queue.workers"), ("3", "--set queue.workers"));
        assert_eq!(of("log.filter"), ("debug", "docket.toml"));
        assert_eq!(of("receive.listen"), ("127.0.0.1:9", "DOCKET_RECEIVE__LISTEN"));
        assert_eq!(of("operate.listen"), ("127.0.0.1:8081", "default"));
        assert_eq!(of("operate.environment"), ("not set", "default"));
        assert_eq!(of("database.url"), ("postgres://db.example/docket", "DATABASE_URL"));
        assert_eq!(of("OPENAI_API_KEY"), ("set", "environment"));
        assert_eq!(of("DOCKET_VIEW_TOKEN"), ("not set", "default"));
        let all = format!("{shown:?}");
        assert!(!all.contains("secret-") && !all.contains("a-token"), "{all}");
    }
}
