//! The statements on `own_file`.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{SETTLES_WITHIN_MS, Seen, Whose};
use crate::database::{Connection, Error};
use crate::fastio::{NodeId, Profile, VersionId};

/// One file of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnFile {
    pub owner: String,
    pub folder: NodeId,
    pub name: String,
    /// Whether a write is under way.
    pub writing: bool,
    pub upload: Option<String>,
    pub node: Option<NodeId>,
    /// The version that our last write on record made.
    pub version: Option<VersionId>,
    pub sha256: String,
    pub size: i64,
    pub since: i64,
}

/// What we called the file at `node`, if it is one that we wrote.
pub async fn name(
    connection: &mut Connection,
    profile: &Profile,
    node: &NodeId,
) -> Result<Option<String>, Error> {
    sqlx::query_scalar("SELECT name FROM own_file WHERE profile = $1 AND node = $2")
        .bind(profile.to_string())
        .bind(node.canonical())
        .fetch_optional(connection)
        .await
}

/// Whose the file is that was seen.
pub async fn recognise(connection: &mut Connection, seen: &Seen<'_>, now: i64) -> Result<Whose, Error> {
    let whose = recognise_all(connection, seen.profile, std::slice::from_ref(seen), now).await?;
    Ok(whose.into_iter().next().unwrap_or(Whose::Theirs))
}

/// Whose each of these files is, all of which were seen in `profile`.
pub async fn recognise_all(
    connection: &mut Connection,
    profile: &Profile,
    seen: &[Seen<'_>],
    now: i64,
) -> Result<Vec<Whose>, Error> {
    let nodes: Vec<String> = seen.iter().map(|seen| seen.node.canonical()).collect();
    let rows = sqlx::query(RECOGNISE)
        .bind(profile.to_string())
        .bind(serde_json::to_string(&nodes).expect("a list of texts is JSON"))
        .bind(now - SETTLES_WITHIN_MS)
        .fetch_all(connection)
        .await?;
    let own = rows.iter().map(own_file).collect::<Result<Vec<_>, _>>()?;
    Ok(seen.iter().map(|seen| whose(seen, &own, now)).collect())
}

/// By node, or under way: those are few, because each is a run at its end.
const RECOGNISE: &str = "
    SELECT * FROM own_file WHERE profile = $1 AND node IN (SELECT value FROM json_each($2))
    UNION
    SELECT * FROM own_file WHERE profile = $1 AND state = 'writing' AND since > $3";

fn whose(seen: &Seen<'_>, own: &[OwnFile], now: i64) -> Whose {
    let is_it = |own: &OwnFile| own.node.as_ref() == Some(seen.node);
    let settles = |own: &OwnFile| own.writing && own.since > now - SETTLES_WITHIN_MS;
    let is_place = |own: &OwnFile| own.folder == *seen.folder && own.name == seen.name;
    if own.iter().any(|own| is_it(own) && own.version.as_ref() == seen.version) {
        Whose::Ours
    } else if own.iter().any(|own| settles(own) && (is_it(own) || is_place(own))) {
        Whose::Unsettled
    } else {
        Whose::Theirs
    }
}

/// What `owner` writes, or wrote last.
pub async fn of(connection: &mut Connection, owner: &str) -> Result<Option<OwnFile>, Error> {
    let row =
        sqlx::query("SELECT * FROM own_file WHERE owner = $1").bind(owner).fetch_optional(connection).await?;
    row.as_ref().map(own_file).transpose()
}

/// Every file of ours.
pub async fn list(connection: &mut Connection) -> Result<Vec<OwnFile>, Error> {
    let rows = sqlx::query("SELECT * FROM own_file ORDER BY owner").fetch_all(connection).await?;
    rows.iter().map(own_file).collect()
}

fn own_file(row: &SqliteRow) -> Result<OwnFile, Error> {
    let node: Option<String> = row.try_get("node")?;
    let version: Option<String> = row.try_get("version")?;
    let state: String = row.try_get("state")?;
    Ok(OwnFile {
        owner: row.try_get("owner")?,
        folder: NodeId::new(row.try_get::<String, _>("folder")?),
        name: row.try_get("name")?,
        writing: state == "writing",
        upload: row.try_get("upload")?,
        node: node.map(NodeId::new),
        version: version.map(VersionId),
        sha256: row.try_get("sha256")?,
        size: row.try_get("size")?,
        since: row.try_get("since")?,
    })
}

/// A write that is about to begin.
#[derive(Debug)]
pub struct Intent<'a> {
    pub owner: &'a str,
    pub profile: &'a Profile,
    pub folder: &'a NodeId,
    pub name: &'a str,
    pub sha256: &'a str,
    pub size: i64,
    /// The earlier result that it goes over; without it a new file is made.
    pub over: Option<(&'a NodeId, Option<&'a VersionId>)>,
}

/// Writes a write down before it begins. False while another result of that name is being made in that folder: Fastio
/// would put one over the other.
pub async fn intend(connection: &mut Connection, intent: &Intent<'_>, now: i64) -> Result<bool, Error> {
    let twin: Option<String> = sqlx::query_scalar(TWIN)
        .bind(intent.profile.to_string())
        .bind(intent.folder.canonical())
        .bind(intent.name)
        .bind(intent.owner)
        .bind(now - SETTLES_WITHIN_MS)
        .fetch_optional(&mut *connection)
        .await?;
    if twin.is_some() {
        return Ok(false);
    }
    sqlx::query(INTEND)
        .bind(intent.owner)
        .bind(intent.profile.to_string())
        .bind(intent.folder.canonical())
        .bind(intent.name)
        .bind(intent.over.map(|(node, _)| node.canonical()))
        .bind(intent.over.and_then(|(_, version)| version).map(|version| &version.0))
        .bind(intent.sha256)
        .bind(intent.size)
        .bind(now)
        .execute(connection)
        .await?;
    Ok(true)
}

const TWIN: &str = "
    SELECT owner FROM own_file
    WHERE profile = $1 AND folder = $2 AND name = $3 AND owner <> $4 AND state = 'writing' AND since > $5";

const INTEND: &str = "
    INSERT INTO own_file (owner, profile, folder, name, state, node, version, sha256, size, since)
    VALUES ($1, $2, $3, $4, 'writing', $5, $6, $7, $8, $9)
    ON CONFLICT (owner) DO UPDATE SET
        profile = excluded.profile, folder = excluded.folder, name = excluded.name, state = 'writing', upload = NULL,
        node = excluded.node, version = excluded.version, sha256 = excluded.sha256, size = excluded.size,
        since = excluded.since";

/// The bytes are at Fastio, in this upload session, and in no file yet.
pub async fn uploaded(connection: &mut Connection, owner: &str, upload: Option<&str>) -> Result<(), Error> {
    sqlx::query("UPDATE own_file SET upload = $2 WHERE owner = $1")
        .bind(owner)
        .bind(upload)
        .execute(connection)
        .await?;
    Ok(())
}

/// The write made this version of this file.
pub async fn written(
    connection: &mut Connection,
    owner: &str,
    (node, version): (&NodeId, Option<&VersionId>),
    now: i64,
) -> Result<(), Error> {
    sqlx::query(WRITTEN)
        .bind(owner)
        .bind(node.canonical())
        .bind(version.map(|version| &version.0))
        .bind(now)
        .execute(connection)
        .await?;
    Ok(())
}

const WRITTEN: &str = "UPDATE own_file SET state = 'written', upload = NULL, node = $2, version = $3, since = $4 WHERE owner = $1";
