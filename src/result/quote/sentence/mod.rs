//! The sentence around a quote: from where one ends before it to where one ends after it.
//!
//! A sentence ends with its punctuation, unless that belongs to an abbreviation or a number. An item of a list and a heading
//! are sentences of their own, as is what an empty line ends. What leads into a list belongs to each of its items, since
//! `The Supplier shall not:` turns each of them round.

#[cfg(test)]
mod tests;

use std::ops::Range;

use super::partial::Quoted;
use super::words::{INNER, MONTHS, SHORT};

/// Characters before and after a quote that are looked at.
pub const BEFORE: usize = 900;
pub const AFTER: usize = 600;

/// A line that is this much shorter than the longest ends where its writer ended it: the next word had room on it.
const FULL: f32 = 0.8;

/// What items of lists begin with, and what they may begin with.
const BULLETS: &[char] = &['•', '‣', '◦', '▪', '●', '■', '□', '○'];
const DASHES: &[char] = &['·', '–', '—', '-', '*', '§'];

/// What stands for what was left out.
pub const GAP: &str = "…";

/// Part of a document, and what of it is the quote.
pub struct Context {
    pub text: String,
    pub quote: Range<usize>,
    /// It begins where the document does.
    pub begins: bool,
    /// It ends where the document does.
    pub ends: bool,
}

/// A sentence in parts.
#[derive(Debug, PartialEq, Eq)]
pub struct Sentence {
    pub before: String,
    pub quote: String,
    pub after: String,
}

impl Sentence {
    /// The sentence, or sentences, that the quote stands in.
    pub fn around(context: &Context) -> Sentence {
        let Context { text, quote, begins, ends } = context;
        let breaks = Breaks::of(text, *begins);
        let begin = breaks.0.iter().rev().find(|place| **place <= quote.start).copied();
        let end = breaks.0.iter().find(|place| **place >= quote.end).copied();
        // What is cut where no more is looked at begins with a whole word.
        let word = || text[..quote.start].find(char::is_whitespace).unwrap_or(quote.start);
        let cut = if begin.is_none() { GAP } else { "" };
        let lead = begin.and_then(|begin| breaks.lead(text, begin)).unwrap_or_default();
        let before = flat(text[begin.unwrap_or_else(word)..quote.start].trim_start());
        let mut after = flat(text[quote.end..end.unwrap_or(text.len())].trim_end());
        if end.is_none() && !ends {
            after.push_str(GAP);
        }
        Sentence { before: flat(&lead) + cut + &before, quote: flat(&text[quote.clone()]), after }
    }

    pub fn quoted(&self) -> Quoted<'_> {
        Quoted { before: &self.before, quote: &self.quote, after: &self.after }
    }

    /// The whole, if it says more than the quote.
    pub fn more(&self) -> Option<String> {
        let before = self
            .before
            .split_once(' ')
            .filter(|(first, _)| is_marker(first))
            .map_or(self.before.as_str(), |(_, rest)| rest);
        let says = |text: &str| text.contains(char::is_alphanumeric);
        let more = (says(before) && !is_marker(before.trim())) || says(&self.after);
        more.then(|| [self.before.as_str(), &self.quote, &self.after].concat())
    }
}

/// Where sentences begin.
struct Breaks(Vec<usize>);

/// Text without white space, and what is before it.
#[derive(Clone, Copy)]
struct Chunk<'a> {
    text: &'a str,
    begin: usize,
    /// Line ends before it.
    lines: usize,
    /// It is the first of its line.
    opens: bool,
    /// Characters of its line up to and with it.
    width: usize,
}

impl Breaks {
    /// `first` tells that one begins with the text.
    fn of(text: &str, first: bool) -> Breaks {
        let chunks = chunks(text);
        let widest = chunks.iter().map(|chunk| chunk.width).max().unwrap_or(0);
        let within = (1..chunks.len()).filter(|place| is_break(&chunks, *place, widest));
        let mut breaks: Vec<usize> = within.map(|place| chunks[place].begin).collect();
        breaks.extend(first.then_some(0));
        let ends = text.char_indices().filter(|(_, c)| matches!(c, '。' | '！' | '？'));
        breaks.extend(ends.map(|(place, end)| place + end.len_utf8()));
        breaks.sort_unstable();
        Breaks(breaks)
    }

    /// What leads into the list whose item begins at `begin`.
    fn lead(&self, text: &str, begin: usize) -> Option<String> {
        let begins_with_marker = |at: usize| text[at..].split_whitespace().next().is_some_and(is_marker);
        let mut end = begin;
        let mut skipped = "";
        while begins_with_marker(end) {
            let before = self.0.iter().rev().find(|place| **place < end).copied().unwrap_or(0);
            let sentence = text[before..end].trim();
            if before == end {
                return None;
            }
            if !begins_with_marker(before) || sentence.ends_with(':') {
                return sentence.ends_with([':', '—', '–']).then(|| format!("{sentence} {skipped}"));
            }
            skipped = "… ";
            end = before;
        }
        None
    }
}

fn chunks(text: &str) -> Vec<Chunk<'_>> {
    let mut chunks: Vec<Chunk<'_>> = Vec::new();
    let (mut lines, mut width, mut opens) = (0, 0, true);
    let mut rest = 0;
    while rest < text.len() {
        let space = text[rest..].find(|c: char| !c.is_whitespace()).unwrap_or(text.len() - rest);
        for character in text[rest..rest + space].chars() {
            let ends = matches!(character, '\n' | '\u{c}' | '\u{2028}' | '\u{2029}');
            lines += usize::from(ends);
            opens |= ends;
            width = if ends { 0 } else { width + 1 };
        }
        let begin = rest + space;
        let length = text[begin..].find(char::is_whitespace).unwrap_or(text.len() - begin);
        rest = begin + length;
        if length > 0 {
            let text = &text[begin..rest];
            width += text.chars().count();
            chunks.push(Chunk { text, begin, lines, opens, width });
            (lines, opens) = (0, false);
        }
    }
    chunks
}

/// Whether a sentence begins with the chunk at `place`.
fn is_break(chunks: &[Chunk<'_>], place: usize, widest: usize) -> bool {
    let (last, next) = (chunks[place - 1], chunks[place]);
    if next.text.chars().all(|c| BULLETS.contains(&c)) || ends(chunks, place) {
        return true;
    }
    if next.lines == 0 || (is_inner(last.text) && !is_link(last.text)) {
        return false;
    }
    let closed = last.text.ends_with([':', ';', ',', '.', '!', '?']) || is_link(last.text);
    let room = (last.width + 1 + next.text.chars().count()) as f32 <= FULL * widest as f32;
    let marker = is_marker(next.text) && (next.lines > 1 || closed || room);
    marker
        || (begins_statement(next.text)
            && !is_link(last.text)
            && !last.text.ends_with(',')
            && (next.lines > 1 || room))
}

/// Whether the chunk before the one at `place` ends a sentence by its punctuation.
fn ends(chunks: &[Chunk<'_>], place: usize) -> bool {
    let (last, next) = (chunks[place - 1], chunks[place].text);
    let word = last.text.trim_end_matches(['"', '\'', '”', '’', '“', '»', '«', ')', ']']);
    if word.ends_with(['!', '?', '…', '؟', '۔', '।']) {
        return begins_statement(next);
    }
    let Some(word) = word.strip_suffix('.') else { return false };
    let word = word.trim_start_matches(['(', '[', '"', '“', '„', '«', '\'']).to_lowercase();
    let number = word.bytes().all(|byte| byte.is_ascii_digit());
    let goes_on = match word.as_str() {
        "" => false,
        _ if number => last.opens || MONTHS.has(&next.to_lowercase()),
        one if one.chars().count() == 1 => true,
        parts if parts.contains('.') => {
            last.opens
                || parts
                    .split('.')
                    .all(|part| part.chars().count() < 3 && !part.contains(|c: char| c.is_ascii_digit()))
        }
        roman if last.opens && roman.chars().all(|c| "ivxl".contains(c)) => true,
        word => SHORT.has(word),
    };
    !goes_on && begins_statement(next)
}

/// Whether a sentence may begin like this: not with a small letter.
fn begins_statement(text: &str) -> bool {
    let first = text.chars().find(|c| c.is_alphanumeric());
    first.is_none_or(|c| !c.is_lowercase()) || is_marker(text)
}

/// `(a)`, `iv)`, `5.`, `7.2`, `§`, a bullet.
fn is_marker(text: &str) -> bool {
    let inner = text.trim_start_matches('(').trim_end_matches([')', '.']);
    let short = inner.chars().count() <= 4 && inner.chars().all(char::is_alphanumeric);
    let letter = inner.chars().count() == 1 || inner.chars().all(|c| "ivx".contains(c.to_ascii_lowercase()));
    let digits = inner
        .split('.')
        .all(|part| part.len() < 4 && part.bytes().all(|byte| byte.is_ascii_digit()) && !part.is_empty());
    text.chars().all(|c| BULLETS.contains(&c) || DASHES.contains(&c))
        || (text.ends_with(')') && short && (letter || digits))
        || (text.len() > inner.len()
            && text.ends_with('.')
            && short
            && letter
            && inner.len() < 6
            && !inner.is_empty())
        || (digits && (inner.contains('.') || text.ends_with('.')))
}

/// Whether the line goes on after this word.
fn is_inner(text: &str) -> bool {
    INNER.has(text)
}

/// Before the last item of a list.
fn is_link(text: &str) -> bool {
    matches!(
        text,
        "and" | "or" | "und" | "oder" | "et" | "ou" | "y" | "o" | "e" | "i" | "lub" | "oraz" | "en" | "of"
    )
}

/// On one line, with words whole that were broken over two. White space at the ends stays, as one space.
pub fn flat(text: &str) -> String {
    let mut flat = String::with_capacity(text.len());
    let mut characters = text.chars().filter(|c| !matches!(c, '\u{ad}' | '\u{2}')).peekable();
    while let Some(character) = characters.next() {
        if !character.is_whitespace() {
            flat.push(character);
            continue;
        }
        let mut breaks = character == '\n';
        while let Some(more) = characters.next_if(|c| c.is_whitespace()) {
            breaks |= more == '\n';
        }
        let mut end = flat.chars().rev();
        let hyphen =
            matches!(end.next(), Some('-' | '\u{2010}')) && end.next().is_some_and(char::is_alphabetic);
        match breaks && hyphen && characters.peek().is_some_and(|c| c.is_lowercase()) {
            true => drop(flat.pop()),
            false => flat.push(' '),
        }
    }
    flat
}
