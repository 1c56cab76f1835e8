//! `docket events`: what was said to have happened, the newest first.

use clap::Args;

use super::failure::{Failure, Outcome};
use super::source::Source;
use super::table::{Column, Cut, Table, plain, state};
use super::text::{Paint, count, when};
use super::{ListArguments, RangeArguments, SettingsArgs, output};
use crate::clock::Clock;
use crate::operate::query::events::{EventView, Events, EventsPage};

#[derive(Debug, Args)]
pub struct Arguments {
    /// Downloads too; nearly all of them are Docket's own
    #[arg(long)]
    all: bool,
    /// Go on behind this event, in the order of the list
    #[arg(long, value_name = "EVENT_ID")]
    after: Option<String>,
    #[command(flatten)]
    range: RangeArguments,
    #[command(flatten)]
    list: ListArguments,
}

pub async fn run(arguments: Arguments, settings: &SettingsArgs) -> Result<Outcome, Failure> {
    let Arguments { all, after: behind, range: RangeArguments { since, until }, list } = arguments;
    let is_all = since.is_none() && until.is_none();
    let source = Source::open(settings).await?;
    let listed = source.list(Events { all, behind, since, until, ..Events::default() }, list.limit).await;
    source.close().await;
    let (rows, more, EventsPage { downloads, or_more, .. }) = listed?;
    if list.form.json {
        output::json(&rows)?;
    } else if rows.is_empty() && !is_all {
        output::line("No event came in this time.")?;
    } else if rows.is_empty() {
        output::line("No event yet. `docket send` posts one to a running server.")?;
    } else {
        output::lines(table(&rows, Clock::default().now()).render(Paint::stdout()))?;
    }
    if downloads > 0 {
        let at_least = if or_more { "At least " } else { "" };
        let downloads = count(downloads.unsigned_abs(), "download");
        output::complain(format!(
            "{at_least}{downloads}, nearly all Docket's own, not shown; --all shows them."
        ));
    }
    let last = rows.last().filter(|_| more);
    last.map(|row| list.more("events", &row.event.event_id)).into_iter().for_each(output::complain);
    Ok(Outcome::Done)
}

fn table(rows: &[EventView], now: i64) -> Table {
    let mut table = Table::new(&[
        Column::new("received", Cut::Nowhere),
        Column::new("from", Cut::Nowhere),
        Column::new("kind", Cut::Nowhere),
        Column::new("about", Cut::Start).widest(48),
        Column::new("event", Cut::End),
        Column::new("event id", Cut::Middle).widest(13),
        Column::new("request id", Cut::Middle).widest(13),
    ]);
    for EventView { event, path, .. } in rows {
        let name = short(&event.name);
        let name = match &event.ignored_because {
            Some(because) => format!("{name}: {because}"),
            None => name.to_owned(),
        };
        table.row([
            plain(when(event.received_at, now)),
            plain(&event.source),
            state(&event.kind),
            plain(path.as_deref().or(event.node.as_deref()).unwrap_or("–")),
            plain(name),
            plain(&event.event_id),
            plain(event.request_id.as_deref().unwrap_or("–")),
        ]);
    }
    table
}

/// Fastio's name without where it happened, which nearly all have in common.
fn short(name: &str) -> &str {
    let prefixes = ["workspace_storage_", "share_storage_"];
    prefixes.into_iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}
