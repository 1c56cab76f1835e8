//! SQLite's file. Each look opens a connection and closes it: one that stayed open over a kill would keep the write-ahead log
//! alive, and the server's own recovery of it would never be tried.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Result, Row};
use tokio::task::spawn_blocking;

use super::Cells;

/// The server's transactions are milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub struct File(pub PathBuf);

impl File {
    pub(super) async fn rows_of(&self, sql: &str) -> anyhow::Result<Vec<Cells>> {
        let (path, sql) = (self.0.clone(), sql.to_owned());
        let looked = spawn_blocking(move || {
            let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            connection.busy_timeout(PATIENCE)?;
            // The inbox is a file beside it; its table is there under its own name.
            connection.execute("ATTACH $1 AS deliveries", [format!("{}-inbox", path.display())])?;
            connection.prepare(&sql)?.query_map((), cells)?.collect::<Result<Vec<_>>>()
        });
        Ok(looked.await.expect("a look does not panic")?)
    }
}

fn cells(row: &Row<'_>) -> Result<Cells> {
    let text = |place| {
        Ok(match row.get_ref(place)? {
            ValueRef::Null => None,
            ValueRef::Integer(number) => Some(number.to_string()),
            ValueRef::Real(number) => Some(number.to_string()),
            ValueRef::Text(text) | ValueRef::Blob(text) => Some(String::from_utf8_lossy(text).into_owned()),
        })
    };
    (0..row.as_ref().column_count()).map(text).collect::<Result<_>>().map(Cells)
}
