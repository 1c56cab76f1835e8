//! What a server has on record, asked by Docket's own statements.

use std::collections::HashSet;

use docket::database::{Connection, Database, Sql};
use docket::fastio::Hash;
use docket::queue::store::{JobRow, PauseRow};
use docket::run::store::RunRow;
use docket::sync::listing::{self, Cursor, Filter, Row};
use docket::{outside, own, queue, receive, run, sync};

use super::database::settings;

/// More than any test makes.
const MANY: u32 = 1_000_000;

/// The records of one database.
pub struct Records(Database);

impl Records {
    pub fn new(database: Database) -> Records {
        Records(database)
    }

    /// Those of a server in another process.
    pub async fn of(url: &str) -> Records {
        Records(Database::open_existing(settings(url)).await.unwrap())
    }

    pub async fn close(self) {
        self.0.close().await;
    }

    /// Every kept number that is not what the rows come to, in words.
    pub async fn miscounted(&self) -> Vec<String> {
        let compare = Sql::listed(include_str!("kept.sql"));
        self.0.read(move |connection| connection.all(compare, &[])).await.unwrap()
    }

    /// Deliveries in the inbox.
    pub async fn waiting(&self) -> i64 {
        self.0.read_inbox(receive::waiting).await.unwrap()
    }

    pub async fn jobs(&self) -> Vec<JobRow> {
        self.0.read(|connection| queue::store::list(connection, None, MANY)).await.unwrap()
    }

    /// The targets that are paused.
    pub async fn pauses(&self) -> Vec<PauseRow> {
        self.0.read(queue::store::pauses).await.unwrap()
    }

    /// The runs, the oldest first.
    pub async fn runs(&self) -> Vec<RunRow> {
        let mut runs = self.0.read(|connection| run::store::list(connection, None, MANY)).await.unwrap();
        runs.sort_by_key(|run| run.run_id);
        runs
    }

    pub async fn files(&self, filter: &Filter) -> Vec<Row> {
        let filter = filter.clone();
        let page =
            move |connection: &mut Connection| listing::page(connection, &filter, &Cursor::default(), 1_000);
        self.0.read(page).await.unwrap().rows
    }

    /// How many copies are in each state.
    pub async fn copies(&self) -> Vec<(String, i64)> {
        self.0.read(sync::store::copy_counts).await.unwrap()
    }

    /// What runs left behind, and conversations that may exist and cannot be found.
    pub async fn leftovers(&self) -> (i64, i64) {
        self.0.read(outside::store::counts).await.unwrap()
    }

    /// Those of these contents, by hash and size, that Docket wrote into Fastio.
    pub async fn written(&self, contents: Vec<(String, u64)>) -> HashSet<String> {
        let written = move |connection: &mut Connection| {
            let mut written = HashSet::new();
            for (value, size) in &contents {
                let hash = Hash { algorithm: "sha256".to_owned(), value: value.clone() };
                if own::store::is_written(connection, Some(own::Content { hash: &hash, size: *size }))? {
                    written.insert(value.clone());
                }
            }
            Ok(written)
        };
        self.0.read(written).await.unwrap()
    }

    /// The files that Docket wrote into Fastio, or is about to.
    pub async fn own_files(&self) -> Vec<own::store::OwnFile> {
        self.0.read(own::store::list).await.unwrap()
    }
}
