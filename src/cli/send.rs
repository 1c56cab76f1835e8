//! `docket send`: posts a signed test event to a running server, as Fastio would.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use url::Url;

use super::failure::{Failure, Outcome};
use super::shown::Shown;
use super::text::{Paint, head, prose, terminal_width, wrap};
use super::{Form, output};
use crate::config::Config;
use crate::fastio::{Profile, ProfileKind};
use crate::http::{self, Base};
use crate::receive::TEST_AGENT;
use crate::receive::signature::{NoSecret, Scheme, sign};

/// Longer than the server may take to commit a delivery, shorter than a person's patience.
const LIMIT: Duration = Duration::from_secs(10);

/// What a test that was taken shows and what it cannot: it is signed with the secret that it is checked with.
const PROVES: &str = "The server can be reached there, and has the secret that is set here. Whether Fastio signs with the \
    same secret, only a delivery of Fastio's shows: change a file, then see `signatures` in docket status.";

/// An answer of ours is a short problem document; a wrong URL may lead to anything.
const SHOWN_CHARS: usize = 500;

/// Before each line below the first.
const INDENT: &str = "       ";

#[derive(Debug, Args)]
pub struct Arguments {
    /// Where the server takes webhooks
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080/webhooks/fastio")]
    url: Url,
    /// Fastio's name for what happened
    #[arg(long, value_name = "NAME", default_value = "workspace_storage_file_added")]
    event: String,
    /// The workspace it happened in; without it that of the first rule
    #[arg(long, value_name = "ID")]
    workspace: Option<String>,
    /// The file; without it one that does not exist, which Docket looks for and then forgets
    #[arg(long, value_name = "ID", default_value = "2docke-ttest-event")]
    node: String,
    /// How it is signed
    #[arg(long, value_enum, default_value_t = SchemeName::Fastio)]
    scheme: SchemeName,
    /// The event's id; without it a new one. The same id twice is one event
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SchemeName {
    /// Fastio-Signature: t=…,v1=BASE64
    Fastio,
    /// X-Fastio-Signature: sha256=HEX
    XFastio,
}

impl From<SchemeName> for Scheme {
    fn from(name: SchemeName) -> Scheme {
        match name {
            SchemeName::Fastio => Scheme::FastioV1Base64,
            SchemeName::XFastio => Scheme::XFastioSha256Hex,
        }
    }
}

pub async fn run(arguments: Arguments, config: &Config) -> Result<Outcome, Failure> {
    let Arguments { url, event, workspace, node, scheme, id, form } = arguments;
    let secret = config.secrets.fastio_webhook.first().ok_or_else(|| Failure::usage(NoSecret))?;
    let id = id.unwrap_or_else(|| format!("evt_test_{}", uuid::Uuid::now_v7().simple()));
    let profile = profile(workspace, config)?;
    let now = jiff::Timestamp::now();
    let body = body(&Sent { id: &id, event: &event, profile: &profile, node: &node }, now).to_string();

    let wrong = |error: http::Unusable| Failure::Usage(format!("--url: {error}"));
    let client = http::client(&Base::new(&url).map_err(wrong)?);
    let client = client.map_err(|failure| Failure::Failed(failure.detail))?;
    let mut request = client.post(url.clone()).header("content-type", "application/json").timeout(LIMIT);
    request = request.header("user-agent", TEST_AGENT);
    for (name, value) in sign(scheme.into(), secret, now.as_second(), body.as_bytes()) {
        request = request.header(name, value);
    }
    let unanswered = |error: reqwest::Error| {
        let why = if error.is_connect() { "nothing listens there" } else { "no answer came" };
        Failure::Failed(format!(
            "cannot post to {url}: {why}; is `docket serve` running, and is that its address?"
        ))
    };
    let answer = request.body(body).send().await.map_err(unanswered)?;
    let status = answer.status();
    let text = answer.text().await.map_err(unanswered)?;
    let text = head(&prose(&text), SHOWN_CHARS);
    if form.json {
        let row = json!({
            "event_id": id, "event": event, "profile": profile.to_string(), "node": node,
            "ok": status.is_success(), "status": status.as_u16(), "answer": text,
            "proves": status.is_success().then_some(PROVES),
        });
        output::json(&[row])?;
    } else {
        let paint = Paint::stdout();
        let word = if status.is_success() { paint.good("taken") } else { paint.bad("refused") };
        output::line(word + format!("  {status}  {event} {id}"))?;
        if !text.is_empty() {
            output::line(format!("       {text}"))?;
        }
        if status.is_success() {
            prose_lines(PROVES)?;
        }
        if status == 401 {
            output::line("       The server's log says why; most often the secrets or the clocks differ.")?;
        }
    }
    Ok(if status.is_success() { Outcome::Done } else { Outcome::Bad })
}

fn prose_lines(words: &str) -> Result<(), Failure> {
    let width = terminal_width().map_or(usize::MAX, |width| width.saturating_sub(INDENT.len()));
    output::lines(wrap(words, width).into_iter().map(|line| Shown::from(INDENT.to_owned()) + line))?;
    Ok(())
}

fn profile(workspace: Option<String>, config: &Config) -> Result<Profile, Failure> {
    if let Some(id) = workspace {
        return Ok(Profile::workspace(id));
    }
    let rules =
        config.rules().map_err(|error| Failure::Usage(format!("{error}, or name one with --workspace")))?;
    let first = rules.iter().next().map(|rule| rule.profile.clone());
    first.ok_or_else(|| Failure::Usage("name a workspace with --workspace".to_owned()))
}

struct Sent<'a> {
    id: &'a str,
    event: &'a str,
    profile: &'a Profile,
    node: &'a str,
}

/// The flat event that one of Fastio's guides shows.
fn body(sent: &Sent<'_>, now: jiff::Timestamp) -> Value {
    let mut body = Map::new();
    let mut put = |name: &str, value: &str| body.insert(name.to_owned(), value.into());
    put("event_id", sent.id);
    put("event", sent.event);
    put("created", &now.strftime("%Y-%m-%d %H:%M:%S UTC").to_string());
    let profile = match sent.profile.kind {
        ProfileKind::Workspace => "workspace_id",
        ProfileKind::Share => "share_id",
    };
    put(profile, &sent.profile.id);
    put("object_id", sent.node);
    Value::Object(body)
}
