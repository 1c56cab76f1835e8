//! The statements that read `copy`.

use std::collections::HashMap;

use super::source;
use crate::database::{Connection, Error, Row, from_row, json_list, params, statements};
use crate::fastio::FileKey;
use crate::openai::{Attributes, FileId, VectorStoreId};
use crate::sync::copy::{Copy, CopyId, CopyState, Reading, Segment};

/// Every copy of a file.
pub fn copies(connection: &mut Connection, key: &FileKey) -> Result<Vec<Copy>, Error> {
    connection.all(COPIES, params![key.to_string()])
}

/// A copy, with its file's id.
#[derive(Debug, Clone)]
pub struct Held {
    pub source_id: String,
    pub copy: Copy,
}

from_row!(row => Held { source_id, copy: Copy::from_row(row)? });

/// The copies of these files, by the file's id.
pub fn copies_of(
    connection: &mut Connection,
    source_ids: &[String],
) -> Result<HashMap<String, Vec<Copy>>, Error> {
    let mut copies: HashMap<String, Vec<Copy>> = HashMap::new();
    for Held { source_id, copy } in connection.all(COPIES_OF, params![json_list(source_ids)])? {
        copies.entry(source_id).or_default().push(copy);
    }
    Ok(copies)
}

from_row!(row => Copy {
    id: CopyId(row.get("id")?),
    store: VectorStoreId(row.get("vector_store")?),
    state: state(&row.get::<String>("state")?)?,
    source: source(row, ["version", "hash", "size", "modified_at"])?,
    content_hash,
    filename,
    bytes,
    claim,
    segment: segment(row)?,
    reading: row.get::<Option<String>>("reading")?.as_deref().and_then(Reading::of),
    file_id: row.get::<Option<String>>("file_id")?.map(FileId),
    attributes: attributes(row)?,
    attaches: row.get::<i64>("attaches")?.try_into().unwrap_or(u16::MAX),
    given: json_attributes(row.get("given")?)?,
    unanswered_at,
    deleted_at,
    awaits: json_attributes(row.get("awaits")?)?,
    batch,
    since,
});

fn segment(row: &Row<'_>) -> Result<Option<Segment>, Error> {
    let (number, count) = (row.get::<Option<u32>>("segment")?, row.get("segments")?);
    Ok(number.map(|number| Segment { number, count }))
}

fn state(text: &str) -> Result<CopyState, Error> {
    let known = CopyState::ALL.into_iter().find(|known| known.as_str() == text);
    known.ok_or_else(|| Error::bug("a copy is in an unknown state"))
}

fn attributes(row: &Row<'_>) -> Result<Option<Attributes>, Error> {
    json_attributes(row.get("attributes")?)
}

pub(in crate::sync) fn json_attributes(text: Option<String>) -> Result<Option<Attributes>, Error> {
    let read = text.map(|text| serde_json::from_str(&text)).transpose();
    read.map_err(|_| Error::bug("the attributes of a copy are no JSON"))
}

/// Whether a File object belongs to one of our copies.
pub fn is_ours(connection: &mut Connection, file_id: &FileId) -> Result<bool, Error> {
    Ok(connection.first::<i64>(OF_FILE, params![file_id.0])?.is_some())
}

/// How many copies are in each state.
pub fn copy_counts(connection: &mut Connection) -> Result<Vec<(String, i64)>, Error> {
    connection.all(COPY_COUNTS, &[])
}

/// How many copies each vector store has in each state.
pub fn copies_by_store(connection: &mut Connection) -> Result<Vec<(String, String, i64)>, Error> {
    connection.all(COPIES_BY_STORE, &[])
}

statements! {
    COPIES_BY_STORE = "
        SELECT vector_store, state, sum(copies) FROM copy_count GROUP BY vector_store, state
        HAVING sum(copies) > 0 ORDER BY vector_store, state";
    COPIES = "SELECT * FROM copy WHERE source_id = $1 ORDER BY id";
    COPIES_OF = "SELECT * FROM copy WHERE source_id IN (SELECT value FROM json_each($1)) ORDER BY id";
    OF_FILE = "SELECT id FROM copy WHERE file_id = $1";
    COPY_COUNTS = "SELECT state, sum(copies) FROM copy_count GROUP BY state HAVING sum(copies) > 0 ORDER BY state";
}
