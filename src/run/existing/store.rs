//! The statements on `running_rule` and `run_existing`.

use std::collections::{BTreeMap, HashSet};

use crate::database::{Connection, Error};
use crate::fastio::{FileKey, NodeId};
use crate::sync::store::Indexed;

/// How much later than Fastio writes an event may have happened: it writes whole seconds.
const WITHIN_A_SECOND_MS: i64 = 1_000;

/// Since when something is run over each rule's files.
pub async fn since(connection: &mut Connection) -> Result<BTreeMap<String, i64>, Error> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as("SELECT rule, since FROM running_rule").fetch_all(connection).await?;
    Ok(rows.into_iter().collect())
}

/// Writes down that something is run over these rules' files and no others', and answers which are new. A rule that comes
/// back is new: what came while it was away was there before.
pub(super) async fn meet(
    connection: &mut Connection,
    rules: &[&str],
    now: i64,
) -> Result<Vec<String>, Error> {
    let rules = serde_json::to_string(rules).expect("a list of texts is JSON");
    sqlx::query("DELETE FROM running_rule WHERE rule NOT IN (SELECT value FROM json_each($1))")
        .bind(&rules)
        .execute(&mut *connection)
        .await?;
    sqlx::query_scalar(MEET).bind(&rules).bind(now).fetch_all(connection).await
}

const MEET: &str = "
    INSERT INTO running_rule (rule, since) SELECT value, $2 FROM json_each($1) WHERE true
    ON CONFLICT DO NOTHING
    RETURNING rule";

/// Whether this content of a file was found to be older than the rule.
pub(super) async fn is_known(
    connection: &mut Connection,
    (rule, key, content_hash): (&str, &FileKey, &str),
) -> Result<bool, Error> {
    let found: Option<i64> = sqlx::query_scalar(IS_KNOWN)
        .bind(rule)
        .bind(key.to_string())
        .bind(content_hash)
        .fetch_optional(connection)
        .await?;
    Ok(found.is_some())
}

const IS_KNOWN: &str =
    "SELECT found_at FROM run_existing WHERE rule = $1 AND source_id = $2 AND content_hash = $3";

pub(super) async fn keep(
    connection: &mut Connection,
    (rule, key, content_hash): (&str, &FileKey, &str),
    now: i64,
) -> Result<(), Error> {
    sqlx::query(KEEP)
        .bind(rule)
        .bind(key.to_string())
        .bind(content_hash)
        .bind(now)
        .execute(connection)
        .await?;
    Ok(())
}

const KEEP: &str = "
    INSERT INTO run_existing (rule, source_id, content_hash, found_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (rule, source_id) DO UPDATE SET content_hash = excluded.content_hash, found_at = excluded.found_at";

/// Whether Fastio dates the file after `since`, or told after it of its coming or of that of a folder above it.
pub(super) async fn is_news(
    connection: &mut Connection,
    indexed: &Indexed,
    since: i64,
) -> Result<bool, Error> {
    let above: Vec<String> = indexed.ancestors.iter().map(NodeId::canonical).collect();
    sqlx::query_scalar(IS_NEWS)
        .bind(indexed.key.to_string())
        .bind(indexed.key.profile.to_string())
        .bind(indexed.key.node.canonical())
        .bind(serde_json::to_string(&above).expect("a list of texts is JSON"))
        .bind(since)
        .bind(since - WITHIN_A_SECOND_MS)
        .fetch_one(connection)
        .await
}

/// A change of a file shows in its times. That it was told of proves nothing: most of what is told of files is that somebody
/// read, renamed or locked them. The index is named: by kind there are as many events as a first sweep has found files.
const IS_NEWS: &str = "
    SELECT EXISTS (SELECT 1 FROM file WHERE source_id = $1 AND (created_at > $5 OR modified_at > $5))
        OR EXISTS (
            SELECT 1 FROM event INDEXED BY event_told
            WHERE lower(replace(node, '-', '')) IN (SELECT $3 UNION ALL SELECT value FROM json_each($4))
              AND source IN ('webhook', 'feed') AND kind IN ('added', 'moved')
              AND name NOT LIKE '%rename' AND name NOT LIKE '%renamed'
              AND profile = $2 AND received_at >= $5 AND coalesce(occurred_at, received_at) > $6)";

/// Of each rule, the files that are there, were there before it, and were not run over.
pub async fn counts(connection: &mut Connection) -> Result<Vec<(String, i64)>, Error> {
    sqlx::query_as(COUNTS).fetch_all(connection).await
}

const COUNTS: &str = "
    SELECT e.rule, count(*)
    FROM run_existing AS e
    JOIN running_rule USING (rule)
    JOIN file AS f ON f.source_id = e.source_id AND f.state = 'present'
    WHERE NOT EXISTS (SELECT 1 FROM run AS r WHERE r.source_id = e.source_id AND r.rule = e.rule)
    GROUP BY e.rule ORDER BY e.rule";

/// Those of these files that a rule has been run over, each with the rule.
pub async fn run_over(
    connection: &mut Connection,
    source_ids: &[&str],
) -> Result<HashSet<(String, String)>, Error> {
    let rows: Vec<(String, String)> = sqlx::query_as(RUN_OVER)
        .bind(serde_json::to_string(source_ids).expect("a list of texts is JSON"))
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().collect())
}

const RUN_OVER: &str =
    "SELECT DISTINCT source_id, rule FROM run WHERE source_id IN (SELECT value FROM json_each($1))";
