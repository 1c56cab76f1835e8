//! `docket runs accept`, `reject` and `withdraw`: what a person says of an answer.

use clap::Args;
use serde_json::json;

use crate::cli::failure::{Failure, Outcome};
use crate::cli::source::Source;
use crate::cli::{Form, RowArguments, output};
use crate::operate::act::Action;
use crate::operate::api::Why;
use crate::operate::query::runs::Run;
use crate::result::judgement::{Said, name, note};

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

pub async fn judge(source: &Source, said: Said, arguments: Arguments) -> Result<Outcome, Failure> {
    let Arguments { id, note, by, form } = arguments;
    let by = by.or_else(user).ok_or_else(|| {
        Failure::Usage("who says so? Nobody is known to be logged in: add --by NAME".to_owned())
    })?;
    let row = source.ask(&Run { id }).await?.run;
    let action = if said == Said::Accepted { Action::Accept } else { Action::Reject };
    let why = Why { why: Some(note), name: Some(by) };
    if !source.can(action, &id.to_string(), why).await? {
        let word = row.word();
        let why = if row.state == "ended" { format!("ended as {word}") } else { format!("is {word}") };
        return Err(Failure::Failed(format!("run {id} {why}: it has no answer to be {}", said.as_str())));
    }
    if form.json {
        let judgement = source.ask(&Run { id }).await?.run.judgement();
        output::json(&[json!({"run_id": id, "verdict": judgement})])?;
        return Ok(Outcome::Done);
    }
    let word = said.as_str();
    output::line(format!("Run {id} is {word}; the server writes it into the result and the rule's table."))?;
    if said == Said::Rejected {
        let (rule, file) = (&row.rule, &row.path);
        output::line(format!(
            "The result stays and says so. Another answer: docket runs again --rule {rule} --file \"{file}\" --yes; if the rule \
             asks the wrong question, change its prompt first."
        ))?;
    }
    Ok(Outcome::Done)
}

pub async fn withdraw(source: &Source, one: &RowArguments) -> Result<Outcome, Failure> {
    let id = one.id;
    source.ask(&Run { id }).await?;
    if !source.can(Action::Withdraw, &id.to_string(), Why::default()).await? {
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
