//! What a search found, told by what is on record: which file it is of, and whether it is what the file is.

use super::Row;
use super::store::of_files;
use crate::database::{Connection, Error, from_row, json_list, params, statements};
use crate::openai::VectorStoreId;
use crate::sync::store::is_whole;

/// A copy that a search found.
#[derive(Debug, Clone)]
pub struct Found {
    pub file_id: String,
    pub vector_store: String,
    /// The version at Fastio, and the SHA-256, of what was found.
    pub version: Option<String>,
    pub content_hash: Option<String>,
    /// It is the present content of its file.
    pub is_present: bool,
    /// Why it is no answer any more, though OpenAI still gives it.
    pub over: Option<Over>,
    /// Its file, as `docket files` tells of it.
    pub file: Row,
}

/// Why a copy is no answer any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Its file is gone from Fastio, or is not to be held.
    Deleted,
    /// The file's present content is searchable beside it.
    Superseded,
    /// It is a part of a text that was cut, of which not all is searchable.
    Incomplete,
}

struct Line {
    source_id: String,
    file_id: String,
    vector_store: String,
    version: Option<String>,
    content_hash: Option<String>,
    is_present: bool,
    is_replaced: bool,
    is_retiring: bool,
    is_incomplete: bool,
    file_state: Option<String>,
}

from_row!(Line {
    source_id,
    file_id,
    vector_store,
    version,
    content_hash,
    is_present,
    is_replaced,
    is_retiring,
    is_incomplete,
    file_state,
});

/// The copies that these File objects are, found in a search of `stores`: one of an older version is over when the newer one can be
/// found there. Those of which nothing is on record are left out.
pub fn found(
    connection: &mut Connection,
    file_ids: &[String],
    stores: &[VectorStoreId],
) -> Result<Vec<Found>, Error> {
    let lines: Vec<Line> = connection.all(FOUND, params![json_list(file_ids), json_list(stores)])?;
    let mut ids: Vec<String> = lines.iter().map(|line| line.source_id.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    let rows = of_files(connection, &ids)?;
    let of_file = |line: Line| {
        // Of a copy in segments only one is listed.
        let is_of = |row: &&Row| {
            row.source_id == line.source_id && row.copy.vector_store.as_ref() == Some(&line.vector_store)
        };
        let is_it = |row: &&Row| is_of(row) && row.copy.file_id.as_deref() == Some(&line.file_id);
        let file = rows.iter().find(is_it).or_else(|| rows.iter().find(is_of))?.clone();
        let is_there = line.file_state.as_deref() == Some("present");
        let is_over = line.is_retiring || (line.is_replaced && !line.is_present);
        let over = match (is_there, is_over) {
            (false, _) => Some(Over::Deleted),
            (true, true) => Some(Over::Superseded),
            (true, false) => line.is_incomplete.then_some(Over::Incomplete),
        };
        let Line { file_id, vector_store, version, content_hash, is_present, .. } = line;
        Some(Found { file_id, vector_store, version, content_hash, is_present, over, file })
    };
    Ok(lines.into_iter().filter_map(of_file).collect())
}

statements! {
    FOUND = concat!(
        "SELECT h.source_id, h.file_id, h.vector_store, h.version, h.content_hash, f.state AS file_state,
                h.state = 'retiring' AS is_retiring,
                EXISTS (SELECT 1 FROM copy AS c WHERE c.id = h.id AND ", same_content!(), ") AS is_present,
                EXISTS (SELECT 1 FROM copy AS c
                        WHERE c.source_id = h.source_id AND c.id <> h.id
                              AND c.vector_store IN (SELECT value FROM json_each($2))
                              AND ", is_whole!(), " AND ", same_content!(), ") AS is_replaced,
                h.segment IS NOT NULL AND NOT EXISTS (
                    SELECT 1 FROM copy AS c
                    WHERE c.source_id = h.source_id AND c.vector_store = h.vector_store AND c.segments = h.segments
                          AND c.content_hash = h.content_hash AND ", is_whole!(), ") AS is_incomplete
         FROM copy AS h LEFT JOIN file AS f ON f.source_id = h.source_id
         WHERE h.file_id IN (SELECT value FROM json_each($1))");
}
