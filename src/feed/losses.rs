//! How many files each rule has at OpenAI, and how many of them would lose their copies: what the limit of a sweep is about.
//! Rules that changed and a sweep count alike.

use std::collections::BTreeMap;

use super::SweepSettings;
use super::adopt::text;
use crate::sync::copy::Copy;
use crate::sync::store::FileRow;

/// What each rule has and would lose.
#[derive(Debug)]
pub struct Losses(BTreeMap<String, Count>);

/// Of one rule: files that have copies, and those of them that would lose theirs.
#[derive(Debug, Default)]
pub struct Count {
    pub all: u64,
    pub losing: u64,
}

impl Losses {
    /// `held` says how many files with copies our rows have under each set of rules.
    pub fn of(held: Vec<(String, u64)>) -> Self {
        let mut counts: BTreeMap<String, Count> = BTreeMap::new();
        for (rules, all) in held {
            counts.entry(first(&rules).to_owned()).or_default().all += all;
        }
        Losses(counts)
    }

    pub fn add(&mut self, holder: &Holder, loses: bool) {
        let count = self.0.entry(holder.rule.clone()).or_default();
        count.all += u64::from(!holder.is_counted);
        count.losing += u64::from(loses);
    }

    /// The rules of which more would be lost than may before a person has looked.
    pub fn too_many(self, settings: &SweepSettings) -> impl Iterator<Item = (String, Count)> {
        self.0.into_iter().filter(|(_, count)| settings.is_too_many(count.losing, count.all))
    }
}

/// The rule that a file's copies count for: the first one of its row, else the one that a copy was made for.
#[derive(Debug)]
pub struct Holder {
    pub rule: String,
    /// Whether the file is among those that our rows have under the rule.
    is_counted: bool,
}

impl Holder {
    pub fn of(row: Option<&FileRow>, copies: &[Copy]) -> Self {
        let of_row = row.map(|row| first(&row.rules)).filter(|rule| !rule.is_empty());
        let of_copy = || copies.iter().find_map(|copy| text(copy.attributes.as_ref()?, "rule"));
        let rule = of_row.or_else(of_copy).unwrap_or_default().to_owned();
        Holder { rule, is_counted: of_row.is_some() }
    }
}

/// The first of comma-separated rules.
fn first(rules: &str) -> &str {
    rules.split(',').next().unwrap_or_default()
}
