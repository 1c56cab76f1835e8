//! The bytes of one file on their way from Fastio to OpenAI: counted, hashed and checked as they pass, never kept.
//!
//! The last piece is held back until everything before it proved right and the hash is on record. So OpenAI, which is
//! told the length beforehand, gets either the whole file as Fastio described it or a body cut short, of which it makes
//! nothing; and an upload without a hash on record is known to have made nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, Stream, StreamExt, try_unfold};
use md5::Md5;
use sha2::{Digest, Sha256};

use super::copy::Source;
use super::form::Content;
use super::utf8::Utf8;
use crate::contain::lock;
use crate::{database, fastio};

/// How much white space may stand before the first letter. A file that is nothing else is not worth an upload, and this
/// much is held in memory to find out.
const BLANK_LIMIT: usize = 64 * 1024;

/// Why the bytes did not all go through. OpenAI has made nothing of them.
#[derive(Debug)]
pub enum Broken {
    /// Fastio stopped sending.
    Source(fastio::Error),
    /// They are not the bytes that Fastio described: the file changed meanwhile, or the download is damaged.
    Changed(String),
    /// A text that is not in UTF-8.
    NotUtf8,
    /// A text of nothing but white space.
    Blank,
    /// The hash could not be written down.
    Database(database::Error),
}

/// What the request sees when the relay gives up. The reason stays with the [`Relayed`].
#[derive(Debug, thiserror::Error)]
#[error("the file did not come through whole")]
pub struct CutShort;

/// What became of a relay, for whoever sent its stream away.
#[derive(Debug, Clone, Default)]
pub struct Relayed(Arc<Mutex<Option<Result<String, Broken>>>>);

impl Relayed {
    /// The SHA-256 of the whole file, or why it broke; `None` when the receiver stopped reading first.
    pub fn take(&self) -> Option<Result<String, Broken>> {
        lock(&self.0).take()
    }

    fn set(&self, result: Result<String, Broken>) {
        *lock(&self.0) = Some(result);
    }
}

/// Called with the SHA-256 in hex when everything proved right, before the last piece goes out.
pub type Record = Box<dyn FnOnce(String) -> BoxFuture<'static, Result<(), database::Error>> + Send>;

/// The bytes of `body`, checked against `source`.
pub fn relay(
    body: BoxStream<'static, Result<Bytes, fastio::Error>>,
    (source, content): (&Source, Content),
    record: Record,
) -> (impl Stream<Item = Result<Bytes, CutShort>> + Send + 'static, Relayed) {
    let outcome = Relayed::default();
    let relay = Relay {
        body,
        check: Check::new(source, content),
        held: VecDeque::new(),
        held_bytes: 0,
        record: Some(record),
    };
    let stream = try_unfold((relay, outcome.clone()), |(mut relay, outcome)| async move {
        match relay.next().await {
            Ok(Some(piece)) => Ok(Some((piece, (relay, outcome)))),
            Ok(None) => {
                outcome.set(Ok(relay.check.sha256()));
                Ok(None)
            }
            Err(broken) => {
                outcome.set(Err(broken));
                Err(CutShort)
            }
        }
    });
    (stream, outcome)
}

/// Reads a whole small file, checked like any other.
pub async fn collect(
    mut body: BoxStream<'static, Result<Bytes, fastio::Error>>,
    source: &Source,
) -> Result<(Vec<u8>, String), Broken> {
    let mut check = Check::new(source, Content::Binary);
    let mut whole = Vec::with_capacity(usize::try_from(source.size).unwrap_or(0));
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(Broken::Source)?;
        check.piece(&piece)?;
        whole.extend_from_slice(&piece);
    }
    check.end()?;
    Ok((whole, check.sha256()))
}

struct Relay {
    body: BoxStream<'static, Result<Bytes, fastio::Error>>,
    check: Check,
    held: VecDeque<Bytes>,
    held_bytes: usize,
    /// Gone once the whole file was read and recorded.
    record: Option<Record>,
}

impl Relay {
    async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        while self.record.is_some() {
            if self.held.len() > 1 && (self.check.has_text || self.held_bytes > BLANK_LIMIT) {
                break;
            }
            match self.body.next().await {
                Some(piece) => self.hold(piece.map_err(Broken::Source)?)?,
                None => self.finish().await?,
            }
        }
        let piece = self.held.pop_front();
        self.held_bytes -= piece.as_ref().map_or(0, Bytes::len);
        Ok(piece)
    }

    fn hold(&mut self, piece: Bytes) -> Result<(), Broken> {
        if !piece.is_empty() {
            self.check.piece(&piece)?;
            self.held_bytes += piece.len();
            self.held.push_back(piece);
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Broken> {
        self.check.end()?;
        if let Some(record) = self.record.take() {
            record(self.check.sha256()).await.map_err(Broken::Database)?;
        }
        Ok(())
    }
}

/// Counts, hashes and reads what passes.
struct Check {
    source: Source,
    passed: u64,
    sha256: Sha256,
    /// When Fastio's hash is an MD5. Its SHA-256 we have anyway; what else it may send is not checked.
    md5: Option<Md5>,
    utf8: Option<Utf8>,
    takes_utf16: bool,
    has_text: bool,
}

impl Check {
    fn new(source: &Source, content: Content) -> Self {
        let md5 = source.hash.as_ref().is_some_and(|hash| hash.algorithm == "md5");
        Check {
            source: source.clone(),
            passed: 0,
            sha256: Sha256::new(),
            md5: md5.then(Md5::new),
            utf8: (content != Content::Binary).then(Utf8::default),
            takes_utf16: content == Content::Text,
            has_text: content == Content::Binary,
        }
    }

    fn piece(&mut self, piece: &[u8]) -> Result<(), Broken> {
        if self.passed == 0
            && self.takes_utf16
            && (piece.starts_with(b"\xff\xfe") || piece.starts_with(b"\xfe\xff"))
        {
            self.utf8 = None;
            self.has_text = true;
        }
        self.passed += piece.len() as u64;
        if self.passed > self.source.size {
            return Err(Broken::Changed(format!(
                "it is longer than the {} bytes announced",
                self.source.size
            )));
        }
        self.sha256.update(piece);
        if let Some(md5) = &mut self.md5 {
            md5.update(piece);
        }
        if let Some(utf8) = &mut self.utf8 {
            utf8.piece(piece).map_err(|_| Broken::NotUtf8)?;
        }
        self.has_text = self.has_text || piece.iter().any(|byte| !byte.is_ascii_whitespace());
        Ok(())
    }

    fn end(&mut self) -> Result<(), Broken> {
        let Source { size, hash, .. } = &self.source;
        if self.passed != *size {
            return Err(Broken::Changed(format!("{} of {size} bytes came", self.passed)));
        }
        let expected = hash.as_ref().map(|hash| (hash.algorithm.as_str(), hash.value.as_str()));
        let wrong = match (expected, &self.md5) {
            (Some((_, value)), Some(md5)) => hex::encode(md5.clone().finalize()) != value,
            (Some(("sha256", value)), None) => self.sha256() != value,
            _ => false,
        };
        if wrong {
            return Err(Broken::Changed("its hash is not the one announced".to_owned()));
        }
        if let Some(utf8) = &self.utf8 {
            utf8.end().map_err(|_| Broken::NotUtf8)?;
        }
        if self.has_text { Ok(()) } else { Err(Broken::Blank) }
    }

    fn sha256(&self) -> String {
        hex::encode(self.sha256.clone().finalize())
    }
}

#[cfg(test)]
mod tests;
