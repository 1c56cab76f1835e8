//! Whether a quote stands in a document. This is what a reader relies on, so it is strict where it counts.
//!
//! A quote is found when the document has the same words, numbers and punctuation in the same order. It may differ in:
//!
//! - white space: any amount and kind, line breaks too, and none at all next to punctuation;
//! - hyphenation: a hyphen at a line's end between letters may be there or not;
//! - ligatures (`ﬁ` for `fi`), and how letters with accents are encoded;
//! - quotation marks and dashes: which ones, not whether; and quotation marks around the quote as a whole.
//!
//! It may not differ in anything else: not in case, not in a word, a digit or a decimal point, and it must not cut a word
//! or number, since `exclusive` is not what a document says that has `non-exclusive`, nor `EUR 10` where it has
//! `EUR 10,000`. What stops inside of a sentence is still a quote.
//!
//! A document is prepared once, in time and memory linear in its length, and then asked about many quotes, each in time
//! linear in the document ([`EFFORT`] bounds it for text that is made to defeat the search).

mod budget;
mod normal;
mod same;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use budget::Budget;
pub use budget::{MOST_QUOTES, look_up_all};

use normal::{Gap, MARK, Normal, SINGLE_AFTER_DIGIT, Sink};
use same::{Around, Edge, agree, begins, ends, is_unspaced};

/// Letters and digits that a quote needs at least; a Chinese or Japanese character counts for two. Fewer prove nothing:
/// they stand somewhere in any document.
pub const LEAST_CHARACTERS: usize = 10;

/// How many times a document's length may be looked at for one quote. Ordinary text needs less than two. A document that
/// repeats almost the quote all over needs more, and what is not proven within this is not proven. All quotes of an
/// answer together have a [`Budget`].
const EFFORT: usize = 64;

/// A document's text, prepared.
pub struct Document {
    characters: Characters,
    /// Where each line but the first begins.
    lines: Vec<u32>,
    /// Where pages begin, and the first and last page that what follows stands on.
    pages: Vec<(u32, u32, u32)>,
}

/// Part of a document's text, with the pages it stands on where they are known.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'a> {
    pub text: &'a str,
    pub pages: Option<(u32, u32)>,
}

/// What is known of a quote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "proof", rename_all = "snake_case")]
pub enum Proof {
    /// It is in the document.
    Found(Place),
    NotFound,
    /// It has less than [`LEAST_CHARACTERS`] or is one word. It may be in the document, which would mean nothing.
    TooShort,
    /// It was not looked up: there is no text to look in, or there are too many quotes.
    Unchecked,
}

/// Where a quote stands, the first time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Characters of the document's text before it. Pieces count as if one followed the other.
    pub offset: u64,
    /// Characters of the document's text that it takes.
    pub length: u64,
    /// From 1.
    pub line: u64,
    /// The first and last page it may stand on, where pages are known: from the pieces, or from form feeds in the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<(u32, u32)>,
}

/// One quote of a result, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Where it stands in the result: a JSON pointer, such as `/findings/3/quote`.
    pub pointer: String,
    pub quote: String,
    #[serde(flatten)]
    pub proof: Proof,
}

impl Proof {
    pub fn is_verified(&self) -> bool {
        matches!(self, Proof::Found(_))
    }
}

/// Significant characters, and what stands before each.
#[derive(Default)]
struct Characters {
    /// All of them, to search in.
    text: String,
    gaps: Vec<Gap>,
    /// Where each came from.
    offsets: Vec<u32>,
}

impl Sink for Characters {
    fn replace(&mut self, character: char) {
        self.text.pop();
        self.text.push(character);
    }

    fn put(&mut self, gap: Gap, character: char, offset: usize) {
        self.text.push(character);
        self.gaps.push(gap);
        self.offsets.push(u32::try_from(offset).unwrap_or(u32::MAX));
    }
}

impl Document {
    pub fn new(text: &str) -> Document {
        Document::of([Piece { text, pages: None }])
    }

    /// Where two pieces meet, white space may have been lost or not; a quote may run across.
    pub fn of<'a>(pieces: impl IntoIterator<Item = Piece<'a>>) -> Document {
        let (mut characters, mut normal) = (Characters::default(), Normal::default());
        let (mut lines, mut pages, mut offset) = (Vec::new(), Vec::new(), 0_usize);
        let short = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        let mut fed = 1_u32;
        for piece in pieces {
            if offset > 0 {
                normal.seam(&mut characters);
            }
            if let Some((first, last)) = piece.pages {
                pages.push((short(offset), first, last));
            }
            for character in piece.text.chars() {
                normal.read(character, offset, &mut characters);
                offset += 1;
                if character == '\n' {
                    lines.push(short(offset));
                } else if character == '\u{c}' && piece.pages.is_none() {
                    if pages.is_empty() {
                        pages.push((0, 1, 1));
                    }
                    fed += 1;
                    pages.push((short(offset), fed, fed));
                }
            }
        }
        normal.end(&mut characters);
        Document { characters, lines, pages }
    }

    /// Whether there is any text at all. A scanned document has none, and no quote from it can be proven.
    pub fn is_empty(&self) -> bool {
        self.characters.text.is_empty()
    }

    /// Looks for one quote.
    pub fn find(&self, quote: &str) -> Proof {
        self.look_up(quote, &mut Budget::default())
    }

    /// Looks for `quote` for as long as `budget` lasts.
    fn look_up(&self, quote: &str, budget: &mut Budget) -> Proof {
        if !budget.take(quote.len()) {
            return Proof::Unchecked;
        }
        let quote = Quote::read(quote);
        if quote.is_too_short() {
            return Proof::TooShort;
        }
        let mut effort = self.characters.text.len().saturating_mul(EFFORT).max(1 << 20);
        // A place in the search text, and how many characters begin before it.
        let (mut from, mut start) = (0, 0);
        loop {
            let next = self.characters.text[from..].find(&quote.text);
            // What was searched, what is compared, and what the next search prepares.
            let steps = next.unwrap_or(self.characters.text.len() - from) + 4 * quote.text.len();
            if !budget.take(steps) {
                return Proof::Unchecked;
            }
            let (Some(found), Some(rest)) = (next, effort.checked_sub(steps)) else { return Proof::NotFound };
            effort = rest;
            let byte = from + found;
            start += begins_in(&self.characters.text.as_bytes()[from..byte]);
            if self.holds(&quote, start, byte) {
                return Proof::Found(self.place(start, start + quote.characters.len() - 1));
            }
            from = byte + self.characters.text[byte..].chars().next().map_or(1, char::len_utf8);
            start += 1;
        }
    }

    /// Whether the quote's characters, which stand at `start`, are the quote.
    fn holds(&self, quote: &Quote, start: usize, byte: usize) -> bool {
        let (gaps, length) = (&self.characters.gaps[start..], quote.characters.len());
        let at = |place: usize| quote.characters.get(place).copied();
        let inner = (1..length).all(|place| {
            let (document, own) = (gaps[place], quote.gaps[place]);
            document == own || {
                let before_left = place.checked_sub(2).and_then(at);
                let around =
                    Around { before_left, left: at(place - 1), right: at(place), after_right: at(place + 1) };
                agree(document, own, around)
            }
        });
        inner && begins(self.left(start, byte), &quote.characters, quote.begins_with_dash) && {
            let last: Vec<char> = quote.characters.iter().rev().take(4).copied().collect();
            ends(self.right(start + length, byte + quote.text.len()), &last)
        }
    }

    /// What is to the left of the character `start`.
    fn left(&self, start: usize, byte: usize) -> Edge {
        let mut outside = [None; 4];
        let before = self.characters.text[..byte].chars().rev();
        for (place, character) in before.take(outside.len()).enumerate() {
            outside[place] = Some((self.characters.gaps[start - place], character));
        }
        Edge { gap: self.characters.gaps[start], outside }
    }

    /// What is to the right of the characters before `end`.
    fn right(&self, end: usize, byte: usize) -> Edge {
        let mut outside = [None; 4];
        let after = self.characters.text[byte..].chars();
        for (place, character) in after.take(outside.len()).enumerate() {
            outside[place] = Some((self.characters.gaps[end + place], character));
        }
        Edge { gap: self.characters.gaps.get(end).copied().unwrap_or_default(), outside }
    }

    fn place(&self, first: usize, last: usize) -> Place {
        let (begin, end) = (self.characters.offsets[first], self.characters.offsets[last]);
        let page = |offset| {
            let entry = self.pages.partition_point(|(begin, ..)| *begin <= offset).checked_sub(1)?;
            self.pages.get(entry)
        };
        Place {
            offset: begin.into(),
            length: u64::from(end.saturating_sub(begin)) + 1,
            line: self.lines.partition_point(|line| *line <= begin) as u64 + 1,
            pages: page(begin).zip(page(end)).map(|((_, first, _), (_, _, last))| (*first, *last)),
        }
    }
}

/// A quote, prepared.
struct Quote {
    text: String,
    characters: Vec<char>,
    gaps: Vec<Gap>,
    /// A dash touches its first character: `-5`.
    begins_with_dash: bool,
}

impl Quote {
    /// Without the quotation marks around it.
    fn read(text: &str) -> Quote {
        let (mut read, mut normal) = (Characters::default(), Normal::default());
        text.chars().enumerate().for_each(|(offset, character)| normal.read(character, offset, &mut read));
        normal.end(&mut read);
        let is_mark = |character: &char| matches!(*character, MARK | SINGLE_AFTER_DIGIT);
        let all: Vec<char> = read.text.chars().collect();
        let begin = all.iter().take_while(|c| is_mark(c)).count();
        let end = all.len() - all[begin..].iter().rev().take_while(|c| is_mark(c)).count();
        let (characters, gaps) = (all[begin..end].to_vec(), read.gaps[begin..end].to_vec());
        let begins_with_dash = gaps.first().is_some_and(|gap| gap.has(Gap::DASH | Gap::TOUCHES_RIGHT));
        Quote { text: characters.iter().collect(), characters, gaps, begins_with_dash }
    }

    fn is_too_short(&self) -> bool {
        let weight = |c: &char| match c {
            c if is_unspaced(Some(*c)) => 2,
            c if c.is_alphanumeric() => 1,
            _ => 0,
        };
        let one_word = self.gaps.iter().skip(1).all(|gap| *gap == Gap::NOTHING);
        let unspaced = self.characters.iter().any(|c| is_unspaced(Some(*c)));
        self.characters.iter().map(weight).sum::<usize>() < LEAST_CHARACTERS || (one_word && !unspaced)
    }
}

/// How many characters begin in these bytes of UTF-8.
fn begins_in(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0b1100_0000 != 0b1000_0000).count()
}

impl std::fmt::Debug for Document {
    /// Without the text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document").field("characters", &self.characters.gaps.len()).finish_non_exhaustive()
    }
}
