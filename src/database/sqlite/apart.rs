//! The inbox of earlier versions was a table of the database. What waits in it is copied into the file of its own, before the
//! migration that drops the table.

use rusqlite::{Connection, params};

use crate::database::error::Error;

/// Copies what waits. A crash before the table is dropped has it copied twice, and the drain knows a repeat when it sees one.
///
/// # Errors
/// The database's.
pub fn copy_inbox(from: &Connection, to: &mut Connection) -> Result<(), Error> {
    if !from.table_exists(None, "inbox")? {
        return Ok(());
    }
    // A version before this column did not write down when a delivery was signed.
    let read = match from.column_exists(None, "inbox", "signed_at")? {
        true => {
            "SELECT received_at, signed_at, scheme, secret_index, headers, body FROM inbox ORDER BY inbox_id"
        }
        false => "SELECT received_at, NULL, scheme, secret_index, headers, body FROM inbox ORDER BY inbox_id",
    };
    let copied = to.transaction()?;
    {
        let mut insert = copied.prepare(
            "INSERT INTO inbox (received_at, signed_at, scheme, secret_index, headers, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let mut read = from.prepare(read)?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            insert.execute(params![
                row.get::<_, i64>(0)?,
                row.get::<_, Option<i64>>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, i64>(3)?,
                row.get::<_, String>(4)?,
                row.get::<_, Vec<u8>>(5)?,
            ])?;
        }
    }
    Ok(copied.commit()?)
}

#[cfg(test)]
mod tests {
    use crate::database::{Database, params, statements};

    statements! {
        WAITING = "SELECT scheme, signed_at FROM inbox ORDER BY inbox_id";
    }

    #[tokio::test]
    async fn what_waited_in_an_earlier_versions_inbox_waits_in_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docket.db");
        let url = format!("sqlite://{}", path.display());
        Database::open(&url).await.unwrap().close().await;
        let old = rusqlite::Connection::open(&path).unwrap();
        old.execute_batch(
            "DELETE FROM _sqlx_migrations WHERE version = 38;
             CREATE TABLE inbox (inbox_id INTEGER PRIMARY KEY, received_at INTEGER, scheme TEXT, secret_index INTEGER,
                                 headers TEXT, body BLOB);
             INSERT INTO inbox VALUES (7, 1, 'b', 0, '{}', x'00'), (3, 1, 'a', 0, '{}', x'00')",
        )
        .unwrap();
        drop(old);
        let database = Database::open(&url).await.unwrap();
        let waiting = database.read_inbox(|inbox| inbox.all::<(String, Option<i64>)>(WAITING, params![]));
        assert_eq!(waiting.await.unwrap(), [("a".to_owned(), None), ("b".to_owned(), None)]);
        let left = rusqlite::Connection::open(&path).unwrap();
        assert!(!left.table_exists(None, "inbox").unwrap());
    }
}
