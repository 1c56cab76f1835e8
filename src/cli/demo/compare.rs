//! Fastio beside the vector store: does OpenAI hold what Fastio holds, and nothing else?

use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::sandbox::WORKSPACE;
use super::super::shown::Shown;
use super::super::table::{Column, Cut, Table, plain, state};
use super::super::text::{bytes, count, terminal_width};
use super::tell::{INDENT, Teller, WIDTH};
use super::world::World;
use crate::fastio::NodeId;

/// Every path begins with it, and the table has no room for it.
const FOLDER: &str = "/";

/// Both sides as they are, and what should not be.
pub struct Comparison {
    /// Without what Docket wrote itself, which is not synced.
    files: Vec<File>,
    copies: Vec<Copy>,
    runs: Vec<Value>,
    locks_held: usize,
    /// File objects in no vector store.
    orphans: usize,
    jobs_left: i64,
}

struct File {
    path: String,
    node: String,
    version: String,
    size: u64,
    content_hash: String,
}

struct Copy {
    file_id: String,
    vector_store: String,
    status: String,
    path: String,
    version: String,
    bytes: u64,
    content_hash: String,
}

impl Comparison {
    pub async fn read(world: &World<'_>) -> Result<Self, Failure> {
        let (fastio, openai) = (world.fastio_state().await?, world.openai_state().await?);
        let (left, dead) = world.work().await?;
        let own = world.own().await?;
        let mut files: Vec<File> = rows(&fastio["files"])
            .filter(|file| file["workspace"] == WORKSPACE && file["trashed"] == false)
            .map(File::read)
            .filter(|file| !own.contains(&NodeId::new(&file.node)))
            .collect();
        let runs = world.runs().await?.into_iter().map(|(row, result)| {
            json!({"run_id": row.run_id, "rule": row.rule, "path": row.path, "state": row.state,
                   "outcome": row.outcome, "quotes": result["quotes"], "unverified": result["unverified"],
                   "written": result["written"]})
        });
        let runs: Vec<Value> = runs.collect();
        files.sort_by(|one, other| one.path.cmp(&other.path));
        let copies: Vec<Copy> = rows(&openai["vector_stores"])
            .flat_map(|store| rows(&store["files"]).map(|file| Copy::read(&store["id"], file)))
            .collect();
        let attached = |file: &&Value| copies.iter().any(|copy| copy.file_id == file["id"]);
        let orphans = rows(&openai["files"]).filter(|file| !attached(file)).count();
        Ok(Comparison {
            locks_held: rows(&fastio["locks"]).count(),
            orphans,
            jobs_left: left + dead,
            files,
            copies,
            runs,
        })
    }

    pub fn agree(&self) -> bool {
        let matched = self.files.iter().all(|file| self.copy_of(file).is_some_and(|copy| copy.is_of(file)));
        matched
            && self.runs.iter().all(|run| run["state"] == "ended")
            && self.copies.len() == self.files.len()
            && self.orphans == 0
            && self.locks_held == 0
            && self.jobs_left == 0
    }

    fn copy_of(&self, file: &File) -> Option<&Copy> {
        self.copies.iter().find(|copy| copy.path == file.path)
    }

    pub fn json(&self) -> Value {
        let files = self.files.iter().map(|file| {
            json!({"path": file.path, "node": file.node, "version": file.version, "size": file.size,
                   "content_hash": file.content_hash})
        });
        let copies = self.copies.iter().map(|copy| {
            let same = self.files.iter().any(|file| file.path == copy.path && copy.is_of(file));
            json!({"file_id": copy.file_id, "vector_store": copy.vector_store, "status": copy.status,
                   "path": copy.path, "version": copy.version, "bytes": copy.bytes,
                   "content_hash": copy.content_hash, "same_content": same})
        });
        json!({
            "agree": self.agree(), "files": files.collect::<Vec<_>>(), "copies": copies.collect::<Vec<_>>(),
            "runs": self.runs, "locks_held": self.locks_held, "orphans": self.orphans, "jobs_left": self.jobs_left,
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
        for file in &self.files {
            let copy = self.copy_of(file);
            let same = copy.is_some_and(|copy| copy.is_of(file));
            table.row([
                plain(file.path.strip_prefix(FOLDER).unwrap_or(&file.path)),
                plain(&file.version),
                plain(bytes(file.size)),
                plain(copy.map_or("–", |copy| &copy.file_id)),
                state(copy.map_or("missing", |copy| &copy.status)),
                state(if same { "yes" } else { "no" }),
            ]);
        }
        for copy in self.copies.iter().filter(|copy| !self.files.iter().any(|file| file.path == copy.path)) {
            table.row([
                plain("–"),
                plain(&copy.version),
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
            let what =
                format!("They agree: {}, no orphan, no job left.", count(self.files.len() as u64, "file"));
            return teller.paint.good(what);
        }
        let what = format!(
            "They differ: {} and {}; {}, {} held, {} left.",
            count(self.files.len() as u64, "file"),
            self.copies.len(),
            count(self.orphans as u64, "orphan"),
            count(self.locks_held as u64, "lock"),
            count(self.jobs_left.unsigned_abs(), "job"),
        );
        teller.paint.bad(what)
    }
}

impl File {
    fn read(value: &Value) -> File {
        File {
            path: text(&value["path"]),
            node: text(&value["node_id"]),
            version: text(&value["version"]),
            size: value["size"].as_u64().unwrap_or(0),
            content_hash: text(&value["sha256"]),
        }
    }
}

impl Copy {
    fn read(store: &Value, value: &Value) -> Copy {
        let attributes = &value["attributes"];
        Copy {
            file_id: text(&value["id"]),
            vector_store: text(store),
            status: text(&value["status"]),
            path: text(&attributes["path"]),
            version: text(&attributes["version"]),
            bytes: value["bytes"].as_u64().unwrap_or(0),
            content_hash: text(&value["sha256"]),
        }
    }

    /// Whether it is this version of this file, and can be found.
    fn is_of(&self, file: &File) -> bool {
        self.status == "completed" && self.content_hash == file.content_hash && self.version == file.version
    }
}

fn rows(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
