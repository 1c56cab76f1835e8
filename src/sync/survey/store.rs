//! The statements on `file`, `copy`, `vector_store` and `lost_upload` that look at many rows, and those that correct a
//! belief. Each of the latter says what it expects to find, so that a job that was there first is not undone.

use std::collections::HashMap;

use sqlx::{FromRow, Row};

use crate::database::{Connection, Error};
use crate::openai::{Attributes, FileId, VectorStoreId};
use crate::sync::copy::{Copy, CopyId, Source};
use crate::sync::store::{copy, hash_text, json, parse_hash, size};

/// A row of `file`.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct FileRow {
    pub source_id: String,
    pub profile: String,
    pub node: String,
    pub state: String,
    pub path: String,
    /// The rules that cover it, comma-separated.
    pub rules: String,
    version: Option<String>,
    hash: Option<String>,
    size: i64,
    modified_at: Option<i64>,
    /// The content that OpenAI could not index.
    pub refused: Option<String>,
    /// When a job last looked.
    pub seen_at: i64,
    /// Empty when nobody has looked at the file since the tables were rebuilt.
    ancestors: String,
}

impl FileRow {
    pub fn source(&self) -> Source {
        Source {
            version: self.version.clone().map(crate::fastio::VersionId),
            hash: self.hash.as_deref().and_then(parse_hash),
            size: u64::try_from(self.size).unwrap_or(0),
            modified_at: self.modified_at,
        }
    }

    /// Whether a job has looked at the file, rather than a rebuild guessed it from a copy.
    pub fn was_seen(&self) -> bool {
        !self.ancestors.is_empty()
    }
}

/// The rows of these files, by their id.
pub async fn files(
    connection: &mut Connection,
    source_ids: &[&str],
) -> Result<HashMap<String, FileRow>, Error> {
    let rows: Vec<FileRow> =
        sqlx::query_as("SELECT * FROM file WHERE source_id IN (SELECT value FROM json_each($1))")
            .bind(list(source_ids))
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().map(|row| (row.source_id.clone(), row)).collect())
}

/// The copies of these files, by the file's id.
pub async fn copies(
    connection: &mut Connection,
    source_ids: &[&str],
) -> Result<HashMap<String, Vec<Copy>>, Error> {
    let rows =
        sqlx::query("SELECT * FROM copy WHERE source_id IN (SELECT value FROM json_each($1)) ORDER BY id")
            .bind(list(source_ids))
            .fetch_all(connection)
            .await?;
    let mut copies: HashMap<String, Vec<Copy>> = HashMap::new();
    for row in rows {
        copies.entry(row.try_get("source_id")?).or_default().push(copy(&row)?);
    }
    Ok(copies)
}

/// The copies that these File objects are, each with its file's id.
pub async fn copies_by_object(
    connection: &mut Connection,
    file_ids: &[&str],
) -> Result<HashMap<FileId, (String, Copy)>, Error> {
    let rows = sqlx::query("SELECT * FROM copy WHERE file_id IN (SELECT value FROM json_each($1))")
        .bind(list(file_ids))
        .fetch_all(connection)
        .await?;
    let mut copies = HashMap::new();
    for row in rows {
        let file_id: String = row.try_get("file_id")?;
        copies.insert(FileId(file_id), (row.try_get("source_id")?, copy(&row)?));
    }
    Ok(copies)
}

/// The next ids, in their order, of files that we take for present or hold a copy of.
pub async fn page(connection: &mut Connection, after: &str, limit: u32) -> Result<Vec<String>, Error> {
    sqlx::query_scalar(PAGE).bind(after).bind(i64::from(limit)).fetch_all(connection).await
}

const PAGE: &str = "
    SELECT source_id FROM file WHERE source_id > $1 AND state <> 'gone'
    UNION
    SELECT source_id FROM copy WHERE source_id > $1
    ORDER BY source_id LIMIT $2";

/// How many files with copies there are under each set of rules, comma-separated.
pub async fn held_by_rules(connection: &mut Connection) -> Result<Vec<(String, u64)>, Error> {
    let counts: Vec<(String, i64)> = sqlx::query_as(HELD_BY_RULES).fetch_all(connection).await?;
    Ok(counts.into_iter().map(|(rules, count)| (rules, u64::try_from(count).unwrap_or(0))).collect())
}

const HELD_BY_RULES: &str = "
    SELECT rules, COUNT(*) FROM file
    WHERE EXISTS (SELECT 1 FROM copy WHERE copy.source_id = file.source_id)
    GROUP BY rules";

/// A copy that we take for searchable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indexed {
    pub copy: CopyId,
    pub source_id: String,
    pub store: VectorStoreId,
    pub file_id: FileId,
}

/// The next copies after `after` that have been searchable since before `before`, in the order of their making.
pub async fn indexed(
    connection: &mut Connection,
    (after, before): (CopyId, i64),
    limit: u32,
) -> Result<Vec<Indexed>, Error> {
    let rows: Vec<(i64, String, String, String)> = sqlx::query_as(INDEXED)
        .bind(after.0)
        .bind(before)
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    let copy = |(id, source_id, store, file_id)| Indexed {
        copy: CopyId(id),
        source_id,
        store: VectorStoreId(store),
        file_id: FileId(file_id),
    };
    Ok(rows.into_iter().map(copy).collect())
}

const INDEXED: &str = "
    SELECT id, source_id, vector_store, file_id FROM copy
    WHERE id > $1 AND state = 'indexed' AND since < $2
    ORDER BY id LIMIT $3";

/// The vector stores that copies are in, whether a rule still names them or not.
pub async fn stores(connection: &mut Connection) -> Result<Vec<VectorStoreId>, Error> {
    let ids: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT vector_store FROM copy ORDER BY 1").fetch_all(connection).await?;
    Ok(ids.into_iter().map(VectorStoreId).collect())
}

/// The store that was made under `name`, if it was.
pub async fn made(connection: &mut Connection, name: &str) -> Result<Option<VectorStoreId>, Error> {
    let id: Option<Option<String>> =
        sqlx::query_scalar("SELECT vector_store_id FROM vector_store WHERE name = $1")
            .bind(name)
            .fetch_optional(connection)
            .await?;
    Ok(id.flatten().map(VectorStoreId))
}

/// The intents that were carried out, each with the store that is on record for it.
pub async fn intents(connection: &mut Connection) -> Result<HashMap<String, VectorStoreId>, Error> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT intent, vector_store_id FROM vector_store WHERE vector_store_id IS NOT NULL")
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().map(|(intent, id)| (intent, VectorStoreId(id))).collect())
}

/// Writes down a store that was found to be the one made under `name`.
pub async fn remake(
    connection: &mut Connection,
    (name, intent): (&str, &str),
    id: &VectorStoreId,
    now: i64,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO vector_store (name, intent, vector_store_id, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (name) DO UPDATE SET intent = excluded.intent, vector_store_id = excluded.vector_store_id",
    )
    .bind(name)
    .bind(intent)
    .bind(&id.0)
    .bind(now)
    .execute(connection)
    .await?;
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
}

/// Takes a copy into the tables, and its file when that is not known. False when the copy was there already.
pub async fn adopt(connection: &mut Connection, adopted: &Adopted, now: i64) -> Result<bool, Error> {
    let attributes = adopted.attributes.as_ref().map(json).transpose()?;
    let inserted = sqlx::query(ADOPT)
        .bind(&adopted.source_id)
        .bind(&adopted.store.0)
        .bind(adopted.state)
        .bind(adopted.source.version.as_ref().map(|version| &version.0))
        .bind(adopted.source.hash.as_ref().map(hash_text))
        .bind(size(adopted.source.size))
        .bind(adopted.source.modified_at)
        .bind(&adopted.content_hash)
        .bind(&adopted.filename)
        .bind(size(adopted.bytes))
        .bind(&adopted.file_id.0)
        .bind(attributes)
        .bind(now)
        .execute(&mut *connection)
        .await?
        .rows_affected();
    sqlx::query(ADOPT_FILE)
        .bind(&adopted.source_id)
        .bind(&adopted.profile)
        .bind(&adopted.node)
        .bind(&adopted.path)
        .bind(&adopted.rule)
        .bind(adopted.source.version.as_ref().map(|version| &version.0))
        .bind(size(adopted.source.size))
        .bind(adopted.source.modified_at)
        .bind(now)
        .execute(connection)
        .await?;
    Ok(inserted == 1)
}

const ADOPT: &str = "
    INSERT INTO copy (source_id, vector_store, state, version, hash, size, modified_at, content_hash, filename, bytes,
                      file_id, attributes, attaches, since)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1, $13)
    ON CONFLICT (file_id) DO NOTHING";

const ADOPT_FILE: &str = "
    INSERT INTO file (source_id, profile, node, state, path, ancestors, rules, version, size, modified_at, seen_at)
    VALUES ($1, $2, $3, 'present', $4, '', $5, $6, $7, $8, $9)
    ON CONFLICT (source_id) DO NOTHING";

/// The vector store has other attributes than we told it.
pub async fn doubt_attributes(
    connection: &mut Connection,
    copy: CopyId,
    attributes: &Attributes,
) -> Result<bool, Error> {
    let doubted =
        sqlx::query("UPDATE copy SET attributes = $2 WHERE id = $1 AND state IN ('attached', 'indexed')")
            .bind(copy.0)
            .bind(json(attributes)?)
            .execute(connection)
            .await?;
    Ok(doubted.rows_affected() == 1)
}

/// The vector store does not hold it (any more), although it has been searchable since before `before`.
pub async fn doubt_attachment(
    connection: &mut Connection,
    copy: CopyId,
    (before, now): (i64, i64),
) -> Result<bool, Error> {
    let doubted =
        sqlx::query(DOUBT_ATTACHMENT).bind(copy.0).bind(before).bind(now).execute(connection).await?;
    Ok(doubted.rows_affected() == 1)
}

const DOUBT_ATTACHMENT: &str = "
    UPDATE copy SET state = 'uploaded', since = $3
    WHERE id = $1 AND state = 'indexed' AND since < $2";

/// The vector store holds it and does not find it: its index failed, or began anew.
pub async fn doubt_index(connection: &mut Connection, copy: CopyId, now: i64) -> Result<bool, Error> {
    let doubted =
        sqlx::query("UPDATE copy SET state = 'attached', since = $2 WHERE id = $1 AND state = 'indexed'")
            .bind(copy.0)
            .bind(now)
            .execute(connection)
            .await?;
    Ok(doubted.rows_affected() == 1)
}

/// The File object is gone, and with it what the store has of it: the file needs another copy.
pub async fn doubt_object(connection: &mut Connection, copy: CopyId, now: i64) -> Result<bool, Error> {
    let doubted = sqlx::query(
        "UPDATE copy SET state = 'retiring', since = $2 WHERE id = $1 AND state IN ('attached', 'indexed')",
    )
    .bind(copy.0)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(doubted.rows_affected() == 1)
}

/// An upload that was given up, and what would prove that a File object is its.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct LostUpload {
    pub id: i64,
    pub source_id: String,
    pub vector_store: String,
    version: Option<String>,
    hash: Option<String>,
    size: i64,
    modified_at: Option<i64>,
    pub content_hash: String,
    pub filename: String,
    pub bytes: i64,
    pub begun_at: i64,
    pub lost_at: i64,
}

impl LostUpload {
    pub fn source(&self) -> Source {
        Source {
            version: self.version.clone().map(crate::fastio::VersionId),
            hash: self.hash.as_deref().and_then(parse_hash),
            size: u64::try_from(self.size).unwrap_or(0),
            modified_at: self.modified_at,
        }
    }
}

/// The newest `limit` uploads that were given up.
pub async fn lost_uploads(connection: &mut Connection, limit: u32) -> Result<Vec<LostUpload>, Error> {
    sqlx::query_as("SELECT * FROM lost_upload ORDER BY id DESC LIMIT $1")
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await
}

/// Forgets an upload that was found, or all that were given up before `before`.
pub async fn forget_lost(connection: &mut Connection, id: Option<i64>, before: i64) -> Result<u64, Error> {
    let forgotten = sqlx::query("DELETE FROM lost_upload WHERE id = $1 OR ($1 IS NULL AND lost_at < $2)")
        .bind(id)
        .bind(before)
        .execute(connection)
        .await?;
    Ok(forgotten.rows_affected())
}

/// Whether an upload of this name and size is under way, or not settled.
pub async fn is_uploading(connection: &mut Connection, filename: &str, bytes: i64) -> Result<bool, Error> {
    let found: Option<i64> =
        sqlx::query_scalar("SELECT id FROM copy WHERE state = 'uploading' AND filename = $1 AND bytes = $2")
            .bind(filename)
            .bind(bytes)
            .fetch_optional(connection)
            .await?;
    Ok(found.is_some())
}

/// One bound value for `IN (SELECT value FROM json_each($1))`.
fn list(texts: &[&str]) -> String {
    serde_json::to_string(texts).expect("texts only")
}

#[cfg(test)]
impl FileRow {
    /// A row as a job writes it.
    pub fn seen(state: &str, path: &str, rules: &str, source: &Source) -> Self {
        FileRow {
            source_id: "workspace:1:2a".to_owned(),
            profile: "workspace:1".to_owned(),
            node: "2a".to_owned(),
            state: state.to_owned(),
            path: path.to_owned(),
            rules: rules.to_owned(),
            version: source.version.as_ref().map(|version| version.0.clone()),
            hash: source.hash.as_ref().map(hash_text),
            size: size(source.size),
            modified_at: source.modified_at,
            refused: None,
            seen_at: 0,
            ancestors: "  ".to_owned(),
        }
    }
}
