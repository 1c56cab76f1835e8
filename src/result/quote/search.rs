//! Where the characters of a quote stand in a text, one place after the other.

use memchr::memmem::Finder;

use super::LEAST_CHARACTERS;
use super::budget::Budget;
use super::normal::{Gap, MARK, Normal, SINGLE_AFTER_DIGIT, Sink};
use super::same::{Around, Edge, agree, begins, ends, is_unspaced};

/// Every so many characters it is on record where one begins.
const STEP: usize = 256;

/// How many times a document's length may be looked at for one quote. Ordinary text needs less than two. A document that
/// repeats almost the quote all over needs more, and what is not proven within this is not proven. All quotes of an
/// answer together have a [`Budget`].
const EFFORT: usize = 64;

/// Significant characters, and what stands before each.
#[derive(Default)]
pub struct Characters {
    /// All of them, to search in.
    text: String,
    gaps: Vec<Gap>,
    /// Where each came from.
    offsets: Vec<u32>,
    /// The bytes before every [`STEP`]th.
    steps: Vec<usize>,
}

impl Sink for Characters {
    fn replace(&mut self, character: char) {
        self.text.pop();
        self.text.push(character);
    }

    fn put(&mut self, gap: Gap, character: char, offset: usize) {
        if self.gaps.len().is_multiple_of(STEP) {
            self.steps.push(self.text.len());
        }
        self.text.push(character);
        self.gaps.push(gap);
        self.offsets.push(u32::try_from(offset).unwrap_or(u32::MAX));
    }
}

impl Characters {
    /// With room for a text of so many bytes: most have less than that in significant characters.
    pub fn with_room(bytes: usize) -> Characters {
        Characters {
            text: String::with_capacity(bytes),
            gaps: Vec::with_capacity(bytes),
            offsets: Vec::with_capacity(bytes),
            steps: Vec::new(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// How many begin before this byte.
    fn count_before(&self, byte: usize) -> usize {
        let step = self.steps.partition_point(|begin| *begin <= byte).saturating_sub(1);
        let begin = self.steps.get(step).copied().unwrap_or(0);
        step * STEP + self.text[begin..byte].chars().count()
    }

    pub fn len(&self) -> usize {
        self.gaps.len()
    }

    /// Whether the quote's characters, which stand at `start`, are the quote.
    fn holds(&self, quote: &Quote, start: usize, byte: usize) -> bool {
        let (gaps, length) = (&self.gaps[start..], quote.characters.len());
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
        let before = self.text[..byte].chars().rev();
        for (place, character) in before.take(outside.len()).enumerate() {
            outside[place] = Some((self.gaps[start - place], character));
        }
        Edge { gap: self.gaps[start], outside }
    }

    /// What is to the right of the characters before `end`.
    fn right(&self, end: usize, byte: usize) -> Edge {
        let mut outside = [None; 4];
        let after = self.text[byte..].chars();
        for (place, character) in after.take(outside.len()).enumerate() {
            outside[place] = Some((self.gaps[end + place], character));
        }
        Edge { gap: self.gaps.get(end).copied().unwrap_or_default(), outside }
    }
}

/// What a search came to.
pub enum Found {
    /// Where the quote's first and last characters came from.
    Place(u32, u32),
    Nothing,
    /// There is nothing left to search with.
    Spent,
}

/// A search for one quote.
pub struct Search<'a> {
    text: &'a Characters,
    quote: &'a Quote,
    finder: Finder<'a>,
    effort: usize,
    /// The byte where it goes on.
    from: usize,
}

impl<'a> Search<'a> {
    pub fn new(text: &'a Characters, quote: &'a Quote) -> Search<'a> {
        let effort = text.text.len().saturating_mul(EFFORT).max(1 << 20);
        Search { text, quote, finder: Finder::new(&quote.text), effort, from: 0 }
    }

    /// The next place.
    pub fn next(&mut self, budget: &mut Budget) -> Found {
        let text = &self.text.text;
        loop {
            let next = self.finder.find(&text.as_bytes()[self.from..]);
            // What was searched, what is compared, and what the next search prepares.
            let steps = next.unwrap_or(text.len() - self.from) + 4 * self.quote.text.len();
            if !budget.take(steps) {
                return Found::Spent;
            }
            let (Some(found), Some(rest)) = (next, self.effort.checked_sub(steps)) else {
                return Found::Nothing;
            };
            self.effort = rest;
            let byte = self.from + found;
            let start = self.text.count_before(byte);
            self.from = byte + text[byte..].chars().next().map_or(1, char::len_utf8);
            if self.text.holds(self.quote, start, byte) {
                let last = start + self.quote.characters.len() - 1;
                return Found::Place(self.text.offsets[start], self.text.offsets[last]);
            }
        }
    }
}

/// A quote, prepared.
pub struct Quote {
    text: String,
    characters: Vec<char>,
    gaps: Vec<Gap>,
    /// A dash touches its first character: `-5`.
    begins_with_dash: bool,
}

impl Quote {
    /// Without the quotation marks around it.
    pub fn read(text: &str) -> Quote {
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

    pub fn is_too_short(&self) -> bool {
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
