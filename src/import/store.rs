//! The statements on `import`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::wish::Wish;
use crate::database::{Connection, Error, from_row, params, statements};
use crate::fastio::UploadId;
use crate::job::{self, Task};
use crate::queue::Priority;

/// An import, as people and programs are told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ImportView)]
pub struct Row {
    pub import_id: i64,
    /// `workspace:ID`.
    pub profile: String,
    /// The path of the folder; `/` is the top one.
    pub folder: String,
    pub name: String,
    /// The address without its query, in which a secret may stand.
    #[serde(rename = "url")]
    pub shown: String,
    /// `waiting` and `asked` before Fastio has told of it, then Fastio's words: `pending`, `queued`, `downloading`, `uploading`,
    /// `complete`, `failed`, `canceled`.
    pub state: String,
    /// What Fastio calls the import.
    pub upload: Option<String>,
    /// The file that it made.
    pub node: Option<String>,
    /// Why it failed.
    pub reason: Option<String>,
    /// Unix milliseconds, as every time.
    pub asked_at: i64,
    pub updated_at: i64,
    pub ended_at: Option<i64>,
}

from_row!(Row {
    import_id,
    profile,
    folder,
    name,
    shown,
    state,
    upload,
    node,
    reason,
    asked_at,
    updated_at,
    ended_at
});

/// An import that goes on, with what its work needs.
#[derive(Debug, Clone)]
pub struct Open {
    pub import_id: i64,
    pub profile: String,
    pub folder: String,
    pub name: String,
    pub url: String,
    pub state: String,
    pub folder_id: Option<String>,
    pub others: String,
    pub upload: Option<String>,
    pub misses: i64,
    pub begun_at: Option<i64>,
}

from_row!(Open { import_id, profile, folder, name, url, state, folder_id, others, upload, misses, begun_at });

/// Writes down that this is to be imported, and asks for its job. The same again is the same import: one that failed or was canceled
/// begins anew, any other stays as it is. None while something else is being imported to the same place.
pub fn ask(tx: &mut Connection, wish: &Wish, now: i64) -> Result<Option<Row>, Error> {
    let Wish { profile, folder, name, .. } = wish;
    let (profile, key) = (profile.to_string(), wish.key());
    if tx.one(IS_TAKEN, params![profile, folder, name, key])? {
        return Ok(None);
    }
    tx.run(ASK, params![key, profile, folder, name, wish.url(), wish.shown(), now])?;
    let row: Row = tx.one(OF_KEY, params![key])?;
    if row.ended_at.is_none() {
        job::enqueue(tx, &Task::Import { import: row.import_id }, Priority::Live, now)?;
    }
    Ok(Some(row))
}

pub fn get(connection: &mut Connection, id: i64) -> Result<Option<Row>, Error> {
    connection.first(GET, params![id])
}

/// The newest first; behind `after`, when it is given.
pub fn page(connection: &mut Connection, after: Option<i64>, most: u32) -> Result<Vec<Row>, Error> {
    connection.all(PAGE, params![after.unwrap_or(i64::MAX), most])
}

pub fn open(connection: &mut Connection, id: i64) -> Result<Option<Open>, Error> {
    connection.first(OPEN, params![id])
}

/// Fastio is about to be asked. `others` are imports of the same that it shows already.
pub fn intend(
    tx: &mut Connection,
    id: i64,
    (folder_id, others): (&str, &[UploadId]),
    now: i64,
) -> Result<(), Error> {
    let others = serde_json::to_string(others).expect("texts are JSON");
    tx.run(INTEND, params![id, folder_id, others, now]).map(drop)
}

/// Fastio was not asked after all, or did nothing.
pub fn take_back(tx: &mut Connection, id: i64, now: i64) -> Result<(), Error> {
    tx.run(TAKE_BACK, params![id, now]).map(drop)
}

/// Fastio says how far it is.
pub fn is_at(
    tx: &mut Connection,
    id: i64,
    (upload, state): (&UploadId, &str),
    now: i64,
) -> Result<(), Error> {
    tx.run(IS_AT, params![id, upload.0, state, now]).map(drop)
}

/// It says that it is complete, and its file was not there at this look.
pub fn miss(tx: &mut Connection, id: i64, now: i64) -> Result<(), Error> {
    tx.run(MISS, params![id, now]).map(drop)
}

/// Its file is there. False when it had ended before.
pub fn complete(tx: &mut Connection, id: i64, node: &str, now: i64) -> Result<bool, Error> {
    Ok(tx.run(COMPLETE, params![id, node, now])? > 0)
}

/// It came to nothing: `failed` or `canceled`.
pub fn fail(tx: &mut Connection, id: i64, (state, reason): (&str, &str), now: i64) -> Result<(), Error> {
    tx.run(FAIL, params![id, state, reason, now]).map(drop)
}

/// Forgets at most `most` that ended before `before`: the same asked again is a new import then.
pub fn prune(connection: &mut Connection, before: i64, most: u32) -> Result<u64, Error> {
    connection.run(PRUNE, params![before, most])
}

statements! {
    IS_TAKEN = "
        SELECT EXISTS (
            SELECT 1 FROM import
            WHERE profile = $1 AND folder = $2 AND name = $3 AND ended_at IS NULL AND key <> $4)";
    ASK = "
        INSERT INTO import (key, profile, folder, name, url, shown, state, asked_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, 'waiting', $7, $7)
        ON CONFLICT (key) DO UPDATE SET
            state = 'waiting', url = excluded.url, folder_id = NULL, others = '[]', upload = NULL, misses = 0, node = NULL,
            reason = NULL, asked_at = excluded.asked_at, begun_at = NULL, updated_at = excluded.updated_at, ended_at = NULL
        WHERE import.state IN ('failed', 'canceled')";
    OF_KEY = "SELECT * FROM import WHERE key = $1";
    GET = "SELECT * FROM import WHERE import_id = $1";
    PAGE = "SELECT * FROM import WHERE import_id < $1 ORDER BY import_id DESC LIMIT $2";
    OPEN = "SELECT * FROM import WHERE import_id = $1 AND ended_at IS NULL";
    INTEND = "
        UPDATE import SET state = 'asked', folder_id = $2, others = $3, begun_at = $4, updated_at = $4
        WHERE import_id = $1 AND state = 'waiting'";
    TAKE_BACK = "UPDATE import SET state = 'waiting', begun_at = NULL, updated_at = $2 WHERE import_id = $1 AND state = 'asked'";
    IS_AT = "
        UPDATE import SET upload = $2, state = $3, updated_at = $4
        WHERE import_id = $1 AND ended_at IS NULL AND (state <> $3 OR upload IS NULL)";
    MISS = "UPDATE import SET misses = misses + 1, updated_at = $2 WHERE import_id = $1 AND ended_at IS NULL";
    COMPLETE = "
        UPDATE import SET state = 'complete', node = $2, url = NULL, reason = NULL, ended_at = $3, updated_at = $3
        WHERE import_id = $1 AND ended_at IS NULL";
    FAIL = "
        UPDATE import SET state = $2, reason = $3, url = NULL, ended_at = $4, updated_at = $4
        WHERE import_id = $1 AND ended_at IS NULL";
    PRUNE = "
        DELETE FROM import WHERE import_id IN (
            SELECT import_id FROM import INDEXED BY import_ended
            WHERE ended_at IS NOT NULL AND ended_at < $1 ORDER BY ended_at LIMIT $2)";
}
