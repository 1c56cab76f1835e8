//! A folder of contracts, over each of which a run is made, with the results beside them and their table.

use std::collections::BTreeSet;

use fastrand::Rng;

use super::{Step, content::Content, result_of};
use crate::check::beside::{EDITED, contract};

/// What people do there. What a step needs to be done before it stands before it.
pub struct Desk {
    /// As `/Contracts/`.
    pub folder: &'static str,
    /// How many contracts there are at first, about half and twice of which there may be.
    pub contracts: usize,
    /// Where they are.
    papers: Vec<String>,
    /// Contracts, by their number, of which a person took a result away, moved or changed it.
    pub taken: BTreeSet<usize>,
    /// What people did to contracts and results, but for the new versions of contracts: each may bring another version of a result.
    pub moves: usize,
    /// Results that people copied. Where the copy of the contract moves on before it has a result, the copy of that stays behind.
    pub copied: usize,
}

impl Desk {
    pub fn new(folder: &'static str, contracts: usize) -> Desk {
        Desk { folder, contracts, papers: Vec::new(), taken: BTreeSet::new(), moves: 0, copied: 0 }
    }

    pub fn opening(&self, made: &mut u64) -> Vec<Step> {
        (0..self.contracts)
            .map(|number| written(format!("{}contract {number}.txt", self.folder), made))
            .collect()
    }

    /// What people do with contracts and the results beside them.
    pub fn next(&self, random: &mut Rng, made: &mut u64) -> Option<Vec<Step>> {
        let one = random.choice(&self.papers).cloned()?;
        Some(match random.u8(0..16) {
            // As editors save safely.
            6 | 7 => vec![Step::Trash { path: one.clone() }, written(one, made)],
            8 | 9 => {
                let other = random.choice(&self.papers).cloned().filter(|other| *other != one)?;
                // A name that one has while two swap theirs.
                let between = format!("{}between.txt", self.folder);
                vec![
                    Step::Move { from: one.clone(), to: between.clone() },
                    Step::Move { from: other.clone(), to: one },
                    Step::Move { from: between, to: other },
                ]
            }
            10 | 11 => {
                *made += 1;
                let folder = random.choice(["", "signed/", "signed/2026/"]).unwrap_or_default();
                vec![Step::Move { from: one, to: format!("{}{folder}moved {made}.txt", self.folder) }]
            }
            12 if self.papers.len() < 2 * self.contracts => {
                *made += 1;
                let to = format!("{}copies {made}", self.folder);
                vec![
                    Step::Copy { from: one.clone(), to: to.clone() },
                    Step::Copy { from: result_of(&one), to },
                ]
            }
            13 if self.papers.len() > self.contracts / 2 => vec![Step::Trash { path: one }],
            14 => vec![Step::Take { contract: one, edit: None }],
            15 => {
                *made += 1;
                vec![Step::Take { contract: one, edit: Some(format!("{EDITED}, {made}")) }]
            }
            _ => vec![written(one, made)],
        })
    }

    /// Whether it is a contract of this desk.
    pub fn has(&self, path: &str) -> bool {
        path.starts_with(self.folder) && path.ends_with(".txt")
    }

    pub fn is_at(&mut self, path: &str) {
        if self.has(path) && !self.papers.iter().any(|one| one == path) {
            self.papers.push(path.to_owned());
        }
    }

    pub fn forget(&mut self, path: &str) {
        self.papers.retain(|one| one != path);
    }
}

/// A contract of a new number.
fn written(path: String, made: &mut u64) -> Step {
    *made += 1;
    let number = usize::try_from(*made).expect("a script is shorter than that");
    Step::Write { path, content: Content::from(contract(number)) }
}
