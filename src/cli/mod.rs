//! The commands: one file each. They read the settings, call the parts, and print. What a command knows beyond that is
//! how it looks to a person.
//!
//! Exit codes: 0 done, 1 failed, 2 usage (which includes settings that are wrong). `docket status` has two more: 3 for
//! something that needs a person, 4 for no server.

mod audit;
mod backfill;
mod backup;
mod check;
mod database;
#[cfg(feature = "sandbox")]
mod demo;
mod erase;
mod events;
mod explain;
mod failure;
mod fields;
mod files;
mod generated;
mod import;
mod introduction;
mod jobs;
mod log;
mod mcp;
mod memory;
mod migrate;
mod notify;
mod output;
mod progress;
mod rebuild;
mod rehearse;
mod rules;
mod runs;
#[cfg(feature = "sandbox")]
mod sandbox;
mod search;
mod send;
mod serve;
mod shown;
mod signals;
mod source;
mod sources;
mod status;
mod sweep;
mod table;
mod text;
mod watch;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::app;
use crate::config::{Config, Sources};
use crate::database::{Database, OpenError, ServerLock};
use crate::feed::Feed;
use crate::rule::{Rule, Rules};

use failure::{Failure, Outcome};

/// Keeps an OpenAI vector store in line with the files in Fastio.
#[derive(Debug, Parser)]
#[command(name = "docket", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(subcommand)]
    command: Command,
}

/// Where the settings come from.
#[derive(Debug, Args)]
struct SettingsArgs {
    /// The settings file; without it $DOCKET_CONFIG, then docket.toml if there is one
    #[arg(long, global = true, value_name = "PATH", help_heading = "Settings")]
    config: Option<PathBuf>,
    /// One setting, above file and environment, such as queue.workers=4; may be given again
    #[arg(long, global = true, value_name = "KEY=VALUE", help_heading = "Settings")]
    set: Vec<String>,
    /// Ask this server, at its operator listener, and not the database; without it $DOCKET_SERVER. The token is DOCKET_ADMIN_TOKEN or
    /// DOCKET_VIEW_TOKEN. For status, files, explain, search, mcp, events, watch, audit, import, jobs, runs and sweep
    #[arg(long, global = true, value_name = "URL", help_heading = "Settings")]
    server: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server: take webhooks in, keep the vector stores in line
    Serve(serve::Arguments),
    /// Watch Docket work on this machine, without keys or services
    #[cfg(feature = "sandbox")]
    Demo(demo::Arguments),
    /// Run stand-ins for Fastio and OpenAI, and nothing else
    #[cfg(feature = "sandbox")]
    Sandbox(sandbox::Arguments),
    /// Check settings, rules, database, Fastio and OpenAI, and say what to fix; changes nothing and makes no file
    Check(check::Arguments),
    /// Try with the live services what Docket only assumes of them, in a folder and a vector store that it removes again
    Rehearse(rehearse::Arguments),
    /// Say what each rule's patterns match in Fastio now, and what is left out by default
    Rules(rules::Arguments),
    /// Post a signed test event to a running server
    Send(send::Arguments),
    /// Say whether it is well; show what waits, what is kept and what came in
    Status(status::Arguments),
    /// List the files, each with its copies at OpenAI
    Files(files::Arguments),
    /// Say in words why a file is as it is, and how it came to that
    Explain(explain::Arguments),
    /// Say what an assistant would find, with how each file that it is of stands
    Search(search::Arguments),
    /// Answer an agent over standard input and output, by the Model Context Protocol
    Mcp(mcp::Arguments),
    /// Follow what happens, line by line
    Watch(watch::Arguments),
    /// List the events that were received
    Events(events::Arguments),
    /// List what people did through pages, the operator API and commands, and what rules had done with files
    Audit(audit::Arguments),
    /// Queue what was in Fastio before Docket, behind live traffic
    Backfill(backfill::Arguments),
    /// Have Fastio fetch what is at a public address; without one, list what was imported
    Import(import::Arguments),
    /// Connect cloud storage to Fastio: list, connect, add, pause, resume, refresh, jobs
    Sources(sources::Arguments),
    /// Compare Fastio, the database and OpenAI now, and repair what differs
    Sweep(sweep::Arguments),
    /// Restore a lost database from what the vector stores say of themselves
    Rebuild(rebuild::Arguments),
    /// Copy the database to a file while a server works on it
    Backup(backup::BackupArguments),
    /// Put such a copy back, and say what happened at Fastio and OpenAI since it was made; stop the server first
    Restore(backup::RestoreArguments),
    /// Copy the database into another one, from SQLite to PostgreSQL or back; give back the space that its file does not use
    Database(database::Arguments),
    /// Bring the database's schema up to that of this version, and do nothing else
    Migrate(migrate::Arguments),
    /// Say whom the settings have told what happens, and whether messages are taken; send a test
    Notify(notify::Arguments),
    /// Find what derives from a file, remove it everywhere, and look for it once more
    Erase(erase::Arguments),
    /// List the work that is left, and retry or discard it
    Jobs(jobs::Arguments),
    /// List what was run over the files, show a result, run a rule again, stop a run
    Runs(runs::Arguments),
    /// Print what a shell completes commands and options with
    Completions(generated::Completions),
    /// Write manual pages
    Man(generated::Man),
}

/// What every command that lists rows takes.
#[derive(Debug, Args)]
struct ListArguments {
    /// How many at most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    form: Form,
}

/// The time that a list is about.
#[derive(Debug, Clone, Default, Args)]
struct RangeArguments {
    /// Only what is as late: 24h or 7d back from now, 2026-11-27, or 2026-11-27T09:30 (UTC)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only what is earlier, written likewise
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl ListArguments {
    /// What to do about rows that are not shown. `last` is what `--after` takes.
    fn more(&self, what: &str, last: impl std::fmt::Display) -> String {
        let limit = self.limit;
        format!("The newest {limit} {what} shown; --limit shows more. --after {last} goes on behind them.")
    }
}

/// What every command takes that is about one row.
#[derive(Debug, Args)]
struct RowArguments {
    /// Its number, as the list shows it
    #[arg(value_name = "ID")]
    id: i64,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Clone, Copy, Args)]
struct Form {
    /// Print one JSON array of rows; times are Unix milliseconds
    #[arg(long)]
    json: bool,
}

impl Cli {
    /// Does what was asked for, and says what went wrong on standard error.
    pub async fn run(self) -> ExitCode {
        if let Err(error) = memory::keep_to_itself() {
            return Failure::Failed(format!("cannot keep the memory out of core dumps: {error}")).report();
        }
        match self.command.run(&self.settings).await {
            Ok(Outcome::Done) => ExitCode::SUCCESS,
            Ok(Outcome::Bad) => ExitCode::from(failure::FAILED),
            Ok(Outcome::Code(code)) => ExitCode::from(code),
            Err(failure) => failure.report(),
        }
    }
}

impl Command {
    async fn run(self, settings: &SettingsArgs) -> Result<Outcome, Failure> {
        self.asks_where_it_can(settings)?;
        match self {
            Command::Serve(arguments) => serve::run(arguments, &settings.load()?).await,
            #[cfg(feature = "sandbox")]
            Command::Demo(arguments) => demo::run(arguments, settings).await,
            #[cfg(feature = "sandbox")]
            Command::Sandbox(arguments) => sandbox::run(arguments, &settings.load()?).await,
            Command::Check(arguments) => check::run(arguments, &settings.load()?).await,
            Command::Rehearse(arguments) => rehearse::run(arguments, &settings.load()?).await,
            Command::Rules(arguments) => rules::run(arguments, &settings.load()?).await,
            Command::Send(arguments) => send::run(arguments, &settings.load()?).await,
            Command::Status(arguments) => status::run(arguments, settings).await,
            Command::Files(arguments) => files::run(arguments, settings).await,
            Command::Explain(arguments) => explain::run(arguments, settings).await,
            Command::Search(arguments) => search::run(arguments, settings).await,
            Command::Mcp(arguments) => mcp::run(arguments, settings).await,
            Command::Watch(arguments) => watch::run(arguments, settings).await,
            Command::Events(arguments) => events::run(arguments, settings).await,
            Command::Audit(arguments) => audit::run(arguments, settings).await,
            Command::Backfill(arguments) => backfill::run(arguments, &settings.load()?).await,
            Command::Import(arguments) => import::run(arguments, settings).await,
            Command::Sources(arguments) => sources::run(arguments, settings).await,
            Command::Sweep(arguments) => sweep::run(arguments, settings).await,
            Command::Rebuild(arguments) => rebuild::run(arguments, &settings.load()?).await,
            Command::Backup(arguments) => backup::backup(arguments, &settings.load()?).await,
            Command::Restore(arguments) => backup::restore(arguments, &settings.load()?).await,
            Command::Database(arguments) => database::run(arguments, &settings.load()?).await,
            Command::Migrate(arguments) => migrate::run(arguments, &settings.load()?).await,
            Command::Notify(arguments) => notify::run(arguments, &settings.load()?).await,
            Command::Erase(arguments) => erase::run(arguments, &settings.load()?).await,
            Command::Jobs(arguments) => jobs::run(arguments, settings).await,
            Command::Runs(arguments) => runs::run(arguments, settings).await,
            Command::Completions(arguments) => generated::completions(&arguments),
            Command::Man(arguments) => generated::man(&arguments),
        }
    }

    /// `--server` is for what a server answers. The variable may stand in an environment for those alone.
    fn asks_where_it_can(&self, settings: &SettingsArgs) -> Result<(), Failure> {
        let can = matches!(
            self,
            Command::Status(_)
                | Command::Explain(_)
                | Command::Search(_)
                | Command::Mcp(_)
                | Command::Watch(_)
                | Command::Events(_)
                | Command::Audit(_)
                | Command::Files(_)
                | Command::Jobs(_)
                | Command::Import(_)
                | Command::Runs(_)
                | Command::Sweep(_)
        );
        match can || settings.server.is_none() {
            true => Ok(()),
            false => Err(Failure::Usage(
                "--server: this command works beside the database, not through a server".to_owned(),
            )),
        }
    }
}

impl SettingsArgs {
    fn load(&self) -> Result<Config, Failure> {
        let sources = Sources::from_process(self.config.clone(), self.set.clone());
        Config::load(&sources).map_err(Failure::usage)
    }
}

/// What a person should know of files that were there before a rule ran anything; nothing where there are none.
fn spared(spared: &BTreeMap<String, u64>) -> Vec<String> {
    let line = |(rule, files): (&String, &u64)| {
        format!(
            "{} there before rule {rule} and not run over; docket runs again --rule {rule} says what that would take.",
            match files {
                1 => "1 file was".to_owned(),
                files => format!("{files} files were"),
            }
        )
    };
    spared.iter().map(line).collect()
}

/// The rule of this name.
fn rule_named<'a>(rules: &'a Rules, name: &str) -> Result<&'a Rule, Failure> {
    let names = || rules.iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>().join(", ");
    let unknown = || Failure::Usage(format!("no rule is called `{name}`; those there are: {}", names()));
    rules.named(name).ok_or_else(unknown)
}

/// What compares and lists, on `database`.
fn feed(config: &Config, database: &Database) -> Result<Feed, Failure> {
    app::feed(config, database.clone()).map_err(Failure::from_error)
}

/// A name that is none of the rules' is the person's to correct.
fn feed_failure(error: crate::feed::Error) -> Failure {
    match error {
        crate::feed::Error::NoRule(_) => Failure::usage(error),
        error => Failure::from_error(error),
    }
}

/// The database, made when no server ever ran: listing what there is may well be the first thing one does.
async fn open_or_make(config: &Config) -> Result<Database, Failure> {
    can_ask(config)?;
    match Database::open_existing(&config.database).await {
        Err(OpenError::Missing(_)) => Database::open(&config.database).await,
        opened => opened,
    }
    .map_err(Failure::from_error)
}

/// Which server works on the database, in words; asked before this process opens it. Where there is no database there is
/// no server.
async fn server(config: &Config) -> Result<Option<String>, Failure> {
    match ServerLock::holder(&config.database).await {
        Err(OpenError::Missing(_)) => Ok(None),
        held => held.map_err(Failure::from_error),
    }
}

/// That the rules are right and both services can be asked, before a database is made for what would fail then.
fn can_ask(config: &Config) -> Result<(), Failure> {
    config.rules().map_err(Failure::usage)?;
    config.secrets.fastio_api_key().map_err(Failure::usage)?;
    config.openai_login().map_err(Failure::usage)?;
    Ok(())
}

/// The database that a server has made.
async fn open(config: &Config) -> Result<Database, Failure> {
    Database::open_existing(&config.database).await.map_err(Failure::from_error)
}
