//! The bytes of one file on their way from Fastio to OpenAI: counted, hashed and checked as they pass, never kept.
//!
//! The last piece is held back until everything before it proved right and the hash is on record. So OpenAI, which is
//! told the length beforehand, gets either the whole file as Fastio described it or a body cut short, of which it makes
//! nothing; and an upload without a hash on record is known to have made nothing.

mod draft;
mod pages;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, Stream, StreamExt, try_unfold};
use md5::Md5;
use sha2::{Digest, Sha256};

use super::copy::{Draft, READ_HASH, Source};
use super::text::{Flow, Unreadable};
use crate::contain::lock;
use crate::fastio::Hash;
use crate::{database, fastio};

use pages::Pages;

/// How much may stand before the first letter that is the text's own: white space, and what stands in the place of pictures. A
/// file that is nothing else is not worth an upload, and this much is held in memory to find out.
const BLANK_LIMIT: usize = 64 * 1024;

/// In such pieces a text goes out that was read as a whole, and what comes in larger ones, as from a service nearby. hyper takes sixteen of
/// them before it waits for the network, and of what it has read up to 400 KB at once; so little of one file is in memory.
const PIECE: usize = 16 * 1024;

/// A download's bytes.
pub type Body = BoxStream<'static, Result<Bytes, fastio::Error>>;

/// Why the bytes did not all go through. OpenAI has made nothing of them.
#[derive(Debug)]
pub enum Broken {
    /// Fastio stopped sending.
    Source(fastio::Error),
    /// They are not the bytes that Fastio described: the file changed meanwhile, or the download is damaged.
    Changed(String),
    /// They are as many as Fastio described, and have another hash: this SHA-256.
    OtherHash(String),
    /// A text in which nothing can be read.
    Unreadable(Unreadable),
    /// Another upload of this name and size is not settled.
    Twin { filename: String, bytes: u64 },
    /// It could not be written down that they came.
    Database(database::Error),
}

/// What the request sees when the relay gives up. The reason stays with the [`Relayed`].
#[derive(Debug, thiserror::Error)]
#[error("the file did not come through whole")]
pub struct CutShort;

/// What became of a relay, for the caller that sent its stream away.
#[derive(Debug, Clone, Default)]
pub struct Relayed(Arc<Mutex<Option<Result<(), Broken>>>>);

impl Relayed {
    /// That the whole file went through, or why not; `None` when the receiver stopped reading first.
    pub fn take(&self) -> Option<Result<(), Broken>> {
        lock(&self.0).take()
    }

    fn set(&self, result: Result<(), Broken>) {
        *lock(&self.0) = Some(result);
    }
}

/// The hashes that what passes is held against, as Fastio calls them.
const MD5: &str = "md5";
const SHA256: &str = "sha256";

/// Whether what passes is held against this hash, as Fastio announced it.
pub fn is_checked(hash: &Hash) -> bool {
    [MD5, SHA256].contains(&hash.algorithm.as_str())
}

/// What passed, known before the last of it goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// Of the file at Fastio, in hex.
    pub sha256: String,
    /// Pages of a PDF, where they can be counted.
    pub pages: Option<u32>,
    /// What a Word document says of its changes, where that can be read.
    pub draft: Option<Draft>,
    /// What is not there any more of a text, in words.
    pub note: Option<String>,
}

/// Called when everything proved right, before the last piece goes out.
pub type Record = Box<dyn FnOnce(Passed) -> BoxFuture<'static, Result<(), Broken>> + Send>;

/// What is done to the bytes on their way.
#[derive(Debug)]
pub enum Way {
    /// They go as they are.
    AsTheyAre,
    Text(Box<Flow>),
}

/// The bytes of `body`, checked against `source`.
pub fn relay(
    body: Body,
    (source, way): (&Source, Way),
    record: Record,
) -> (impl Stream<Item = Result<Bytes, CutShort>> + Send + 'static, Relayed) {
    let relay = Relay {
        body,
        check: Check::new(source),
        way,
        pages: Pages::default(),
        draft: draft::Reader::default(),
        held: VecDeque::new(),
        held_bytes: 0,
        record: Some(record),
    };
    stream_of(relay)
}

/// Bytes that were checked, sent as if they came only now: the last of them waits for `record` too.
pub fn send(
    bytes: Vec<u8>,
    passed: Passed,
    record: Record,
) -> (impl Stream<Item = Result<Bytes, CutShort>> + Send + 'static, Relayed) {
    let outcome = Relayed::default();
    let state = (Bytes::from(bytes), Some((passed, record)), outcome.clone());
    let stream = try_unfold(state, |(mut rest, mut record, outcome)| async move {
        if rest.len() <= PIECE
            && let Some((passed, record)) = record.take()
        {
            let recorded = record(passed).await;
            let is_broken = recorded.is_err();
            outcome.set(recorded);
            if is_broken {
                return Err(CutShort);
            }
        }
        let piece = rest.split_to(rest.len().min(PIECE));
        Ok((!piece.is_empty()).then_some((piece, (rest, record, outcome))))
    });
    (stream, outcome)
}

fn stream_of(relay: Relay) -> (impl Stream<Item = Result<Bytes, CutShort>> + Send + 'static, Relayed) {
    let outcome = Relayed::default();
    let stream = try_unfold((relay, outcome.clone()), |(mut relay, outcome)| async move {
        match relay.next().await {
            Ok(Some(piece)) => Ok(Some((piece, (relay, outcome)))),
            Ok(None) => {
                outcome.set(Ok(()));
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

/// Reads the beginning of a download, `most` bytes or a little more. It stands before the rest in what is left.
pub async fn head(mut body: Body, most: usize) -> Result<(Bytes, Body), Broken> {
    let (mut pieces, mut length) = (Vec::new(), 0);
    while length < most
        && let Some(piece) = body.next().await
    {
        let piece = piece.map_err(Broken::Source)?;
        length += piece.len();
        pieces.push(piece);
    }
    let head = match pieces.as_slice() {
        [one] => one.clone(),
        pieces => Bytes::from(pieces.concat()),
    };
    let first = stream::once(std::future::ready(Ok(head.clone())));
    Ok((head, first.chain(body).boxed()))
}

/// Reads a whole small file, checked like any other.
pub async fn collect(mut body: Body, source: &Source) -> Result<(Vec<u8>, String), Broken> {
    let mut check = Check::new(source);
    let mut whole = Vec::with_capacity(usize::try_from(source.size).unwrap_or(0));
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(Broken::Source)?;
        check.piece(&piece)?;
        whole.extend_from_slice(&piece);
    }
    check.end()?;
    Ok((whole, check.sha256()))
}

/// Reads a file of any size to its end, checked like any other, and answers its SHA-256.
pub async fn digest_of(mut body: Body, source: &Source) -> Result<String, Broken> {
    let mut check = Check::new(source);
    while let Some(piece) = body.next().await {
        check.piece(&piece.map_err(Broken::Source)?)?;
    }
    check.end()?;
    Ok(check.sha256())
}

/// How long a text becomes on its way, which has to be known before its first byte is sent.
pub async fn measure(body: Body, source: &Source, flow: Flow) -> Result<u64, Broken> {
    let (mut flowing, mut length) = (Flowing::new(body, source, flow), 0);
    while let Some(piece) = flowing.next().await? {
        length += piece.len() as u64;
    }
    Ok(length)
}

/// A text as it goes on, checked like any other file.
pub struct Flowing {
    body: Body,
    check: Check,
    flow: Flow,
    has_ended: bool,
}

impl Flowing {
    pub fn new(body: Body, source: &Source, flow: Flow) -> Self {
        Flowing { body, check: Check::new(source), flow, has_ended: false }
    }

    /// The next piece; none when all has come and proved right.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        if self.has_ended {
            return Ok(None);
        }
        let Some(piece) = self.body.next().await else {
            self.has_ended = true;
            self.check.end()?;
            let rest = self.flow.end();
            self.flow.readable().map_err(Broken::Unreadable)?;
            return Ok(Some(rest));
        };
        let piece = piece.map_err(Broken::Source)?;
        self.check.piece(&piece)?;
        self.flow.piece(piece).map(Some).map_err(Broken::Unreadable)
    }

    /// The file's SHA-256, and what is not there any more of the text.
    pub fn ended(self) -> (String, Option<String>) {
        (self.check.sha256(), self.flow.note())
    }
}

struct Relay {
    body: Body,
    check: Check,
    way: Way,
    pages: Pages,
    draft: draft::Reader,
    held: VecDeque<Bytes>,
    held_bytes: usize,
    /// Gone once the whole file was read and recorded.
    record: Option<Record>,
}

impl Relay {
    async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        while self.record.is_some() {
            if self.held.len() > 1 && (self.readable().is_ok() || self.held_bytes > BLANK_LIMIT) {
                break;
            }
            match self.body.next().await {
                Some(piece) => self.take_in(piece.map_err(Broken::Source)?)?,
                None => self.finish().await?,
            }
        }
        let piece = self.held.pop_front();
        self.held_bytes -= piece.as_ref().map_or(0, Bytes::len);
        Ok(piece)
    }

    fn take_in(&mut self, piece: Bytes) -> Result<(), Broken> {
        self.check.piece(&piece)?;
        let piece = match &mut self.way {
            Way::AsTheyAre => {
                self.pages.piece(&piece);
                self.draft.piece(&piece);
                piece
            }
            Way::Text(flow) => flow.piece(piece).map_err(Broken::Unreadable)?,
        };
        self.hold(piece);
        Ok(())
    }

    fn hold(&mut self, mut piece: Bytes) {
        self.held_bytes += piece.len();
        while !piece.is_empty() {
            self.held.push_back(piece.split_to(piece.len().min(PIECE)));
        }
    }

    fn readable(&self) -> Result<(), Unreadable> {
        match &self.way {
            Way::AsTheyAre => Ok(()),
            Way::Text(flow) => flow.readable(),
        }
    }

    async fn finish(&mut self) -> Result<(), Broken> {
        self.check.end()?;
        let mut note = None;
        if let Way::Text(flow) = &mut self.way {
            let rest = flow.end();
            note = flow.note();
            self.hold(rest);
        }
        self.readable().map_err(Broken::Unreadable)?;
        if let Some(record) = self.record.take() {
            let (sha256, pages, draft) = (self.check.sha256(), self.pages.count(), self.draft.found());
            let passed = Passed { sha256, pages, draft, note };
            record(passed).await?;
        }
        Ok(())
    }
}

/// Counts and hashes what passes.
struct Check {
    source: Source,
    passed: u64,
    sha256: Sha256,
    /// When Fastio's hash is an MD5. Its SHA-256 we have anyway; what else it may send is not checked.
    md5: Option<Md5>,
}

impl Check {
    fn new(source: &Source) -> Self {
        let md5 = source.hash.as_ref().is_some_and(|hash| hash.algorithm == MD5);
        Check { source: source.clone(), passed: 0, sha256: Sha256::new(), md5: md5.then(Md5::new) }
    }

    fn piece(&mut self, piece: &[u8]) -> Result<(), Broken> {
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
            (Some((SHA256 | READ_HASH, value)), None) => self.sha256() != value,
            _ => false,
        };
        if wrong {
            return Err(Broken::OtherHash(self.sha256()));
        }
        Ok(())
    }

    fn sha256(&self) -> String {
        hex::encode(self.sha256.clone().finalize())
    }
}

#[cfg(test)]
mod tests;
