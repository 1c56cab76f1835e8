//! What a person would write or pick instead of Docket, under the same load: `benches/peers`. Each has stored what it
//! acknowledges durably, as Docket has, and is killed and counted like Docket.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;

use super::{Ack, Measured, median};
use crate::database::each_text;
use crate::load::{self, SECRET};
use crate::postgres::Postgres;
use crate::process::{Process, Usage};
use crate::server::{UNCOVERED, free_address};

/// How many times the best of them Docket is to be.
const TIMES: f64 = 20.0;

/// Until a peer listens.
const TRIES: usize = 300;
const LOOK: Duration = Duration::from_millis(100);

/// Processes of a peer with PostgreSQL: one for each core of the machine that this is about. With SQLite one, because that has
/// one writer.
const WORKERS: &str = "2";

struct Peer {
    name: &'static str,
    /// What is started, under target/peers, and with which argument.
    program: &'static str,
    argument: Option<&'static str>,
    stores: Stores,
}

/// Where the peer stores, and the ids of the events that it has stored.
#[derive(Clone, Copy)]
enum Stores {
    Sqlite(&'static str),
    Postgres(&'static str),
}

const PEERS: [Peer; 4] = [
    Peer {
        name: "FastAPI, SQLite",
        program: "fastapi/bin/python",
        argument: Some(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/fastapi/app.py")),
        stores: Stores::Sqlite("SELECT event_id FROM delivery"),
    },
    Peer {
        name: "FastAPI, PostgreSQL",
        program: "fastapi/bin/python",
        argument: Some(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/fastapi/app.py")),
        stores: Stores::Postgres("SELECT event_id FROM delivery"),
    },
    Peer {
        name: "Fastify, graphile-worker",
        program: "node",
        argument: Some("fastify/server.js"),
        stores: Stores::Postgres("SELECT payload->>'event_id' FROM graphile_worker._private_jobs"),
    },
    Peer {
        name: "axum, apalis, SQLite",
        program: "apalis/release/peer-apalis",
        argument: None,
        stores: Stores::Sqlite("SELECT json_extract(CAST(job AS TEXT), '$.event_id') FROM Jobs"),
    },
];

/// The peers that there are here.
pub(super) struct Peers {
    postgres: Option<Postgres>,
    /// The rates of each.
    rates: Vec<(&'static str, Vec<f64>)>,
}

/// The database of one burst.
struct Stored<'a> {
    folder: TempDir,
    postgres: Option<(&'a Postgres, String)>,
    url: String,
}

impl Peers {
    pub(super) fn open(ack: &Ack) -> Peers {
        let postgres = Postgres::start(&ack.base.folder);
        if let Err(why) = &postgres {
            ack.report.say(&format!("no peer with PostgreSQL: {why:#}"));
        }
        Peers { postgres: postgres.ok(), rates: Vec::new() }
    }

    /// A burst on each.
    pub(super) fn bursts(&mut self, ack: &mut Ack) -> anyhow::Result<()> {
        for peer in PEERS {
            if matches!(peer.stores, Stores::Postgres(_)) && self.postgres.is_none() {
                continue;
            }
            let measured = peer.burst(ack, self.postgres.as_mut())?;
            ack.show(&measured);
            match self.rates.iter_mut().find(|(name, _)| *name == peer.name) {
                Some((_, rates)) => rates.push(measured.rate),
                None => self.rates.push((peer.name, vec![measured.rate])),
            }
        }
        Ok(())
    }

    /// Judges `docket`, the rate of its slower kind of burst, by the best of them.
    pub(super) fn judge(self, ack: &mut Ack, docket: f64) {
        let each = self.rates.into_iter().map(|(name, rates)| (name, median(rates)));
        let Some((name, rate)) = each.max_by(|one, other| one.1.total_cmp(&other.1)) else { return };
        let times = docket / rate;
        let measured = format!("{times:.1} times {name}");
        ack.judge("burst", "at least 20 times the best durable peer", measured, times >= TIMES);
    }
}

impl Peer {
    fn burst(&self, ack: &mut Ack, postgres: Option<&mut Postgres>) -> anyhow::Result<Measured> {
        let folder = tempfile::Builder::new().prefix("docket-bench-peer-").tempdir_in(&ack.base.folder)?;
        let stored = match (self.stores, postgres) {
            (Stores::Postgres(_), Some(postgres)) => {
                let (name, url) = postgres.database()?;
                Stored { folder, postgres: Some((postgres, name)), url }
            }
            _ => {
                let url = folder.path().join("peer.db").display().to_string();
                Stored { folder, postgres: None, url }
            }
        };
        let address = free_address()?;
        let mut process = self.start(&stored, address.port())?;
        let load = ack.closed(address);
        let (name, deliveries) = ack.sign(UNCOVERED, ack.options.seconds);
        let signed = deliveries.len();
        let before = stored.usage(&process)?;
        let (outcome, after) = load::run(&load, deliveries, || {
            let used = stored.usage(&process)?;
            process.kill()?;
            Ok(used)
        })?;
        let kept = stored.ids(self.stores, &name, signed)?;
        ack.acknowledged += outcome.answered.len();
        let lost = outcome.lost(&kept);
        anyhow::ensure!(lost == 0, "{} acknowledged {lost} deliveries that it had not stored", self.name);
        Ok(Measured::of(self.name, &load, &outcome, (before, after)))
    }

    fn start(&self, stored: &Stored<'_>, port: u16) -> anyhow::Result<Process> {
        let workers = if stored.postgres.is_some() { WORKERS } else { "1" };
        let installed = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("peers");
        let program = installed.join(self.program);
        let program = if program.exists() { program } else { PathBuf::from(self.program) };
        let mut command = Command::new(program);
        command.args(self.argument.map(|argument| installed.join(argument)));
        command
            .env("PEER_SECRET", SECRET)
            .env("PEER_DATABASE", &stored.url)
            .env("PEER_PORT", port.to_string());
        command.env("PEER_WORKERS", workers).current_dir(stored.folder.path()).stdin(Stdio::null());
        let mut process = Process::start(command.stdout(Stdio::null()))?;
        for _ in 0..TRIES {
            process.lives()?;
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                // Where there are several processes, the others have a moment to listen as well.
                sleep(5 * LOOK);
                return Ok(process);
            }
            sleep(LOOK);
        }
        anyhow::bail!("{} does not listen", self.name)
    }
}

impl Stored<'_> {
    /// What the peer and its database used.
    fn usage(&self, process: &Process) -> anyhow::Result<Usage> {
        let own = process.usage()?;
        let database = self.postgres.as_ref().map(|(postgres, _)| postgres.usage()).transpose()?;
        Ok(own + database.unwrap_or_default())
    }

    /// Which of the deliveries that were signed as `name`'s are stored.
    fn ids(&self, stores: Stores, name: &str, count: usize) -> anyhow::Result<Vec<bool>> {
        match (stores, &self.postgres) {
            (Stores::Postgres(sql), Some((postgres, database))) => {
                postgres.kept(database, sql, (name, count))
            }
            (Stores::Sqlite(sql) | Stores::Postgres(sql), _) => {
                let mut kept = vec![false; count];
                each_text(&Connection::open(&self.url)?, sql, |id| load::keep(&mut kept, name, id))?;
                Ok(kept)
            }
        }
    }
}
