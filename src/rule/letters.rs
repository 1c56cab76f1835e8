//! The letters of a glob as its library reads them, which is byte by byte: to it `?` is a byte, and `[ä]` one of two bytes
//! that are no letter. And a letter in both its cases.

use std::iter::Peekable;
use std::str::Chars;

/// One letter of two to four bytes, as alternatives. To the library a class is one of bytes, and a letter's first
/// byte, which is never a later one, says how many there are.
macro_rules! wide {
    () => {
        "[\u{80}-\u{7ff}][!\u{1}-\u{7f}],\
         [\u{800}\u{1000}\u{2000}\u{3000}\u{4000}\u{5000}\u{6000}\u{7000}\u{8000}\u{9000}\u{a000}\u{b000}\u{c000}\u{d000}\
         \u{e000}\u{f000}][!\u{1}-\u{7f}][!\u{1}-\u{7f}],\
         [!\u{1}-\u{7f}\u{800}-\u{ffff}][!\u{1}-\u{7f}][!\u{1}-\u{7f}][!\u{1}-\u{7f}]"
    };
}

/// One letter, however many bytes it has: one of ASCII but the slash, or a wide one.
const ANY: &str = concat!("{[\u{1}-.0-\u{7f}],", wide!(), "}");

/// In a class: each byte of a wide letter, since to the library this range is one over their bytes.
const WIDE_BYTES: &str = "\u{10000}-\u{10ffff}";

/// Letters of a range that are written out. An alphabet has fewer.
const MOST_OF_A_RANGE: usize = 128;

/// A part of a glob, for whole letters; with each of them in both its cases if `in_any_case`.
pub fn spelt(part: &str, in_any_case: bool) -> String {
    let (mut out, mut rest) = (String::with_capacity(part.len()), part.chars().peekable());
    while let Some(letter) = rest.next() {
        match letter {
            '\\' => {
                out.push('\\');
                out.extend(rest.next());
            }
            '?' => out.push_str(ANY),
            '[' => match Class::read(&mut rest.clone()) {
                Some((class, after)) => {
                    rest = after;
                    out.push_str(&class.spelt(in_any_case));
                }
                // Not closed: it is for the library to say so.
                None => out.push('['),
            },
            _ if in_any_case => out.push_str(&either(&cases(letter))),
            _ => out.push(letter),
        }
    }
    out
}

/// One of several letters.
fn either(letters: &[char]) -> String {
    match letters {
        [one] => one.to_string(),
        _ if letters.iter().all(char::is_ascii) => format!("[{}]", letters.iter().collect::<String>()),
        _ => format!("{{{}}}", letters.iter().map(|letter| escaped(*letter)).collect::<Vec<_>>().join(",")),
    }
}

fn escaped(letter: char) -> String {
    if letter.is_ascii_punctuation() { format!("\\{letter}") } else { letter.to_string() }
}

/// A letter in each case that is one character.
fn cases(letter: char) -> Vec<char> {
    let mut cases = vec![letter];
    let (mut small, mut large) = (letter.to_lowercase(), letter.to_uppercase());
    for (one, rest) in [(small.next(), small.next()), (large.next(), large.next())] {
        cases.extend(one.filter(|one| rest.is_none() && !cases.contains(one)));
    }
    cases
}

/// What stands in brackets.
struct Class {
    is_negated: bool,
    ranges: Vec<(char, char)>,
    /// As it was written, without the brackets.
    text: String,
}

impl Class {
    /// The class that begins after its bracket, and what comes after it.
    fn read<'t>(rest: &mut Peekable<Chars<'t>>) -> Option<(Class, Peekable<Chars<'t>>)> {
        let mut text = String::new();
        let is_negated = rest.peek().is_some_and(|letter| matches!(letter, '!' | '^'));
        if is_negated {
            text.extend(rest.next());
        }
        let mut letters = Vec::new();
        loop {
            match rest.next()? {
                // One that stands first is itself.
                ']' if !letters.is_empty() => break,
                letter => letters.push(letter),
            }
        }
        text.extend(&letters);
        let (mut ranges, mut at) = (Vec::new(), 0);
        while let Some(&from) = letters.get(at) {
            let to = letters.get(at + 2).filter(|_| letters.get(at + 1) == Some(&'-'));
            ranges.push((from, *to.unwrap_or(&from)));
            at += if to.is_some() { 3 } else { 1 };
        }
        Some((Class { is_negated, ranges, text }, rest.clone()))
    }

    fn spelt(self, in_any_case: bool) -> String {
        let is_ascii = self.text.is_ascii();
        if is_ascii || self.is_negated {
            let more = if in_any_case { self.other_cases() } else { String::new() };
            return match self.text.strip_suffix('-') {
                _ if !(is_ascii && self.is_negated) => format!("[{}{more}]", self.text),
                // A wide letter is none of them. A minus sign that stands last stays so.
                Some(text) => format!("{{[{text}{more}/{WIDE_BYTES}-],{}}}", wide!()),
                None => format!("{{[{}{more}/{WIDE_BYTES}],{}}}", self.text, wide!()),
            };
        }
        let mut letters: Vec<char> =
            self.ranges.iter().flat_map(|(from, to)| *from..=*to).take(MOST_OF_A_RANGE).collect();
        if in_any_case {
            letters = letters.into_iter().flat_map(cases).collect();
        }
        either(&letters)
    }

    /// The ranges of ASCII letters in their other case. A minus sign that stands last would part what is put behind it.
    fn other_cases(&self) -> String {
        let other = |letter: char| match letter.is_ascii_lowercase() {
            true => letter.to_ascii_uppercase(),
            false => letter.to_ascii_lowercase(),
        };
        let is_letters = |(from, to): &&(char, char)| {
            (from.is_ascii_lowercase() && to.is_ascii_lowercase())
                || (from.is_ascii_uppercase() && to.is_ascii_uppercase())
        };
        if self.text.ends_with('-') {
            return String::new();
        }
        let ranges = self.ranges.iter().filter(is_letters);
        ranges.map(|(from, to)| format!("{}-{}", other(*from), other(*to))).collect()
    }
}
