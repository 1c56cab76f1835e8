//! The headings of a document: where a quote stands is told by the one above it, as people do. A line is taken for a heading only
//! where it cannot be the rest of a sentence that was broken there.

use super::source::Line;

/// Words that name a part of a document by its number, in small letters.
const PARTS: [&str; 30] = [
    "§",
    "art",
    "article",
    "artikel",
    "artículo",
    "articolo",
    "section",
    "sektion",
    "sec",
    "clause",
    "klausel",
    "cláusula",
    "clausola",
    "schedule",
    "annex",
    "annexe",
    "anexo",
    "allegato",
    "exhibit",
    "appendix",
    "anlage",
    "anhang",
    "ziffer",
    "chapter",
    "kapitel",
    "chapitre",
    "capítulo",
    "abschnitt",
    "part",
    "teil",
];

/// How what follows a number goes on where all of it refers to another text.
const REFERENCES: [&str; 6] = ["Abs", "Satz", "Nr", "Buchst", "Ziff", "UAbs"];

/// Words that no title ends with: the line was broken there.
const GOES_ON: [&str; 44] = [
    "a", "an", "and", "as", "at", "by", "for", "from", "in", "of", "on", "or", "that", "the", "to", "under",
    "with", "und", "oder", "der", "die", "das", "des", "den", "dem", "für", "von", "zu", "im", "mit", "nach",
    "et", "ou", "de", "du", "la", "le", "les", "à", "en", "el", "los", "di", "della",
];

/// The longest title of a heading, in characters and in words.
const LONGEST: usize = 70;
const MOST_WORDS: usize = 9;

/// Numbers in the number of a heading: `7.2.1` has three.
const DEEPEST: usize = 5;

/// A heading, and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    pub begin: u32,
    pub name: String,
}

/// The headings among the lines of a document.
pub fn sections(lines: &[Line<'_>]) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut may_begin = true;
    for (place, line) in lines.iter().enumerate() {
        let goes_on = lines.get(place + 1).is_some_and(|next| next.text.starts_with(char::is_lowercase));
        let name = heading(line.text, goes_on).filter(|_| may_begin);
        may_begin = !goes_on && is_ended(line.text);
        sections.extend(name.map(|name| Section { begin: line.begin, name }));
    }
    sections
}

/// Whether what follows this line may be something new.
fn is_ended(line: &str) -> bool {
    let text = numbered(bare(line)).map_or(bare(line), |(_, rest)| title(rest));
    text.is_empty() || is_title(text) || line.ends_with(['.', ';', ':', '!', '?', ')', '"', '”', '“', '»'])
}

/// A line without the marks of Markdown around it.
fn bare(line: &str) -> &str {
    line.trim_matches(['#', '*', ' '])
}

/// What stands behind a number, without what parts them.
fn title(rest: &str) -> &str {
    rest.trim_start_matches(['.', ':', '–', '—', '-', ' ', '\u{a0}', ')']).trim()
}

/// What a heading is called: its number, and its title where it has one. A line that goes on in the next is no title.
fn heading(line: &str, goes_on: bool) -> Option<String> {
    let is_marked = line.starts_with('#');
    let line = bare(line);
    let Some((number, rest)) = numbered(line) else {
        return (is_marked && !goes_on && is_title(line)).then(|| line.to_owned());
    };
    let is_named = !number.starts_with(|c: char| c.is_ascii_digit());
    let title = title(rest);
    if title.is_empty() {
        return is_named.then(|| number.to_owned());
    }
    if !goes_on && is_title(title) && !REFERENCES.iter().any(|word| title.starts_with(word)) {
        return Some(format!("{number} {title}"));
    }
    // `7.2 The Supplier shall …` begins with its number; `1. the goods;` is an item of a list.
    (!is_named && number.contains('.') && begins_large(title)).then(|| number.to_owned())
}

/// The number that a line begins with, with the word before it that says what it numbers; and what follows.
fn numbered(line: &str) -> Option<(&str, &str)> {
    let length = match line.starts_with('§') {
        true => '§'.len_utf8(),
        false => line.find([' ', '\u{a0}', '.']).unwrap_or(line.len()),
    };
    let (word, after) = line.split_at(length);
    let is_named = PARTS.contains(&word.to_lowercase().as_str());
    let rest = if is_named { after.trim_start_matches(['.', ' ', '\u{a0}', '§']) } else { line };
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '.')).unwrap_or(rest.len());
    let number = rest[..end].trim_end_matches('.');
    let is_number = is_decimal(number) || (is_named && is_letter_or_roman(number));
    let is_parted = !rest[number.len()..].starts_with([',', '%', '/', '°']);
    (is_number && is_parted).then(|| line.split_at(line.len() - rest.len() + number.len()))
}

fn is_decimal(number: &str) -> bool {
    let one = |part: &str| {
        (1..=3).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && !part.starts_with('0')
    };
    number.split('.').count() <= DEEPEST && number.split('.').all(one)
}

fn is_letter_or_roman(number: &str) -> bool {
    let letter = number.len() == 1 && number.bytes().all(|byte| byte.is_ascii_uppercase());
    letter || (!number.is_empty() && number.len() <= 6 && number.chars().all(|c| "IVXLC".contains(c)))
}

/// Whether a text is a title and no sentence.
fn is_title(text: &str) -> bool {
    begins_large(text)
        && text.chars().count() <= LONGEST
        && text.split_whitespace().count() <= MOST_WORDS
        && !text.ends_with(['.', ';', ':', ',', '!', '?', '-', '–'])
        && !text.contains("..")
        && !text.ends_with(|c: char| c.is_ascii_digit())
        && text.split_whitespace().last().is_none_or(|word| !GOES_ON.contains(&word.to_lowercase().as_str()))
}

fn begins_large(text: &str) -> bool {
    text.trim_start_matches(['"', '“', '„', '«']).starts_with(char::is_uppercase)
}

#[cfg(test)]
mod tests {
    use super::super::{Document, Piece, Proof};
    use super::*;

    #[test]
    fn a_heading_is_told_by_its_number_and_title() {
        for (line, name) in [
            ("7. Limitation of Liability", Some("7 Limitation of Liability")),
            ("7.2 Cap", Some("7.2 Cap")),
            ("7.2 The Supplier shall not be liable for any loss of profit.", Some("7.2")),
            ("§ 7 Haftung", Some("§ 7 Haftung")),
            ("§7 Haftung", Some("§7 Haftung")),
            ("Article IV – Confidentiality", Some("Article IV Confidentiality")),
            ("ARTICLE 5", Some("ARTICLE 5")),
            ("Schedule A", Some("Schedule A")),
            ("## Liability", Some("Liability")),
            ("**12. Governing Law**", Some("12 Governing Law")),
            ("Art. 12 Responsabilité", Some("Art. 12 Responsabilité")),
            ("§ 7 Abs. 2 BGB", None),
            ("1. the goods;", None),
            ("1. Definitions ........ 3", None),
            ("12.05.2026 Munich", None),
            ("10.000 Euro", None),
            ("7,5 Prozent", None),
            ("2026 Budget", None),
            ("Section 4 of this Agreement does not apply.", None),
            ("Part of the price is due.", None),
            ("The Supplier", None),
            ("", None),
        ] {
            assert_eq!(heading(line, false).as_deref(), name, "{line}");
        }
    }

    fn place(text: &str, quote: &str) -> super::super::Place {
        match Document::of([Piece { text, pages: None }]).find(quote) {
            Proof::Found(place) => place,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_quote_stands_in_the_section_above_it() {
        let text = "MASTER AGREEMENT\n\nThe parties agree as follows.\n\n7. Liability\n\n7.1 Liability is limited as set out in\n\
                    8.2 The cap of this Agreement is EUR 10,000.\n\n7.2 Nothing limits liability for intent.\n";
        let section = |quote| place(text, quote).section;
        assert_eq!(section("The parties agree as follows"), None);
        assert_eq!(section("Liability is limited as set out").as_deref(), Some("7.1"));
        assert_eq!(
            section("The cap of this Agreement").as_deref(),
            Some("7.1"),
            "a line that goes on is no heading"
        );
        assert_eq!(section("Nothing limits liability for intent").as_deref(), Some("7.2"));
    }
}
