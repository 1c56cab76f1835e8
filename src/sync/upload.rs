//! The one step that moves bytes: from Fastio's download into OpenAI's upload, through the relay.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::FutureExt;
use futures_util::stream;

use super::Sync;
use super::apply::{Progress, Subject};
use super::copy::{CopyId, Source};
use super::form::Form;
use super::look::Present;
use super::plan::Place;
use super::relay::{Broken, Record, collect, relay};
use super::store::{self, Change, Intent};
use super::utf8::to_utf8;
use crate::fastio::{Download, FileKey};
use crate::job::verdict::{OPENAI, call_cause, database_verdict, fastio_verdict, is_final, openai_verdict};
use crate::openai::{Error, File, NewFile, UPLOADING};
use crate::queue::Verdict;

/// A text in an old encoding is turned into UTF-8 in memory, because its new length has to be known before its first
/// byte is sent. Eight workers with one each are within the memory that Docket promises.
pub const TRANSCODED_AT_MOST: u64 = 4 * 1024 * 1024;

/// How long an upload stands back while another of the same name and size is not settled.
const TWIN: Duration = Duration::from_millis(500);

impl Sync {
    /// Makes a new copy of the file as far as a File object.
    pub(super) async fn upload(&self, subject: &Subject<'_>, place: &Place) -> Result<Progress, Verdict> {
        let Some((present, form)) = subject.present else { return Ok(Progress::Moved) };
        // Where uploads are refused whole files are not sent to find out.
        self.causes.pass(&call_cause(OPENAI, UPLOADING))?;
        let bytes = present.source.size;
        let copy = self.intend(subject.key, place, (&present.source, form, bytes)).await?;
        let download = match self.download(subject.key, present).await {
            Ok(download) => download,
            Err(verdict) => {
                self.forget(copy).await?;
                return Err(verdict);
            }
        };
        let (content, outcome) =
            relay(download.body, (&present.source, form.content), self.record_hash(copy));
        let file = NewFile { filename: &form.filename, mime_type: form.mime_type, length: bytes };
        let result = self.openai.upload(file, content).await;
        match (result, outcome.take()) {
            (Ok(file), Some(Ok(_))) => self.uploaded(copy, &file).await,
            (Ok(file), _) => self.answered_early(copy, &file).await,
            (Err(_), Some(Err(Broken::NotUtf8))) => {
                self.forget(copy).await?;
                self.upload_transcoded(subject, place, (present, form)).await
            }
            (Err(_), Some(Err(broken))) => {
                self.forget(copy).await?;
                self.broken(subject.key, present, broken).await
            }
            (Err(error), _) => self.upload_failed(subject.key, &present.source, (copy, &error)).await,
        }
    }

    /// Uploads a text that is not in UTF-8, in UTF-8.
    async fn upload_transcoded(
        &self,
        subject: &Subject<'_>,
        place: &Place,
        (present, form): (&Present, &Form),
    ) -> Result<Progress, Verdict> {
        if present.source.size > TRANSCODED_AT_MOST {
            let reason = "it is a text of more than 4 MB in an encoding other than UTF-8; save it as UTF-8";
            return self.refuse_content(subject.key, &present.source, reason).await;
        }
        let download = self.download(subject.key, present).await?;
        let (bytes, hash) = match collect(download.body, &present.source).await {
            Ok(whole) => whole,
            Err(broken) => return self.broken(subject.key, present, broken).await,
        };
        let text = to_utf8(&bytes);
        if text.trim().is_empty() {
            return self.broken(subject.key, present, Broken::Blank).await;
        }
        let length = text.len() as u64;
        let copy = self.intend(subject.key, place, (&present.source, form, length)).await?;
        self.record([Change::Hashed(copy, hash)]).await?;
        let file = NewFile { filename: &form.filename, mime_type: form.mime_type, length };
        let content = stream::iter([Ok::<_, std::io::Error>(Bytes::from(text))]);
        match self.openai.upload(file, content).await {
            Ok(file) => self.uploaded(copy, &file).await,
            Err(error) => self.upload_failed(subject.key, &present.source, (copy, &error)).await,
        }
    }

    async fn intend(
        &self,
        key: &FileKey,
        place: &Place,
        (source, form, bytes): (&Source, &Form, u64),
    ) -> Result<CopyId, Verdict> {
        // It is compared with OpenAI's times, which are the world's.
        let now = self.clock.now().min(self.clock.wall());
        let intent = Intent {
            key: key.clone(),
            store: place.store.clone(),
            source: source.clone(),
            filename: form.filename.clone(),
            bytes,
        };
        let intended = self.database.write(move |tx| store::intend(tx, &intent, now));
        let copy = intended.await.map_err(|error| database_verdict(&error))?;
        copy.ok_or_else(|| Verdict::Later {
            after: TWIN,
            reason: format!("another file named {} with {bytes} bytes is being uploaded", form.filename),
        })
    }

    async fn download(&self, key: &FileKey, present: &Present) -> Result<Download, Verdict> {
        let version = present.source.version.as_ref();
        match self.fastio.download(&key.profile, &key.node, version).await {
            Ok(download) => Ok(download),
            // The version is gone because the file is, or has another one by now. The next look tells.
            Err(error) if error.is_not_found() => Err(Verdict::Retry {
                after: None,
                reason: "the file changed while it was fetched".to_owned(),
            }),
            Err(error) => Err(self.unseen(&key.profile, &error).await),
        }
    }

    fn record_hash(&self, copy: CopyId) -> Record {
        let (database, now) = (self.database.clone(), self.clock.now());
        Box::new(move |hash| {
            let hashed = Change::Hashed(copy, hash);
            async move { database.write(move |tx| hashed.write(tx, now)).await }.boxed()
        })
    }

    async fn uploaded(&self, copy: CopyId, file: &File) -> Result<Progress, Verdict> {
        self.record([Change::Uploaded(copy, file.id.clone())]).await
    }

    /// OpenAI made a File object without reading all we had to send. Nothing documents that it could; the object is not
    /// the file, so it goes.
    async fn answered_early(&self, copy: CopyId, file: &File) -> Result<Progress, Verdict> {
        self.record([Change::Spoiled(copy, file.id.clone())]).await?;
        Err(Verdict::Retry { after: None, reason: "OpenAI answered before it had the whole file".to_owned() })
    }

    async fn upload_failed(
        &self,
        key: &FileKey,
        source: &Source,
        (copy, error): (CopyId, &Error),
    ) -> Result<Progress, Verdict> {
        // What may have been created stays on record; the next try settles it first.
        if !error.may_have_happened() {
            self.forget(copy).await?;
        }
        if is_final(error) {
            return self.refuse_content(key, source, &error.to_string()).await;
        }
        Err(openai_verdict(error))
    }

    /// The bytes did not come through. OpenAI has nothing of them.
    async fn broken(&self, key: &FileKey, present: &Present, broken: Broken) -> Result<Progress, Verdict> {
        match broken {
            Broken::Source(error) => Err(fastio_verdict(&error)),
            Broken::Database(error) => Err(database_verdict(&error)),
            Broken::Changed(how) => Err(Verdict::Retry {
                after: None,
                reason: format!("the file changed while it was read, or was damaged on the way: {how}"),
            }),
            Broken::Blank => {
                self.refuse_content(key, &present.source, "the file holds only white space").await
            }
            Broken::NotUtf8 => {
                self.refuse_content(key, &present.source, "the file's text cannot be read as UTF-8").await
            }
        }
    }

    /// Writes down that OpenAI cannot hold this content.
    async fn refuse_content(
        &self,
        key: &FileKey,
        source: &Source,
        reason: &str,
    ) -> Result<Progress, Verdict> {
        self.record([Change::Refused(key.clone(), source.clone(), reason.to_owned())]).await?;
        Ok(Progress::Refused)
    }
}
