//! The statements on `own_file`.

use super::seal::Proven;
use super::{Content, SETTLES_WITHIN_MS, Seen, Whose};
use crate::database::{Connection, Error, JsonList, Row, from_row, json_list, params, statements};
use crate::fastio::{FileKey, Node, NodeId, Profile, VersionId};

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
    /// With which agent's key we wrote it, as Fastio tells that.
    pub agent: Option<String>,
    pub since: i64,
    /// What it is the result of; none for a table, and where that is not known any more.
    pub of: Option<ResultOf>,
    /// The answer that it shows, by a name that its writer gives.
    pub answer: Option<String>,
    /// In what form it does; empty where that is to be looked at anew.
    pub shown: Option<String>,
    /// What it replaced in another place, and in what version that was ours. It is to be taken away.
    pub old: Option<(NodeId, VersionId)>,
    /// It is known to be gone since then.
    pub gone_since: Option<i64>,
}

impl OwnFile {
    /// Whether a file that is otherwise than on record was made by the same agent as this one.
    pub fn is_by(&self, agent: Option<&str>) -> bool {
        agent.is_some() && self.agent.as_deref() == agent
    }
}

/// The rule, and the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultOf {
    pub rule: String,
    pub key: FileKey,
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
    agent,
    since,
    of: result_of(row)?,
    answer,
    shown,
    old: row
        .get::<Option<String>>("old_node")?
        .map(NodeId::new)
        .zip(row.get::<Option<String>>("old_version")?.map(VersionId)),
    gone_since,
});

fn result_of(row: &Row<'_>) -> Result<Option<ResultOf>, Error> {
    let key = row.get::<Option<String>>("source_id")?.and_then(|id| id.parse().ok());
    Ok(row.get::<Option<String>>("rule")?.zip(key).map(|(rule, key)| ResultOf { rule, key }))
}

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
    let mut all = Vec::with_capacity(seen.len());
    for seen in seen {
        all.push(match whose(seen, &own, now) {
            Whose::Theirs if is_written(connection, seen.content)? => Whose::Ours,
            whose => whose,
        });
    }
    Ok(all)
}

/// Whether we wrote this content, wherever it stands now.
pub fn is_written(connection: &mut Connection, content: Option<Content<'_>>) -> Result<bool, Error> {
    let Some(Content { hash, size }) = content else { return Ok(false) };
    let Ok(hash) = hex::decode(&hash.value) else { return Ok(false) };
    connection.one(IS_WRITTEN, params![hash, i64::try_from(size).unwrap_or(i64::MAX)])
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

/// The file of ours that stands, or stood, in this node.
pub fn by_node(
    connection: &mut Connection,
    profile: &Profile,
    node: &NodeId,
) -> Result<Option<OwnFile>, Error> {
    connection.first(BY_NODE, params![profile.to_string(), node.canonical()])
}

/// What we wrote, and is on record for nobody, stands for `owner` from now on. It does not show what it is to show.
pub fn adopt(connection: &mut Connection, adopted: &Adopted<'_>, now: i64) -> Result<(), Error> {
    let Adopted { owner, profile, node, of } = *adopted;
    let folder = node.parent.clone().unwrap_or_else(NodeId::root);
    let version = node.version.as_ref().map(|version| &version.0);
    connection
        .run(
            ADOPT,
            params![
                owner,
                profile.to_string(),
                folder.canonical(),
                node.name,
                node.id.canonical(),
                version,
                now,
                of.map(|of| &of.rule),
                of.map(|of| of.key.to_string())
            ],
        )
        .map(drop)
}

/// Something that we wrote and that is on record for nobody, which is to stand for `owner`.
#[derive(Debug, Clone, Copy)]
pub struct Adopted<'a> {
    pub owner: &'a str,
    pub profile: &'a Profile,
    pub node: &'a Node,
    pub of: Option<&'a ResultOf>,
}

/// Whether something of ours is on record as written by this agent, as Fastio tells it.
pub fn is_our_agent(connection: &mut Connection, agent: &str) -> Result<bool, Error> {
    Ok(connection.first::<i64>(OF_AGENT, params![agent])?.is_some())
}

/// Whether this is still so on record.
pub fn is_as_seen(connection: &mut Connection, seen: &OwnFile) -> Result<bool, Error> {
    Ok(of(connection, &seen.owner)?.as_ref() == Some(seen))
}

/// What stands for one owner stands for the other from now on, and the other way round. Neither shows what it is to show then.
pub fn swap(connection: &mut Connection, one: &OwnFile, other: &OwnFile) -> Result<(), Error> {
    let of = |own: &OwnFile| own.of.clone().map(|of| (of.rule, of.key.to_string())).unzip();
    let ((rule, source_id), (other_rule, other_source_id)) = (of(one), of(other));
    // Owners are unique, so that one of them needs another name in between.
    let between = format!("\u{1}{}", one.owner);
    connection.run(GIVE, params![other.owner, between, rule, source_id])?;
    connection.run(GIVE, params![one.owner, other.owner, other_rule, other_source_id])?;
    connection.run(GIVE, params![between, one.owner, rule, source_id]).map(drop)
}

/// What stands for one owner stands for another from now on, for which nothing stood.
pub fn give(connection: &mut Connection, own: &OwnFile, owner: &str, of: &ResultOf) -> Result<(), Error> {
    connection.run(GIVE, params![own.owner, owner, of.rule, of.key.to_string()]).map(drop)
}

/// Writes down what the file of `owner` shows now, if `node` still is that file.
pub fn shows(
    connection: &mut Connection,
    (owner, node): (&str, &NodeId),
    (answer, shown): (&str, &str),
) -> Result<(), Error> {
    connection.run(SHOWS, params![owner, node.canonical(), answer, shown]).map(drop)
}

/// Writes down that the file of `owner` is gone for good.
pub fn shows_nothing(connection: &mut Connection, owner: &str) -> Result<(), Error> {
    connection.run(SHOWS_NOTHING, params![owner]).map(drop)
}

/// What was replaced is taken away, or is not ours any more.
pub fn forget_old(connection: &mut Connection, owner: &str) -> Result<(), Error> {
    connection.run(FORGET_OLD, params![owner]).map(drop)
}

/// Nothing stands for `owner` any more.
pub fn forget(connection: &mut Connection, owner: &str) -> Result<(), Error> {
    connection.run(FORGET, params![owner]).map(drop)
}

/// Forgets the results of `rule` for these files that are gone, and says of which.
pub fn forget_gone(connection: &mut Connection, rule: &str, keys: &[String]) -> Result<Vec<String>, Error> {
    connection.all(FORGET_GONE, params![rule, json_list(keys)])
}

/// Those of these files whose results by `rule` are gone.
pub fn gone(connection: &mut Connection, rule: &str, keys: &[String]) -> Result<Vec<String>, Error> {
    connection.all(GONE, params![rule, json_list(keys)])
}

/// Results of a rule that runs nothing any more.
#[derive(Debug)]
pub struct LeftStanding {
    pub rule: String,
    pub results: i64,
    /// What one of them is called.
    pub example: String,
}

from_row!(row => LeftStanding { rule, results, example });

/// The results that stand and are of none of these rules.
pub fn left_standing(connection: &mut Connection, running: &[String]) -> Result<Vec<LeftStanding>, Error> {
    connection.all(LEFT_STANDING, params![json_list(running)])
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
    pub md5: &'a str,
    pub size: i64,
    pub of: Option<&'a ResultOf>,
    /// What stands elsewhere and goes once this is written.
    pub old: Option<(&'a NodeId, &'a VersionId)>,
    /// The earlier result that it goes over; without it a new file is made.
    pub over: Option<(&'a NodeId, Option<&'a VersionId>)>,
}

/// Writes a write down before it begins. False while another result of that name is being made in that folder: Fastio
/// would put one over the other.
pub fn intend(connection: &mut Connection, intent: &Intent<'_>, now: i64) -> Result<bool, Error> {
    let Intent { owner, name, sha256, md5, size, of, over, old, .. } = *intent;
    let (profile, folder) = (intent.profile.to_string(), intent.folder.canonical());
    let since = now - SETTLES_WITHIN_MS;
    if connection.first::<String>(TWIN, params![profile, folder, name, owner, since])?.is_some() {
        return Ok(false);
    }
    let node = over.map(|(node, _)| node.canonical());
    let version = over.and_then(|(_, version)| version).map(|version| &version.0);
    let (rule, source_id) = of.map(|of| (of.rule.as_str(), of.key.to_string())).unzip();
    let (old_node, old_version) = old.map(|(node, version)| (node.canonical(), &version.0)).unzip();
    connection.run(
        INTEND,
        params![
            owner,
            profile,
            folder,
            name,
            node,
            version,
            sha256,
            size,
            now,
            rule,
            source_id,
            old_node,
            old_version
        ],
    )?;
    write_content(connection, [sha256, md5], size, now)?;
    Ok(true)
}

/// We wrote a content with these hashes.
fn write_content(connection: &mut Connection, hashes: [&str; 2], size: i64, now: i64) -> Result<(), Error> {
    for hash in hashes {
        let hash = hex::decode(hash).map_err(|_| Error::bug("a hash is not hexadecimal"))?;
        connection.run(WRITE_CONTENT, params![hash, size, now])?;
    }
    Ok(())
}

/// What `node` holds was proven to be ours, though no record said so. Whoever's it is does not know what it shows.
pub fn prove(
    connection: &mut Connection,
    (profile, node): (&Profile, &NodeId),
    proven: &Proven,
    now: i64,
) -> Result<(), Error> {
    let Proven { version, sha256, md5, size } = proven;
    write_content(connection, [sha256, md5], *size, now)?;
    let version = version.as_ref().map(|version| &version.0);
    connection.run(PROVE, params![profile.to_string(), node.canonical(), version, sha256, size]).map(drop)
}

/// The key of the seals: this one, unless there is one.
pub fn key(connection: &mut Connection, new: &[u8]) -> Result<Vec<u8>, Error> {
    connection.run(MAKE_KEY, params![new.to_vec()])?;
    connection.one(KEY, &[])
}

/// The write made `node` as it is now.
pub fn written(connection: &mut Connection, owner: &str, node: &Node, now: i64) -> Result<(), Error> {
    let version = node.version.as_ref().map(|version| &version.0);
    connection
        .run(WRITTEN, params![owner, node.id.canonical(), version, now, node.agent.as_deref()])
        .map(drop)
}

/// The write on record was carried out, and made `node` as it is now: nothing goes on with it, unless another began since.
pub fn settled(connection: &mut Connection, own: &OwnFile, node: &Node, now: i64) -> Result<(), Error> {
    let version = node.version.as_ref().map(|version| &version.0);
    let agent = node.agent.as_deref();
    connection.run(SETTLED, params![own.owner, node.id.canonical(), version, now, own.since, agent]).map(drop)
}

/// A write is not gone on with, and made nothing: what was there before it is ours as before. Its content is not what is on
/// record, so nothing is taken for written already.
pub fn abandon(connection: &mut Connection, own: &OwnFile) -> Result<(), Error> {
    connection.run(ABANDON, params![own.owner, own.since])?;
    connection.run(ABANDON_NEW, params![own.owner, own.since]).map(drop)
}

/// Writes down that the file at `node`, if it is one that we wrote, is gone from Fastio. Answers what it was the result of.
pub fn lose(
    connection: &mut Connection,
    profile: &Profile,
    node: &NodeId,
    now: i64,
) -> Result<Option<ResultOf>, Error> {
    let lost: Option<OwnFile> =
        connection.first(LOSE, params![profile.to_string(), node.canonical(), now])?;
    Ok(lost.and_then(|own| own.of))
}

/// What those files of ours but `node` are the results of that stand, or stood when they went, in this folder under one of these names.
/// What is in them is looked at anew: a person may have changed it.
pub fn look_at_results(
    connection: &mut Connection,
    (profile, node): (&Profile, &NodeId),
    (folder, names): (&NodeId, &[String]),
) -> Result<Vec<ResultOf>, Error> {
    let (of, folder, node) = (profile.to_string(), folder.canonical(), node.canonical());
    let there: Vec<OwnFile> = connection.all(LOOK_AT_RESULTS, params![of, folder, json_list(names), node])?;
    Ok(there.into_iter().filter_map(|own| own.of).collect())
}

/// Writes down that the file at `node` is there after all. Answers what it is the result of, if it was taken to be gone.
pub fn find_again(
    connection: &mut Connection,
    profile: &Profile,
    node: &NodeId,
) -> Result<Option<ResultOf>, Error> {
    let found: Option<OwnFile> =
        connection.first(FIND_AGAIN, params![profile.to_string(), node.canonical()])?;
    Ok(found.and_then(|own| own.of))
}

/// The files that runs over this file wrote, or that they are writing.
pub fn of_source(connection: &mut Connection, source_id: &str) -> Result<Vec<OwnFile>, Error> {
    connection.all(OF_SOURCE, params![source_id])
}

/// The files that runs over these files wrote and that are not known to be gone: profile and node.
pub fn beside(connection: &mut Connection, source_ids: &JsonList) -> Result<Vec<(String, String)>, Error> {
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
        UPDATE OR IGNORE own_file SET owner = 'run:' || $2 || substr(owner, length($1) + 5), rule = $2
        WHERE substr(owner, 1, length($1) + 5) = 'run:' || $1 || ':'
          AND (substr(owner, length($1) + 6) LIKE 'workspace:%' OR substr(owner, length($1) + 6) LIKE 'share:%')",
    postgres: "
        UPDATE own_file SET owner = 'run:' || $2 || substr(owner, length($1) + 5), rule = $2
        WHERE substr(owner, 1, length($1) + 5) = 'run:' || $1 || ':'
          AND (substr(owner, length($1) + 6) LIKE 'workspace:%' OR substr(owner, length($1) + 6) LIKE 'share:%')
          AND NOT EXISTS (
            SELECT 1 FROM own_file AS there
            WHERE there.owner = 'run:' || $2 || substr(own_file.owner, length($1) + 5))";
    RENAME_TABLE = "UPDATE OR IGNORE own_file SET owner = 'digest:' || $2 WHERE owner = 'digest:' || $1",
    postgres: "
        UPDATE own_file SET owner = 'digest:' || $2
        WHERE owner = 'digest:' || $1
          AND NOT EXISTS (SELECT 1 FROM own_file AS there WHERE there.owner = 'digest:' || $2)";

    NAME = "SELECT name FROM own_file WHERE profile = $1 AND node = $2";

    /// By node, or under way: those are few, because each is a run at its end.
    RECOGNISE = "
        SELECT * FROM own_file WHERE profile = $1 AND node IN (SELECT value FROM json_each($2))
        UNION
        SELECT * FROM own_file WHERE profile = $1 AND state = 'writing' AND since > $3";

    OF = "SELECT * FROM own_file WHERE owner = $1";

    LIST = "SELECT * FROM own_file ORDER BY owner";

    LEFT_STANDING = "
        SELECT rule, count(*) AS results, min(name) AS example FROM own_file
        WHERE gone_since IS NULL AND rule IS NOT NULL AND rule NOT IN (SELECT value FROM json_each($1))
        GROUP BY rule ORDER BY rule";

    TWIN = "
        SELECT owner FROM own_file
        WHERE profile = $1 AND folder = $2 AND name = $3 AND owner <> $4 AND state = 'writing' AND since > $5";

    INTEND = "
        INSERT INTO own_file (owner, profile, folder, name, state, node, version, sha256, size, since, rule, source_id,
                              old_node, old_version)
        VALUES ($1, $2, $3, $4, 'writing', $5, $6, $7, $8, $9, $10, $11, $12, $13)
        ON CONFLICT (owner) DO UPDATE SET
            profile = excluded.profile, folder = excluded.folder, name = excluded.name, state = 'writing',
            node = excluded.node, version = excluded.version, sha256 = excluded.sha256, size = excluded.size,
            since = excluded.since, rule = excluded.rule, source_id = excluded.source_id, shown = NULL, gone_since = NULL,
            old_node = coalesce(excluded.old_node, own_file.old_node),
            old_version = coalesce(excluded.old_version, own_file.old_version)";

    WRITE_CONTENT = "INSERT INTO own_content (hash, size, since) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";

    /// What is being written is not what was found.
    PROVE = "
        UPDATE own_file SET version = $3, shown = NULL, gone_since = NULL,
            sha256 = CASE state WHEN 'written' THEN $4 ELSE sha256 END, size = CASE state WHEN 'written' THEN $5 ELSE size END
        WHERE profile = $1 AND node = $2";

    MAKE_KEY = "INSERT INTO own_key (one, key) VALUES (1, $1) ON CONFLICT DO NOTHING";
    KEY = "SELECT key FROM own_key WHERE one = 1";

    IS_WRITTEN = "SELECT EXISTS (SELECT 1 FROM own_content WHERE hash = $1 AND size = $2)";

    BY_NODE = "SELECT * FROM own_file WHERE profile = $1 AND node = $2 ORDER BY owner LIMIT 1";

    /// What stood for it before, elsewhere, is taken away if it is as we wrote it.
    ADOPT = "
        INSERT INTO own_file (owner, profile, folder, name, state, node, version, sha256, size, since, rule, source_id)
        VALUES ($1, $2, $3, $4, 'written', $5, $6, '', 0, $7, $8, $9)
        ON CONFLICT (owner) DO UPDATE SET
            profile = excluded.profile, folder = excluded.folder, name = excluded.name, state = 'written',
            old_node = own_file.node, old_version = own_file.version, node = excluded.node, version = excluded.version, sha256 = '',
            size = 0, since = excluded.since, shown = NULL, gone_since = NULL";

    OF_AGENT = "SELECT 1 FROM own_file WHERE agent = $1 LIMIT 1";

    GIVE = "UPDATE own_file SET owner = $2, rule = $3, source_id = $4, answer = NULL, shown = NULL WHERE owner = $1";

    SHOWS = "UPDATE own_file SET answer = $3, shown = $4 WHERE owner = $1 AND node = $2";

    SHOWS_NOTHING = "UPDATE own_file SET shown = NULL WHERE owner = $1";

    FORGET_OLD = "UPDATE own_file SET old_node = NULL, old_version = NULL WHERE owner = $1";

    FORGET = "DELETE FROM own_file WHERE owner = $1";

    GONE = "
        SELECT source_id FROM own_file
        WHERE source_id IN (SELECT value FROM json_each($2)) AND rule = $1 AND gone_since IS NOT NULL";
    FORGET_GONE = "
        DELETE FROM own_file
        WHERE source_id IN (SELECT value FROM json_each($2)) AND rule = $1 AND gone_since IS NOT NULL
        RETURNING source_id";

    WRITTEN = "
        UPDATE own_file SET state = 'written', node = $2, version = $3, since = $4, agent = coalesce($5, agent), gone_since = NULL
        WHERE owner = $1";

    SETTLED = "
        UPDATE own_file SET state = 'written', node = $2, version = $3, since = $4, agent = coalesce($6, agent), gone_since = NULL
        WHERE owner = $1 AND state = 'writing' AND since = $5";

    ABANDON = "
        UPDATE own_file SET state = 'written', sha256 = ''
        WHERE owner = $1 AND state = 'writing' AND since = $2 AND node IS NOT NULL";

    ABANDON_NEW = "DELETE FROM own_file WHERE owner = $1 AND state = 'writing' AND since = $2 AND node IS NULL";

    LOSE = "
        UPDATE own_file SET gone_since = coalesce(gone_since, $3) WHERE profile = $1 AND node = $2
        RETURNING *";

    LOOK_AT_RESULTS = "
        UPDATE own_file SET shown = CASE WHEN shown IS NULL THEN NULL ELSE '' END
        WHERE profile = $1 AND folder = $2 AND name IN (SELECT value FROM json_each($3)) AND rule IS NOT NULL
          AND (node IS NULL OR node <> $4)
        RETURNING *";

    FIND_AGAIN = "
        UPDATE own_file SET gone_since = NULL, shown = NULL
        WHERE profile = $1 AND node = $2 AND gone_since IS NOT NULL
        RETURNING *";

    OF_SOURCE = "
        SELECT * FROM own_file WHERE source_id = $1
        UNION
        SELECT own_file.*
        FROM (SELECT DISTINCT 'run:' || rule || ':' || source_id AS owner FROM run WHERE source_id = $1) AS wrote
        JOIN own_file ON own_file.owner BETWEEN wrote.owner || ':' AND wrote.owner || ';'";

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::in_memory;

    /// A result of this file, as it stands.
    fn result(connection: &mut Connection, node: &str) -> OwnFile {
        let of = ResultOf { rule: "r".to_owned(), key: format!("workspace:1:{node}").parse().unwrap() };
        let owner = format!("run:r:{}", of.key);
        let (id, version) = (NodeId::new(format!("9{node}")), VersionId("v1".to_owned()));
        let intent = Intent {
            owner: &owner,
            profile: &of.key.profile,
            folder: &NodeId::root(),
            name: node,
            sha256: "aa",
            md5: "bb",
            size: 1,
            of: Some(&of),
            old: None,
            over: Some((&id, Some(&version))),
        };
        assert!(intend(connection, &intent, 1).unwrap());
        connection.run(WRITTEN, params![owner, id.canonical(), version.0, 1, None::<String>]).unwrap();
        super::of(connection, &owner).unwrap().unwrap()
    }

    #[test]
    fn what_was_given_to_another_meanwhile_does_not_show_what_was_written() {
        let mut connection = in_memory();
        let (one, other) = (result(&mut connection, "1a"), result(&mut connection, "1b"));
        let node = one.node.clone().unwrap();
        shows(&mut connection, (&one.owner, &node), ("1@1", "as it was written")).unwrap();
        let shown = |connection: &mut Connection| of(connection, &one.owner).unwrap().unwrap().shown;
        assert_eq!(shown(&mut connection).as_deref(), Some("as it was written"));
        swap(&mut connection, &one, &other).unwrap();
        shows(&mut connection, (&one.owner, &node), ("1@1", "as it was written")).unwrap();
        assert_eq!(shown(&mut connection), None);
        assert!(!is_as_seen(&mut connection, &one).unwrap() && !is_as_seen(&mut connection, &other).unwrap());
    }
}
