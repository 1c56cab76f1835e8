//! The statements on `file`, `copy` and `vector_store`.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::copy::{Copy, CopyId, CopyState, Source};
use super::look::Present;
use crate::database::{Connection, Error};
use crate::fastio::{FileKey, Hash, NodeId, Profile, VersionId};
use crate::job::{self, Task};
use crate::openai::{Attributes, FileId, VectorStoreId};
use crate::queue::Priority;

/// What we remember of a file between looks.
#[derive(Debug, Clone)]
pub struct Remembered {
    /// The content that OpenAI could not index, and why.
    pub refused: Option<(String, String)>,
    /// Since when Fastio does not know it any more. Unix milliseconds.
    pub missing_since: Option<i64>,
    /// The folder it was in when it was last seen; none at the top.
    pub folder: Option<NodeId>,
}

/// What we remember of `key`; `None` when no rule ever covered it.
pub async fn remembered(connection: &mut Connection, key: &FileKey) -> Result<Option<Remembered>, Error> {
    let row = sqlx::query("SELECT refused, reason, missing_since, ancestors FROM file WHERE source_id = $1")
        .bind(key.to_string())
        .fetch_optional(connection)
        .await?;
    row.map(|row| {
        let refused: Option<String> = row.try_get("refused")?;
        let reason: Option<String> = row.try_get("reason")?;
        let ancestors: String = row.try_get("ancestors")?;
        Ok(Remembered {
            refused: refused.zip(reason),
            missing_since: row.try_get("missing_since")?,
            folder: ancestors.split_whitespace().next().map(NodeId::new),
        })
    })
    .transpose()
}

/// Writes down that the file is there, and what became of it: synced when `skipped` is `None`.
pub async fn see(
    connection: &mut Connection,
    key: &FileKey,
    present: &Present,
    (rules, skipped, now): (&str, Option<&str>, i64),
) -> Result<(), Error> {
    let ancestors: Vec<String> = present.ancestors.iter().map(NodeId::canonical).collect();
    sqlx::query(SEE)
        .bind(key.to_string())
        .bind(key.profile.to_string())
        .bind(key.node.as_str())
        .bind(if skipped.is_some() { "skipped" } else { "present" })
        .bind(skipped)
        .bind(&present.path)
        .bind(format!(" {} ", ancestors.join(" ")))
        .bind(rules)
        .bind(present.source.version.as_ref().map(|version| &version.0))
        .bind(present.source.hash.as_ref().map(hash_text))
        .bind(size(present.source.size))
        .bind(present.source.modified_at)
        .bind(now)
        .bind(present.created_at)
        .execute(connection)
        .await?;
    Ok(())
}

const SEE: &str = "
    INSERT INTO file (source_id, profile, node, state, reason, path, ancestors, rules, version, hash, size,
                      modified_at, seen_at, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
    ON CONFLICT (source_id) DO UPDATE SET
        state = excluded.state, reason = excluded.reason, path = excluded.path, ancestors = excluded.ancestors,
        rules = excluded.rules, version = excluded.version, hash = excluded.hash, size = excluded.size,
        modified_at = excluded.modified_at, created_at = excluded.created_at, missing_since = NULL, seen_at = excluded.seen_at,
        refused = CASE WHEN excluded.state = 'skipped' THEN file.refused ELSE NULL END";

/// Writes down that Fastio does not know the file any more, as it says for the first time.
pub async fn miss(connection: &mut Connection, key: &FileKey, now: i64) -> Result<(), Error> {
    sqlx::query("UPDATE file SET missing_since = $2 WHERE source_id = $1")
        .bind(key.to_string())
        .bind(now)
        .execute(connection)
        .await?;
    Ok(())
}

/// Writes down that the file is gone, if we ever knew it: its tombstone.
pub async fn bury(connection: &mut Connection, key: &FileKey, reason: &str, now: i64) -> Result<(), Error> {
    sqlx::query(
        "UPDATE file SET state = 'gone', reason = $2, refused = NULL, seen_at = $3 WHERE source_id = $1",
    )
    .bind(key.to_string())
    .bind(reason)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// One text for one content, by the best evidence there is.
pub fn fingerprint(source: &Source) -> String {
    match (&source.hash, &source.version) {
        (Some(hash), _) => format!("{}/{}", hash_text(hash), source.size),
        (None, Some(version)) => format!("version:{version}"),
        (None, None) => format!("{}@{}", source.size, source.modified_at.unwrap_or(0)),
    }
}

/// The files that were under `folder` when a job last looked at them, and the file that it is, if it is none.
pub async fn files_under(
    connection: &mut Connection,
    profile: &Profile,
    folder: &NodeId,
) -> Result<Vec<NodeId>, Error> {
    let all = folder.is_root();
    let nodes: Vec<String> = sqlx::query_scalar(FILES_UNDER)
        .bind(profile.to_string())
        .bind(folder.canonical())
        .bind(all)
        .fetch_all(connection)
        .await?;
    Ok(nodes.into_iter().map(NodeId::new).collect())
}

const FILES_UNDER: &str = "
    SELECT node FROM file
    WHERE profile = $1 AND state <> 'gone'
      AND ($3 OR source_id = $1 || ':' || $2 OR ancestors LIKE '% ' || $2 || ' %')";

/// Every copy of a file.
pub async fn copies(connection: &mut Connection, key: &FileKey) -> Result<Vec<Copy>, Error> {
    let rows = sqlx::query("SELECT * FROM copy WHERE source_id = $1 ORDER BY id")
        .bind(key.to_string())
        .fetch_all(connection)
        .await?;
    rows.iter().map(copy).collect()
}

pub(super) fn copy(row: &SqliteRow) -> Result<Copy, Error> {
    let state: &str = row.try_get("state")?;
    let state = CopyState::ALL
        .into_iter()
        .find(|known| known.as_str() == state)
        .ok_or_else(|| Error::Decode(format!("a copy in the unknown state `{state}`").into()))?;
    let attributes: Option<String> = row.try_get("attributes")?;
    let attributes = attributes
        .map(|text| serde_json::from_str(&text).map_err(|error| Error::Decode(error.into())))
        .transpose()?;
    let hash: Option<String> = row.try_get("hash")?;
    let version: Option<String> = row.try_get("version")?;
    let file_id: Option<String> = row.try_get("file_id")?;
    Ok(Copy {
        id: CopyId(row.try_get("id")?),
        store: VectorStoreId(row.try_get("vector_store")?),
        state,
        source: Source {
            version: version.map(VersionId),
            hash: hash.as_deref().and_then(parse_hash),
            size: row.try_get::<i64, _>("size")?.try_into().unwrap_or(0),
            modified_at: row.try_get("modified_at")?,
        },
        content_hash: row.try_get("content_hash")?,
        filename: row.try_get("filename")?,
        bytes: row.try_get::<i64, _>("bytes")?.try_into().unwrap_or(0),
        file_id: file_id.map(FileId),
        attributes,
        attaches: row.try_get::<i64, _>("attaches")?.try_into().unwrap_or(u16::MAX),
        since: row.try_get("since")?,
    })
}

/// What is about to be uploaded.
#[derive(Debug)]
pub struct Intent<'a> {
    pub key: &'a FileKey,
    pub store: &'a VectorStoreId,
    pub source: &'a Source,
    pub filename: &'a str,
    pub bytes: u64,
}

/// Writes an upload down before it begins. `None` while another upload of that name and size is not yet settled.
pub async fn intend(
    connection: &mut Connection,
    intent: &Intent<'_>,
    now: i64,
) -> Result<Option<CopyId>, Error> {
    let id: Option<i64> = sqlx::query_scalar(INTEND)
        .bind(intent.key.to_string())
        .bind(&intent.store.0)
        .bind(intent.source.version.as_ref().map(|version| &version.0))
        .bind(intent.source.hash.as_ref().map(hash_text))
        .bind(size(intent.source.size))
        .bind(intent.source.modified_at)
        .bind(intent.filename)
        .bind(size(intent.bytes))
        .bind(now)
        .fetch_optional(connection)
        .await?;
    Ok(id.map(CopyId))
}

const INTEND: &str = "
    INSERT INTO copy (source_id, vector_store, state, version, hash, size, modified_at, filename, bytes, since)
    VALUES ($1, $2, 'uploading', $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT DO NOTHING
    RETURNING id";

/// One thing to write down about a copy. Those of one step are written in one transaction.
#[derive(Debug)]
pub enum Change<'a> {
    /// The bytes have been read to the end, and this is their hash. Written before OpenAI can have answered.
    Hashed(CopyId, &'a str),
    /// The upload made this File object.
    Uploaded(CopyId, &'a FileId),
    /// The upload made a File object that is not the file: it is to be deleted.
    Spoiled(CopyId, &'a FileId),
    /// One more try at attaching, written down before it is made.
    Attaching(CopyId),
    /// Tries at attaching count from nought again.
    AttachesAnew(CopyId),
    /// The vector store took it, with these attributes.
    Attached(CopyId, &'a Attributes),
    /// The vector store knows these attributes now, and they describe this content.
    Relabelled(CopyId, &'a Attributes, &'a Source),
    /// It moves on, or back.
    State(CopyId, CopyState),
    /// OpenAI holds nothing of it any more.
    Forgotten(CopyId),
    /// OpenAI shows nothing of an upload that it did not answer.
    Lost(CopyId),
    /// These runs are to be looked at.
    Runs(&'a [Task]),
    /// OpenAI cannot index this content of the file, so it is not to be uploaded again and again.
    Refused(&'a FileKey, &'a Source, &'a str),
}

impl Change<'_> {
    pub async fn write(&self, connection: &mut Connection, now: i64) -> Result<(), Error> {
        let statement = match self {
            Change::Runs(tasks) => {
                for task in *tasks {
                    job::enqueue(connection, task, Priority::Live, now).await?;
                }
                return Ok(());
            }
            Change::Hashed(copy, hash) => {
                sqlx::query("UPDATE copy SET content_hash = $2 WHERE id = $1").bind(copy.0).bind(*hash)
            }
            Change::Uploaded(copy, file_id) => {
                sqlx::query(GOT_FILE).bind(copy.0).bind("uploaded").bind(&file_id.0).bind(now)
            }
            Change::Spoiled(copy, file_id) => {
                sqlx::query(GOT_FILE).bind(copy.0).bind("retiring").bind(&file_id.0).bind(now)
            }
            Change::Attaching(copy) => {
                sqlx::query("UPDATE copy SET attaches = attaches + 1 WHERE id = $1").bind(copy.0)
            }
            Change::AttachesAnew(copy) => {
                sqlx::query("UPDATE copy SET attaches = 0 WHERE id = $1").bind(copy.0)
            }
            Change::Attached(copy, attributes) => {
                sqlx::query(ATTACHED).bind(copy.0).bind(json(attributes)?).bind(now)
            }
            Change::Relabelled(copy, attributes, source) => sqlx::query(RELABELLED)
                .bind(copy.0)
                .bind(json(attributes)?)
                .bind(source.version.as_ref().map(|version| &version.0))
                .bind(source.hash.as_ref().map(hash_text))
                .bind(source.modified_at),
            Change::State(copy, state) => sqlx::query("UPDATE copy SET state = $2, since = $3 WHERE id = $1")
                .bind(copy.0)
                .bind(state.as_str())
                .bind(now),
            Change::Lost(copy) => {
                sqlx::query(LOST).bind(copy.0).bind(now).execute(&mut *connection).await?;
                sqlx::query("DELETE FROM copy WHERE id = $1").bind(copy.0)
            }
            Change::Forgotten(copy) => sqlx::query("DELETE FROM copy WHERE id = $1").bind(copy.0),
            Change::Refused(key, source, reason) => {
                sqlx::query(REFUSED).bind(key.to_string()).bind(*reason).bind(fingerprint(source)).bind(now)
            }
        };
        statement.execute(connection).await?;
        Ok(())
    }
}

const LOST: &str = "
    INSERT INTO lost_upload (source_id, vector_store, version, hash, size, modified_at, content_hash, filename, bytes,
                             begun_at, lost_at)
    SELECT source_id, vector_store, version, hash, size, modified_at, content_hash, filename, bytes, since, $2
    FROM copy WHERE id = $1 AND content_hash IS NOT NULL";

const GOT_FILE: &str = "UPDATE copy SET state = $2, file_id = $3, since = $4 WHERE id = $1";

const ATTACHED: &str = "UPDATE copy SET state = 'attached', attributes = $2, since = $3 WHERE id = $1";

const RELABELLED: &str =
    "UPDATE copy SET attributes = $2, version = $3, hash = $4, modified_at = $5 WHERE id = $1";

const REFUSED: &str =
    "UPDATE file SET state = 'skipped', reason = $2, refused = $3, seen_at = $4 WHERE source_id = $1";

/// Whether a File object belongs to one of our copies.
pub async fn is_ours(connection: &mut Connection, file_id: &FileId) -> Result<bool, Error> {
    let found: Option<i64> = sqlx::query_scalar("SELECT id FROM copy WHERE file_id = $1")
        .bind(&file_id.0)
        .fetch_optional(connection)
        .await?;
    Ok(found.is_some())
}

/// A vector store that a rule told us to create.
#[derive(Debug, Clone)]
pub struct MadeStore {
    pub intent: String,
    pub id: Option<VectorStoreId>,
}

/// The row for the store called `name`, made with `intent` when it is missing.
pub async fn made_store(
    connection: &mut Connection,
    (name, intent): (&str, &str),
    now: i64,
) -> Result<MadeStore, Error> {
    sqlx::query(
        "INSERT INTO vector_store (name, intent, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(name)
    .bind(intent)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    let row = sqlx::query("SELECT intent, vector_store_id FROM vector_store WHERE name = $1")
        .bind(name)
        .fetch_one(connection)
        .await?;
    let id: Option<String> = row.try_get("vector_store_id")?;
    Ok(MadeStore { intent: row.try_get("intent")?, id: id.map(VectorStoreId) })
}

/// The store called `name` is this one.
pub async fn store_made(connection: &mut Connection, name: &str, id: &VectorStoreId) -> Result<(), Error> {
    sqlx::query("UPDATE vector_store SET vector_store_id = $2 WHERE name = $1")
        .bind(name)
        .bind(&id.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// The id of the store called `name`, once it has been made.
pub async fn store_named(connection: &mut Connection, name: &str) -> Result<Option<VectorStoreId>, Error> {
    let id: Option<Option<String>> =
        sqlx::query_scalar("SELECT vector_store_id FROM vector_store WHERE name = $1")
            .bind(name)
            .fetch_optional(connection)
            .await?;
    Ok(id.flatten().map(VectorStoreId))
}

/// A file as it was last seen, and the copy of it that can be searched, for what is run over it.
#[derive(Debug, Clone)]
pub struct Indexed {
    pub key: FileKey,
    pub path: String,
    /// The folders above it, from its parent upwards, without the root.
    pub ancestors: Vec<NodeId>,
    /// What the file is now.
    pub source: Source,
    /// What can be searched: the same content, or that of an earlier version while a newer one is on its way.
    pub copy: Copy,
}

impl Indexed {
    /// Whether what can be searched is what the file is now.
    pub fn is_present(&self) -> bool {
        self.copy.source.same_content(&self.source)
    }
}

/// A file as it was last seen.
#[derive(Debug, Clone)]
pub struct Seen {
    /// It is there, and OpenAI can hold it.
    pub present: bool,
    pub path: String,
}

/// What was last seen of a file; `None` when no rule ever covered it.
pub async fn seen(connection: &mut Connection, key: &FileKey) -> Result<Option<Seen>, Error> {
    let row = sqlx::query("SELECT state, path FROM file WHERE source_id = $1")
        .bind(key.to_string())
        .fetch_optional(connection)
        .await?;
    row.map(|row| {
        let state: String = row.try_get("state")?;
        Ok(Seen { present: state == "present", path: row.try_get("path")? })
    })
    .transpose()
}

/// The file of `key` with its newest searchable copy in `store`; `None` when it is gone, skipped or not indexed.
pub async fn indexed(
    connection: &mut Connection,
    key: &FileKey,
    store: &VectorStoreId,
) -> Result<Option<Indexed>, Error> {
    let row = sqlx::query(INDEXED).bind(key.to_string()).bind(&store.0).fetch_optional(connection).await?;
    row.as_ref().map(|row| indexed_row(row, key.clone())).transpose()
}

/// The file of `profile` that is there and has this path or id.
pub async fn named(
    connection: &mut Connection,
    profile: &Profile,
    name: &str,
) -> Result<Option<FileKey>, Error> {
    let node: Option<String> =
        sqlx::query_scalar(NAMED).bind(profile.to_string()).bind(name).fetch_optional(connection).await?;
    Ok(node.map(|node| FileKey::new(profile.clone(), NodeId::new(node))))
}

const NAMED: &str = "
    SELECT node FROM file WHERE profile = $1 AND state = 'present' AND (path = $2 OR node = $2 OR source_id = $2)
    ORDER BY source_id LIMIT 1";

/// Part of a list that goes by ids.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// The id of the last entry of the part before.
    pub after: Option<&'a str>,
    pub most: u32,
}

/// The next files of `profile`, each with its newest searchable copy in `store`, by the files' ids.
pub async fn indexed_page(
    connection: &mut Connection,
    (profile, store): (&Profile, &VectorStoreId),
    page: &Page<'_>,
) -> Result<Vec<Indexed>, Error> {
    // The ids of a profile's files begin with `PROFILE:`, and `;` comes right after `:`.
    let first = format!("{profile}:");
    let rows = sqlx::query(INDEXED_PAGE)
        .bind(&store.0)
        .bind(page.after.unwrap_or(&first))
        .bind(format!("{profile};"))
        .bind(i64::from(page.most))
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            let node: String = row.try_get("file_node")?;
            indexed_row(row, FileKey::new(profile.clone(), NodeId::new(node)))
        })
        .collect()
}

const INDEXED: &str = "
    SELECT c.*, f.node AS file_node, f.path AS file_path, f.ancestors AS file_ancestors, f.version AS file_version,
           f.hash AS file_hash, f.size AS file_size, f.modified_at AS file_modified_at
    FROM file AS f JOIN copy AS c ON c.source_id = f.source_id
    WHERE f.source_id = $1 AND f.state = 'present' AND c.vector_store = $2 AND c.state = 'indexed'
    ORDER BY c.id DESC LIMIT 1";

const INDEXED_PAGE: &str = "
    SELECT c.*, f.node AS file_node, f.path AS file_path, f.ancestors AS file_ancestors, f.version AS file_version,
           f.hash AS file_hash, f.size AS file_size, f.modified_at AS file_modified_at
    FROM file AS f JOIN copy AS c ON c.id = (
        SELECT max(id) FROM copy WHERE source_id = f.source_id AND vector_store = $1 AND state = 'indexed')
    WHERE f.source_id > $2 AND f.source_id < $3 AND f.state = 'present'
    ORDER BY f.source_id LIMIT $4";

fn indexed_row(row: &SqliteRow, key: FileKey) -> Result<Indexed, Error> {
    let ancestors: String = row.try_get("file_ancestors")?;
    let hash: Option<String> = row.try_get("file_hash")?;
    let version: Option<String> = row.try_get("file_version")?;
    Ok(Indexed {
        key,
        path: row.try_get("file_path")?,
        ancestors: ancestors.split_whitespace().map(NodeId::new).collect(),
        source: Source {
            version: version.map(VersionId),
            hash: hash.as_deref().and_then(parse_hash),
            size: row.try_get::<i64, _>("file_size")?.try_into().unwrap_or(0),
            modified_at: row.try_get("file_modified_at")?,
        },
        copy: copy(row)?,
    })
}

/// Where a file was when a job last looked at it.
pub async fn path(connection: &mut Connection, source_id: &str) -> Result<Option<String>, Error> {
    sqlx::query_scalar("SELECT path FROM file WHERE source_id = $1")
        .bind(source_id)
        .fetch_optional(connection)
        .await
}

/// Where a folder was when a job last looked at a file in it, or in a folder in it.
pub async fn folder_path(
    connection: &mut Connection,
    profile: &Profile,
    folder: &NodeId,
) -> Result<Option<String>, Error> {
    if folder.is_root() {
        return Ok(Some("/".to_owned()));
    }
    let found: Option<(String, String)> = sqlx::query_as(FOLDER_PATH)
        .bind(profile.to_string())
        .bind(folder.canonical())
        .fetch_optional(connection)
        .await?;
    Ok(found.and_then(|(path, ancestors)| {
        // The first of them is the file's parent.
        let above = ancestors.split_whitespace().position(|id| id == folder.canonical())?;
        let parent = path.rsplitn(above + 2, '/').last()?;
        Some(format!("{parent}/"))
    }))
}

const FOLDER_PATH: &str = "
    SELECT path, ancestors FROM file WHERE profile = $1 AND ancestors LIKE '% ' || $2 || ' %'
    ORDER BY state = 'gone', seen_at DESC LIMIT 1";

/// How many files are in each state.
pub async fn file_counts(connection: &mut Connection) -> Result<Vec<(String, i64)>, Error> {
    sqlx::query_as("SELECT state, count(*) FROM file GROUP BY state ORDER BY state")
        .fetch_all(connection)
        .await
}

/// How many copies are in each state.
pub async fn copy_counts(connection: &mut Connection) -> Result<Vec<(String, i64)>, Error> {
    sqlx::query_as("SELECT state, count(*) FROM copy GROUP BY state ORDER BY state")
        .fetch_all(connection)
        .await
}

pub(super) fn json(attributes: &Attributes) -> Result<String, Error> {
    serde_json::to_string(attributes).map_err(|error| Error::Encode(error.into()))
}

pub(super) fn hash_text(hash: &Hash) -> String {
    format!("{}:{}", hash.algorithm, hash.value)
}

pub(super) fn parse_hash(text: &str) -> Option<Hash> {
    let (algorithm, value) = text.split_once(':')?;
    Some(Hash { algorithm: algorithm.to_owned(), value: value.to_owned() })
}

pub(super) fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
