//! `docket notify`: whom `[[notify]]` has told what happens, and whether they take it.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::failure::{Failure, Outcome};
use super::shown::Shown;
use super::text::Paint;
use super::{Form, output};
use crate::config::Config;
use crate::database::{Database, OpenError};
use crate::notify::{Channel, Endpoint, Format, Kind, Notifier, Sent, channels, open};

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List who is told what, and how far that is
    List {
        #[command(flatten)]
        form: Form,
    },
    /// Send a test message; one that is taken opens an endpoint again that had said it was gone
    Test {
        /// Its name in the settings; without it all of them
        #[arg(value_name = "NAME")]
        name: Option<String>,
        #[command(flatten)]
        form: Form,
    },
}

pub async fn run(arguments: Arguments, config: &Config) -> Result<Outcome, Failure> {
    let endpoints = config.endpoints.as_ref().map_err(|error| Failure::usage(error.clone()))?;
    match arguments.command {
        Command::List { form } => list(endpoints, config, form).await,
        Command::Test { name, form } => {
            let named = |endpoint: &&Endpoint| name.as_ref().is_none_or(|name| *name == endpoint.name);
            let chosen: Vec<&Endpoint> = endpoints.iter().filter(named).collect();
            match (name, chosen.is_empty()) {
                (Some(name), true) => Err(Failure::Usage(format!(
                    "no [[notify]] is called `{name}`; docket notify list has them"
                ))),
                (None, true) => Err(Failure::Usage("the settings have no [[notify]]".to_owned())),
                _ => test(&chosen, config, form).await,
            }
        }
    }
}

/// The database, if a server has made one.
async fn existing(config: &Config) -> Result<Option<Database>, Failure> {
    match Database::open_existing(&config.database).await {
        Ok(database) => Ok(Some(database)),
        Err(OpenError::Missing(_)) => Ok(None),
        Err(error) => Err(Failure::from_error(error)),
    }
}

async fn list(endpoints: &[Endpoint], config: &Config, form: Form) -> Result<Outcome, Failure> {
    let channels = match existing(config).await? {
        Some(database) => database.observe(channels).await.map_err(Failure::from_error)?,
        None => Vec::new(),
    };
    if form.json {
        let rows: Vec<Value> = endpoints
            .iter()
            .flat_map(|endpoint| endpoint.kinds.iter().map(|kind| row(endpoint, *kind, &channels)))
            .collect();
        output::json(&rows)?;
        return Ok(Outcome::Done);
    }
    if endpoints.is_empty() {
        output::line(
            "Nobody is told anything: [[notify]] in the settings says who is, and docs/notifications.md how.",
        )?;
        return Ok(Outcome::Done);
    }
    for endpoint in endpoints {
        let own: Vec<&Channel> =
            channels.iter().filter(|channel| channel.endpoint == endpoint.name).collect();
        let is_closed = own.iter().any(|channel| channel.closed != 0);
        let waiting: i64 = own.iter().map(|channel| channel.waiting).sum();
        let state = match (is_closed, own.iter().find_map(|channel| channel.trouble.as_deref())) {
            (true, _) => format!(
                "closed: it said that it is gone (410); docket notify test {} opens it",
                endpoint.name
            ),
            (false, Some(trouble)) => format!("{waiting} waiting; the last message was not taken: {trouble}"),
            (false, None) => format!("{waiting} waiting"),
        };
        let kinds: Vec<&str> = endpoint.kinds.iter().map(|kind| kind.as_str()).collect();
        output::line(
            Paint::stdout().bold(endpoint.name.clone()) + format!("  {}  {state}", endpoint.host()),
        )?;
        output::line(Shown::from(format!("    {}", kinds.join(", "))))?;
    }
    Ok(Outcome::Done)
}

fn row(endpoint: &Endpoint, kind: Kind, channels: &[Channel]) -> Value {
    let channel = channels.iter().find(|one| one.endpoint == endpoint.name && one.kind == kind.as_str());
    let format = match endpoint.format {
        Format::Standard => "standard",
        Format::Slack => "slack",
    };
    json!({
        "endpoint": endpoint.name, "kind": kind.as_str(), "host": endpoint.host(), "format": format,
        "waiting": channel.map_or(0, |channel| channel.waiting),
        "attempts": channel.map_or(0, |channel| channel.attempts),
        "sent_at": channel.map(|channel| channel.sent_at).filter(|at| *at > 0),
        "next_at": channel.map(|channel| channel.next_at).filter(|at| *at > 0),
        "trouble": channel.and_then(|channel| channel.trouble.as_deref()),
        "closed": channel.is_some_and(|channel| channel.closed != 0),
    })
}

async fn test(endpoints: &[&Endpoint], config: &Config, form: Form) -> Result<Outcome, Failure> {
    let database = existing(config).await?;
    let mut rows = Vec::new();
    let mut all_taken = true;
    for endpoint in endpoints {
        let sent = Notifier::test(endpoint).await;
        let (is_taken, words) = match sent {
            Sent::Taken => (true, "taken".to_owned()),
            Sent::Gone => (false, "not taken: answered with 410, which says that it is gone".to_owned()),
            Sent::Failed(trouble, _) => (false, format!("not taken: {trouble}")),
        };
        all_taken &= is_taken;
        let mut opened = false;
        if let (true, Some(database)) = (is_taken, &database) {
            let name = endpoint.name.clone();
            opened = database.write(move |tx| open(tx, &name)).await.map_err(Failure::from_error)?;
        }
        if form.json {
            rows.push(json!({"endpoint": endpoint.name, "host": endpoint.host(), "ok": is_taken, "answer": words, "opened": opened}));
            continue;
        }
        let paint = Paint::stdout();
        let word = if is_taken { paint.good("ok  ") } else { paint.bad("FAIL") };
        let more = if opened { "; it is told what happens again" } else { "" };
        output::line(word + format!("  {}  {}  {words}{more}", endpoint.name, endpoint.host()))?;
    }
    if form.json {
        output::json(&rows)?;
    }
    Ok(if all_taken { Outcome::Done } else { Outcome::Bad })
}
