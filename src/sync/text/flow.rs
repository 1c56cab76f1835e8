//! A text that flows by, too long to be held: mended and freed of what is embedded as it passes.

use bytes::Bytes;

use super::embedded::{Embedded, LeftOut};
use super::repair::Repair;
use super::{Sort, characters, note, readable};

/// One in so many bytes of a text may be broken, where nothing says that it is UTF-8: a slip in a log, and less than any
/// language has of letters outside ASCII.
const SLIPS: u64 = 10_000;

/// Why nothing can be read in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It does not look like text.
    NoText,
    /// It is in an encoding that is not UTF-8.
    OtherEncoding,
    /// It is nothing but white space.
    Blank,
    /// It is nothing but embedded pictures or attachments.
    OnlyEmbedded,
}

/// Text on its way.
#[derive(Debug)]
pub struct Flow {
    repair: Repair,
    embedded: Option<Embedded>,
    /// Characters that passed and are no white space, counted until there is text among them.
    characters: u64,
}

impl Flow {
    pub fn of(sort: Sort) -> Self {
        Flow { repair: Repair::default(), embedded: Embedded::of(sort), characters: 0 }
    }

    /// What goes on of `piece`.
    pub fn piece(&mut self, piece: Bytes) -> Result<Bytes, Unreadable> {
        let mended = if self.repair.is_sound(&piece) {
            piece
        } else {
            let mut mended = Vec::with_capacity(piece.len() + 4);
            self.repair.piece(&piece, &mut mended);
            Bytes::from(mended)
        };
        let tally = self.repair.tally();
        if tally.is_noise() {
            return Err(Unreadable::NoText);
        }
        if !tally.is_utf8() && tally.bad > tally.bytes / SLIPS {
            return Err(Unreadable::OtherEncoding);
        }
        Ok(self.let_pass(mended, false))
    }

    /// What is left when nothing more comes.
    pub fn end(&mut self) -> Bytes {
        let mut mended = Vec::new();
        self.repair.end(&mut mended);
        self.let_pass(Bytes::from(mended), true)
    }

    /// Whether something has come that can be read, and if not, why.
    pub fn readable(&self) -> Result<(), Unreadable> {
        readable(self.characters, &self.left_out())
    }

    /// What is not there any more, in words.
    pub fn note(&self) -> Option<String> {
        note(&self.left_out(), &self.repair)
    }

    fn left_out(&self) -> LeftOut {
        self.embedded.as_ref().map(Embedded::left_out).unwrap_or_default()
    }

    fn let_pass(&mut self, mended: Bytes, is_end: bool) -> Bytes {
        let left = match &mut self.embedded {
            Some(embedded) => {
                let mut left = Vec::new();
                embedded.piece(&mended, &mut left);
                if is_end {
                    embedded.end(&mut left);
                }
                Bytes::from(left)
            }
            None => mended,
        };
        if self.readable().is_err() {
            self.characters += characters(&left);
        }
        left
    }
}
