//! `docket files`: each file with its copies at OpenAI.

use clap::Args;

use super::failure::{Failure, Outcome};
use super::table::{Column, Cut, Table, plain, state};
use super::text::{Paint, bytes, when};
use super::{ListArguments, open, output};
use crate::clock::Clock;
use crate::config::Config;
use crate::sync::store::{FileRow, list};

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    list: ListArguments,
}

pub async fn run(arguments: Arguments, config: &Config) -> Result<Outcome, Failure> {
    let ListArguments { limit, form } = arguments.list;
    let database = open(config).await?;
    let rows = list(&mut *database.read().acquire().await?, limit).await;
    database.close().await;
    let rows = rows?;
    if form.json {
        output::json(&rows)?;
    } else if rows.is_empty() {
        output::line("No file yet. One appears here when an event about it has been worked on.")?;
    } else {
        let paint = Paint::stdout();
        output::lines(table(&rows, Clock::default().now()).render(paint))?;
        if let Some(store) = only_store(&rows) {
            output::line("")?;
            output::line(paint.dim(format!("All copies are in the vector store {store}.")))?;
        }
    }
    Ok(Outcome::Done)
}

fn table(rows: &[FileRow], now: i64) -> Table {
    // Nearly always one store holds all, and its id would only push the paths out of sight.
    let with_store = only_store(rows).is_none();
    let mut columns = vec![
        Column::new("path", Cut::Start),
        Column::new("file", Cut::Nowhere),
        Column::new("size", Cut::Nowhere).right(),
        Column::new("seen", Cut::Nowhere),
        Column::new("copy", Cut::Nowhere),
        Column::new("file id, or why there is none", Cut::Below),
    ];
    if with_store {
        columns.insert(5, Column::new("vector store", Cut::Middle).widest(16));
    }
    let mut table = Table::new(&columns);
    for row in rows {
        let last = row.file_id.as_deref().or(row.reason.as_deref()).unwrap_or_default();
        let mut cells = vec![
            plain(&row.path),
            state(&row.state),
            plain(bytes(row.size.unsigned_abs())),
            plain(when(row.seen_at, now)),
            state(row.copy.as_deref().unwrap_or("–")),
            plain(last),
        ];
        if with_store {
            cells.insert(5, plain(row.vector_store.as_deref().unwrap_or("–")));
        }
        table.row(cells);
    }
    table
}

/// The one vector store that every copy is in; None when there are several or none.
fn only_store(rows: &[FileRow]) -> Option<&str> {
    let mut stores = rows.iter().filter_map(|row| row.vector_store.as_deref());
    let first = stores.next()?;
    stores.all(|store| store == first).then_some(first)
}
