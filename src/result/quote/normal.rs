//! A text as the comparison of quotes sees it: its significant characters, and what stands between them.
//!
//! Forms of a character become that character ([`kind`]), letters with accents are taken apart (both spellings of `é` are
//! one in Unicode), quotation marks become one mark. White space and dashes are no characters here but flags of the [`Gap`]
//! before the next one, because whether they matter depends on what stands on either side.

use std::ops::BitOr;

use unicode_normalization::char::{
    canonical_combining_class, decompose_canonical, decompose_compatible, is_combining_mark,
};

use super::kind::{Capital, Kind, kind};

/// What stands between two significant characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gap(u8);

impl Gap {
    pub const NOTHING: Gap = Gap(0);
    pub const SPACE: Gap = Gap(1);
    /// At least one dash of any kind.
    pub const DASH: Gap = Gap(1 << 1);
    /// Only a hyphen at a line's end between letters: the word may go on without it.
    pub const HYPHENATION: Gap = Gap(1 << 2);
    /// Two pieces of the text meet here, and what was lost between them is unknown.
    pub const SEAM: Gap = Gap(1 << 3);
    /// A dash touches what is before it.
    pub const TOUCHES_LEFT: Gap = Gap(1 << 4);
    /// A dash touches what is after it.
    pub const TOUCHES_RIGHT: Gap = Gap(1 << 5);
    /// The dash is a hyphen or a minus.
    pub const HYPHEN: Gap = Gap(1 << 6);
    /// The dash is an em dash or several: it parts rather than joins.
    pub const LONG: Gap = Gap(1 << 7);

    pub fn has(self, flags: Gap) -> bool {
        self.0 & flags.0 == flags.0
    }
}

impl BitOr for Gap {
    type Output = Gap;

    fn bitor(self, other: Gap) -> Gap {
        Gap(self.0 | other.0)
    }
}

/// What a quotation mark becomes.
pub const MARK: char = '"';

/// What a single mark right after a digit becomes: 5′ is not 5″.
pub const SINGLE_AFTER_DIGIT: char = '\'';

/// Where the text goes, character by character.
pub trait Sink {
    /// A significant character, from the character at `offset` of the text.
    fn put(&mut self, gap: Gap, character: char, offset: usize);

    /// The last one was another character.
    fn replace(&mut self, character: char);
}

/// Reads a text and puts its significant characters into a sink.
#[derive(Debug, Default)]
pub struct Normal {
    between: Between,
    /// Accents that wait to be put into Unicode's order.
    accents: Vec<(u8, char, usize)>,
    /// A letter whose spelling in two depends on the next one, and its offset.
    capital: Option<(Capital, usize)>,
    last: Option<char>,
    /// How many of the last characters are capitals that touch each other.
    capitals: usize,
}

/// What was read since the last significant character.
#[derive(Debug, Default, Clone, Copy)]
struct Between {
    space: bool,
    dashes: u8,
    hyphen: bool,
    long: bool,
    /// White space before the first dash.
    space_before: bool,
    /// White space after the last dash, or after a soft hyphen.
    space_after: bool,
    /// That white space breaks the line.
    line_after: bool,
    soft_hyphen: bool,
    seam: bool,
}

impl Normal {
    /// Reads one character.
    pub fn read(&mut self, character: char, offset: usize, sink: &mut impl Sink) {
        // Most of any text, and what it comes to below.
        if character.is_ascii_alphanumeric() && self.capital.is_none() {
            self.flush(sink);
            return self.put(character, offset, sink);
        }
        let kind = kind(character);
        if !matches!(kind, Kind::Nothing) {
            self.spell(Some(character), sink);
        }
        match kind {
            Kind::Nothing => {}
            Kind::Space { breaks_line } => {
                self.flush(sink);
                self.between.space(breaks_line);
            }
            Kind::SoftHyphen => {
                self.flush(sink);
                self.between.soft_hyphen = true;
            }
            Kind::Dash { hyphen, long } => {
                self.flush(sink);
                self.between.dash(hyphen, long);
            }
            Kind::Mark { double } => {
                self.flush(sink);
                self.mark(double, offset, sink);
            }
            Kind::Letters(letters) => {
                self.flush(sink);
                letters.chars().for_each(|letter| self.put(letter, offset, sink));
            }
            Kind::Capital(capital) => {
                self.flush(sink);
                self.capital = Some((capital, offset));
            }
            Kind::Form => decompose_compatible(character, |part| match part == character {
                true => self.plain(part, offset, sink),
                false => self.read(part, offset, sink),
            }),
            Kind::Plain => self.plain(character, offset, sink),
        }
    }

    fn plain(&mut self, character: char, offset: usize, sink: &mut impl Sink) {
        if character.is_ascii() {
            self.flush(sink);
            self.put(character, offset, sink);
        } else {
            decompose_canonical(character, |part| match part == character {
                true => self.decomposed(part, offset, sink),
                false => self.read(part, offset, sink),
            });
        }
    }

    /// Spells the letter that waited for `next`.
    fn spell(&mut self, next: Option<char>, sink: &mut impl Sink) {
        let Some((capital, offset)) = self.capital.take() else { return };
        let spelling = capital.spelling(self.capitals, next);
        spelling.chars().for_each(|letter| self.put(letter, offset, sink));
    }

    /// Another piece of the text begins.
    pub fn seam(&mut self, sink: &mut impl Sink) {
        self.spell(None, sink);
        self.flush(sink);
        self.between.seam = true;
        // Where a line ended, a piece may have.
        if self.between.dashes > 0 {
            self.between.line_after = true;
        }
    }

    /// The text has ended. Answers what stands after its last significant character.
    pub fn end(mut self, sink: &mut impl Sink) -> Gap {
        self.spell(None, sink);
        self.flush(sink);
        self.between.gap(self.last, None)
    }

    fn decomposed(&mut self, part: char, offset: usize, sink: &mut impl Sink) {
        match canonical_combining_class(part) {
            0 => {
                self.flush(sink);
                self.put(part, offset, sink);
            }
            class => self.accents.push((class, part, offset)),
        }
    }

    fn flush(&mut self, sink: &mut impl Sink) {
        if self.accents.is_empty() {
            return;
        }
        let mut accents = std::mem::take(&mut self.accents);
        accents.sort_by_key(|(class, ..)| *class);
        accents.into_iter().for_each(|(_, accent, offset)| self.put(accent, offset, sink));
    }

    fn put(&mut self, character: char, offset: usize, sink: &mut impl Sink) {
        let gap = self.between.gap(self.last, Some(character));
        sink.put(gap, character, offset);
        self.capitals = match character.is_uppercase() {
            true if gap == Gap::NOTHING => self.capitals + 1,
            true => 1,
            false => 0,
        };
        self.between = Between::default();
        self.last = Some(character);
    }

    /// Two marks in a row are one: `''` is written for `"`.
    fn mark(&mut self, double: bool, offset: usize, sink: &mut impl Sink) {
        let gap = self.between.gap(self.last, Some(MARK));
        match self.last {
            Some(MARK) if gap == Gap::NOTHING => {}
            Some(SINGLE_AFTER_DIGIT) if gap == Gap::NOTHING => {
                sink.replace(MARK);
                self.last = Some(MARK);
            }
            Some(digit) if digit.is_numeric() && gap == Gap::NOTHING && !double => {
                self.put(SINGLE_AFTER_DIGIT, offset, sink);
            }
            _ => self.put(MARK, offset, sink),
        }
    }
}

impl Between {
    fn space(&mut self, breaks_line: bool) {
        self.space = true;
        if self.dashes == 0 && !self.soft_hyphen {
            self.space_before = true;
        } else {
            self.space_after = true;
            self.line_after |= breaks_line;
        }
    }

    fn dash(&mut self, hyphen: bool, long: bool) {
        self.dashes = self.dashes.saturating_add(1);
        self.hyphen = hyphen && self.dashes == 1;
        self.long |= long || self.dashes > 1;
        self.space_after = false;
        self.line_after = false;
    }

    fn gap(&self, left: Option<char>, right: Option<char>) -> Gap {
        let mut gap = Gap::NOTHING;
        if !(self.space || self.dashes > 0 || self.soft_hyphen || self.seam) {
            return gap;
        }
        let mut set = |flag, wanted| {
            if wanted {
                gap = gap | flag;
            }
        };
        // A soft hyphen shows only where it breaks a line, and then the word goes on after it.
        let joined = self.soft_hyphen && self.line_after && self.dashes == 0 && !self.space_before;
        let letters = || left.is_some_and(is_letter) && right.is_some_and(is_letter);
        let one_hyphen = self.hyphen && self.dashes == 1;
        set(Gap::SPACE, self.space && !joined);
        set(Gap::DASH, self.dashes > 0);
        set(Gap::HYPHENATION, one_hyphen && !self.space_before && self.line_after && letters());
        set(Gap::SEAM, self.seam);
        set(Gap::TOUCHES_LEFT, self.dashes > 0 && !self.space_before);
        set(Gap::TOUCHES_RIGHT, self.dashes > 0 && !self.space_after);
        set(Gap::HYPHEN, one_hyphen);
        set(Gap::LONG, self.long);
        gap
    }
}

/// An accent belongs to the letter before it.
fn is_letter(character: char) -> bool {
    character.is_alphabetic() || is_combining_mark(character)
}
