//! Texts that go in the place of a file's bytes: what Fastio read out of it, a workbook's values, notes and links.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{Begun, Broken, Prepared, WHOLE_AT_MOST, collect};
use crate::fastio::{Extract, FileKey, VersionId};
use crate::job::verdict::fastio_verdict;
use crate::queue::Verdict;
use crate::sync::Sync;
use crate::sync::apply::{Announced, Progress, Subject, later};
use crate::sync::form::{Claim, Form, Instead};
use crate::sync::look::Present;
use crate::sync::relay::digest_of;
use crate::sync::sheets::{self, MOST_BYTES};
use crate::sync::text::{Sort, prepare};

/// How long Fastio may take to read a file. Its documents name no time; a book with a thousand pages takes minutes.
const READ_WITHIN: Duration = Duration::from_secs(30 * 60);

/// Between looks at whether it has.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// A text that stands for a file.
struct StandIn {
    text: String,
    /// Of the file's bytes where they were read, else of the text. In hex.
    sha256: String,
    /// What is not in it, in words.
    lacks: Option<String>,
}

impl StandIn {
    fn new(text: String) -> Self {
        let sha256 = hex::encode(Sha256::digest(text.as_bytes()));
        StandIn { text, sha256, lacks: None }
    }
}

/// Why there is none: the verdict on the job, or in words why there never will be one of this content.
pub(super) enum Without {
    Yet(Verdict),
    Ever(String),
    /// The file's bytes did not come.
    Broken(Broken),
}

impl From<Verdict> for Without {
    fn from(verdict: Verdict) -> Self {
        Without::Yet(verdict)
    }
}

impl Sync {
    /// Sends `instead` of the file that was begun.
    pub(super) async fn upload_instead(
        &self,
        begun: &Begun<'_>,
        (form, instead): (&Form, Instead),
    ) -> Result<Progress, Verdict> {
        let found = match instead {
            Instead::Extract { .. } => self.extract((begun.subject.key, begun.present)).await,
            Instead::Sheets => self.sheets(begun).await,
            Instead::Note => self.note_of((begun.subject.key, begun.present)).await,
            Instead::Link => Ok(StandIn::new(link(begun.present))),
        };
        let StandIn { text, sha256, lacks } = match found {
            Ok(found) => found,
            Err(Without::Ever(reason)) => return self.cannot_be_read(begun, &reason).await,
            Err(Without::Broken(broken)) => return self.broken(begun, broken).await,
            Err(Without::Yet(verdict)) => {
                self.forget(begun.copy).await?;
                return Err(verdict);
            }
        };
        let prepared = match self.compute.run(move || prepare(text.as_bytes(), Sort::Plain)).await {
            Ok(prepared) => prepared,
            Err(_) => {
                return self.cannot_be_read(begun, nothing_in(instead)).await;
            }
        };
        let notes = [instead.words().map(str::to_owned), lacks, prepared.note];
        let notes: Vec<String> = notes.into_iter().flatten().collect();
        let note = (!notes.is_empty()).then(|| notes.join("; "));
        self.send_text(begun, form, (Prepared { note, ..prepared }, sha256)).await
    }

    /// SHA-256 of what a copy of the file would be made from, without one being made.
    pub(super) async fn read_for_hash(
        &self,
        (key, present): (&FileKey, &Present),
        (claim, announced): (&Claim, &Announced),
    ) -> Result<String, Without> {
        let text = match claim.stands_in() {
            Some(Instead::Extract { is_there: false }) => {
                self.await_extract(present)?;
                self.extract((key, present)).await?
            }
            Some(Instead::Extract { is_there: true }) => self.extract((key, present)).await?,
            Some(Instead::Note) => self.note_of((key, present)).await?,
            Some(Instead::Link) => StandIn::new(link(present)),
            Some(Instead::Sheets) | None => {
                let body = self.download(key, present, announced).await?;
                return digest_of(body, &present.source).await.map_err(Without::Broken);
            }
        };
        Ok(text.sha256)
    }

    /// Waits for what Fastio has not read yet; after a while it is taken to read nothing in it.
    pub(super) fn await_extract(&self, present: &Present) -> Result<(), Verdict> {
        let since = present.source.modified_at.or(present.created_at);
        // Fastio's clock may be ahead of ours, and is no reason to wait for ever.
        let waited = since.map(|since| (self.clock.wall() - since).unsigned_abs());
        match waited {
            Some(waited) if Duration::from_millis(waited) < READ_WITHIN => {
                Err(later(LOOK_AGAIN, "Fastio is still reading its text"))
            }
            _ => Ok(()),
        }
    }

    async fn extract(&self, (key, present): (&FileKey, &Present)) -> Result<StandIn, Without> {
        let most = usize::try_from(WHOLE_AT_MOST).expect("a text that is held in memory fits there");
        let read = self.fastio.text(&key.profile, &key.node, most).await;
        let Extract { pieces, indexed, complete, version } = read.map_err(|error| fastio_verdict(&error))?;
        if !indexed || is_other(version.as_ref(), present) {
            self.await_extract(present)?;
            return Err(Without::Ever(
                "Fastio has read no text out of it, or only out of an earlier version".to_owned(),
            ));
        }
        let text: Vec<String> = pieces.into_iter().map(|piece| piece.text).collect();
        let text = text.join("\n");
        let lacks = (!complete).then(|| format!("only its first {} MB are in it", text.len() / 1_000_000));
        Ok(StandIn { lacks, ..StandIn::new(text) })
    }

    async fn sheets(&self, begun: &Begun<'_>) -> Result<StandIn, Without> {
        let source = &begun.present.source;
        if source.size > MOST_BYTES {
            let most = MOST_BYTES / 1_000_000;
            return Err(Without::Ever(format!(
                "the workbook has {} MB, and Docket writes out the sheets of those with at most {most}; save them as CSV",
                source.size / 1_000_000
            )));
        }
        let body = self.download(begun.subject.key, begun.present, begun.subject.announced).await?;
        let (bytes, sha256) = match collect(body, source).await {
            Ok(whole) => whole,
            Err(broken) => return Err(Without::Broken(broken)),
        };
        let written = self.compute.run(move || sheets::written(&bytes)).await.map_err(Without::Ever)?;
        Ok(StandIn { text: written.text, sha256, lacks: written.lacks })
    }

    async fn note_of(&self, (key, present): (&FileKey, &Present)) -> Result<StandIn, Without> {
        let (text, version) = match self.fastio.note(&key.profile, &key.node).await {
            Ok(note) => note,
            Err(error) => return Err(Without::Yet(self.unseen(&key.profile, &error).await)),
        };
        if is_other(version.as_ref(), present) {
            let reason = "the note changed while it was read".to_owned();
            return Err(Without::Yet(Verdict::Retry { after: None, reason }));
        }
        Ok(StandIn::new(text))
    }
}

/// Whether a text is of another version than the one that was looked at.
fn is_other(version: Option<&VersionId>, present: &Present) -> bool {
    version.zip(present.source.version.as_ref()).is_some_and(|(one, other)| one != other)
}

/// What a link says to a reader.
fn link(present: &Present) -> String {
    let name = &present.name;
    match &present.share {
        Some(share) => {
            format!("# {name}\n\n\"{name}\" is a link in Fastio. It leads to the share {share}.\n")
        }
        None => {
            format!("# {name}\n\n\"{name}\" is a link in Fastio. Fastio does not say where it leads to.\n")
        }
    }
}

/// Why a text that is only white space does not go.
fn nothing_in(instead: Instead) -> &'static str {
    match instead {
        Instead::Extract { .. } => "Fastio has read no text out of it",
        Instead::Sheets => "its sheets are empty",
        Instead::Note => "the note is empty",
        Instead::Link => "the link says nothing",
    }
}

/// What may not be begun with, because Fastio has not read it yet.
pub(super) fn awaits_extract<'a>(subject: &Subject<'a>) -> Option<&'a Present> {
    let (present, claim) = subject.present?;
    (claim.stands_in() == Some(Instead::Extract { is_there: false })).then_some(present)
}
