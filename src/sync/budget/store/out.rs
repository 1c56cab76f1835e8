//! The statements on `file_out`, and on when a file was used: what is out, and comes back.

use super::usage::usage;
use crate::database::{Connection, Error, from_row, json_list, params, statements};
use crate::fastio::FileKey;
use crate::job::{self, Task};
use crate::queue::Priority;
use crate::sync::budget::Budgets;
use crate::sync::budget::amount::Amount;
use crate::sync::listing::Place;

/// How often a use is written down: a file that is found all day is written once an hour.
const USED_MS: i64 = 60 * 60 * 1000;

/// A file that is out.
pub(super) struct OutRow {
    pub source_id: String,
    pub rule: String,
    pub since: i64,
    pub scope: String,
    pub why: String,
    pub wanted: bool,
    pub bytes: i64,
    pub reason: String,
    pub used_at: i64,
}

from_row!(row => OutRow {
    source_id,
    rule,
    since,
    scope,
    why,
    wanted: row.get::<i64>("wanted")? != 0,
    bytes,
    reason,
    used_at,
});

impl OutRow {
    pub fn write(&self, tx: &mut Connection) -> Result<(), Error> {
        let OutRow { source_id, rule, since, scope, why, wanted, bytes, reason, used_at } = self;
        let wanted = i64::from(*wanted);
        tx.run(OUT, params![source_id, rule, since, scope, why, wanted, bytes, reason, used_at]).map(drop)
    }
}

/// As `file_out.why` has it.
pub(super) const USED_LEAST: &str = "used_least";

pub(super) fn task(source_id: &str) -> Option<Task> {
    let FileKey { profile, node } = source_id.parse().ok()?;
    Some(Task::File { profile, node })
}

struct Outside {
    source_id: String,
    rule: String,
    bytes: i64,
}

from_row!(Outside { source_id, rule, bytes });

/// Brings back up to `most` files of a rule for which there is room again, what was used last first, as long as each budget keeps a tenth
/// of it. How many it were.
pub(in crate::sync::budget) fn refill(
    tx: &mut Connection,
    budgets: &Budgets,
    (rule, most): (&str, u32),
    now: i64,
) -> Result<usize, Error> {
    let usage = usage(tx)?;
    let mut coming = Amount::default();
    let mut back = Vec::new();
    for Outside { source_id, rule, bytes } in tx.all::<Outside>(OUTSIDE, params![rule, most])? {
        let amount = Amount { files: 1, bytes, stored: bytes };
        let has_room = budgets.of(&rule).all(|scope| {
            let held = usage.of(scope).held() + coming + amount;
            scope.most.hundredths(REFILLED).over(held).is_none()
        });
        if has_room {
            coming += amount;
            back.push(source_id);
        }
    }
    for source_id in &back {
        tx.run(COME_IN, params![source_id, rule])?;
        if let Some(task) = task(source_id) {
            job::enqueue(tx, &task, Priority::Backfill, now)?;
        }
    }
    Ok(back.len())
}

/// Up to how many hundredths a budget is filled with what nobody asks for. What leaves when it is full does not come back before so much
/// is free.
const REFILLED: i64 = 90;

/// The rules of which files are out.
pub(in crate::sync::budget) fn rules_with_out(connection: &mut Connection) -> Result<Vec<String>, Error> {
    connection.all(RULES_WITH_OUT, &[])
}

/// Somebody wants these files: they are used now, and come back if they are out. How many come back.
pub fn bring(tx: &mut Connection, source_ids: &[String], now: i64) -> Result<u64, Error> {
    let ids = json_list(source_ids);
    tx.run(USED, params![ids, now, now])?;
    let out: Vec<String> = tx.all(OUT_OF, params![ids])?;
    tx.run(BRING, params![ids])?;
    for task in out.iter().filter_map(|source_id| task(source_id)) {
        job::enqueue(tx, &task, Priority::Live, now)?;
    }
    Ok(out.len() as u64)
}

/// Those of these files whose last use is to be written down.
pub fn unused(connection: &mut Connection, source_ids: &[String], now: i64) -> Result<Vec<String>, Error> {
    connection.all(UNUSED, params![json_list(source_ids), now - USED_MS])
}

/// These files are used now.
pub fn used(tx: &mut Connection, source_ids: &[String], now: i64) -> Result<(), Error> {
    tx.run(USED, params![json_list(source_ids), now, now - USED_MS]).map(drop)
}

/// Why this file is out for this rule, in words; none where it is not.
pub fn out_reason(connection: &mut Connection, source_id: &str, rule: &str) -> Result<Option<String>, Error> {
    connection.first(REASON, params![rule, source_id])
}

/// Forgets that a file is out: of all rules, or of those that are not among `rules`, comma-separated.
pub(in crate::sync) fn forget(
    tx: &mut Connection,
    source_id: &str,
    except: Option<&String>,
) -> Result<(), Error> {
    tx.run(FORGET, params![source_id, except]).map(drop)
}

/// The next files that are out behind `after`, by their ids, that a person means.
pub fn out_page(
    connection: &mut Connection,
    (place, rule): (Option<&Place>, Option<&str>),
    (after, most): (&str, u32),
) -> Result<Vec<String>, Error> {
    connection.all(
        OUT_PAGE,
        params![
            after,
            place.map(Place::path),
            place.and_then(Place::globs),
            place.map(Place::text),
            place.map(Place::node),
            rule,
            most,
        ],
    )
}

/// Gives what stands under one rule's name to another name.
pub fn rename_rule(tx: &mut Connection, (old, new): (&str, &str)) -> Result<(), Error> {
    for row in tx.all::<OutRow>(OF_RULE, params![old])? {
        tx.run(COME_IN, params![row.source_id, old])?;
        OutRow { rule: new.to_owned(), ..row }.write(tx)?;
    }
    tx.run(RENAME_COPIES, params![old, new]).map(drop)
}

statements! {
    REASON = "SELECT reason FROM file_out WHERE rule = $1 AND source_id = $2";
    OUT = "
        INSERT INTO file_out (source_id, rule, since, scope, why, wanted, bytes, reason, used_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING";
    OUTSIDE = "
        SELECT source_id, rule, bytes FROM file_out WHERE rule = $1
        ORDER BY used_at DESC, source_id DESC LIMIT $2";
    COME_IN = "DELETE FROM file_out WHERE source_id = $1 AND rule = $2";
    RULES_WITH_OUT = "
        SELECT rule FROM room_count WHERE place IN ('out', 'wanted') AND files > 0 GROUP BY rule ORDER BY rule";
    USED = "
        UPDATE file SET used_at = $2 WHERE source_id IN (SELECT value FROM json_each($1)) AND used_at < $3";
    UNUSED = "SELECT source_id FROM file WHERE source_id IN (SELECT value FROM json_each($1)) AND used_at < $2";
    OUT_OF = "SELECT DISTINCT source_id FROM file_out WHERE source_id IN (SELECT value FROM json_each($1))";
    BRING = "DELETE FROM file_out WHERE source_id IN (SELECT value FROM json_each($1))";
    FORGET = "
        DELETE FROM file_out
        WHERE source_id = $1 AND (CAST($2 AS TEXT) IS NULL OR instr(',' || $2 || ',', ',' || rule || ',') = 0)";
    OUT_PAGE = "
        SELECT f.source_id
        FROM (SELECT DISTINCT source_id FROM file_out
              WHERE source_id > $1 AND (CAST($6 AS TEXT) IS NULL OR rule = $6)) AS o
        JOIN file AS f ON f.source_id = o.source_id
        WHERE (CAST($2 AS TEXT) IS NULL OR f.path = $2 OR substr(f.path, 1, length($2) + 1) = $2 || '/'
               OR f.source_id IN ($4, f.profile || ':' || $5)
               OR EXISTS (SELECT 1 FROM json_each($3) WHERE f.path GLOB value))
        ORDER BY f.source_id LIMIT $7";
    OF_RULE = "
        SELECT source_id, rule, since, scope, why, wanted, bytes, reason, used_at FROM file_out
        WHERE rule = $1 ORDER BY source_id";
    RENAME_COPIES = "UPDATE copy SET rule = $2 WHERE rule = $1";
}
