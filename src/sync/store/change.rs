//! What is written down of a copy and its file as the work goes on.

use super::{ReadAs, bytes, hash_text, json, refused};
use crate::database::{Connection, Error, params, statements};
use crate::fastio::FileKey;
use crate::job::{self, Task};
use crate::openai::{AttributeValue, Attributes, FileId, VectorStoreId};
use crate::queue::Priority;
use crate::sync::copy::{Copy, CopyId, CopyState, Reading, Source};

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

    /// What was attached more than once may be shown with what an earlier try told, which is then all that is known to have been told.
    pub fn by_any_of(tries: u16, attributes: &Attributes, shown: Attributes) -> Self {
        if tries > 1 { Told { attributes: shown, given: None } } else { Told::new(attributes, shown) }
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
    /// This File object is of some upload of ours, and none knows of which: it is to be deleted as if it were this copy's file's. The upload
    /// that was given up and has this number is not looked for any more.
    Stray(CopyId, FileId, i64),
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
    /// OpenAI says that it is deleted, and shows it.
    Deleted(CopyId),
    /// The vector store shows it with these attributes.
    Shown(CopyId, Told),
    /// The file was read, and has this SHA-256 and not the hash that was announced.
    ReadAs(FileKey, ReadAs),
    /// These are all segments of a file, in their order, with the file's SHA-256 and what was left out of it, in words.
    Sealed(Vec<CopyId>, String, Option<String>),
    /// It belongs into another store, which is to be told of it; the one it was in has it no more.
    Moved(CopyId, VectorStoreId),
    /// Its store takes no more.
    StoreFull(VectorStoreId),
    /// It moves on, or back.
    State(CopyId, CopyState),
    /// The vector store says that it keeps so many bytes of it.
    Keeps(CopyId, u64),
    /// OpenAI holds nothing of it any more.
    Forgotten(CopyId),
    /// OpenAI shows nothing of an upload that it did not answer.
    Lost(CopyId),
    Jobs(Jobs),
    /// This much was read of a copy: so many characters that are no white space, if they were counted.
    Read(CopyId, Reading, Option<u64>),
    /// OpenAI cannot index the file in this content under this claim (a [`super::fingerprint`]), so it is not to be uploaded again
    /// and again; and why, in words.
    Refused(FileKey, String, String),
    /// OpenAI holds the file in this content under this claim, and reads nothing in it: something else is to take its place.
    Unread(FileKey, String),
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
            Change::Sealed(copies, sha256, note) => {
                for copy in copies {
                    connection.run(SEALED, params![copy.0, copies.len() as i64, sha256, note])?;
                }
                return Ok(());
            }
            Change::Read(copy, reading, characters) => {
                connection.run(READ, params![copy.0, reading.as_str(), characters.map(bytes)])
            }
            Change::Moved(copy, to) => connection.run(MOVED, params![copy.0, to.0, now]),
            Change::StoreFull(store) => return refused(connection, store, now),
            Change::Unanswered(copy) => connection.run(UNANSWERED, params![copy.0, now]),
            Change::Deleted(copy) => connection.run(DELETED, params![copy.0, now]),
            Change::Shown(copy, Told { attributes, given }) => {
                connection.run(SHOWN, params![copy.0, json(attributes), given.as_ref().map(json)])
            }
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
            Change::Stray(copy, file, lost) => {
                connection.run(FOUND_LOST, params![lost])?;
                connection.run(STRAY, params![copy.0, file.0, now])
            }
            Change::Attaching(copy) => connection.run(ATTACHING, params![copy.0]),
            Change::AttachesAnew(copy) => connection.run(ATTACHES_ANEW, params![copy.0]),
            Change::Attached(copy, Told { attributes, given }) => {
                let given = given.as_ref().map(json);
                connection.run(ATTACHED, params![copy.0, json(attributes), now, given, rule(attributes)])
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
                    rule(attributes),
                ],
            ),
            Change::State(copy, state) => connection.run(STATE, params![copy.0, state.as_str(), now]),
            Change::Keeps(copy, usage) => connection.run(KEEPS, params![copy.0, bytes(*usage)]),
            Change::Lost(copy) => {
                connection.run(LOST, params![copy.0, now])?;
                connection.run(FORGOTTEN, params![copy.0])
            }
            Change::Forgotten(copy) => connection.run(FORGOTTEN, params![copy.0]),
            Change::Unread(key, content) => connection.run(UNREAD, params![key.to_string(), content]),
            Change::Refused(key, content, reason) => {
                connection.run(REFUSED, params![key.to_string(), reason, content, now])
            }
        }?;
        Ok(())
    }
}

/// The rule that a vector store was told of.
pub(in crate::sync) fn rule(attributes: &Attributes) -> Option<&String> {
    match attributes.get("rule") {
        Some(AttributeValue::Text(rule)) => Some(rule),
        _ => None,
    }
}

/// The copy is to be taken away, unless it is no more as it was when that was decided: it may have been attached with others meanwhile, and
/// be what a search finds until its successor is there. Says whether it is.
pub fn retire(connection: &mut Connection, copy: &Copy, now: i64) -> Result<bool, Error> {
    let Copy { id, state, attaches, .. } = copy;
    Ok(connection.run(RETIRE, params![id.0, state.as_str(), attaches, now])? == 1)
}

statements! {
    RETIRE = "
        UPDATE copy SET state = 'retiring', since = $4, unanswered_at = NULL
        WHERE id = $1 AND state = $2 AND attaches = $3";
    READ = "UPDATE copy SET reading = $2, characters = $3 WHERE id = $1";
    SEALED = "UPDATE copy SET segments = $2, content_hash = $3, note = $4 WHERE id = $1";
    GOT_FILE = "UPDATE copy SET state = $2, file_id = $3, since = $4 WHERE id = $1";
    FOUND_LOST = "DELETE FROM lost_upload WHERE id = $1";
    STRAY = "
        INSERT INTO copy (source_id, vector_store, state, version, hash, size, modified_at, content_hash, filename, bytes, file_id,
                          since, rule)
        SELECT source_id, vector_store, 'retiring', version, hash, size, modified_at, content_hash, filename, bytes, $2, $3, rule
        FROM copy WHERE id = $1
        ON CONFLICT (file_id) DO NOTHING";
    UNANSWERED = "UPDATE copy SET unanswered_at = $2 WHERE id = $1";
    DELETED = "UPDATE copy SET deleted_at = $2 WHERE id = $1";
    SHOWN = "UPDATE copy SET attributes = $2, given = $3 WHERE id = $1";
    READ_AS = "UPDATE file SET read_of = $2, read_sha256 = $3, read_agreed_at = NULL WHERE source_id = $1";
    /// A second read had the same bytes, and these are what was uploaded. Where no hash is doubted there was only a damaged read.
    AGREED = "
        UPDATE file SET read_agreed_at = $2
        WHERE read_agreed_at IS NULL AND read_sha256 IS NOT NULL AND read_of <> ''
          AND (source_id, read_sha256) = (SELECT source_id, content_hash FROM copy WHERE id = $1)";
    ATTACHING = "UPDATE copy SET attaches = attaches + 1, unanswered_at = NULL WHERE id = $1";
    ATTACHES_ANEW = "UPDATE copy SET attaches = 0 WHERE id = $1";
    ATTACHED = "
        UPDATE copy SET state = 'attached', attributes = $2, since = $3, given = $4, unanswered_at = NULL,
                        rule = coalesce($5, rule)
        WHERE id = $1";
    RELABELLED = "
        UPDATE copy SET attributes = $2, version = $3, hash = $4, modified_at = $5, given = $6, rule = coalesce($7, rule)
        WHERE id = $1";
    MOVED = "
        UPDATE copy SET vector_store = $2, state = 'uploaded', since = $3, attributes = NULL, given = NULL, attaches = 0,
                        unanswered_at = NULL, awaits = NULL, batch = NULL
        WHERE id = $1 AND state IN ('uploaded', 'attached', 'indexed')";
    STATE = "UPDATE copy SET state = $2, since = $3, unanswered_at = NULL WHERE id = $1";
    KEEPS = "UPDATE copy SET usage_bytes = $2 WHERE id = $1";
    LOST = "
        INSERT INTO lost_upload (source_id, vector_store, version, hash, size, modified_at, content_hash, filename, bytes,
                                 begun_at, lost_at)
        SELECT source_id, vector_store, version, hash, size, modified_at, content_hash, filename, bytes, since, $2
        FROM copy WHERE id = $1 AND content_hash IS NOT NULL";
    FORGOTTEN = "DELETE FROM copy WHERE id = $1";
    UNREAD = "UPDATE file SET refused = $2 WHERE source_id = $1 AND state = 'present'";
    REFUSED = "UPDATE file SET state = 'skipped', reason = $2, refused = $3, seen_at = $4 WHERE source_id = $1";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::in_memory;
    use crate::fastio::{NodeId, Profile};
    use crate::sync::store::copies;

    statements! {
        FILE = "
            INSERT INTO file (source_id, profile, node, state, path, ancestors, rules, version, size, seen_at)
            VALUES ('workspace:1:2a', 'workspace:1', '2a', 'present', '/a.txt', ' root ', 'all', 'v1', 1, 1)";
        COPY = "
            INSERT INTO copy (source_id, vector_store, state, version, size, content_hash, filename, bytes, file_id, since)
            VALUES ('workspace:1:2a', 'vs_1', 'uploaded', 'v1', 1, 'ab', 'a.txt', 1, 'file-1', 1)";
    }

    #[test]
    fn a_copy_that_was_tried_or_attached_meanwhile_is_not_taken_away_by_what_was_decided_before() {
        let mut connection = in_memory();
        for sql in [FILE, COPY] {
            connection.run(sql, params![]).unwrap();
        }
        let key = FileKey::new(Profile::workspace("1"), NodeId::new("2a"));
        let untried = copies(&mut connection, &key).unwrap().remove(0);
        Change::Attaching(untried.id).write(&mut connection, 2).unwrap();
        assert!(!retire(&mut connection, &untried, 3).unwrap());
        let tried = copies(&mut connection, &key).unwrap().remove(0);
        assert_eq!((tried.state, tried.attaches), (CopyState::Uploaded, 1));
        Change::State(tried.id, CopyState::Attached).write(&mut connection, 4).unwrap();
        assert!(!retire(&mut connection, &tried, 5).unwrap());
        let attached = copies(&mut connection, &key).unwrap().remove(0);
        assert!(retire(&mut connection, &attached, 6).unwrap());
    }
}
