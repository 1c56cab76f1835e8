//! `docket runs accept`, `reject` and `withdraw`: what a person says of an answer.

use clap::Args;
use serde_json::json;

use super::no_run;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::{Form, RowArguments, output};
use crate::clock::Clock;
use crate::database::{Connection, Database};
use crate::result::judgement::{Judgement, Said, name, note};
use crate::run::store::{self, RunRow};
use crate::run::{self, RunId};

#[derive(Debug, Args)]
pub struct Arguments {
    /// Its number, as the list shows it
    #[arg(value_name = "ID")]
    id: i64,
    /// Why, in words for who reads the result
    #[arg(long, value_name = "TEXT", value_parser = note)]
    note: String,
    /// Who says so; without it the user who is logged in
    #[arg(long, value_name = "NAME", value_parser = name)]
    by: Option<String>,
    #[command(flatten)]
    form: Form,
}

/// Who is logged in, as shells say it; behind `sudo` the person who called it.
fn user() -> Option<String> {
    ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .find_map(|variable| name(&std::env::var(variable).ok()?).ok())
}

pub async fn judge(database: &Database, said: Said, arguments: Arguments) -> Result<Outcome, Failure> {
    let Arguments { id, note, by, form } = arguments;
    let by = by.or_else(user).ok_or_else(|| {
        Failure::Usage("who says so? Nobody is known to be logged in: add --by NAME".to_owned())
    })?;
    let judgement = Judgement { said, by, note, at: Clock::default().now() };
    let kept = judgement.clone();
    let (is_kept, row) = change(database, RunId(id), Some(kept)).await?;
    if !is_kept {
        let word = row.word();
        let why = if row.state == "ended" { format!("ended as {word}") } else { format!("is {word}") };
        return Err(Failure::Failed(format!("run {id} {why}: it has no answer to be {}", said.as_str())));
    }
    if form.json {
        output::json(&[json!({"run_id": id, "verdict": judgement})])?;
        return Ok(Outcome::Done);
    }
    let said = said.as_str();
    output::line(format!("Run {id} is {said}; the server writes it into the result and the rule's table."))?;
    if judgement.said == Said::Rejected {
        let (rule, file) = (&row.rule, &row.path);
        output::line(format!(
            "The result stays and says so. Another answer: docket runs again --rule {rule} --file \"{file}\" --yes; if the rule \
             asks the wrong question, change its prompt first."
        ))?;
    }
    Ok(Outcome::Done)
}

pub async fn withdraw(database: &Database, one: &RowArguments) -> Result<Outcome, Failure> {
    let id = one.id;
    let (is_kept, _) = change(database, RunId(id), None).await?;
    if !is_kept {
        return Err(Failure::Failed(format!("run {id} was neither accepted nor rejected")));
    }
    if one.form.json {
        output::json(&[json!({"run_id": id, "verdict": null})])?;
    } else {
        output::line(format!(
            "What was said of run {id} is taken back, and goes from the result and the table."
        ))?;
    }
    Ok(Outcome::Done)
}

/// Whether it was kept, and the run as it was.
async fn change(
    database: &Database,
    id: RunId,
    judgement: Option<Judgement>,
) -> Result<(bool, RunRow), Failure> {
    let now = Clock::default().now();
    let write = move |tx: &mut Connection| {
        let Some(row) = store::row(tx, id)? else { return Ok(None) };
        Ok(Some((run::judge(tx, id, judgement.as_ref(), now)?, row)))
    };
    database.write(write).await?.ok_or_else(|| no_run(id.0))
}
