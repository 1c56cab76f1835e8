//! Results that a Docket wrote whose records are lost. After an older backup of the database was put back, what was analysed since
//! looks new; its result stands beside it all the same, and says of which version it is. Nothing is paid for twice unless a person
//! asks.
//!
//! Only what is older than this server's start is looked at so: what came since was never seen by another.

use bytes::BytesMut;
use futures_util::StreamExt;

use super::Runs;
use super::existing;
use super::publish::owner;
use super::row::Run;
use super::settings::Definition;
use super::store;
use crate::database::Connection;
use crate::fastio::{Error, Node, NodeId, Profile};
use crate::job::verdict::fastio_verdict;
use crate::own;
use crate::queue::Verdict;
use crate::sync::store::Indexed;

/// More than a result has: the answer is cut long before.
const MOST_BYTES: u64 = 8 * 1024 * 1024;

impl Runs {
    /// Takes the run back if its result stands beside the file already. True when it did.
    pub(super) async fn withdrawn(
        &self,
        (run, definition): (&Run, &Definition),
        indexed: &Indexed,
    ) -> Result<bool, Verdict> {
        if !self.may_be_written(run, indexed).await? || !self.is_written(run, definition, indexed).await? {
            return Ok(false);
        }
        tracing::warn!(
            run.id = run.id.0,
            rule = run.rule,
            path = run.path,
            "its result stands beside the file, and is not on record: this database is older than it. It is not run over again; \
             `docket runs again --file PATH --yes` does so"
        );
        let (run, now) = (run.clone(), self.clock.now());
        let write = move |tx: &mut Connection| {
            store::withdraw(tx, run.id)?;
            existing::store::keep(tx, (&run.rule, &run.key, &run.content_hash), now)
        };
        self.database.write(write).await?;
        Ok(true)
    }

    /// Whether the run may have been made by another: nothing of it was begun, nothing is on record that was written for it, the
    /// file is older than this server's start, and no person asked.
    async fn may_be_written(&self, run: &Run, indexed: &Indexed) -> Result<bool, Verdict> {
        let is_new = indexed.source.modified_at.is_some_and(|at| at > self.started_at);
        if run.tries > 0 || run.made_in().is_some() || is_new {
            return Ok(false);
        }
        let run = run.clone();
        let read = move |connection: &mut Connection| {
            let is_asked = existing::store::is_known(connection, (&run.rule, &run.key, &run.content_hash))?;
            Ok(!is_asked && own::store::of(connection, &owner(&run.rule, &run.key, None))?.is_none())
        };
        self.database.read(read).await.map_err(Verdict::from)
    }

    /// Whether what stands under the result's name says that it is one of this content.
    async fn is_written(
        &self,
        run: &Run,
        definition: &Definition,
        indexed: &Indexed,
    ) -> Result<bool, Verdict> {
        let Some(pattern) = &definition.write_back else { return Ok(false) };
        let name = pattern.name_for(indexed.path.rsplit('/').next().unwrap_or_default());
        let folder = indexed.ancestors.first().cloned().unwrap_or_else(NodeId::root);
        let profile = &run.key.profile;
        let found = match self.fastio.child(profile, &folder, &name).await {
            Ok(found) => found.filter(|node| node.size.is_none_or(|size| size <= MOST_BYTES)),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(fastio_verdict(&error)),
        };
        let Some(node) = found else { return Ok(false) };
        match self.content_of(profile, &node).await {
            Ok(text) => Ok(is_of(&text, run)),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(fastio_verdict(&error)),
        }
    }

    async fn content_of(&self, profile: &Profile, node: &Node) -> Result<String, Error> {
        let mut download = self.fastio.download(profile, &node.id, None).await?;
        let mut content = BytesMut::new();
        while let Some(piece) = download.body.next().await {
            content.extend_from_slice(&piece?);
            if content.len() as u64 > MOST_BYTES {
                break;
            }
        }
        Ok(String::from_utf8_lossy(&content).into_owned())
    }
}

/// Whether a result says that it is of the run's content: by the version that Fastio gave it, or by its hash. In Markdown they stand
/// with marks before what could be markup.
fn is_of(text: &str, run: &Run) -> bool {
    let text = text.replace('\\', "");
    let ids = [run.version.as_deref(), Some(run.content_hash.as_str())];
    ids.into_iter().flatten().any(|id| !id.is_empty() && text.contains(id))
}
