//! `docket check`: would it work? Looks at the settings, the database, the port, Fastio and OpenAI, and says what to fix.
//!
//! It changes nothing at Fastio and OpenAI. It makes a database that is missing and leaves one that is there as it is.

mod local;
mod ready;
mod remote;
mod ways;

use std::io;

use clap::Args;
use serde::Serialize;

use super::failure::{Failure, Outcome};
use super::shown::Shown;
use super::text::{Paint, terminal_width, wrap};
use super::{Form, output};
use crate::config::Config;
use crate::sync::Rules;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Only ask the running server whether it is ready, for a health check
    #[arg(long)]
    ready: bool,
    #[command(flatten)]
    form: Form,
}

/// What one look found. The message says what is there or, when it is not ok, what to do.
#[derive(Debug, Serialize)]
struct Row {
    check: String,
    ok: bool,
    message: String,
}

pub async fn run(arguments: Arguments, config: &Config) -> Result<Outcome, Failure> {
    let mut report = Report { rows: Vec::new(), live: (!arguments.form.json).then(Paint::stdout) };
    if arguments.ready {
        ready::ask(&mut report, config).await?;
        if report.live.is_none() {
            output::json(&report.rows)?;
        }
        return Ok(report.outcome());
    }
    let rules = report.rules(config)?;
    let in_use = local::database(&mut report, config).await?;
    local::secret(&mut report, config)?;
    local::listener(&mut report, config, in_use).await?;
    local::operator(&mut report, config, in_use).await?;
    remote::fastio(&mut report, config, &rules).await?;
    remote::openai(&mut report, config, &rules).await?;
    report.end()
}

/// The rows so far; for a person each is shown as soon as it is known.
struct Report {
    rows: Vec<Row>,
    live: Option<Paint>,
}

/// The names' column.
const NAME: usize = 17;

/// Where the messages begin.
const TEXT: usize = 4 + 2 + NAME + 2;

impl Report {
    fn ok(&mut self, check: impl Into<String>, message: impl Into<String>) -> io::Result<()> {
        self.add(Row { check: check.into(), ok: true, message: message.into() })
    }

    fn fail(&mut self, check: impl Into<String>, message: impl Into<String>) -> io::Result<()> {
        self.add(Row { check: check.into(), ok: false, message: message.into() })
    }

    fn add(&mut self, row: Row) -> io::Result<()> {
        if let Some(paint) = self.live {
            let word = if row.ok { paint.good("ok  ") } else { paint.bad("FAIL") };
            // Beside the names; on one line where there is no terminal.
            let width = terminal_width().map_or(usize::MAX, |width| width.saturating_sub(TEXT).max(TEXT));
            let beside = (word + "  " + &row.check).padded(TEXT - 2) + "  ";
            let before = std::iter::once(beside).chain(std::iter::repeat(Shown::default().padded(TEXT)));
            output::lines(before.zip(wrap(&row.message, width)).map(|(before, line)| before + line))?;
        }
        self.rows.push(row);
        Ok(())
    }

    /// What [`Config::load`] leaves unchecked. It refuses what cannot be read at all.
    fn rules(&mut self, config: &Config) -> io::Result<Option<Rules>> {
        match config.rules() {
            Ok(rules) => {
                let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
                self.ok("rules", names.join(", "))?;
                self.runs(config, &rules)?;
                Ok(Some(rules))
            }
            Err(error) => {
                self.fail("rules", error.to_string())?;
                Ok(None)
            }
        }
    }

    /// What is run over the rules' files; nothing is said where nothing is.
    fn runs(&mut self, config: &Config, rules: &Rules) -> io::Result<()> {
        let definitions = match config.runs(rules) {
            Ok(definitions) => definitions,
            Err(error) => return self.fail("runs", error.to_string()),
        };
        for definition in &definitions {
            match definition.warning() {
                Some(warning) => self.ok("runs", format!("{}; note: {warning}", definition.rule.name))?,
                None => self.ok("runs", definition.rule.name.clone())?,
            }
        }
        Ok(())
    }

    fn end(self) -> Result<Outcome, Failure> {
        let failed = self.rows.iter().filter(|row| !row.ok).count();
        match self.live {
            None => output::json(&self.rows)?,
            Some(paint) if failed == 0 => {
                output::lines([Shown::default(), paint.good("All is well: docket serve.")])?
            }
            Some(paint) => {
                let words = format!("{failed} of {} failed.", self.rows.len());
                output::lines([Shown::default(), paint.bad(words)])?;
            }
        }
        Ok(self.outcome())
    }

    fn outcome(&self) -> Outcome {
        if self.rows.iter().all(|row| row.ok) { Outcome::Done } else { Outcome::Bad }
    }
}
