//! What a job in hand asks before it writes.

use crate::database::claimed::Claim;
use crate::database::connection::Connection;
use crate::database::error::Error;
use crate::database::params;
use crate::database::statement::Sql;

/// Whether the job is in hand by this claim, and nothing was lost since.
pub fn holds(connection: &mut Connection, claim: Claim) -> Result<bool, Error> {
    let Claim { job, lease, life } = claim;
    Ok(connection.one::<i64>(HOLDS, params![job, lease, life])? == 1)
}

/// When the server was started. Unix milliseconds.
pub fn life(connection: &mut Connection) -> Result<i64, Error> {
    connection.one(LIFE, params![])
}

const HOLDS: Sql = Sql::listed(
    "SELECT count(*) FROM job WHERE id = $1 AND lease = $2 AND state = 'running'
     AND (extract(epoch FROM pg_postmaster_start_time()) * 1000)::bigint = $3",
);
const LIFE: Sql = Sql::listed("SELECT (extract(epoch FROM pg_postmaster_start_time()) * 1000)::bigint");
