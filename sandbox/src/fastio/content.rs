//! What a version of a file holds: its hashes, and its bytes unless they can be made again.

use bytes::Bytes;

use crate::content::{Chunks, Content, Measure};

/// The largest file: what Fastio's free plan takes. It is kept in memory, since it cannot be made again; tests that need large
/// ones have the stand-in generate them.
pub const MAX_FILE_BYTES: usize = 1024 * 1024 * 1024;

#[derive(Debug)]
pub struct Stored {
    measured: Content,
    kept: Option<Bytes>,
}

impl Stored {
    /// Takes bytes that came in with a request, at most [`MAX_FILE_BYTES`].
    pub fn kept(bytes: Bytes) -> Stored {
        let mut measure = Measure::default();
        measure.update(&bytes);
        Stored { measured: measure.finish(), kept: Some(bytes) }
    }

    /// Takes a content that can be made again.
    pub fn generated(content: Content) -> Stored {
        Stored { measured: content, kept: None }
    }

    pub fn size(&self) -> u64 {
        self.measured.size
    }

    pub fn md5(&self) -> &str {
        self.measured.md5.as_deref().unwrap_or_default()
    }

    pub fn sha256(&self) -> &str {
        self.measured.sha256.as_deref().unwrap_or_default()
    }

    pub fn crc32c(&self) -> String {
        self.measured.crc32c_hex()
    }

    pub fn has_hash(&self, algorithm: &str, hash: &str) -> bool {
        match algorithm {
            "md5" => self.md5() == hash,
            "sha256" => self.sha256() == hash,
            "crc32c" => self.crc32c() == hash,
            _ => false,
        }
    }

    /// Everything, piece by piece.
    pub fn chunks(&self) -> Chunks {
        match &self.kept {
            Some(bytes) => Chunks::Whole(Some(bytes.clone())),
            None => self.measured.chunks().unwrap_or(Chunks::Whole(None)),
        }
    }

    /// The bytes of a content that is kept.
    pub fn bytes(&self) -> Option<&Bytes> {
        self.kept.as_ref().or_else(|| self.measured.bytes())
    }

    /// The text of a content that is kept and is UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes()?).ok()
    }
}
