//! The statements of an upload: what is about to be sent, and what was.

use crate::database::{Connection, Error, params, statements};
use crate::fastio::FileKey;
use crate::openai::VectorStoreId;
use crate::sync::copy::{CopyId, Reading, Source};
use crate::sync::relay::Passed;
use crate::sync::store::{bytes, hash_text};

/// What is about to be uploaded.
#[derive(Debug)]
pub struct Intent {
    pub key: FileKey,
    pub store: VectorStoreId,
    /// The rule that it is held for.
    pub rule: String,
    pub source: Source,
    pub filename: String,
    pub bytes: u64,
    /// What name and type say it is.
    pub claim: String,
    /// Which part of it, if it is cut.
    pub segment: Option<u32>,
}

/// As what a file goes to OpenAI, once its bytes have shown what it is.
#[derive(Debug)]
pub struct Shape {
    pub filename: String,
    pub bytes: u64,
    /// Of a text that was read as a whole: those that are no white space.
    pub characters: Option<u64>,
    /// It goes as text, so what OpenAI reads in it is known.
    pub is_text: bool,
}

/// Writes down that all of a file was read, and as what it goes. False while another upload of that name and size is not
/// yet settled. Written before OpenAI can have answered.
pub fn passed(
    connection: &mut Connection,
    copy: CopyId,
    (passed, shape): (&Passed, &Shape),
) -> Result<bool, Error> {
    let written = connection.run(
        PASSED,
        params![
            copy.0,
            passed.sha256,
            shape.filename,
            bytes(shape.bytes),
            passed.note,
            shape.characters.map(bytes),
            passed.pages,
            shape.is_text.then_some(Reading::Text.as_str()),
            passed.draft.map(|draft| draft.changes),
            passed.draft.map(|draft| draft.comments),
        ],
    )?;
    Ok(written == 1)
}

/// Writes an upload down before it begins. `None` while another upload of that name and size is not yet settled.
pub fn intend(connection: &mut Connection, intent: &Intent, now: i64) -> Result<Option<CopyId>, Error> {
    let Source { version, hash, size, modified_at } = &intent.source;
    let id: Option<i64> = connection.first(
        INTEND,
        params![
            intent.key.to_string(),
            intent.store.0,
            version.as_ref().map(|version| &version.0),
            hash.as_ref().map(hash_text),
            bytes(*size),
            modified_at,
            intent.filename,
            bytes(intent.bytes),
            now,
            intent.claim,
            intent.segment,
            intent.rule,
        ],
    )?;
    Ok(id.map(CopyId))
}

/// Since when an upload of this name and size is not settled, in Unix milliseconds.
pub fn unsettled_since(
    connection: &mut Connection,
    (filename, size): (&str, u64),
) -> Result<Option<i64>, Error> {
    connection.one(UNSETTLED_SINCE, params![filename, bytes(size)])
}

statements! {
    UNSETTLED_SINCE = "
        SELECT min(since) FROM copy WHERE state = 'uploading' AND filename = $1 AND bytes = $2";
    INTEND = "
        INSERT INTO copy (source_id, vector_store, state, version, hash, size, modified_at, filename, bytes, since,
                          claim, segment, rule, used_at)
        VALUES ($1, $2, 'uploading', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,
                coalesce((SELECT used_at FROM file WHERE source_id = $1), 0))
        ON CONFLICT DO NOTHING
        RETURNING id";
    PASSED = "
        UPDATE OR IGNORE copy SET content_hash = $2, filename = $3, bytes = $4, note = $5, characters = $6, pages = $7,
                                  reading = $8, changes = $9, comments = $10
        WHERE id = $1", postgres: "
        UPDATE copy SET content_hash = $2, filename = $3, bytes = $4, note = $5, characters = $6, pages = $7,
                        reading = $8, changes = $9, comments = $10
        WHERE id = $1 AND NOT EXISTS (
            SELECT 1 FROM copy AS there
            WHERE there.state = 'uploading' AND there.filename = $3 AND there.bytes = $4 AND there.id <> $1)";
}
