//! PostgreSQL as the engine.
//!
//! What rests on SQLite's one writer rests here on the database: a write is a serializable transaction, which the database refuses when it
//! cannot have happened alone, and which is then done again; a claim takes rows that nobody else has. Each lane has connections of its
//! own, so that neither work nor people who look hold up an acknowledgement. Every question has a deadline, the server's and ours.

mod claimed;
mod counts;
mod dialect;
mod durability;
mod error;
mod leader;
mod migrate;
mod replica;
mod server;
mod session;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
mod tidy;
mod tls;
mod turn;
mod value;
mod warned;
#[cfg(test)]
mod way_tests;

use std::sync::Arc;
use std::time::Duration;

pub use claimed::{holds, life};
pub use counts::fold;
#[cfg(test)]
pub use dialect::postgres as text;
pub use leader::{end_turn, living, servers, take_turn, whose_turn};
pub use migrate::{as_of_this_version, inspect, wait_for_schema};
pub use replica::{Company, PATIENCE, Replica, Timed, holder};
pub use server::Server;
pub use session::Session;
pub use tidy::tidy;
pub use turn::{Unbegun, do_in_turn};
pub use value::{at, named};

use super::connection::Connection;
use super::lane::{Access, Lane};
use super::open_error::OpenError;
use super::{Database, Engine, Lanes};

/// Connections that read for the work, and for whoever looks on.
const READERS: usize = 4;

/// Connections that acknowledge. Two: while one waits for the disk, the other takes what has gathered.
const ACKNOWLEDGING: usize = 2;

/// How long a statement may take. Of the work each is a few milliseconds; of lists and reports it may be more. An acknowledgement that
/// takes longer is refused before its sender gives up.
pub fn deadline(access: Access) -> Duration {
    match access {
        Access::Inbox => Duration::from_secs(3),
        Access::Write => Duration::from_secs(10),
        Access::Read => Duration::from_secs(30),
    }
}

/// Serves the database that `server` has.
pub fn serve(server: Server) -> Result<Database, OpenError> {
    let first = server.connect(Access::Read)?;
    let writers = usize::from(server.writers());
    let server = Arc::new(server);
    let lane = |access, threads, first: Option<Session>| {
        let name = match access {
            Access::Read => "db-read",
            Access::Write => "db-write",
            Access::Inbox => "db-inbox",
        };
        let server = server.clone();
        let open = move || server.session(access).map(Connection::postgres);
        Lane::new(name, access, threads, first.map(Connection::postgres), open).map_err(OpenError::Threads)
    };
    Ok(Database {
        main: Arc::new(Lanes {
            writer: lane(Access::Write, writers, None)?,
            readers: lane(Access::Read, READERS, Some(first))?,
        }),
        inbox: Arc::new(Lanes {
            writer: lane(Access::Inbox, ACKNOWLEDGING, None)?,
            readers: lane(Access::Read, 1, None)?,
        }),
        observer: Arc::new(lane(Access::Read, 1, None)?),
        engine: Arc::new(Engine::Postgres { replica: server.fence().replica() }),
    })
}
