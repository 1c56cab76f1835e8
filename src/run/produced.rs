//! What a run's code interpreter made: fetched while its container lives, made harmless, and written beside the result.
//! A document may have told the code what to make, so only kinds of files that do nothing are taken, and whatever becomes of
//! them is a sentence in the result and never its end.

use futures_util::StreamExt;

use super::Runs;
use super::publish::{Written, owner};
use super::row::Run;
use super::store::made::{self, Produced};
use crate::database::Connection;
use crate::fastio::NodeId;
use crate::http::Retry;
use crate::job::verdict::openai_verdict;
use crate::openai::{ContainerId, Error};
use crate::queue::Verdict;
use crate::result::harmless::FileKind;
use crate::result::name::{beside, made_name};

/// The most of one file. It is held in memory while it is fetched, and in the database until it is delivered.
const MOST_BYTES: u64 = 32 * 1024 * 1024;

/// The most of all files of one run.
const MOST_BYTES_IN_ALL: u64 = 64 * 1024 * 1024;

/// What became of the files beside a result.
#[derive(Default)]
pub(super) struct Beside {
    pub written: Vec<Written>,
    /// Why others were not, as sentences.
    pub refused: Vec<String>,
}

impl Runs {
    /// The files that the run made, as they may be written.
    pub(super) async fn fetch_produced(&self, run: &Run) -> Result<Vec<Produced>, Verdict> {
        let id = run.id;
        let known = || self.database.read(move |connection| made::all_produced(connection, id));
        let found = known().await?;
        let mut kept: u64 = found.iter().filter_map(|file| u64::try_from(file.bytes?).ok()).sum();
        for file in found.iter().filter(|file| !file.is_settled()) {
            let content = self.fetch(file, MOST_BYTES_IN_ALL.saturating_sub(kept)).await?;
            kept += content.as_ref().map_or(0, Vec::len) as u64;
            let file_id = file.file_id.clone();
            let write = move |tx: &mut Connection| {
                made::keep_produced(tx, id, &file_id, content.as_deref().map_err(String::as_str))
            };
            self.database.write(write).await?;
        }
        known().await.map_err(Verdict::from)
    }

    /// The content of a file as it may be written, or why it is not taken.
    async fn fetch(&self, file: &Produced, room: u64) -> Result<Result<Vec<u8>, String>, Verdict> {
        let kind = match FileKind::of(&file.filename) {
            Ok(kind) => kind,
            Err(reason) => return Ok(Err(reason)),
        };
        if room == 0 {
            let all = MOST_BYTES_IN_ALL / 1024 / 1024;
            return Ok(Err(format!("was left out, because the run's files have more than {all} MB")));
        }
        match self.download(file, room.min(MOST_BYTES)).await {
            Ok(content) => Ok(self.compute.run(move || kind.harmless(content)).await),
            Err(error) if error.retry() == Retry::Never => Ok(Err(format!("could not be had: {error}"))),
            Err(error) => Err(openai_verdict(&error)),
        }
    }

    async fn download(&self, file: &Produced, most: u64) -> Result<Vec<u8>, Error> {
        let container = ContainerId(file.container.clone());
        let mut download = self.openai.container_file(&container, &file.file_id, most).await?;
        let mut bytes = Vec::new();
        while let Some(piece) = download.body.next().await {
            bytes.extend_from_slice(&piece?);
        }
        Ok(bytes)
    }

    /// Writes the files beside their source. One that Fastio refuses is left out.
    pub(super) async fn put_produced(
        &self,
        run: &Run,
        (source, folder): (&str, &NodeId),
        produced: &[Produced],
    ) -> Result<Beside, Verdict> {
        let mut done = Beside::default();
        for (place, file) in produced.iter().enumerate() {
            let (id, file_id) = (run.id, file.file_id.clone());
            let content = self.database.read(move |connection| made::content(connection, id, &file_id)).await;
            let Some(content) = content? else { continue };
            // Two files may have one name, in two folders or containers.
            let name = made_name(&file.filename);
            let before = produced[..place].iter().filter(|other| made_name(&other.filename) == name).count();
            let called = match before {
                0 => file.filename.clone(),
                before => format!("{}#{}", file.filename, before + 1),
            };
            let owner = owner(&run.rule, &run.key, Some(&called));
            let name = beside(source, &file.filename);
            match self.put(run, (folder, &name, owner), content.into()).await {
                Ok(made) => done.written.push(made),
                Err(Verdict::Dead { reason }) => {
                    tracing::warn!(run.id = run.id.0, name, reason, "a file that a run made was not written");
                    done.refused.push(format!("{name} could not be written: {reason}."));
                }
                Err(verdict) => return Err(verdict),
            }
        }
        Ok(done)
    }
}

impl Produced {
    /// What a reader of the result is told of it.
    pub(super) fn note(&self, source: &str) -> String {
        match &self.reason {
            Some(reason) => format!("The run made the file {}, which {reason}.", made_name(&self.filename)),
            None => format!("The run made the file {}.", beside(source, &self.filename)),
        }
    }

    /// The same where the rule writes nothing.
    pub(super) fn not_written(&self) -> String {
        let name = made_name(&self.filename);
        match &self.reason {
            Some(reason) => format!("The run made the file {name}, which {reason}."),
            None => {
                format!("The run made the file {name}; it was not kept, because the rule has no write_back.")
            }
        }
    }

    /// Its content is here, or it is known why not.
    fn is_settled(&self) -> bool {
        self.bytes.is_some() || self.reason.is_some()
    }
}
