//! What the server is set to that decides what a crash, or a failover to a standby, leaves of what was committed.

use crate::database::connection::Connection;
use crate::database::error::Error;
use crate::database::statement::Sql;
use crate::database::{Durability, params};

/// Reads it as it holds for the session's user and database.
pub fn read(connection: &mut Connection) -> Result<Durability, Error> {
    let (fsync, full_page_writes, synchronous_commit, synchronous_standbys, standbys) =
        connection.one(SETTINGS, params![])?;
    Ok(Durability {
        fsync,
        full_page_writes,
        synchronous_commit,
        synchronous_standbys,
        standbys,
        invalid_indexes: connection.all(INVALID, params![])?,
    })
}

const SETTINGS: Sql = Sql::listed(
    "SELECT current_setting('fsync')::bool, current_setting('full_page_writes')::bool,
            current_setting('synchronous_commit'), current_setting('synchronous_standby_names'),
            (SELECT count(*) FROM pg_stat_replication)",
);

/// An index that is made beside the work, and was not finished, costs each write and serves no read.
const INVALID: Sql = Sql::listed(
    "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
     WHERE NOT (indisvalid AND indisready) AND relnamespace = current_schema()::regnamespace ORDER BY 1",
);
