//! How far behind a rule's files are: how long ago the oldest change of one came in that cannot be searched yet.

use std::collections::BTreeMap;

use crate::database::{Connection, Error, params, statements};

/// The oldest jobs that are looked at. What is behind them is younger than all of them, and in a backfill hardly so.
const MOST: u32 = 5_000;

/// Since when what waits has waited, in Unix milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Freshness {
    /// By rule; a rule that is not here waits for nothing that was looked at.
    pub rules: BTreeMap<String, i64>,
    /// Of files of which nothing is known yet, and so not which rules are theirs.
    pub unknown: Option<i64>,
    /// All that waits was looked at.
    pub is_whole: bool,
}

/// Reads how far behind each rule is.
///
/// # Errors
/// The database's.
pub fn freshness(connection: &mut Connection) -> Result<Freshness, Error> {
    let rows: Vec<(i64, Option<String>)> = connection.all(LOOKS, params![MOST])?;
    let mut fresh = Freshness { is_whole: rows.len() < MOST as usize, ..Freshness::default() };
    for (since, rules) in rows {
        let Some(rules) = rules else {
            fresh.unknown.get_or_insert(since);
            continue;
        };
        for rule in rules.split(',').filter(|rule| !rule.is_empty()) {
            if !fresh.rules.contains_key(rule) {
                fresh.rules.insert(rule.to_owned(), since);
            }
        }
    }
    Ok(fresh)
}

statements! {
    /// Oldest first, by an index of such jobs alone.
    LOOKS = "
        SELECT j.created_at, f.rules
        FROM (SELECT key, created_at FROM job INDEXED BY job_looks
              WHERE key GLOB 'file:*' OR key GLOB 'folder:*' OR key GLOB 'listing:*'
              ORDER BY created_at LIMIT $1) AS j
        LEFT JOIN file AS f ON f.source_id = substr(j.key, 6)
        ORDER BY j.created_at", postgres: "
        SELECT j.created_at, f.rules
        FROM (SELECT key, created_at FROM job
              WHERE key LIKE 'file:%' OR key LIKE 'folder:%' OR key LIKE 'listing:%'
              ORDER BY created_at LIMIT $1) AS j
        LEFT JOIN file AS f ON f.source_id = substr(j.key, 6)
        ORDER BY j.created_at";
}
