//! The statements on `own_file`.

use super::{SETTLES_WITHIN_MS, Seen, Whose};
use crate::database::{Connection, Error, Row, from_row, json_list, params, statements};
use crate::fastio::{Node, NodeId, Profile, VersionId};

/// One file of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnFile {
    pub owner: String,
    pub profile: Profile,
    pub folder: NodeId,
    pub name: String,
    /// Whether a write is under way.
    pub writing: bool,
    pub node: Option<NodeId>,
    /// The version that our last write on record made.
    pub version: Option<VersionId>,
    pub sha256: String,
    pub size: i64,
    pub since: i64,
}

from_row!(row => OwnFile {
    owner,
    profile: profile(row)?,
    folder: NodeId::new(row.get::<String>("folder")?),
    name,
    writing: row.get::<String>("state")? == "writing",
    node: row.get::<Option<String>>("node")?.map(NodeId::new),
    version: row.get::<Option<String>>("version")?.map(VersionId),
    sha256,
    size,
    since,
});

fn profile(row: &Row<'_>) -> Result<Profile, Error> {
    let profile = row.get::<String>("profile")?.parse();
    profile.map_err(|_| Error::bug("a file of ours is in no workspace or share"))
}

/// What we called the file at `node`, if it is one that we wrote.
pub fn name(connection: &mut Connection, profile: &Profile, node: &NodeId) -> Result<Option<String>, Error> {
    connection.first(NAME, params![profile.to_string(), node.canonical()])
}

/// Whose the file is that was seen.
pub fn recognise(connection: &mut Connection, seen: &Seen<'_>, now: i64) -> Result<Whose, Error> {
    let whose = recognise_all(connection, seen.profile, std::slice::from_ref(seen), now)?;
    Ok(whose.into_iter().next().unwrap_or(Whose::Theirs))
}

/// Whose each of these files is, all of which were seen in `profile`.
pub fn recognise_all(
    connection: &mut Connection,
    profile: &Profile,
    seen: &[Seen<'_>],
    now: i64,
) -> Result<Vec<Whose>, Error> {
    let nodes: Vec<String> = seen.iter().map(|seen| seen.node.canonical()).collect();
    let own: Vec<OwnFile> = connection
        .all(RECOGNISE, params![profile.to_string(), json_list(&nodes), now - SETTLES_WITHIN_MS])?;
    Ok(seen.iter().map(|seen| whose(seen, &own, now)).collect())
}

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
pub fn of(connection: &mut Connection, owner: &str) -> Result<Option<OwnFile>, Error> {
    connection.first(OF, params![owner])
}

/// Every file of ours.
pub fn list(connection: &mut Connection) -> Result<Vec<OwnFile>, Error> {
    connection.all(LIST, &[])
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
pub fn intend(connection: &mut Connection, intent: &Intent<'_>, now: i64) -> Result<bool, Error> {
    let Intent { owner, name, sha256, size, over, .. } = *intent;
    let (profile, folder) = (intent.profile.to_string(), intent.folder.canonical());
    let since = now - SETTLES_WITHIN_MS;
    if connection.first::<String>(TWIN, params![profile, folder, name, owner, since])?.is_some() {
        return Ok(false);
    }
    let node = over.map(|(node, _)| node.canonical());
    let version = over.and_then(|(_, version)| version).map(|version| &version.0);
    connection.run(INTEND, params![owner, profile, folder, name, node, version, sha256, size, now])?;
    Ok(true)
}

/// The write made `node` as it is now.
pub fn written(connection: &mut Connection, owner: &str, node: &Node, now: i64) -> Result<(), Error> {
    let version = node.version.as_ref().map(|version| &version.0);
    connection.run(WRITTEN, params![owner, node.id.canonical(), version, now]).map(drop)
}

/// A write is not gone on with, and made nothing: what was there before it is ours as before. Its content is not what is on
/// record, so nothing is taken for written already.
pub fn abandon(connection: &mut Connection, own: &OwnFile) -> Result<(), Error> {
    connection.run(ABANDON, params![own.owner, own.since])?;
    connection.run(ABANDON_NEW, params![own.owner, own.since]).map(drop)
}

/// Writes down that the file at `node`, if it is one that we wrote, is gone from Fastio.
pub fn lose(connection: &mut Connection, profile: &Profile, node: &NodeId, now: i64) -> Result<(), Error> {
    connection.run(LOSE, params![profile.to_string(), node.canonical(), now]).map(drop)
}

/// Writes down that the file at `node` is there after all.
pub fn find_again(connection: &mut Connection, profile: &Profile, node: &NodeId) -> Result<(), Error> {
    connection.run(FIND_AGAIN, params![profile.to_string(), node.canonical()]).map(drop)
}

/// The files that runs over these files wrote and that are not known to be gone: profile and node.
pub fn beside(connection: &mut Connection, source_ids: &str) -> Result<Vec<(String, String)>, Error> {
    connection.all(BESIDE, params![source_ids])
}

/// Forgets at most `most` files of ours that are gone since before `before`.
pub fn prune(connection: &mut Connection, before: i64, most: u32) -> Result<u64, Error> {
    connection.run(PRUNE, params![before, most])
}

/// What was written for a rule is from now on for it under its new name.
pub fn rename_rule(connection: &mut Connection, (old, new): (&str, &str)) -> Result<(), Error> {
    connection.run(RENAME_RESULTS, params![old, new])?;
    connection.run(RENAME_TABLE, params![old, new]).map(drop)
}

statements! {
    /// `run:RULE:SOURCE_ID`, as the runs name it. A source's id begins with its profile.
    RENAME_RESULTS = "
        UPDATE OR IGNORE own_file SET owner = 'run:' || $2 || substr(owner, length($1) + 5)
        WHERE substr(owner, 1, length($1) + 5) = 'run:' || $1 || ':'
          AND (substr(owner, length($1) + 6) LIKE 'workspace:%' OR substr(owner, length($1) + 6) LIKE 'share:%')";
    RENAME_TABLE = "UPDATE OR IGNORE own_file SET owner = 'digest:' || $2 WHERE owner = 'digest:' || $1";

    NAME = "SELECT name FROM own_file WHERE profile = $1 AND node = $2";

    /// By node, or under way: those are few, because each is a run at its end.
    RECOGNISE = "
        SELECT * FROM own_file WHERE profile = $1 AND node IN (SELECT value FROM json_each($2))
        UNION
        SELECT * FROM own_file WHERE profile = $1 AND state = 'writing' AND since > $3";

    OF = "SELECT * FROM own_file WHERE owner = $1";

    LIST = "SELECT * FROM own_file ORDER BY owner";

    TWIN = "
        SELECT owner FROM own_file
        WHERE profile = $1 AND folder = $2 AND name = $3 AND owner <> $4 AND state = 'writing' AND since > $5";

    INTEND = "
        INSERT INTO own_file (owner, profile, folder, name, state, node, version, sha256, size, since)
        VALUES ($1, $2, $3, $4, 'writing', $5, $6, $7, $8, $9)
        ON CONFLICT (owner) DO UPDATE SET
            profile = excluded.profile, folder = excluded.folder, name = excluded.name, state = 'writing',
            node = excluded.node, version = excluded.version, sha256 = excluded.sha256, size = excluded.size,
            since = excluded.since";

    WRITTEN = "
        UPDATE own_file SET state = 'written', node = $2, version = $3, since = $4, gone_since = NULL
        WHERE owner = $1";

    ABANDON = "
        UPDATE own_file SET state = 'written', sha256 = ''
        WHERE owner = $1 AND state = 'writing' AND since = $2 AND node IS NOT NULL";

    ABANDON_NEW = "DELETE FROM own_file WHERE owner = $1 AND state = 'writing' AND since = $2 AND node IS NULL";

    LOSE = "UPDATE own_file SET gone_since = coalesce(gone_since, $3) WHERE profile = $1 AND node = $2";

    FIND_AGAIN = "
        UPDATE own_file SET gone_since = NULL WHERE profile = $1 AND node = $2 AND gone_since IS NOT NULL";

    BESIDE = "
        SELECT DISTINCT own_file.profile, own_file.node
        FROM (SELECT DISTINCT 'run:' || rule || ':' || source_id AS owner FROM run
              WHERE source_id IN (SELECT value FROM json_each($1))) AS wrote
        JOIN own_file ON own_file.owner = wrote.owner
                      OR own_file.owner BETWEEN wrote.owner || ':' AND wrote.owner || ';'
        WHERE own_file.node IS NOT NULL AND own_file.gone_since IS NULL";

    PRUNE = "
        DELETE FROM own_file WHERE owner IN (
            SELECT owner FROM own_file WHERE gone_since < $1 AND state = 'written' ORDER BY gone_since LIMIT $2)";
}
