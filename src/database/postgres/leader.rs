//! The statements on `leader`: which replica has what is done by one at a time.

use std::time::Duration;

use crate::database::connection::Connection;
use crate::database::error::Error;
use crate::database::lead::ServerRow;
use crate::database::params;
use crate::database::statement::Sql;

/// The replica that has it.
pub fn whose_turn(connection: &mut Connection, what: &str) -> Result<Option<i64>, Error> {
    connection.first(WHOSE, params![what])
}

/// Takes it, unless another one has it.
pub fn take_turn(
    tx: &mut Connection,
    what: &str,
    replica: i64,
    at_most: Option<Duration>,
) -> Result<bool, Error> {
    let ms = at_most.map(|at_most| i64::try_from(at_most.as_millis()).unwrap_or(i64::MAX));
    Ok(tx.run(TAKE, params![what, replica, ms])? == 1)
}

pub fn end_turn(tx: &mut Connection, what: &str, replica: i64) -> Result<(), Error> {
    tx.run(END, params![what, replica]).map(drop)
}

/// The replicas that live, the oldest first, with what each has for as long as it lives.
pub fn servers(connection: &mut Connection) -> Result<Vec<ServerRow>, Error> {
    let rows: Vec<(String, i64, String)> = connection.all(SERVERS, params![])?;
    let roles = |roles: String| roles.split(',').filter(|role| !role.is_empty()).map(str::to_owned).collect();
    Ok(rows
        .into_iter()
        .map(|(name, began_at, all)| ServerRow { name, began_at, roles: roles(all) })
        .collect())
}

/// The numbers of the replicas that were not removed.
pub fn living(connection: &mut Connection) -> Result<Vec<i64>, Error> {
    connection.all(LIVING, params![])
}

const LIVING: Sql = Sql::listed("SELECT replica_id FROM replica ORDER BY replica_id");
const WHOSE: Sql = Sql::listed("SELECT replica_id FROM leader WHERE role = $1 AND until > clock_timestamp()");
const TAKE: Sql = Sql::listed(
    "INSERT INTO leader (role, replica_id, until)
     VALUES ($1, $2, CASE WHEN CAST($3 AS BIGINT) IS NULL THEN 'infinity'
                          ELSE clock_timestamp() + CAST($3 AS BIGINT) * interval '1 ms' END)
     ON CONFLICT (role) DO UPDATE SET replica_id = excluded.replica_id, until = excluded.until
         WHERE leader.replica_id = excluded.replica_id OR leader.until <= clock_timestamp()",
);
const END: Sql = Sql::listed("DELETE FROM leader WHERE role = $1 AND replica_id = $2");
const SERVERS: Sql = Sql::listed(
    "SELECT name, began_at,
            coalesce((SELECT string_agg(role, ',' ORDER BY role) FROM leader
                      WHERE leader.replica_id = replica.replica_id AND leader.until = 'infinity'), '')
     FROM replica JOIN replica_lease USING (replica_id) WHERE replica_lease.until > clock_timestamp() ORDER BY began_at",
);
