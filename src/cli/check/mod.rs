//! `docket check`: would it work? Looks at the settings, the database, the port, Fastio and OpenAI, and says what to fix.
//!
//! It changes nothing: every request reads, no file is made, and the database is left as it is.

mod covers;
mod durability;
mod local;
mod ready;
mod remote;
mod runs;
mod state;
mod ways;

use std::io;

use clap::Args;
use serde::Serialize;

use super::failure::{Failure, Outcome};
use super::shown::Shown;
use super::text::{Paint, terminal_width, wrap};
use super::{Form, output};
use crate::config::Config;
use crate::rule::Rules;
use crate::run::Definition;

pub(super) use covers::{glob_words, matched_words, near, of};
use local::Schema;
use state::Known;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Only ask the running server whether it is ready, for a health check
    #[arg(long)]
    ready: bool,
    #[command(flatten)]
    form: Form,
}

/// What one look found. The message says what is there or, when it is not well, what to do.
#[derive(Debug, Serialize)]
struct Row {
    check: String,
    /// Not failed.
    ok: bool,
    level: Level,
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    /// It may be meant so, or pass by itself.
    Warn,
    Fail,
}

pub async fn run(arguments: Arguments, config: &Config) -> Result<Outcome, Failure> {
    let mut report = CheckReport { rows: Vec::new(), live: (!arguments.form.json).then(Paint::stdout) };
    if arguments.ready {
        ready::ask(&mut report, config).await?;
        if report.live.is_none() {
            output::json(&report.rows)?;
        }
        return Ok(report.outcome());
    }
    local::settings(&mut report, config)?;
    let subject = report.rules(config)?;
    let place = local::database(&mut report, config).await?;
    let known = match place.schema {
        Schema::Ours => state::look(&mut report, config, &subject).await?,
        Schema::None | Schema::Another => Known::default(),
    };
    local::secret(&mut report, config)?;
    local::listener(&mut report, config, place.in_use).await?;
    local::operator(&mut report, config, place.in_use).await?;
    let checked = Checked { config, subject: &subject, known: &known };
    remote::fastio(&mut report, &checked).await?;
    remote::openai(&mut report, &checked, place.schema).await?;
    report.end()
}

/// What is checked: the rules, when they can be read, and what is run over their files.
#[derive(Default)]
struct Subject {
    rules: Option<Rules>,
    definitions: Vec<Definition>,
}

/// What the services are asked about.
struct Checked<'a> {
    config: &'a Config,
    subject: &'a Subject,
    known: &'a Known,
}

/// The rows so far; for a person each is shown as soon as it is known.
struct CheckReport {
    rows: Vec<Row>,
    live: Option<Paint>,
}

/// The names' column.
const NAME: usize = 17;

/// Where the messages begin.
const TEXT: usize = 4 + 2 + NAME + 2;

impl CheckReport {
    fn ok(&mut self, check: impl Into<String>, message: impl Into<String>) -> io::Result<()> {
        self.add(Level::Ok, check.into(), message.into())
    }

    fn warn(&mut self, check: impl Into<String>, message: impl Into<String>) -> io::Result<()> {
        self.add(Level::Warn, check.into(), message.into())
    }

    fn fail(&mut self, check: impl Into<String>, message: impl Into<String>) -> io::Result<()> {
        self.add(Level::Fail, check.into(), message.into())
    }

    fn add(&mut self, level: Level, check: String, message: String) -> io::Result<()> {
        let row = Row { check, ok: level != Level::Fail, level, message };
        if let Some(paint) = self.live {
            let word = match level {
                Level::Ok => paint.good("ok  "),
                Level::Warn => paint.bold("warn"),
                Level::Fail => paint.bad("FAIL"),
            };
            // Beside the names; on one line where there is no terminal.
            let width = terminal_width().map_or(usize::MAX, |width| width.saturating_sub(TEXT).max(TEXT));
            let beside = (word + "  " + &row.check).padded(TEXT - 2) + "  ";
            let before = std::iter::once(beside).chain(std::iter::repeat(Shown::default().padded(TEXT)));
            output::lines(before.zip(wrap(&row.message, width)).map(|(before, line)| before + line))?;
        }
        self.rows.push(row);
        Ok(())
    }

    /// The rules, and what is run over their files.
    fn rules(&mut self, config: &Config) -> io::Result<Subject> {
        let rules = match config.rules() {
            Ok(rules) => rules,
            Err(error) => {
                self.fail("rules", error.to_string())?;
                return Ok(Subject::default());
            }
        };
        let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
        self.ok("rules", names.join(", "))?;
        let definitions = match config.runs(&rules) {
            Ok(definitions) => definitions,
            Err(error) => {
                self.fail("runs", error.to_string())?;
                Vec::new()
            }
        };
        for definition in &definitions {
            let warnings = definition.warnings();
            if warnings.is_empty() {
                self.ok("runs", definition.rule.name.clone())?;
            }
            for warning in warnings {
                self.warn("runs", warning)?;
            }
        }
        runs::local(self, &definitions)?;
        Ok(Subject { rules: Some(rules), definitions })
    }

    fn end(self) -> Result<Outcome, Failure> {
        let of = |level| self.rows.iter().filter(|row| row.level == level).count();
        let (failed, warned) = (of(Level::Fail), of(Level::Warn));
        match self.live {
            None => output::json(&self.rows)?,
            Some(paint) => {
                output::line("")?;
                output::line(match (failed, warned) {
                    (0, 0) => paint.good("All is well: docket serve."),
                    (0, 1) => paint.bold("Nothing failed; one warning is for a person to judge."),
                    (0, _) => {
                        paint.bold(format!("Nothing failed; {warned} warnings are for a person to judge."))
                    }
                    _ => paint.bad(format!("{failed} of {} failed.", self.rows.len())),
                })?;
            }
        }
        Ok(self.outcome())
    }

    fn outcome(&self) -> Outcome {
        if self.rows.iter().all(|row| row.ok) { Outcome::Done } else { Outcome::Bad }
    }
}
