//! `docket runs again`: a rule's files that have no result, or one file whatever it has.

use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use crate::cli::failure::{Failure, Outcome};
use crate::cli::progress::Progress;
use crate::cli::source::Source;
use crate::cli::text::{count, dollars};
use crate::cli::{Form, output};
use crate::clock::Clock;
use crate::config::Config;
use crate::database::{Connection, Database};
use crate::operate::act::Action;
use crate::operate::api::{Again as Asked, AgainView, BulkOrder};
use crate::operate::bulk::MOST;
use crate::result::judgement::Judgement;
use crate::run::{self, Again, Definition, Estimate};
use crate::sync::store::Indexed;

#[derive(Debug, Args)]
pub struct Arguments {
    /// The rule; with --file it is needed only where several cover the file
    #[arg(long, value_name = "NAME", required_unless_present = "file")]
    rule: Option<String>,
    /// Only this file, by its path or id, and also when it has a result
    #[arg(long, value_name = "PATH|ID")]
    file: Option<String>,
    /// Do it; without this only the count and the estimate are shown
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Serialize)]
struct Begun<'a> {
    rule: &'a str,
    #[serde(flatten)]
    estimate: Estimate,
    /// Runs that were asked for; 0 without `--yes`.
    begun: usize,
    /// Results that were deleted and are written once more; 0 without `--yes`.
    restored: usize,
}

pub async fn run(database: &Database, config: &Config, arguments: &Arguments) -> Result<Outcome, Failure> {
    let rules = config.rules().map_err(Failure::usage)?;
    let definitions = config.runs(&rules).map_err(Failure::usage)?.into_iter().map(Arc::new);
    let definitions: Vec<Arc<Definition>> = definitions.collect();
    let named = |definition: &&Arc<Definition>| {
        arguments.rule.as_ref().is_none_or(|rule| *rule == definition.rule.name)
    };
    let chosen: Vec<Arc<Definition>> = definitions.iter().filter(named).cloned().collect();
    if let (Some(rule), true) = (&arguments.rule, chosen.is_empty()) {
        let names: Vec<&str> = definitions.iter().map(|definition| definition.rule.name.as_str()).collect();
        return Err(Failure::Usage(format!(
            "no rule with [rule.run] is called `{rule}`; those there are: {}",
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        )));
    }
    match (&arguments.file, chosen.first()) {
        (None, Some(definition)) => all(database, definition, arguments).await,
        (None, None) => Err(Failure::Usage("no rule has [rule.run]".to_owned())),
        (Some(file), _) => one(database, chosen, file, arguments).await,
    }
}

/// Has a server do it, and waits until it is asked for.
pub async fn ask(source: &Source, arguments: &Arguments) -> Result<Outcome, Failure> {
    let again = Asked { rule: arguments.rule.clone(), file: arguments.file.clone() };
    let first = source.again(&again).await?;
    let AgainView { rule, estimate, path, judgement, .. } = first.clone();
    if !arguments.form.json {
        match &path {
            Some(path) => {
                output::line(format!("Rule {rule} would be run over {path}: {}.", tokens(&estimate)))?
            }
            None => output::line(words(&rule, &estimate))?,
        }
        if let Some(words) = judgement {
            output::line(format!("Its result was {words}; the new one is not."))?;
        }
    }
    let action = if path.is_some() { Action::StartRun } else { Action::RunMissing };
    let (mut done, mut items) = (0, if arguments.yes { first.items } else { Vec::new() });
    while !items.is_empty() {
        let is_last = path.is_some() || items.len() < MOST as usize;
        let asked = source.many(BulkOrder::to(action, items)).await?;
        done += asked;
        // What no run can be asked for would be named without end.
        items = if is_last || asked == 0 { Vec::new() } else { source.again(&again).await?.items };
    }
    if arguments.yes && path.is_some() && done == 0 {
        return Err(Failure::Failed(format!("rule {rule} is being run over it already")));
    }
    let begun = usize::try_from(done).unwrap_or(usize::MAX).min(estimate.runs);
    let restored = usize::try_from(done).unwrap_or(usize::MAX) - begun;
    tell(Begun { rule: &rule, estimate, begun, restored }, arguments)
}

async fn all(
    database: &Database,
    definition: &Arc<Definition>,
    arguments: &Arguments,
) -> Result<Outcome, Failure> {
    let rule = definition.rule.name.as_str();
    let wanted = definition.clone();
    let estimate = database.read(move |connection| run::estimate(connection, &wanted)).await?;
    if !arguments.form.json {
        output::line(words(rule, &estimate))?;
    }
    let (begun, restored) =
        if arguments.yes { begin(database, definition, &estimate).await? } else { (0, 0) };
    tell(Begun { rule, estimate, begun, restored }, arguments)
}

/// Asks for the runs, and for the results that were deleted, some at a time; answers how many. Between two times the server beside
/// gets as long for its own writes.
async fn begin(
    database: &Database,
    definition: &Arc<Definition>,
    estimate: &Estimate,
) -> Result<(usize, usize), Failure> {
    let mut again = Again::over(database, definition).await?;
    let mut progress = Progress::new("files", 0, u64::try_from(estimate.files).ok());
    let (mut files, mut begun, mut restored) = (0, 0, 0);
    loop {
        let since = Instant::now();
        let Some(bite) = again.bite(database, Clock::default().now()).await? else { break };
        files += bite.files;
        begun += bite.begun;
        restored += bite.restored;
        progress.at(files as u64, &format!("{begun} asked for"));
        tokio::time::sleep(since.elapsed()).await;
    }
    progress.end();
    Ok((begun, restored))
}

/// A rule that covers a file, and what running it over that takes.
#[derive(Clone)]
struct Covering {
    definition: Arc<Definition>,
    indexed: Indexed,
    estimate: Estimate,
    /// What a person says of the present result.
    judgement: Option<Judgement>,
}

async fn one(
    database: &Database,
    definitions: Vec<Arc<Definition>>,
    file: &str,
    arguments: &Arguments,
) -> Result<Outcome, Failure> {
    let name = file.to_owned();
    let read = move |connection: &mut Connection| {
        let mut covering = Vec::new();
        for definition in &definitions {
            if let Some(indexed) = run::file(connection, definition, &name)? {
                let estimate = run::estimate_one(connection, definition, &indexed)?;
                let judgement = run::judgement_of(connection, (definition, &indexed))?;
                covering.push(Covering { definition: definition.clone(), indexed, estimate, judgement });
            }
        }
        Ok(covering)
    };
    let covering = database.read(read).await?;
    let Covering { definition, indexed, estimate, judgement } = match covering.as_slice() {
        [one] => one.clone(),
        [] => {
            return Err(Failure::Failed(format!(
                "no file {file} is indexed as it is now under a rule with [rule.run]: `docket files` shows what is"
            )));
        }
        [first, ..] => {
            return Err(Failure::Usage(format!(
                "several rules run something over {file}: add --rule {} or another",
                first.definition.rule.name
            )));
        }
    };
    let (rule, path) = (definition.rule.name.clone(), indexed.path.clone());
    if !arguments.form.json {
        output::line(format!("Rule {rule} would be run over {path}: {}.", tokens(&estimate)))?;
        if let Some(judgement) = &judgement {
            output::line(format!("Its result was {}; the new one is not.", judgement.words()))?;
        }
    }
    let mut begun = 0;
    if arguments.yes {
        let now = Clock::default().now();
        if !database.write(move |tx| run::want_one(tx, (&definition, &indexed), now)).await? {
            return Err(Failure::Failed(format!("rule {rule} is being run over {path} already")));
        }
        begun = 1;
    }
    tell(Begun { rule: &rule, estimate, begun, restored: 0 }, arguments)
}

fn tell(begun: Begun<'_>, arguments: &Arguments) -> Result<Outcome, Failure> {
    if arguments.form.json {
        output::json(&[begun])?;
        return Ok(Outcome::Done);
    }
    if begun.restored > 0 {
        let results = count(begun.restored as u64, "result");
        output::line(format!("{results} that had been deleted are written once more, at no cost."))?;
    }
    if begun.begun > 0 {
        let (runs, rule) = (count(begun.begun as u64, "run"), begun.rule);
        output::line(format!("{runs} asked for. `docket runs list --rule {rule}` shows how they go."))?;
    } else if begun.estimate.runs > 0 {
        output::line("Nothing was begun. Add --yes to begin them.")?;
    }
    Ok(Outcome::Done)
}

fn words(rule: &str, estimate: &Estimate) -> String {
    let files = count(estimate.files as u64, "file");
    if estimate.runs == 0 {
        return format!(
            "Rule {rule} covers {files}, and each has a result under its present definition or is being run over."
        );
    }
    let runs = count(estimate.runs as u64, "run");
    format!("Rule {rule} covers {files}; {runs} would be begun: {}.", tokens(estimate))
}

fn tokens(estimate: &Estimate) -> String {
    if estimate.by_fastio && estimate.input_tokens == 0 {
        return "Fastio's AI answers, and OpenAI takes no tokens for it".to_owned();
    }
    let source = match estimate.based_on_runs {
        0 => "guessed from the files' sizes".to_owned(),
        runs => format!("from {} of this rule", count(runs.unsigned_abs(), "earlier run")),
    };
    let cost = estimate.cost.map(|cost| format!(", about {}", dollars(cost))).unwrap_or_default();
    let tokens = format!(
        "about {} input and {} output tokens{cost} ({source})",
        estimate.input_tokens, estimate.output_tokens
    );
    match estimate.by_fastio {
        true => format!("Fastio's AI is asked first, and were OpenAI asked of all, {tokens}"),
        false => tokens,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_fastio_answers_takes_no_tokens_of_openais() {
        let alone = Estimate { runs: 2, by_fastio: true, ..Estimate::default() };
        assert_eq!(tokens(&alone), "Fastio's AI answers, and OpenAI takes no tokens for it");
        let escalating = Estimate { input_tokens: 900, output_tokens: 40, based_on_runs: 1, ..alone };
        assert_eq!(
            tokens(&escalating),
            "Fastio's AI is asked first, and were OpenAI asked of all, about 900 input and 40 output tokens (from 1 earlier run of this \
             rule)"
        );
    }
}
