//! Imports: Fastio fetches what is at a public address itself and puts it into a folder; no byte of it comes through Docket.
//!
//! ```text
//!   waiting ──▶ asked ──▶ pending, queued, downloading, uploading ──▶ complete
//!      ▲          │                          └──────────────────────▶ failed, canceled
//!      └──────────┘ Fastio did nothing
//! ```
//!
//! The row is written before Fastio is asked, together with the imports of the same address that Fastio shows already, because a
//! request to import takes no key. One that was not answered is looked for in Fastio's list, and adopted. Only when it had time to
//! show, and neither it nor its file is there, Fastio is asked once more.
//!
//! Fastio may say that an import is complete and have made nothing (its reference). So the file is looked at, with its hash; what is
//! not there at the second look has failed. A file that is there becomes an event and a job by the one path that every change takes.
//!
//! An import never goes over a file that is there: Fastio would do so in silence.

pub mod store;
mod wish;

use std::time::Duration;

use crate::clock::Clock;
use crate::database::{Connection, Database};
use crate::event::{self, Event, Kind, Report, Source, Subject};
use crate::fastio::{Client, Error, Node, NodeId, NodeKind, Profile, UploadId, WebUpload, WebUploadStatus};
use crate::http::{Retry, SMALL_CALL_LIMIT};
use crate::job::verdict::fastio_verdict;
use crate::queue::Verdict;
use store::Open;

pub use wish::{Asked, Unfit, Wish};

/// How long an import whose creation was not answered may take to show in the list. Nothing documents it: the longest that a request
/// of ours may take, twice.
const APPEARS_WITHIN_MS: i64 = 2 * SMALL_CALL_LIMIT.as_millis() as i64;

/// Between looks: at first, and at an import that takes long.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10 * 60));

/// Looks for the file of an import that says it is complete.
const LOOKS: i64 = 2;

/// How long an import may take. Fastio documents no limit; a file of the largest size comes over a slow line within a day.
const LONGEST_MS: i64 = 24 * 60 * 60 * 1000;

/// What is called an event that an import's end makes.
const EVENT: &str = "import_complete";

/// What carries imports out.
#[derive(Debug)]
pub struct Importer {
    pub database: Database,
    pub clock: Clock,
    pub fastio: Client,
}

/// Where its file is to be.
struct Place<'a> {
    profile: &'a Profile,
    folder: &'a NodeId,
    name: &'a str,
}

/// What may be said of an import that came to nothing.
enum Ended {
    Failed(String),
    Canceled,
}

impl Importer {
    /// Brings an import a step further.
    pub async fn go_on(&self, id: i64) -> Verdict {
        self.try_go_on(id).await.err().unwrap_or(Verdict::Done)
    }

    async fn try_go_on(&self, id: i64) -> Result<(), Verdict> {
        let Some(open) = self.database.read(move |connection| store::open(connection, id)).await? else {
            return Ok(());
        };
        let Ok(profile) = open.profile.parse::<Profile>() else {
            return self.end(&open, Ended::Failed("its workspace cannot be read".to_owned())).await;
        };
        match (&open.upload, &open.folder_id) {
            (Some(upload), Some(folder)) => {
                let (upload, folder) = (UploadId(upload.clone()), NodeId::new(folder));
                let place = Place { profile: &profile, folder: &folder, name: &open.name };
                self.follow(&open, &place, &upload).await
            }
            (None, Some(folder)) if open.state == "asked" => {
                let folder = NodeId::new(folder);
                let place = Place { profile: &profile, folder: &folder, name: &open.name };
                self.look_for(&open, &place).await
            }
            _ => self.begin(&open, &profile).await,
        }
    }

    /// Finds the folder, sees that the name is free, writes down what is about to be asked for, and asks.
    async fn begin(&self, open: &Open, profile: &Profile) -> Result<(), Verdict> {
        let folder = self.fastio.folder_at(profile, &open.folder).await;
        let Some(folder) = folder.map_err(|error| fastio_verdict(&error))? else {
            let reason = format!("there is no folder {} in {profile}: make it, or name another", open.folder);
            return self.end(open, Ended::Failed(reason)).await;
        };
        if self.child(profile, &folder, &open.name).await?.is_some() {
            let reason = format!(
                "there is something called {} in {} already: give another name, or move it away",
                open.name, open.folder
            );
            return self.end(open, Ended::Failed(reason)).await;
        }
        let others: Vec<UploadId> =
            self.of_the_same(open, &[]).await?.into_iter().map(|one| one.id).collect();
        let (id, folder_id, now) = (open.import_id, folder.to_string(), self.clock.now());
        self.database.write(move |tx| store::intend(tx, id, (&folder_id, &others), now)).await?;
        match self.fastio.web_upload(profile, &folder, (&open.url, &open.name)).await {
            Ok(begun) => self.is_at(open, &begun).await,
            Err(error) if error.may_have_happened() => Err(verdict(open, error)),
            Err(error) => {
                let now = self.clock.now();
                self.database.write(move |tx| store::take_back(tx, id, now)).await?;
                self.unless_final(open, error).await
            }
        }
    }

    /// Looks for an import whose creation was not answered.
    async fn look_for(&self, open: &Open, place: &Place<'_>) -> Result<(), Verdict> {
        let others: Vec<UploadId> = serde_json::from_str(&open.others).unwrap_or_default();
        if let Some(found) = self.of_the_same(open, &others).await?.into_iter().next() {
            return self.is_at(open, &found).await;
        }
        // Its name was free before.
        if let Some(node) = self.file(place, None).await? {
            return self.complete(open, place.profile, &node).await;
        }
        let since = open.begun_at.map_or(i64::MAX, |begun_at| self.clock.since(begun_at));
        if since < APPEARS_WITHIN_MS {
            let reason = "Fastio did not answer whether it imports this, and does not show it yet";
            return Err(Verdict::later(LOOK_AGAIN.0, reason));
        }
        let (id, now) = (open.import_id, self.clock.now());
        self.database.write(move |tx| store::take_back(tx, id, now)).await?;
        Err(Verdict::later(Duration::ZERO, "Fastio was not reached, and is asked once more"))
    }

    /// The imports of this address that Fastio shows, but those that are known.
    async fn of_the_same(&self, open: &Open, known: &[UploadId]) -> Result<Vec<WebUpload>, Verdict> {
        let all = self.fastio.web_uploads().await.map_err(|error| verdict(open, error))?;
        let is_same = |one: &WebUpload| {
            let same_name = one.name.as_ref().is_none_or(|name| *name == open.name);
            let same_url = one.url.as_ref().is_none_or(|url| *url == open.url);
            same_name && same_url && (one.name.is_some() || one.url.is_some()) && !known.contains(&one.id)
        };
        Ok(all.into_iter().filter(is_same).collect())
    }

    async fn follow(&self, open: &Open, place: &Place<'_>, upload: &UploadId) -> Result<(), Verdict> {
        let shown = match self.fastio.web_upload_details(upload).await {
            Ok(shown) => shown,
            // Forgotten: what it made shows.
            Err(error) if error.is_not_found() => return self.confirm(open, place, None).await,
            Err(error) => return Err(verdict(open, error)),
        };
        match shown.status {
            Some(WebUploadStatus::Complete) => self.confirm(open, place, shown.node.as_ref()).await,
            Some(WebUploadStatus::Failed) => {
                let why = shown.message.as_deref().unwrap_or("it does not say why");
                let why = wish::without_query(&open.url, why);
                self.end(open, Ended::Failed(format!("Fastio could not import it: {why}"))).await
            }
            Some(WebUploadStatus::Canceled) => self.end(open, Ended::Canceled).await,
            _ => self.is_at(open, &shown).await,
        }
    }

    /// Writes down how far it is, and when to look again.
    async fn is_at(&self, open: &Open, shown: &WebUpload) -> Result<(), Verdict> {
        let age = self.clock.since(open.begun_at.unwrap_or_else(|| self.clock.now()));
        if age > LONGEST_MS {
            let reason = "Fastio has not finished it within a day".to_owned();
            return self.end(open, Ended::Failed(reason)).await;
        }
        // What has ended is looked at as such.
        let state =
            shown.status.filter(|status| !is_end(*status)).unwrap_or(WebUploadStatus::Pending).as_str();
        let (id, upload, now) = (open.import_id, shown.id.clone(), self.clock.now());
        self.database.write(move |tx| store::is_at(tx, id, (&upload, state), now)).await?;
        let wait = Duration::from_millis(u64::try_from(age / 8).unwrap_or(0));
        Err(Verdict::later(wait.clamp(LOOK_AGAIN.0, LOOK_AGAIN.1), "waits for Fastio to fetch it"))
    }

    /// Fastio says that it is complete: it is when its file is there.
    async fn confirm(&self, open: &Open, place: &Place<'_>, node: Option<&NodeId>) -> Result<(), Verdict> {
        if let Some(node) = self.file(place, node).await? {
            return self.complete(open, place.profile, &node).await;
        }
        if open.misses + 1 >= LOOKS {
            let reason = format!(
                "Fastio says that it is complete, and {} is not in {}: it failed in silence. Asked for again, it begins anew",
                open.name, open.folder
            );
            return self.end(open, Ended::Failed(reason)).await;
        }
        let (id, now) = (open.import_id, self.clock.now());
        self.database.write(move |tx| store::miss(tx, id, now)).await?;
        Err(Verdict::later(LOOK_AGAIN.0, "Fastio says that it is complete, and does not show the file yet"))
    }

    /// The file that it made: whole when Fastio shows its hash.
    async fn file(&self, place: &Place<'_>, node: Option<&NodeId>) -> Result<Option<Node>, Verdict> {
        let id = match node {
            Some(node) => Some(node.clone()),
            None => self.child(place.profile, place.folder, place.name).await?.map(|node| node.id),
        };
        let Some(id) = id else { return Ok(None) };
        match self.fastio.node(place.profile, &id).await {
            Ok(node) => Ok(Some(node).filter(|node| {
                !node.trashed
                    && node.kind != NodeKind::Folder
                    && node.hash.is_some()
                    && node.version.is_some()
            })),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(fastio_verdict(&error)),
        }
    }

    async fn complete(&self, open: &Open, profile: &Profile, node: &Node) -> Result<(), Verdict> {
        let (id, now) = (open.import_id, self.clock.now());
        let event = Event {
            // Begun anew it is another one.
            id: format!("import:{id}:{}", open.begun_at.unwrap_or_default()),
            kind: Kind::Added,
            subject: Subject::File,
            name: EVENT.to_owned(),
            profile: Some(profile.clone()),
            node: Some(node.id.clone()),
            occurred_at: None,
            ignored_because: None,
        };
        let node = node.id.to_string();
        let write = move |tx: &mut Connection| {
            if store::complete(tx, id, &node, now)? {
                event::record(tx, &[Report::new(event.clone(), Source::Operator, now)], now)?;
            }
            Ok(())
        };
        self.database.write(write).await?;
        tracing::info!(import_id = id, "Fastio has imported a file");
        Ok(())
    }

    async fn end(&self, open: &Open, ended: Ended) -> Result<(), Verdict> {
        let (state, reason) = match ended {
            Ended::Failed(reason) => ("failed", reason),
            Ended::Canceled => ("canceled", "it was canceled at Fastio".to_owned()),
        };
        tracing::warn!(import_id = open.import_id, state, reason, "an import came to nothing");
        let (id, now) = (open.import_id, self.clock.now());
        self.database.write(move |tx| store::fail(tx, id, (state, &reason), now)).await.map_err(Verdict::from)
    }

    /// Fastio did nothing. What it refuses for good ends the import; anything else may pass.
    async fn unless_final(&self, open: &Open, error: Error) -> Result<(), Verdict> {
        match error.retry() {
            Retry::Never => self.end(open, Ended::Failed(bare(open, error).to_string())).await,
            _ => Err(verdict(open, error)),
        }
    }

    async fn child(&self, profile: &Profile, folder: &NodeId, name: &str) -> Result<Option<Node>, Verdict> {
        match self.fastio.child(profile, folder, name).await {
            Ok(found) => Ok(found),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(fastio_verdict(&error)),
        }
    }
}

/// What a failure means for the job.
fn verdict(open: &Open, error: Error) -> Verdict {
    fastio_verdict(&bare(open, error))
}

/// What Fastio says of an error may repeat the address.
fn bare(open: &Open, mut error: Error) -> Error {
    error.message = wish::without_query(&open.url, &error.message).into();
    error
}

fn is_end(status: WebUploadStatus) -> bool {
    matches!(status, WebUploadStatus::Complete | WebUploadStatus::Failed | WebUploadStatus::Canceled)
}
