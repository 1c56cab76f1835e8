//! What Fastio and OpenAI say to our keys. Every request here reads.

use std::io;

use super::covers::covers;
use super::local::Schema;
use super::{CheckReport, Checked, runs};
use crate::config::{ConfigError, Identity};
use crate::fastio::{self, NodeId};
use crate::feed::coverage::coverage;
use crate::openai::{self, FileId, VectorStoreId};
use crate::rule::{Rules, Target};
use crate::sync::{founding, vector_store_fault};

pub async fn fastio(report: &mut CheckReport, checked: &Checked<'_>) -> io::Result<()> {
    const CHECK: &str = "Fastio";
    let Checked { config, subject, known } = checked;
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
    let Some(rules) = &subject.rules else { return Ok(()) };
    let (mut seen, mut shared) = (Vec::new(), Vec::new());
    for profile in &rules.profiles() {
        let check = format!("Fastio {}", profile.kind.as_str());
        let (kind, id) = (profile.kind.as_str(), &profile.id);
        match client.list(profile, &NodeId::root(), None).await {
            Ok(_) => {
                report.ok(check, format!("{id} can be read"))?;
                let covered = coverage(&client, profile, rules).await;
                shared.extend(covers(report, profile, covered, known)?);
                seen.push(profile.clone());
            }
            Err(error) if error.is_not_found() => report.fail(
                check,
                format!(
                    "Fastio has no {kind} {id} for this key: correct the rule, or use a key that may see it"
                ),
            )?,
            Err(error) => report.fail(check, format!("{id}: {}", fastio_advice(&error, base)))?,
        }
    }
    runs::shared(report, &subject.definitions, &shared)?;
    runs::fastio(report, &client, &subject.definitions).await?;
    runs::actions(report, &client, &subject.definitions).await?;
    runs::tools(report, base, &subject.definitions).await?;
    super::ways::learn(report, &client, &seen, &config.feed).await
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

pub async fn openai(report: &mut CheckReport, checked: &Checked<'_>, schema: Schema) -> io::Result<()> {
    const CHECK: &str = "OpenAI";
    let Checked { config, subject, known } = checked;
    let settings = &config.openai;
    let names = (settings.organization.as_deref(), settings.project.as_deref());
    let client = config.openai_login().map_err(Unready::from);
    let client = client.and_then(|login| {
        openai::Client::new(&settings.base_url, login, names.0, names.1).map_err(Unready::from)
    });
    let client = match client {
        Ok(client) => client,
        Err(Unready(words)) => return report.fail(CHECK, words),
    };
    match client.vector_stores(None).await {
        Ok(_) => {
            let what = match settings.identity {
                Identity::Key => "the key",
                Identity::Workload => "the token that OpenAI gives for the workload's identity",
                Identity::Entra => "the token that Entra gives for the workload's identity",
            };
            report
                .ok(CHECK, format!("{} takes {what}, and vector stores can be listed", settings.base_url))?;
        }
        Err(error) => return report.fail(CHECK, openai_advice(&error, &settings.base_url)),
    }
    if client.is_azure() {
        // Microsoft's documents in November 2026. That it sends no webhook of a response's end is inferred: none of them names one.
        report.ok(
            CHECK,
            "this is Azure OpenAI: a rule's model is the name of a deployment there; no webhook tells of a response's end, so that each is \
             looked at until then; a setting that its region or API does not have yet is refused with its name, and holds that rule alone",
        )?;
    }
    let Some(rules) = &subject.rules else { return Ok(()) };
    let mut targets: Vec<&Target> = Vec::new();
    for rule in rules.iter() {
        if !targets.contains(&&rule.target) {
            targets.push(&rule.target);
        }
    }
    let base = &settings.base_url;
    for target in targets {
        match target {
            Target::Id(id) => vector_store(report, &client, &Store { id, created_as: None }, base).await?,
            Target::Create { create } => match known.made.iter().find(|(name, _)| name == create) {
                Some((_, id)) => {
                    vector_store(report, &client, &Store { id, created_as: Some(create) }, base).await?;
                }
                None => {
                    report
                        .ok("vector store", format!("\"{create}\" is created with the first file, once"))?;
                }
            },
        }
    }
    let mut next: Vec<&VectorStoreId> = rules.iter().flat_map(|rule| &rule.next).collect();
    next.sort();
    next.dedup();
    for id in next {
        vector_store(report, &client, &Store { id, created_as: None }, base).await?;
    }
    for (name, id) in &known.continued {
        vector_store(report, &client, &Store { id, created_as: Some(name) }, base).await?;
    }
    for words in &known.full {
        report.ok("vector store", words)?;
    }
    // Whether the database of another version is empty cannot be known here.
    if !known.founded && schema != Schema::Another {
        second_database(report, &client, rules).await?;
    }
    runs::openai(report, &client, &subject.definitions).await
}

/// A server would refuse to begin with an empty database beside copies of ours.
async fn second_database(report: &mut CheckReport, client: &openai::Client, rules: &Rules) -> io::Result<()> {
    const CHECK: &str = "database";
    match founding::look(client, rules).await {
        Ok(earlier) if earlier.is_empty() => Ok(()),
        Ok(earlier) => report.fail(CHECK, founding::second(&earlier)),
        Err(error) => report.warn(
            CHECK,
            format!("whether another database has made copies at OpenAI cannot be told, and nothing is uploaded until it can: {error}"),
        ),
    }
}

/// A store that a rule names by its id, or that was made for one that `create`s it.
struct Store<'a> {
    id: &'a VectorStoreId,
    created_as: Option<&'a str>,
}

async fn vector_store(
    report: &mut CheckReport,
    client: &openai::Client,
    store: &Store<'_>,
    base: &url::Url,
) -> io::Result<()> {
    const CHECK: &str = "vector store";
    let id = store.id;
    match client.vector_store(id).await {
        Ok(store) => match vector_store_fault(&store) {
            None => {
                let name = store.name.map(|name| format!(" \"{name}\"")).unwrap_or_default();
                report.ok(CHECK, format!("{id}{name} is there and does not expire"))?;
                absent_file(report, client, id).await
            }
            Some(fault) => report.fail(CHECK, format!("{id} {fault}")),
        },
        Err(error) if error.is_not_found() => {
            let words = match store.created_as {
                Some(name) => format!(
                    "the store \"{name}\" that Docket made, {id}, is gone: a server makes it anew and puts all its files into \
                     it. If this is a key of another project, use one of the store's"
                ),
                None => format!(
                    "OpenAI has no {id} for this key: correct the rule, or use a key of the store's project"
                ),
            };
            report.fail(CHECK, words)
        }
        Err(error) => report.fail(CHECK, format!("{id}: {}", openai_advice(&error, base))),
    }
}

/// A file that is not in a store has to be told as OpenAI tells it: a removal is done when it is not there any more.
async fn absent_file(
    report: &mut CheckReport,
    client: &openai::Client,
    id: &VectorStoreId,
) -> io::Result<()> {
    let absent = FileId("file-docketprobe0000000000".to_owned());
    match client.store_file(id, &absent).await {
        Err(error) if error.is_not_found() => Ok(()),
        Ok(_) => report.fail("absent file", format!("{id} shows a file that cannot be in it, so Docket cannot tell what is removed")),
        Err(error) => report.fail(
            "absent file",
            format!("asked for a file that is not in {id}, the service does not say so as OpenAI does, so nothing can be removed for certain: {error}"),
        ),
    }
}

fn openai_advice(error: &openai::Error, base: &url::Url) -> String {
    use openai::ErrorKind;
    let advice = match error.kind {
        ErrorKind::Unauthorized if base.host_str().is_some_and(openai::is_azure) => {
            "put a key of the Azure resource into OPENAI_API_KEY (portal.azure.com, Keys and Endpoint), or set openai.identity = \"entra\""
        }
        ErrorKind::Unauthorized => "put a valid project key into OPENAI_API_KEY (platform.openai.com)",
        ErrorKind::Identity => {
            "check openai.identity_token_file and the ids beside it, and that the provider is set up for this workload"
        }
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
