//! The statements on `file`.

use std::collections::HashMap;

use super::{bytes, hash_text, ids_of, nodes, source};
use crate::database::{Connection, Error, JsonList, Row, from_row, json_list, params, statements};
use crate::fastio::{FileKey, NodeId, Profile};
use crate::rule::Rule;
use crate::sync::copy::Source;
use crate::sync::look::Present;

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
    /// Why it is not synced, if it cannot be or is not to be.
    pub skipped: Option<&'a str>,
    /// Why OpenAI does not hold it now, though it could.
    pub out: Option<&'a str>,
    /// Fastio's text of it goes, because its own bytes were refused or say nothing; that they do stays on record.
    pub is_extract: bool,
    /// By what knowledge.
    pub decided_by: &'a str,
    /// When it was used, unless it was later. Unix milliseconds.
    pub used_at: i64,
}

/// A row of `file`: what we remember of it between looks.
#[derive(Debug, Clone, PartialEq)]
pub struct FileRow {
    pub source_id: String,
    pub profile: String,
    pub node: String,
    /// `present`, `out`, `skipped` or `gone`.
    pub state: String,
    /// Where it was when a job last looked.
    pub path: String,
    /// The rules that cover it, comma-separated.
    pub rules: String,
    pub source: Source,
    /// Why it is out, skipped or gone.
    pub reason: Option<String>,
    /// The content that OpenAI could not index, and why.
    pub refused: Option<(String, String)>,
    /// What it was read as, where its content has another hash than Fastio announces.
    pub read: Option<ReadAs>,
    /// Since when Fastio does not know it any more. Unix milliseconds.
    pub missing_since: Option<i64>,
    /// When a job last looked.
    pub seen_at: i64,
    /// When a job last learned what it is; none since its job died without having learned it.
    pub looked_at: Option<i64>,
    /// The rules for which it has left OpenAI to make room, comma-separated.
    pub out_rules: Option<String>,
    /// Why, in words.
    pub out_reason: Option<String>,
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
    reason,
    refused: row.get::<Option<String>>("refused")?.map(|content| Ok::<_, Error>((content, refusal(row)?))).transpose()?,
    read: row
        .get::<Option<String>>("read_of")?
        .zip(row.get("read_sha256")?)
        .map(|(of, sha256)| ReadAs { of, sha256 }),
    missing_since,
    seen_at,
    looked_at,
    out_rules,
    out_reason,
    ancestors,
});

/// Why. Of a file of which Fastio's text was held the row does not say it any more.
fn refusal(row: &Row<'_>) -> Result<String, Error> {
    let reason = row.get::<Option<String>>("reason")?;
    Ok(reason
        .unwrap_or_else(|| "OpenAI can read nothing in it, and Fastio has no text of it any more".to_owned()))
}

impl FileRow {
    /// It is there, and OpenAI can hold it, whether it is to or not.
    pub fn is_present(&self) -> bool {
        ["present", OUT].contains(&self.state.as_str())
    }

    /// Whether what is known of the file is not so any more, as far as it concerns what stands beside it. `unheld` is why OpenAI is not to
    /// hold it.
    pub fn differs(&self, present: &Present, (matched, unheld): (&[&Rule], Option<&String>)) -> bool {
        let rules = matched.iter().map(|rule| rule.name.as_str());
        self.looked_at.is_none()
            || self.path != present.path
            || self.reason.as_ref() != unheld
            || !self.is_there()
            || !self.rules.split(',').filter(|name| !name.is_empty()).eq(rules)
            || !self.source.same_content(&present.source)
            || self.folder().as_ref() != present.ancestors.first()
    }

    /// For this rule it has left OpenAI to make room, or there was none for it.
    pub fn is_out(&self, rule: &str) -> bool {
        self.out_rules.as_ref().is_some_and(|rules| rules.split(',').any(|name| name == rule))
    }

    /// It is in Fastio.
    pub fn is_there(&self) -> bool {
        self.state != "gone"
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

/// The rules that cover a file, comma-separated, as they were when it was last looked at.
pub fn rules_of(connection: &mut Connection, source_id: &str) -> Result<Option<String>, Error> {
    connection.first(RULES_OF, params![source_id])
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
    let Judged { rules, skipped, out, is_extract, decided_by, used_at } = judged;
    let ancestors: Vec<String> = present.ancestors.iter().map(NodeId::canonical).collect();
    let Source { version, hash, size, modified_at } = &present.source;
    connection.run(
        SEE,
        params![
            key.to_string(),
            key.profile.to_string(),
            key.node.as_str(),
            match (skipped, out) {
                (Some(_), _) => "skipped",
                (None, Some(_)) => OUT,
                (None, None) => "present",
            },
            skipped.or(*out),
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
            is_extract,
            used_at,
        ],
    )?;
    Ok(())
}

/// Writes down that Fastio does not know the file any more, as it says for the first time.
pub fn miss(connection: &mut Connection, key: &FileKey, now: i64) -> Result<(), Error> {
    connection.run(MISS, params![key.to_string(), now])?;
    Ok(())
}

/// Writes down that a job died that was to learn what the file is now, if none has learned it since `since`.
pub fn lose_sight(connection: &mut Connection, source_id: &str, since: i64) -> Result<(), Error> {
    connection.run(LOSE_SIGHT, params![source_id, since]).map(drop)
}

/// Writes down that the file is gone, if we ever knew it: its tombstone.
pub fn bury(connection: &mut Connection, key: &FileKey, reason: &str, now: i64) -> Result<(), Error> {
    connection.run(BURY, params![key.to_string(), reason, now])?;
    Ok(())
}

/// The next files of `profile` behind `after` that are gone and were not known to be purged when a job last looked: ids and nodes.
pub fn gone_nodes(
    connection: &mut Connection,
    profile: &Profile,
    after: &str,
    most: u32,
) -> Result<Vec<(String, NodeId)>, Error> {
    let ids = ids_of(profile);
    let from = if after.is_empty() { &ids.start } else { after };
    let rows: Vec<(String, String)> = connection.all(GONE_NODES, params![from, ids.end, PURGED, most])?;
    Ok(rows.into_iter().map(|(id, node)| (id, NodeId::new(node))).collect())
}

/// How a file stands that OpenAI could hold, and does not, as its rules say.
pub const OUT: &str = "out";

/// Why a file is gone that Fastio has purged.
pub const PURGED: &str = "it is no longer in Fastio";

/// Forgets these files. Should one be told of again, it is looked at as one that is new.
pub fn forget(connection: &mut Connection, source_ids: &JsonList) -> Result<u64, Error> {
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

/// The files that were under `folder` when a job last looked at them, and the file that it is, if it is none. Those that are gone are
/// among them only if `gone` says so.
pub fn files_under(
    connection: &mut Connection,
    profile: &Profile,
    folder: &NodeId,
    gone: bool,
) -> Result<Vec<NodeId>, Error> {
    let (of, id) = (profile.to_string(), folder.canonical());
    let nodes: Vec<String> = connection.all(FILES_UNDER, params![of, id, folder.is_root(), gone])?;
    Ok(nodes.into_iter().map(NodeId::new).collect())
}

/// The file of `profile` that is there and has this path or id.
pub fn named(connection: &mut Connection, profile: &Profile, name: &str) -> Result<Option<FileKey>, Error> {
    let id = FileKey::new(profile.clone(), NodeId::new(name)).to_string();
    let node: Option<String> = connection.first(NAMED, params![profile.to_string(), name, id])?;
    Ok(node.map(|node| FileKey::new(profile.clone(), NodeId::new(node))))
}

/// Files that are looked through for one that is somewhere in a folder: a list has many such rows, and an id says as much.
const LOOKED_THROUGH: u32 = 1_000;

/// The files that have one of these ids, or were last seen at one of these paths: their ids.
pub fn called(
    connection: &mut Connection,
    paths: &[String],
    source_ids: &[String],
) -> Result<Vec<String>, Error> {
    connection.all(CALLED, params![json_list(paths), json_list(source_ids)])
}

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

statements! {
    FILE = "SELECT * FROM file WHERE source_id = $1";
    FILES = "SELECT * FROM file WHERE source_id IN (SELECT value FROM json_each($1))";
    SEE = "
        INSERT INTO file (source_id, profile, node, state, reason, path, ancestors, rules, version, hash, size,
                          modified_at, seen_at, looked_at, created_at, decided_by, used_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $14, $15, $17)
        ON CONFLICT (source_id) DO UPDATE SET
            state = excluded.state, reason = excluded.reason, path = excluded.path, ancestors = excluded.ancestors,
            rules = excluded.rules, version = excluded.version, hash = excluded.hash, size = excluded.size,
            modified_at = excluded.modified_at, created_at = excluded.created_at, missing_since = NULL,
            seen_at = excluded.seen_at, looked_at = excluded.looked_at, decided_by = excluded.decided_by,
            used_at = CASE WHEN file.used_at > excluded.used_at THEN file.used_at ELSE excluded.used_at END,
            refused = CASE WHEN excluded.state = 'skipped' OR $16 THEN file.refused ELSE NULL END";
    MISS = "UPDATE file SET missing_since = $2 WHERE source_id = $1";
    BURY = "
            UPDATE file SET state = 'gone', reason = $2, refused = NULL, looked_at = $3,
                            seen_at = CASE state WHEN 'gone' THEN seen_at ELSE $3 END
            WHERE source_id = $1";
    LOSE_SIGHT = "UPDATE file SET looked_at = NULL WHERE source_id = $1 AND looked_at < $2";
    CALLED = "
        SELECT source_id FROM file WHERE path IN (SELECT value FROM json_each($1))
        UNION
        SELECT source_id FROM file WHERE source_id IN (SELECT value FROM json_each($2))";
    GONE_NODES = "
        SELECT source_id, node FROM file INDEXED BY file_gone_id
        WHERE state = 'gone' AND source_id > $1 AND source_id < $2 AND reason <> $3 ORDER BY source_id LIMIT $4";
    RULES_OF = "SELECT rules FROM file WHERE source_id = $1";
    FORGET = "DELETE FROM file WHERE source_id IN (SELECT value FROM json_each($1))";
    /// In the order of the file: most of what is there is of one workspace, and an index would only be a detour.
    FILES_UNDER = "
        SELECT node FROM file
        WHERE +profile = $1 AND ($4 OR state <> 'gone')
          AND ($3 OR source_id = $1 || ':' || $2 OR ancestors LIKE '% ' || $2 || ' %')";
    OTHER_HASHES = "
        SELECT count(*), min(path) FROM file WHERE read_agreed_at IS NOT NULL AND state = 'present'";
    /// Not by the index that begins with the profile, in which all files of the workspace are.
    NAMED = "
        SELECT node FROM file WHERE +profile = $1 AND state IN ('present', 'out') AND (path = $2 OR source_id IN ($2, $3))
        ORDER BY source_id LIMIT 1";
    /// By a file that is in it.
    FOLDER_PATH = "
        SELECT path, ancestors FROM file INDEXED BY file_folder
        WHERE profile = $1 AND substr(ancestors, 2, instr(substr(ancestors, 2), ' ') - 1) = $2
        ORDER BY state = 'gone', seen_at DESC LIMIT 1", postgres: "
        SELECT path, ancestors FROM file
        WHERE profile = $1 AND split_part(ancestors, ' ', 2) = $2
        ORDER BY state = 'gone', seen_at DESC LIMIT 1";
    /// By a file that is in a folder in it.
    FOLDER_ABOVE = "
        SELECT path, ancestors
        FROM (SELECT path, ancestors, state, seen_at FROM file WHERE source_id > $1 AND source_id < $2 LIMIT $4) AS there
        WHERE ancestors LIKE '% ' || $3 || ' %'
        ORDER BY state = 'gone', seen_at DESC LIMIT 1";
    FILE_COUNTS = "SELECT state, files FROM file_count WHERE files > 0 ORDER BY state";
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
            reason: None,
            refused: None,
            read: None,
            missing_since: None,
            seen_at: 0,
            looked_at: Some(0),
            out_rules: None,
            out_reason: None,
            ancestors: "  ".to_owned(),
        }
    }
}
