//! Which jobs there are, for those who would ask for many and need not ask for one that is there.

use std::collections::HashMap;

use super::waiting::Waiting;
use crate::database::{Connection, Error, json_list, params, statements};

/// The states of those of `keys` that have a job: `waiting`, `running` or `dead`.
pub fn states(connection: &mut Connection, keys: &[&str]) -> Result<HashMap<String, String>, Error> {
    Ok(connection.all::<(String, String)>(STATES, params![json_list(keys)])?.into_iter().collect())
}

/// The jobs whose keys go on behind `key` and a colon, each with its state.
pub fn below(connection: &mut Connection, key: &str) -> Result<Vec<(String, String)>, Error> {
    connection.all(BELOW, params![key])
}

/// Those of `keys` that have a job, by their key.
pub fn waiting(connection: &mut Connection, keys: &[String]) -> Result<HashMap<String, Waiting>, Error> {
    let rows: Vec<Waiting> = connection.all(WAITING, params![json_list(keys)])?;
    Ok(rows.into_iter().map(|job| (job.key.clone(), job)).collect())
}

/// The oldest job that looks at files: what it is about may have changed, and cannot be searched as it is.
pub fn oldest(connection: &mut Connection) -> Result<Option<Waiting>, Error> {
    connection.first(OLDEST, &[])
}

/// The oldest of such jobs.
pub fn looking(connection: &mut Connection, most: u32) -> Result<Vec<Waiting>, Error> {
    connection.all(LOOKING, params![most])
}

/// How many dead jobs have a key that begins so, up to its first colon and with it.
pub fn dead(connection: &mut Connection, begins: &str) -> Result<i64, Error> {
    connection.one(DEAD, params![begins.trim_end_matches(':')])
}

/// How many jobs wait or run behind live traffic: what is left of backfills and sweeps.
pub fn behind_live(connection: &mut Connection) -> Result<i64, Error> {
    connection.one(BEHIND_LIVE, &[])
}

/// Jobs by kind, state and how many.
pub fn depths(connection: &mut Connection) -> Result<Vec<(String, String, i64)>, Error> {
    connection.all(DEPTHS, &[])
}

/// The oldest jobs that are looked at for [`oldest_by_kind`].
const MOST: u32 = 5_000;

/// By kind, when its oldest job was made that is not dead. A kind of which all are younger than so many others is left out.
pub fn oldest_by_kind(connection: &mut Connection) -> Result<Vec<(String, i64)>, Error> {
    connection.all(OLDEST_BY_KIND, params![MOST])
}

statements! {
    DEPTHS = "SELECT kind, state, sum(jobs) AS jobs FROM job_count GROUP BY kind, state ORDER BY kind, state";

    OLDEST_BY_KIND = "
        SELECT substr(key, 1, instr(key || ':', ':') - 1) AS kind, min(created_at) AS since
        FROM (SELECT key, created_at FROM job WHERE state <> 'dead' ORDER BY id LIMIT $1) AS first
        GROUP BY substr(key, 1, instr(key || ':', ':') - 1) ORDER BY 1";

    STATES = "SELECT key, state FROM job WHERE key IN (SELECT value FROM json_each($1))";

    BELOW = "SELECT key, state FROM job WHERE key BETWEEN $1 || ':' AND $1 || ';'";

    WAITING = "
        SELECT id AS job_id, key, state, reason, needs, created_at FROM job
        WHERE key IN (SELECT value FROM json_each($1))";

    /// By an index of such jobs alone; one on the key would have all of them sorted.
    OLDEST = "
        SELECT id AS job_id, key, state, reason, needs, created_at FROM job INDEXED BY job_looks
        WHERE key GLOB 'file:*' OR key GLOB 'folder:*' OR key GLOB 'listing:*'
        ORDER BY created_at LIMIT 1", postgres: "
        SELECT id AS job_id, key, state, reason, needs, created_at FROM job
        WHERE key LIKE 'file:%' OR key LIKE 'folder:%' OR key LIKE 'listing:%'
        ORDER BY created_at LIMIT 1";

    LOOKING = "
        SELECT id AS job_id, key, state, reason, needs, created_at FROM job INDEXED BY job_looks
        WHERE key GLOB 'file:*' OR key GLOB 'folder:*' OR key GLOB 'listing:*'
        ORDER BY created_at LIMIT $1", postgres: "
        SELECT id AS job_id, key, state, reason, needs, created_at FROM job
        WHERE key LIKE 'file:%' OR key LIKE 'folder:%' OR key LIKE 'listing:%'
        ORDER BY created_at LIMIT $1";

    DEAD = "SELECT coalesce(sum(jobs), 0) FROM job_count WHERE state = 'dead' AND kind = $1";

    BEHIND_LIVE = "SELECT coalesce(sum(jobs), 0) FROM job_count WHERE state <> 'dead' AND priority > 0";
}
