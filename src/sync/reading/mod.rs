//! What OpenAI has read of a copy. That a file is indexed says that OpenAI is done with it, not that it found any text: of a
//! scan, of a locked document and of one that is all pictures it finds none, and no search will ever say so.

pub mod store;

use std::time::Duration;

use super::Sync;
use super::apply::later;
use super::copy::{Copy, Reading};
use super::form::{is_extract, is_read_as_text};
use super::store::{Change, Jobs, fingerprint};
use super::text::characters;
use crate::fastio::{Extraction, FileKey};
use crate::http::Retry;
use crate::job::Task;
use crate::job::verdict::{database_verdict, openai_verdict};
use crate::openai::StoreText;
use crate::queue::trail::{self, What};
use crate::queue::{Priority, Verdict};

/// Fewer characters on a page are a stamp or a page number: a page of a contract has 2,000, "Page 17 of 297" twelve.
const LEAST_ON_A_PAGE: u64 = 30;

/// Where pages cannot be counted, bytes say how much there should be. A page of text takes 2,000 to 20,000 bytes in a PDF with
/// its fonts; a scanned one takes 50,000 and more, for a dozen characters at most. So one character in 5,000 bytes is next to
/// nothing in a document of any length.
const MOST_BYTES_OF_A_CHARACTER: u64 = 5_000;

/// A document with fewer characters than half a page is measured more strictly: a few lines behind a large picture.
const SHORT: u64 = 1_000;
const MOST_BYTES_IN_SHORT: u64 = 1_000;

/// How long Fastio may take to read what OpenAI could not, and how often it is asked. A scan of a thousand pages takes minutes.
const EXTRACTED_WITHIN: Duration = Duration::from_secs(60 * 60);
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Failures after which it stays unknown. It is worth a few calls, and no dead job.
const MOST_TRIES: u16 = 3;

/// How much was read in a document of `bytes` bytes.
pub fn judge(text: &StoreText, bytes: u64, pages: Option<u32>) -> (Reading, u64) {
    let characters = text.pieces.iter().map(|piece| characters(piece.as_bytes())).sum::<u64>();
    // Where there is more than one answer holds, there is text.
    if !text.complete {
        return (Reading::Text, characters);
    }
    let is_little = match pages {
        Some(pages) => characters < u64::from(pages) * LEAST_ON_A_PAGE,
        None => {
            characters.saturating_mul(MOST_BYTES_OF_A_CHARACTER) < bytes
                || (characters < SHORT && characters * MOST_BYTES_IN_SHORT < bytes)
        }
    };
    let reading = match characters {
        0 => Reading::Nothing,
        _ if is_little => Reading::Little,
        _ => Reading::Text,
    };
    (reading, characters)
}

/// What that means, in words. Nothing where there is text.
pub fn in_words(reading: Reading, characters: u64, bytes: u64) -> Option<String> {
    let may_be = "it may be a scan, a picture, or locked";
    match reading {
        Reading::Text => None,
        Reading::Nothing => Some(format!("OpenAI holds it and can read nothing in it: {may_be}")),
        Reading::Little => Some(format!(
            "OpenAI holds it and can read next to nothing in it, {characters} characters in {bytes} bytes: {may_be}"
        )),
    }
}

impl Sync {
    /// Looks at what OpenAI has read of the file's searchable copies, where that is not known. One call for each.
    pub async fn read(&self, key: &FileKey, attempt: u16) -> Verdict {
        self.try_read(key, attempt).await.err().unwrap_or(Verdict::Done)
    }

    async fn try_read(&self, key: &FileKey, attempt: u16) -> Result<(), Verdict> {
        let wanted = key.clone();
        let unlooked = self.database.read(move |connection| store::unlooked(connection, &wanted)).await;
        for store::Counted { copy, pages, .. } in unlooked.map_err(|error| database_verdict(&error))? {
            let began_at = self.clock.now();
            if let Some((reading, characters)) = self.look_into(&copy, pages, attempt).await? {
                let of =
                    characters.map(|characters| format!("{characters} characters: ")).unwrap_or_default();
                trail::done(What::Read, (began_at, self.clock.now()), format!("{of}{}", reading.as_str()));
                self.record([Change::Read(copy.id, reading, characters)]).await?;
                if reading != Reading::Text {
                    let reading = reading.as_str();
                    tracing::warn!(source_id = %key, reading, characters, "OpenAI can read next to nothing in a file");
                }
            }
        }
        self.have_extract(key).await
    }

    /// Fastio may have read what OpenAI could not, as of a scan. Then its text takes the place of the file's bytes: what is on
    /// record makes the file's next look claim it.
    async fn have_extract(&self, key: &FileKey) -> Result<(), Verdict> {
        let wanted = key.clone();
        let unread = self.database.read(move |connection| store::unread(connection, &wanted)).await;
        for copy in unread.map_err(|error| database_verdict(&error))? {
            let Some(claim) = copy.claim.as_deref().filter(|claim| !is_extract(claim)) else { continue };
            let extraction = match self.fastio.node(&key.profile, &key.node).await {
                Ok(node) => node.extraction,
                // Its own job learns what became of it.
                Err(error) if error.is_not_found() => return Ok(()),
                Err(error) => return Err(self.unseen(&key.profile, &error).await),
            };
            match extraction {
                Extraction::There => {
                    let unread = Change::Unread(key.clone(), fingerprint(&copy.source, claim));
                    let FileKey { profile, node } = key.clone();
                    let again =
                        Jobs { tasks: vec![Task::File { profile, node }], priority: Priority::Backfill };
                    self.record([unread, Change::Jobs(again)]).await?;
                    self.wake.notify_waiters();
                    return Ok(());
                }
                Extraction::Underway if self.age(&copy) < EXTRACTED_WITHIN => {
                    return Err(later(
                        LOOK_AGAIN,
                        "Fastio is still reading a file in which OpenAI can read nothing",
                    ));
                }
                Extraction::Underway | Extraction::None | Extraction::Unsaid => {}
            }
        }
        Ok(())
    }

    async fn look_into(
        &self,
        copy: &Copy,
        pages: Option<u32>,
        attempt: u16,
    ) -> Result<Option<(Reading, Option<u64>)>, Verdict> {
        let Some(file_id) = &copy.file_id else { return Ok(None) };
        // It was text when it was sent.
        if is_read_as_text(&copy.filename) {
            return Ok(Some((Reading::Text, None)));
        }
        match self.openai.beginning_of_text(&copy.store, file_id).await {
            Ok(text) => {
                let (reading, characters) = judge(&text, copy.bytes, pages);
                Ok(Some((reading, Some(characters))))
            }
            // It is gone by now, or this server does not tell.
            Err(error) if error.retry() == Retry::Never => Ok(None),
            Err(error) if error.retry() == Retry::Backoff && attempt >= MOST_TRIES => Ok(None),
            Err(error) => Err(openai_verdict(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(characters: usize, bytes: u64, pages: Option<u32>) -> Reading {
        let text = StoreText { pieces: vec!["x ".repeat(characters)], complete: true };
        judge(&text, bytes, pages).0
    }

    #[test]
    fn what_was_read_is_measured_by_pages_or_by_bytes() {
        use Reading::{Little, Nothing, Text};
        assert_eq!(reading(0, 300, None), Nothing);
        assert_eq!(reading(11, 200_000, None), Little, "a scan with a page number");
        assert_eq!(reading(130, 15_000, None), Text, "a short letter");
        assert_eq!(reading(20_000, 50_000_000, None), Text, "a brochure");
        assert_eq!(reading(1_300, 10_000_000, None), Little, "a hundred scanned pages with their numbers");
        assert_eq!(reading(12 * 297, 900_000, Some(297)), Little);
        assert_eq!(reading(60, 900_000, Some(1)), Text);
        let more = StoreText { pieces: vec![String::new()], complete: false };
        assert_eq!(judge(&more, 1 << 30, None).0, Text);
    }
}
