//! The table `kept_out`: files that rules keep out of OpenAI until a run needs them there.

use std::collections::HashMap;

use super::{bytes, hash_text, source};
use crate::database::{Connection, Error, JsonList, from_row, json_list, params, statements};
use crate::fastio::FileKey;
use crate::sync::copy::Source;

/// What is on record of a file that a rule keeps out.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptOut {
    pub source_id: String,
    pub rule: String,
    /// What was read, and its SHA-256.
    pub content: Source,
    pub content_hash: String,
    pub wanted_since: Option<i64>,
    pub leaves_at: Option<i64>,
}

impl KeptOut {
    /// Whether it is to be in OpenAI now.
    pub fn is_wanted(&self, now: i64) -> bool {
        self.wanted_since.is_some() && self.leaves_at.is_none_or(|at| at > now)
    }
}

from_row!(row => KeptOut {
    source_id,
    rule,
    content: source(row, ["version", "hash", "size", "modified_at"])?,
    content_hash,
    wanted_since,
    leaves_at,
});

/// What is on record of each of these files.
pub fn kept_out_of(
    connection: &mut Connection,
    source_ids: &[String],
) -> Result<HashMap<String, Vec<KeptOut>>, Error> {
    let mut found: HashMap<String, Vec<KeptOut>> = HashMap::new();
    for one in connection.all::<KeptOut>(OF, params![json_list(source_ids)])? {
        found.entry(one.source_id.clone()).or_default().push(one);
    }
    Ok(found)
}

/// Writes down that `rule` keeps the file out, in this content, and that nothing needs it in OpenAI.
pub fn keep_out(
    tx: &mut Connection,
    (key, rule): (&FileKey, &str),
    (content, content_hash): (&Source, &str),
) -> Result<(), Error> {
    let Source { version, hash, size, modified_at } = content;
    let (version, hash) = (version.as_ref().map(|version| &version.0), hash.as_ref().map(hash_text));
    tx.run(KEEP_OUT, params![key.to_string(), rule, version, hash, bytes(*size), modified_at, content_hash])
        .map(drop)
}

/// Forgets it of all rules but these.
pub fn keep_out_only(tx: &mut Connection, key: &FileKey, rules: &JsonList) -> Result<(), Error> {
    tx.run(KEEP_OUT_ONLY, params![key.to_string(), rules]).map(drop)
}

/// The file is to be in OpenAI from now on. Says whether that is news.
pub fn want_in(tx: &mut Connection, key: &FileKey, rule: &str, now: i64) -> Result<bool, Error> {
    Ok(tx.run(WANT_IN, params![key.to_string(), rule, now])? == 1)
}

/// Nothing needs the file in OpenAI from `at` on. Says whether something did.
pub fn let_go(tx: &mut Connection, key: &FileKey, rule: &str, at: i64) -> Result<bool, Error> {
    Ok(tx.run(LET_GO, params![key.to_string(), rule, at])? == 1)
}

/// Gives all that stands under one rule's name to another name.
pub fn rename_rule(connection: &mut Connection, (old, new): (&str, &str)) -> Result<(), Error> {
    connection.run(RENAME, params![old, new]).map(drop)
}

/// The files that are to leave by now, by their ids, `most` of them.
pub fn leaving(connection: &mut Connection, now: i64, most: u32) -> Result<Vec<String>, Error> {
    connection.all(LEAVING, params![now, most])
}

statements! {
    OF = "SELECT * FROM kept_out WHERE source_id IN (SELECT value FROM json_each($1))";
    KEEP_OUT = "
        INSERT INTO kept_out (source_id, rule, version, hash, size, modified_at, content_hash)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (source_id, rule) DO UPDATE SET
            version = excluded.version, hash = excluded.hash, size = excluded.size, modified_at = excluded.modified_at,
            content_hash = excluded.content_hash, wanted_since = NULL, leaves_at = NULL";
    KEEP_OUT_ONLY = "
        DELETE FROM kept_out WHERE source_id = $1 AND rule NOT IN (SELECT value FROM json_each($2))";
    WANT_IN = "
        UPDATE kept_out SET wanted_since = coalesce(wanted_since, $3), leaves_at = NULL
        WHERE source_id = $1 AND rule = $2 AND (wanted_since IS NULL OR leaves_at IS NOT NULL)";
    LET_GO = "
        UPDATE kept_out SET leaves_at = $3
        WHERE source_id = $1 AND rule = $2 AND wanted_since IS NOT NULL AND leaves_at IS NULL";
    RENAME = "UPDATE kept_out SET rule = $2 WHERE rule = $1";
    LEAVING = "SELECT source_id FROM kept_out WHERE leaves_at <= $1 ORDER BY leaves_at LIMIT $2";
}
