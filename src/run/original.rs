//! What code is given of a document whose copy is not the document: the file's own bytes. Code reads tables, workbooks and
//! pictures that a search does not, so their copies are texts that stand for them.
//!
//! They are put into a container that is made for the run. It ends by itself when nothing is done in it for twenty minutes, so
//! that none is on record: one that was made for a run which was killed is made again, and nothing of the first one stays.

use futures_util::StreamExt;

use super::Runs;
use super::frame::Shown;
use super::row::Run;
use super::settings::{Definition, Engine};
use crate::fastio::VersionId;
use crate::job::verdict::fastio_verdict;
use crate::openai::{self, NewFile, Tool};
use crate::queue::Verdict;
use crate::sync::form::{code_type, is_sent_as_it_is};
use crate::sync::store::Indexed;

/// The largest file that OpenAI takes (its OpenAPI document).
const MOST_BYTES: u64 = 512_000_000;

/// Why code is not given what it should be.
pub(super) enum Without {
    /// It never will be, for this reason.
    Ever(String),
    /// OpenAI did not make the container, or did not take the file.
    Refused(openai::Error),
    Verdict(Verdict),
}

impl Runs {
    /// What the run is shown, with the document itself for code where its copy is another text.
    pub(super) async fn with_original(
        &self,
        (run, definition): (&Run, &Definition),
        indexed: &Indexed,
        mut shown: Shown,
    ) -> Result<Shown, Without> {
        let Some(copy) = &indexed.copy else { return Ok(shown) };
        let name = run.name();
        let is_cut = copy.segment.is_some();
        let Some(mime_type) = code_type(name).filter(|_| is_cut || !is_sent_as_it_is(name, &copy.filename))
        else {
            return Ok(shown);
        };
        let is_code = |tool: &&mut Tool| matches!(tool, Tool::CodeInterpreter { .. });
        // An assistant takes File objects only.
        let takes = !matches!(definition.engine, Engine::Assistants { .. });
        let Some(tool) = shown.tools.iter_mut().find(is_code).filter(|_| takes) else { return Ok(shown) };
        let length = indexed.source.size;
        if length > MOST_BYTES {
            return Err(Without::Ever(format!(
                "the file has {} MB, and code is given files of at most {} MB: leave code_interpreter out of the rule's attach",
                length / 1_000_000,
                MOST_BYTES / 1_000_000
            )));
        }
        let container = self
            .openai
            .create_container(&format!("docket run {}", run.id))
            .await
            .map_err(Without::Refused)?;
        let version = run.version.clone().map(VersionId);
        let download = self.fastio.download(&run.key.profile, &run.key.node, version.as_ref()).await;
        let download = download.map_err(|error| match error.is_not_found() {
            // Its own job learns what became of it.
            true => Without::Verdict(Verdict::Retry { after: None, reason: error.to_string() }),
            false => Without::Verdict(fastio_verdict(&error)),
        })?;
        let file = NewFile { filename: name, mime_type, length };
        let content = download.body.map(|piece| piece.map_err(Box::new));
        self.openai.fill_container(&container, file, content).await.map_err(Without::Refused)?;
        *tool = Tool::CodeIn(container);
        Ok(shown)
    }
}
