//! `docket files --look-again`: what OpenAI can read in a file is looked at once more, as after its content was put right at
//! OpenAI, or where an earlier version of Docket did not look.

use super::super::failure::{Failure, Outcome};
use super::super::output;
use super::super::text::count;
use crate::clock::Clock;
use crate::database::{Connection, Database};
use crate::operate::query::files::Files;
use crate::operate::query::{Known, MOST};
use crate::sync::copy::Reading;
use crate::sync::listing::{self, Cursor, Row};
use crate::sync::reading::store;

/// Asks for a look at each file that `filter` lists and that is not known to have been read.
pub async fn look((database, known): (&Database, &Known), question: &Files) -> Result<Outcome, Failure> {
    let (asked, known) = (question.clone(), known.clone());
    let filter = database.read(move |connection| asked.filter(connection, &known)).await??;
    let (mut after, mut asked) = (Cursor::default(), 0);
    loop {
        let (from, wanted, now) = (after, filter.clone(), Clock::default().now());
        let page = database.read(move |connection| listing::page(connection, &wanted, &from, MOST)).await?;
        let mut files: Vec<String> =
            page.rows.iter().filter(|row| is_unread(row)).map(|row| row.source_id.clone()).collect();
        files.dedup();
        asked += files.len() as u64;
        let write = move |tx: &mut Connection| {
            files.iter().filter_map(|id| id.parse().ok()).try_for_each(|key| store::look_again(tx, &key, now))
        };
        database.write(write).await?;
        match page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    output::line(match asked {
        0 => "Of all of them it is known that OpenAI can read them.".to_owned(),
        asked => format!("{} to be looked at; docket files says what was found.", count(asked, "file")),
    })?;
    Ok(Outcome::Done)
}

fn is_unread(row: &Row) -> bool {
    row.copy.state.as_deref() == Some("indexed")
        && row.copy.reading.as_deref() != Some(Reading::Text.as_str())
}
