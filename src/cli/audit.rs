//! `docket audit`: what people did through the operator listener and rules had done with files: who, when, to what, how many and why.

use clap::Args;

use super::failure::{Failure, Outcome};
use super::source::Source;
use super::table::{Column, Cut, Table, plain};
use super::text::{Paint, when};
use super::{ListArguments, RangeArguments, SettingsArgs, output};
use crate::audit::Row;
use crate::clock::Clock;
use crate::operate::query::MOST;
use crate::operate::query::audit::AuditLog;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Go on behind this row, in the order of the list
    #[arg(long, value_name = "ID")]
    after: Option<i64>,
    #[command(flatten)]
    range: RangeArguments,
    #[command(flatten)]
    list: ListArguments,
}

pub async fn run(arguments: Arguments, settings: &SettingsArgs) -> Result<Outcome, Failure> {
    let Arguments { after, range: RangeArguments { since, until }, list } = arguments;
    let source = Source::open(settings).await?;
    let mut question = AuditLog { since, until, after, limit: None };
    let mut rows: Vec<Row> = Vec::new();
    // One more than is shown says whether there are more.
    let most = list.limit as usize + 1;
    while rows.len() < most {
        question.limit = Some(MOST.min(u32::try_from(most - rows.len()).unwrap_or(MOST)));
        let page = source.ask(&question).await?;
        let Some(last) = page.last() else { break };
        question.after = Some(last.audit_id);
        rows.extend(page);
    }
    source.close().await;
    let more = rows.len() == most;
    rows.truncate(list.limit as usize);
    if list.form.json {
        output::json(&rows)?;
    } else if rows.is_empty() {
        output::line(
            "Nothing is on record. What people do through pages, the operator API or commands is, and what a rule has done with a file.",
        )?;
    } else {
        output::lines(table(&rows, Clock::default().now()).render(Paint::stdout()))?;
    }
    let last = rows.last().filter(|_| more);
    last.map(|row| list.more("rows", row.audit_id)).into_iter().for_each(output::complain);
    Ok(Outcome::Done)
}

fn table(rows: &[Row], now: i64) -> Table {
    let mut table = Table::new(&[
        Column::new("row", Cut::Nowhere).right(),
        Column::new("when", Cut::Nowhere),
        Column::new("who", Cut::End).widest(24),
        Column::new("what", Cut::Nowhere),
        Column::new("to", Cut::Middle).widest(32),
        Column::new("how many", Cut::Nowhere).right(),
        Column::new("why", Cut::Below),
    ]);
    for row in rows {
        let who = match &row.name {
            Some(name) => format!("{name} ({})", row.who),
            None => row.who.clone(),
        };
        let filter = row.filter.as_ref().map(|filter| format!("{filter}; "));
        table.row([
            plain(row.audit_id.to_string()),
            plain(when(row.at.min(now), now)),
            plain(who),
            plain(&row.action),
            plain(&row.about),
            plain(row.number.to_string()),
            plain(filter.unwrap_or_default() + row.why.as_deref().unwrap_or_default()),
        ]);
    }
    table
}
