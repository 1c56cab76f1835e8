//! How quotes are marked. A quote without a check is unverified too: nothing is taken for proven by default.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::result::quote::{Check, Place, Proof};
use crate::result::schema::Schema;

/// Which fields of a result are quotes, and what is known of each.
#[derive(Debug)]
pub struct Marks<'a> {
    quotes: HashSet<String>,
    checks: HashMap<&'a str, &'a Check>,
}

impl<'a> Marks<'a> {
    pub fn of(schema: &Schema, result: &Value, checks: &'a [Check]) -> Self {
        let quotes = schema.quotes(result).into_iter().map(|(pointer, _)| pointer).collect();
        Marks { quotes, checks: checks.iter().map(|check| (check.pointer.as_str(), check)).collect() }
    }

    pub fn is_quote(&self, pointer: &str) -> bool {
        self.quotes.contains(pointer)
    }

    /// How many quotes there are, and how many of them are unverified.
    pub fn count(&self) -> (usize, usize) {
        let unverified = self.quotes.iter().filter(|pointer| self.place(pointer).is_none()).count();
        (self.quotes.len(), unverified)
    }

    /// For a cell of its own.
    pub fn word(&self, pointer: &str) -> &'static str {
        match self.checks.get(pointer).map(|check| &check.proof) {
            Some(Proof::Found(_)) => "yes",
            Some(Proof::NotFound) => "UNVERIFIED: not in the document",
            Some(Proof::TooShort) => "UNVERIFIED: too short to prove",
            Some(Proof::Unchecked) | None => "UNVERIFIED: not checked",
        }
    }

    /// Behind the quote, in Markdown.
    pub fn sign(&self, pointer: &str) -> String {
        match self.place(pointer) {
            Some(place) => format!("✔ {place}"),
            None => format!("**⚠ {}**", self.word(pointer)),
        }
    }

    /// Where it was found.
    pub fn place(&self, pointer: &str) -> Option<String> {
        let Proof::Found(Place { line, pages, .. }) = &self.checks.get(pointer)?.proof else { return None };
        Some(match pages {
            None => format!("line {line}"),
            Some((first, last)) if first == last => format!("page {first}, line {line}"),
            Some((first, last)) => format!("pages {first}–{last}, line {line}"),
        })
    }
}
