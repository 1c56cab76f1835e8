//! `docket rehearse`: the first contact with the live services. Says what it will do and at most cost, does it when a person
//! agrees, and shows what is true of the services and what follows for the settings.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::failure::{Failure, Outcome};
use super::output;
use super::shown::Shown;
use super::signals::Signals;
use super::text::{Paint, count, dollars, terminal_width, wrap};
use crate::app::openai_client;
use crate::config::Config;
use crate::fastio;
use crate::fastio::Profile;
use crate::listen;
use crate::rehearse::{
    ADDRESS, Answer, Finding, MARK, MAX_INPUT_TOKENS, MAX_OUTPUT_TOKENS, MOST_CALLS, Patience, Plan, RUNS,
    Removed, Report, clean, play,
};

/// Where the words begin behind `holds`, `differs` and `unknown`.
const TEXT: usize = 9;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Do it; without this only what it would do is said
    #[arg(long)]
    yes: bool,
    /// The workspace in which the folder is made; without it that of the first rule
    #[arg(long, value_name = "ID")]
    workspace: Option<String>,
    /// The model of the runs; without it that of the first rule that runs one
    #[arg(long, value_name = "NAME", conflicts_with = "no_run")]
    model: Option<String>,
    /// Run no model, and do not ask Fastio's AI
    #[arg(long)]
    no_run: bool,
    /// Take a webhook in here, where no server may listen meanwhile, and say how it is signed
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// How many seconds to wait for it at the end
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "listen", value_parser = clap::value_parser!(u64).range(1..=3600))]
    wait: u64,
    /// Write what was found to a file without secrets, for the maintainers: JSON where its name ends in .json, else Markdown
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Only remove what rehearsals that were cut short have left
    #[arg(long, conflicts_with_all = ["listen", "report"])]
    clean: bool,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
}

pub async fn run(arguments: Arguments, config: &Config) -> Result<Outcome, Failure> {
    let plan = plan(&arguments, config).await?;
    if !arguments.yes {
        let asked = if arguments.clean { cleaning(&plan) } else { words(&plan, config) };
        output::lines(asked)?;
        output::line("Nothing was done; --yes does it.")?;
        return Ok(Outcome::Done);
    }
    if arguments.clean {
        let removed = clean(&plan).await;
        output::lines(said_of(&removed.left, removed.count))?;
        return Ok(outcome(&removed));
    }
    // Before anything is spent.
    let file = arguments.report.as_deref().map(open).transpose()?;
    let mut signals = Signals::listen()?;
    let stop = CancellationToken::new();
    let paint = (!arguments.json).then(Paint::stdout);
    let mut printed = Ok(());
    let mut tell = |finding: &Finding| {
        if let Some(paint) = paint {
            let shown = output::lines(lines(finding, paint));
            printed = std::mem::replace(&mut printed, Ok(())).and(shown);
        }
    };
    let report = signals.guard(&stop, play(plan, &mut tell, stop.clone())).await;
    // What was found is written down even if nobody reads it any more.
    if let (Some(mut file), Some(path)) = (file, &arguments.report) {
        write(&mut file, path, &report)
            .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
    }
    printed?;
    match paint {
        None => output::one(&report)?,
        Some(_) => output::lines(summary(&report, &arguments))?,
    }
    let well = report.left.is_empty() && report.count(Answer::Differs) == 0 && !stop.is_cancelled();
    Ok(if well { Outcome::Done } else { Outcome::Bad })
}

async fn plan(arguments: &Arguments, config: &Config) -> Result<Plan, Failure> {
    let rules = config.rules().ok();
    let profile = match &arguments.workspace {
        Some(id) => Some(Profile::workspace(id.clone())),
        None => rules.as_ref().and_then(|rules| rules.iter().next()).map(|rule| rule.profile.clone()),
    };
    let profile = profile.ok_or_else(|| {
        Failure::Usage(
            "no rule names a workspace: write one into the settings, or say --workspace".to_owned(),
        )
    })?;
    let runs = rules.as_ref().map(|rules| config.runs(rules)).transpose().map_err(Failure::usage)?;
    let of_rules = runs.unwrap_or_default().iter().find_map(|run| run.engine.model().map(str::to_owned));
    let model = arguments.model.clone().or(of_rules).filter(|_| !arguments.no_run);
    let key = config.secrets.fastio_api_key().map_err(Failure::usage)?;
    let fastio = fastio::Client::new(&config.fastio.base_url, key).map_err(Failure::from_error)?;
    let openai = openai_client(config).map_err(Failure::from_error)?;
    let listener = match arguments.listen.filter(|_| arguments.yes) {
        None => None,
        Some(address) => Some(listen::bind(address).map_err(|error| {
            Failure::Failed(format!(
                "cannot listen on {address}: {error}; a server that runs there has to be stopped first"
            ))
        })?),
    };
    let policy = config.receive.check().map_err(Failure::usage)?;
    let for_a_webhook = Duration::from_secs(arguments.wait);
    let patience = Patience::default();
    let in_all = patience.in_all + if arguments.listen.is_some() { for_a_webhook } else { Duration::ZERO };
    Ok(Plan {
        fastio,
        profile,
        org: config.feed.org_id.clone(),
        asks: !arguments.no_run,
        openai,
        model,
        listener,
        secrets: config.secrets.fastio_webhook.clone(),
        policy,
        patience: Patience { for_a_webhook, in_all, ..patience },
    })
}

/// What it will do and what that takes at most.
fn words(plan: &Plan, config: &Config) -> Vec<String> {
    let minutes = plan.patience.in_all.as_secs().div_ceil(60);
    let mut lines = vec![
        format!(
            "At Fastio ({}), in {}: a folder {MARK}… with three files of one line, which are edited, renamed, moved, \
             locked, deleted and restored, and one of them purged; a note, and an import of {ADDRESS}.",
            config.fastio.base_url, plan.profile
        ),
        match plan.asks {
            true => "Fastio's AI is asked one short question, which takes credits of the plan.".to_owned(),
            false => "Fastio's AI is not asked.".to_owned(),
        },
        format!(
            "At OpenAI ({}): two vector stores, one of them with three files of one line, and searches in it.",
            config.openai.base_url
        ),
    ];
    lines.push(match &plan.model {
        None => "No model is run: no rule has one, or --no-run was said; --model NAME names one.".to_owned(),
        Some(model) => {
            let price = config.prices.get(model);
            let price =
                price.map(|price| dollars(price.at_most(RUNS * MAX_INPUT_TOKENS, RUNS * MAX_OUTPUT_TOKENS)));
            let price = price.map_or(
                format!("what that costs is not known here: [prices.\"{model}\"] is not set"),
                |price| format!("at most {price} by [prices]"),
            );
            format!(
                "Runs of {model}, one that searches, one of code, and one in a batch that is cancelled; each reads at most \
                 {MAX_INPUT_TOKENS} tokens and writes at most {MAX_OUTPUT_TOKENS}: {price}. A container for the code, which OpenAI \
                 charges by its minutes."
            )
        }
    });
    lines.push(format!(
        "At most {MOST_CALLS} calls and {minutes} minutes; then, or when it is stopped, all that it made is removed. Of the batch \
         OpenAI keeps that there was one."
    ));
    let is_covered = config.rules().is_ok_and(|rules| rules.profiles().contains(&plan.profile));
    if is_covered {
        lines.push(
            "A server whose rules cover this place sees the files, too, uploads them and may run over them: stop it meanwhile, or \
             choose another with --workspace."
                .to_owned(),
        );
    }
    lines
}

fn cleaning(plan: &Plan) -> Vec<String> {
    vec![format!(
        "Removes the folders at the top of {} and the threads of Fastio's AI there, the vector stores and the files at OpenAI that are \
         called {MARK}…, and ends imports and batches that are.",
        plan.profile
    )]
}

fn lines(finding: &Finding, paint: Paint) -> Vec<Shown> {
    let word = match finding.answer {
        Answer::Holds => paint.good("holds"),
        Answer::Differs => paint.bad("differs"),
        Answer::Unknown => paint.dim("unknown"),
    };
    let width = terminal_width().map_or(usize::MAX, |width| width.saturating_sub(TEXT).max(TEXT));
    let mut lines: Vec<Shown> = Vec::new();
    let mut beside = word.padded(TEXT);
    for line in wrap(finding.assumption, width) {
        lines.push(std::mem::replace(&mut beside, Shown::default().padded(TEXT)) + line);
    }
    let follows = if finding.follows.is_empty() { String::new() } else { format!("→ {}", finding.follows) };
    for line in wrap(&finding.seen, width) {
        lines.push(Shown::default().padded(TEXT) + paint.dim(line));
    }
    lines.extend(wrap(&follows, width).into_iter().map(|line| Shown::default().padded(TEXT) + line));
    lines
}

fn summary(report: &Report, arguments: &Arguments) -> Vec<Shown> {
    let [holds, differs, unknown] =
        [Answer::Holds, Answer::Differs, Answer::Unknown].map(|answer| report.count(answer));
    let mut lines: Vec<Shown> = vec![Shown::default()];
    lines.push(
        format!(
            "{holds} of {} assumptions hold, {differs} differ, {unknown} are unknown: {} calls in {} s, {} tokens.",
            report.findings.len(),
            report.calls,
            report.took_milliseconds / 1000,
            report.tokens
        )
        .into(),
    );
    if let Some(webhook) = &report.webhook {
        lines.push(format!("The webhook came to {} with these headers:", webhook.path).into());
        lines.extend(webhook.headers.iter().map(|(name, value)| Shown::from(format!("    {name}: {value}"))));
        lines.push(format!("    {}", webhook.body).into());
    }
    for (name, value) in &report.limits {
        lines.push(format!("limit    {name}: {value}").into());
    }
    lines.extend(said_of(&report.left, report.removed).into_iter().map(Shown::from));
    if differs > 0 && arguments.report.is_none() {
        let again = "--report FILE writes what was found to a file without secrets: please send it to the maintainers.";
        lines.push(again.into());
    }
    if let Some(path) = &arguments.report {
        lines.push(format!("Written to {}, without secrets.", path.display()).into());
    }
    lines
}

fn said_of(left: &[String], removed: usize) -> Vec<String> {
    let mut lines = vec![format!("{} removed again.", count(removed as u64, "thing"))];
    lines.extend(left.iter().map(|left| format!("Not removed: {left}.")));
    lines
}

fn outcome(removed: &Removed) -> Outcome {
    if removed.left.is_empty() { Outcome::Done } else { Outcome::Bad }
}

/// The file, as it is until there is something to write.
fn open(path: &Path) -> Result<std::fs::File, Failure> {
    let opened = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    opened.map_err(|error| Failure::Usage(format!("--report {}: {error}", path.display())))
}

fn write(file: &mut std::fs::File, path: &Path, report: &Report) -> io::Result<()> {
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let text = match is_json {
        true => crate::hidden::escaped(&serde_json::to_string_pretty(report)?) + "\n",
        false => report.markdown(),
    };
    file.set_len(0)?;
    file.write_all(text.as_bytes())
}
