//! The same done to many. Which ones is settled when a person confirms it: they are rows from then on, each with its outcome. A job
//! goes through them, some at a time, on whichever server, and begins behind the last when its server dies.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::act::{self, Action, Deed};
use super::guard::Who;
use crate::audit::{self, Entry};
use crate::clock::Clock;
use crate::database::{Connection, Database, Error, Param, from_row, params, statements};
use crate::job::{self, Task};
use crate::queue::{self, Priority, Verdict};
use crate::run::Definition;

/// How many one confirmation can be about. What is more is done in another.
pub const MOST: u32 = 10_000;

/// Done in one transaction, so that the server's own work gets its turn in between.
const BITE: u32 = 100;

/// Those that are kept to look back at.
const KEPT: i64 = 100;

/// What was confirmed, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Bulk)]
pub struct Row {
    pub bulk_id: i64,
    pub action: String,
    pub who: String,
    pub name: Option<String>,
    pub why: Option<String>,
    pub filter: String,
    pub number: i64,
    /// Those that it was done to, and those that it could not be done to any more.
    pub done: i64,
    pub left_as: i64,
    /// `running`, `stopped` or `done`.
    pub state: String,
    pub began_at: i64,
    pub ended_at: Option<i64>,
}

from_row!(Row { bulk_id, action, who, name, why, filter, number, done, left_as, state, began_at, ended_at });

/// One of them that it could not be done to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Left {
    pub item: String,
    pub outcome: String,
}

from_row!(Left { item, outcome });

/// Begins it for these, and answers its number.
pub fn begin(
    tx: &mut Connection,
    (who, deed): (Who, &Deed),
    (filter, items): (&str, &[String]),
    now: i64,
) -> Result<i64, Error> {
    let action = deed.action.as_str();
    let number = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let id: i64 = tx.one(BEGIN, params![action, who.as_str(), deed.name, deed.why, filter, number, now])?;
    tx.run_each(ADD, items.iter().map(|item| [&id as &dyn Param, item]))?;
    for statement in [FORGET_ITEMS, FORGET] {
        tx.run(statement, params![id - KEPT])?;
    }
    let entry = Entry {
        who: who.as_str(),
        name: deed.name.as_deref(),
        action,
        about: &format!("bulk:{id}"),
        filter: Some(filter),
        number,
        why: deed.why.as_deref(),
    };
    audit::record(tx, &entry, now)?;
    job::enqueue(tx, &Task::Bulk { bulk: id }, Priority::Live, now)?;
    Ok(id)
}

/// The job that goes through those that are left.
pub async fn carry_out(database: &Database, known: (&[Arc<Definition>], &Clock), bulk: i64) -> Verdict {
    go_through(database, known, bulk).await.map_or_else(Verdict::from, |()| Verdict::Done)
}

/// Goes through those that are left, until there are none or a person stops it.
///
/// # Errors
/// The database's. What was done until then is done.
pub async fn go_through(
    database: &Database,
    (definitions, clock): (&[Arc<Definition>], &Clock),
    bulk: i64,
) -> Result<(), Error> {
    loop {
        let (definitions, now) = (definitions.to_vec(), clock.now());
        if !database.write(move |tx| bite(tx, &definitions, bulk, now)).await? {
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
}

/// Does it here and now, where perhaps no server works: the job is for whoever comes after this process, if it ends on the way.
/// To how many it was.
///
/// # Errors
/// The database's. The job goes on then.
pub async fn finish_here(database: &Database, clock: &Clock, bulk: i64) -> Result<u64, Error> {
    go_through(database, (&[], clock), bulk).await?;
    let key = Task::Bulk { bulk }.key();
    let end = move |tx: &mut Connection| {
        queue::store::discard_about(tx, std::slice::from_ref(&key), &key)?;
        Ok(get(tx, bulk)?.map_or(0, |row| row.done.unsigned_abs()))
    };
    database.write(end).await
}

/// Does some of them. Whether any may be left.
fn bite(tx: &mut Connection, definitions: &[Arc<Definition>], id: i64, now: i64) -> Result<bool, Error> {
    let Some(row) = get(tx, id)?.filter(|row| row.state == "running") else { return Ok(false) };
    let items: Vec<String> = tx.all(LEFT, params![id, BITE])?;
    let Some(action) = Action::parse(&row.action).filter(|_| !items.is_empty()) else {
        tx.run(END, params![id, "done", now])?;
        return Ok(false);
    };
    let deed = Deed { action, name: row.name, why: row.why };
    let (mut done, mut left) = (0_i64, 0_i64);
    for item in items {
        let outcome = match act::apply(tx, definitions, (&deed, &item), now)? {
            Ok(()) => {
                done += 1;
                String::new()
            }
            Err(why) => {
                left += 1;
                why
            }
        };
        tx.run(SETTLE, params![id, item, outcome])?;
    }
    tx.run(COUNT, params![id, done, left])?;
    Ok(true)
}

/// Ends it where it is. False when it has ended.
pub fn stop(tx: &mut Connection, who: Who, id: i64, now: i64) -> Result<bool, Error> {
    let is_stopped = tx.run(END, params![id, "stopped", now])? == 1;
    if is_stopped {
        let about = format!("bulk:{id}");
        let entry = Entry {
            who: who.as_str(),
            name: None,
            action: "stop",
            about: &about,
            filter: None,
            number: 1,
            why: None,
        };
        audit::record(tx, &entry, now)?;
    }
    Ok(is_stopped)
}

pub fn get(connection: &mut Connection, id: i64) -> Result<Option<Row>, Error> {
    connection.first(GET, params![id])
}

/// The newest first.
pub fn newest(connection: &mut Connection, most: u32) -> Result<Vec<Row>, Error> {
    connection.all(NEWEST, params![most])
}

/// Some of those that it could not be done to, and why.
pub fn left(connection: &mut Connection, id: i64, most: u32) -> Result<Vec<Left>, Error> {
    connection.all(NOT_DONE, params![id, most])
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT bulk_id, action, who, name, why, filter, number, done, left_as, state, began_at, ended_at FROM bulk ",
            $rest
        )
    };
}

statements! {
    BEGIN = "
        INSERT INTO bulk (action, who, name, why, filter, number, began_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
        RETURNING bulk_id";
    ADD = "INSERT INTO bulk_item (bulk_id, item) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    FORGET_ITEMS = "DELETE FROM bulk_item WHERE bulk_id <= $1";
    FORGET = "DELETE FROM bulk WHERE bulk_id <= $1";
    GET = select!("WHERE bulk_id = $1");
    NEWEST = select!("ORDER BY bulk_id DESC LIMIT $1");
    LEFT = "SELECT item FROM bulk_item WHERE bulk_id = $1 AND outcome IS NULL ORDER BY item LIMIT $2";
    NOT_DONE = "
        SELECT item, outcome FROM bulk_item WHERE bulk_id = $1 AND outcome <> '' ORDER BY item LIMIT $2";
    SETTLE = "UPDATE bulk_item SET outcome = $3 WHERE bulk_id = $1 AND item = $2";
    COUNT = "UPDATE bulk SET done = done + $2, left_as = left_as + $3 WHERE bulk_id = $1";
    END = "UPDATE bulk SET state = $2, ended_at = $3 WHERE bulk_id = $1 AND state = 'running'";
}
