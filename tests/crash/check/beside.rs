//! What stands beside contracts, and what their table says, judged by reading Fastio alone. Pure: the property test in `tests/it` and
//! the crash test ask the same.

use std::collections::{BTreeMap, BTreeSet};

/// How a person's edit of a result begins.
pub const EDITED: &str = "checked by Kim";

/// The table of the contracts.
pub const TABLE: &str = "/Contracts/overview.csv";

/// Names that a result may have where others stand in its way.
const MOST_NAMES: usize = 20;

/// The words at the top of a result that is not the answer for what its contract is now.
const NOTICES: [&str; 4] = ["earlier version", "asks something else", "was deleted", "was moved"];

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
        let contracts: Vec<&str> =
            self.texts.keys().map(String::as_str).filter(|path| path.ends_with(".txt")).collect();
        let table = self.texts.get(TABLE).map_or("", String::as_str);
        for path in &contracts {
            let number = number(&self.texts[*path]);
            match self.beside(path) {
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
        let is_about_it = is_asked_now && result.contains(&own_words(number));
        let notice =
            NOTICES.into_iter().find(|words| result.lines().take(4).any(|line| line.contains(words)));
        match (is_about_it, notice) {
            _ if !result.starts_with(&format!("# {name}\n")) => {
                Some(format!("{path} is contract {number}, and beside it stands {:?}", result.lines().next()))
            }
            (false, None) => Some(format!("{path} is contract {number}, and beside it stands\n{result}")),
            (true, Some(words)) => {
                Some(format!("the result beside {path} is as it should be, and says \"{words}\""))
            }
            _ => None,
        }
    }
}
