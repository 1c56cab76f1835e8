//! The statements on `file`, `copy` and `vector_store`.

use std::collections::HashMap;
use std::ops::Range;

use super::copy::{Copy, CopyId, CopyState, Reading, Source};
use super::look::Present;
use crate::database::{Connection, Error, Row, from_row, json_list, params, statements};
use crate::fastio::{FileKey, Hash, NodeId, Profile, VersionId};
use crate::job::{self, Task};
use crate::openai::{Attributes, FileId, VectorStoreId};
use crate::queue::Priority;

/// What a file was read as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadAs {
    /// What Fastio announced, as [`announced`] has it.
    pub of: String,
    pub sha256: String,
}

/// What Fastio announces of a content, in one text.
pub fn announced(source: &Source) -> String {
    let version = source.version.as_ref().map(|version| version.0.as_str());
    let hash = source.hash.as_ref().map(hash_text);
    format!("{} {} {}", version.unwrap_or_default(), hash.unwrap_or_default(), source.size)
}

/// What became of a file that was looked at.
#[derive(Debug)]
pub struct Judged<'a> {
    /// The rules that cover it, comma-separated.
    pub rules: &'a str,
    /// Why it is not synced, if it is not.
    pub skipped: Option<&'a str>,
    /// By what knowledge.
    pub decided_by: &'a str,
}

/// A row of `file`: what we remember of it between looks.
#[derive(Debug, Clone, PartialEq)]
pub struct FileRow {
    pub source_id: String,
    pub profile: String,
    pub node: String,
    /// `present`, `skipped` or `gone`.
    pub state: String,
    /// Where it was when a job last looked.
    pub path: String,
    /// The rules that cover it, comma-separated.
    pub rules: String,
    pub source: Source,
    /// The content that OpenAI could not index, and why.
    pub refused: Option<(String, String)>,
    /// What it was read as, where its content has another hash than Fastio announces.
    pub read: Option<ReadAs>,
    /// Since when Fastio does not know it any more. Unix milliseconds.
    pub missing_since: Option<i64>,
    /// When a job last looked.
    pub seen_at: i64,
    /// ` FOLDER FOLDER `, from its parent upwards. Empty until a job has looked at it after the tables were rebuilt.
    ancestors: String,
}

from_row!(row => FileRow {
    source_id,
    profile,
    node,
    state,
    path,
    rules,
    source: source(row, ["version", "hash", "size", "modified_at"])?,
    refused: row.get::<Option<String>>("refused")?.zip(row.get("reason")?),
    read: row
        .get::<Option<String>>("read_of")?
        .zip(row.get("read_sha256")?)
        .map(|(of, sha256)| ReadAs { of, sha256 }),
    missing_since,
    seen_at,
    ancestors,
});

impl FileRow {
    /// It is there, and OpenAI can hold it.
    pub fn is_present(&self) -> bool {
        self.state == "present"
    }

    /// Whether a job has looked at the file, rather than a rebuild guessed it from a copy.
    pub fn was_seen(&self) -> bool {
        !self.ancestors.is_empty()
    }

    /// The folder it was in when it was last seen; none at the top.
    pub fn folder(&self) -> Option<NodeId> {
        nodes(&self.ancestors).next()
    }
}

/// What we remember of a file, by its id; `None` when no rule ever covered it.
pub fn file(connection: &mut Connection, source_id: &str) -> Result<Option<FileRow>, Error> {
    connection.first(FILE, params![source_id])
}

/// Where a file was when a job last looked at it.
pub fn path(connection: &mut Connection, source_id: &str) -> Result<Option<String>, Error> {
    Ok(file(connection, source_id)?.map(|row| row.path))
}

/// The rows of these files, by their id.
pub fn files(connection: &mut Connection, source_ids: &[String]) -> Result<HashMap<String, FileRow>, Error> {
    let rows: Vec<FileRow> = connection.all(FILES, params![json_list(source_ids)])?;
    Ok(rows.into_iter().map(|row| (row.source_id.clone(), row)).collect())
}

/// Writes down that the file is there, and what became of it.
pub fn see(
    connection: &mut Connection,
    (key, present): (&FileKey, &Present),
    judged: &Judged<'_>,
    now: i64,
) -> Result<(), Error> {
    let Judged { rules, skipped, decided_by } = judged;
    let ancestors: Vec<String> = present.ancestors.iter().map(NodeId::canonical).collect();
    let Source { version, hash, size, modified_at } = &present.source;
    connection.run(
        SEE,
        params![
            key.to_string(),
            key.profile.to_string(),
            key.node.as_str(),
            if skipped.is_some() { "skipped" } else { "present" },
            skipped,
            present.path,
            format!(" {} ", ancestors.join(" ")),
            rules,
            version.as_ref().map(|version| &version.0),
            hash.as_ref().map(hash_text),
            bytes(*size),
            modified_at,
            now,
            present.created_at,
            decided_by,
        ],
    )?;
    Ok(())
}

/// Writes down that Fastio does not know the file any more, as it says for the first time.
pub fn miss(connection: &mut Connection, key: &FileKey, now: i64) -> Result<(), Error> {
    connection.run(MISS, params![key.to_string(), now])?;
    Ok(())
}

/// Writes down that the file is gone, if we ever knew it: its tombstone.
pub fn bury(connection: &mut Connection, key: &FileKey, reason: &str, now: i64) -> Result<(), Error> {
    connection.run(BURY, params![key.to_string(), reason, now])?;
    Ok(())
}

/// Forgets these files. Should one be told of again, it is looked at as one that is new.
pub fn forget(connection: &mut Connection, source_ids: &str) -> Result<u64, Error> {
    connection.run(FORGET, params![source_ids])
}

/// One text for one content under one claim, by the best evidence there is.
pub fn fingerprint(source: &Source, claim: &str) -> String {
    let content = match (&source.hash, &source.version) {
        (Some(hash), _) => format!("{}/{}", hash_text(hash), source.size),
        (None, Some(version)) => format!("version:{version}"),
        (None, None) => format!("{}@{}", source.size, source.modified_at.unwrap_or(0)),
    };
    format!("{content} as {claim}")
}

/// The files that were under `folder` when a job last looked at them, and the file that it is, if it is none.
pub fn files_under(
    connection: &mut Connection,
    profile: &Profile,
    folder: &NodeId,
) -> Result<Vec<NodeId>, Error> {
    let nodes: Vec<String> =
        connection.all(FILES_UNDER, params![profile.to_string(), folder.canonical(), folder.is_root()])?;
    Ok(nodes.into_iter().map(NodeId::new).collect())
}

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
    reading: row.get::<Option<String>>("reading")?.as_deref().and_then(Reading::of),
    file_id: row.get::<Option<String>>("file_id")?.map(FileId),
    attributes: attributes(row)?,
    attaches: row.get::<i64>("attaches")?.try_into().unwrap_or(u16::MAX),
    given: json_attributes(row.get("given")?)?,
    unanswered_at,
    since,
});

fn state(text: &str) -> Result<CopyState, Error> {
    let known = CopyState::ALL.into_iter().find(|known| known.as_str() == text);
    known.ok_or_else(|| Error::bug("a copy is in an unknown state"))
}

fn attributes(row: &Row<'_>) -> Result<Option<Attributes>, Error> {
    json_attributes(row.get("attributes")?)
}

fn json_attributes(text: Option<String>) -> Result<Option<Attributes>, Error> {
    let read = text.map(|text| serde_json::from_str(&text)).transpose();
    read.map_err(|_| Error::bug("the attributes of a copy are no JSON"))
}

/// The content that a row tells of, by the names of its four columns.
pub(super) fn source(row: &Row<'_>, [version, hash, size, modified_at]: [&str; 4]) -> Result<Source, Error> {
    Ok(Source {
        version: row.get::<Option<String>>(version)?.map(VersionId),
        hash: row.get::<Option<String>>(hash)?.as_deref().and_then(parse_hash),
        size: row.get(size)?,
        modified_at: row.get(modified_at)?,
    })
}

/// What a vector store was told of a copy.
#[derive(Debug)]
pub struct Told {
    pub attributes: Attributes,
    /// What it gave back, where that is something else.
    pub given: Option<Attributes>,
}

impl Told {
    pub fn new(attributes: &Attributes, shown: Attributes) -> Self {
        Told { attributes: attributes.clone(), given: (shown != *attributes).then_some(shown) }
    }
}

/// Jobs that a change asks for, in the same transaction.
#[derive(Debug)]
pub struct Jobs {
    pub tasks: Vec<Task>,
    pub priority: Priority,
}

/// One thing to write down about a copy. Those of one step are written in one transaction.
#[derive(Debug)]
pub enum Change {
    /// The upload made this File object.
    Uploaded(CopyId, FileId),
    /// The upload made a File object that is not the file: it is to be deleted.
    Spoiled(CopyId, FileId),
    /// One more try at attaching, written down before it is made.
    Attaching(CopyId),
    /// Tries at attaching count from nought again.
    AttachesAnew(CopyId),
    /// The vector store took it, with these attributes.
    Attached(CopyId, Told),
    /// The vector store knows these attributes now, and they describe this content.
    Relabelled(CopyId, Told, Source),
    /// The vector store was told and did not answer for long.
    Unanswered(CopyId),
    /// What the vector store gave back, where that is not what it was sent.
    Given(CopyId, Option<Attributes>),
    /// The file was read, and has this SHA-256 and not the hash that was announced.
    ReadAs(FileKey, ReadAs),
    /// It moves on, or back.
    State(CopyId, CopyState),
    /// OpenAI holds nothing of it any more.
    Forgotten(CopyId),
    /// OpenAI shows nothing of an upload that it did not answer.
    Lost(CopyId),
    Jobs(Jobs),
    /// This much was read of a copy: so many characters that are no white space, if they were counted.
    Read(CopyId, Reading, Option<u64>),
    /// OpenAI cannot index the file in this content under this claim (a [`fingerprint`]), so it is not to be uploaded again
    /// and again; and why, in words.
    Refused(FileKey, String, String),
}

impl Change {
    pub fn write(&self, connection: &mut Connection, now: i64) -> Result<(), Error> {
        match self {
            Change::Jobs(Jobs { tasks, priority }) => {
                for task in tasks {
                    job::enqueue(connection, task, *priority, now)?;
                }
                return Ok(());
            }
            Change::Read(copy, reading, characters) => {
                connection.run(READ, params![copy.0, reading.as_str(), characters.map(bytes)])
            }
            Change::Unanswered(copy) => connection.run(UNANSWERED, params![copy.0, now]),
            Change::Given(copy, given) => connection.run(GIVEN, params![copy.0, given.as_ref().map(json)]),
            Change::ReadAs(key, ReadAs { of, sha256 }) => {
                connection.run(READ_AS, params![key.to_string(), of, sha256])
            }
            Change::Uploaded(copy, file) => {
                connection.run(AGREED, params![copy.0, now])?;
                connection.run(GOT_FILE, params![copy.0, CopyState::Uploaded.as_str(), file.0, now])
            }
            Change::Spoiled(copy, file) => {
                connection.run(GOT_FILE, params![copy.0, CopyState::Retiring.as_str(), file.0, now])
            }
            Change::Attaching(copy) => connection.run(ATTACHING, params![copy.0]),
            Change::AttachesAnew(copy) => connection.run(ATTACHES_ANEW, params![copy.0]),
            Change::Attached(copy, Told { attributes, given }) => {
                connection.run(ATTACHED, params![copy.0, json(attributes), now, given.as_ref().map(json)])
            }
            Change::Relabelled(copy, Told { attributes, given }, source) => connection.run(
                RELABELLED,
                params![
                    copy.0,
                    json(attributes),
                    source.version.as_ref().map(|version| &version.0),
                    source.hash.as_ref().map(hash_text),
                    source.modified_at,
                    given.as_ref().map(json),
                ],
            ),
            Change::State(copy, state) => connection.run(STATE, params![copy.0, state.as_str(), now]),
            Change::Lost(copy) => {
                connection.run(LOST, params![copy.0, now])?;
                connection.run(FORGOTTEN, params![copy.0])
            }
            Change::Forgotten(copy) => connection.run(FORGOTTEN, params![copy.0]),
            Change::Refused(key, content, reason) => {
                connection.run(REFUSED, params![key.to_string(), reason, content, now])
            }
        }?;
        Ok(())
    }
}

/// Whether a File object belongs to one of our copies.
pub fn is_ours(connection: &mut Connection, file_id: &FileId) -> Result<bool, Error> {
    Ok(connection.first::<i64>(OF_FILE, params![file_id.0])?.is_some())
}

/// Copies that are looked at in one transaction while they are moved, so that others get their turn in between.
const BITE: u32 = 1_000;

/// A vector store that a rule told us to create.
#[derive(Debug, Clone)]
pub struct MadeStore {
    pub intent: String,
    pub id: Option<VectorStoreId>,
}

from_row!(row => MadeStore { intent, id: row.get::<Option<String>>("vector_store_id")?.map(VectorStoreId) });

/// The row for the store called `name`, made with `intent` when it is missing.
pub fn made_store(
    connection: &mut Connection,
    name: &str,
    intent: &str,
    now: i64,
) -> Result<MadeStore, Error> {
    connection.run(MAKE_STORE, params![name, intent, now])?;
    connection.one(MADE_STORE, params![name])
}

/// The store called `name` is this one.
pub fn store_made(connection: &mut Connection, name: &str, id: &VectorStoreId) -> Result<(), Error> {
    connection.run(STORE_MADE, params![name, id.0])?;
    Ok(())
}

/// The store that was lost under `name`, if one was.
pub fn lost_store(connection: &mut Connection, name: &str) -> Result<Option<VectorStoreId>, Error> {
    let lost: Option<Option<String>> = connection.first(LOST_STORE, params![name])?;
    Ok(lost.flatten().map(VectorStoreId))
}

/// What was in `from` belongs into `to`, among the next copies behind `after`. The last of these; none when there are no more.
pub fn move_copies(
    connection: &mut Connection,
    (from, to): (&VectorStoreId, &VectorStoreId),
    after: CopyId,
    now: i64,
) -> Result<Option<CopyId>, Error> {
    let last: Option<i64> = connection.one(BITE_END, params![after.0, BITE])?;
    let Some(last) = last else { return Ok(None) };
    connection.run(MOVE_COPIES, params![from.0, to.0, now, after.0, last])?;
    Ok(Some(CopyId(last)))
}

/// The store called `name`, which was `id`, is gone and is to be made with another intent.
pub fn lose_store(
    connection: &mut Connection,
    (name, intent): (&str, &str),
    id: &VectorStoreId,
    now: i64,
) -> Result<(), Error> {
    connection.run(LOSE_STORE, params![name, intent, id.0, now])?;
    Ok(())
}

/// Whether a person has said that this store is gone.
pub fn is_given_up(connection: &mut Connection, name: &str, id: &VectorStoreId) -> Result<bool, Error> {
    Ok(connection.first::<i64>(IS_GIVEN_UP, params![name, id.0])?.is_some())
}

/// Some of the File objects that we put into a store, the newest first.
pub fn some_objects(
    connection: &mut Connection,
    store: &VectorStoreId,
    limit: u32,
) -> Result<Vec<FileId>, Error> {
    let ids: Vec<String> = connection.all(SOME_OBJECTS, params![store.0, limit])?;
    Ok(ids.into_iter().map(FileId).collect())
}

/// The name under which a store was made.
pub fn made_name(connection: &mut Connection, id: &VectorStoreId) -> Result<Option<String>, Error> {
    connection.first(MADE_NAME, params![id.0])
}

/// The stores that were made anew since `since`: their names, what they are now, and when the one before was missed.
pub fn made_anew(
    connection: &mut Connection,
    since: i64,
) -> Result<Vec<(String, Option<String>, i64)>, Error> {
    connection.all(MADE_ANEW, params![since])
}

/// The id of the store called `name`, once it has been made.
pub fn store_named(connection: &mut Connection, name: &str) -> Result<Option<VectorStoreId>, Error> {
    let made: Option<MadeStore> = connection.first(MADE_STORE, params![name])?;
    Ok(made.and_then(|made| made.id))
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

/// The file of `key` with its newest searchable copy in `store`; `None` when it is gone, skipped or not indexed.
pub fn indexed(
    connection: &mut Connection,
    key: &FileKey,
    store: &VectorStoreId,
) -> Result<Option<Indexed>, Error> {
    connection.first(INDEXED, params![key.to_string(), store.0])
}

/// The file of `profile` that is there and has this path or id.
pub fn named(connection: &mut Connection, profile: &Profile, name: &str) -> Result<Option<FileKey>, Error> {
    let id = FileKey::new(profile.clone(), NodeId::new(name)).to_string();
    let node: Option<String> = connection.first(NAMED, params![profile.to_string(), name, id])?;
    Ok(node.map(|node| FileKey::new(profile.clone(), NodeId::new(node))))
}

/// Part of a list that goes by ids.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// The id of the last entry of the part before.
    pub after: Option<&'a str>,
    pub most: u32,
}

/// The next files of `profile`, each with its newest searchable copy in `store`, by the files' ids.
pub fn indexed_page(
    connection: &mut Connection,
    profile: &Profile,
    store: &VectorStoreId,
    page: &Page<'_>,
) -> Result<Vec<Indexed>, Error> {
    let ids = ids_of(profile);
    connection.all(INDEXED_PAGE, params![store.0, page.after.unwrap_or(&ids.start), ids.end, page.most])
}

/// Between which ids those of a profile's files lie: they begin with `PROFILE:`, and `;` comes right after `:`.
fn ids_of(profile: &Profile) -> Range<String> {
    format!("{profile}:")..format!("{profile};")
}

from_row!(row => Indexed {
    key: key(row)?,
    path: row.get("file_path")?,
    ancestors: nodes(&row.get::<String>("file_ancestors")?).collect(),
    source: source(row, ["file_version", "file_hash", "file_size", "file_modified_at"])?,
    copy: Copy::from_row(row)?,
});

fn key(row: &Row<'_>) -> Result<FileKey, Error> {
    let profile: String = row.get("file_profile")?;
    let profile = profile.parse::<Profile>().map_err(|_| Error::bug("a file is in no workspace or share"))?;
    Ok(FileKey::new(profile, NodeId::new(row.get::<String>("file_node")?)))
}

/// Files that are looked through for one that is somewhere in a folder: a list has many such rows, and an id says as much.
const LOOKED_THROUGH: u32 = 1_000;

/// Where a folder was when a job last looked at a file in it, or, of a folder that has none, at one in a folder in it. Among very
/// many files the latter may not be found.
pub fn folder_path(
    connection: &mut Connection,
    profile: &Profile,
    folder: &NodeId,
) -> Result<Option<String>, Error> {
    if folder.is_root() {
        return Ok(Some("/".to_owned()));
    }
    let (of, id) = (profile.to_string(), folder.canonical());
    let mut found: Option<(String, String)> = connection.first(FOLDER_PATH, params![of, id])?;
    if found.is_none() {
        let ids = ids_of(profile);
        found = connection.first(FOLDER_ABOVE, params![ids.start, ids.end, id, LOOKED_THROUGH])?;
    }
    Ok(found.and_then(|(path, ancestors)| {
        // The first of them is the file's parent.
        let above = ancestors.split_whitespace().position(|id| id == folder.canonical())?;
        let parent = path.rsplitn(above + 2, '/').last()?;
        Some(format!("{parent}/"))
    }))
}

/// How many files are synced under a hash that we computed, because Fastio announces another one, and where one of them is.
pub fn other_hashes(connection: &mut Connection) -> Result<(i64, Option<String>), Error> {
    connection.one(OTHER_HASHES, &[])
}

/// How many files are in each state.
pub fn file_counts(connection: &mut Connection) -> Result<Vec<(String, i64)>, Error> {
    connection.all(FILE_COUNTS, &[])
}

/// How many copies are in each state.
pub fn copy_counts(connection: &mut Connection) -> Result<Vec<(String, i64)>, Error> {
    connection.all(COPY_COUNTS, &[])
}

pub(super) fn json(attributes: &Attributes) -> String {
    serde_json::to_string(attributes).expect("attributes are texts and numbers")
}

pub(super) fn hash_text(hash: &Hash) -> String {
    format!("{}:{}", hash.algorithm, hash.value)
}

fn parse_hash(text: &str) -> Option<Hash> {
    let (algorithm, value) = text.split_once(':')?;
    Some(Hash { algorithm: algorithm.to_owned(), value: value.to_owned() })
}

/// The ids in a row's list, in their order.
fn nodes(ancestors: &str) -> impl Iterator<Item = NodeId> {
    ancestors.split_whitespace().map(NodeId::new)
}

/// A number of bytes as a column holds it.
pub(super) fn bytes(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

statements! {
    FILE = "SELECT * FROM file WHERE source_id = $1";
    FILES = "SELECT * FROM file WHERE source_id IN (SELECT value FROM json_each($1))";
    SEE = "
        INSERT INTO file (source_id, profile, node, state, reason, path, ancestors, rules, version, hash, size,
                          modified_at, seen_at, created_at, decided_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        ON CONFLICT (source_id) DO UPDATE SET
            state = excluded.state, reason = excluded.reason, path = excluded.path, ancestors = excluded.ancestors,
            rules = excluded.rules, version = excluded.version, hash = excluded.hash, size = excluded.size,
            modified_at = excluded.modified_at, created_at = excluded.created_at, missing_since = NULL,
            seen_at = excluded.seen_at, decided_by = excluded.decided_by,
            refused = CASE WHEN excluded.state = 'skipped' THEN file.refused ELSE NULL END";
    MISS = "UPDATE file SET missing_since = $2 WHERE source_id = $1";
    BURY = "UPDATE file SET state = 'gone', reason = $2, refused = NULL, seen_at = $3 WHERE source_id = $1";
    FORGET = "DELETE FROM file WHERE source_id IN (SELECT value FROM json_each($1))";
    /// In the order of the file: most of what is there is of one workspace, and an index would only be a detour.
    FILES_UNDER = "
        SELECT node FROM file
        WHERE +profile = $1 AND state <> 'gone'
          AND ($3 OR source_id = $1 || ':' || $2 OR ancestors LIKE '% ' || $2 || ' %')";
    COPIES = "SELECT * FROM copy WHERE source_id = $1 ORDER BY id";
    COPIES_OF = "SELECT * FROM copy WHERE source_id IN (SELECT value FROM json_each($1)) ORDER BY id";
    READ = "UPDATE copy SET reading = $2, characters = $3 WHERE id = $1";
    GOT_FILE = "UPDATE copy SET state = $2, file_id = $3, since = $4 WHERE id = $1";
    UNANSWERED = "UPDATE copy SET unanswered_at = $2 WHERE id = $1";
    GIVEN = "UPDATE copy SET given = $2 WHERE id = $1";
    READ_AS = "UPDATE file SET read_of = $2, read_sha256 = $3, read_agreed_at = NULL WHERE source_id = $1";
    /// A second read had the same bytes, and these are what was uploaded. Where no hash is doubted there was only a damaged read.
    AGREED = "
        UPDATE file SET read_agreed_at = $2
        WHERE read_agreed_at IS NULL AND read_sha256 IS NOT NULL AND read_of <> ''
          AND (source_id, read_sha256) = (SELECT source_id, content_hash FROM copy WHERE id = $1)";
    OTHER_HASHES = "
        SELECT count(*), min(path) FROM file WHERE read_agreed_at IS NOT NULL AND state = 'present'";
    ATTACHING = "UPDATE copy SET attaches = attaches + 1, unanswered_at = NULL WHERE id = $1";
    ATTACHES_ANEW = "UPDATE copy SET attaches = 0 WHERE id = $1";
    ATTACHED = "
        UPDATE copy SET state = 'attached', attributes = $2, since = $3, given = $4, unanswered_at = NULL WHERE id = $1";
    RELABELLED = "
        UPDATE copy SET attributes = $2, version = $3, hash = $4, modified_at = $5, given = $6 WHERE id = $1";
    STATE = "UPDATE copy SET state = $2, since = $3, unanswered_at = NULL WHERE id = $1";
    LOST = "
        INSERT INTO lost_upload (source_id, vector_store, version, hash, size, modified_at, content_hash, filename, bytes,
                                 begun_at, lost_at)
        SELECT source_id, vector_store, version, hash, size, modified_at, content_hash, filename, bytes, since, $2
        FROM copy WHERE id = $1 AND content_hash IS NOT NULL";
    FORGOTTEN = "DELETE FROM copy WHERE id = $1";
    REFUSED = "UPDATE file SET state = 'skipped', reason = $2, refused = $3, seen_at = $4 WHERE source_id = $1";
    OF_FILE = "SELECT id FROM copy WHERE file_id = $1";
    MAKE_STORE = "INSERT INTO vector_store (name, intent, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    MADE_STORE = "SELECT intent, vector_store_id FROM vector_store WHERE name = $1";
    STORE_MADE = "UPDATE vector_store SET vector_store_id = $2 WHERE name = $1";
    LOST_STORE = "SELECT lost_id FROM vector_store WHERE name = $1";
    /// The File objects are there, as a rule. Those that are not are uploaded again.
    MOVE_COPIES = "
        UPDATE copy SET vector_store = $2, since = $3, attributes = NULL, given = NULL, attaches = 0, unanswered_at = NULL,
                        state = CASE WHEN state IN ('attached', 'indexed') THEN 'uploaded' ELSE state END
        WHERE id > $4 AND id <= $5 AND vector_store = $1 AND state <> 'retiring'";
    BITE_END = "SELECT max(id) FROM (SELECT id FROM copy WHERE id > $1 ORDER BY id LIMIT $2)";
    LOSE_STORE = "
        UPDATE vector_store SET vector_store_id = NULL, intent = $2, lost_id = $3, lost_at = $4, given_up = NULL
        WHERE name = $1 AND vector_store_id = $3";
    IS_GIVEN_UP = "SELECT 1 FROM vector_store WHERE name = $1 AND given_up = $2";
    SOME_OBJECTS = "
        SELECT file_id FROM copy WHERE vector_store = $1 AND file_id IS NOT NULL AND state IN ('attached', 'indexed')
        ORDER BY id DESC LIMIT $2";
    MADE_NAME = "SELECT name FROM vector_store WHERE vector_store_id = $1";
    MADE_ANEW = "
        SELECT name, vector_store_id, lost_at FROM vector_store WHERE lost_at >= $1 ORDER BY name";
    INDEXED = "
        SELECT c.*, f.profile AS file_profile, f.node AS file_node, f.path AS file_path,
               f.ancestors AS file_ancestors, f.version AS file_version, f.hash AS file_hash, f.size AS file_size,
               f.modified_at AS file_modified_at
        FROM file AS f JOIN copy AS c ON c.source_id = f.source_id
        WHERE f.source_id = $1 AND f.state = 'present' AND c.vector_store = $2 AND c.state = 'indexed'
        ORDER BY c.id DESC LIMIT 1";
    INDEXED_PAGE = "
        SELECT c.*, f.profile AS file_profile, f.node AS file_node, f.path AS file_path,
               f.ancestors AS file_ancestors, f.version AS file_version, f.hash AS file_hash, f.size AS file_size,
               f.modified_at AS file_modified_at
        FROM file AS f JOIN copy AS c ON c.id = (
            SELECT max(id) FROM copy WHERE source_id = f.source_id AND vector_store = $1 AND state = 'indexed')
        WHERE f.source_id > $2 AND f.source_id < $3 AND f.state = 'present'
        ORDER BY f.source_id LIMIT $4";
    /// Not by the index that begins with the profile, in which all files of the workspace are.
    NAMED = "
        SELECT node FROM file WHERE +profile = $1 AND state = 'present' AND (path = $2 OR source_id IN ($2, $3))
        ORDER BY source_id LIMIT 1";
    /// By a file that is in it.
    FOLDER_PATH = "
        SELECT path, ancestors FROM file INDEXED BY file_folder
        WHERE profile = $1 AND substr(ancestors, 2, instr(substr(ancestors, 2), ' ') - 1) = $2
        ORDER BY state = 'gone', seen_at DESC LIMIT 1";
    /// By a file that is in a folder in it.
    FOLDER_ABOVE = "
        SELECT path, ancestors
        FROM (SELECT path, ancestors, state, seen_at FROM file WHERE source_id > $1 AND source_id < $2 LIMIT $4)
        WHERE ancestors LIKE '% ' || $3 || ' %'
        ORDER BY state = 'gone', seen_at DESC LIMIT 1";
    FILE_COUNTS = "SELECT state, files FROM file_count WHERE files > 0 ORDER BY state";
    COPY_COUNTS = "SELECT state, sum(copies) FROM copy_count GROUP BY state HAVING sum(copies) > 0 ORDER BY state";
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
            source: source.clone(),
            refused: None,
            read: None,
            missing_since: None,
            seen_at: 0,
            ancestors: "  ".to_owned(),
        }
    }
}
