//! What happens: changes in Fastio and deliveries, from a seed. The script keeps its own idea of which files there are, from
//! what Fastio answered; where that is wrong Fastio refuses, and the script goes on.
//!
//! `/steady` holds files that are only ever edited and renamed, `/Contracts` those that a run is made over, and the
//! results beside them; files of the other folders come and go. What wanders to `/outside` leaves its rule.

use std::collections::{BTreeSet, HashSet, VecDeque};

use fastrand::Rng;
use serde_json::{Value, json};

use crate::check::beside::{EDITED, contract};
use crate::check::runs::is_result;
use crate::fleet::WORKSPACE;

/// Folders that files come and go in, and folders in each.
const AREAS: usize = 6;
const INNER: usize = 12;

/// The folder of the contracts, and a name that one has while two swap theirs.
const CONTRACTS: &str = "/Contracts/";
const BETWEEN: &str = "/Contracts/between.txt";

/// Files of one large size, now and then: an upload that takes long enough to be killed in.
const LARGE_BYTES: usize = 400_000;

/// Deliveries remembered to be sent once more, much later.
const REMEMBERED: usize = 2_000;

/// How many nodes may be asked about; the newest.
const NODES: usize = 20_000;

/// One thing that happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Write {
        path: String,
        content: String,
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
    /// Deliveries by the test itself, each with the id of its event.
    Tell(Vec<(String, Value)>),
}

pub struct Script {
    random: Rng,
    seed: u64,
    files: usize,
    contracts: usize,
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
    /// Where the contracts are.
    desk: Vec<String>,
    /// What is to be done before anything else is thought of.
    next: VecDeque<Step>,
    /// Contracts, by their number, of which a person took a result away, moved or changed it.
    pub taken: BTreeSet<usize>,
    /// What people did to contracts and results, but for the new versions of contracts: each may bring another version of a result.
    pub moves: usize,
    /// Results that people copied. Where the copy of the contract moves on before it has a result, the copy of that stays behind.
    pub copied: usize,
}

impl Script {
    pub fn new(seed: u64, files: usize, events: u64) -> Script {
        let contracts = (files / 40).clamp(4, 40);
        Script {
            random: Rng::with_seed(seed),
            seed,
            files,
            contracts,
            calm_after: events / 2,
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
            desk: Vec::new(),
            next: VecDeque::new(),
            taken: BTreeSet::new(),
            moves: 0,
            copied: 0,
        }
    }

    /// The files that are there before anything goes wrong: the steady ones, and a contract each.
    pub fn opening(&mut self) -> Vec<Step> {
        let steady = (self.files / 10).max(10);
        self.steady = (0..steady).map(|number| format!("/steady/{number}.txt")).collect();
        let paths = self.steady.clone();
        let mut steps: Vec<Step> = paths.into_iter().map(|path| self.write(path)).collect();
        steps.extend((0..self.contracts).map(|number| self.contract(contract_path(number))));
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
                978..=981 => self.any_loose().map(|path| self.write_large(path)),
                620..=639 | 982..=999 if !calm => self.at_the_desk(),
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
            && answer.is_some_and(|answer| answer["type"] == "file")
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
        self.moves += usize::from(answer.is_some() && at_the_desk.starts_with(CONTRACTS));
        let is_of_result = matches!(step, Step::Copy { from, .. } if is_result(from));
        self.copied += usize::from(answer.is_some() && is_of_result);
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
        if is_contract(path) && !self.desk.iter().any(|one| one == path) {
            self.desk.push(path.to_owned());
        }
        let loose =
            !path.starts_with("/steady/") && !path.starts_with("/Contracts/") && path.ends_with(".txt");
        if loose && !self.loose.iter().any(|one| one == path) {
            self.loose.push(path.to_owned());
        }
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
        self.desk.retain(|one| one != from);
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
        self.desk.retain(|one| one != path);
        self.outside.retain(|one| one != path);
    }

    fn folder(&mut self) -> String {
        format!("/{}/{}", self.random.usize(0..AREAS), self.random.usize(0..INNER))
    }

    fn any_loose(&mut self) -> Option<String> {
        self.random.choice(&self.loose).cloned()
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
                let name = if self.random.bool() {
                    "same name".to_owned()
                } else {
                    self.random.u32(0..40).to_string()
                };
                format!("{}/{name}.txt", self.folder())
            }
        };
        self.write(path)
    }

    fn write(&mut self, path: String) -> Step {
        self.made += 1;
        // Of one size, so that uploads can be mistaken for one another.
        Step::Write { path, content: format!("Clause {:08}: liability is limited.", self.made) }
    }

    fn write_large(&mut self, path: String) -> Step {
        self.made += 1;
        let line = format!("Clause {:08}: liability is limited.\n", self.made);
        Step::Write { path, content: line.repeat(LARGE_BYTES / line.len()) }
    }

    fn contract(&mut self, path: String) -> Step {
        self.made += 1;
        let content = usize::try_from(self.made).expect("a script is shorter than that");
        Step::Write { path, content: contract(content) }
    }

    /// What people do with contracts and the results beside them.
    fn at_the_desk(&mut self) -> Option<Step> {
        let one = self.random.choice(&self.desk).cloned()?;
        Some(match self.random.u8(0..16) {
            0..=5 => self.contract(one),
            6 | 7 => {
                // As editors save safely.
                let step = self.contract(one.clone());
                self.next.push_back(step);
                Step::Trash { path: one }
            }
            8 | 9 => {
                let other = self.random.choice(&self.desk).cloned().filter(|other| *other != one)?;
                self.next.push_back(Step::Move { from: other.clone(), to: one.clone() });
                self.next.push_back(Step::Move { from: BETWEEN.to_owned(), to: other });
                Step::Move { from: one, to: BETWEEN.to_owned() }
            }
            10 | 11 => {
                self.made += 1;
                let folder = self.random.choice(["", "signed/", "signed/2026/"]).unwrap_or_default();
                Step::Move { from: one, to: format!("{CONTRACTS}{folder}moved {}.txt", self.made) }
            }
            12 if self.desk.len() < 2 * self.contracts => {
                self.made += 1;
                let to = format!("{CONTRACTS}copies {}", self.made);
                self.next.push_back(Step::Copy { from: result_of(&one), to: to.clone() });
                Step::Copy { from: one, to }
            }
            13 if self.desk.len() > self.contracts / 2 => Step::Trash { path: one },
            14 => Step::Take { contract: one, edit: None },
            15 => {
                self.made += 1;
                Step::Take { contract: one, edit: Some(format!("{EDITED}, {}", self.made)) }
            }
            _ => self.contract(one),
        })
    }

    fn rename_steady(&mut self) -> Option<Step> {
        self.made += 1;
        let from = self.any_steady().map(|at| self.steady[at].clone())?;
        Some(Step::Move { from, to: format!("/steady/renamed {}.txt", self.made) })
    }

    fn rename_loose(&mut self) -> Option<Step> {
        self.made += 1;
        let from = self.any_loose()?;
        Some(Step::Move { from, to: format!("{}/renamed {}.txt", self.folder(), self.made) })
    }

    fn move_folder(&mut self) -> Option<Step> {
        self.made += 1;
        let from = self.any_folder()?;
        Some(Step::Move { from, to: format!("/{}/moved {}", self.random.usize(0..AREAS), self.made) })
    }

    fn wander(&mut self) -> Option<Step> {
        self.made += 1;
        if let Some(from) = self.random.choice(&self.outside).cloned().filter(|_| self.random.bool()) {
            return Some(Step::Move { from, to: format!("{}/back {}.txt", self.folder(), self.made) });
        }
        let from = self.any_loose()?;
        Some(Step::Move { from, to: format!("/outside/{}.txt", self.made) })
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

fn is_contract(path: &str) -> bool {
    path.starts_with(CONTRACTS) && path.ends_with(".txt")
}

/// Where the result of a contract stands, if nothing is in its way.
pub fn result_of(contract: &str) -> String {
    format!("{}.analysis.md", contract.strip_suffix(".txt").unwrap_or(contract))
}

fn contract_path(number: usize) -> String {
    format!("/Contracts/contract {number}.txt")
}
