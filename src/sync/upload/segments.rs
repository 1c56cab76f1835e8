//! A text that is too large for a vector store goes in segments: it is read once, and cut as it comes. Nothing of it is attached
//! before all of it is uploaded and proved to be what Fastio announced. What a killed server had uploaded of it is not uploaded
//! again: the next one cuts at the same places.

use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::SemaphorePermit;

use super::store::Shape;
use super::{Begun, Body, Passed, send};
use crate::job::verdict::database_verdict;
use crate::queue::Verdict;
use crate::sync::Sync;
use crate::sync::apply::{Progress, later};
use crate::sync::copy::{Copy, CopyId, CopyState};
use crate::sync::form::{Claim, Content, Form};
use crate::sync::relay::{Broken, Flowing};
use crate::sync::segment::{Cutter, LARGEST};
use crate::sync::store::Change;
use crate::sync::text::{Encoding, Flow, Unreadable, characters, encoding};

/// More than a gigabyte of text in one file is a database, and what a search finds in it of little use.
const MOST_SEGMENTS: usize = 400;

/// Texts that are cut at the same time. Each holds a segment that goes and one that is being made, and a line is filled by two.
pub const CUT_AT_ONCE: usize = 2;

/// Between tries of one that has to wait for others.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// What ended the work on this file for now.
type Ended = Result<Progress, Verdict>;

impl Sync {
    /// Whether a text of this size is cut.
    pub(super) fn is_cut(&self, size: u64) -> bool {
        self.settings.split_text_above_bytes > 0 && size > u64::from(self.settings.split_text_above_bytes)
    }

    /// The place that a file needs whose name says that it is a text and will be cut, before any of it is read.
    ///
    /// # Errors
    /// The verdict on the job, where others have all places.
    pub(super) fn place_to_cut(
        &self,
        claim: &Claim,
        size: u64,
    ) -> Result<Option<SemaphorePermit<'_>>, Verdict> {
        if claim.stands_in().is_some() || claim.as_claimed().content != Content::Text || !self.is_cut(size) {
            return Ok(None);
        }
        let place = self.cutting.try_acquire();
        place.map(Some).map_err(|_| later(TRY_AGAIN, "other large texts go to OpenAI first"))
    }

    /// Bytes in a segment.
    fn segment_bytes(&self) -> usize {
        LARGEST.min(self.settings.split_text_above_bytes as usize / 2)
    }

    /// How many File objects a file of this size becomes, or a few more, if it is a text.
    pub(super) fn parts(&self, size: u64) -> u64 {
        if self.is_cut(size) { size.div_ceil(self.segment_bytes() as u64) } else { 1 }
    }

    pub(super) async fn upload_segments(
        &self,
        begun: &Begun<'_>,
        form: &Form,
        (first, body): (&[u8], Body),
    ) -> Result<Progress, Verdict> {
        // It was written down before its beginning showed that it is a text.
        self.forget(begun.copy).await?;
        if let Some(Encoding::Other(_) | Encoding::Utf32) = encoding(first, false) {
            return self.broken(begun, Broken::Unreadable(Unreadable::OtherEncoding)).await;
        }
        self.cut(begun, form, body).await.unwrap_or_else(|ended| ended)
    }

    async fn cut(&self, begun: &Begun<'_>, form: &Form, body: Body) -> Result<Ended, Ended> {
        // Where it is cut is part of what a segment is known by.
        let claim = format!("{}/{}", begun.claim.key(), self.segment_bytes());
        let there = self.segments_there(begun, &claim).await.map_err(Err)?;
        let mut cutter = Cutter::new(form.seams(), self.segment_bytes());
        let mut text = Flowing::new(body, &begun.present.source, Flow::of(form.sort));
        let mut sent = Vec::new();
        loop {
            let piece = match text.next().await {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                Err(broken) => return Err(self.broken(begun, broken).await),
            };
            for segment in cutter.push(&piece) {
                let number = sent.len() + 1;
                sent.push(self.send_segment(begun, (form, &claim), (number, segment), &there).await?);
            }
        }
        if let Some(segment) = cutter.end() {
            let number = sent.len() + 1;
            sent.push(self.send_segment(begun, (form, &claim), (number, segment), &there).await?);
        }
        let (sha256, note) = text.ended();
        let cut = (sent.len() > 1).then(|| format!("cut into {} segments", sent.len()));
        let notes: Vec<String> = cut.into_iter().chain(note).collect();
        let note = (!notes.is_empty()).then(|| notes.join("; "));
        Ok(self.record([Change::Sealed(sent, sha256, note)]).await)
    }

    /// What there is of it already.
    async fn segments_there(&self, begun: &Begun<'_>, claim: &str) -> Result<Vec<Copy>, Verdict> {
        let copies = self.copies(begun.subject.key).await.map_err(|error| database_verdict(&error))?;
        let is_of_it = |copy: &Copy| {
            copy.segment.is_some()
                && copy.state != CopyState::Retiring
                && copy.store == *begun.store
                && copy.claim.as_deref() == Some(claim)
                && copy.source.same_content(&begun.present.source)
        };
        Ok(copies.into_iter().filter(is_of_it).collect())
    }

    /// Uploads one segment, unless that was done.
    async fn send_segment(
        &self,
        begun: &Begun<'_>,
        (form, claim): (&Form, &str),
        (number, bytes): (usize, Vec<u8>),
        there: &[Copy],
    ) -> Result<CopyId, Ended> {
        if number > MOST_SEGMENTS {
            let most = MOST_SEGMENTS * self.segment_bytes() / 1_000_000;
            let reason = format!(
                "it is a text of more than {most} MB; split it into files that a person could look through"
            );
            return Err(self.cannot_be_read(begun, &reason).await);
        }
        let number = u32::try_from(number).expect("there are few");
        let hashed = move || (hex::encode(Sha256::digest(&bytes)), characters(&bytes), bytes);
        let (sha256, characters, bytes) = self.compute.run(hashed).await;
        for copy in there.iter().filter(|copy| copy.segment.is_some_and(|segment| segment.number == number)) {
            let is_sealed = copy.segment.is_some_and(|segment| segment.count.is_some());
            if is_sealed || copy.content_hash.as_ref() == Some(&sha256) {
                return Ok(copy.id);
            }
            // Of bytes that were not what Fastio had announced.
            self.set_state(copy.id, CopyState::Retiring).await.map_err(Err)?;
        }
        let _upload = self.may_upload().await.map_err(Err)?.spend();
        let form = form.segment(number);
        let mut begun = Begun { segment: Some(number), began_at: self.clock.now(), ..*begun };
        begun.copy = self.intend(&begun, (&form.filename, claim)).await.map_err(Err)?;
        let shape = Shape {
            filename: form.filename.clone(),
            bytes: bytes.len() as u64,
            characters: Some(characters),
            is_text: true,
        };
        let passed = Passed { sha256, pages: None, draft: None, note: None };
        let length = shape.bytes;
        let content = send(bytes, passed, self.recorded(&begun, shape));
        match self.send(&begun, (&form, length), content).await {
            Ok(Progress::Moved) => Ok(begun.copy),
            ended => Err(ended),
        }
    }
}
