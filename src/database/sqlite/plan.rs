//! Whether a statement reads a whole table. What is done all the time may not: it would cost more with every file there is. A
//! statement that may stands here with its reason.

use rusqlite::Connection;

use crate::database::statement::Sql;

/// Tables that stay small whatever is in Fastio: as many rows as there are services, rules, workspaces, kinds of things, or
/// runs and uploads under way or just given up.
const SMALL: [&str; 32] = [
    "pause",
    "founding",
    "clock",
    "feed",
    "feed_cursor",
    "feed_trail",
    "feed_search",
    "relist",
    "backfill",
    "swept_rule",
    "running_rule",
    "known_rule",
    "model_pace",
    "receive_count",
    "vector_store",
    "full_store",
    "sweep",
    "outside",
    "lost_upload",
    "job_count",
    "file_count",
    "copy_count",
    "room_count",
    "storage_seen",
    "storage_near",
    "event_count",
    "run_existing_count",
    "shown_rule",
    "news_channel",
    "late",
    // `run_count`, where it is read for what is held.
    "held",
    // `sweep`, of which a hundred rows are kept, where one is looked for that came after another.
    "later",
];

/// Statements that may go through a table or an index from its end, and why.
const SCANS: [(&str, &str); 35] = [
    ("queue::store::claim::FIRSTS", "the first row of an index in its order"),
    ("queue::store::claim::END_LEASES", "an index of the jobs that run, at the start"),
    ("queue::store::claim::ELSEWHERE", "an index of the jobs that run: as many as there are workers"),
    ("queue::store::listing::RETRY_DEAD", "the first rows of an index in its order"),
    ("queue::store::listing::DISCARD_DEAD", "the first rows of an index in its order"),
    ("receive::store::WAITING_SINCE", "the first row of a table in its order"),
    ("receive::store::OLDEST", "the first rows of a table in its order"),
    ("queue::presence::OLDEST", "the first row of an index in its order"),
    ("queue::presence::LOOKING", "the first rows of an index in its order"),
    ("operate::bulk::NEWEST", "the newest rows of a table, from its end"),
    ("queue::presence::OLDEST_BY_KIND", "the first rows of a table in its order"),
    ("sync::freshness::LOOKS", "the first rows of an index in its order"),
    ("queue::store::listing::RUNNING", "an index of the jobs that run: as many as there are workers"),
    ("run::store::view::UNFINISHED", "an index of the runs that have not ended, once in a sweep"),
    ("run::store::view::COUNTS", "as many rows as there are rules, and reasons for which runs are held"),
    (
        "outside::store::LEAVE_FILES_BELOW",
        "an index of the writes that are under way: each is a run at its end",
    ),
    ("outside::store::LEAVE_OLD_FILES", "an index of the writes that are under way, once in a sweep"),
    ("erasure::store::LIST", "the newest rows of a table, from its end"),
    ("erasure::store::IS_UNSHED", "an index of the erasures that have just ended"),
    ("erasure::store::SHED", "an index of the erasures that have just ended"),
    ("history::store::NEWEST", "the newest row of a table, from its end"),
    ("history::store::PRUNE", "the oldest rows of a table, from its beginning"),
    ("event::store::ABOUT", "once for a file that is erased, by a reader"),
    ("own::store::LIST", "asked for by the demo, which makes a few"),
    ("own::store::LEFT_STANDING", "once in `docket check`: a row for each result"),
    ("sync::reading::store::UNREAD_COUNT", "an index of the copies in which nothing can be read"),
    (
        "sync::store::file::OTHER_HASHES",
        "an index of the files whose hash at Fastio is not that of their bytes: none, as documented",
    ),
    ("sync::budget::store::out::RENAME_COPIES", "once at a start after a rule got another name"),
    ("sync::store::kept_out::RENAME", "once at a start after a rule got another name"),
    ("own::store::RENAME_RESULTS", "once at a start after a rule got another name"),
    ("queue::store::listing::NAMED", "once at a start after a rule got another name"),
    (
        "sync::store::made::SOME_OBJECTS",
        "the newest copies, from the table's end, when a vector store is doubted",
    ),
    (
        "sync::survey::store::UPLOADING",
        "an index of the uploads that are under way, in a sweep that finds a lost one",
    ),
    ("sync::survey::store::HELD_BY_RULES", "once in a sweep, which reads everything"),
    (
        "sync::store::file::FILES_UNDER",
        "once for a folder that was moved or deleted; its files are known by what stands above each",
    ),
];

/// Demands that none of `statements`, of the module `module`, reads a whole table unless it may.
pub fn judge(connection: &Connection, module: &str, statements: &[(&str, Sql)]) {
    if module.ends_with("::tests") {
        return;
    }
    let mut wrong = Vec::new();
    for (name, sql) in statements {
        let name = format!("{}::{name}", module.split_once("::").map_or(module, |(_, within)| within));
        let scans = scans(connection, *sql);
        let is_allowed = SCANS.iter().any(|(allowed, _)| *allowed == name);
        if scans.is_empty() == is_allowed {
            wrong.push((name, scans));
        }
    }
    assert!(
        wrong.is_empty(),
        "these read a whole table, and need an index, or a reason in database/plan.rs; those without a step do so no more: \
         {wrong:#?}"
    );
}

/// The steps of a statement's plan that go through a table of ours that may be large.
fn scans(connection: &Connection, sql: Sql) -> Vec<String> {
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", sql.text())).unwrap();
    let mut steps: Vec<String> = Vec::new();
    // Parameters that are not bound are NULL.
    let mut rows = explain.raw_query();
    while let Some(row) = rows.next().unwrap() {
        steps.push(row.get("detail").unwrap());
    }
    let made = |name: &str| {
        steps.iter().any(|step| {
            ["CO-ROUTINE ", "MATERIALIZE "].iter().any(|made| step.strip_prefix(made) == Some(name))
        })
    };
    let is_scan = |step: &&String| {
        // An index that is made for the one question reads all that it is made of.
        if step.contains("AUTOMATIC") {
            return true;
        }
        let Some(what) = step.strip_prefix("SCAN ") else { return false };
        let name = what.split(' ').next().unwrap_or_default();
        !(what.contains("CONSTANT ROW")
            || what.contains("VIRTUAL TABLE")
            || SMALL.contains(&name)
            || made(name))
    };
    steps.iter().filter(is_scan).cloned().collect()
}
