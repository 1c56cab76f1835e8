//! Writes one file of ours into Fastio: as a new file, or as the next version of what we wrote before, and never over
//! anything else.
//!
//! The intent is on record first, then an upload is opened, gets the bytes and is placed: over
//! our earlier version only if that is still the current one (compare-and-set), else under a name that is free. What a
//! lost reply or a crash left is found by the file's content: it names its response and times, so equal bytes are ours.
//! Where it is to stand elsewhere than before, what stood there is taken away after the new one is there.
//!
//! Fastio has no way to place a new file only if its name is free. Between our look and our write a person may put a file
//! of the very same name there, which Fastio would then keep as an earlier version of ours.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use md5::Md5;
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use super::super::settings::Definition;
use super::place::{Spot, parent};
use crate::clock::Clock;
use crate::compute::Compute;
use crate::database::{Connection, Database};
use crate::fastio::{
    Client, Error, ErrorKind, Hash, Node, NodeId, Profile, UploadId, UploadState, VersionId,
};
use crate::job::verdict::fastio_verdict;
use crate::job::{self, Task};
use crate::outside::store::Filled;
use crate::outside::{self, FRESH_MS, find, is_that_write, marked, not_shown};
use crate::own::seal::Page;
use crate::own::store::{self as own, Adopted, Intent, OwnFile};
use crate::own::{ResultOf, Seal};
use crate::queue::{Priority, Verdict};

/// Steps of one write in one go.
const MOST_STEPS: usize = 12;

/// How long Fastio may hold its answer about an upload, and how often it is asked before the job comes back later.
const STORED_WAIT: Duration = Duration::from_secs(10);
const STORED_LOOKS: usize = 3;

/// What is written, and where.
#[derive(Debug)]
pub(in crate::run) struct Output<'a> {
    /// Whose file it is; one file of ours each.
    pub owner: &'a str,
    /// What it is the result of, where it is the result of one file.
    pub of: Option<&'a ResultOf>,
    pub profile: &'a Profile,
    pub folder: &'a NodeId,
    pub name: &'a str,
    pub content: Bytes,
    /// Where a person has changed or deleted what stands there, nothing is written.
    pub only_over_ours: bool,
    /// It stays where it stands.
    pub stays: bool,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::run) struct Written {
    pub node: NodeId,
    pub version: Option<VersionId>,
    pub name: String,
}

/// What is to be written, by its hashes.
struct Hashes {
    sha256: String,
    md5: String,
}

impl Hashes {
    /// Whether Fastio announces one of them of the node.
    fn are_of(&self, node: &Node) -> bool {
        let announced = |hash: &Hash| match hash.algorithm.as_str() {
            "sha256" => hash.value == self.sha256,
            "md5" => hash.value == self.md5,
            _ => false,
        };
        node.hash.as_ref().is_some_and(announced)
    }
}

/// What the next step of a write is.
enum Next {
    /// None: a person's file is left alone.
    Done(Option<Written>),
    /// It is in Fastio already, in this node.
    Record(Node),
    /// Take away what stood elsewhere before.
    RemoveOld(NodeId, VersionId),
    /// Write the intent down.
    Intend(Place),
    /// The file of ours that stands where this is to stand, and no longer belongs there, becomes its own.
    TakeOver(OwnFile),
    /// What we wrote, is on record for nobody and stands where this is to stand becomes its own.
    Adopt(Node),
    /// Look again: what stands there has turned out to be ours.
    Again,
    Upload,
    Place(UploadId),
}

/// Where the bytes are to go.
enum Place {
    /// Over this version of our earlier file, which has this name.
    Over(NodeId, VersionId, String),
    New(String),
    /// A new file of this name, and what stands elsewhere goes.
    Instead(String, NodeId, VersionId),
}

/// What writes our files.
#[derive(Debug)]
pub(in crate::run) struct Publisher {
    pub database: Database,
    pub clock: Clock,
    pub fastio: Client,
    pub compute: Compute,
    pub seal: Seal,
    pub definitions: Arc<[Arc<Definition>]>,
    /// What to notify when an upload has done its work, and is to be taken away.
    pub wake: Arc<Notify>,
}

impl Publisher {
    /// Writes `output`. Doing it twice writes once. None where a person's file was left alone.
    pub(in crate::run) async fn write(&self, output: &Output<'_>) -> Result<Option<Written>, Verdict> {
        let (seal, name, content) = (self.seal.clone(), output.name.to_owned(), output.content.clone());
        let sealed = self.compute.run(move || {
            let content = seal.put(&name, content);
            let sha256 = hex::encode(Sha256::digest(&content));
            (Hashes { sha256, md5: hex::encode(Md5::digest(&content)) }, content)
        });
        let (hashes, content) = sealed.await;
        let output = &Output { content, ..*output };
        for _ in 0..MOST_STEPS {
            let owner = output.owner.to_owned();
            let known = self.database.read(move |connection| {
                Ok((own::of(connection, &owner)?, outside::store::filled(connection, &owner)?))
            });
            let (known, filled) = known.await?;
            match self.next(output, (known.as_ref(), filled), &hashes).await? {
                Next::Done(written) => return Ok(written),
                Next::Record(node) => self.written(output, &node).await?,
                Next::RemoveOld(node, version) => self.remove_old(output, &node, &version).await?,
                Next::Intend(place) => self.intend(output, place, &hashes).await?,
                Next::TakeOver(other) => self.take_over(output, known, other).await?,
                Next::Adopt(copy) => self.adopt(output, copy).await?,
                Next::Again => {}
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
        (known, filled): (Option<&OwnFile>, Option<Filled>),
        hashes: &Hashes,
    ) -> Result<Next, Verdict> {
        let Some(known) = known else { return self.anew(output).await };
        if let Some((node, version)) = known.old.clone().filter(|_| !known.writing) {
            return Ok(Next::RemoveOld(node, version));
        }
        let same = known.sha256 == hashes.sha256 && known.size == size(&output.content);
        let placed_at = filled.as_ref().and_then(|filled| filled.placed_at);
        let go_on = filled.map_or(Next::Upload, |filled| Next::Place(UploadId(filled.upload)));
        let found = find(&self.fastio, &self.clock, (output.profile, known)).await?;
        let Some(found) = found else {
            if known.writing && placed_at.is_some_and(|at| self.clock.since(at) < FRESH_MS) {
                return Err(not_shown());
            }
            return match known.writing && known.node.is_none() {
                // Not made yet.
                true if same => Ok(go_on),
                true => self.fresh(output).await,
                false => self.anew(output).await,
            };
        };
        let is_ours = known.node.is_some() && found.version == known.version;
        if is_ours && known.writing && same {
            // What was to be written last was given up, and what is wanted again is there.
            return Ok(if hashes.are_of(&found) { Next::Record(found) } else { go_on });
        }
        if is_ours {
            if let Some(elsewhere) = self.elsewhere(output, known, &found).await? {
                return Ok(elsewhere);
            }
            let (node, version, name) = (found.id, found.version, found.name);
            return Ok(match version {
                version if same => Next::Done(Some(Written { node, version, name })),
                Some(version) => Next::Intend(Place::Over(node, version, name)),
                // Without versions a person's edit cannot be told from ours.
                None => self.anew(output).await?,
            });
        }
        if known.writing
            && is_that_write((&self.fastio, &self.clock), (output.profile, &found), known).await?
        {
            return Ok(Next::Record(found));
        }
        let is_by_us = known.is_by(found.agent.as_deref());
        if known.node.is_some() && self.proves(output.profile, (&found, is_by_us)).await? {
            return Ok(Next::Again);
        }
        tracing::info!(path = found.name, "a person has changed a result, or has a file of its name");
        self.anew(output).await
    }

    /// Whether a file is ours though no record says so, which then does.
    pub(super) async fn proves(
        &self,
        profile: &Profile,
        (found, is_by_us): (&Node, bool),
    ) -> Result<bool, Verdict> {
        let Node { id: node, version, name, size, .. } = found;
        let page = Page { profile, node, version: version.as_ref(), name, size: *size, is_by_us };
        let looked = self.seal.proves((&self.fastio, &self.database), &page, self.clock.now()).await;
        Ok(looked.map_err(|error| fastio_verdict(&error))??)
    }

    /// Begins a new file where none of ours stands any more, unless a person is to have the last word on that. Where something stands
    /// that was written for another there is nothing that a person has said of this.
    async fn anew(&self, output: &Output<'_>) -> Result<Next, Verdict> {
        let is_left = match output.of {
            _ if !output.only_over_ours => false,
            Some(of) if !output.stays => {
                !self.is_filled((output.owner, of), (output.folder, output.name)).await?
            }
            _ => true,
        };
        if is_left { Ok(Next::Done(None)) } else { self.fresh(output).await }
    }

    async fn fresh(&self, output: &Output<'_>) -> Result<Next, Verdict> {
        Ok(match self.spot(output, None).await? {
            Spot::Free(name) | Spot::Here(name) => Next::Intend(Place::New(name)),
            Spot::OfAnother(other) => Next::TakeOver(other),
            Spot::Nobodys(node) => Next::Adopt(node),
        })
    }

    /// How our file, which is as we wrote it, comes to where it is to stand; none when it stands there.
    async fn elsewhere(
        &self,
        output: &Output<'_>,
        known: &OwnFile,
        found: &Node,
    ) -> Result<Option<Next>, Verdict> {
        let stands = |folder: &NodeId, name: &str| parent(found) == *folder && found.name == name;
        if output.stays || stands(output.folder, output.name) {
            return Ok(None);
        }
        let was_moved = !stands(&known.folder, &known.name);
        Ok(match self.spot(output, Some(&found.id)).await? {
            Spot::Here(_) => None,
            Spot::OfAnother(other) => Some(Next::TakeOver(other)),
            Spot::Nobodys(node) => Some(Next::Adopt(node)),
            // A person has put it somewhere, and there it stays.
            Spot::Free(name) if was_moved => Some(Next::Intend(Place::New(name))),
            Spot::Free(name) => Some(Next::Intend(match &found.version {
                Some(version) => Place::Instead(name, found.id.clone(), version.clone()),
                None => Place::New(name),
            })),
        })
    }

    /// What stands where this is to stand is its own from now on, and what was its own is the other's, whose job sees to it.
    async fn take_over(
        &self,
        output: &Output<'_>,
        known: Option<OwnFile>,
        other: OwnFile,
    ) -> Result<(), Verdict> {
        tracing::info!(
            name = other.name,
            "the result that stands there is of a file that is gone or has another name now; its place is taken"
        );
        let (owner, of, now) = (output.owner.to_owned(), output.of.cloned(), self.clock.now());
        let write = move |tx: &mut Connection| {
            // Its job may have done something with it since, and another may have taken it.
            let is_known = match &known {
                Some(known) => own::is_as_seen(tx, known)?,
                None => own::of(tx, &owner)?.is_none(),
            };
            if !is_known || !own::is_as_seen(tx, &other)? {
                return Ok(());
            }
            match (&known, &of) {
                (Some(known), _) => own::swap(tx, known, &other)?,
                (None, Some(of)) => own::give(tx, &other, &owner, of)?,
                (None, None) => return Ok(()),
            }
            let Some(ResultOf { rule, key }) = other.of.clone() else { return Ok(()) };
            job::enqueue(tx, &Task::run(key, rule), Priority::Live, now).map(drop)
        };
        self.database.write(write).await?;
        self.wake.notify_waiters();
        Ok(())
    }

    async fn adopt(&self, output: &Output<'_>, node: Node) -> Result<(), Verdict> {
        let (owner, profile, of) = (output.owner.to_owned(), output.profile.clone(), output.of.cloned());
        let now = self.clock.now();
        let write = move |tx: &mut Connection| {
            own::adopt(tx, &Adopted { owner: &owner, profile: &profile, node: &node, of: of.as_ref() }, now)
        };
        self.database.write(write).await.map_err(Verdict::from)
    }

    /// What stood elsewhere goes to the trash, unless a person has changed it.
    async fn remove_old(
        &self,
        output: &Output<'_>,
        node: &NodeId,
        version: &VersionId,
    ) -> Result<(), Verdict> {
        self.trash(output.profile, node, version).await?;
        let owner = output.owner.to_owned();
        self.database.write(move |tx| own::forget_old(tx, &owner)).await.map_err(Verdict::from)
    }

    /// Puts a file of ours into the trash, if it is as we wrote it.
    pub(in crate::run) async fn trash(
        &self,
        profile: &Profile,
        node: &NodeId,
        version: &VersionId,
    ) -> Result<(), Verdict> {
        let found = self.there(profile, node).await?;
        if found.is_none_or(|found| found.version.as_ref() != Some(version)) {
            return Ok(());
        }
        match self.fastio.trash(profile, node).await {
            Err(error) if !error.is_not_found() => Err(fastio_verdict(&error)),
            _ => Ok(()),
        }
    }

    async fn intend(&self, output: &Output<'_>, place: Place, hashes: &Hashes) -> Result<(), Verdict> {
        let (owner, profile, of) = (output.owner.to_owned(), output.profile.clone(), output.of.cloned());
        let (folder, size) = (output.folder.clone(), size(&output.content));
        let (sha256, md5, now) = (hashes.sha256.clone(), hashes.md5.clone(), self.clock.now());
        let write = move |tx: &mut Connection| {
            let (name, over, old) = match &place {
                Place::Over(node, version, name) => (name, Some((node, Some(version))), None),
                Place::New(name) => (name, None, None),
                Place::Instead(name, node, version) => (name, None, Some((node, version))),
            };
            let intent = Intent {
                owner: &owner,
                profile: &profile,
                folder: &folder,
                name,
                sha256: &sha256,
                md5: &md5,
                size,
                of: of.as_ref(),
                over,
                old,
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
            _ => {
                self.placing(output, Some(self.clock.now())).await?;
                let added = self.fastio.add_file(output.profile, &known.folder, &known.name, upload).await;
                if added.as_ref().is_err_and(|error| !error.may_have_happened()) {
                    self.placing(output, None).await?;
                }
                added
            }
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

    /// Writes down that a new file is about to be made, or that none was. One whose making was not answered may show late.
    async fn placing(&self, output: &Output<'_>, at: Option<i64>) -> Result<(), Verdict> {
        let owner = output.owner.to_owned();
        let write = self.database.write(move |tx| outside::store::place(tx, &owner, at));
        write.await.map_err(Verdict::from)
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
