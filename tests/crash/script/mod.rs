//! What happens: changes in Fastio and deliveries, from a seed. The script keeps its own idea of which files there are, from
//! what Fastio answered; where that is wrong Fastio refuses, and the script goes on.
//!
//! `/steady` holds files that are only ever edited and renamed, the [`desk`]s those that a run is made over, and the
//! results beside them; `/Imports` what Fastio fetches itself; files of the other folders come and go. What wanders to `/outside` leaves
//! its rule.

pub mod content;
mod desk;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use fastrand::Rng;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::check::runs::is_result;
use crate::check::{ASKED, CONTRACTS, PINNED, SCARCE};
use crate::fleet::WORKSPACE;
use crate::options::{Options, Way};
use content::{Content, STOOD_FOR, TABLES, extension};

pub use desk::Desk;

/// Folders that files come and go in, and folders in each.
const AREAS: usize = 6;
const INNER: usize = 12;

/// Files of one large size, now and then: an upload that takes long enough to be killed in, or ten segments.
const LARGE_BYTES: usize = 400_000;
const LARGE_BYTES_IN_SEGMENTS: usize = 100_000;

/// One in so many files that there is not room for all of is pinned.
const PINNED_ONE_IN: usize = 6;

/// One import in so many asks for an address that was asked for before.
const IMPORTED_AGAIN_ONE_IN: usize = 4;

/// Deliveries remembered to be sent once more, much later.
const REMEMBERED: usize = 2_000;

/// How many nodes may be asked about; the newest.
const NODES: usize = 20_000;

/// One thing that happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Write {
        path: String,
        content: Content,
    },
    Move {
        from: String,
        to: String,
    },
    Copy {
        from: String,
        to: String,
    },
    Trash {
        path: String,
    },
    Restore {
        path: String,
    },
    Purge {
        path: String,
    },
    /// A person takes the result of this contract away, or writes over it.
    Take {
        contract: String,
        edit: Option<String>,
    },
    /// Fastio is to fetch what is at an address.
    Import {
        name: String,
        /// Which order of it this is, from 1.
        times: u64,
    },
    /// Deliveries by the test itself, each with the id of its event.
    Tell(Vec<(String, Value)>),
}

pub struct Script {
    random: Rng,
    seed: u64,
    files: usize,
    /// Which kinds of files there are, by their extensions.
    extensions: Vec<&'static str>,
    large_bytes: usize,
    imports: bool,
    /// Of those that there is not room for all of.
    scarce: Vec<String>,
    /// Steps after which nothing is begun that takes a minute to end: purges, of which nothing tells, and runs.
    calm_after: u64,
    steps: u64,
    made: u64,
    told: u64,
    loose: Vec<String>,
    steady: Vec<String>,
    outside: Vec<String>,
    trashed: Vec<String>,
    nodes: Vec<String>,
    known: HashSet<String>,
    earlier: Vec<(String, Value)>,
    /// Files that left their rule at some time.
    pub wanderers: HashSet<String>,
    pub desks: Vec<Desk>,
    /// What is to be done before anything else is thought of.
    next: VecDeque<Step>,
    /// What is to stand at OpenAI in the place of bytes: by their SHA-256 that of the text.
    pub stand_ins: HashMap<String, String>,
    /// How often each import was ordered, by its name.
    pub imported: BTreeMap<String, u64>,
}

impl Script {
    pub fn new(options: &Options) -> Script {
        let (seed, files) = (options.seed, options.files());
        let contracts = (files / 40).clamp(4, 40);
        let mut desks = vec![Desk::new(CONTRACTS, contracts)];
        let mut extensions = vec!["txt"; 6];
        if options.has(Way::Fastio) {
            desks.push(Desk::new(ASKED, contracts));
        }
        if options.has(Way::Segments) {
            extensions.extend(TABLES);
        }
        if options.has(Way::Texts) {
            extensions.extend(STOOD_FOR);
            extensions.push("");
        }
        Script {
            random: Rng::with_seed(seed),
            seed,
            files,
            extensions,
            large_bytes: if options.has(Way::Segments) { LARGE_BYTES_IN_SEGMENTS } else { LARGE_BYTES },
            imports: options.has(Way::Imports),
            scarce: if options.has(Way::Room) { scarce_paths(scarce(files)) } else { Vec::new() },
            calm_after: options.events / 2,
            steps: 0,
            made: 0,
            told: 0,
            loose: Vec::new(),
            steady: Vec::new(),
            outside: Vec::new(),
            trashed: Vec::new(),
            nodes: Vec::new(),
            known: HashSet::new(),
            earlier: Vec::new(),
            wanderers: HashSet::new(),
            desks,
            next: VecDeque::new(),
            stand_ins: HashMap::new(),
            imported: BTreeMap::new(),
        }
    }

    /// The files that are there before anything goes wrong: the steady ones, of each kind that can be edited, and the contracts.
    pub fn opening(&mut self) -> Vec<Step> {
        let steady = (self.files / 10).max(10);
        let mut extensions: Vec<&str> =
            self.extensions.iter().copied().filter(|one| !one.is_empty()).collect();
        // Those that are edited all the time are of different kinds.
        extensions.sort_unstable();
        extensions.dedup();
        self.random.shuffle(&mut extensions);
        let kinds = extensions.iter().cycle();
        self.steady =
            (0..steady).zip(kinds).map(|(number, kind)| format!("/steady/{number}.{kind}")).collect();
        let paths = [self.steady.clone(), self.scarce.clone()].concat();
        let mut steps: Vec<Step> = paths.into_iter().map(|path| self.write(path)).collect();
        for desk in &self.desks {
            steps.extend(desk.opening(&mut self.made));
        }
        steps
    }

    /// The next step. `talks` says whether the test itself may deliver.
    pub fn next(&mut self, talks: bool) -> Step {
        if let Some(step) = self.next.pop_front() {
            return step;
        }
        self.steps += 1;
        let calm = self.steps > self.calm_after;
        loop {
            let choice = self.random.u32(0..1000);
            let step = match choice {
                0..=479 if talks && !self.nodes.is_empty() => Some(self.tell(choice)),
                480..=619 => Some(self.write_some()),
                640..=739 => self.any_loose().map(|path| self.write(path)),
                740..=754 if !self.scarce.is_empty() => self.any_scarce(),
                740..=829 => self.any_steady().map(|at| self.write(self.steady[at].clone())),
                830..=849 => self.rename_steady(),
                850..=889 => self.rename_loose(),
                890..=919 => self.any_loose().map(|path| Step::Trash { path }),
                920..=944 => self.random.choice(&self.trashed).cloned().map(|path| Step::Restore { path }),
                945..=954 => self.any_loose().map(|from| Step::Copy { from, to: self.folder() }),
                955..=959 if !calm => self.any_loose().map(|path| Step::Purge { path }),
                960..=964 => self.move_folder(),
                965..=967 => self.any_folder().map(|path| Step::Trash { path }),
                968..=977 => self.wander(),
                978..=981 => self.any_text().map(|path| self.write_large(path)),
                620..=625 if !calm && self.imports => Some(self.import()),
                626..=639 | 982..=999 if !calm => self.at_a_desk(),
                _ => None,
            };
            if let Some(step) = step {
                return step;
            }
        }
    }

    /// Takes in what Fastio answered to a step; `None` when it refused.
    pub fn learn(&mut self, step: &Step, answer: Option<&Value>) {
        let text = |name: &str| answer.and_then(|answer| answer[name].as_str()).map(str::to_owned);
        let (path, node) = (text("path"), text("node_id"));
        if let Some(node) = &node
            && answer.is_some_and(|answer| answer["type"] != "folder")
            && self.known.insert(node.clone())
        {
            if self.nodes.len() >= NODES {
                self.nodes.swap_remove(0);
            }
            self.nodes.push(node.clone());
        }
        let at_the_desk = match step {
            Step::Move { from: path, .. } | Step::Copy { from: path, .. } => path,
            Step::Trash { path } | Step::Restore { path } | Step::Take { contract: path, .. } => path,
            _ => "",
        };
        if let Some(desk) = self.desks.iter_mut().find(|desk| at_the_desk.starts_with(desk.folder)) {
            desk.moves += usize::from(answer.is_some());
            let is_of_result = matches!(step, Step::Copy { from, .. } if is_result(from));
            desk.copied += usize::from(answer.is_some() && is_of_result);
        }
        match (step, path) {
            (Step::Write { .. } | Step::Copy { .. } | Step::Restore { .. }, Some(path)) => self.is_at(&path),
            (Step::Restore { path }, None) => self.trashed.retain(|one| one != path),
            (Step::Move { from, .. }, Some(path)) => {
                let wanders = from.starts_with("/outside/") || path.starts_with("/outside/");
                self.wanderers.extend(node.filter(|_| wanders));
                self.moved(from, &path);
            }
            (Step::Trash { path } | Step::Purge { path }, answered) => {
                self.forget(path);
                if answered.is_some() && matches!(step, Step::Trash { .. }) {
                    self.trashed.push(path.clone());
                }
            }
            (Step::Move { from, .. } | Step::Copy { from, .. }, None) => self.forget(from),
            _ => {}
        }
    }

    fn is_at(&mut self, path: &str) {
        self.trashed.retain(|one| one != path);
        if let Some(desk) = self.desks.iter_mut().find(|desk| path.starts_with(desk.folder)) {
            desk.is_at(path);
        } else if !path.starts_with("/steady/")
            && !path.starts_with(SCARCE)
            && self.is_file(path)
            && !self.loose.iter().any(|one| one == path)
        {
            self.loose.push(path.to_owned());
        }
    }

    /// Whether it is called like a file that comes and goes. A folder has no extension, and a link the number that it leads to.
    fn is_file(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        match extension(path) {
            "" => name.len() > 4 && name.bytes().all(|digit| digit.is_ascii_digit()),
            extension => self.extensions.contains(&extension),
        }
    }

    /// A person touched the results of these contracts.
    pub fn takes(&mut self, contracts: BTreeSet<usize>) {
        // Each has a number of its own, at whichever desk it is.
        self.desks[0].taken.extend(contracts);
    }

    fn moved(&mut self, from: &str, to: &str) {
        if let Some(steady) = self.steady.iter_mut().find(|one| *one == from) {
            to.clone_into(steady);
            return;
        }
        let inside = format!("{from}/");
        for one in &mut self.loose {
            if let Some(rest) = one.strip_prefix(&inside) {
                *one = format!("{to}/{rest}");
            }
        }
        self.loose.retain(|one| one != from);
        self.desks.iter_mut().for_each(|desk| desk.forget(from));
        self.outside.retain(|one| one != from);
        match to.starts_with("/outside/") {
            true => self.outside.push(to.to_owned()),
            false => self.is_at(to),
        }
    }

    /// Forgets a file, or all files of a folder.
    fn forget(&mut self, path: &str) {
        let inside = format!("{path}/");
        self.loose.retain(|one| one != path && !one.starts_with(&inside));
        self.desks.iter_mut().for_each(|desk| desk.forget(path));
        self.outside.retain(|one| one != path);
    }

    fn folder(&mut self) -> String {
        format!("/{}/{}", self.random.usize(0..AREAS), self.random.usize(0..INNER))
    }

    fn any_loose(&mut self) -> Option<String> {
        self.random.choice(&self.loose).cloned()
    }

    /// Any that a text can be written into, of whatever length.
    fn any_text(&mut self) -> Option<String> {
        self.any_loose().filter(|path| ["txt", "csv", "jsonl"].contains(&extension(path)))
    }

    fn any_steady(&mut self) -> Option<usize> {
        // A few are edited all the time.
        let most = if self.random.bool() { self.steady.len() } else { self.steady.len().min(5) };
        Some(self.random.usize(0..most))
    }

    fn any_folder(&mut self) -> Option<String> {
        let path = self.any_loose()?;
        let (folder, _) = path.rsplit_once('/')?;
        // An area as a whole would take a sixth of everything away.
        (folder.matches('/').count() > 1).then(|| folder.to_owned())
    }

    fn write_some(&mut self) -> Step {
        let path = match self.any_loose() {
            Some(path) if self.loose.len() >= self.files => path,
            _ => {
                let extension = self.random.choice(&self.extensions).copied().unwrap_or("txt");
                match extension {
                    // As the share that it leads to.
                    "" => format!("{}/{}", self.folder(), self.random.u64(1_000_000..u64::MAX)),
                    _ if self.random.bool() => format!("{}/same name.{extension}", self.folder()),
                    _ => format!("{}/{}.{extension}", self.folder(), self.random.u32(0..40)),
                }
            }
        };
        self.write(path)
    }

    fn write(&mut self, path: String) -> Step {
        self.made += 1;
        let content = content::of(&path, self.made, &mut self.random);
        if let Some(text) = &content.stand_in {
            let hash = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
            self.stand_ins.insert(hash(&content.bytes), hash(text.as_bytes()));
        }
        Step::Write { path, content }
    }

    fn write_large(&mut self, path: String) -> Step {
        self.made += 1;
        let content = content::sized(&path, self.made, self.large_bytes);
        Step::Write { path, content }
    }

    /// A person edits it, or takes it away for a while.
    fn any_scarce(&mut self) -> Option<Step> {
        let path = self.random.choice(&self.scarce).cloned()?;
        Some(match self.random.u8(0..5) {
            0 => Step::Trash { path },
            _ => self.write(path),
        })
    }

    fn at_a_desk(&mut self) -> Option<Step> {
        let desk = self.random.usize(0..self.desks.len());
        let steps = self.desks[desk].next(&mut self.random, &mut self.made)?;
        self.next.extend(steps);
        self.next.pop_front()
    }

    fn import(&mut self) -> Step {
        let known = self.random.choice(self.imported.keys()).cloned();
        let again = known.filter(|_| self.random.usize(0..IMPORTED_AGAIN_ONE_IN) == 0);
        let name = again.unwrap_or_else(|| {
            self.made += 1;
            format!("import-{}.txt", self.made)
        });
        let times = self.imported.entry(name.clone()).or_default();
        *times += 1;
        Step::Import { name, times: *times }
    }

    fn rename_steady(&mut self) -> Option<Step> {
        self.made += 1;
        let from = self.any_steady().map(|at| self.steady[at].clone())?;
        let to = named(format!("/steady/renamed {}", self.made), &from);
        Some(Step::Move { from, to })
    }

    fn rename_loose(&mut self) -> Option<Step> {
        self.made += 1;
        let from = self.any_loose()?;
        let to = named(format!("{}/renamed {}", self.folder(), self.made), &from);
        Some(Step::Move { from, to })
    }

    fn move_folder(&mut self) -> Option<Step> {
        self.made += 1;
        let from = self.any_folder()?;
        Some(Step::Move { from, to: format!("/{}/moved {}", self.random.usize(0..AREAS), self.made) })
    }

    fn wander(&mut self) -> Option<Step> {
        self.made += 1;
        if let Some(from) = self.random.choice(&self.outside).cloned().filter(|_| self.random.bool()) {
            let to = named(format!("{}/back {}", self.folder(), self.made), &from);
            return Some(Step::Move { from, to });
        }
        let from = self.any_loose()?;
        let to = named(format!("/outside/{}", self.made), &from);
        Some(Step::Move { from, to })
    }

    fn tell(&mut self, choice: u32) -> Step {
        match choice {
            0..=69 if !self.earlier.is_empty() => {
                let repeated = self.random.usize(0..self.earlier.len());
                Step::Tell(vec![self.earlier[repeated].clone()])
            }
            70..=89 => {
                let node = self.any_node();
                Step::Tell((0..5).map(|_| self.news("workspace_storage_file_updated", &node)).collect())
            }
            90..=109 => Step::Tell(vec![self.news("workspace_storage_file_hummed", "2nobody")]),
            110..=139 => {
                Step::Tell(vec![self.news("workspace_storage_file_deleted", "2zzzzzzzzzzzzzzzzzzzzzzzzzzzz")])
            }
            _ => {
                let node = self.any_node();
                let names = ["file_updated", "file_added", "file_moved", "file_deleted", "file_restored"];
                let name = names[self.random.usize(0..names.len())];
                Step::Tell(vec![self.news(&format!("workspace_storage_{name}"), &node)])
            }
        }
    }

    fn any_node(&mut self) -> String {
        let at = self.random.usize(0..self.nodes.len());
        self.nodes[at].clone()
    }

    fn news(&mut self, name: &str, node: &str) -> (String, Value) {
        self.told += 1;
        let id = format!("evt_told_{}_{}", self.seed, self.told);
        let body = json!({"event_id": id, "event": name, "workspace_id": WORKSPACE, "object_id": node});
        if self.earlier.len() < REMEMBERED {
            self.earlier.push((id.clone(), body.clone()));
        } else {
            let place = self.random.usize(0..REMEMBERED);
            self.earlier[place] = (id.clone(), body.clone());
        }
        (id, body)
    }
}

/// How many files there are of which not all have room, where there are so many in all.
pub fn scarce(files: usize) -> usize {
    (files / 5).clamp(12, 300)
}

fn scarce_paths(number: usize) -> Vec<String> {
    let folder = |number: usize| if number.is_multiple_of(PINNED_ONE_IN) { PINNED } else { SCARCE };
    (0..number).map(|number| format!("{}{number}.txt", folder(number))).collect()
}

/// The path with the extension that another has.
fn named(path: String, as_that: &str) -> String {
    match extension(as_that) {
        "" => path,
        extension => format!("{path}.{extension}"),
    }
}

/// Where the result of a contract stands, if nothing is in its way.
pub fn result_of(contract: &str) -> String {
    format!("{}.analysis.md", contract.strip_suffix(".txt").unwrap_or(contract))
}
