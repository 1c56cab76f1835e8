//! The one step that moves bytes: from Fastio's download into OpenAI's upload, through the relay.

mod instead;
mod segments;
mod store;

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::FutureExt;
use futures_util::stream::Stream;

use super::Sync;
use super::apply::{Announced, Progress, Subject};
use super::budget::no_room;
use super::copy::{Copy, CopyId, CopyState};
use super::form::{Claim, Content, Form, HEAD, too_large};
use super::look::Present;
use super::plan::Place;
use super::relay::{
    Body, Broken, CutShort, Passed, Record, Relayed, Way, collect, head, is_checked, measure, relay, send,
};
use super::store::{Change, ReadAs, fingerprint};
use super::text::{Encoding, Flow, Prepared, Sort, Unreadable, encoding, prepare};
use crate::contain::lock;
use crate::database::{self, Connection};
use crate::fastio::FileKey;
use crate::govern::{Limit, Taken};
use crate::job::verdict::{OPENAI, call_cause, database_verdict, fastio_verdict, is_final, openai_verdict};
use crate::openai::{Error, ErrorKind, File, NewFile, UPLOADING, VectorStoreId};
use crate::queue::trail::{self, Trail, What};
use crate::queue::{self, Verdict};

pub(super) use segments::CUT_AT_ONCE;

use instead::{Without, awaits_extract};
use store::{Intent, Shape};

/// A text up to this size is held in memory, to be judged as a whole and turned into UTF-8: its new length has to be known
/// before its first byte is sent. Eight workers with one each are within the memory that Docket promises.
pub const WHOLE_AT_MOST: u64 = 4 * 1024 * 1024;

/// How long an upload stands back while another of the same name and size is not settled: as long as that has taken already, which
/// is for ever where a person has to settle it, but so long at least and at most.
const SHORTEST_STANDING_BACK: Duration = Duration::from_millis(500);
const LONGEST_STANDING_BACK: Duration = Duration::from_secs(300);

/// An upload that was begun.
#[derive(Clone, Copy)]
struct Begun<'a> {
    subject: &'a Subject<'a>,
    present: &'a Present,
    claim: &'a Claim,
    place: &'a Place,
    /// Of the place's stores the one that the copy is meant for.
    store: &'a VectorStoreId,
    copy: CopyId,
    /// Which part of the file, if it is cut.
    segment: Option<u32>,
    /// When its bytes were asked for.
    began_at: i64,
}

impl Sync {
    /// Makes a new copy of the file as far as a File object. What it is sent as, its bytes decide.
    pub(super) async fn upload(&self, subject: &Subject<'_>, place: &Place) -> Result<Progress, Verdict> {
        let Some((present, claim)) = subject.present else { return Ok(Progress::Moved) };
        if let Some(present) = awaits_extract(subject) {
            self.await_extract(present)?;
        }
        if let Some(out) = self.find_room(subject, place).await? {
            return Ok(out);
        }
        // Where uploads are refused whole files are not sent to find out.
        self.causes.pass(&call_cause(OPENAI, UPLOADING))?;
        let _cutting = self.place_to_cut(claim, present.source.size)?;
        let asked = lock(subject.upload).take();
        let _upload = match asked {
            Some(taken) => taken.spend(),
            None => self.may_upload().await?,
        };
        let _carried = self.governor.carry(present.source.size)?;
        let store = self.store_for((subject, present), place).await?;
        let mut begun = Begun {
            subject,
            present,
            claim,
            place,
            store: &store,
            copy: CopyId(0),
            segment: None,
            began_at: self.clock.now(),
        };
        begun.copy = self.intend(&begun, (&claim.filename(), &claim.key())).await?;
        if let Some(instead) = claim.stands_in() {
            return self.upload_instead(&begun, (&claim.as_claimed(), instead)).await;
        }
        let opened = match self.download(subject.key, present, subject.announced).await {
            Ok(body) => head(body, HEAD).await,
            Err(verdict) => {
                self.forget(begun.copy).await?;
                return Err(verdict);
            }
        };
        let (first, body) = match opened {
            Ok(opened) => opened,
            Err(broken) => return self.broken(&begun, broken).await,
        };
        let size = present.source.size;
        let form = match claim.form(&first, first.len() as u64 >= size) {
            Ok(form) => form,
            Err(reason) => return self.cannot_be_read(&begun, &reason).await,
        };
        if let Some(reason) =
            too_large(size).filter(|_| form.content == Content::Binary || !self.is_cut(size))
        {
            return self.cannot_be_read(&begun, &reason).await;
        }
        match form.content {
            Content::Binary => self.upload_as_it_is(&begun, &form, body).await,
            Content::Text if self.is_cut(size) => self.upload_segments(&begun, &form, (&first, body)).await,
            Content::Text if size <= WHOLE_AT_MOST => self.upload_whole(&begun, &form, body).await,
            Content::Text => self.upload_flowing(&begun, &form, (&first, body)).await,
        }
    }

    /// The store that the new copy is meant for: where parts of it are, or else where there is room for all of them.
    async fn store_for(
        &self,
        (subject, present): (&Subject<'_>, &Present),
        place: &Place,
    ) -> Result<VectorStoreId, Verdict> {
        let copies = self.copies(subject.key).await.map_err(|error| database_verdict(&error))?;
        let is_part = |copy: &&Copy| {
            copy.segment.is_some()
                && copy.state != CopyState::Retiring
                && place.stores.has(&copy.store)
                && copy.source.same_content(&present.source)
        };
        if let Some(part) = copies.iter().find(is_part) {
            return Ok(part.store.clone());
        }
        let rule = self.rules.named(&place.rule).expect("places are made of rules");
        self.stores.room(rule, self.parts(present.source.size)).await
    }

    async fn upload_as_it_is(&self, begun: &Begun<'_>, form: &Form, body: Body) -> Result<Progress, Verdict> {
        let length = begun.present.source.size;
        let shape =
            Shape { filename: form.filename.clone(), bytes: length, characters: None, is_text: false };
        let record = self.recorded(begun, shape);
        let content = relay(body, (&begun.present.source, Way::AsTheyAre), record);
        self.send(begun, (form, length), content).await
    }

    /// A text that is small enough to be held is judged, mended and turned into UTF-8 as a whole.
    async fn upload_whole(&self, begun: &Begun<'_>, form: &Form, body: Body) -> Result<Progress, Verdict> {
        let (bytes, sha256) = match collect(body, &begun.present.source).await {
            Ok(whole) => whole,
            Err(broken) => return self.broken(begun, broken).await,
        };
        let sort = form.sort;
        let prepared = if bytes.len() <= HEAD {
            prepare(&bytes, sort)
        } else {
            self.compute.run(move || prepare(&bytes, sort)).await
        };
        match prepared {
            Ok(prepared) => self.send_text(begun, form, (prepared, sha256)).await,
            Err(unreadable) => self.broken(begun, Broken::Unreadable(unreadable)).await,
        }
    }

    /// Sends a text that is held. The hash is that of the file.
    async fn send_text(
        &self,
        begun: &Begun<'_>,
        form: &Form,
        (prepared, sha256): (Prepared, String),
    ) -> Result<Progress, Verdict> {
        let Prepared { bytes, characters, note } = prepared;
        let length = bytes.len() as u64;
        let filename = form.filename.clone();
        let shape = Shape { filename, bytes: length, characters: Some(characters), is_text: true };
        let passed = Passed { sha256, pages: None, draft: None, note };
        let content = send(bytes, passed, self.recorded(begun, shape));
        self.send(begun, (form, length), content).await
    }

    /// A text of any size goes through in pieces: mended, and freed of what is embedded in it. How long it then is, a first
    /// reading tells.
    async fn upload_flowing(
        &self,
        begun: &Begun<'_>,
        form: &Form,
        (first, mut body): (&[u8], Body),
    ) -> Result<Progress, Verdict> {
        let source = &begun.present.source;
        let (mut length, mut way) = (source.size, Way::Text(Box::new(Flow::of(form.sort))));
        match encoding(first, false) {
            // As it is, by its mark: OpenAI reads UTF-16 too.
            Some(Encoding::Other(_)) if is_marked_utf16(first) => way = Way::AsTheyAre,
            Some(Encoding::Other(_) | Encoding::Utf32) => {
                return self.broken(begun, Broken::Unreadable(Unreadable::OtherEncoding)).await;
            }
            _ if form.sort == Sort::Plain => {}
            _ => {
                length = match measure(body, source, Flow::of(form.sort)).await {
                    Ok(length) => length,
                    Err(broken) => return self.broken(begun, broken).await,
                };
                body = match self.download(begun.subject.key, begun.present, begun.subject.announced).await {
                    Ok(body) => body,
                    Err(verdict) => {
                        self.forget(begun.copy).await?;
                        return Err(verdict);
                    }
                };
            }
        }
        let filename = form.filename.clone();
        let shape = Shape { filename, bytes: length, characters: None, is_text: true };
        let content = relay(body, (source, way), self.recorded(begun, shape));
        self.send(begun, (form, length), content).await
    }

    /// Sends `content`, of which `Relayed` tells what became.
    async fn send<S>(
        &self,
        begun: &Begun<'_>,
        (form, length): (&Form, u64),
        (content, outcome): (S, Relayed),
    ) -> Result<Progress, Verdict>
    where
        S: Stream<Item = Result<Bytes, CutShort>> + Send + 'static,
    {
        let file = NewFile { filename: &form.filename, mime_type: form.mime_type, length };
        let result = self.openai.upload(file, content).await;
        match (result, outcome.take()) {
            (Ok(file), Some(Ok(()))) => self.uploaded(begun, &file).await,
            (Ok(file), _) => self.answered_early(begun.copy, &file).await,
            (Err(_), Some(Err(broken))) => self.broken(begun, broken).await,
            (Err(error), _) => self.upload_failed(begun, &error).await,
        }
    }

    /// What an upload may be begun with.
    ///
    /// # Errors
    /// The verdict on the job, which waits until there is room.
    pub(super) async fn may_upload(&self) -> Result<Taken, Verdict> {
        self.governor.take(Limit::Uploads, 1, queue::is_live()).await
    }

    async fn intend(&self, begun: &Begun<'_>, (filename, claim): (&str, &str)) -> Result<CopyId, Verdict> {
        // It is compared with OpenAI's times, which are the world's.
        let now = self.clock.now().min(self.clock.wall());
        let intent = Intent {
            key: begun.subject.key.clone(),
            store: begun.store.clone(),
            rule: begun.place.rule.clone(),
            source: begun.present.source.clone(),
            filename: filename.to_owned(),
            bytes: begun.present.source.size,
            claim: claim.to_owned(),
            segment: begun.segment,
        };
        // The segments of a text come one after the other, and all had room together.
        let room = if begun.segment.is_none() { self.room_of(begun.subject, begun.place) } else { None };
        // On the disk with what passed, before which OpenAI makes nothing of what it is sent.
        let intended = self.database.write_unsynced(move |tx| match &room {
            Some(room) if !room.is_there(tx)? => Ok(Err(no_room())),
            _ => match store::intend(tx, &intent, now)? {
                Some(copy) => Ok(Ok(copy)),
                None => Ok(Err(twin(tx, (&intent.filename, intent.bytes), now)?)),
            },
        });
        intended.await.map_err(|error| database_verdict(&error))?
    }

    async fn download(
        &self,
        key: &FileKey,
        present: &Present,
        announced: &Announced,
    ) -> Result<Body, Verdict> {
        // What comes is held against the hash that was announced, and is what was looked at or comes to nothing. So the current
        // content will do, which costs a call less; what is read once more is read by its version, as is what has no hash.
        let hash = &announced.hash;
        let is_proven = *hash == present.source.hash && hash.as_ref().is_some_and(is_checked);
        let version = present.source.version.as_ref().filter(|_| !is_proven);
        match self.fastio.download(&key.profile, &key.node, version).await {
            Ok(download) => Ok(download.body),
            // The version is gone because the file is, or has another one by now. The next look tells.
            Err(error) if error.is_not_found() => Err(Verdict::Retry {
                after: None,
                reason: "the file changed while it was fetched".to_owned(),
            }),
            Err(error) => Err(self.unseen(&key.profile, &error).await),
        }
    }

    /// Writes down what passed and as what it goes, before the last of it does.
    fn recorded(&self, begun: &Begun<'_>, shape: Shape) -> Record {
        let (copy, began_at, size) = (begun.copy, begun.began_at, begun.present.source.size);
        // The connection's own task asks for it.
        let (database, clock, trail) = (self.database.clone(), self.clock.clone(), Trail::current());
        let twin = Broken::Twin { filename: shape.filename.clone(), bytes: shape.bytes };
        let is_first = begun.segment.is_none_or(|number| number == 1);
        Box::new(move |passed| {
            if is_first {
                trail.add(What::Downloaded, (began_at, clock.now()), format!("{size} bytes"));
            }
            let write = move |tx: &mut Connection| store::passed(tx, copy, (&passed, &shape));
            async move {
                match database.write(write).await {
                    Ok(true) => Ok(()),
                    Ok(false) => Err(twin),
                    Err(error) => Err(Broken::Database(error)),
                }
            }
            .boxed()
        })
    }

    async fn uploaded(&self, begun: &Begun<'_>, file: &File) -> Result<Progress, Verdict> {
        let copy = begun.copy;
        trail::done(What::Uploaded, (begun.began_at, self.clock.now()), format!("as {}", file.id));
        self.meters.uploads.inc();
        // Nothing of a text that was cut is attached before all of it is there.
        if begun.segment.is_some() || self.is_one_of_many(begun.store).await? {
            return self.record([Change::Uploaded(copy, file.id.clone())]).await;
        }
        // What comes next, so that one commit serves both.
        self.record([Change::Uploaded(copy, file.id.clone()), Change::Attaching(copy)]).await?;
        Ok(Progress::Uploaded(copy))
    }

    /// OpenAI made a File object without reading all we had to send. Nothing documents that it could; the object is not
    /// the file, so it goes.
    async fn answered_early(&self, copy: CopyId, file: &File) -> Result<Progress, Verdict> {
        self.record([Change::Spoiled(copy, file.id.clone())]).await?;
        Err(Verdict::Retry { after: None, reason: "OpenAI answered before it had the whole file".to_owned() })
    }

    async fn upload_failed(&self, begun: &Begun<'_>, error: &Error) -> Result<Progress, Verdict> {
        // What may have been created stays on record; the next try settles it first.
        if !error.may_have_happened() {
            self.forget(begun.copy).await?;
        }
        if let ErrorKind::RateLimited { wait } = error.kind {
            return Err(self.governor.refused(Limit::Uploads, wait, &error.to_string()).await);
        }
        if is_final(error) {
            return self.refuse_content(begun, &error.to_string()).await;
        }
        Err(openai_verdict(error))
    }

    /// The content has another hash than was expected: the one that Fastio announces, or that of a read before. It is read once
    /// more; two reads with the same bytes are believed.
    async fn read_otherwise(
        &self,
        key: &FileKey,
        (present, announced): (&Present, &Announced),
        sha256: String,
    ) -> Verdict {
        let is_first = announced.hash == present.source.hash;
        let of = if is_first { announced.text.clone() } else { String::new() };
        if let Err(verdict) = self.record([Change::ReadAs(key.clone(), ReadAs { of, sha256 })]).await {
            return verdict;
        }
        let reason = "the file changed while it was read, or Fastio announces another hash than it has; it is read once more";
        Verdict::Retry { after: None, reason: reason.to_owned() }
    }

    /// The bytes did not come through. OpenAI has nothing of them.
    async fn broken(&self, begun: &Begun<'_>, broken: Broken) -> Result<Progress, Verdict> {
        self.forget(begun.copy).await?;
        let subject = begun.subject;
        let reason = self.unread_because(subject.key, (begun.present, subject.announced), broken).await?;
        self.refuse_content(begun, reason).await
    }

    /// What it means that a file's bytes could not be used: the verdict on its job, or in words why they never can be.
    async fn unread_because(
        &self,
        key: &FileKey,
        (present, announced): (&Present, &Announced),
        broken: Broken,
    ) -> Result<&'static str, Verdict> {
        Ok(match broken {
            Broken::Source(error) => return Err(fastio_verdict(&error)),
            Broken::Database(error) => return Err(database_verdict(&error)),
            Broken::Twin { filename, bytes } => {
                let now = self.clock.now();
                let read = self.database.read(move |connection| twin(connection, (&filename, bytes), now));
                return Err(read.await.unwrap_or_else(|error| database_verdict(&error)));
            }
            Broken::OtherHash(sha256) => {
                return Err(self.read_otherwise(key, (present, announced), sha256).await);
            }
            Broken::Changed(how) => {
                return Err(Verdict::Retry {
                    after: None,
                    reason: format!("the file changed while it was read, or was damaged on the way: {how}"),
                });
            }
            Broken::Unreadable(Unreadable::Blank) => "the file holds only white space",
            Broken::Unreadable(Unreadable::OnlyEmbedded) => {
                "the file holds only embedded pictures or attachments, of which OpenAI's file search reads nothing"
            }
            Broken::Unreadable(Unreadable::NoText) => "what is in it does not look like text",
            Broken::Unreadable(Unreadable::OtherEncoding) => {
                "it is a text of more than 4 MB in an encoding other than UTF-8; save it as UTF-8"
            }
        })
    }

    /// SHA-256 of the content that the file has now, as a copy of it would carry it.
    ///
    /// # Errors
    /// The verdict on the job; the inner one says in words why OpenAI could not hold it.
    pub(super) async fn content_hash(
        &self,
        (key, present): (&FileKey, &Present),
        (claim, announced): (&Claim, &Announced),
    ) -> Result<Result<String, String>, Verdict> {
        match self.read_for_hash((key, present), (claim, announced)).await {
            Ok(sha256) => Ok(Ok(sha256)),
            Err(Without::Yet(verdict)) => Err(verdict),
            Err(Without::Ever(reason)) => Ok(Err(reason)),
            Err(Without::Broken(broken)) => {
                let why = self.unread_because(key, (present, announced), broken).await?;
                Ok(Err(why.to_owned()))
            }
        }
    }

    /// What the file is, as its bytes show, OpenAI reads nothing of.
    async fn cannot_be_read(&self, begun: &Begun<'_>, reason: &str) -> Result<Progress, Verdict> {
        self.forget(begun.copy).await?;
        self.refuse_content(begun, reason).await
    }

    /// Writes down that OpenAI cannot hold this content as what it claims to be.
    async fn refuse_content(&self, begun: &Begun<'_>, reason: &str) -> Result<Progress, Verdict> {
        let content = fingerprint(&begun.present.source, &begun.claim.key());
        self.skips(reason);
        let refused = Change::Refused(begun.subject.key.clone(), content, reason.to_owned());
        self.record([refused, self.looks(begun.subject)]).await?;
        self.wake.notify_waiters();
        Ok(Progress::Refused)
    }
}

fn is_marked_utf16(first: &[u8]) -> bool {
    first.starts_with(b"\xff\xfe") || first.starts_with(b"\xfe\xff")
}

/// The verdict on an upload while another of its name and size is not settled.
fn twin(connection: &mut Connection, upload: (&str, u64), now: i64) -> Result<Verdict, database::Error> {
    let taken = store::unsettled_since(connection, upload)?.map_or(0, |since| now - since);
    let taken = Duration::from_millis(taken.try_into().unwrap_or_default());
    let (filename, bytes) = upload;
    Ok(Verdict::Later {
        after: taken.clamp(SHORTEST_STANDING_BACK, LONGEST_STANDING_BACK),
        reason: format!("another file named {filename} with {bytes} bytes is being uploaded"),
    })
}
