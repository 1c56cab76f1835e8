//! The statements on `run_file`: what a run's code interpreter made. One content at a time, because each may be large.

use super::super::row::RunId;
use crate::database::{Connection, Error, from_row, params, statements};

/// A file that a run's code interpreter made.
#[derive(Debug, Clone)]
pub struct Produced {
    pub file_id: String,
    pub container: String,
    pub filename: String,
    /// How much of it is here.
    pub bytes: Option<i64>,
    /// Why its content is not, in words that follow "which".
    pub reason: Option<String>,
}

from_row!(Produced { file_id, container, filename, bytes, reason });

/// Writes down that a run made a file.
pub fn produced(
    connection: &mut Connection,
    id: RunId,
    (container, file_id, filename): (&str, &str, &str),
) -> Result<(), Error> {
    connection.run(PRODUCED, params![id.0, container, file_id, filename]).map(drop)
}

/// The files that a run made.
pub fn all_produced(connection: &mut Connection, id: RunId) -> Result<Vec<Produced>, Error> {
    connection.all(ALL_PRODUCED, params![id.0])
}

/// The content of one.
pub fn content(connection: &mut Connection, id: RunId, file_id: &str) -> Result<Option<Vec<u8>>, Error> {
    Ok(connection.first::<Option<Vec<u8>>>(CONTENT, params![id.0, file_id])?.flatten())
}

/// Keeps what was downloaded, or why nothing could be.
pub fn keep_produced(
    connection: &mut Connection,
    id: RunId,
    file_id: &str,
    content: Result<&[u8], &str>,
) -> Result<(), Error> {
    connection.run(KEEP_PRODUCED, params![id.0, file_id, content.ok(), content.err()]).map(drop)
}

/// Lets go of the files' contents: they are delivered, or have nowhere to go.
pub fn forget_produced(connection: &mut Connection, id: RunId) -> Result<(), Error> {
    connection.run(FORGET_PRODUCED, params![id.0]).map(drop)
}

statements! {
    PRODUCED = "
        INSERT INTO run_file (run_id, container, file_id, filename) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    ALL_PRODUCED = "
        SELECT file_id, container, filename, length(content) AS bytes, reason
        FROM run_file WHERE run_id = $1 ORDER BY rowid";
    CONTENT = "SELECT content FROM run_file WHERE run_id = $1 AND file_id = $2";
    KEEP_PRODUCED = "UPDATE run_file SET content = $3, reason = $4 WHERE run_id = $1 AND file_id = $2";
    FORGET_PRODUCED = "DELETE FROM run_file WHERE run_id = $1";
}
