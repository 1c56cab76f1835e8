//! The document's own text, which quotes are looked up in: never the model's account of it.

use super::Runs;
use super::row::Run;
use super::settings::Definition;
use crate::http::Retry;
use crate::job::verdict::fastio_verdict;
use crate::openai::{Error, FileId, StoreText, VectorStoreId};
use crate::queue::Verdict;
use crate::result::answer::Text;
use crate::sync::reading::store::segments_of;

/// More text than any document that one run can read: about 5,000,000 tokens.
const MAX_BYTES: usize = 24 * 1024 * 1024;

impl Runs {
    /// What the vector store read out of a file, or out of all segments of it.
    async fn store_text(
        &self,
        store: &VectorStoreId,
        file: &FileId,
    ) -> Result<Result<StoreText, Error>, Verdict> {
        let first = file.clone();
        let segments = self.database.read(move |connection| segments_of(connection, &first)).await?;
        let (mut text, mut left) = (StoreText { pieces: Vec::new(), complete: true }, MAX_BYTES);
        let files = if segments.is_empty() { vec![file.clone()] } else { segments };
        for file in files {
            match self.openai.store_text(store, &file, left).await {
                Ok(part) => {
                    left = left.saturating_sub(part.pieces.iter().map(String::len).sum());
                    text.pieces.extend(part.pieces);
                    text.complete = part.complete && left > 0;
                }
                Err(error) => return Ok(Err(error)),
            }
            if !text.complete {
                break;
            }
        }
        Ok(Ok(text))
    }

    /// The text of the version that the run is over: what the vector store read out of it, else what Fastio did. Without
    /// either, why there is none.
    pub(super) async fn text(
        &self,
        (run, definition): (&Run, &Definition),
    ) -> Result<Result<Text, String>, Verdict> {
        let (store, file) = (VectorStoreId(run.vector_store.clone()), FileId(run.file_id.clone()));
        let held = match file.0.is_empty() {
            true => None,
            false => Some(self.store_text(&store, &file).await?),
        };
        let why: String = match held {
            None => "OpenAI was not given it".to_owned(),
            Some(Ok(text)) if !text.complete => {
                "the vector store's text of it is too long to be checked".to_owned()
            }
            Some(Ok(text)) if text.pieces.iter().all(|piece| piece.trim().is_empty()) => {
                "the vector store read no text out of it".to_owned()
            }
            Some(Ok(text)) => {
                return Ok(Ok(Text(text.pieces.into_iter().map(|piece| (piece, None)).collect())));
            }
            Some(Err(error)) => match error.retry() {
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
