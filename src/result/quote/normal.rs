//! A text as the comparison of quotes sees it: its significant characters, and what stands between them.
//!
//! Ligatures are taken apart, letters with accents too (both spellings of `é` are one in Unicode), quotation marks become
//! one mark. White space and dashes are no characters here but flags of the [`Gap`] before the next one, because
//! whether they matter depends on what stands on either side.

use std::ops::BitOr;

use unicode_normalization::char::{canonical_combining_class, decompose_canonical, is_combining_mark};

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
    last: Option<char>,
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
        match kind(character) {
            CharacterKind::Nothing => {}
            CharacterKind::Space { breaks_line } => {
                self.flush(sink);
                self.between.space(breaks_line);
            }
            CharacterKind::SoftHyphen => {
                self.flush(sink);
                self.between.soft_hyphen = true;
            }
            CharacterKind::Dash { hyphen, long } => {
                self.flush(sink);
                self.between.dash(hyphen, long);
            }
            CharacterKind::Mark { double } => {
                self.flush(sink);
                self.mark(double, offset, sink);
            }
            CharacterKind::Ligature(letters) => {
                self.flush(sink);
                letters.chars().for_each(|letter| self.put(letter, offset, sink));
            }
            CharacterKind::Plain if character.is_ascii() => {
                self.flush(sink);
                self.put(character, offset, sink);
            }
            CharacterKind::Plain => {
                decompose_canonical(character, |part| self.decomposed(part, offset, sink))
            }
        }
    }

    /// Another piece of the text begins.
    pub fn seam(&mut self, sink: &mut impl Sink) {
        self.flush(sink);
        self.between.seam = true;
        // Where a line ended, a piece may have.
        if self.between.dashes > 0 {
            self.between.line_after = true;
        }
    }

    /// The text has ended. Answers what stands after its last significant character.
    pub fn end(mut self, sink: &mut impl Sink) -> Gap {
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
        let mut set = |flag, wanted| {
            if wanted {
                gap = gap | flag;
            }
        };
        // A soft hyphen shows only where it breaks a line, and then the word goes on after it.
        let joined = self.soft_hyphen && self.line_after && self.dashes == 0 && !self.space_before;
        let letters = left.is_some_and(is_letter) && right.is_some_and(is_letter);
        let one_hyphen = self.hyphen && self.dashes == 1;
        set(Gap::SPACE, self.space && !joined);
        set(Gap::DASH, self.dashes > 0);
        set(Gap::HYPHENATION, one_hyphen && !self.space_before && self.line_after && letters);
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

/// What a character is to the comparison.
enum CharacterKind {
    Plain,
    Space {
        breaks_line: bool,
    },
    Dash {
        hyphen: bool,
        long: bool,
    },
    SoftHyphen,
    Mark {
        double: bool,
    },
    Ligature(&'static str),
    /// It prints nothing and takes no room.
    Nothing,
}

fn kind(character: char) -> CharacterKind {
    match character {
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
            CharacterKind::Space { breaks_line: true }
        }
        '-' | '\u{2010}' | '\u{2011}' | '\u{2212}' | '\u{fe63}' | '\u{ff0d}' => {
            CharacterKind::Dash { hyphen: true, long: false }
        }
        '\u{2012}' | '\u{2013}' => CharacterKind::Dash { hyphen: false, long: false },
        '\u{2014}' | '\u{2015}' | '\u{fe58}' => CharacterKind::Dash { hyphen: false, long: true },
        '\u{ad}' => CharacterKind::SoftHyphen,
        '\''
        | '`'
        | '\u{b4}'
        | '\u{2bc}'
        | '\u{2018}'..='\u{201b}'
        | '\u{2032}'
        | '\u{2035}'
        | '\u{2039}'
        | '\u{203a}'
        | '\u{ff07}' => CharacterKind::Mark { double: false },
        '"'
        | '\u{ab}'
        | '\u{bb}'
        | '\u{201c}'..='\u{201f}'
        | '\u{2033}'
        | '\u{2036}'
        | '\u{301d}'..='\u{301f}'
        | '\u{ff02}' => CharacterKind::Mark { double: true },
        '\u{fb00}' => CharacterKind::Ligature("ff"),
        '\u{fb01}' => CharacterKind::Ligature("fi"),
        '\u{fb02}' => CharacterKind::Ligature("fl"),
        '\u{fb03}' => CharacterKind::Ligature("ffi"),
        '\u{fb04}' => CharacterKind::Ligature("ffl"),
        '\u{fb05}' | '\u{fb06}' => CharacterKind::Ligature("st"),
        '\u{132}' => CharacterKind::Ligature("IJ"),
        '\u{133}' => CharacterKind::Ligature("ij"),
        // Zero-width spaces, joiners of lines, marks of direction.
        '\u{200b}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}' => CharacterKind::Nothing,
        _ if character.is_whitespace() => CharacterKind::Space { breaks_line: false },
        _ => CharacterKind::Plain,
    }
}
