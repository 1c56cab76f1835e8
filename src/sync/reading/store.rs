//! The statements on what was read of a copy.

use crate::database::{Connection, Error, Row, from_row, params, statements};
use crate::fastio::FileKey;
use crate::job::{self, Task};
use crate::openai::FileId;
use crate::queue::Priority;
use crate::sync::copy::{Copy, Draft};

/// A copy and what was counted in it.
#[derive(Debug)]
pub struct Counted {
    pub copy: Copy,
    /// Of a PDF, where they could be.
    pub pages: Option<u32>,
    /// Those that OpenAI can read, without white space.
    pub characters: Option<u64>,
    /// Of a Word document that could be read as it passed.
    pub draft: Option<Draft>,
}

from_row!(row => Counted { copy: Copy::from_row(row)?, pages, characters, draft: draft(row)? });

fn draft(row: &Row<'_>) -> Result<Option<Draft>, Error> {
    let counts: (Option<u32>, Option<u32>) = (row.get("changes")?, row.get("comments")?);
    Ok(counts.0.zip(counts.1).map(|(changes, comments)| Draft { changes, comments }))
}

/// The copy that is this File object.
pub fn copy_of(connection: &mut Connection, file_id: &FileId) -> Result<Option<Counted>, Error> {
    connection.first(COPY_OF, params![file_id.0])
}

/// The File objects of the text that the one with this id is a segment of, in their order; none where it is no segment.
pub fn segments_of(connection: &mut Connection, file_id: &FileId) -> Result<Vec<FileId>, Error> {
    let ids: Vec<String> = connection.all(SEGMENTS_OF, params![file_id.0])?;
    Ok(ids.into_iter().map(FileId).collect())
}

/// The searchable copies of a file of which it is not known what OpenAI read.
pub fn unlooked(connection: &mut Connection, key: &FileKey) -> Result<Vec<Counted>, Error> {
    connection.all(UNLOOKED, params![key.to_string()])
}

/// The searchable copies of a file in which OpenAI can read nothing, or next to nothing.
pub fn unread(connection: &mut Connection, key: &FileKey) -> Result<Vec<Copy>, Error> {
    connection.all(UNREAD, params![key.to_string()])
}

/// Forgets what OpenAI read of a file, where that was not text, and has it looked at again.
pub fn look_again(connection: &mut Connection, key: &FileKey, now: i64) -> Result<(), Error> {
    connection.run(LOOK_AGAIN, params![key.to_string()])?;
    let look = Task::Reading { profile: key.profile.clone(), node: key.node.clone() };
    job::enqueue(connection, &look, Priority::Live, now).map(drop)
}

/// How many files OpenAI holds and can read nothing in, or next to nothing.
pub fn unread_count(connection: &mut Connection) -> Result<i64, Error> {
    connection.one(UNREAD_COUNT, &[])
}

statements! {
    SEGMENTS_OF = "
        SELECT part.file_id FROM copy AS c JOIN copy AS part
            ON part.source_id = c.source_id AND part.vector_store = c.vector_store
               AND part.content_hash = c.content_hash AND part.segments = c.segments
        WHERE c.file_id = $1 AND part.state = 'indexed' ORDER BY part.segment";
    COPY_OF = "SELECT * FROM copy WHERE file_id = $1";
    UNLOOKED = "SELECT * FROM copy WHERE source_id = $1 AND state = 'indexed' AND reading IS NULL ORDER BY id";
    UNREAD = "
        SELECT * FROM copy WHERE source_id = $1 AND state = 'indexed' AND reading IN ('little', 'nothing') ORDER BY id";
    LOOK_AGAIN = "
        UPDATE copy SET reading = NULL, characters = NULL
        WHERE source_id = $1 AND state = 'indexed' AND reading IN ('little', 'nothing')";
    UNREAD_COUNT = "
        SELECT count(DISTINCT c.source_id) FROM copy AS c INDEXED BY copy_unread JOIN file AS f ON f.source_id = c.source_id
        WHERE c.reading IN ('little', 'nothing') AND c.state = 'indexed' AND f.state = 'present'";
}
