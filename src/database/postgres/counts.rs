//! The numbers that triggers keep. Each change is a row that says by how much; the sum over them is the number. Here many are put
//! together in one, so that the sum stays short.

use crate::database::connection::Connection;
use crate::database::error::Error;
use crate::database::params;
use crate::database::statement::Sql;

/// Rows that are put together in one transaction: some tens of milliseconds.
const BITE: i64 = 20_000;

/// Rows that cost nothing to add up, and are left as they are.
const FEW: i64 = 500;

/// Puts a bite of the rows of each number together. False when there is more.
///
/// # Errors
/// The database's.
pub fn fold(connection: &mut Connection) -> Result<bool, Error> {
    let mut is_all = true;
    for sql in FOLD {
        let folded: i64 = connection.one(sql, params![FEW, BITE])?;
        is_all &= folded < BITE;
    }
    Ok(is_all)
}

/// Takes what it sees and nobody else has taken, if it is more than a few, and adds it up. What comes meanwhile is not among it.
macro_rules! fold {
    ($table:literal, $keys:literal, $($number:literal),+) => {
        Sql::listed(concat!(
            "WITH these AS (SELECT ctid FROM ",
            $table,
            " WHERE EXISTS (SELECT FROM ",
            $table,
            " OFFSET $1) LIMIT $2 FOR UPDATE SKIP LOCKED),
                  gone AS (DELETE FROM ",
            $table,
            " WHERE ctid = ANY (ARRAY(SELECT ctid FROM these)) RETURNING *),
                  kept AS (INSERT INTO ",
            $table,
            " (",
            $keys,
            $(", ", $number,)+
            ")
                           SELECT ",
            $keys,
            $(", sum(", $number, ")",)+
            " FROM gone GROUP BY ",
            $keys,
            " HAVING false",
            $(" OR sum(", $number, ") <> 0",)+
            ")
             SELECT count(*) FROM gone"
        ))
    };
}

const FOLD: [Sql; 7] = [
    fold!("job_count_part", "state, kind, priority", "jobs"),
    fold!("file_count_part", "state", "files"),
    fold!("copy_count_part", "vector_store, state", "copies"),
    fold!("room_count_part", "rule, place", "files", "bytes", "stored"),
    fold!("event_count_part", "kind", "events"),
    fold!("run_count_part", "word, rule, reason", "runs"),
    fold!("run_existing_count_part", "rule", "files"),
];
