//! `docket files --look-again`: what OpenAI can read in a file is looked at once more, as after its content was put right at
//! OpenAI, or where an earlier version of Docket did not look.

use super::super::failure::{Failure, Outcome};
use super::super::output;
use super::super::source::Source;
use super::super::text::count;
use crate::operate::act::Action;
use crate::operate::api::BulkOrder;
use crate::operate::bulk::MOST;
use crate::operate::query;
use crate::operate::query::files::Files;
use crate::sync::copy::Reading;
use crate::sync::listing::Row;

/// Asks for a look at each file that `question` lists and that is not known to have been read.
pub async fn look(source: &Source, mut question: Files) -> Result<Outcome, Failure> {
    question.limit = Some(query::MOST);
    let (mut files, mut asked) = (Vec::new(), 0);
    loop {
        let page = source.ask(&question).await?;
        files.extend(page.rows.into_iter().filter(is_unread).map(|row| row.source_id));
        files.dedup();
        let is_last = page.next.is_none();
        while files.len() >= MOST as usize || is_last && !files.is_empty() {
            let items = files.drain(..files.len().min(MOST as usize)).collect();
            asked += source.many(BulkOrder::to(Action::LookAgain, items)).await?;
        }
        if is_last {
            break;
        }
        question.after = page.next;
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
