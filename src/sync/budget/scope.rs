//! Each budget, what it is about, and how it is told.

use serde::{Deserialize, Serialize};

use super::Settings;
use super::amount::{Amount, Most};
use crate::rule::{Budget, Rules, Target};

/// Bytes of a gigabyte. OpenAI does not say which it means; the smaller one costs more.
const GIGABYTE: f64 = 1e9;
const MEGABYTE: f64 = 1e6;

/// Whose budget it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    Rule(String),
    /// A vector store, as rules call it, with all that follow it when it is full.
    Store(String),
    /// All that Docket holds.
    Docket,
    /// All that the project holds, whoever put it there.
    Project,
}

/// One budget.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Scope {
    pub of: Of,
    /// The rules whose files it is about; none where it is about all, also those of rules that are gone.
    pub rules: Option<Vec<String>>,
    pub most: Most,
    budget: Budget,
    /// What is kept free, of the project's.
    margin_percent: u8,
}

/// What a rule's vector store is called in the settings.
pub(super) fn name(target: &Target) -> &str {
    match target {
        Target::Id(id) => &id.0,
        Target::Create { create } => create,
    }
}

/// All budgets that are set, and the project's limit.
pub(super) fn all(settings: &Settings, rules: &Rules) -> Vec<Scope> {
    let mut scopes = Vec::new();
    let mut add = |of: Of, rules: Option<Vec<String>>, budget: Budget| {
        if budget.is_set() {
            let free = if rules.is_none() { settings.free_gigabytes * GIGABYTE } else { 0.0 };
            let most = most(&budget, (settings.dollars_a_gigabyte_day, free));
            scopes.push(Scope { of, rules, most, budget, margin_percent: 0 });
        }
    };
    for rule in rules.iter() {
        add(Of::Rule(rule.name.clone()), Some(vec![rule.name.clone()]), rule.budget);
    }
    for (store, budget) in &settings.stores {
        let filling = rules.iter().filter(|rule| name(&rule.target) == store);
        let filling: Vec<String> = filling.map(|rule| rule.name.clone()).collect();
        add(Of::Store(store.clone()), Some(filling), *budget);
    }
    add(Of::Docket, None, settings.budget);
    let limit = f64::from(settings.limit_megabytes) * MEGABYTE;
    let most = Most {
        bytes: Some((limit * (1.0 - f64::from(settings.margin_percent) / 100.0)) as i64),
        ..Most::default()
    };
    let margin_percent = settings.margin_percent;
    let budget = Budget { megabytes: Some(f64::from(settings.limit_megabytes)), ..Budget::default() };
    scopes.push(Scope { of: Of::Project, rules: None, most, budget, margin_percent });
    scopes
}

/// `10 MB`, `50 GB`, `2.5 TB`: as budgets are set, in thousands.
fn megabytes_words(megabytes: f64) -> String {
    match megabytes {
        ..1e3 => format!("{megabytes} MB"),
        1e3..1e6 => format!("{} GB", megabytes / 1e3),
        _ => format!("{} TB", megabytes / 1e6),
    }
}

fn files_words(files: u64) -> String {
    if files == 1 { "1 file".to_owned() } else { format!("{files} files") }
}

/// What a budget comes to. `price` is that of a gigabyte a day, and `free` the bytes that cost nothing: the organisation has them once, so
/// that no single rule has them.
fn most(budget: &Budget, (price, free): (f64, f64)) -> Most {
    let stored = |dollars: f64| (price > 0.0).then(|| (dollars / price * GIGABYTE + free) as i64);
    Most {
        files: budget.files.map(|files| i64::try_from(files).unwrap_or(i64::MAX)),
        bytes: budget.megabytes.map(|megabytes| (megabytes * MEGABYTE) as i64),
        stored: budget.dollars_a_day.and_then(stored),
    }
}

impl Scope {
    /// Whether a file of this rule takes room in it.
    pub fn has(&self, rule: &str) -> bool {
        self.rules.as_ref().is_none_or(|rules| rules.iter().any(|name| name == rule))
    }

    /// As `file_out.scope` has it.
    pub fn word(&self) -> &'static str {
        match self.of {
            Of::Rule(_) => "rule",
            Of::Store(_) => "store",
            Of::Docket | Of::Project => "project",
        }
    }

    /// Whose it is, in words.
    pub fn whose(&self) -> String {
        match &self.of {
            Of::Rule(rule) => format!("rule {rule}"),
            Of::Store(store) => format!("vector store {store}"),
            Of::Docket => "Docket".to_owned(),
            Of::Project => "the project at OpenAI".to_owned(),
        }
    }

    /// What it says of what is `over` it, in words: `budget of 500 files`.
    fn limit(&self, over: Amount) -> String {
        let Budget { megabytes, files, dollars_a_day } = self.budget;
        let number = match (over.files > 0, over.bytes > 0) {
            (true, _) => files.map(files_words),
            (false, true) => megabytes.map(megabytes_words),
            (false, false) => dollars_a_day.map(|dollars| format!("${dollars} a day")),
        };
        let number = number.unwrap_or_default();
        match self.of {
            Of::Project => format!("limit of {number} less {} %", self.margin_percent),
            _ => format!("budget of {number}"),
        }
    }

    /// All that it says, in words, for those who look on.
    pub fn limits(&self) -> String {
        let Budget { megabytes, files, dollars_a_day } = self.budget;
        let said = [
            megabytes.map(megabytes_words),
            files.map(files_words),
            dollars_a_day.map(|dollars| format!("${dollars} a day")),
        ];
        let said = said.into_iter().flatten().collect::<Vec<_>>().join(", ");
        if self.margin_percent > 0 { format!("{said} less {} %", self.margin_percent) } else { said }
    }

    /// That it is full, in words.
    pub fn full(&self, over: Amount) -> String {
        format!("{} is at its {}", self.whose(), self.limit(over))
    }

    /// That one file is more than all of it, in words.
    pub fn too_large(&self, over: Amount) -> String {
        let (whose, limit) = (self.whose(), self.limit(over));
        format!("it alone takes more than {whose} has, a {limit}; raise that, or leave the file out")
    }
}
