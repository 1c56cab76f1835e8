//! Writes one file of ours into Fastio: as a new file, or as the next version of what we wrote before, and never over
//! anything else.
//!
//! The intent is on record first, then an upload is opened, gets the bytes and is placed: over
//! our earlier version only if that is still the current one (compare-and-set), else under a name that is free. What a
//! lost reply or a crash left is found by the file's content: it names its response and times, so equal bytes are ours.
//!
//! Fastio has no way to place a new file only if its name is free. Between our look and our write a person may put a file
//! of the very same name there, which Fastio would then keep as an earlier version of ours.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::compute::Compute;
use crate::database::{Connection, Database};
use crate::fastio::{Client, Error, ErrorKind, Node, NodeId, Profile, UploadId, UploadState, VersionId};
use crate::job::verdict::fastio_verdict;
use crate::outside::{self, find, is_that_write, marked};
use crate::own::store::{self as own, Intent, OwnFile};
use crate::queue::Verdict;

/// `name (2)` to `name (20)`: a folder with more of them has another problem.
const MOST_NAMES: usize = 20;

/// Steps of one write in one go.
const MOST_STEPS: usize = 12;

/// How long Fastio may hold its answer about an upload, and how often it is asked before the job comes back later.
const STORED_WAIT: Duration = Duration::from_secs(10);
const STORED_LOOKS: usize = 3;

/// What is written, and where.
#[derive(Debug)]
pub(super) struct Output<'a> {
    /// What it is the result of; one file of ours each.
    pub owner: &'a str,
    pub profile: &'a Profile,
    pub folder: &'a NodeId,
    pub name: &'a str,
    pub content: Bytes,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    pub node: NodeId,
    pub version: Option<VersionId>,
    pub name: String,
}

/// What the next step of a write is.
enum Next {
    Done(Written),
    /// It is in Fastio already, in this node.
    Record(Node),
    /// Write the intent down: over this version of our earlier file, or as a new file of this name.
    IntendOver(NodeId, VersionId, String),
    IntendNew(String),
    Upload,
    Place(UploadId),
}

/// What writes our files.
#[derive(Debug)]
pub(super) struct Publisher {
    pub database: Database,
    pub clock: Clock,
    pub fastio: Client,
    pub compute: Compute,
    /// What to notify when an upload has done its work, and is to be taken away.
    pub wake: Arc<Notify>,
}

impl Publisher {
    /// Writes `output`. Doing it twice writes once.
    pub(super) async fn write(&self, output: &Output<'_>) -> Result<Written, Verdict> {
        let content = output.content.clone();
        let sha256 = self.compute.run(move || hex::encode(Sha256::digest(&content))).await;
        for _ in 0..MOST_STEPS {
            let owner = output.owner.to_owned();
            let known = self.database.read(move |connection| {
                Ok((own::of(connection, &owner)?, outside::store::filled(connection, &owner)?))
            });
            let (known, filled) = known.await?;
            match self.next(output, (known.as_ref(), filled), &sha256).await? {
                Next::Done(written) => return Ok(written),
                Next::Record(node) => self.written(output, &node).await?,
                Next::IntendOver(node, version, name) => {
                    self.intend(output, (name, Some((node, version))), &sha256).await?;
                }
                Next::IntendNew(name) => self.intend(output, (name, None), &sha256).await?,
                Next::Upload => self.upload(output, known.as_ref()).await?,
                Next::Place(upload) => self.place(output, known.as_ref(), &upload).await?,
            }
        }
        Err(Verdict::Retry { after: None, reason: "writing the result did not end".to_owned() })
    }

    /// `filled` is the upload that has every byte of what is being written.
    async fn next(
        &self,
        output: &Output<'_>,
        (known, filled): (Option<&OwnFile>, Option<String>),
        sha256: &str,
    ) -> Result<Next, Verdict> {
        let Some(known) = known else { return Ok(Next::IntendNew(self.free_name(output, None).await?)) };
        let same = known.sha256 == sha256 && known.size == size(&output.content);
        let go_on = filled.map_or(Next::Upload, |upload| Next::Place(UploadId(upload)));
        let found = find(&self.fastio, output.profile, known).await?;
        let Some(found) = found else {
            // Gone, or not made yet.
            if known.writing && same && known.node.is_none() {
                return Ok(go_on);
            }
            return Ok(Next::IntendNew(self.free_name(output, None).await?));
        };
        let ours = known.node.is_some() && found.version == known.version;
        if ours && !known.writing && same {
            let (node, version, name) = (found.id, found.version, found.name);
            return Ok(Next::Done(Written { node, version, name }));
        }
        if ours {
            return Ok(match (known.writing && same, found.version) {
                (true, _) => go_on,
                (false, Some(version)) => Next::IntendOver(found.id, version, found.name),
                // Without versions a person's edit cannot be told from ours.
                (false, None) => Next::IntendNew(self.free_name(output, Some(&found.name)).await?),
            });
        }
        if known.writing && is_that_write(&self.fastio, output.profile, &found, known).await? {
            return Ok(Next::Record(found));
        }
        tracing::info!(
            path = found.name,
            "a person has changed a result, or has a file of its name; writing beside it"
        );
        Ok(Next::IntendNew(self.free_name(output, Some(&found.name)).await?))
    }

    /// The name that is wanted, or the first of `… (2)`, `… (3)` that is free. `taken` is known to be.
    async fn free_name(&self, output: &Output<'_>, taken: Option<&str>) -> Result<String, Verdict> {
        let (stem, extension) = output.name.rsplit_once('.').unwrap_or((output.name, ""));
        for number in 1..=MOST_NAMES {
            let name = match number {
                1 => output.name.to_owned(),
                _ => format!("{stem} ({number}).{extension}"),
            };
            if taken == Some(name.as_str()) {
                continue;
            }
            let found = self.fastio.child(output.profile, output.folder, &name).await;
            if found.map_err(|error| fastio_verdict(&error))?.is_none() {
                if number > 1 {
                    tracing::info!(name, wanted = output.name, "the name is taken; a result goes beside it");
                }
                return Ok(name);
            }
        }
        Err(Verdict::Dead { reason: format!("{} and {MOST_NAMES} names like it are taken", output.name) })
    }

    async fn intend(
        &self,
        output: &Output<'_>,
        (name, over): (String, Option<(NodeId, VersionId)>),
        sha256: &str,
    ) -> Result<(), Verdict> {
        let (owner, profile) = (output.owner.to_owned(), output.profile.clone());
        let (folder, sha256, size) = (output.folder.clone(), sha256.to_owned(), size(&output.content));
        let now = self.clock.now();
        let write = move |tx: &mut Connection| {
            let over = over.as_ref().map(|(node, version)| (node, Some(version)));
            let intent = Intent {
                owner: &owner,
                profile: &profile,
                folder: &folder,
                name: &name,
                sha256: &sha256,
                size,
                over,
            };
            let free = own::intend(tx, &intent, now)?;
            if free {
                outside::store::leave_sessions(tx, &owner, now)?;
            }
            Ok(free)
        };
        if self.database.write(write).await? {
            return Ok(());
        }
        Err(Verdict::later(Duration::from_secs(2), "another result of this name is being written"))
    }

    /// Gives Fastio the bytes, in an upload that has no place yet. It is on record before it is opened; one whose fate is
    /// not known is left to be taken away, and the bytes go into another.
    async fn upload(&self, output: &Output<'_>, known: Option<&OwnFile>) -> Result<(), Verdict> {
        let name = known.map_or(output.name, |known| known.name.as_str());
        let length = output.content.len() as u64;
        let (owner, now) = (output.owner.to_owned(), self.clock.now());
        let intend = self.database.write(move |tx| {
            outside::store::leave_sessions(tx, &owner, now)?;
            outside::store::intend_session(tx, &owner, now)
        });
        let (id, mark) = intend.await?;
        let upload = match self.fastio.open_upload(&marked(&mark, name), length).await {
            Ok(upload) => upload,
            Err(error) => {
                if !error.may_have_happened() {
                    let forget = self.database.write(move |tx| outside::store::forget(tx, id));
                    forget.await?;
                }
                return Err(fastio_verdict(&error));
            }
        };
        let object = upload.0.clone();
        let exists = self.database.write(move |tx| outside::store::exists(tx, id, &object, now));
        exists.await?;
        let content = stream::iter([Ok::<_, Error>(output.content.clone())]);
        self.fastio.send_upload(&upload, length, content).await.map_err(|error| fastio_verdict(&error))?;
        self.database.write(move |tx| outside::store::fill(tx, id)).await.map_err(Verdict::from)
    }

    /// What was uploaded is of no use any more, and may go.
    async fn drop_uploads(&self, output: &Output<'_>) -> Result<(), Verdict> {
        let (owner, now) = (output.owner.to_owned(), self.clock.now());
        let write = self.database.write(move |tx| outside::store::leave_sessions(tx, &owner, now));
        write.await.map_err(Verdict::from)
    }

    async fn place(
        &self,
        output: &Output<'_>,
        known: Option<&OwnFile>,
        upload: &UploadId,
    ) -> Result<(), Verdict> {
        let Some(known) = known else { return Ok(()) };
        if !self.stored(upload).await? {
            return self.drop_uploads(output).await;
        }
        let placed = match (&known.node, &known.version) {
            (Some(node), Some(version)) => {
                self.fastio.add_version(output.profile, node, version, upload).await
            }
            _ => self.fastio.add_file(output.profile, &known.folder, &known.name, upload).await,
        };
        match placed {
            Ok(node) if node.version.is_none() => {
                // Without its version our own file would look like another's edit of it.
                let node = self
                    .fastio
                    .node(output.profile, &node.id)
                    .await
                    .map_err(|error| fastio_verdict(&error))?;
                self.written(output, &node).await
            }
            Ok(node) => self.written(output, &node).await,
            // A person was faster: the next look sees it.
            Err(error) if matches!(error.kind, ErrorKind::Stale { .. }) => Ok(()),
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Conflict) => {
                self.drop_uploads(output).await?;
                Err(Verdict::Retry { after: None, reason: error.to_string() })
            }
            Err(error) => Err(fastio_verdict(&error)),
        }
    }

    /// Whether the upload can be placed; false when it is lost and has to be made again.
    async fn stored(&self, upload: &UploadId) -> Result<bool, Verdict> {
        for _ in 0..STORED_LOOKS {
            match self.fastio.upload_state(upload, STORED_WAIT).await {
                Ok(UploadState::Stored) => return Ok(true),
                Ok(UploadState::Underway) => {}
                Ok(UploadState::Failed(why)) => {
                    tracing::warn!(reason = why, "Fastio failed to store an upload; uploading again");
                    return Ok(false);
                }
                Err(error) if error.is_not_found() => return Ok(false),
                Err(error) => return Err(fastio_verdict(&error)),
            }
        }
        Err(Verdict::later(Duration::from_secs(2), "Fastio is storing the result"))
    }

    async fn written(&self, output: &Output<'_>, node: &Node) -> Result<(), Verdict> {
        let (owner, now) = (output.owner.to_owned(), self.clock.now());
        let node = node.clone();
        let write = move |tx: &mut Connection| {
            own::written(tx, &owner, &node, now)?;
            // Placed, a session has done its work.
            outside::store::leave_sessions(tx, &owner, now)
        };
        self.database.write(write).await?;
        self.wake.notify_waiters();
        Ok(())
    }
}

fn size(content: &Bytes) -> i64 {
    i64::try_from(content.len()).unwrap_or(i64::MAX)
}
