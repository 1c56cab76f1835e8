//! The statements on copies that are attached together.

use std::collections::BTreeMap;

use crate::database::{Connection, Error, from_row, params, statements};
use crate::openai::{Attributes, BatchId, FileId, VectorStoreId};
use crate::sync::copy::CopyId;
use crate::sync::store::{json, json_attributes};

/// A copy that waits, or whose batch is looked at.
#[derive(Debug)]
pub struct Waiting {
    pub copy: CopyId,
    pub source_id: String,
    pub file_id: FileId,
    pub attaches: i64,
    pub since: i64,
    batch: Option<String>,
}

from_row!(row => Waiting {
    copy: CopyId(row.get("id")?),
    source_id,
    file_id: FileId(row.get("file_id")?),
    attaches,
    since,
    batch,
});

/// How many copies are being uploaded for a store, or wait to be attached to it.
pub fn on_their_way(connection: &mut Connection, store: &VectorStoreId) -> Result<i64, Error> {
    connection.one(ON_THEIR_WAY, params![store.0])
}

/// It waits to be attached with others. What was not tried was not tried.
pub fn wait(connection: &mut Connection, copy: CopyId, told: &Attributes) -> Result<(), Error> {
    connection.run(WAIT, params![copy.0, json(told)]).map(drop)
}

/// The first that wait for a store.
pub fn waiting(
    connection: &mut Connection,
    store: &VectorStoreId,
    most: usize,
) -> Result<Vec<Waiting>, Error> {
    connection.all(WAITING, params![store.0, most])
}

/// One more try, before it is made: what the store is to be told of the copy now. None when it does not wait any more, as where its file
/// has another content by now.
pub fn try_one(connection: &mut Connection, copy: CopyId) -> Result<Option<Attributes>, Error> {
    let awaits: Option<String> = connection.first(TRY_ONE, params![copy.0])?;
    json_attributes(awaits)
}

/// The store took it, unless its file's job has begun to take it away meanwhile.
pub fn attached(
    connection: &mut Connection,
    (copy, batch): (CopyId, &BatchId),
    now: i64,
) -> Result<(), Error> {
    connection.run(ATTACHED, params![copy.0, batch.0, now]).map(drop)
}

/// Its file's job goes on by itself.
pub fn alone(connection: &mut Connection, copy: CopyId) -> Result<(), Error> {
    connection.run(ALONE, params![copy.0]).map(drop)
}

/// The copies of which their batches have not told yet what became of them.
pub fn batches(
    connection: &mut Connection,
    store: &VectorStoreId,
) -> Result<BTreeMap<String, Vec<Waiting>>, Error> {
    let mut batches: BTreeMap<String, Vec<Waiting>> = BTreeMap::new();
    for one in connection.all::<Waiting>(BATCHES, params![store.0])? {
        batches.entry(one.batch.clone().unwrap_or_default()).or_default().push(one);
    }
    Ok(batches)
}

statements! {
    ON_THEIR_WAY = "
        SELECT coalesce(sum(copies), 0) FROM copy_count
        WHERE vector_store = $1 AND state IN ('uploading', 'uploaded')";
    /// Not while a request with what it awaited so far may be under way.
    WAIT = "
        UPDATE copy SET awaits = $2, attaches = 0
        WHERE id = $1 AND state = 'uploaded' AND (awaits IS NULL OR attaches = 0)";
    WAITING = "
        SELECT id, source_id, file_id, attaches, since, batch FROM copy
        WHERE vector_store = $1 AND awaits IS NOT NULL AND state = 'uploaded' AND file_id IS NOT NULL
        ORDER BY since LIMIT $2";
    TRY_ONE = "
        UPDATE copy SET attaches = attaches + 1, unanswered_at = NULL
        WHERE id = $1 AND state = 'uploaded' AND awaits IS NOT NULL AND attaches = 0
        RETURNING awaits";
    ATTACHED = "
        UPDATE copy SET state = 'attached', attributes = awaits, given = NULL, awaits = NULL, batch = $2, since = $3
        WHERE id = $1 AND state = 'uploaded' AND awaits IS NOT NULL";
    ALONE = "UPDATE copy SET awaits = NULL, batch = NULL WHERE id = $1";
    BATCHES = "
        SELECT id, source_id, file_id, attaches, since, batch FROM copy
        WHERE vector_store = $1 AND batch IS NOT NULL AND state = 'attached' AND file_id IS NOT NULL
        ORDER BY batch, id";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{Sql, in_memory};
    use crate::openai::AttributeValue;

    #[test]
    fn what_has_changed_since_it_was_read_is_tried_as_it_is_now_or_not_at_all() {
        const WAITING: Sql = Sql::listed(
            "INSERT INTO copy (source_id, vector_store, state, size, filename, bytes, file_id, since, rule)
             VALUES ('workspace:1:' || $1, 'vs_1', 'uploaded', 1, 'a.txt', 1, 'file-' || $1, 1, 'r')",
        );
        const AWAITS: Sql = Sql::listed("SELECT awaits FROM copy WHERE id = $1");
        const RETIRE: Sql = Sql::listed("UPDATE copy SET state = 'retiring' WHERE id = $1");
        let told =
            |path: &str| Attributes::from([("path".to_owned(), AttributeValue::Text(path.to_owned()))]);
        let (store, mut connection) = (VectorStoreId("vs_1".to_owned()), in_memory());
        for id in 1..=3 {
            connection.run(WAITING, params![id]).unwrap();
            wait(&mut connection, CopyId(id), &told("/a.txt")).unwrap();
        }
        let read = waiting(&mut connection, &store, 10).unwrap();
        assert_eq!(read.len(), 3);
        connection.run(RETIRE, params![1]).unwrap();
        wait(&mut connection, CopyId(2), &told("/b.txt")).unwrap();
        let tried: Vec<_> = read.iter().map(|one| try_one(&mut connection, one.copy).unwrap()).collect();
        assert_eq!(tried, [None, Some(told("/b.txt")), Some(told("/a.txt"))]);
        // A request with these is under way: what is awaited of them stays what it says.
        wait(&mut connection, CopyId(3), &told("/c.txt")).unwrap();
        let awaits = connection.one(AWAITS, params![3]).unwrap();
        assert_eq!(json_attributes(awaits).unwrap(), Some(told("/a.txt")));
    }
}
