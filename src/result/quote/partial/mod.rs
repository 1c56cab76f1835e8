//! Whether a quote leaves out words of its own sentence that say otherwise: a negation before or after it, an exception, or a
//! condition. No grammar is parsed, so it errs towards saying so: the whole sentence stands beside the quote.

#[cfg(test)]
mod tests;

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;

use super::words::{AND, DENYING, DENYING_CHARACTERS, EXCEPTIONS, HARMLESS, NEGATIONS, SUBJECTS};

/// Of what is left out so many characters are told; the whole sentence has it all.
const MOST_TOLD: usize = 120;

/// A word of a sentence.
struct Word {
    /// In lower case.
    text: String,
    /// Where it begins.
    begin: usize,
    /// The punctuation between it and the word before.
    after: Pause,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Pause {
    None,
    Comma,
    Semicolon,
}

/// A sentence, and which part of it is quoted.
pub struct Quoted<'a> {
    pub before: &'a str,
    pub quote: &'a str,
    pub after: &'a str,
}

/// The words of the sentence that the quote leaves out and that say otherwise.
pub fn left_out(quoted: &Quoted<'_>) -> Option<String> {
    let Quoted { before, quote, after } = quoted;
    let [before, quote, after]: [String; 3] = [before, quote, after].map(|part| part.nfc().collect());
    let sentence = [before.as_str(), &quote, &after].concat();
    let words = words(&sentence);
    let place = |byte: usize| words.partition_point(|word| word.begin < byte);
    let cut = Cut::of(&words, place(before.len())..place(before.len() + quote.len()));
    let says = |place: &usize| cut.says_otherwise(*place);
    let first = (0..cut.inside.start).find(says).map(|place| &sentence[words[place].begin..before.len()]);
    let first = first.or_else(|| denied(&before));
    // What begins in the quote and ends after it is told whole.
    let last = (cut.inside.start..words.len()).find(says).map(|place| &sentence[words[place].begin..]);
    let told: Vec<String> = first.into_iter().chain(last).map(told).collect();
    (!told.is_empty()).then(|| told.join("” … “"))
}

/// The characters that deny right before a quote in Chinese, which parts no words: `不得`, `禁止`.
fn denied(before: &str) -> Option<&str> {
    let (begin, _) = before.char_indices().rev().take(2).find(|(_, c)| DENYING_CHARACTERS.contains(c))?;
    Some(&before[begin..])
}

/// Whether any of `text` denies or excepts.
pub fn says_otherwise(text: &str) -> bool {
    let words = words(&text.nfc().collect::<String>());
    let cue = |place| {
        excepts(&words, place).is_some() || (denies(&words, place) && harmless(&words, place).is_none())
    };
    (0..words.len()).any(cue)
}

/// A quote among the words of its sentence.
struct Cut<'a> {
    words: &'a [Word],
    /// The words of the quote.
    inside: Range<usize>,
    /// Those that a negation has to be among to be about the quote.
    statement: Range<usize>,
}

impl<'a> Cut<'a> {
    fn of(words: &'a [Word], inside: Range<usize>) -> Cut<'a> {
        let begins = |place: &usize| is_new_statement(words, *place);
        let first = (0..=inside.start).rev().find(begins).unwrap_or(0);
        let last = (inside.end..words.len()).find(begins).unwrap_or(words.len());
        Cut { words, inside, statement: first..last }
    }

    /// Whether what begins at `place` says otherwise and is not, or not as a whole, in the quote.
    fn says_otherwise(&self, place: usize) -> bool {
        let Range { start, end } = self.inside;
        let outside = |length: usize| place < start || place + length > end;
        let parted = |length: usize| [start, end].iter().any(|edge| place < *edge && place + length > *edge);
        excepts(self.words, place).is_some_and(outside)
            || (self.statement.contains(&place)
                && denies(self.words, place)
                && harmless(self.words, place).map_or(outside(1), parted))
    }
}

/// Whether what begins here stands on its own: after a semicolon, or after `, and the`.
fn is_new_statement(words: &[Word], place: usize) -> bool {
    let Some(word) = words.get(place) else { return false };
    let subject = |place: usize| words.get(place).is_some_and(|word| SUBJECTS.has(&word.text));
    match word.after {
        Pause::Semicolon => true,
        Pause::Comma => AND.has(&word.text) && subject(place + 1),
        Pause::None => {
            let joined =
                place > 0 && words[place - 1].after == Pause::Comma && AND.has(&words[place - 1].text);
            joined && subject(place)
        }
    }
}

fn denies(words: &[Word], place: usize) -> bool {
    let word = words[place].text.as_str();
    // "No. 5" is a number.
    let numbers = word == "no"
        && words.get(place + 1).is_some_and(|next| next.text.starts_with(|c: char| c.is_ascii_digit()));
    let denying = DENYING.iter().any(|beginning| word.starts_with(beginning)) || word.ends_with("n't");
    (denying || NEGATIONS.has(word)) && !numbers
}

/// How many words from here on deny nothing together, if they do.
fn harmless(words: &[Word], place: usize) -> Option<usize> {
    HARMLESS.begin(words.get(place..)?.iter().map(|word| word.text.as_str()))
}

/// How many words from here on make an exception. "But not limited to" makes none.
fn excepts(words: &[Word], place: usize) -> Option<usize> {
    let phrase = EXCEPTIONS.begin(words[place..].iter().map(|word| word.text.as_str()));
    phrase.filter(|_| harmless(words, place + 1).is_none())
}

fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let (mut open, mut pause) = (false, Pause::None);
    let mut characters = text.char_indices().peekable();
    while let Some((begin, character)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        let joins = is_apostrophe(character) || matches!(character, '-' | '\u{2010}' | '\u{2011}');
        if character.is_alphanumeric() || (open && joins && next.is_some_and(char::is_alphanumeric)) {
            if !open {
                words.push(Word {
                    text: String::new(),
                    begin,
                    after: std::mem::replace(&mut pause, Pause::None),
                });
                open = true;
            }
            let word = &mut words.last_mut().expect("one is open").text;
            match is_apostrophe(character) {
                true => word.push('\''),
                false => word.extend(character.to_lowercase()),
            }
        } else {
            open = false;
            let other = match character {
                ';' => Pause::Semicolon,
                ',' => Pause::Comma,
                _ => Pause::None,
            };
            pause = if other > pause { other } else { pause };
        }
    }
    words
}

fn is_apostrophe(character: char) -> bool {
    matches!(character, '\'' | '\u{2019}' | '\u{2bc}')
}

fn told(text: &str) -> String {
    let text = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | ':'));
    let text = text.strip_suffix('.').unwrap_or(text).trim_end();
    match text.char_indices().nth(MOST_TOLD) {
        None => text.to_owned(),
        Some((end, _)) => {
            let end = text[..end].rfind(' ').unwrap_or(end);
            format!("{} …", text[..end].trim_end_matches(','))
        }
    }
}
