//! The statements on `outside`.

use super::{Kind, Thing};
use crate::database::{Connection, Error, from_row, params, statements};
use crate::fastio::{FileKey, Profile};
use crate::job;
use crate::queue::Priority;

/// Writes down that an upload is about to be opened for `owner`. Answers its row and its mark.
pub fn intend_session(connection: &mut Connection, owner: &str, now: i64) -> Result<(i64, String), Error> {
    connection.one(INTEND_SESSION, params![owner, now])
}

/// Writes down that `owner` is about to ask for the lock on a file; none while another of ours has it.
pub fn intend_lock(
    connection: &mut Connection,
    owner: &str,
    key: &FileKey,
    now: i64,
) -> Result<Option<i64>, Error> {
    connection.first(INTEND_LOCK, params![owner, key.to_string(), now])
}

/// A conversation, or thread, that is about to be made.
#[derive(Debug)]
pub struct Conversation {
    pub kind: Kind,
    pub owner: String,
    /// How long what is begun in it may take to show.
    pub patience_ms: i64,
}

/// Writes down that a conversation is about to be made.
pub fn intend_conversation(connection: &mut Connection, made: &Conversation, now: i64) -> Result<i64, Error> {
    connection.one(INTEND_CONVERSATION, params![made.kind.as_str(), made.owner, made.patience_ms, now])
}

/// It exists, under this id or with this token.
pub fn exists(connection: &mut Connection, id: i64, object: &str, now: i64) -> Result<(), Error> {
    connection.run(EXISTS, params![id, object, now]).map(drop)
}

/// The lock was lengthened.
pub fn keep(connection: &mut Connection, id: i64, now: i64) -> Result<(), Error> {
    connection.run(KEEP, params![id, now]).map(drop)
}

/// It is gone, was never made, or belongs to another from now on.
pub fn forget(connection: &mut Connection, id: i64) -> Result<(), Error> {
    connection.run(FORGET, params![id]).map(drop)
}

/// The conversation of a run that has its result holds what people may want to read.
pub fn forget_conversation(connection: &mut Connection, owner: &str) -> Result<(), Error> {
    connection.run(FORGET_CONVERSATION, params![owner]).map(drop)
}

/// The conversation of one owner is another's from now on.
pub fn give_conversation(connection: &mut Connection, from: &str, to: &str) -> Result<(), Error> {
    connection.run(GIVE_CONVERSATION, params![from, to]).map(drop)
}

/// Every byte is in this session.
pub fn fill(connection: &mut Connection, id: i64) -> Result<(), Error> {
    connection.run(FILL, params![id]).map(drop)
}

/// A session that every byte is in.
#[derive(Debug, Clone)]
pub struct Filled {
    pub upload: String,
    /// When it was told last to make a new file of them, of which there is no answer. Unix milliseconds.
    pub placed_at: Option<i64>,
}

from_row!(row => Filled {
    upload: row.get("object")?,
    placed_at: row.get("begun_at")?,
});

/// The session of `owner` that every byte is in.
pub fn filled(connection: &mut Connection, owner: &str) -> Result<Option<Filled>, Error> {
    connection.first(FILLED, params![owner])
}

/// The session of `owner` that every byte is in is about to become a new file; or that came to nothing for certain, without a time.
pub fn place(connection: &mut Connection, owner: &str, at: Option<i64>) -> Result<(), Error> {
    connection.run(PLACE, params![owner, at]).map(drop)
}

/// The lock that `owner` has, or asked for.
pub fn lock_of(connection: &mut Connection, owner: &str) -> Result<Option<Thing>, Error> {
    connection.first(LOCK_OF, params![owner])
}

/// Whether one of ours has, or asks for, the lock on the file.
pub fn is_locked(connection: &mut Connection, source_id: &str) -> Result<bool, Error> {
    connection.one(IS_LOCKED, params![source_id])
}

/// No write of `owner` needs its sessions any more, and whatever became of an earlier write is found out by the next one.
pub fn leave_sessions(connection: &mut Connection, owner: &str, now: i64) -> Result<(), Error> {
    connection.run(FORGET_FILE, params![owner])?;
    let left = connection.all(LEAVE_SESSIONS, params![owner])?;
    enqueue(connection, &left, now)
}

/// Nothing is written for `owner` any more, nor for anything that is made beside it.
pub fn leave_writes(connection: &mut Connection, owner: &str, now: i64) -> Result<(), Error> {
    leave(connection, (owner, true), now)
}

/// Nothing that is made beside what stands for `owner` is written any more.
pub fn leave_writes_beside(connection: &mut Connection, owner: &str, now: i64) -> Result<(), Error> {
    leave(connection, (owner, false), now)
}

fn leave(connection: &mut Connection, (owner, itself): (&str, bool), now: i64) -> Result<(), Error> {
    let mut left = connection.all(LEAVE_SESSIONS_BELOW, params![owner, itself])?;
    left.extend(connection.all(LEAVE_FILES_BELOW, params![owner, itself, now])?);
    enqueue(connection, &left, now)
}

/// What was not finished since `before`: the run that wanted it is over, and another would begin anew.
pub fn leave_old_writes(connection: &mut Connection, before: i64, now: i64) -> Result<(), Error> {
    let mut left = connection.all(LEAVE_OLD_SESSIONS, params![before])?;
    left.extend(connection.all(LEAVE_OLD_FILES, params![before, now])?);
    enqueue(connection, &left, now)
}

/// A run lets go of its lock without having been able to release it.
pub fn leave_lock(connection: &mut Connection, owner: &str, now: i64) -> Result<(), Error> {
    let left = connection.all(LEAVE_LOCK, params![owner])?;
    enqueue(connection, &left, now)
}

/// A run lets go of the thread in which Fastio's AI was asked for it: one is asked under a `name`, and answers in a `thread` once that is
/// known.
pub fn leave_talk(
    connection: &mut Connection,
    owner: &str,
    (profile, name, thread): (&Profile, &str, Option<&str>),
    now: i64,
) -> Result<(), Error> {
    let left = connection.all(LEAVE_TALK, params![owner, format!("{profile}:{name}"), thread, now])?;
    enqueue(connection, &left, now)
}

/// What may still go on in a conversation, as far as is known.
#[derive(Debug, Default)]
pub struct GoesOn {
    pub response: Option<String>,
    pub begun_at: Option<i64>,
}

/// A run lets go of the conversation that it was made in.
pub fn leave_conversation(
    connection: &mut Connection,
    owner: &str,
    goes_on: &GoesOn,
    now: i64,
) -> Result<(), Error> {
    let left = connection.all(LEAVE_CONVERSATION, params![owner, goes_on.response, goes_on.begun_at])?;
    enqueue(connection, &left, now)
}

/// What was begun in a conversation that was left is this response.
pub fn tell_response(
    connection: &mut Connection,
    conversation: &str,
    response: &str,
    now: i64,
) -> Result<bool, Error> {
    let told = connection.all(TELL_RESPONSE, params![conversation, response])?;
    enqueue(connection, &told, now)?;
    Ok(!told.is_empty())
}

fn enqueue(connection: &mut Connection, left: &[Thing], now: i64) -> Result<(), Error> {
    left.iter().try_for_each(|left| job::enqueue(connection, &left.task(), Priority::Live, now).map(drop))
}

/// One that is to be taken away.
pub fn get(connection: &mut Connection, id: i64) -> Result<Option<Thing>, Error> {
    connection.first(GET, params![id])
}

/// Whether an upload of `owner` may still be placed: one whose id was never known cannot.
pub fn has_sessions(connection: &mut Connection, owner: &str) -> Result<bool, Error> {
    connection.one(HAS_SESSIONS, params![owner])
}

/// Those that are to be taken away, oldest first, and sessions from before `before`, which no run finishes.
pub fn left(connection: &mut Connection, most: u32, before: i64) -> Result<Vec<Thing>, Error> {
    connection.all(LEFT, params![most, before])
}

/// What is to be taken away, and conversations that may exist and cannot be found.
pub fn counts(connection: &mut Connection) -> Result<(i64, i64), Error> {
    connection.one(COUNTS, params![])
}

/// Forgets those that were asked for before `before`.
pub fn forget_unanswered(connection: &mut Connection, before: i64) -> Result<(), Error> {
    connection.run(FORGET_UNANSWERED, params![before]).map(drop)
}

from_row!(row => Thing {
    id: row.get("outside_id")?,
    kind: kind(&row.get::<String>("kind")?)?,
    owner,
    mark,
    object,
    response,
    begun_at,
    patience_ms,
    since,
});

fn kind(text: &str) -> Result<Kind, Error> {
    let known = Kind::ALL.iter().find(|(_, name)| *name == text);
    known.map(|(kind, _)| *kind).ok_or_else(|| Error::bug("a thing outside is of an unknown kind"))
}

/// What is made for a rule's results and table is from now on for it under its new name.
pub fn rename_rule(connection: &mut Connection, (old, new): (&str, &str)) -> Result<(), Error> {
    connection.run(RENAME_RESULTS, params![old, new])?;
    connection.run(RENAME_TABLE, params![old, new]).map(drop)
}

statements! {
    /// As in `own_file`. A source's id begins with its profile.
    RENAME_RESULTS = "
        UPDATE OR IGNORE outside SET owner = 'run:' || $2 || substr(owner, length($1) + 5)
        WHERE kind IN ('session', 'file') AND substr(owner, 1, length($1) + 5) = 'run:' || $1 || ':'
          AND (substr(owner, length($1) + 6) LIKE 'workspace:%' OR substr(owner, length($1) + 6) LIKE 'share:%')",
    postgres: "
        UPDATE outside SET owner = 'run:' || $2 || substr(owner, length($1) + 5)
        WHERE kind IN ('session', 'file') AND substr(owner, 1, length($1) + 5) = 'run:' || $1 || ':'
          AND (substr(owner, length($1) + 6) LIKE 'workspace:%' OR substr(owner, length($1) + 6) LIKE 'share:%')
          AND NOT (kind = 'file' AND EXISTS (
            SELECT 1 FROM outside AS there
            WHERE there.kind = 'file' AND there.owner = 'run:' || $2 || substr(outside.owner, length($1) + 5)))";
    RENAME_TABLE = "
        UPDATE OR IGNORE outside SET owner = 'digest:' || $2 WHERE kind IN ('session', 'file') AND owner = 'digest:' || $1",
    postgres: "
        UPDATE outside SET owner = 'digest:' || $2
        WHERE kind IN ('session', 'file') AND owner = 'digest:' || $1
          AND NOT (kind = 'file' AND EXISTS (
            SELECT 1 FROM outside AS there WHERE there.kind = 'file' AND there.owner = 'digest:' || $2))";
    /// The mark is random, so that no other program's upload has it by chance.
    INTEND_SESSION = "
        INSERT INTO outside (kind, state, owner, mark, since) VALUES ('session', 'intended', $1, lower(hex(randomblob(8))), $2)
        RETURNING outside_id, mark",
    postgres: "
        INSERT INTO outside (kind, state, owner, mark, since)
        VALUES ('session', 'intended', $1, left(replace(gen_random_uuid()::text, '-', ''), 16), $2)
        RETURNING outside_id, mark";
    /// One that was asked for before is asked for once more.
    INTEND_LOCK = "
        INSERT INTO outside (kind, state, owner, mark, since) VALUES ('lock', 'intended', $1, $2, $3)
        ON CONFLICT (mark) WHERE kind = 'lock' AND state <> 'unwanted'
        DO UPDATE SET state = 'intended', object = NULL, since = excluded.since WHERE outside.owner = excluded.owner
        RETURNING outside_id";
    INTEND_CONVERSATION = "
        INSERT INTO outside (kind, state, owner, patience_ms, since) VALUES ($1, 'intended', $2, $3, $4)
        RETURNING outside_id";
    EXISTS = "UPDATE outside SET state = 'exists', object = $2, since = $3 WHERE outside_id = $1";
    KEEP = "UPDATE outside SET since = $2 WHERE outside_id = $1";
    FORGET = "DELETE FROM outside WHERE outside_id = $1";
    FORGET_CONVERSATION = "
        DELETE FROM outside WHERE owner = $1 AND kind IN ('conversation', 'thread') AND state = 'exists'";
    GIVE_CONVERSATION = "
        UPDATE outside SET owner = $2 WHERE owner = $1 AND kind = 'conversation' AND state = 'exists'";
    FORGET_FILE = "DELETE FROM outside WHERE owner = $1 AND kind = 'file'";
    FILL = "UPDATE outside SET is_whole = 1 WHERE outside_id = $1";
    FILLED = "
        SELECT object, begun_at FROM outside
        WHERE owner = $1 AND kind = 'session' AND state = 'exists' AND is_whole = 1";
    PLACE = "
        UPDATE outside SET begun_at = $2
        WHERE owner = $1 AND kind = 'session' AND state = 'exists' AND is_whole = 1";
    LOCK_OF = "SELECT * FROM outside WHERE owner = $1 AND kind = 'lock' AND state <> 'unwanted'";
    IS_LOCKED = "
        SELECT EXISTS (SELECT 1 FROM outside WHERE mark = $1 AND kind = 'lock' AND state <> 'unwanted')";
    LEAVE_SESSIONS = "
        UPDATE outside SET state = 'unwanted'
        WHERE owner = $1 AND kind = 'session' AND state <> 'unwanted' RETURNING *";
    LEAVE_SESSIONS_BELOW = "
        UPDATE outside SET state = 'unwanted'
        WHERE kind = 'session' AND state <> 'unwanted'
          AND ((owner = $1 AND $2) OR substr(owner, 1, length($1) + 1) = $1 || ':')
        RETURNING *";
    LEAVE_OLD_SESSIONS = "
        UPDATE outside SET state = 'unwanted'
        WHERE kind = 'session' AND state <> 'unwanted' AND since < $1 RETURNING *";
    LEAVE_FILES_BELOW = "
        INSERT INTO outside (kind, state, owner, since)
        SELECT 'file', 'unwanted', owner, $3 FROM own_file
        WHERE state = 'writing' AND ((owner = $1 AND $2) OR substr(owner, 1, length($1) + 1) = $1 || ':')
        ON CONFLICT DO NOTHING
        RETURNING *";
    LEAVE_OLD_FILES = "
        INSERT INTO outside (kind, state, owner, since)
        SELECT 'file', 'unwanted', owner, $2 FROM own_file WHERE state = 'writing' AND since < $1
        ON CONFLICT DO NOTHING
        RETURNING *";
    LEAVE_LOCK = "
        UPDATE outside SET state = 'unwanted' WHERE owner = $1 AND kind = 'lock' AND state <> 'unwanted' RETURNING *";
    LEAVE_TALK = "
        INSERT INTO outside (kind, state, owner, mark, object, since) VALUES ('talk', 'unwanted', $1, $2, $3, $4)
        ON CONFLICT DO NOTHING
        RETURNING *";
    LEAVE_CONVERSATION = "
        UPDATE outside SET state = 'unwanted', response = $2, begun_at = $3
        WHERE owner = $1 AND kind IN ('conversation', 'thread') AND state = 'exists' RETURNING *";
    TELL_RESPONSE = "
        UPDATE outside SET response = $2 WHERE kind = 'conversation' AND state = 'unwanted' AND object = $1 RETURNING *";
    GET = "SELECT * FROM outside WHERE outside_id = $1 AND state = 'unwanted'";
    HAS_SESSIONS = "SELECT EXISTS (SELECT 1 FROM outside WHERE owner = $1 AND kind = 'session' AND object IS NOT NULL)";
    LEFT = "
        SELECT * FROM outside WHERE state = 'unwanted' OR (kind = 'session' AND since < $2)
        ORDER BY outside_id LIMIT $1";
    COUNTS = "
        SELECT count(*) FILTER (WHERE state = 'unwanted'),
               count(*) FILTER (WHERE kind IN ('conversation', 'thread') AND state = 'intended')
        FROM outside WHERE state <> 'exists'";
    FORGET_UNANSWERED = "
        DELETE FROM outside WHERE kind IN ('conversation', 'thread') AND state = 'intended' AND since < $1";
}
