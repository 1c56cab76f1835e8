//! The statements on `vector_store`: the stores that rules told us to create, and those that continue a full one.

use crate::database::{Connection, Error, from_row, params, statements};
use crate::openai::{FileId, VectorStoreId};
use crate::sync::copy::CopyId;

/// Copies that are looked at in one transaction while they are moved, so that others get their turn in between.
const BITE: u32 = 1_000;

/// A vector store that a rule told us to create, or that continues another.
#[derive(Debug, Clone)]
pub struct MadeStore {
    pub intent: String,
    pub id: Option<VectorStoreId>,
    /// The first store, and this one's number, where it continues that.
    pub continues: Option<(VectorStoreId, u32)>,
}

from_row!(row => MadeStore {
    intent,
    id: row.get::<Option<String>>("vector_store_id")?.map(VectorStoreId),
    continues: row.get::<Option<String>>("continues")?.map(VectorStoreId).zip(row.get("number")?),
});

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

/// The name under which a store was made, be it the one before, and the first store where it continues one.
pub fn made_as(
    connection: &mut Connection,
    id: &VectorStoreId,
) -> Result<Option<(String, Option<VectorStoreId>)>, Error> {
    let made: Option<(String, Option<String>)> = connection.first(MADE_AS, params![id.0])?;
    Ok(made.map(|(name, continues)| (name, continues.map(VectorStoreId))))
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

statements! {
    MAKE_STORE = "INSERT INTO vector_store (name, intent, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    MADE_STORE = "SELECT intent, vector_store_id, continues, number FROM vector_store WHERE name = $1";
    STORE_MADE = "UPDATE vector_store SET vector_store_id = $2 WHERE name = $1";
    LOST_STORE = "SELECT lost_id FROM vector_store WHERE name = $1";
    /// The File objects are there, as a rule. Those that are not are uploaded again.
    MOVE_COPIES = "
        UPDATE copy SET vector_store = $2, since = $3, attributes = NULL, given = NULL, attaches = 0, unanswered_at = NULL,
                        state = CASE WHEN state IN ('attached', 'indexed') THEN 'uploaded' ELSE state END
        WHERE id > $4 AND id <= $5 AND vector_store = $1 AND state <> 'retiring'";
    BITE_END = "SELECT max(id) FROM (SELECT id FROM copy WHERE id > $1 ORDER BY id LIMIT $2) AS bite";
    LOSE_STORE = "
        UPDATE vector_store SET vector_store_id = NULL, intent = $2, lost_id = $3, lost_at = $4, given_up = NULL
        WHERE name = $1 AND vector_store_id = $3";
    IS_GIVEN_UP = "SELECT 1 FROM vector_store WHERE name = $1 AND given_up = $2";
    SOME_OBJECTS = "
        SELECT file_id FROM copy WHERE vector_store = $1 AND file_id IS NOT NULL AND state IN ('attached', 'indexed')
        ORDER BY id DESC LIMIT $2";
    MADE_AS = "SELECT name, continues FROM vector_store WHERE vector_store_id = $1 OR lost_id = $1";
    MADE_ANEW = "
        SELECT name, vector_store_id, lost_at FROM vector_store WHERE lost_at >= $1 ORDER BY name";
}
