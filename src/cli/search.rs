//! `docket search`: what an assistant would find, and how each file that it is of stands.

use clap::Args;

use super::failure::{Failure, Outcome};
use super::source::Source;
use super::table::{Column, Cut, Table, plain, state};
use super::text::{Paint, head, terminal_width, when};
use super::{Form, SettingsArgs, output};
use crate::clock::Clock;
use crate::operate::query::search::{ResultRow, Search};

/// Characters of a piece that a terminal shows.
const SHOWN: usize = 600;

#[derive(Debug, Args)]
pub struct Arguments {
    /// A question, or words, as an assistant would search for
    #[arg(value_name = "QUERY")]
    query: String,
    /// Only in the stores of this rule, and only files that it covers
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=50))]
    limit: u32,
    #[command(flatten)]
    form: Form,
}

pub async fn run(arguments: Arguments, settings: &SettingsArgs) -> Result<Outcome, Failure> {
    let Arguments { query, rule, limit, form } = arguments;
    let config = settings.load()?;
    let source = Source::open_with(settings, &config).await?;
    let results = source.search(&Search { query, rule, limit: Some(limit) }, &config).await;
    source.close().await;
    let results = results?;
    if form.json {
        output::one(&results)?;
        return Ok(Outcome::Done);
    }
    if results.rows.is_empty() {
        output::line("Nothing is found. Files that are not searchable yet: docket files --state behind")?;
    } else {
        output::lines(table(&results.rows).render(Paint::stdout()))?;
    }
    results.left_out_words().into_iter().chain(results.out_words()).for_each(output::complain);
    Ok(Outcome::Done)
}

fn table(rows: &[ResultRow]) -> Table {
    let now = Clock::default().now();
    let mut table = Table::new(&[
        Column::new("score", Cut::Nowhere).right(),
        Column::new("path", Cut::Start),
        Column::new("state", Cut::Nowhere),
        Column::new("since", Cut::Nowhere),
        Column::new("text of version", Cut::End).widest(24),
        Column::new("text", Cut::Below),
    ]);
    for row in rows {
        let text = match terminal_width() {
            Some(_) => head(&row.text, SHOWN),
            None => row.text.clone(),
        };
        let version = row.version.as_deref().unwrap_or("–");
        let present = if row.is_present { "" } else { " (an earlier one)" };
        table.row([
            plain(format!("{:.2}", row.score)),
            plain(row.path.as_deref().unwrap_or(&row.source_id)),
            state(row.state.as_str()),
            plain(row.since.map_or_else(|| "–".to_owned(), |since| when(since, now))),
            plain(format!("{version}{present}")),
            plain(text),
        ]);
    }
    table
}
