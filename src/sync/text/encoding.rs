//! Whether bytes are text, and in which encoding. That bytes can be decoded says little: some encodings take any. So what
//! comes out has to look like text as well.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding as Known, UTF_8, UTF_16BE, UTF_16LE};
use file_format::FileFormat;

use super::meta;
use super::repair::{Tally, is_control};

/// One in so many characters may be one that a text does not have, such as a private or a control character.
const ODD_PART: usize = 50;

/// One in so many characters of UTF-16 is a space, a line break, a digit or a letter of ASCII, whatever the script. Two
/// bytes of an old text, read as one unit, are never so.
const ASCII_PART: usize = 50;

/// So near its beginning a file that is no text has bytes that no text has.
const BEGINNING: usize = 64;

/// How text is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Though single bytes may be broken.
    Utf8,
    /// By its mark, which in one order begins as that of UTF-16 does.
    Utf32,
    Other(&'static Known),
}

/// The encoding of the text that begins with `bytes`, which may end anywhere unless they are the whole. `None` where they
/// do not look like text.
pub fn encoding(bytes: &[u8], is_whole: bool) -> Option<Encoding> {
    if utf32(bytes).is_some_and(|text| is_plausible(&text)) {
        return Some(Encoding::Utf32);
    }
    let tally = Tally::of(bytes, is_whole);
    if let Some((marked, length)) = Known::for_bom(bytes) {
        if marked != UTF_8 {
            return reads(marked, &bytes[length..]).then_some(Encoding::Other(marked));
        }
        return (!tally.is_noise()).then_some(Encoding::Utf8);
    }
    let is_odd = tally.controls > 0;
    // The marks of formats are a few letters long, and a text may begin with any letters: "BMW", "#!/bin/sh". What is no text
    // shows it near its mark.
    let has_mark = bytes[..bytes.len().min(BEGINNING)].iter().any(|byte| *byte >= 0x80 || is_control(*byte))
        && tally.bad + tally.controls > 0
        && FileFormat::from_bytes(bytes) != FileFormat::ArbitraryBinaryData;
    if is_odd
        && (tally.bad > 0 || tally.is_noise())
        && !has_mark
        && let Some(wide) = without_mark(bytes)
    {
        return Some(Encoding::Other(wide));
    }
    if has_mark || tally.is_noise() {
        return None;
    }
    if tally.is_utf8() {
        return Some(Encoding::Utf8);
    }
    let declared = meta::declared(bytes).filter(|declared| !matches!(*declared, e if e == UTF_8));
    let guessed = || {
        let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
        detector.feed(bytes, is_whole);
        detector.guess(None, Utf8Detection::Deny)
    };
    let fitting = declared.filter(|declared| reads(declared, bytes));
    let encoding = fitting.unwrap_or_else(guessed);
    reads(encoding, bytes).then_some(Encoding::Other(encoding))
}

/// What `bytes` are in UTF-32, if its mark says that they are. The last character may be cut off.
pub(super) fn utf32(bytes: &[u8]) -> Option<String> {
    let unit: fn([u8; 4]) -> u32 = match bytes {
        [0xff, 0xfe, 0, 0, ..] => u32::from_le_bytes,
        [0, 0, 0xfe, 0xff, ..] => u32::from_be_bytes,
        _ => return None,
    };
    let (units, _) = bytes[4..].as_chunks::<4>();
    Some(units.iter().map(|four| char::from_u32(unit(*four)).unwrap_or('\u{fffd}')).collect())
}

/// UTF-16 without the mark that says so.
fn without_mark(bytes: &[u8]) -> Option<&'static Known> {
    let ascii = |encoding: &'static Known| {
        let (text, _) = encoding.decode_without_bom_handling(whole_units(bytes));
        let (mut all, mut ascii) = (0, 0);
        for character in text.chars() {
            all += 1;
            ascii += usize::from(character.is_ascii_graphic() || character.is_ascii_whitespace());
        }
        (is_plausible(&text) && ascii * ASCII_PART >= all && ascii > 1).then_some(ascii)
    };
    let (little, big) = (ascii(UTF_16LE), ascii(UTF_16BE));
    match (little, big) {
        (None, None) => None,
        (little, big) if little >= big => Some(UTF_16LE),
        _ => Some(UTF_16BE),
    }
}

/// Whether what `bytes` are in this encoding looks like text.
fn reads(encoding: &'static Known, bytes: &[u8]) -> bool {
    let bytes = if encoding == UTF_16LE || encoding == UTF_16BE { whole_units(bytes) } else { bytes };
    is_plausible(&encoding.decode_without_bom_handling(bytes).0)
}

fn whole_units(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len() & !1]
}

fn is_plausible(text: &str) -> bool {
    let (mut all, mut odd) = (0, 0);
    for character in text.chars() {
        all += 1;
        odd += usize::from(is_odd(character));
    }
    // The last character may be cut off.
    odd <= 1 + all / ODD_PART
}

/// Whether no text has this character: controls but for white space and terminals' escapes, what could not be decoded, and
/// what is left to private use or to none.
fn is_odd(character: char) -> bool {
    let space = ['\t', '\n', '\r', '\u{8}', '\u{b}', '\u{c}', '\u{1b}', '\u{85}'];
    (character.is_control() && !space.contains(&character))
        || matches!(character, '\u{fffd}' | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{fffe}'..='\u{ffff}')
        || character >= '\u{e0100}'
}
