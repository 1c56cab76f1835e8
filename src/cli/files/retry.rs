//! `docket files retry`: what was final is tried again, without editing the file.

use clap::Args;
use serde_json::json;

use crate::cli::failure::{Failure, Outcome};
use crate::cli::source::{Source, known};
use crate::cli::{Form, SettingsArgs, open, output, rule_named};
use crate::clock::Clock;
use crate::config::Config;
use crate::database::{Connection, Database};
use crate::operate::act::Action;
use crate::operate::api::BulkOrder;
use crate::operate::meant::Filter;
use crate::operate::query::Known;
use crate::operate::query::files::Files;
use crate::queue::Priority;
use crate::rule::Rule;
use crate::sync::again::store::{self, Which};
use crate::sync::store::chain;

/// Files in one transaction, so that a server gets its turn in between.
const AT_ONCE: u32 = 500;

#[derive(Debug, Args)]
pub struct Arguments {
    /// A path, a folder, a glob such as '/Contracts/*.pdf', or a file's id
    #[arg(value_name = "PATH", required_unless_present_any = ["rule", "all_skipped"])]
    place: Option<String>,
    /// Those that this rule covers; a vector store of its that is gone is made anew
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Every file that is skipped, or whose job is dead
    #[arg(long)]
    all_skipped: bool,
    #[command(flatten)]
    form: Form,
}

pub async fn run(arguments: Arguments, settings: &SettingsArgs) -> Result<Outcome, Failure> {
    let asked = match Source::is_server(settings)? {
        true => {
            let filter =
                Filter { path: arguments.place.clone(), rule: arguments.rule.clone(), ..Filter::default() };
            Source::open(settings).await?.many(BulkOrder::to_all(Action::RetryFile, filter)).await?
        }
        false => here(&arguments, &settings.load()?).await?,
    };
    if arguments.form.json {
        output::json(&[json!({"retried": asked})])?;
    } else {
        output::line(match asked {
            0 => {
                "No such file is skipped, and none has a dead job: there is nothing to try again.".to_owned()
            }
            1 => "1 file is tried again.".to_owned(),
            files => format!("{files} files are tried again."),
        })?;
    }
    Ok(if asked == 0 && arguments.place.is_some() { Outcome::Bad } else { Outcome::Done })
}

/// Through the database. How many files it were.
async fn here(arguments: &Arguments, config: &Config) -> Result<u64, Failure> {
    let rule = rule(arguments, config)?;
    let database = open(config).await?;
    let asked = retry(&database, (arguments, known(config)), rule).await;
    database.close().await;
    asked
}

/// The rule that is named.
fn rule(arguments: &Arguments, config: &Config) -> Result<Option<Rule>, Failure> {
    let Some(name) = &arguments.rule else { return Ok(None) };
    let rules = config.rules().map_err(Failure::usage)?;
    Ok(Some(rule_named(&rules, name)?.clone()))
}

async fn retry(
    database: &Database,
    (arguments, known): (&Arguments, Known),
    rule: Option<Rule>,
) -> Result<u64, Failure> {
    let now = Clock::default().now();
    if let Some(rule) = rule {
        let give_up = move |tx: &mut Connection| {
            let stores = chain(tx, &rule)?;
            store::give_up_stores(tx, &stores)
        };
        database.write(give_up).await?;
    }
    let named = Files { place: arguments.place.clone(), gone: true, ..Files::default() };
    let filter = database.read(move |connection| named.filter(connection, &known)).await??;
    let place = filter.place;
    let which = Which { place, rule: arguments.rule.clone(), changed: None };
    let (mut after, mut asked) = (String::new(), 0);
    loop {
        let (which, last) = (which.clone(), after.clone());
        let bite = move |tx: &mut Connection| {
            let rows = store::given_up(tx, &which, (&last, AT_ONCE))?;
            store::reopen(tx, &rows, (Priority::Live, now))?;
            Ok(rows)
        };
        let rows = database.write(bite).await?;
        let Some(last) = rows.last() else { return Ok(asked) };
        after = last.source_id.clone();
        asked += rows.len() as u64;
    }
}
