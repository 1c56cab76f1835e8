//! Whatever people do with contracts and results: what stands beside a file is true of it, and so is its row in the table. The
//! sequences are drawn at random and judged by reading Fastio alone.
//!
//! `DOCKET_SEQUENCES=10000` and `DOCKET_TEST_SEED=7` make the long form, best in a release build.

use std::collections::{BTreeMap, BTreeSet};

use crate::crash::check::CONTRACTS;
use crate::crash::check::beside::{self, EDITED};
use crate::harness::{Harness, contract, legal};

/// Sequences of the short form.
const SHORT: u32 = 40;

/// Sequences that one world lives through.
const IN_ONE_WORLD: u32 = 20;

const NAMES: [&str; 4] = ["a", "b", "deep/a", "deep/c"];

/// Ways to ask, of which one is the rule's.
const PROMPTS: [&str; 2] = ["Extract every", "Find each"];

/// A folder that people work in.
struct Desk {
    h: Harness,
    random: fastrand::Rng,
    contracts: usize,
    prompt: usize,
    /// Contracts, by their number, of which a person took a result away, moved or changed it.
    taken: BTreeSet<usize>,
    /// Of each result that stood when all was last done: what it said, and beside which contract it stood.
    stood: BTreeMap<String, (String, usize)>,
    /// Contracts whose results went to the trash since then because another was restored in their place.
    displaced: BTreeMap<String, BTreeSet<usize>>,
    /// What was done, to be told when it went wrong.
    done: Vec<String>,
}

fn settings(prompt: usize) -> String {
    let limits = "max_runs_per_file_hour = 10000\nmax_runs_per_day = 100000\nmax_tokens_per_day = 1000000000";
    let settings = legal(&format!("digest = 'overview.csv'\n{limits}"));
    settings.replace(PROMPTS[0], PROMPTS[prompt])
}

impl Desk {
    async fn start(seed: u64) -> Desk {
        let h = Harness::with_seed(&settings(0), seed).await;
        Desk {
            h,
            random: fastrand::Rng::with_seed(seed),
            contracts: 0,
            prompt: 0,
            taken: BTreeSet::new(),
            stood: BTreeMap::new(),
            displaced: BTreeMap::new(),
            done: Vec::new(),
        }
    }

    fn path(&mut self) -> String {
        format!("/Contracts/{}.txt", self.random.choice(NAMES).unwrap())
    }

    async fn one_of(&mut self, is_result: bool) -> Option<String> {
        let mut paths = self.h.paths().await;
        paths.retain(|path| is_result == path.contains(".analysis") && !path.ends_with(".csv"));
        paths.sort();
        self.random.choice(paths)
    }

    /// What stands at `path` is a person's affair from now on, and whatever it said. So is what had to give its place up to it and was
    /// not written once more yet: to Docket both are gone from there.
    async fn take(&mut self, path: &str) {
        let text = self.h.read(path).await;
        self.taken.extend(self.contracts_of(path, &text));
        self.taken.extend(self.displaced.remove(path).unwrap_or_default());
    }

    /// The contracts that a result is of: those that it tells of, and the one that it stood beside, of which it may not tell, as where
    /// it is of an earlier version.
    fn contracts_of(&self, path: &str, text: &str) -> BTreeSet<usize> {
        let stood = self.stood.get(path).filter(|(said, _)| said == text).map(|(_, number)| *number);
        beside::numbers(text).into_iter().chain(stood).collect()
    }

    async fn texts(&self) -> BTreeMap<String, String> {
        let mut texts = BTreeMap::new();
        for path in self.h.paths().await {
            let text = self.h.read(&path).await;
            texts.insert(path, text);
        }
        texts
    }

    /// Takes something out of the trash. What stands where it comes goes there.
    async fn restore_any(&mut self) -> Option<String> {
        let before = self.texts().await;
        let choice = self.random.usize(..);
        let path = self.h.restore_any(choice).await?;
        if let Some(text) = before.get(&path) {
            let of = self.contracts_of(&path, text);
            self.displaced.entry(path.clone()).or_default().extend(of);
        }
        Some(path)
    }

    async fn settle(&mut self) {
        self.h.settle().await;
        self.displaced.clear();
    }

    async fn do_something(&mut self) {
        let choice = self.random.u8(0..15);
        let done = match choice {
            0..=3 => {
                let path = self.path();
                self.contracts += 1;
                self.h.put(&path, &contract(self.contracts)).await;
                format!("put {} at {path}", self.contracts)
            }
            4 => {
                let Some(path) = self.one_of(false).await else { return };
                self.h.trash(&path).await;
                format!("trash {path}")
            }
            5 => {
                let Some(path) = self.restore_any().await else { return };
                format!("restore {path}")
            }
            6 | 7 => {
                let (Some(from), to) = (self.one_of(false).await, self.path()) else { return };
                if from == to {
                    return;
                }
                self.h.rename(&from, &to).await;
                format!("move {from} to {to}")
            }
            8 => {
                let (Some(one), Some(other)) = (self.one_of(false).await, self.one_of(false).await) else {
                    return;
                };
                if one == other {
                    return;
                }
                for (from, to) in [
                    (&one, "/Contracts/between.txt"),
                    (&other, &one),
                    (&"/Contracts/between.txt".to_owned(), &other),
                ] {
                    self.h.rename(from, to).await;
                }
                format!("swap {one} and {other}")
            }
            9 => {
                let Some(path) = self.one_of(false).await else { return };
                self.contracts += 1;
                self.h.trash(&path).await;
                self.h.put(&path, &contract(self.contracts)).await;
                format!("save {} as a new file at {path}", self.contracts)
            }
            10 => {
                let Some(path) = self.one_of(false).await else { return };
                self.h.copy(&path, "/Contracts/copies").await;
                format!("copy {path}")
            }
            11 => {
                let Some(path) = self.one_of(true).await else { return };
                self.take(&path).await;
                self.h.trash(&path).await;
                format!("trash {path}")
            }
            12 => {
                let Some(path) = self.one_of(true).await else { return };
                self.take(&path).await;
                self.h.put(&path, EDITED).await;
                format!("edit {path}")
            }
            13 => {
                let Some(path) = self.one_of(true).await else { return };
                self.take(&path).await;
                self.h.copy(&path, "/Contracts/kept").await;
                format!("copy {path}")
            }
            _ => {
                self.prompt = 1 - self.prompt;
                self.h.restart(&settings(self.prompt)).await;
                let asks = self.random.bool();
                if asks {
                    self.settle().await;
                    self.h.again("liability", true).await;
                }
                format!("ask {:?}{}", PROMPTS[self.prompt], if asks { ", of all" } else { "" })
            }
        };
        self.done.push(done);
    }

    /// Demands that everything is true which stands beside the contracts.
    async fn judge(&mut self) {
        let definition = self.h.work.runs.definition("liability").unwrap().hash.clone();
        let texts = self.texts().await;
        let desk = beside::Desk {
            folder: CONTRACTS,
            texts: &texts,
            definition: Some(&definition),
            taken: &self.taken,
        };
        let wrong = desk.untrue();
        assert!(wrong.is_empty(), "{wrong:#?}\nafter {:#?}\nthere are {:#?}", self.done, texts.keys());
        let contracts = texts.iter().filter(|(path, _)| path.ends_with(".txt"));
        let stands = contracts.filter_map(|(path, text)| {
            let (result, said) = desk.beside(path)?;
            Some((result, (said.to_owned(), beside::number(text))))
        });
        self.stood = stands.collect();
    }
}

#[tokio::test]
async fn whatever_people_do_what_stands_beside_a_file_is_true_of_it() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let sequences = number("DOCKET_SEQUENCES").unwrap_or(u64::from(SHORT));
    let seed = number("DOCKET_TEST_SEED").unwrap_or(1);
    let mut left = sequences;
    for world in 0.. {
        if left == 0 {
            return;
        }
        let mut desk = Desk::start(seed * 1_000_000 + world).await;
        for _ in 0..left.min(u64::from(IN_ONE_WORLD)) {
            for _ in 0..desk.random.u8(1..6) {
                desk.do_something().await;
            }
            desk.settle().await;
            desk.judge().await;
            desk.done.push("and all was true".to_owned());
            left -= 1;
        }
        desk.h.agrees().await;
        desk.h.finish().await;
    }
}
