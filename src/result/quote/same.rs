//! Whether an occurrence of a quote's characters in a document is the quote itself: the same words and numbers, whole.
//!
//! Everything here errs towards no. A quote that is wrongly called unproven costs a person a look into the document; one
//! that is wrongly called proven is believed.

use super::normal::{Gap, MARK, SINGLE_AFTER_DIGIT};

/// The characters around a place between two of them. None beyond the text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Around {
    pub before_left: Option<char>,
    pub left: Option<char>,
    pub right: Option<char>,
    pub after_right: Option<char>,
}

/// Whether two gaps between the same characters say the same.
pub fn agree(document: Gap, quote: Gap, around: Around) -> bool {
    match (document.has(Gap::DASH), quote.has(Gap::DASH)) {
        // One dash is as good as another, and white space around it is white space.
        (true, true) => true,
        (true, false) => document.has(Gap::HYPHENATION) && !quote.has(Gap::SPACE),
        (false, true) => quote.has(Gap::HYPHENATION) && !document.has(Gap::SPACE),
        (false, false) if document.has(Gap::SPACE) == quote.has(Gap::SPACE) => {
            !(document == Gap::SEAM && digits_meet(around))
        }
        (false, false) if document == Gap::SEAM => !digits_meet(around),
        (false, false) => !space_matters(around),
    }
}

fn digits_meet(around: Around) -> bool {
    is_digit(around.left) && is_digit(around.right)
}

/// Whether white space between these characters makes a difference.
fn space_matters(around: Around) -> bool {
    let Around { before_left, left, right, after_right } = around;
    if is_word(left) && is_word(right) {
        return !(is_unspaced(left) || is_unspaced(right));
    }
    // "1. 5" is not "1.5".
    let parts_number =
        |digit, separator, other| is_digit(digit) && is_separator(separator) && is_digit(other);
    parts_number(before_left, left, right) || parts_number(left, right, after_right)
}

/// What is outside of an occurrence, at one of its ends.
#[derive(Debug, Clone, Copy)]
pub struct Edge {
    pub gap: Gap,
    /// The nearest character outside and those beyond it, with the gap before each in the direction away.
    pub outside: [Option<(Gap, char)>; 4],
}

impl Edge {
    /// The outside character number `place` if no gap parts it from the one before.
    fn touching(&self, place: usize) -> Option<char> {
        let all = self.outside.get(..=place)?;
        let touches = |entry: &Option<(Gap, char)>| matches!(entry, Some((gap, _)) if *gap == Gap::NOTHING);
        all.iter().all(touches).then(|| all[place].map(|(_, character)| character))?
    }
}

/// Whether the quote begins where a word or number begins. `inside` are its first characters; `own_dash` tells that it
/// begins with a dash itself, as `-5` does.
pub fn begins(edge: Edge, inside: &[char], own_dash: bool) -> bool {
    let Some(first) = inside.first().copied() else { return false };
    let left = edge.outside[0].map(|(_, left)| left);
    if own_dash {
        // "3-5" holds no "-5".
        return edge.gap.has(Gap::DASH) && !(edge.gap.has(Gap::TOUCHES_LEFT) && is_word(left));
    }
    let Some(left) = left else { return !signed(edge.gap, first) };
    if edge.gap.has(Gap::DASH) {
        // "-5", "3–5" and "non-exclusive" are not "5" and "exclusive".
        let joins = edge.gap.has(Gap::TOUCHES_LEFT | Gap::TOUCHES_RIGHT | Gap::HYPHEN) && is_word(Some(left));
        let hyphenated = edge.gap.has(Gap::HYPHENATION);
        return !(signed(edge.gap, first) || (joins && is_word(Some(first))) || hyphenated);
    }
    if edge.gap.has(Gap::SPACE) {
        return !groups(&outer_digits(edge), inside);
    }
    // It belongs to what is before it, which may only be a quotation mark around the quote.
    if is_accent(first) {
        return matches!(left, MARK | SINGLE_AFTER_DIGIT);
    }
    if edge.gap != Gap::NOTHING {
        return !(left.is_numeric() && first.is_numeric());
    }
    if is_word(Some(left)) && is_word(Some(first)) {
        return is_unspaced(Some(left)) || is_unspaced(Some(first));
    }
    // ".5" and "4.5" are not "5"; "No.5" holds it.
    !(first.is_numeric()
        && is_separator(Some(left))
        && match edge.touching(1) {
            Some(beyond) => is_digit(Some(beyond)) || (matches!(left, '.' | ',') && !beyond.is_alphabetic()),
            None => matches!(left, '.' | ','),
        })
}

/// Whether the quote ends where a word or number ends. `inside` are its last characters, the last one first.
pub fn ends(edge: Edge, inside: &[char]) -> bool {
    let (Some(last), Some((_, right))) = (inside.first().copied(), edge.outside[0]) else { return true };
    if edge.gap.has(Gap::DASH) {
        let touches = edge.gap.has(Gap::TOUCHES_LEFT | Gap::TOUCHES_RIGHT) && !edge.gap.has(Gap::LONG);
        let both_words = is_word(Some(last)) && is_word(Some(right));
        let range = last.is_numeric() && right.is_numeric();
        let joins = touches && both_words && (edge.gap.has(Gap::HYPHEN) || range);
        return !(joins || edge.gap.has(Gap::HYPHENATION));
    }
    if edge.gap.has(Gap::SPACE) {
        return !groups(&inside_digits(inside), &outer_digits(edge));
    }
    if edge.gap != Gap::NOTHING {
        return !(last.is_numeric() && right.is_numeric());
    }
    // An accent changes the letter before it.
    if is_accent(right) {
        return false;
    }
    if is_word(Some(last)) && is_word(Some(right)) {
        return is_unspaced(Some(last)) || is_unspaced(Some(right));
    }
    let beyond = edge.touching(1);
    match right {
        '%' | '‰' => !last.is_numeric(),
        // "Supplier's" is another word than "Supplier".
        MARK | SINGLE_AFTER_DIGIT if last.is_alphabetic() => !beyond.is_some_and(char::is_alphabetic),
        _ => !(last.is_numeric() && is_separator(Some(right)) && is_digit(beyond)),
    }
}

/// A minus or a range before a number.
fn signed(gap: Gap, first: char) -> bool {
    first.is_numeric() && gap.has(Gap::DASH | Gap::TOUCHES_RIGHT) && !gap.has(Gap::LONG)
}

/// Whether digits to the left and to the right of white space are one number, as in `10 000`: one to three digits and
/// then exactly three.
fn groups(left: &[char], right: &[char]) -> bool {
    let run = |characters: &[char]| characters.iter().take_while(|c| c.is_numeric()).count();
    (1..=3).contains(&run(left)) && run(right) == 3
}

/// The digits next to the edge, outside, nearest first.
fn outer_digits(edge: Edge) -> Vec<char> {
    let mut digits = Vec::new();
    for (place, entry) in edge.outside.into_iter().enumerate() {
        match entry {
            Some((gap, character)) if place == 0 || gap == Gap::NOTHING => digits.push(character),
            _ => break,
        }
    }
    digits
}

fn inside_digits(inside: &[char]) -> Vec<char> {
    inside.iter().copied().take_while(|c| c.is_numeric()).collect()
}

fn is_digit(character: Option<char>) -> bool {
    character.is_some_and(char::is_numeric)
}

/// What may stand inside of a number.
fn is_separator(character: Option<char>) -> bool {
    matches!(
        character,
        Some('.' | ',' | ':' | '/' | MARK | SINGLE_AFTER_DIGIT | '\u{b7}' | '\u{66b}' | '\u{66c}')
    )
}

/// What words and numbers are made of.
fn is_word(character: Option<char>) -> bool {
    character.is_some_and(|c| c.is_alphanumeric() || is_accent(c))
}

fn is_accent(character: char) -> bool {
    unicode_normalization::char::is_combining_mark(character)
}

/// Scripts that part no words: Thai, Lao, Burmese, Khmer, Chinese, Japanese.
pub fn is_unspaced(character: Option<char>) -> bool {
    matches!(
        character,
        Some(
            '\u{e00}'..='\u{eff}'
            | '\u{1000}'..='\u{109f}'
            | '\u{1780}'..='\u{17ff}'
            | '\u{2e80}'..='\u{a4cf}'
            | '\u{f900}'..='\u{faff}'
            | '\u{ff66}'..='\u{ff9d}'
            | '\u{20000}'..='\u{3ffff}',
        )
    )
}
