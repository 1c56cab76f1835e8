//! What Fastio and OpenAI say to our keys. Every request here reads.

use std::io;

use super::Report;
use crate::config::{Config, ConfigError};
use crate::fastio::{self, NodeId, Profile};
use crate::openai::{self, VectorStoreId};
use crate::sync::{Rules, Target, vector_store_fault};

pub async fn fastio(report: &mut Report, config: &Config, rules: &Option<Rules>) -> io::Result<()> {
    const CHECK: &str = "Fastio";
    let base = &config.fastio.base_url;
    let client = config.secrets.fastio_api_key().map_err(Unready::from);
    let client = client.and_then(|key| fastio::Client::new(base, key).map_err(Unready::from));
    let client = match client {
        Ok(client) => client,
        Err(Unready(words)) => return report.fail(CHECK, words),
    };
    match client.check_auth().await {
        Ok(()) => report.ok(CHECK, format!("{base} takes the key"))?,
        // Without it nothing else can be found out.
        Err(error) => return report.fail(CHECK, fastio_advice(&error, base)),
    }
    let mut profiles: Vec<&Profile> = Vec::new();
    for rule in rules.iter().flat_map(Rules::iter) {
        if !profiles.contains(&&rule.profile) {
            profiles.push(&rule.profile);
        }
    }
    for profile in profiles {
        let check = format!("Fastio {}", profile.kind.as_str());
        let (kind, id) = (profile.kind.as_str(), &profile.id);
        match client.list(profile, &NodeId::root(), None).await {
            Ok(_) => report.ok(check, format!("{id} can be read"))?,
            Err(error) if error.is_not_found() => report.fail(
                check,
                format!(
                    "Fastio has no {kind} {id} for this key: correct the rule, or use a key that may see it"
                ),
            )?,
            Err(error) => report.fail(check, format!("{id}: {}", fastio_advice(&error, base)))?,
        }
    }
    super::ways::learn(report, &client, rules, &config.feed).await
}

fn fastio_advice(error: &fastio::Error, base: &url::Url) -> String {
    use fastio::ErrorKind;
    let advice = match error.kind {
        ErrorKind::Unauthorized => "put a valid key into FASTIO_API_KEY (go.fast.io, Settings, API keys)",
        ErrorKind::Forbidden { .. } => "give the key's owner access, or use a key with more scopes",
        ErrorKind::PaymentRequired => "renew the subscription",
        ErrorKind::Unavailable { .. } | ErrorKind::Unreadable => {
            return format!(
                "{error}; check that fastio.base_url = {base} is right and can be reached from here"
            );
        }
        _ => return error.to_string(),
    };
    format!("{error}; {advice}")
}

pub async fn openai(report: &mut Report, config: &Config, rules: &Option<Rules>) -> io::Result<()> {
    const CHECK: &str = "OpenAI";
    let settings = &config.openai;
    let names = (settings.organization.as_deref(), settings.project.as_deref());
    let client = config.secrets.openai_api_key().map_err(Unready::from);
    let client = client.and_then(|key| {
        openai::Client::new(&settings.base_url, key, names.0, names.1).map_err(Unready::from)
    });
    let client = match client {
        Ok(client) => client,
        Err(Unready(words)) => return report.fail(CHECK, words),
    };
    match client.vector_stores(None).await {
        Ok(_) => report
            .ok(CHECK, format!("{} takes the key, and vector stores can be listed", settings.base_url))?,
        Err(error) => return report.fail(CHECK, openai_advice(&error, &settings.base_url)),
    }
    let mut targets: Vec<&Target> = Vec::new();
    for rule in rules.iter().flat_map(Rules::iter) {
        if !targets.contains(&&rule.target) {
            targets.push(&rule.target);
        }
    }
    for target in targets {
        match target {
            Target::Id(id) => vector_store(report, &client, id, config).await?,
            Target::Create { create } => {
                report.ok("vector store", format!("\"{create}\" is created with the first file, once"))?;
            }
        }
    }
    Ok(())
}

async fn vector_store(
    report: &mut Report,
    client: &openai::Client,
    id: &VectorStoreId,
    config: &Config,
) -> io::Result<()> {
    const CHECK: &str = "vector store";
    match client.vector_store(id).await {
        Ok(store) => match vector_store_fault(&store) {
            None => {
                let name = store.name.map(|name| format!(" \"{name}\"")).unwrap_or_default();
                report.ok(CHECK, format!("{id}{name} is there and does not expire"))
            }
            Some(fault) => report.fail(CHECK, format!("{id} {fault}")),
        },
        Err(error) if error.is_not_found() => report.fail(
            CHECK,
            format!("OpenAI has no {id} for this key: correct the rule, or use a key of the store's project"),
        ),
        Err(error) => report.fail(CHECK, format!("{id}: {}", openai_advice(&error, &config.openai.base_url))),
    }
}

fn openai_advice(error: &openai::Error, base: &url::Url) -> String {
    use openai::ErrorKind;
    let advice = match error.kind {
        ErrorKind::Unauthorized => "put a valid project key into OPENAI_API_KEY (platform.openai.com)",
        ErrorKind::Forbidden => "let the key read and write files and vector stores",
        ErrorKind::QuotaExhausted => "add credit to the account",
        ErrorKind::Unavailable { .. } | ErrorKind::Unreadable | ErrorKind::NotFound => {
            return format!(
                "{error}; check that openai.base_url = {base} is right and can be reached from here"
            );
        }
        _ => return error.to_string(),
    };
    format!("{error}; {advice}")
}

/// Why no question could be asked, in words.
struct Unready(String);

impl From<ConfigError> for Unready {
    fn from(error: ConfigError) -> Self {
        Unready(error.to_string())
    }
}

impl From<fastio::Error> for Unready {
    fn from(error: fastio::Error) -> Self {
        Unready(error.to_string())
    }
}

impl From<openai::Error> for Unready {
    fn from(error: openai::Error) -> Self {
        Unready(error.to_string())
    }
}
