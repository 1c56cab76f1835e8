//! The statements on `running_rule` and `run_existing`.

use std::collections::{BTreeMap, HashSet};

use crate::database::{Connection, Error, json_list, params, statements};
use crate::fastio::{FileKey, NodeId};
use crate::sync::store::Indexed;

/// How much later than Fastio writes an event may have happened: it writes whole seconds.
const WITHIN_A_SECOND_MS: i64 = 1_000;

/// Since when something is run over each rule's files.
pub fn since(connection: &mut Connection) -> Result<BTreeMap<String, i64>, Error> {
    Ok(connection.all::<(String, i64)>(SINCE, params![])?.into_iter().collect())
}

/// Writes down that something is run over these rules' files and no others', and answers which are new. A rule that comes
/// back is new: what came while it was away was there before.
pub(super) fn meet(connection: &mut Connection, rules: &[String], now: i64) -> Result<Vec<String>, Error> {
    let rules = json_list(rules);
    connection.run(FORGET_OTHERS, params![rules])?;
    connection.all(MEET, params![rules, now])
}

/// Whether this content of a file was found to be older than the rule.
pub(in crate::run) fn is_known(
    connection: &mut Connection,
    (rule, key, content_hash): (&str, &FileKey, &str),
) -> Result<bool, Error> {
    connection.one(IS_KNOWN, params![rule, key.to_string(), content_hash])
}

pub(in crate::run) fn keep(
    connection: &mut Connection,
    (rule, key, content_hash): (&str, &FileKey, &str),
    now: i64,
) -> Result<(), Error> {
    connection.run(KEEP, params![rule, key.to_string(), content_hash, now]).map(drop)
}

/// Whether Fastio dates the file after `since`, or told after it of its coming or of that of a folder above it.
pub(super) fn is_news(connection: &mut Connection, indexed: &Indexed, since: i64) -> Result<bool, Error> {
    let above: Vec<String> = indexed.ancestors.iter().map(NodeId::canonical).collect();
    let (key, told_after) = (&indexed.key, since - WITHIN_A_SECOND_MS);
    connection.one(
        IS_NEWS,
        params![
            key.to_string(),
            key.profile.to_string(),
            key.node.canonical(),
            json_list(&above),
            since,
            told_after
        ],
    )
}

/// Of each rule, the files that are there, were there before it, and were not run over.
pub fn counts(connection: &mut Connection) -> Result<Vec<(String, i64)>, Error> {
    connection.all(COUNTS, params![])
}

/// Those of these files that a rule has been run over, each with the rule.
pub fn run_over(
    connection: &mut Connection,
    source_ids: &[&str],
) -> Result<HashSet<(String, String)>, Error> {
    Ok(connection.all::<(String, String)>(RUN_OVER, params![json_list(source_ids)])?.into_iter().collect())
}

statements! {
    SINCE = "SELECT rule, since FROM running_rule";
    FORGET_OTHERS = "DELETE FROM running_rule WHERE rule NOT IN (SELECT value FROM json_each($1))";
    MEET = "
        INSERT INTO running_rule (rule, since) SELECT value, $2 FROM json_each($1) WHERE true
        ON CONFLICT DO NOTHING
        RETURNING rule";
    IS_KNOWN = "
        SELECT EXISTS (SELECT 1 FROM run_existing WHERE rule = $1 AND source_id = $2 AND content_hash = $3)";
    KEEP = "
        INSERT INTO run_existing (rule, source_id, content_hash, found_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (rule, source_id) DO UPDATE SET content_hash = excluded.content_hash, found_at = excluded.found_at";
    /// A change of a file shows in its times. That it was told of proves nothing: most of what is told of files is that they
    /// were read, renamed or locked. The index is named: by kind there are as many events as a first sweep has found files.
    IS_NEWS = "
        SELECT EXISTS (SELECT 1 FROM file WHERE source_id = $1 AND (created_at > $5 OR modified_at > $5))
            OR EXISTS (
                SELECT 1 FROM event INDEXED BY event_node
                WHERE lower(replace(node, '-', '')) IN (SELECT $3 UNION ALL SELECT value FROM json_each($4))
                  AND kind <> 'ignored' AND source IN ('webhook', 'feed') AND kind IN ('added', 'moved')
                  AND name NOT LIKE '%rename' AND name NOT LIKE '%renamed'
                  AND profile = $2 AND received_at >= $5 AND coalesce(occurred_at, received_at) > $6)";
    COUNTS = "
        SELECT rule, files FROM run_existing_count JOIN running_rule USING (rule) WHERE files > 0 ORDER BY rule";
    RUN_OVER = "SELECT DISTINCT source_id, rule FROM run WHERE source_id IN (SELECT value FROM json_each($1))";
}
