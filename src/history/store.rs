//! The statements on `history`.

use crate::database::{Connection, Error, from_row, params, statements};
use crate::queue::trail::Step;
use crate::queue::{Attempt, Ended};

/// Rows of one file that are kept: weeks of a file that is edited each day, or a bad day.
pub const MOST_ROWS: u32 = 200;

/// How many rows are written for each time that is looked whether a file has too many: it may have some more for a while.
const LOOK_EVERY: u32 = 16;

/// An attempt that ended.
#[derive(Debug)]
pub struct New<'a> {
    pub source_id: &'a str,
    pub task: &'a str,
    pub rule: Option<&'a str>,
    pub attempt: &'a Attempt<'a>,
    pub server: &'a str,
    pub steps: &'a [Step],
}

/// What is on record of attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub task: String,
    pub rule: Option<String>,
    pub job_id: i64,
    pub attempt: u16,
    pub times: i64,
    pub due_at: Option<i64>,
    pub began_at: Option<i64>,
    pub ended_at: i64,
    pub ended: Ended,
    pub reason: Option<String>,
    pub server: String,
    pub request_id: Option<String>,
    pub steps: Vec<Step>,
}

from_row!(row => Row {
    task,
    rule,
    job_id,
    attempt,
    times,
    due_at,
    began_at,
    ended_at,
    ended: Ended::read(&row.get::<String>("ended")?),
    reason,
    server,
    request_id,
    // A later version may know steps that this one does not.
    steps: serde_json::from_str(&row.get::<String>("steps")?).unwrap_or_default(),
});

/// Writes an attempt down.
///
/// # Errors
/// The database's.
pub fn record(connection: &mut Connection, new: &New<'_>) -> Result<(), Error> {
    let New { source_id, task, rule, attempt, server, steps } = new;
    let ended = attempt.ended.as_str();
    if attempt.ended.waits() && steps.is_empty() {
        let longer = params![source_id, attempt.job_id, ended, attempt.reason, attempt.ended_at];
        if connection.run(LONGER, longer)? == 1 {
            return Ok(());
        }
    }
    // Most looks find a file as it should be. That is news only where something was in the way before.
    let is_news = attempt.ended != Ended::Done || !steps.is_empty();
    let steps = serde_json::to_string(steps).expect("steps are texts and numbers");
    let row = params![
        source_id,
        task,
        rule,
        attempt.job_id,
        attempt.number,
        attempt.due_at,
        attempt.began_at,
        attempt.ended_at,
        ended,
        attempt.reason,
        server,
        attempt.request_id,
        steps,
        is_news
    ];
    let recorded = connection.run(RECORD, row)?;
    if recorded > 0 && fastrand::u32(0..LOOK_EVERY) == 0 {
        trim(connection, source_id)?;
    }
    Ok(())
}

fn trim(connection: &mut Connection, source_id: &str) -> Result<u64, Error> {
    connection.run(TRIM, params![source_id, MOST_ROWS])
}

/// The newest rows of a file, the oldest of them first.
///
/// # Errors
/// The database's.
pub fn of(connection: &mut Connection, source_id: &str) -> Result<Vec<Row>, Error> {
    let mut rows: Vec<Row> = connection.all(OF, params![source_id, MOST_ROWS])?;
    rows.reverse();
    Ok(rows)
}

/// An attempt with its number and its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    pub history_id: i64,
    pub source_id: String,
    pub row: Row,
}

from_row!(row => Numbered { history_id, source_id, row: Row::from_row(row)? });

/// The number of the newest attempt; 0 when there is none.
///
/// # Errors
/// The database's.
pub fn newest(connection: &mut Connection) -> Result<i64, Error> {
    Ok(connection.first(NEWEST, params![])?.unwrap_or(0))
}

/// The first `limit` attempts behind this number.
///
/// # Errors
/// The database's.
pub fn since(connection: &mut Connection, history_id: i64, limit: u32) -> Result<Vec<Numbered>, Error> {
    connection.all(SINCE, params![history_id, limit])
}

/// Forgets what was tried for a file.
///
/// # Errors
/// The database's.
pub fn forget(connection: &mut Connection, source_ids: &crate::database::JsonList) -> Result<u64, Error> {
    connection.run(FORGET, params![source_ids])
}

/// Forgets at most `limit` attempts that ended before `before`, and says how many. They are in the order of time.
///
/// # Errors
/// The database's.
pub fn prune(connection: &mut Connection, before: i64, limit: u32) -> Result<u64, Error> {
    connection.run(PRUNE, params![before, limit])
}

statements! {
    RECORD = "
        INSERT INTO history (source_id, task, rule, job_id, attempt, due_at, began_at, ended_at, ended, reason, server,
                             request_id, steps)
        SELECT $1, $2, CAST($3 AS TEXT), CAST($4 AS BIGINT), CAST($5 AS BIGINT), CAST($6 AS BIGINT), CAST($7 AS BIGINT),
               CAST($8 AS BIGINT), $9, CAST($10 AS TEXT), $11, CAST($12 AS TEXT), $13
        WHERE CAST($14 AS BIGINT) = 1 OR EXISTS (SELECT 1 FROM history WHERE source_id = $1 AND job_id = CAST($4 AS BIGINT))";
    LONGER = "
        UPDATE history SET times = times + 1, ended_at = $5
        WHERE history_id = (SELECT history_id FROM history WHERE source_id = $1 ORDER BY history_id DESC LIMIT 1)
          AND job_id = $2 AND ended = $3 AND reason IS NOT DISTINCT FROM $4 AND steps = '[]'";
    TRIM = "
        DELETE FROM history WHERE source_id = $1 AND history_id <= (
            SELECT history_id FROM history WHERE source_id = $1 ORDER BY history_id DESC LIMIT 1 OFFSET $2)";
    OF = "
        SELECT task, rule, job_id, attempt, times, due_at, began_at, ended_at, ended, reason, server, request_id, steps
        FROM history WHERE source_id = $1 ORDER BY history_id DESC LIMIT $2";
    NEWEST = "SELECT history_id FROM history ORDER BY history_id DESC LIMIT 1";
    SINCE = "
        SELECT history_id, source_id, task, rule, job_id, attempt, times, due_at, began_at, ended_at, ended, reason, server,
               request_id, steps
        FROM history WHERE history_id > $1 ORDER BY history_id LIMIT $2";
    FORGET = "DELETE FROM history WHERE source_id IN (SELECT value FROM json_each($1))";
    PRUNE = "
        DELETE FROM history WHERE history_id IN (SELECT history_id FROM history ORDER BY history_id LIMIT $2)
          AND ended_at < $1";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{in_memory, json_list};
    use crate::queue::trail::{Trail, What};

    fn add(connection: &mut Connection, source_id: &str, (ended, at): (Ended, i64), trail: &Trail) {
        let attempt = Attempt {
            job_id: 1,
            key: "",
            number: 1,
            due_at: Some(at),
            began_at: Some(at),
            ended_at: at + 1,
            ended,
            reason: Some("OpenAI is indexing it"),
            request_id: None,
            trail,
        };
        let steps = trail.steps();
        let new =
            New { source_id, task: "file", rule: None, attempt: &attempt, server: "here", steps: &steps };
        record(connection, &new).unwrap();
    }

    #[test]
    fn what_waits_for_the_same_again_makes_one_row_longer_and_a_file_has_so_many_rows() {
        let mut connection = in_memory();
        let (none, trail) = (Trail::default(), Trail::default());
        trail.add(What::Uploaded, (1, 2), "");
        add(&mut connection, "a", (Ended::Waits, 10), &trail);
        for at in 20..30 {
            add(&mut connection, "a", (Ended::Waits, at), &none);
        }
        let rows = of(&mut connection, "a").unwrap();
        let seen: Vec<_> = rows.iter().map(|row| (row.times, row.began_at, row.ended_at)).collect();
        assert_eq!(seen, [(1, Some(10), 11), (10, Some(20), 30)]);
        assert_eq!(rows[0].steps, trail.steps());
        for at in 0..i64::from(MOST_ROWS) + 50 {
            add(&mut connection, "b", (Ended::Failed, at), &none);
        }
        trim(&mut connection, "b").unwrap();
        assert_eq!(of(&mut connection, "b").unwrap()[0].began_at, Some(50));
        assert_eq!(trim(&mut connection, "b").unwrap(), 0);
        assert_eq!(forget(&mut connection, &json_list(&["a"])).unwrap(), 2);
        assert_eq!(prune(&mut connection, 61, 500).unwrap(), 10, "those that ended before");
        assert_eq!(of(&mut connection, "b").unwrap()[0].began_at, Some(60));
    }
}
