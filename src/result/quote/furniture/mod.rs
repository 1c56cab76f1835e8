//! Page furniture: what stands on each page and is no part of the text, such as running heads, page numbers and the numbers of
//! lines down a margin. It cuts a clause that goes over a page's end in two.
//!
//! A line is furniture for what it does all over the document, never for how it looks alone: page numbers count up, heads and
//! feet stand beside them or where pages end, word for word the same. What denies or excepts is none, whatever it does.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::iter::successors;
use std::ops::Range;

use super::partial::says_otherwise;
use super::source::{Line, Source};
use super::words::{OF, PAGE, PARTS};

/// The longest head or foot, in bytes.
const MOST_BYTES: usize = 200;

/// Lines of a head or foot.
const DEEPEST: usize = 4;

/// Numbered lines in a row that are lines with their numbers, where each has one, and where each fifth has.
const MARGIN_RUN: usize = 8;
const MARGIN_FIFTHS: usize = 4;

/// A head or foot stands at one of so many ends of pages at least: some have one for each chapter, or for every other page.
const HEAD_SHARE: usize = 6;

/// Numbers in a row that number pages, where they stand alone, and lines between them at least.
const BARE_RUN: usize = 3;
const BARE_APART: usize = 6;

/// Lines between numbers that stand beside a head or foot, at least.
const BESIDE_APART: usize = 12;

/// Times that a line comes at regular distances, and lines between at least, to be a head where nothing else tells of pages.
const REGULAR_RUN: usize = 4;
const REGULAR_APART: usize = 25;

/// What is furniture in `source`, in order.
pub fn find(source: &Source) -> Vec<Range<u32>> {
    let mut layout = Layout::of(source.lines());
    layout.find_margins();
    layout.find_numbers();
    layout.find_regular();
    layout.find_heads();
    layout.ranges()
}

struct Layout<'a> {
    lines: Vec<Line<'a>>,
    /// Characters at the beginning of each line that are its number.
    margins: Vec<u32>,
    furniture: Vec<bool>,
}

/// A number in a line that may be its page's.
struct Number {
    /// The line with `#` for the number.
    template: String,
    number: u32,
    kind: NumberKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum NumberKind {
    /// `Page 4 of 17`, and nothing else.
    Whole,
    /// `Page 4`, also beside other text.
    Named,
    /// `- 4 -`.
    Bare,
    /// The same where a page is known to end.
    AtEnd,
    /// `Master Agreement | 4`.
    Beside,
}

impl<'a> Layout<'a> {
    fn of(lines: Vec<Line<'a>>) -> Layout<'a> {
        let count = lines.len();
        Layout { lines, margins: vec![0; count], furniture: vec![false; count] }
    }

    /// Numbers that go up with the lines.
    fn find_margins(&mut self) {
        let numbers: Vec<Option<(usize, u32)>> =
            self.lines.iter().map(|line| line_number(line.text)).collect();
        for (step, least) in [(1, MARGIN_RUN), (5, MARGIN_FIFTHS)] {
            let follows = |place: usize, other: usize| match (numbers[place], numbers.get(other)) {
                (Some((one, _)), Some(Some((next, _)))) => {
                    *next == one + step && (step == 1 || one % step == 0)
                }
                _ => false,
            };
            let next = |place: &usize| follows(*place, place + step).then_some(place + step);
            let goes_on = |place: &usize| *place >= step && follows(place - step, *place);
            for first in (0..numbers.len()).filter(|place| !goes_on(place)) {
                let run: Vec<usize> = successors(Some(first), next).collect();
                if run.len() >= least && self.goes_on_in_words(&run) {
                    run.into_iter().for_each(|line| self.number_line(line, numbers[line]));
                }
            }
        }
    }

    /// Whether what stands behind the numbers of these lines is text, and no column of amounts: `2 weeks`, `3 weeks`.
    fn goes_on_in_words(&self, lines: &[usize]) -> bool {
        let words = lines.iter().map(|line| self.lines[*line].text.split_whitespace().nth(1));
        let empty = words.clone().filter(Option::is_none).count();
        let different: HashSet<&str> = words.flatten().collect();
        (different.len() + empty) * 2 >= lines.len()
    }

    fn number_line(&mut self, place: usize, number: Option<(usize, u32)>) {
        let Some((_, length)) = number else { return };
        let line = &mut self.lines[place];
        let rest = line.text.chars().skip(length as usize).collect::<String>();
        self.furniture[place] |= rest.trim().is_empty();
        self.margins[place] = length;
    }

    /// Lines that number pages.
    fn find_numbers(&mut self) {
        let mut groups: HashMap<(NumberKind, String), Vec<(usize, u32)>> = HashMap::new();
        for place in 0..self.lines.len() {
            if let Some(Number { template, number, mut kind }) = Number::of(self.text(place)) {
                if kind == NumberKind::Bare && self.is_at_page_end(place) {
                    kind = NumberKind::AtEnd;
                }
                groups.entry((kind, template)).or_default().push((place, number));
            }
        }
        for ((kind, _), lines) in groups {
            for run in lines.chunk_by(|one, next| next.1 == one.1 + 1) {
                let places: Vec<usize> = run.iter().map(|(place, _)| *place).collect();
                if numbers_pages(kind, &places) {
                    places.into_iter().for_each(|place| self.furniture[place] = true);
                }
            }
        }
    }

    /// Whether it is one of the first or last lines of a page, where it is known where pages end.
    fn is_at_page_end(&self, place: usize) -> bool {
        let (count, turns) = (self.lines.len(), |line: &Line<'_>| line.new_page);
        let near = place.saturating_sub(DEEPEST - 1)..(place + 1 + DEEPEST).min(count);
        let at_end = place < DEEPEST || place + DEEPEST >= count;
        self.lines[near].iter().any(turns) || (at_end && self.lines.iter().any(turns))
    }

    /// Lines that come again at regular distances.
    fn find_regular(&mut self) {
        let mut groups: HashMap<&str, Vec<usize>> = HashMap::new();
        for place in 0..self.lines.len() {
            groups.entry(self.text(place)).or_default().push(place);
        }
        let apart = |places: &[usize]| places.windows(2).all(|pair| pair[1] - pair[0] >= REGULAR_APART);
        let regular = groups.into_iter().filter(|(text, places)| {
            places.len() >= REGULAR_RUN
                && apart(places)
                && is_regular(places)
                && may_be_head(text)
                && text.contains(' ')
        });
        let places: Vec<usize> = regular.flat_map(|(_, places)| places).collect();
        places.into_iter().for_each(|place| self.furniture[place] = true);
    }

    /// Heads and feet: what stands again and again beside a page's number or where a page ends, and nowhere else but once, as a
    /// title.
    fn find_heads(&mut self) {
        let sides = self.sides();
        let beside: HashSet<usize> = sides.iter().flatten().copied().collect();
        // How often each text stands there, and how often elsewhere.
        let mut counts: HashMap<&str, (usize, usize)> = HashMap::new();
        for place in 0..self.lines.len() {
            let count = counts.entry(self.text(place)).or_default();
            *(if beside.contains(&place) { &mut count.0 } else { &mut count.1 }) += 1;
        }
        let least = (sides.len() / 2 / HEAD_SHARE).max(2);
        let is_head = |text: &str| {
            let (there, elsewhere) = counts[text];
            there >= least && elsewhere < 2 && may_be_head(text)
        };
        let is_part = |place: &&usize| self.furniture[**place] || is_head(self.text(**place));
        let heads: Vec<usize> =
            sides.iter().flat_map(|side| side.iter().take_while(is_part)).copied().collect();
        heads.into_iter().for_each(|place| self.furniture[place] = true);
    }

    /// The lines on either side of each page's number or end, nearest first; and those at the ends of the document.
    fn sides(&self) -> Vec<Vec<usize>> {
        let count = self.lines.len();
        let up = |end: usize| (0..end).rev().take(DEEPEST).collect::<Vec<_>>();
        let down = |begin: usize| (begin..count).take(DEEPEST).collect::<Vec<_>>();
        let mut sides = Vec::new();
        for place in 0..count {
            if self.lines[place].new_page {
                sides.extend([up(place), down(place)]);
            }
            if self.furniture[place] && self.margins[place] == 0 {
                sides.extend([up(place), down(place + 1)]);
            }
        }
        if !sides.is_empty() {
            sides.extend([down(0), up(count)]);
        }
        sides
    }

    /// A line without the number in its margin.
    fn text(&self, place: usize) -> &'a str {
        let text = self.lines[place].text;
        let margin =
            text.char_indices().nth(self.margins[place] as usize).map_or(text.len(), |(byte, _)| byte);
        text[margin..].trim_start()
    }

    fn ranges(&self) -> Vec<Range<u32>> {
        let mut ranges: Vec<Range<u32>> = Vec::new();
        for (place, line) in self.lines.iter().enumerate() {
            let end = match (self.furniture[place], self.margins[place]) {
                (true, _) => line.end,
                (false, 0) => continue,
                (false, margin) => line.text_begin + margin,
            };
            match ranges.last_mut().filter(|last| last.end == line.begin) {
                Some(last) => last.end = end,
                None => ranges.push(line.begin..end),
            }
        }
        ranges
    }
}

impl Number {
    fn of(text: &str) -> Option<Number> {
        let has_digit = |word: &str| word.contains(|c: char| c.is_ascii_digit());
        let mut ends = text.split_whitespace().take(2).chain(text.split_whitespace().rev().take(3));
        if text.len() > MOST_BYTES || !ends.any(has_digit) {
            return None;
        }
        let parting = |c: char| c.is_whitespace() || "|/[](){}–—-~·•:,".contains(c);
        let words: Vec<String> =
            text.split(parting).filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
        let slash = text.contains('/');
        let number = |place: usize| words.get(place).filter(|word| word.len() < 5)?.parse::<u32>().ok();
        let named = |place: usize| words.get(place).is_some_and(|word| PAGE.has(word.trim_end_matches('.')));
        // From which word on a number stands there, how many words it takes, and which page and how many pages it tells.
        let read = |place: usize| {
            let name = usize::from(named(place));
            let page = number(place + name)?;
            let after = place + name + 1;
            let of = usize::from(words.get(after).is_some_and(|word| OF.has(word)));
            let all = number(after + of).filter(|all| *all >= page && (of > 0 || slash));
            let length = name + 1 + if all.is_some() { of + 1 } else { 0 };
            Some((length, page, name > 0, all.is_some()))
        };
        let (place, (length, page, is_named, has_all)) = (0..words.len()).find_map(|place| {
            let found = read(place)?;
            (place == 0 || place + found.0 == words.len()).then_some((place, found))
        })?;
        let alone = length == words.len();
        if !alone && !may_be_head(text) {
            return None;
        }
        let kind = match (alone, is_named, has_all) {
            (true, true, true) => NumberKind::Whole,
            (_, true, _) => NumberKind::Named,
            (true, false, true) if !slash => NumberKind::Named,
            (true, false, _) if text.contains(['.', ',']) => return None,
            (true, false, _) => NumberKind::Bare,
            (false, false, _) if words.iter().any(|word| PARTS.has(word)) => return None,
            // An amount is no page's number.
            (false, false, _) if words.iter().all(|word| word.chars().count() < 4) => return None,
            (false, false, _) => NumberKind::Beside,
        };
        let mut template = words;
        template[place + usize::from(is_named)] = "#".to_owned();
        Some(Number { template: template.join(" "), number: page, kind })
    }
}

/// Whether lines whose numbers go up one by one are those of pages.
fn numbers_pages(kind: NumberKind, places: &[usize]) -> bool {
    let apart = |least: usize| places.windows(2).all(|pair| pair[1] - pair[0] >= least);
    match kind {
        NumberKind::Whole => true,
        NumberKind::Named => places.len() > 1 && apart(2),
        NumberKind::AtEnd => places.len() > 1,
        NumberKind::Bare => places.len() >= BARE_RUN && apart(BARE_APART) && is_regular(places),
        NumberKind::Beside => places.len() >= BARE_RUN && apart(BESIDE_APART) && is_regular(places),
    }
}

/// The number that a line begins with, and how many characters it takes with the white space behind it.
fn line_number(text: &str) -> Option<(usize, u32)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let space = text[digits..].chars().take_while(|c| c.is_whitespace()).count();
    let parted = space > 0 || digits == text.len();
    let number = text.get(..digits).filter(|_| (1..5).contains(&digits) && parted)?.parse().ok()?;
    Some((number, u32::try_from(digits + space).ok()?))
}

fn may_be_head(text: &str) -> bool {
    text.len() <= MOST_BYTES && text.contains(char::is_alphabetic) && !says_otherwise(text)
}

/// Whether the distances between these lines are much the same.
fn is_regular(places: &[usize]) -> bool {
    let mut apart: Vec<usize> = places.windows(2).map(|pair| pair[1] - pair[0]).collect();
    apart.sort_unstable();
    let (Some(least), Some(most)) = (apart.first(), apart.last()) else { return false };
    *most <= least * 2
}
