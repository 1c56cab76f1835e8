//! What runs need besides what every rule needs: a model that there is, conversations, a place to write and names that are
//! each rule's own.

use std::collections::BTreeSet;
use std::io;

use url::Url;

use super::CheckReport;
use crate::fastio::{self, Profile, Writes};
use crate::openai::{self, ErrorKind};
use crate::run::{Clash, Definition, Engine};

/// What examples and README put where a model's name belongs.
const PLACEHOLDERS: [&str; 4] = ["your-model", "model", "…", "..."];

/// What needs no service: names that two rules may both write.
pub fn local(report: &mut CheckReport, definitions: &[Definition]) -> io::Result<()> {
    for (number, one) in definitions.iter().enumerate() {
        for other in &definitions[number + 1..] {
            if let Some(Clash::Possible(why)) = Clash::of(one, other) {
                report.warn("runs", why)?;
            }
        }
    }
    Ok(())
}

/// Files that two rules cover, as found: whether both write the same name beside one.
pub fn shared(
    report: &mut CheckReport,
    definitions: &[Definition],
    shared: &[(String, String, String)],
) -> io::Result<()> {
    let of = |name: &str| definitions.iter().find(|definition| definition.rule.name == name);
    for (one, other, path) in shared.iter().filter(|(one, other, _)| one < other) {
        let (Some(one), Some(other)) = (of(one), of(other)) else { continue };
        let name = path.rsplit('/').next().unwrap_or_default();
        if let Some(written) = Clash::beside(one, other, name) {
            report.fail("runs", Clash::both(one, other, &format!("{written} beside {path}")))?;
        }
    }
    Ok(())
}

/// Whether the key may write where results go, as far as Fastio tells without writing.
pub async fn fastio(
    report: &mut CheckReport,
    client: &fastio::Client,
    definitions: &[Definition],
) -> io::Result<()> {
    const CHECK: &str = "write-back";
    let writes = |one: &&Definition| {
        one.write_back.is_some() || one.digest.is_some() || one.lock || !one.actions.is_empty()
    };
    let writing = definitions.iter().filter(writes);
    let mut places: Vec<&Profile> = Vec::new();
    for definition in writing {
        if !places.contains(&definition.profile()) {
            places.push(definition.profile());
        }
    }
    if places.is_empty() {
        return Ok(());
    }
    let scopes = client.scopes().await;
    for place in places {
        let needs = format!("it needs scope {place}:rw and membership with the right to edit and lock files");
        match scopes.as_ref().map(|scopes| scopes.write(place)) {
            Ok(Writes::Yes) => report.ok(
                CHECK,
                format!("the key may write in {place}; whether its owner may, only a write tells"),
            )?,
            Ok(Writes::No) => report.fail(
                CHECK,
                format!("the key only reads in {place}, and something is written there: {needs}"),
            )?,
            Ok(Writes::Unsaid) => {
                report.ok(CHECK, format!("whether the key may write in {place} cannot be told; {needs}"))?
            }
            Err(error) => {
                report.ok(
                    CHECK,
                    format!("whether the key may write in {place} cannot be told ({error}); {needs}"),
                )?;
            }
        }
    }
    Ok(())
}

/// Whether the folders are there that actions move files to.
pub async fn actions(
    report: &mut CheckReport,
    client: &fastio::Client,
    definitions: &[Definition],
) -> io::Result<()> {
    const CHECK: &str = "actions";
    let moves = definitions.iter().flat_map(|one| one.folders_moved_to().map(move |to| (one, to)));
    for (definition, to) in moves {
        let (place, rule) = (definition.profile(), &definition.rule.name);
        match client.folder_at(place, to).await {
            Ok(Some(_)) => report.ok(CHECK, format!("rule `{rule}` moves files to {to}, which is there"))?,
            Ok(None) => report.fail(
                CHECK,
                format!("rule `{rule}` moves files to {to}, and {place} has no such folder: make it"),
            )?,
            Err(error) => report.fail(CHECK, format!("whether {to} is there cannot be told: {error}"))?,
        }
    }
    Ok(())
}

/// Whether the key that OpenAI is given for Fastio's tools only reads, as far as Fastio tells.
pub async fn tools(report: &mut CheckReport, base: &Url, definitions: &[Definition]) -> io::Result<()> {
    const CHECK: &str = "tools";
    for definition in definitions {
        let (Some(mcp), place) = (&definition.mcp, definition.profile()) else { continue };
        let scopes = match fastio::Client::new(base, mcp.key.clone()) {
            Ok(client) => client.scopes().await,
            Err(error) => Err(error),
        };
        match scopes.map(|scopes| scopes.write(place)) {
            Ok(Writes::Yes) => report.fail(
                CHECK,
                format!("FASTIO_MCP_KEY may write in {place}, and OpenAI is given it: make one with the scope {place}:r"),
            )?,
            Ok(Writes::No) => report.ok(CHECK, format!("FASTIO_MCP_KEY only reads in {place}"))?,
            Ok(Writes::Unsaid) => report.warn(
                CHECK,
                format!("whether FASTIO_MCP_KEY only reads in {place} cannot be told: it is to have the scope {place}:r"),
            )?,
            Err(error) => report.fail(CHECK, format!("FASTIO_MCP_KEY: {error}"))?,
        }
    }
    Ok(())
}

/// The models of the rules, and what responses are made in.
pub async fn openai(
    report: &mut CheckReport,
    client: &openai::Client,
    definitions: &[Definition],
) -> io::Result<()> {
    let models: BTreeSet<&str> =
        definitions.iter().filter_map(|definition| definition.engine.model()).collect();
    for model in models {
        self::model(report, client, model).await?;
    }
    if definitions.iter().any(|definition| {
        !matches!(definition.engine, Engine::Assistants { .. } | Engine::Fastio { model: None })
    }) {
        conversations(report, client).await?;
    }
    Ok(())
}

async fn model(report: &mut CheckReport, client: &openai::Client, name: &str) -> io::Result<()> {
    const CHECK: &str = "model";
    if PLACEHOLDERS.contains(&name) {
        return report
            .fail(CHECK, format!("`{name}` stands where a model's name belongs: set rule.run.model"));
    }
    match client.model(name).await {
        Ok(model) => match model.shutdown_date {
            Some(day) => report.warn(CHECK, format!("{name} is there, and OpenAI shuts it down on {day}")),
            None => report.ok(CHECK, format!("{name} is there for this key")),
        },
        Err(error) => match error.kind {
            ErrorKind::NotFound if client.is_azure() => report.warn(
                CHECK,
                format!(
                    "Azure lists models and no deployments, and a rule names a deployment: whether there is one called {name} is seen at \
                     the first run"
                ),
            ),
            ErrorKind::NotFound => report.fail(
                CHECK,
                format!(
                    "there is no model {name} for this key: correct rule.run.model, or let the project use it"
                ),
            ),
            ErrorKind::Forbidden => {
                report.fail(CHECK, format!("the key may not use the model {name}: {error}"))
            }
            _ => report.ok(CHECK, format!("whether there is a model {name} cannot be told: {error}")),
        },
    }
}

async fn conversations(report: &mut CheckReport, client: &openai::Client) -> io::Result<()> {
    const CHECK: &str = "conversations";
    match client.no_conversation().await {
        Err(error) if error.is_not_found() => report.ok(CHECK, "responses can be made in conversations"),
        Err(error) if error.lacks_the_path() && !client.is_openai() => report.warn(
            CHECK,
            format!(
                "this server has no /conversations ({error}); runs are made without. One whose creation is not answered is then \
                 not found again: it fails and says so, and is not made twice"
            ),
        ),
        Ok(()) => report.warn(CHECK, "a conversation that cannot be there is said to be there: runs may go wrong"),
        Err(error) => report.fail(
            CHECK,
            format!("runs need OpenAI's /conversations, and this is no answer of theirs: {error}; use a server that has them"),
        ),
    }
}
