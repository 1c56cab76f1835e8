//! `docket demo`: the stand-ins and the real server in one process, and a short story of what becomes of three contracts.
//!
//! Everything the story does to Fastio goes through the stand-in's control paths, so a person can do the same with curl
//! when it has ended; everything it tells was read back from the stand-ins and the server's database.

mod beside;
mod compare;
mod folder;
mod story;
mod tell;
mod world;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use docket_sandbox::{Options, Sandbox, Scheme, Webhook};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::failure::{Failure, Outcome};
use super::sandbox::{MODEL, WORKSPACE, bare, control};
use super::signals::Signals;
use super::{SettingsArgs, log, output};
use crate::app::{App, Start};
use crate::clock::Clock;
use crate::config::{Config, PUBLIC_SECRET, Sources};
use crate::openai::VectorStoreId;
use crate::run::RunId;

use compare::Comparison;
use folder::Folder;
use tell::Teller;
use world::World;

/// Long enough to see that indexing takes time, short enough not to bore.
const INDEX_DELAY: Duration = Duration::from_millis(250);

/// What the analysis must look like: the legal example's.
const SCHEMA: &str = include_str!("../../../examples/legal/liability.schema.json");
const SCHEMA_FILE: &str = "liability.schema.json";

#[derive(Debug, Args)]
pub struct Arguments {
    /// End after the story: with 0 if both sides agree and each result is true of its contract, with 1 if not
    #[arg(long)]
    once: bool,
    /// End with one JSON object on standard output; the story goes to standard error
    #[arg(long, requires = "once")]
    json: bool,
    /// Where the Fastio stand-in listens; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    fastio: SocketAddr,
    /// Where the OpenAI stand-in listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    openai: SocketAddr,
    /// Where the server takes webhooks
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

pub async fn run(arguments: Arguments, settings: &SettingsArgs) -> Result<Outcome, Failure> {
    if settings.config.is_some() {
        return Err(Failure::Usage(
            "the demo makes its own settings: leave --config out, or use --set".to_owned(),
        ));
    }
    let mut signals = Signals::listen()?;
    let stop = CancellationToken::new();
    signals.guard(&stop, demo(&arguments, settings, &stop)).await
}

/// Sets the stage, tells the story, clears away.
async fn demo(
    arguments: &Arguments,
    settings: &SettingsArgs,
    stop: &CancellationToken,
) -> Result<Outcome, Failure> {
    let folder = Folder::make("docket-demo").context("making a temporary directory")?;
    // Bound before the stand-ins start, because they are told where their webhooks go.
    let listener = TcpListener::bind(arguments.listen).await;
    let listener = listener.with_context(|| format!("listening on {}", arguments.listen))?;
    let listen = listener.local_addr()?;
    let stop_sandbox = CancellationToken::new();
    let sandbox = start_sandbox(arguments, listen, stop_sandbox.clone()).await?;

    let path = folder.path().join("docket.toml");
    let addresses = Addresses { listen, fastio: sandbox.fastio_url(), openai: sandbox.openai_url() };
    std::fs::write(&path, addresses.settings(folder.path())).context("writing the demo's settings")?;
    std::fs::write(folder.path().join(SCHEMA_FILE), SCHEMA).context("writing the demo's schema")?;
    let config = Config::load(&sources(&path, settings)).map_err(Failure::usage)?;
    let _log = log::start(&config.log)?;

    let start = Start { listener: Some(listener), ..Start::default() };
    let app = App::start(&config, Clock::default(), start).await?;
    let pages = app.operate_address().map(|address| format!("http://{address}/"));
    let world = World::new(&sandbox, app.database().clone())?;
    let stop_server = CancellationToken::new();
    let server = app.run_until(stop_server.cancelled());
    tokio::pin!(server);
    let stage = Stage { addresses: &addresses, pages, settings: &path, stop };
    let outcome = tokio::select! {
        outcome = play(arguments, &world, &stage) => outcome,
        ended = &mut server => {
            ended?;
            return Err(Failure::Failed("the server stopped in the middle of the demo".to_owned()));
        }
    };
    stop_server.cancel();
    server.await?;
    stop_sandbox.cancel();
    sandbox.run_until_stopped().await;
    outcome
}

async fn start_sandbox(
    arguments: &Arguments,
    listen: SocketAddr,
    stop: CancellationToken,
) -> anyhow::Result<Sandbox> {
    let url = Url::parse(&format!("http://{listen}/webhooks/fastio"))?;
    let webhook = Webhook { url, secret: SecretString::from(PUBLIC_SECRET), scheme: Scheme::Mixed };
    let options = Options {
        fastio: arguments.fastio,
        openai: arguments.openai,
        webhook: Some(webhook),
        index_delay: INDEX_DELAY,
        seed: 1,
        ..Options::default()
    };
    let sandbox = docket_sandbox::start(options, stop).await;
    sandbox.with_context(|| format!("listening on {} and {}", arguments.fastio, arguments.openai))
}

/// Where everything listens.
struct Addresses {
    listen: SocketAddr,
    fastio: Url,
    openai: Url,
}

impl Addresses {
    /// A settings file as a person would write it.
    fn settings(&self, folder: &Path) -> String {
        let text = |text: String| toml::Value::String(text);
        format!(
            "\
[database]
url = {}

[operate]
listen = \"127.0.0.1:0\"
environment = \"demo\"

[receive]
listen = {}

[fastio]
base_url = {}

[openai]
base_url = {}

[log]
filter = \"warn\"

[[rule]]
name = \"contracts\"
workspace = \"{WORKSPACE}\"
include = [\"/Contracts/**\"]
vector_store = {{ create = \"demo\" }}

[[rule]]
name = \"liability\"
workspace = \"{WORKSPACE}\"
include = [\"/Review/**\"]
exclude = [\"**/*.analysis.md\", \"/Review/liability overview*.csv\"]
vector_store = {{ create = \"demo\" }}

[rule.run]
model = \"{MODEL}\"
prompt = \"Extract every clause about liability, with its section and the exact quote.\"
schema = \"{SCHEMA_FILE}\"
write_back = \"{{stem}}.analysis.md\"
lock = true
digest = \"liability overview.csv\"
digest_quiet_seconds = 1
",
            text(format!("sqlite://{}/docket.db", folder.display())),
            text(self.listen.to_string()),
            text(bare(&self.fastio)),
            text(bare(&self.openai)),
        )
    }
}

/// The settings file of the demo and what was set on purpose: of the environment only how to log, so that a machine on
/// which Docket is set up for real does not reach into the demo.
fn sources(path: &Path, settings: &SettingsArgs) -> Sources {
    let process = Sources::from_process(None, Vec::new()).environment;
    let mut environment: BTreeMap<String, String> =
        process.into_iter().filter(|(name, _)| name.starts_with("DOCKET_LOG__")).collect();
    for (name, value) in [
        ("FASTIO_API_KEY", "demo-key"),
        ("OPENAI_API_KEY", "demo-key"),
        ("FASTIO_WEBHOOK_SECRET", SecretString::from(PUBLIC_SECRET).expose_secret()),
    ] {
        environment.insert(name.to_owned(), value.to_owned());
    }
    Sources { path: Some(path.to_owned()), set: settings.set.clone(), environment }
}

/// What the story needs to know of its surroundings.
struct Stage<'a> {
    addresses: &'a Addresses,
    /// Where the pages are that show what happens; none where `--set` says so.
    pages: Option<String>,
    settings: &'a PathBuf,
    stop: &'a CancellationToken,
}

/// The story, its end, and the time after it.
async fn play(arguments: &Arguments, world: &World<'_>, stage: &Stage<'_>) -> Result<Outcome, Failure> {
    let teller = if arguments.json { Teller::stderr() } else { Teller::stdout() };
    let told = async {
        story::tell(world, &teller, stage.pages.as_deref()).await?;
        let comparison = Comparison::read(world).await?;
        comparison.show(&teller)?;
        Ok::<_, Failure>(comparison)
    };
    let comparison = tokio::select! {
        told = told => told?,
        () = stage.stop.cancelled() => return Err(Failure::Failed("stopped before the story's end".to_owned())),
    };
    if arguments.json {
        output::one_line(&comparison.json())?;
    }
    if !arguments.once {
        let (run, _) =
            world.runs().await?.into_iter().next().context("nothing was run over the contracts")?;
        teller.text(&try_it(stage, &world.store().await?, RunId(run.run_id))?)?;
        stage.stop.cancelled().await;
        return Ok(Outcome::Done);
    }
    Ok(if comparison.agree() { Outcome::Done } else { Outcome::Bad })
}

/// What a person can do now, each line as it can be typed: this program is as a rule not on the PATH.
fn try_it(stage: &Stage<'_>, store: &VectorStoreId, run: RunId) -> anyhow::Result<String> {
    let Addresses { listen, fastio, openai } = stage.addresses;
    let (fastio_control, openai_control) = (control(fastio), control(openai));
    let settings = stage.settings.display();
    let program = std::env::current_exe().context("finding this program")?;
    let programs = program.parent().context("this program is in no folder")?.display();
    let openai = bare(openai);
    let pages = stage
        .pages
        .as_ref()
        .map(|pages| format!("  and shows what it does at {pages}\n"))
        .unwrap_or_default();
    Ok(format!(
        "
Everything stays up until Ctrl-C. In another terminal, first:

    export PATH=\"{programs}:$PATH\" DOCKET_CONFIG=\"{settings}\"
    F={fastio_control}files/{WORKSPACE}

  Put a file into Fastio, and see what Docket made of it
    curl -T \"$DOCKET_CONFIG\" $F/Contracts/new.toml
    docket files
    docket status

  Read what was found in the contracts that were analysed
    docket runs list
    docket runs show {run}
    curl $F/Review/mutual-nda.analysis.md

  Ask the vector store
    curl -H 'Authorization: Bearer any' -H 'Content-Type: application/json' \\
    -d '{{\"query\": \"limitation of liability\"}}' \\
    {openai}/vector_stores/{store}/search

  See all that the stand-ins hold, and what they were asked
    curl {fastio_control}state
    curl {openai_control}state
    curl {openai_control}requests

  Docket takes webhooks at http://{listen}/webhooks/fastio
{pages}"
    ))
}
