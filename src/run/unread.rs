//! Whether the document of a run could be read. An answer over a scan says "nothing found" in the same words as one over a
//! contract without the clause, so it is never passed on as a finding.

use super::Runs;
use super::row::Run;
use super::settings::Definition;
use crate::http::Retry;
use crate::openai::{FileId, VectorStoreId};
use crate::queue::Verdict;
use crate::sync::form::is_read_as_text;
use crate::sync::reading::store;
use crate::sync::reading::{in_words, judge};

impl Runs {
    /// Why nothing that an answer says of the document can be relied upon, in words: OpenAI could read nothing in it, or
    /// next to nothing. Nothing where it could, or where that cannot be known.
    pub(super) async fn unread(
        &self,
        (run, definition): (&Run, &Definition),
    ) -> Result<Option<String>, Verdict> {
        let (store_id, file_id) = (VectorStoreId(run.vector_store.clone()), FileId(run.file_id.clone()));
        let wanted = file_id.clone();
        let known = self.database.read(move |connection| store::copy_of(connection, &wanted)).await;
        let Some(store::Counted { copy, pages, characters, .. }) = known? else {
            return Ok(None);
        };
        if is_read_as_text(&copy.filename) {
            return Ok(None);
        }
        if let Some(reading) = copy.reading {
            return Ok(in_words(reading, characters.unwrap_or(0), copy.bytes));
        }
        match self.openai.beginning_of_text(&store_id, &file_id).await {
            Ok(text) => {
                let (reading, characters) = judge(&text, copy.bytes, pages);
                Ok(in_words(reading, characters, copy.bytes))
            }
            Err(error) if error.retry() == Retry::Never => Ok(None),
            Err(error) => Err(self.unanswered(definition, &error).await),
        }
    }
}
