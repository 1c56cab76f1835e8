//! A document's text as it came, and where its characters, lines and pages are.

use std::ops::Range;

use super::normal::Normal;
use super::partial;
use super::search::Characters;
use super::section::Section;
use super::sentence::{AFTER, BEFORE, Context, Sentence};
use super::{Paragraph, Piece, Place};

/// Every so many characters it is on record where one begins, so that a character is found without counting from the first.
const STEP: usize = 256;

/// A text that is longer, or has more lines, is no contract with pages, and is not looked through for them.
const MOST_LOOKED_AT: usize = 8 * 1024 * 1024;
const MOST_LINES: usize = 250_000;

/// A document's text as it came. Offsets are counted in characters.
#[derive(Default)]
pub struct Source {
    text: String,
    /// The bytes before every [`STEP`]th character.
    steps: Vec<u32>,
    length: u32,
    /// Where each piece but the first begins.
    seams: Vec<u32>,
    /// Where each line but the first begins.
    lines: Vec<u32>,
    pages: Vec<Page>,
    /// What is left out of the text: page furniture, in order.
    pub furniture: Vec<Range<u32>>,
    /// Its headings, in order.
    pub sections: Vec<Section>,
}

/// The first and last page that what follows may stand on.
#[derive(Debug, Clone, Copy)]
struct Page {
    begin: u32,
    first: u32,
    last: u32,
}

/// A line that has text.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// Without the white space around it.
    pub text: &'a str,
    /// Where it begins, where its text does, and where the next line begins.
    pub begin: u32,
    pub text_begin: u32,
    pub end: u32,
    /// Another page has begun between it and the one before.
    pub new_page: bool,
}

impl<'a> Line<'a> {
    fn of(text: &'a str, begin: u32, end: u32, new_page: bool) -> Option<Line<'a>> {
        let text_begin = begin + short(text.chars().take_while(|c| c.is_whitespace()).count());
        let text = text.trim();
        (!text.is_empty()).then_some(Line { text, begin, text_begin, end, new_page })
    }
}

impl Source {
    pub fn of<'a>(pieces: impl IntoIterator<Item = Piece<'a>>) -> Source {
        let mut source = Source::default();
        for piece in pieces {
            if source.length > 0 && source.seams.last() != Some(&source.length) {
                source.seams.push(source.length);
            }
            if let Some((first, last)) = piece.pages {
                source.turn(first, last);
            }
            source.text.reserve(piece.text.len());
            for (byte, character) in piece.text.char_indices() {
                source.count(source.text.len() + byte, character, piece.pages.is_none());
            }
            source.text.push_str(piece.text);
        }
        source
    }

    /// Counts a character that begins at this byte; `feeds` tells that a form feed begins another page.
    fn count(&mut self, byte: usize, character: char, feeds: bool) {
        if (self.length as usize).is_multiple_of(STEP) {
            self.steps.push(short(byte));
        }
        self.length = self.length.saturating_add(1);
        if character == '\n' {
            self.lines.push(self.length);
        } else if character == '\u{c}' && feeds {
            if self.pages.is_empty() {
                self.pages.push(Page { begin: 0, first: 1, last: 1 });
            }
            let page = self.pages.last().map_or(1, |page| page.last) + 1;
            self.turn(page, page);
        }
    }

    /// What follows stands on these pages.
    fn turn(&mut self, first: u32, last: u32) {
        // A piece without text has no page of its own.
        self.pages.pop_if(|page| page.begin == self.length);
        if self.pages.last().is_none_or(|page| (page.first, page.last) != (first, last)) {
            self.pages.push(Page { begin: self.length, first, last });
        }
    }

    /// The text without its furniture, as quotes are compared with it.
    pub fn characters(&self) -> Characters {
        let (mut characters, mut normal) = (Characters::with_room(self.text.len()), Normal::default());
        let (mut seams, mut furniture) = (self.seams.iter().peekable(), self.furniture.iter().peekable());
        for (offset, character) in self.text.chars().enumerate() {
            let place = short(offset);
            if seams.next_if(|seam| **seam == place).is_some() {
                normal.seam(&mut characters);
            }
            furniture.next_if(|skipped| skipped.end <= place);
            match furniture.peek().filter(|skipped| skipped.contains(&place)) {
                None => normal.read(character, offset, &mut characters),
                // It stood on lines of its own.
                Some(skipped) if skipped.start == place => normal.read('\n', offset, &mut characters),
                Some(_) => {}
            }
        }
        normal.end(&mut characters);
        characters
    }

    /// The lines that have text, or none at all where there are too many to look at.
    pub fn lines(&self) -> Vec<Line<'_>> {
        let mut lines = Vec::new();
        if self.text.len() > MOST_LOOKED_AT {
            return lines;
        }
        let mut pages = self.pages.iter().map(|page| page.begin).filter(|begin| *begin > 0).peekable();
        // Where the line begins, in characters and in bytes.
        let (mut begin, mut start, mut new_page) = (0, 0, false);
        let mut offset = 0;
        for (byte, character) in self.text.char_indices().chain([(self.text.len(), '\n')]) {
            let next = byte + if byte < self.text.len() { character.len_utf8() } else { 0 };
            let turns = pages.next_if(|page| *page == offset).is_some();
            if turns && byte > start {
                lines.extend(Line::of(&self.text[start..byte], begin, offset, new_page));
                (begin, start, new_page) = (offset, byte, false);
            }
            new_page |= turns;
            offset += 1;
            if matches!(character, '\n' | '\u{c}') {
                let line = Line::of(&self.text[start..next], begin, offset.min(self.length), new_page);
                new_page &= line.is_none();
                lines.extend(line);
                (begin, start) = (offset, next);
            }
        }
        if lines.len() > MOST_LINES { Vec::new() } else { lines }
    }

    /// The lines that have text and are no furniture.
    pub fn body(&self) -> Vec<Line<'_>> {
        let mut lines = self.lines();
        lines.retain(|line| {
            let next = self.furniture.partition_point(|skipped| skipped.end <= line.begin);
            !self
                .furniture
                .get(next)
                .is_some_and(|skipped| skipped.start <= line.begin && skipped.end >= line.end)
        });
        lines
    }

    /// Where the characters from `first` to `last` stand.
    pub fn place(&self, first: u32, last: u32) -> Place {
        let page =
            |offset| self.pages.get(self.pages.partition_point(|page| page.begin <= offset).checked_sub(1)?);
        let context = self.context(first, last);
        let sentence = Sentence::around(&context);
        Place {
            offset: first.into(),
            length: u64::from(last.saturating_sub(first)) + 1,
            line: self.lines.partition_point(|line| *line <= first) as u64 + 1,
            pages: page(first).zip(page(last)).map(|(begin, end)| (begin.first, end.last)),
            section: self.section(first).map(str::to_owned),
            left_out: partial::left_out(&sentence.quoted()),
            sentence: sentence.more(),
            paragraph: Paragraph::around(&context),
        }
    }

    /// What the heading above this character says.
    fn section(&self, place: u32) -> Option<&str> {
        let above = self.sections.partition_point(|section| section.begin <= place).checked_sub(1)?;
        Some(&self.sections[above].name)
    }

    /// The text around these characters, without its furniture.
    fn context(&self, first: u32, last: u32) -> Context {
        let before = self.kept(first.saturating_sub(2 * BEFORE as u32)..first);
        let after = self.kept(last + 1..last.saturating_add(1 + 2 * AFTER as u32).min(self.length));
        let begin = before.char_indices().rev().nth(BEFORE - 1).map_or(0, |(byte, _)| byte);
        let end = after.char_indices().nth(AFTER).map_or(after.len(), |(byte, _)| byte);
        let begins = begin == 0 && first <= 2 * BEFORE as u32;
        let ends = end == after.len() && last.saturating_add(2 * AFTER as u32) >= self.length;
        let mut text = before[begin..].to_owned();
        let start = text.len();
        text.push_str(&self.kept(first..last + 1));
        let quote = start..text.len();
        text.push_str(&after[..end]);
        Context { text, quote, begins, ends }
    }

    /// What stands there but furniture. A line end stands for lines that are left out.
    fn kept(&self, range: Range<u32>) -> String {
        let from = self.furniture.partition_point(|skipped| skipped.end <= range.start);
        let (mut kept, mut begin) = (String::new(), range.start);
        for skipped in self.furniture[from..].iter().take_while(|skipped| skipped.start < range.end) {
            kept.push_str(self.slice(begin..skipped.start.max(begin)));
            begin = skipped.end.min(range.end);
            let is_line = self.slice(begin.saturating_sub(1)..begin).ends_with(['\n', '\u{c}']);
            if is_line {
                kept.truncate(kept.trim_end().len());
                kept.push('\n');
                let space = self.slice(begin..range.end).chars().take_while(|c| c.is_whitespace());
                begin += short(space.count());
            }
        }
        kept.push_str(self.slice(begin..range.end));
        kept
    }

    fn slice(&self, range: Range<u32>) -> &str {
        let byte = |offset: u32| {
            let step = offset as usize / STEP;
            let Some(begin) = self.steps.get(step) else { return self.text.len() };
            let rest = &self.text[*begin as usize..];
            let within = rest.char_indices().nth(offset as usize % STEP).map_or(rest.len(), |(byte, _)| byte);
            *begin as usize + within
        };
        let begin = byte(range.start);
        &self.text[begin..byte(range.end).max(begin)]
    }
}

fn short(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
