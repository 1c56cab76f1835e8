//! Fastio beside the vector store: does OpenAI hold what Fastio holds, and nothing else? And is what stands beside each contract true of it?

use docket_sandbox::judge::{FastioFile, Sides, StoreCopy, Wanted};
use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::shown::Shown;
use super::super::table::{Column, Cut, Table, plain, state};
use super::super::text::{bytes, count, terminal_width};
use super::beside::Beside;
use super::story::REVIEWED;
use super::tell::{INDENT, Teller, WIDTH};
use super::world::World;
use crate::fastio::NodeId;

/// Every path begins with it, and the table has no room for it.
const FOLDER: &str = "/";

/// Both sides as they are, and what should not be.
pub struct Comparison {
    /// Without what Docket wrote itself, which is not synced.
    sides: Sides,
    runs: Vec<Value>,
    beside: Vec<Beside>,
    locks_held: usize,
    jobs_left: i64,
}

impl Comparison {
    pub async fn read(world: &World<'_>) -> Result<Self, Failure> {
        let (fastio, openai) = (world.fastio_state().await?, world.openai_state().await?);
        let (left, dead) = world.work().await?;
        let own = world.own().await?;
        let mut sides = Sides::read(&fastio, &openai);
        sides.files.retain(|file| !own.contains(&NodeId::new(&file.node_id)));
        sides.files.sort_by(|one, other| one.path.cmp(&other.path));
        let runs = world.runs().await?.into_iter().map(|(row, result)| {
            json!({"run_id": row.run_id, "rule": row.rule, "path": row.path, "state": row.state,
                   "outcome": row.outcome, "quotes": result["quotes"], "unverified": result["unverified"],
                   "written": result["written"]})
        });
        let mut beside = Vec::new();
        for (path, _) in REVIEWED {
            beside.push(Beside::read(world, path).await?);
        }
        let locks_held = fastio["locks"].as_array().map_or(0, Vec::len);
        Ok(Comparison { sides, runs: runs.collect(), beside, locks_held, jobs_left: left + dead })
    }

    pub fn agree(&self) -> bool {
        self.sides.differences(|_| Wanted::InAnyStore).is_empty()
            && self.runs.iter().all(|run| run["state"] == "ended")
            && self.beside.iter().all(Beside::is_true)
            && self.locks_held == 0
            && self.jobs_left == 0
    }

    fn copy_of(&self, file: &FastioFile) -> Option<&StoreCopy> {
        self.sides.copies.iter().find(|copy| copy.source_id() == file.source_id)
    }

    fn file_of(&self, copy: &StoreCopy) -> Option<&FastioFile> {
        self.sides.files.iter().find(|file| copy.source_id() == file.source_id)
    }

    pub fn json(&self) -> Value {
        let files = self.sides.files.iter().map(|file| {
            json!({"path": file.path, "node": file.node_id, "version": file.version, "size": file.size,
                   "content_hash": file.sha256})
        });
        let copies = self.sides.copies.iter().map(|copy| {
            let same = self.file_of(copy).is_some_and(|file| copy.is_found_as(file));
            json!({"file_id": copy.file_id, "vector_store": copy.store_id, "status": copy.status,
                   "path": copy.path(), "version": copy.version(), "bytes": copy.bytes,
                   "content_hash": copy.sha256, "same_content": same})
        });
        json!({
            "agree": self.agree(), "files": files.collect::<Vec<_>>(), "copies": copies.collect::<Vec<_>>(),
            "runs": self.runs, "beside": self.beside.iter().map(Beside::json).collect::<Vec<_>>(), "locks_held": self.locks_held, "orphans": self.sides.orphans.len(), "jobs_left": self.jobs_left,
        })
    }

    pub fn show(&self, teller: &Teller) -> Result<(), Failure> {
        teller.say("")?;
        teller.say(teller.paint.bold("Fastio beside the vector store"))?;
        let mut table = Table::new(&[
            Column::new("file in Fastio", Cut::Start),
            Column::new("version", Cut::Start).widest(7),
            Column::new("bytes", Cut::Nowhere).right(),
            Column::new("copy", Cut::Start).widest(7),
            Column::new("status", Cut::Nowhere),
            Column::new("same", Cut::Nowhere),
        ])
        .indented(INDENT.len());
        for file in &self.sides.files {
            let copy = self.copy_of(file);
            let same = copy.is_some_and(|copy| copy.is_found_as(file));
            table.row([
                plain(file.path.strip_prefix(FOLDER).unwrap_or(&file.path)),
                plain(&file.version),
                plain(bytes(file.size)),
                plain(copy.map_or("–", |copy| &copy.file_id)),
                state(copy.map_or("missing", |copy| &copy.status)),
                state(if same { "yes" } else { "no" }),
            ]);
        }
        for copy in self.sides.copies.iter().filter(|copy| self.file_of(copy).is_none()) {
            table.row([
                plain("–"),
                plain(copy.version()),
                plain(bytes(copy.bytes)),
                plain(&copy.file_id),
                state(&copy.status),
                state("no"),
            ]);
        }
        for line in table.render_in(terminal_width().unwrap_or(WIDTH), teller.paint) {
            teller.say(line)?;
        }
        teller.say("")?;
        teller.say(self.verdict(teller))?;
        Ok(())
    }

    fn verdict(&self, teller: &Teller) -> Shown {
        if self.agree() {
            let what = format!(
                "They agree: {}, no orphan, no job left, {} true of what is beside.",
                count(self.sides.files.len() as u64, "file"),
                count(self.beside.len() as u64, "result"),
            );
            return teller.paint.good(what);
        }
        let untrue = self.beside.iter().filter(|beside| !beside.is_true()).count();
        let what = format!(
            "They differ: {} and {}; {}, {} held, {} left, {} not true of what they stand beside.",
            count(self.sides.files.len() as u64, "file"),
            self.sides.copies.len(),
            count(self.sides.orphans.len() as u64, "orphan"),
            count(self.locks_held as u64, "lock"),
            count(self.jobs_left.unsigned_abs(), "job"),
            count(untrue as u64, "result"),
        );
        teller.paint.bad(what)
    }
}
