//! How quotes are marked. A quote without a check is unverified too: nothing is taken for proven by default. A quote that is
//! proven has its whole sentence beside it, where that says more.

use std::collections::{HashMap, HashSet};
use std::ops::Add;

use serde_json::Value;

use super::escape;
use super::grid::one_line;
use crate::result::quote::{Check, Place, Proof};
use crate::result::schema::Schema;

/// Which fields of a result are quotes, and what is known of each.
#[derive(Debug)]
pub struct Marks<'a> {
    quotes: HashSet<String>,
    checks: HashMap<&'a str, &'a Check>,
}

/// How many quotes there are.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    pub quotes: usize,
    pub unverified: usize,
    /// Those that leave out words of their own sentence that say otherwise.
    pub partial: usize,
}

impl Add for Count {
    type Output = Count;

    fn add(self, other: Count) -> Count {
        Count {
            quotes: self.quotes + other.quotes,
            unverified: self.unverified + other.unverified,
            partial: self.partial + other.partial,
        }
    }
}

impl<'a> Marks<'a> {
    pub fn of(schema: &Schema, result: &Value, checks: &'a [Check]) -> Self {
        let quotes = schema.quotes(result).into_iter().map(|(pointer, _)| pointer).collect();
        Marks { quotes, checks: checks.iter().map(|check| (check.pointer.as_str(), check)).collect() }
    }

    pub fn is_quote(&self, pointer: &str) -> bool {
        self.quotes.contains(pointer)
    }

    /// How many quotes there are, and of how many what is wrong.
    pub fn count(&self) -> Count {
        let is =
            |wanted: fn(&Proof) -> bool| move |pointer: &&String| self.proof(pointer).is_some_and(wanted);
        let proven = self.quotes.iter().filter(is(Proof::is_verified)).count();
        let partial = self.quotes.iter().filter(is(|proof| proof.left_out().is_some())).count();
        Count { quotes: self.quotes.len(), unverified: self.quotes.len() - proven, partial }
    }

    /// For a cell of its own.
    pub fn word(&self, pointer: &str) -> String {
        match self.proof(pointer) {
            Some(Proof::Found(Place { left_out: Some(words), .. })) => {
                format!("PARTIAL: its sentence also says “{}”", one_line(words))
            }
            Some(Proof::Found(_)) => "yes".to_owned(),
            Some(Proof::NotFound) => "UNVERIFIED: not in the document".to_owned(),
            Some(Proof::TooShort) => "UNVERIFIED: too short to prove".to_owned(),
            Some(Proof::Unchecked) | None => "UNVERIFIED: not checked".to_owned(),
        }
    }

    /// Behind the quote, in Markdown.
    pub fn sign(&self, pointer: &str) -> String {
        let place = escape::inline(&self.place(pointer).unwrap_or_default());
        let Some(Proof::Found(Place { sentence, left_out, .. })) = self.proof(pointer) else {
            return format!("**⚠ {}**", self.word(pointer));
        };
        let mark = match left_out {
            None => format!("✔ {place}"),
            Some(words) => {
                format!("**⚠ PARTIAL: its sentence also says** “{}” ({place})", escape::inline(words))
            }
        };
        let whole = sentence.as_ref().map(|text| format!(". In full: “{}”", escape::inline(text)));
        mark + &whole.unwrap_or_default()
    }

    fn proof(&self, pointer: &str) -> Option<&Proof> {
        self.checks.get(pointer).map(|check| &check.proof)
    }

    /// Where it was found, as people say it: the section and the page, or else the line.
    pub fn place(&self, pointer: &str) -> Option<String> {
        let Proof::Found(Place { line, pages, section, .. }) = self.proof(pointer)? else { return None };
        let page = pages.map(|(first, last)| match first == last {
            true => format!("page {first}"),
            false => format!("pages {first}–{last}"),
        });
        let told: Vec<String> = section.as_deref().map(one_line).into_iter().chain(page).collect();
        Some(if told.is_empty() { format!("line {line}") } else { told.join(", ") })
    }
}
