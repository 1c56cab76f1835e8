//! What a file stand-in remembers of bytes: their size and hashes always, the bytes themselves only while small, so that
//! memory does not grow with the size of the files that pass through.
//!
//! Also the deterministic generator behind `?generate=BYTES&seed=N`: a content of any size that is described by two
//! numbers and made anew, chunk by chunk, whenever it is read.

use bytes::{Bytes, BytesMut};
use md5::{Digest, Md5};
use sha2::Sha256;

/// The largest content that is kept whole: contracts and notes in the demo and the tests are far below it, and ten
/// thousand of them at a typical few KiB still fit in memory.
pub const KEPT_BYTES: usize = 256 * 1024;

/// What is kept of a larger content, so that a vector store stand-in can answer a search from its opening.
const HEAD_BYTES: usize = 4 * 1024;

/// The unit in which generated contents are made: large enough that copying it is all the cost.
const BLOCK_BYTES: usize = 64 * 1024;

/// Each generated block starts with a line of this length that tells blocks and seeds apart.
const BLOCK_LABEL_BYTES: usize = 48;

const WORDS: &[&str] = &[
    "agreement",
    "party",
    "liability",
    "supplier",
    "customer",
    "notice",
    "term",
    "payment",
    "invoice",
    "delivery",
    "warranty",
    "indemnity",
    "confidential",
    "schedule",
    "clause",
    "breach",
    "damages",
    "written",
    "reasonable",
    "days",
    "the",
    "of",
    "and",
    "to",
    "in",
    "shall",
    "may",
    "under",
    "any",
    "each",
];

/// A content that passed through: its measure, and its bytes while they are small or can be made again.
#[derive(Debug, Clone)]
pub struct Content {
    pub size: u64,
    /// Lower-case hex. None only for a content put together from large pieces out of order (see [`Content::concat`]).
    pub sha256: Option<String>,
    /// Lower-case hex; None as for `sha256`.
    pub md5: Option<String>,
    pub crc32c: u32,
    held: Held,
}

#[derive(Debug, Clone)]
enum Held {
    Whole(Bytes),
    Generated(Generated),
    Head(Bytes),
}

impl Content {
    pub fn of(bytes: &[u8]) -> Content {
        let mut measure = Measure::default();
        measure.update(bytes);
        measure.finish()
    }

    /// The content that `pieces` make one after the other. Sizes and CRC-32C always combine; the other hashes only when
    /// the whole is small enough to be held.
    pub fn concat(pieces: &[Content]) -> Content {
        let size = pieces.iter().map(|piece| piece.size).sum::<u64>();
        let whole: Option<Vec<&Bytes>> = pieces.iter().map(Content::bytes).collect();
        if let (Some(whole), true) = (whole, size <= KEPT_BYTES as u64) {
            let mut measure = Measure::default();
            whole.into_iter().for_each(|bytes| measure.update(bytes));
            return measure.finish();
        }
        let crc32c = pieces.iter().fold(0, |crc, piece| {
            let length =
                usize::try_from(piece.size).expect("sizes fit the address space of a 64-bit machine");
            crc32c::crc32c_combine(crc, piece.crc32c, length)
        });
        let head = pieces.first().map(|piece| piece.opening().clone()).unwrap_or_default();
        Content { size, sha256: None, md5: None, crc32c, held: Held::Head(head) }
    }

    /// The bytes, when they are kept whole.
    pub fn bytes(&self) -> Option<&Bytes> {
        match &self.held {
            Held::Whole(bytes) => Some(bytes),
            Held::Generated(_) | Held::Head(_) => None,
        }
    }

    /// The bytes or, of a large content, its first few KiB.
    pub fn opening(&self) -> &Bytes {
        match &self.held {
            Held::Whole(bytes) | Held::Head(bytes) => bytes,
            Held::Generated(generated) => generated.head_or_empty(),
        }
    }

    /// Everything, chunk by chunk, when it is kept or can be made again; None when it was only measured.
    pub fn chunks(&self) -> Option<Chunks> {
        match &self.held {
            Held::Whole(bytes) => Some(Chunks::Whole(Some(bytes.clone()))),
            Held::Generated(generated) => Some(generated.chunks()),
            Held::Head(_) => None,
        }
    }

    /// The CRC-32C as Fastio writes it: eight lower-case hex digits.
    pub fn crc32c_hex(&self) -> String {
        format!("{:08x}", self.crc32c)
    }
}

/// Measures bytes as they pass. Cloning it keeps a place to come back to.
#[derive(Debug, Clone, Default)]
pub struct Measure {
    size: u64,
    sha256: Sha256,
    md5: Md5,
    crc32c: u32,
    kept: BytesMut,
}

impl Measure {
    pub fn update(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.sha256.update(bytes);
        self.md5.update(bytes);
        self.crc32c = crc32c::crc32c_append(self.crc32c, bytes);
        if self.size <= KEPT_BYTES as u64 {
            self.kept.extend_from_slice(bytes);
        } else if self.kept.len() > HEAD_BYTES {
            self.kept = BytesMut::from(&self.kept[..HEAD_BYTES]);
        } else if self.kept.is_empty() {
            self.kept.extend_from_slice(&bytes[..bytes.len().min(HEAD_BYTES)]);
        }
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn finish(self) -> Content {
        let kept = self.kept.freeze();
        let whole = kept.len() as u64 == self.size;
        Content {
            size: self.size,
            sha256: Some(hex::encode(self.sha256.finalize())),
            md5: Some(hex::encode(self.md5.finalize())),
            crc32c: self.crc32c,
            held: if whole { Held::Whole(kept) } else { Held::Head(kept) },
        }
    }
}

/// A content that follows from its length and a seed: ASCII words, line by line.
#[derive(Debug, Clone)]
pub struct Generated {
    pub bytes: u64,
    pub seed: u64,
    block: Bytes,
}

impl Generated {
    pub fn new(bytes: u64, seed: u64) -> Generated {
        Generated { bytes, seed, block: block(seed) }
    }

    pub fn chunks(&self) -> Chunks {
        Chunks::Generated { seed: self.seed, block: self.block.clone(), number: 0, left: self.bytes }
    }

    /// Measures the whole content. It takes seconds per gigabyte: call it off the async threads.
    pub fn content(self) -> Content {
        let mut measure = Measure::default();
        self.chunks().for_each(|chunk| measure.update(&chunk));
        let mut content = measure.finish();
        if content.bytes().is_none() {
            content.held = Held::Generated(self);
        }
        content
    }

    /// Only large contents are held as generated, so the block stands for the opening (but for its label).
    fn head_or_empty(&self) -> &Bytes {
        &self.block
    }
}

/// A content's bytes, piece by piece.
#[derive(Debug, Clone)]
pub enum Chunks {
    Whole(Option<Bytes>),
    Generated { seed: u64, block: Bytes, number: u64, left: u64 },
}

impl Iterator for Chunks {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        match self {
            Chunks::Whole(bytes) => bytes.take(),
            Chunks::Generated { left: 0, .. } => None,
            Chunks::Generated { seed, block, number, left } => {
                let mut chunk = BytesMut::from(&block[..]);
                let label = format!("Part {number} of the text grown from seed {seed}");
                chunk[..BLOCK_LABEL_BYTES].copy_from_slice(
                    format!("{label:<width$.width$}\n", width = BLOCK_LABEL_BYTES - 1).as_bytes(),
                );
                let length = (*left).min(BLOCK_BYTES as u64);
                chunk.truncate(usize::try_from(length).expect("a block fits in memory"));
                *left -= length;
                *number += 1;
                Some(chunk.freeze())
            }
        }
    }
}

/// The seed's block of words; every chunk repeats it under another label.
fn block(seed: u64) -> Bytes {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut text = String::with_capacity(BLOCK_BYTES + 16);
    while text.len() < BLOCK_BYTES {
        text.push_str(WORDS[random.usize(..WORDS.len())]);
        text.push(if random.u8(..12) == 0 { '\n' } else { ' ' });
    }
    text.truncate(BLOCK_BYTES);
    Bytes::from(text)
}

#[cfg(test)]
mod tests {
    use super::{Content, Generated, KEPT_BYTES, Measure};

    #[test]
    fn the_same_seed_and_length_make_the_same_bytes() {
        let one = Generated::new(200_000, 7).content();
        let again = Generated::new(200_000, 7).content();
        let other = Generated::new(200_000, 8).content();
        assert_eq!(one.sha256, again.sha256);
        assert_ne!(one.sha256, other.sha256);
        assert_eq!(one.size, 200_000);
        assert!(std::str::from_utf8(one.bytes().unwrap()).is_ok());
    }

    #[test]
    fn a_large_content_is_measured_but_not_held() {
        let large = Generated::new(3 * KEPT_BYTES as u64 + 5, 1);
        let mut measure = Measure::default();
        large.chunks().for_each(|chunk| measure.update(&chunk));
        let seen = measure.finish();
        assert!(seen.bytes().is_none() && seen.chunks().is_none());
        assert_eq!(seen.opening().len(), 4096);
        let made = large.content();
        assert_eq!(seen.sha256, made.sha256);
        assert_eq!(made.chunks().unwrap().map(|chunk| chunk.len()).sum::<usize>() as u64, made.size);
    }

    #[test]
    fn pieces_combine_into_the_whole() {
        let whole = Content::of(b"The supplier shall indemnify the customer.");
        let pieces = [Content::of(b"The supplier shall "), Content::of(b"indemnify the customer.")];
        let joined = Content::concat(&pieces);
        assert_eq!((joined.sha256, joined.crc32c), (whole.sha256, whole.crc32c));

        let large: Vec<Content> = (1..3).map(|seed| Generated::new(300_000, seed).content()).collect();
        let mut measure = Measure::default();
        large.iter().flat_map(|piece| piece.chunks().unwrap()).for_each(|chunk| measure.update(&chunk));
        let joined = Content::concat(&large);
        assert_eq!((joined.size, joined.crc32c), (600_000, measure.finish().crc32c));
        assert_eq!(joined.sha256, None);
    }
}
