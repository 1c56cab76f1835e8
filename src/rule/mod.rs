//! Rules: which files go to which vector store.

mod brackets;
mod budget;
mod glob;
mod junk;
mod letters;
mod near;
mod pattern;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::fastio::Profile;
use crate::openai::VectorStoreId;
use crate::result::name::unnumbered;

use pattern::{Deciding, Patterns, composed};

pub use budget::Budget;
pub use junk::JUNK;
pub use near::{Glob, NearMiss};

/// Raised when the same patterns cover other files than before, so that the next start compares all files with them.
const MEANING: u32 = 2;

/// A rule as it stands in `docket.toml` (`[[rule]]`).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSettings {
    /// What the rule is called, in attributes, logs and commands.
    pub name: String,
    /// What the rule is known by when its name changes. Default: by what it is.
    pub id: Option<String>,
    /// The workspace whose files it covers; or `share`.
    pub workspace: Option<String>,
    /// The share whose files it covers; or `workspace`.
    pub share: Option<String>,
    /// Gitignore-style globs over the path. Default: everything.
    #[serde(default)]
    pub include: Vec<String>,
    /// Globs that take files out again.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Whether junk and secrets ([`JUNK`]) are left out too.
    #[serde(default = "yes")]
    pub default_excludes: bool,
    /// `"vs_…"`, or `{ create = "name" }`: made once, then remembered.
    pub vector_store: Target,
    /// What its files may take at OpenAI. Default: no limit of its own.
    #[serde(default)]
    pub budget: Budget,
    /// Globs of files that never leave OpenAI to make room.
    #[serde(default)]
    pub pinned: Vec<String>,
    /// The stores that are filled when that one is full, in this order. When these are full too, or there are none, Docket makes the
    /// next (`sync.continue_full_stores`).
    #[serde(default)]
    pub vector_stores_next: Vec<VectorStoreId>,
    /// When its files go to OpenAI: `always`, or `on_escalation`: Fastio's AI answers over them where they are, and only a file over which
    /// its answer is not enough goes to OpenAI, for that run. Needs `engine = "fastio"` with `escalate` in `[rule.run]`.
    #[serde(default)]
    pub sync: SyncWhen,
    /// How long a file stays in OpenAI after the run that needed it there. Seconds. By itself nothing is run over a content twice, and what
    /// stays is paid for by the day, so that it leaves at once.
    #[serde(default)]
    pub leave_after_seconds: u32,
    /// `[rule.run]`: what is run over each new version once it is indexed. Without it nothing is.
    pub run: Option<toml::Table>,
}

/// When a rule's files go to OpenAI.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncWhen {
    #[default]
    Always,
    OnEscalation,
}

/// The vector store a rule fills.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged, expecting = "write an id such as 'vs_abc123', or { create = 'name' }")]
pub enum Target {
    Id(VectorStoreId),
    Create { create: String },
}

/// Between the name of a store and the number of one that continues it.
const CONTINUED: &str = ", continued ";

impl Target {
    /// The name of the store with this number among those that continue this one, on record and at OpenAI. The first has the number 1.
    pub fn continued(&self, number: u32) -> String {
        let name = match self {
            Target::Id(id) => &id.0,
            Target::Create { create } => create,
        };
        format!("{name}{CONTINUED}{number}")
    }

    /// Whether the name is one that Docket would give a store that continues another.
    fn is_continuation(&self) -> bool {
        let Target::Create { create } = self else { return false };
        let number = create.rsplit_once(CONTINUED).map(|(_, number)| number);
        number.is_some_and(|number| number.bytes().all(|digit| digit.is_ascii_digit()))
    }
}

/// A rule, checked.
#[derive(Debug, Clone)]
pub struct Rule {
    pub name: String,
    /// What it is known by when its name changes, if that is set.
    pub id: Option<String>,
    /// Hash of what it is: whose files it takes, to where, and what is run over them. For a rule without an id.
    pub what: String,
    pub profile: Profile,
    pub target: Target,
    /// The stores that are filled after that one, as a person named them.
    pub next: Vec<VectorStoreId>,
    /// Whether its files are in OpenAI only while a run needs them there.
    pub keeps_out: bool,
    /// For how long after that.
    pub leaves_after_ms: i64,
    /// Whether something is run over its files.
    pub runs: bool,
    /// Whether that leaves alone what was there before.
    pub spares_existing: bool,
    /// Names all that says which files go where: another one means that some may have to come or go.
    pub fingerprint: String,
    /// What its globs may mean that was not wished, in words.
    pub doubts: Vec<String>,
    /// How the names of its results end, if it writes some.
    results: Option<String>,
    include: Option<Patterns>,
    /// What is left out by default, and what the settings leave out.
    exclude: Patterns,
    /// As they stand in the settings.
    lines: (Vec<String>, Vec<String>),
    /// Whether it leaves junk out.
    pub default_excludes: bool,
    pub budget: Budget,
    pinned: Option<Patterns>,
}

fn yes() -> bool {
    true
}

/// Why a file that no rule speaks of is not held.
pub const UNCOVERED: &str = "no rule covers it";

/// Why a rule does not cover a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeftOut<'a> {
    /// It is in another workspace or share.
    Elsewhere,
    NotIncluded,
    /// By this line of `exclude`.
    Excluded(&'a str),
    /// By this line of [`JUNK`].
    Junk(&'a str),
}

#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    #[error("there is no rule: add a [[rule]] with a name, a workspace and a vector_store")]
    None,
    #[error("two rules are called `{0}`: give each its own name")]
    SameName(String),
    #[error("two rules have the id `{0}`: give each its own, or leave it out")]
    SameId(String),
    #[error("a rule has an empty name")]
    NoName,
    #[error(
        "rule `{0}` says nothing of whose files it covers: add workspace = \"…\" or share = \"…\", with the id"
    )]
    NoProfile(String),
    #[error("rule `{0}` has both workspace and share: keep one of them, and make a second rule of the other")]
    TwoProfiles(String),
    #[error(
        "rule `{0}`: sync = \"on_escalation\" keeps its files out of OpenAI until Fastio's AI cannot answer: it needs [rule.run] with \
         engine = \"fastio\" and escalate"
    )]
    NothingEscalates(String),
    #[error(
        "rules `{0}` and `{1}` fill one vector store, and only one of them keeps its files out of OpenAI: give each a store of its own, \
         or both the same sync"
    )]
    OneStore(String, String),
    #[error("rule `{0}`: vector_store must be an id such as \"vs_abc123\", or {{ create = \"name\" }}")]
    Target(String),
    #[error(
        "rule `{0}`: vector_store creates a store with a name that ends as those do that continue a full one: give it another name"
    )]
    Continuation(String),
    #[error(
        "rule `{0}`: vector_stores_next names the stores that follow vector_store, each by an id such as \"vs_abc123\", and each once"
    )]
    Next(String),
    #[error("rules `{0}` and `{1}` fill the same vector store: give both the same vector_stores_next")]
    OtherNext(String, String),
    #[error(
        "rule `{rule}`: the store {store} of vector_stores_next is filled by rule `{other}` with other stores: name another one"
    )]
    Shared { rule: String, store: VectorStoreId, other: String },
    #[error("rule `{rule}`: the glob `{glob}` cannot be meant: {what}")]
    Meant { rule: String, glob: String, what: String },
    #[error(
        "rule `{0}`: include has only exceptions (`!…`) and so covers nothing: put what it covers before them"
    )]
    Exceptions(String),
    #[error("rule `{rule}`: budget: {what}")]
    Budget { rule: String, what: &'static str },
    #[error("rule `{rule}`: `{glob}` is not a glob: {source}")]
    Glob { rule: String, glob: String, source: ignore::Error },
}

impl Rule {
    /// Checks what the settings say.
    pub fn new(settings: RuleSettings) -> Result<Self, RuleError> {
        let RuleSettings {
            name,
            id,
            workspace,
            share,
            include,
            exclude,
            default_excludes,
            vector_store,
            budget,
            pinned,
            vector_stores_next,
            sync,
            leave_after_seconds,
            run,
        } = settings;
        if name.trim().is_empty() {
            return Err(RuleError::NoName);
        }
        let said = |id: Option<String>| id.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
        let profile = match (said(workspace), said(share)) {
            (Some(id), None) => Profile::workspace(id),
            (None, Some(id)) => Profile::share(id),
            (None, None) => return Err(RuleError::NoProfile(name)),
            (Some(_), Some(_)) => return Err(RuleError::TwoProfiles(name)),
        };
        let names_one = match &vector_store {
            Target::Id(id) => id.0.starts_with("vs_"),
            Target::Create { create } => !create.trim().is_empty(),
        };
        if !names_one {
            return Err(RuleError::Target(name));
        }
        if let Err(what) = budget.check() {
            return Err(RuleError::Budget { rule: name, what });
        }
        if vector_store.is_continuation() {
            return Err(RuleError::Continuation(name));
        }
        if !follows(&vector_store, &vector_stores_next) {
            return Err(RuleError::Next(name));
        }
        let keeps_out = sync == SyncWhen::OnEscalation;
        if keeps_out && run.is_none() {
            return Err(RuleError::NothingEscalates(name));
        }
        for line in include.iter().chain(&exclude).chain(&pinned) {
            if let Some(what) = glob::mistake(line) {
                return Err(RuleError::Meant { rule: name, glob: line.clone(), what });
            }
        }
        if !include.is_empty() && include.iter().all(|line| line.starts_with('!')) {
            return Err(RuleError::Exceptions(name));
        }
        let doubts = include.iter().chain(&exclude).filter_map(|line| glob::doubt(line)).collect();
        let results = run.as_ref().and_then(results);
        let what = fingerprint(&(profile.to_string(), &vector_store, &include, run.as_ref().map(question)));
        let defaults: &[&str] = if default_excludes { JUNK } else { &[] };
        let places = (profile.to_string(), &vector_store);
        let covered = (&include, &exclude, defaults);
        let fingerprint = match (vector_stores_next.is_empty(), keeps_out) {
            (true, false) => fingerprint(&(MEANING, places, covered, &results)),
            (false, false) => fingerprint(&(MEANING, places, covered, &results, &vector_stores_next)),
            (_, true) => fingerprint(&(MEANING, places, covered, &results, &vector_stores_next, sync)),
        };
        let not_a_glob = |(glob, source)| RuleError::Glob { rule: name.clone(), glob, source };
        let lines = (include, exclude);
        let include = match lines.0.is_empty() {
            true => None,
            false => Some(Patterns::new(&lines.0).map_err(&not_a_glob)?),
        };
        let exclude = Patterns::with_defaults(defaults, &lines.1).map_err(&not_a_glob)?;
        let pinned = match pinned.is_empty() {
            true => None,
            false => Some(Patterns::new(&pinned).map_err(&not_a_glob)?),
        };
        let existing = run.as_ref().and_then(|run| run.get("existing")?.as_bool()).unwrap_or(false);
        let (runs, spares_existing) = (run.is_some(), run.is_some() && !existing);
        let target = vector_store;
        Ok(Rule {
            name,
            id: said(id),
            what,
            profile,
            target,
            next: vector_stores_next,
            keeps_out,
            leaves_after_ms: i64::from(leave_after_seconds) * 1000,
            runs,
            spares_existing,
            fingerprint,
            doubts,
            results,
            include,
            exclude,
            lines,
            default_excludes,
            budget,
            pinned,
        })
    }

    /// Whether the rule covers the file at `path` (from the root of its workspace or share, such as `/a/b.pdf`).
    pub fn covers(&self, profile: &Profile, path: &str) -> bool {
        self.left_out(profile, path).is_none()
    }

    /// Why the rule does not cover the file at `path`; none when it does.
    pub fn left_out(&self, profile: &Profile, path: &str) -> Option<LeftOut<'_>> {
        if self.profile != *profile {
            return Some(LeftOut::Elsewhere);
        }
        let path = composed(path);
        if self.include.as_ref().is_some_and(|include| !include.matches(&path)) {
            return Some(LeftOut::NotIncluded);
        }
        let excluded = |path: &str| self.exclude.deciding(path);
        let by = excluded(&path).or_else(|| excluded(&self.unnumbered_result(&path)?))?;
        Some(match by {
            Deciding { line, is_default: true } => LeftOut::Junk(line),
            Deciding { line, is_default: false } => LeftOut::Excluded(line),
        })
    }

    /// Whether the file at `path` never leaves OpenAI to make room.
    pub fn pins(&self, path: &str) -> bool {
        self.pinned.as_ref().is_some_and(|pinned| pinned.matches(&composed(path)))
    }

    /// What it includes and what it excludes, as written.
    pub fn globs(&self) -> (&[String], &[String]) {
        (&self.lines.0, &self.lines.1)
    }

    /// The path of a result without the number it got because its name was taken: who excludes `*.analysis.md` means
    /// `nda.analysis (2).md` too.
    fn unnumbered_result(&self, path: &str) -> Option<String> {
        let tail = self.results.as_deref()?;
        unnumbered(path).filter(|plain| plain.ends_with(tail))
    }
}

/// Whether these can follow `first`: ids, none twice.
fn follows(first: &Target, next: &[VectorStoreId]) -> bool {
    let is_new = |(place, id): (usize, &VectorStoreId)| {
        id.0.starts_with("vs_") && *first != Target::Id(id.clone()) && !next[..place].contains(id)
    };
    next.iter().enumerate().all(is_new)
}

/// What is run over a rule's files and where the result goes, without how much of it may be run.
fn question(run: &toml::Table) -> Vec<(&str, String)> {
    const PARTS: [&str; 10] = [
        "engine",
        "model",
        "assistant",
        "instructions",
        "prompt",
        "attach",
        "scope",
        "schema",
        "write_back",
        "digest",
    ];
    PARTS.iter().filter_map(|name| Some((*name, run.get(*name)?.to_string()))).collect()
}

/// How the names of a rule's results end, by its `write_back`.
fn results(run: &toml::Table) -> Option<String> {
    let (_, tail) = run.get("write_back")?.as_str()?.rsplit_once('}')?;
    Some(composed(tail).into_owned()).filter(|tail| !tail.is_empty())
}

fn fingerprint(places: &impl Serialize) -> String {
    let text = serde_json::to_string(places).expect("texts and lists of texts are JSON");
    hex::encode(&Sha256::digest(text.as_bytes())[..16])
}

/// Checks that two rules fill the same stores in the same order, or none in common.
fn apart(rule: &Rule, other: &Rule) -> Result<(), RuleError> {
    if rule.target == other.target {
        let is_same = rule.next == other.next;
        return is_same
            .then_some(())
            .ok_or_else(|| RuleError::OtherNext(rule.name.clone(), other.name.clone()));
    }
    let fills =
        |rule: &Rule, id: &VectorStoreId| rule.next.contains(id) || rule.target == Target::Id(id.clone());
    for (one, another) in [(rule, other), (other, rule)] {
        if let Some(store) = one.next.iter().find(|id| fills(another, id)) {
            let (rule, other) = (one.name.clone(), another.name.clone());
            return Err(RuleError::Shared { rule, store: store.clone(), other });
        }
    }
    Ok(())
}

/// All rules, in the order of the settings. Where two rules send a file to one store, the first gives it its name.
#[derive(Debug, Clone, Default)]
pub struct Rules(Vec<Rule>);

impl Rules {
    /// Checks the rules together.
    pub fn new(settings: Vec<RuleSettings>) -> Result<Self, RuleError> {
        if settings.is_empty() {
            return Err(RuleError::None);
        }
        let mut rules: Vec<Rule> = Vec::with_capacity(settings.len());
        for one in settings {
            let rule = Rule::new(one)?;
            if rules.iter().any(|other| other.name == rule.name) {
                return Err(RuleError::SameName(rule.name));
            }
            if let Some(id) =
                rule.id.as_ref().filter(|id| rules.iter().any(|other| other.id.as_ref() == Some(id)))
            {
                return Err(RuleError::SameId(id.clone()));
            }
            rules.iter().try_for_each(|other| apart(&rule, other))?;
            let splits = |other: &&Rule| other.target == rule.target && other.keeps_out != rule.keeps_out;
            if let Some(other) = rules.iter().find(splits) {
                return Err(RuleError::OneStore(other.name.clone(), rule.name));
            }
            rules.push(rule);
        }
        Ok(Rules(rules))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.0.iter()
    }

    /// The rule of this name.
    pub fn named(&self, name: &str) -> Option<&Rule> {
        self.0.iter().find(|rule| rule.name == name)
    }

    /// The workspaces and shares of the rules, each once.
    pub fn profiles(&self) -> Vec<Profile> {
        let mut profiles: Vec<Profile> = Vec::new();
        for rule in &self.0 {
            if !profiles.contains(&rule.profile) {
                profiles.push(rule.profile.clone());
            }
        }
        profiles
    }

    /// Whether any rule could cover a file of `profile`.
    pub fn concern(&self, profile: &Profile) -> bool {
        self.0.iter().any(|rule| rule.profile == *profile)
    }

    /// The rules that run something over a file.
    pub fn running(&self, profile: &Profile, path: &str) -> impl Iterator<Item = &Rule> {
        self.0.iter().filter(move |rule| rule.runs && rule.covers(profile, path))
    }

    /// The rules that cover a file, at most one for each vector store.
    pub fn covering(&self, profile: &Profile, path: &str) -> Vec<&Rule> {
        let mut found: Vec<&Rule> = Vec::new();
        for rule in self.0.iter().filter(|rule| rule.covers(profile, path)) {
            if !found.iter().any(|other| other.target == rule.target) {
                found.push(rule);
            }
        }
        found
    }

    /// Why no rule covers the file at `path`, in words.
    pub fn why_not(&self, profile: &Profile, path: &str) -> String {
        let why = |rule: &Rule| match rule.left_out(profile, path)? {
            LeftOut::Elsewhere | LeftOut::NotIncluded => None,
            LeftOut::Excluded(line) => Some(format!("rule {} excludes it by `{line}`", rule.name)),
            LeftOut::Junk(line) => Some(format!(
                "rule {} leaves it out by default, by `{line}`; an exclude of `!{line}` takes it in",
                rule.name
            )),
        };
        let words: Vec<String> = self.0.iter().filter_map(why).collect();
        if words.is_empty() { UNCOVERED.to_owned() } else { words.join("; ") }
    }
}
