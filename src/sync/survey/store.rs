//! The statements on `file`, `copy`, `vector_store` and `lost_upload` that look at many rows, and those that correct a
//! belief. Each of the latter says what it expects to find, so that a job that was there first is not undone.

use std::collections::{BTreeMap, HashMap};

use crate::database::{Connection, Error, from_row, json_list, params, statements};
use crate::openai::{Attributes, FileId, VectorStoreId};
use crate::sync::copy::{Copy, CopyId, Segment, Source};
use crate::sync::store::{Held, bytes, hash_text, json, source};

/// The copies that these File objects are, each with its file's id.
pub fn copies_by_object(
    connection: &mut Connection,
    file_ids: &[FileId],
) -> Result<HashMap<FileId, (String, Copy)>, Error> {
    let ids: Vec<&str> = file_ids.iter().map(|id| id.0.as_str()).collect();
    let held: Vec<Held> = connection.all(COPIES_BY_OBJECT, params![json_list(&ids)])?;
    let copies = held
        .into_iter()
        .filter_map(|Held { source_id, copy }| Some((copy.file_id.clone()?, (source_id, copy))));
    Ok(copies.collect())
}

/// The next ids, in their order, of files that we take for present or hold a copy of.
pub fn page(connection: &mut Connection, after: &str, limit: u32) -> Result<Vec<String>, Error> {
    connection.all(PAGE, params![after, limit])
}

/// How many files with copies there are under each set of rules, comma-separated.
pub fn held_by_rules(connection: &mut Connection) -> Result<Vec<(String, u64)>, Error> {
    connection.all(HELD_BY_RULES, &[])
}

/// The next copies after `after` that have been searchable since before `before`, in the order of their making.
pub fn indexed(
    connection: &mut Connection,
    after: CopyId,
    before: i64,
    limit: u32,
) -> Result<Vec<Held>, Error> {
    connection.all(INDEXED, params![after.0, before, limit])
}

/// The vector stores that copies are in, whether a rule still names them or not.
pub fn stores(connection: &mut Connection) -> Result<Vec<VectorStoreId>, Error> {
    let ids: Vec<String> = connection.all(STORES, &[])?;
    Ok(ids.into_iter().map(VectorStoreId).collect())
}

/// The intents that were carried out, each with the store that is on record for it.
pub fn intents(connection: &mut Connection) -> Result<HashMap<String, VectorStoreId>, Error> {
    let rows: Vec<(String, String)> = connection.all(INTENTS, &[])?;
    Ok(rows.into_iter().map(|(intent, id)| (intent, VectorStoreId(id))).collect())
}

/// Writes down a store that was found to be the one made under `name`.
pub fn remake(
    connection: &mut Connection,
    (name, intent): (&str, &str),
    id: &VectorStoreId,
    now: i64,
) -> Result<(), Error> {
    connection.run(REMAKE, params![name, intent, id.0, now])?;
    Ok(())
}

/// Writes down a store that was found to continue `first` as its number `number`.
pub fn recontinue(
    connection: &mut Connection,
    (name, intent): (&str, &str),
    (id, first, number): (&VectorStoreId, &VectorStoreId, u32),
    now: i64,
) -> Result<(), Error> {
    connection.run(RECONTINUE, params![name, intent, id.0, now, first.0, number])?;
    Ok(())
}

/// Something at OpenAI that is ours and in no table.
#[derive(Debug, Clone, PartialEq)]
pub struct Adopted {
    pub source_id: String,
    pub profile: String,
    pub node: String,
    /// As far as its attributes say.
    pub path: String,
    pub rule: String,
    pub store: VectorStoreId,
    /// `uploaded`, `attached`, `indexed` or `retiring`.
    pub state: &'static str,
    pub source: Source,
    pub content_hash: String,
    pub filename: String,
    pub bytes: u64,
    pub file_id: FileId,
    pub attributes: Option<Attributes>,
    pub segment: Option<Segment>,
}

/// Takes a copy into the tables, and its file when that is not known. False when the copy was there already.
pub fn adopt(connection: &mut Connection, adopted: &Adopted, now: i64) -> Result<bool, Error> {
    let Source { version, hash, size, modified_at } = &adopted.source;
    let version = version.as_ref().map(|version| &version.0);
    let inserted = connection.run(
        ADOPT,
        params![
            adopted.source_id,
            adopted.store.0,
            adopted.state,
            version,
            hash.as_ref().map(hash_text),
            bytes(*size),
            modified_at,
            adopted.content_hash,
            adopted.filename,
            bytes(adopted.bytes),
            adopted.file_id.0,
            adopted.attributes.as_ref().map(json),
            now,
            adopted.segment.map(|segment| segment.number),
            adopted.segment.and_then(|segment| segment.count),
            adopted.rule,
        ],
    )?;
    connection.run(
        ADOPT_FILE,
        params![
            adopted.source_id,
            adopted.profile,
            adopted.node,
            adopted.path,
            adopted.rule,
            version,
            bytes(*size),
            modified_at,
            now,
        ],
    )?;
    Ok(inserted == 1)
}

/// The vector store has other attributes than we told it.
pub fn doubt_attributes(
    connection: &mut Connection,
    copy: CopyId,
    attributes: &Attributes,
) -> Result<bool, Error> {
    Ok(connection.run(DOUBT_ATTRIBUTES, params![copy.0, json(attributes)])? == 1)
}

/// The vector store does not hold it (any more), although it has been searchable since before `before`.
pub fn doubt_attachment(
    connection: &mut Connection,
    copy: CopyId,
    before: i64,
    now: i64,
) -> Result<bool, Error> {
    Ok(connection.run(DOUBT_ATTACHMENT, params![copy.0, before, now])? == 1)
}

/// The vector store holds it and does not find it: its index failed, or began anew.
pub fn doubt_index(connection: &mut Connection, copy: CopyId, now: i64) -> Result<bool, Error> {
    Ok(connection.run(DOUBT_INDEX, params![copy.0, now])? == 1)
}

/// The File object is gone, and with it what the store has of it: the file needs another copy.
pub fn doubt_object(connection: &mut Connection, copy: CopyId, now: i64) -> Result<bool, Error> {
    Ok(connection.run(DOUBT_OBJECT, params![copy.0, now])? == 1)
}

/// An upload that was given up, and what would prove that a File object is its.
#[derive(Debug, Clone, PartialEq)]
pub struct LostUpload {
    pub id: i64,
    pub source_id: String,
    pub vector_store: String,
    pub source: Source,
    pub content_hash: String,
    pub filename: String,
    pub bytes: u64,
    pub begun_at: i64,
    pub lost_at: i64,
}

from_row!(row => LostUpload {
    id,
    source_id,
    vector_store,
    source: source(row, ["version", "hash", "size", "modified_at"])?,
    content_hash,
    filename,
    bytes,
    begun_at,
    lost_at,
});

/// The newest `limit` uploads that were given up.
pub fn lost_uploads(connection: &mut Connection, limit: u32) -> Result<Vec<LostUpload>, Error> {
    connection.all(LOST_UPLOADS, params![limit])
}

/// Uploads of this size, and of this name where there is one, that were given up after `since`.
pub fn lost_like(
    connection: &mut Connection,
    length: u64,
    filename: Option<&str>,
    since: i64,
) -> Result<Vec<LostUpload>, Error> {
    connection.all(LOST_LIKE, params![bytes(length), filename, since])
}

/// Forgets an upload that was found, or all that were given up before `before`.
pub fn forget_lost(connection: &mut Connection, id: Option<i64>, before: i64) -> Result<u64, Error> {
    connection.run(FORGET_LOST, params![id, before])
}

/// Forgets the uploads of this file that were given up.
pub fn forget_lost_of(connection: &mut Connection, source_id: &str) -> Result<(), Error> {
    connection.run(FORGET_LOST_OF, params![source_id]).map(drop)
}

/// Whether an upload of this size is under way, or not settled.
pub fn is_uploading(connection: &mut Connection, length: u64) -> Result<bool, Error> {
    Ok(connection.first::<i64>(UPLOADING, params![bytes(length)])?.is_some())
}

/// Whether one of these File objects, each with its name there, is a copy of ours that was sent under another.
pub fn any_renamed(connection: &mut Connection, names: &BTreeMap<String, String>) -> Result<bool, Error> {
    let names = serde_json::to_string(names).expect("texts are JSON");
    Ok(connection.first::<i64>(RENAMED, params![names])?.is_some())
}

statements! {
    COPIES_BY_OBJECT = "SELECT * FROM copy WHERE file_id IN (SELECT value FROM json_each($1))";
    PAGE = "
        SELECT source_id FROM file WHERE source_id > $1 AND state <> 'gone'
        UNION
        SELECT source_id FROM copy WHERE source_id > $1
        ORDER BY source_id LIMIT $2";
    HELD_BY_RULES = "
        SELECT rules, COUNT(*) FROM file
        WHERE EXISTS (SELECT 1 FROM copy WHERE copy.source_id = file.source_id)
        GROUP BY rules";
    INDEXED = "
        SELECT * FROM copy
        WHERE id > $1 AND state = 'indexed' AND since < $2
        ORDER BY id LIMIT $3";
    STORES = "SELECT DISTINCT vector_store FROM copy_count WHERE copies > 0 ORDER BY 1";
    INTENTS = "SELECT intent, vector_store_id FROM vector_store WHERE vector_store_id IS NOT NULL";
    REMAKE = "
        INSERT INTO vector_store (name, intent, vector_store_id, created_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (name) DO UPDATE SET intent = excluded.intent, vector_store_id = excluded.vector_store_id";
    RECONTINUE = "
        INSERT INTO vector_store (name, intent, vector_store_id, created_at, continues, number) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (name) DO UPDATE SET intent = excluded.intent, vector_store_id = excluded.vector_store_id,
                                         continues = excluded.continues, number = excluded.number";
    ADOPT = "
        INSERT INTO copy (source_id, vector_store, state, version, hash, size, modified_at, content_hash, filename, bytes,
                          file_id, attributes, attaches, since, segment, segments, rule, used_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1, $13, $14, $15, $16,
                coalesce((SELECT used_at FROM file WHERE source_id = $1), $7, 0))
        ON CONFLICT (file_id) DO NOTHING";
    ADOPT_FILE = "
        INSERT INTO file (source_id, profile, node, state, path, ancestors, rules, version, size, modified_at, seen_at, used_at)
        VALUES ($1, $2, $3, 'present', $4, '', $5, $6, $7, $8, $9, coalesce(CAST($8 AS BIGINT), 0))
        ON CONFLICT (source_id) DO NOTHING";
    DOUBT_ATTRIBUTES = "UPDATE copy SET attributes = $2 WHERE id = $1 AND state IN ('attached', 'indexed')";
    DOUBT_ATTACHMENT = "
        UPDATE copy SET state = 'uploaded', since = $3
        WHERE id = $1 AND state = 'indexed' AND since < $2";
    DOUBT_INDEX = "UPDATE copy SET state = 'attached', since = $2 WHERE id = $1 AND state = 'indexed'";
    DOUBT_OBJECT = "
        UPDATE copy SET state = 'retiring', since = $2
        WHERE id = $1 AND state IN ('attached', 'indexed')";
    LOST_UPLOADS = "SELECT * FROM lost_upload ORDER BY id DESC LIMIT $1";
    LOST_LIKE = "
        SELECT * FROM lost_upload
        WHERE bytes = $1 AND (CAST($2 AS TEXT) IS NULL OR filename = $2) AND lost_at > $3
        ORDER BY id";
    FORGET_LOST = "DELETE FROM lost_upload WHERE id = $1 OR (CAST($1 AS BIGINT) IS NULL AND lost_at < $2)";
    FORGET_LOST_OF = "DELETE FROM lost_upload WHERE source_id = $1";
    UPLOADING = "SELECT id FROM copy WHERE state = 'uploading' AND bytes = $1";
    RENAMED = "
        SELECT copy.id FROM json_each($1) AS there CROSS JOIN copy ON copy.file_id = there.key
        WHERE copy.state <> 'retiring' AND copy.filename <> there.value LIMIT 1", postgres: "
        SELECT copy.id FROM json_each_text($1::json) AS there JOIN copy ON copy.file_id = there.key
        WHERE copy.state <> 'retiring' AND copy.filename <> there.value LIMIT 1";
}
