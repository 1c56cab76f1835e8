//! The document's own text, which quotes are looked up in: never the model's account of it.

use super::Runs;
use super::row::Run;
use super::settings::Definition;
use crate::http::Retry;
use crate::job::verdict::fastio_verdict;
use crate::openai::{FileId, VectorStoreId};
use crate::queue::Verdict;
use crate::result::answer::Text;

/// More text than any document that one run can read: about 5,000,000 tokens.
const MAX_BYTES: usize = 24 * 1024 * 1024;

impl Runs {
    /// The text of the version that the run is over: what the vector store read out of it, else what Fastio did. Without
    /// either, why there is none.
    pub(super) async fn text(
        &self,
        (run, definition): (&Run, &Definition),
    ) -> Result<Result<Text, String>, Verdict> {
        let (store, file) = (VectorStoreId(run.vector_store.clone()), FileId(run.file_id.clone()));
        let why: String = match self.openai.store_text(&store, &file, MAX_BYTES).await {
            Ok(text) if !text.complete => {
                "the vector store's text of it is too long to be checked".to_owned()
            }
            Ok(text) if text.pieces.iter().all(|piece| piece.trim().is_empty()) => {
                "the vector store read no text out of it".to_owned()
            }
            Ok(text) => {
                return Ok(Ok(Text(text.pieces.into_iter().map(|piece| (piece, None)).collect())));
            }
            Err(error) => match error.retry() {
                Retry::Never => format!("the vector store's text of it cannot be had: {error}"),
                Retry::Backoff | Retry::After(_) | Retry::Unavailable(_) | Retry::Pause => {
                    return Err(self.unanswered(definition, &error).await);
                }
            },
        };
        let and = match self.fastio.text(&run.key.profile, &run.key.node, MAX_BYTES).await {
            Ok(extract) if !extract.indexed => "Fastio has read no text out of it",
            Ok(extract) if !extract.complete => "Fastio's text of it is not whole",
            Ok(extract) if extract.version.as_ref().is_some_and(|of| Some(&of.0) != run.version.as_ref()) => {
                "Fastio's text is of another version"
            }
            Ok(extract) => {
                let pieces = extract.pieces.into_iter().map(|piece| (piece.text, piece.pages));
                return Ok(Ok(Text(pieces.collect())));
            }
            Err(error) => match error.retry() {
                Retry::Never => "Fastio's text of it cannot be had",
                Retry::Backoff | Retry::After(_) | Retry::Unavailable(_) | Retry::Pause => {
                    return Err(fastio_verdict(&error));
                }
            },
        };
        Ok(Err(format!("{why}; {and}")))
    }
}
