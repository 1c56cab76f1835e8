//! What a bulk load leaves behind.

use super::error::explained;
use super::server::Server;
use super::turn::{session, transaction};
use crate::database::connection::Connection;
use crate::database::lane::{Access, Manner};
use crate::database::open_error::OpenError;
use crate::database::params;
use crate::database::settings::Settings;
use crate::database::statement::Sql;

/// The tables that this user may clear away in: those of changes of numbers, of which next to nothing is left once they are put together,
/// and the others.
const OURS: Sql = Sql::listed(
    "SELECT (relname LIKE '%\\_part')::int::bigint AS is_part, string_agg(quote_ident(relname), ', ') FROM pg_class
     WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND pg_has_role(relowner, 'USAGE') GROUP BY is_part",
);

/// A table of millions takes longer than any question of ours may. Not every version knows all of these.
const UNHURRIED: &str = "SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('statement_timeout', 'transaction_timeout')";

/// Has PostgreSQL clear away what was deleted in our tables, and gather statistics of what is there. By itself it does so about a minute
/// later, and until then what was put together of the kept numbers is still passed over by whoever asks for one. It takes some seconds for
/// a million rows.
///
/// # Errors
/// Those of a server that cannot be asked.
pub fn tidy(settings: &Settings) -> Result<(), OpenError> {
    let server = Server::of(settings)?;
    // By the way that a pooler does not share: what is set here is the session's.
    let mut connection = Connection::postgres(server.migration().connect(Access::Write)?);
    let ours: Vec<(i64, String)> =
        transaction(&mut connection, Manner::Repeatable, |tx| tx.all(OURS, params![]))?;
    let session = session(&mut connection);
    session.batch(UNHURRIED).map_err(|error| explained(&error))?;
    for (is_part, tables) in ours {
        // What is left stands at the end, behind all that was.
        let full = if is_part == 0 { "" } else { "FULL, " };
        session.batch(&format!("VACUUM ({full}ANALYZE) {tables}")).map_err(|error| explained(&error))?;
    }
    Ok(())
}
