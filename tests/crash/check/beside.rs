//! What stands beside contracts, and what their table says, judged by reading Fastio alone. Pure: the property test in `tests/it` and
//! the crash test ask the same.

use std::collections::{BTreeMap, BTreeSet};

/// How a person's edit of a result begins.
pub const EDITED: &str = "checked by Kim";

/// The table of the contracts, in their folder.
const TABLE: &str = "overview.csv";

/// Names that a result may have where others stand in its way.
const MOST_NAMES: usize = 20;

/// The words at the top of a result that answers what the rule asked before.
const OTHER_QUESTION: &str = "asks something else";

/// The words at the top of a result that is not the answer for what its contract is now. Beside a contract that is there, and of which
/// nothing is held up for long, none of them is true.
const NOTICES: [&str; 4] = ["earlier version", GONE[0], GONE[1], "was gone"];

/// The words at the top of a result of a document that is gone from where it was.
const GONE: [&str; 2] = ["was deleted", "was moved"];

/// A contract with two clauses that the stand-in's model finds.
pub fn contract(number: usize) -> String {
    format!(
        "SERVICES CONTRACT No. {number}\n\n1. Services\n\n1.1 The Supplier provides the services of Annex {number}.\n\n\
         2. Liability\n\n2.1 The Supplier's total liability is limited to EUR {number}0,000.\n\n\
         2.2 The Customer shall indemnify the Supplier against claims of third parties under contract {number}.\n"
    )
}

/// What only this contract says, in a clause that no fault of the stand-in's model makes another of.
fn own_words(number: usize) -> String {
    format!("under contract {number}.")
}

/// Whether these words stand at the top of a result.
fn says(result: &str, words: &str) -> bool {
    result.lines().take(4).any(|line| line.contains(words))
}

/// Whether a result is of another document than this contract, and says that it is gone from there.
fn is_of_gone(result: &str, number: usize) -> bool {
    GONE.into_iter().any(|words| says(result, words)) && !numbers(result).contains(&number)
}

/// Which contract this is.
pub fn number(text: &str) -> usize {
    let number = text.split("No. ").nth(1).and_then(|rest| rest.split('\n').next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The contracts that a text tells of: a contract, or a result over one.
pub fn numbers(text: &str) -> BTreeSet<usize> {
    let after = text.split("under contract ").skip(1).filter_map(|rest| rest.split_once('.'));
    after.filter_map(|(number, _)| number.parse().ok()).collect()
}

/// What is there, and what people did to results.
#[derive(Debug)]
pub struct Desk<'a> {
    /// The folder of the contracts, as `/Contracts/`.
    pub folder: &'a str,
    /// The texts of the files that are there, by path.
    pub texts: &'a BTreeMap<String, String>,
    /// What the rule asks now, as results name it; none where it never changes.
    pub definition: Option<&'a str>,
    /// Contracts, by their number, of which a person took a result away, moved or changed it. It is not written again, so nothing may
    /// stand beside them; what does has to be true of them all the same.
    pub taken: &'a BTreeSet<usize>,
}

impl Desk<'_> {
    /// Everything that is not true of what it stands beside, in words.
    pub fn untrue(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let is_contract = |path: &&str| path.starts_with(self.folder) && path.ends_with(".txt");
        let contracts: Vec<&str> = self.texts.keys().map(String::as_str).filter(is_contract).collect();
        let table = self.texts.get(&format!("{}{TABLE}", self.folder)).map_or("", String::as_str);
        for path in &contracts {
            let number = number(&self.texts[*path]);
            match self.beside(path) {
                // What was found out of another document that is gone says so, and nobody took that away.
                Some((_, result)) if self.taken.contains(&number) && is_of_gone(result, number) => {}
                Some((_, result)) => wrong.extend(self.told(result, (path, number))),
                None if self.taken.contains(&number) => {}
                None => wrong.push(format!("nothing stands beside {path}, which is contract {number}")),
            }
            let rows: Vec<&str> =
                table.lines().filter(|line| line.starts_with(&format!("{path},"))).collect();
            if !rows.iter().any(|row| row.contains(&own_words(number))) {
                wrong.push(format!("{path} is contract {number}, and the table says {rows:?}"));
            }
        }
        for (path, _) in table.lines().skip(1).filter_map(|line| line.split_once(',')) {
            // A copy of an edited result is a person's file, and may have a name that the rule does not leave out.
            if !self.texts.contains_key(path) {
                wrong.push(format!("the table has {path}, which is not there"));
            }
        }
        wrong
    }

    /// The path and the text of the result that stands beside a contract: the first that no person has written.
    pub fn beside(&self, path: &str) -> Option<(String, &str)> {
        let stem = path.strip_suffix(".txt").unwrap_or(path);
        // A person may have taken one away in between.
        let names = (1..=MOST_NAMES).map(|number| match number {
            1 => format!("{stem}.analysis.md"),
            more => format!("{stem}.analysis ({more}).md"),
        });
        let mut results = names.filter_map(|name| self.texts.get(&name).map(|text| (name, text.as_str())));
        results.find(|(_, result)| !result.starts_with(EDITED))
    }

    /// What is wrong with the result beside a contract.
    fn told(&self, result: &str, (path, number): (&str, usize)) -> Option<String> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let is_asked_now = self.definition.is_none_or(|definition| result.contains(definition));
        if !result.starts_with(&format!("# {name}\n")) {
            return Some(format!(
                "{path} is contract {number}, and beside it stands {:?}",
                result.lines().next()
            ));
        }
        if !result.contains(&own_words(number)) || is_asked_now == says(result, OTHER_QUESTION) {
            return Some(format!("{path} is contract {number}, and beside it stands\n{result}"));
        }
        let untrue = NOTICES.into_iter().find(|words| says(result, words))?;
        Some(format!("the result beside {path} is of what that is now, and says \"{untrue}\""))
    }
}
