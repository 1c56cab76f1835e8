//! `docket files bring`: what has left OpenAI to make room comes back.

use clap::Args;
use serde_json::json;

use crate::cli::failure::{Failure, Outcome};
use crate::cli::source::{Source, known};
use crate::cli::{Form, SettingsArgs, open, output, rule_named};
use crate::clock::Clock;
use crate::config::Config;
use crate::database::Connection;
use crate::operate::act::Action;
use crate::operate::api::BulkOrder;
use crate::operate::meant::Filter;
use crate::operate::query::files::Files;
use crate::sync::budget::store;

/// Files in one transaction, so that a server gets its turn in between.
const AT_ONCE: u32 = 500;

#[derive(Debug, Args)]
pub struct Arguments {
    /// A path, a folder, a glob such as '/Contracts/*.pdf', or a file's id
    #[arg(value_name = "PATH", required_unless_present = "rule")]
    place: Option<String>,
    /// Those that are out by this rule; as many as its budget has room for stay
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    #[command(flatten)]
    form: Form,
}

pub async fn run(arguments: Arguments, settings: &SettingsArgs) -> Result<Outcome, Failure> {
    let brought = match Source::is_server(settings)? {
        true => {
            let filter =
                Filter { path: arguments.place.clone(), rule: arguments.rule.clone(), ..Filter::default() };
            Source::open(settings).await?.many(BulkOrder::to_all(Action::BringFile, filter)).await?
        }
        false => here(&arguments, &settings.load()?).await?,
    };
    if arguments.form.json {
        output::json(&[json!({"brought": brought})])?;
    } else {
        output::line(match brought {
            0 => "No such file has left OpenAI to make room: there is nothing to bring back.".to_owned(),
            1 => "1 file comes back.".to_owned(),
            files => format!("{files} files come back."),
        })?;
    }
    Ok(if brought == 0 && arguments.place.is_some() { Outcome::Bad } else { Outcome::Done })
}

/// Through the database. How many files it were.
async fn here(arguments: &Arguments, config: &Config) -> Result<u64, Failure> {
    if let Some(name) = &arguments.rule {
        rule_named(&config.rules().map_err(Failure::usage)?, name)?;
    }
    let database = open(config).await?;
    let (now, known) = (Clock::default().now(), known(config));
    let named = Files { place: arguments.place.clone(), gone: true, ..Files::default() };
    let filter = database.read(move |connection| named.filter(connection, &known)).await??;
    let (mut after, mut brought) = (String::new(), 0);
    loop {
        let (place, rule, last) = (filter.place.clone(), arguments.rule.clone(), after.clone());
        let bite = move |tx: &mut Connection| {
            let ids = store::out_page(tx, (place.as_ref(), rule.as_deref()), (&last, AT_ONCE))?;
            store::bring(tx, &ids, now)?;
            Ok(ids)
        };
        let ids = database.write(bite).await?;
        let Some(last) = ids.last() else { break };
        last.clone_into(&mut after);
        brought += ids.len() as u64;
    }
    database.close().await;
    Ok(brought)
}
