//! What must hold at the end, judged from what all sides have on record. Pure, so that it can be tested with records in
//! which something is wrong.

pub mod beside;
pub mod failover;
pub mod forms;
pub mod imports;
pub mod links;
pub mod room;
pub mod runs;
pub mod twice;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use docket_sandbox::judge::{Difference, Gap, Sides, Wanted, absences, gaps, halves, source_id};
use serde::Serialize;
use serde_json::Value;

use failover::Failover;
use forms::Cut;
use imports::Import;
use links::Link;
use runs::Run;

/// The folders of the contracts that OpenAI is asked about, and of those that Fastio's AI is asked about before it.
pub const CONTRACTS: &str = "/Contracts/";
pub const ASKED: &str = "/Asked/";

/// A folder of which OpenAI is to hold some files only, and in it those that are always among them.
pub const SCARCE: &str = "/Scarce/";
pub const PINNED: &str = "/Scarce/pinned/";

/// The folder that Fastio imports into.
pub const IMPORTS: &str = "/Imports/";

/// How many examples of one kind are shown; the number of all is told.
const EXAMPLES: usize = 5;

/// What Docket has on record.
#[derive(Debug, Default)]
pub struct Rows {
    pub events: HashSet<String>,
    pub jobs: Vec<String>,
    /// What should have come to an end, in words.
    pub unsettled: Vec<String>,
    pub copies: i64,
    /// Conversations whose creation was not answered: OpenAI has no list of them, so they may be there for good.
    pub unanswered_conversations: i64,
    pub runs: Vec<Run>,
    pub links: Vec<Link>,
    pub imports: Vec<Import>,
    /// The files that are out because there is no room: their ids.
    pub out: HashSet<String>,
}

/// Everything that is looked at.
#[derive(Debug)]
pub struct Seen {
    pub rows: Rows,
    /// The stand-ins' states.
    pub fastio: Value,
    pub openai: Value,
    /// The stand-in's history of what could be found.
    pub searchable: Value,
    /// Events of deliveries that were answered with 202.
    pub acknowledged: HashSet<String>,
    /// Answers that no sender should get.
    pub strange: Vec<String>,
    /// Nodes that left their rule at some time.
    pub wanderers: HashSet<String>,
    /// The contracts, what stands beside them and their table: texts by path.
    pub desk: BTreeMap<String, String>,
    /// Contracts, by their number, of which a person took a result away, moved or changed it.
    pub taken: BTreeSet<usize>,
    /// What people did to contracts and results, but for new versions of contracts.
    pub moves: usize,
    /// Results that people copied.
    pub copied: usize,
    /// What is to stand at OpenAI in the place of bytes: by their SHA-256 that of the text.
    pub stand_ins: HashMap<String, String>,
    /// How texts are cut, if they are.
    pub cut: Option<Cut>,
    /// How often each import was ordered, by its name.
    pub imported: BTreeMap<String, u64>,
    /// How many of the scarce files there is room for, if there are any.
    pub room: Option<usize>,
    /// The vector stores that there should be, by name.
    pub stores: Vec<&'static str>,
    /// What a sweep still finds.
    pub differences: Vec<String>,
    /// Failovers that may have lost what was on record just before. What had been made outside then may be made once more.
    pub forgetful: Vec<Failover>,
}

impl Seen {
    pub fn has_forgotten(&self) -> bool {
        !self.forgetful.is_empty()
    }

    /// Whether it may have been lost that something was made at this time.
    fn may_have_forgotten(&self, made: &Value) -> bool {
        made.as_i64().is_some_and(|at| self.forgetful.iter().any(|failover| failover.may_lose(at)))
    }
}

/// A promise that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Broken {
    pub promise: &'static str,
    pub times: usize,
    pub examples: Vec<String>,
}

/// All promises that do not hold.
pub fn broken(seen: &Seen) -> Vec<Broken> {
    let lost = seen.acknowledged.iter().filter(|event| !seen.rows.events.contains(*event)).cloned().collect();
    let sides = Sides::read(&seen.fastio, &seen.openai);
    let mut differences = sides.differences(|file| store_of(&file.path));
    differences.retain(|one| !is_out(one, &seen.rows));
    let found = [
        ("every acknowledged event is on record", lost),
        ("a delivery is answered 202 or 503", seen.strange.clone()),
        ("no job is left", seen.rows.jobs.clone()),
        ("nothing is left half done", seen.rows.unsettled.clone()),
        ("the vector stores hold what Fastio holds", words_of(&differences, is_unequal)),
        ("no file has two copies", words_of(&differences, is_repeated)),
        (
            "what does not go as it is stands for what it is now",
            forms::broken(&sides, seen.cut, &seen.stand_ins),
        ),
        ("every copy is on record", unrecorded(&seen.rows, &sides)),
        ("every copy is indexed", words_of(&differences, is_not_indexed)),
        (
            "no File object is in no vector store",
            words_of(&differences, |one| matches!(one, Difference::Orphan(_))),
        ),
        ("each vector store is made once", stores(seen)),
        ("no lock is held", listed(&seen.fastio["locks"])),
        ("no upload to Fastio is left", uploads(seen)),
        ("no conversation is left that came to nothing", empty_conversations(seen)),
        ("no question is left at Fastio", talks(seen)),
        ("a file that is there is found all the time", unsearchable(seen)),
        ("a search never finds half of one version and half of another", halved(seen)),
        ("of what there is no room for exactly so much is held", room::broken(seen, &sides)),
        ("each import is made once", imports::broken(seen)),
        ("each run is made once and its result written once", runs::broken(seen)),
        ("each result has one link, for who is named", links::broken(seen)),
        ("what stands beside a contract is true of it", untrue(seen)),
        ("a sweep finds nothing", seen.differences.clone()),
    ];
    found.into_iter().filter_map(|(promise, all)| Broken::of(promise, all)).collect()
}

/// What does not hold before any sweep: all that was told has had its effect. A purge sends nothing, so what it leaves
/// waits for a sweep; what is in the trash was told of.
pub fn broken_before_sweep(seen: &Seen) -> Vec<Broken> {
    let known: HashSet<String> = files(&seen.fastio).map(source_id).collect();
    let is_of_purged =
        |one: &Difference<'_>| matches!(one, Difference::Unwanted(copy) if !known.contains(copy.source_id()));
    let sides = Sides::read(&seen.fastio, &seen.openai);
    let mut differences = sides.differences(|file| store_of(&file.path));
    differences.retain(|one| !is_of_purged(one) && !is_out(one, &seen.rows));
    let found = [
        (
            "before any sweep the vector stores hold what Fastio holds",
            words_of(&differences, |one| is_unequal(one) || is_repeated(one)),
        ),
        ("before any sweep every copy is indexed", words_of(&differences, is_not_indexed)),
        (
            "before any sweep what does not go as it is stands for what it is now",
            forms::broken(&sides, seen.cut, &seen.stand_ins),
        ),
        ("before any sweep a file that is there is found all the time", unsearchable(seen)),
        ("before any sweep each run is made once and its result written once", runs::broken(seen)),
        ("before any sweep what stands beside a contract is true of it", untrue(seen)),
    ];
    found.into_iter().filter_map(|(promise, all)| Broken::of(promise, all)).collect()
}

impl Broken {
    pub fn of(promise: &'static str, mut all: Vec<String>) -> Option<Broken> {
        let times = all.len();
        all.sort_unstable();
        all.truncate(EXAMPLES);
        (times > 0).then_some(Broken { promise, times, examples: all })
    }
}

fn words_of(differences: &[Difference<'_>], kind: impl Fn(&Difference<'_>) -> bool) -> Vec<String> {
    differences.iter().filter(|one| kind(one)).map(ToString::to_string).collect()
}

fn is_unequal(one: &Difference<'_>) -> bool {
    matches!(one, Difference::Missing(_) | Difference::Outdated(..) | Difference::Unwanted(_))
}

/// There is no room for it, which is on record.
fn is_out(one: &Difference<'_>, rows: &Rows) -> bool {
    matches!(one, Difference::Missing(file) if rows.out.contains(&file.source_id))
}

fn is_repeated(one: &Difference<'_>) -> bool {
    matches!(one, Difference::Repeated(..))
}

fn is_not_indexed(one: &Difference<'_>) -> bool {
    matches!(one, Difference::NotIndexed(_))
}

/// The store of a path, by the rules of the server under test.
fn store_of(path: &str) -> Wanted<'static> {
    match path {
        _ if path.starts_with("/outside/") => Wanted::Nowhere,
        _ if runs::is_our_own(path) => Wanted::Nowhere,
        _ if path.starts_with(CONTRACTS) => Wanted::In("contracts"),
        _ if path.starts_with(ASKED) => Wanted::In("asked"),
        _ if room::is_scarce(path) => Wanted::In("scarce"),
        _ => Wanted::In("all"),
    }
}

/// The settings of the server under test never change, so there is one question.
fn untrue(seen: &Seen) -> Vec<String> {
    let desk = |folder| beside::Desk { folder, texts: &seen.desk, definition: None, taken: &seen.taken };
    [CONTRACTS, ASKED].into_iter().flat_map(|folder| desk(folder).untrue()).collect()
}

fn unrecorded(rows: &Rows, sides: &Sides) -> Vec<String> {
    let held = sides.copies.len();
    let words = || format!("{} copies are on record, {held} are held", rows.copies);
    if usize::try_from(rows.copies) == Ok(held) { Vec::new() } else { vec![words()] }
}

fn stores(seen: &Seen) -> Vec<String> {
    let stores = seen.openai["vector_stores"].as_array().into_iter().flatten();
    let mut names: Vec<&str> = stores.map(|store| text(&store["name"])).collect();
    names.sort_unstable();
    if names == seen.stores { Vec::new() } else { vec![format!("there are {names:?}")] }
}

fn listed(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(Value::to_string).collect()
}

/// Upload sessions at Fastio. Of one whose write a failover lost nobody knows any more.
fn uploads(seen: &Seen) -> Vec<String> {
    if seen.has_forgotten() { Vec::new() } else { listed(&seen.fastio["uploads"]) }
}

/// Threads at Fastio. Of one whose run a failover lost nobody knows any more.
fn talks(seen: &Seen) -> Vec<String> {
    if seen.has_forgotten() { Vec::new() } else { listed(&seen.fastio["talks"]) }
}

/// Conversations without an answer, but those that cannot be known of, because OpenAI has no list of them: their creation was not answered, or
/// a failover lost that it was.
fn empty_conversations(seen: &Seen) -> Vec<String> {
    let all = seen.openai["conversations"].as_array().into_iter().flatten();
    let answered =
        |one: &&Value| one["items"].as_array().into_iter().flatten().any(|item| item["role"] != "user");
    let is_forgotten = |one: &&Value| {
        let made = one["created_at"].as_i64().map(|second| second * 1000);
        seen.may_have_forgotten(&made.into())
    };
    let empty = all.filter(|one| !answered(one) && !is_forgotten(one)).count();
    let unanswered = usize::try_from(seen.rows.unanswered_conversations).unwrap_or(0);
    let words = || format!("{empty} hold no answer, and the creation of {unanswered} was not answered");
    if empty > unanswered { vec![words()] } else { Vec::new() }
}

fn unsearchable(seen: &Seen) -> Vec<String> {
    if seen.searchable["dropped"] != 0 {
        return vec!["the sandbox forgot part of the history, so this cannot be told".to_owned()];
    }
    let there = absences(&seen.fastio, &seen.wanderers);
    let mut gaps = gaps(&seen.searchable, &there);
    gaps.retain(|gap| !is_forgotten(seen, gap));
    let words = |gap: Gap| {
        format!("{} was not found for {} ms from {}", gap.source_id, gap.until_ms - gap.from_ms, gap.from_ms)
    };
    gaps.into_iter().map(words).collect()
}

/// A copy of which a failover lost that it was attached goes like one that never was; and so does one that took the place of another, of
/// which it lost that it was removed: that one is counted on.
fn is_forgotten(seen: &Seen, gap: &Gap) -> bool {
    let is_of_it = |interval: &&Value| interval["attributes"]["source_id"] == gap.source_id.as_str();
    let of_it: Vec<&Value> =
        seen.searchable["intervals"].as_array().into_iter().flatten().filter(is_of_it).collect();
    let before = |last: &Value, other: &Value| {
        let (from, until) = (last["from_ms"].as_i64(), other["until_ms"].as_i64());
        from <= until && until < Some(gap.from_ms) && seen.may_have_forgotten(&other["until_ms"])
    };
    of_it.iter().filter(|last| last["until_ms"] == gap.from_ms).any(|last| {
        seen.may_have_forgotten(&last["attached_ms"]) || of_it.iter().any(|other| before(last, other))
    })
}

fn halved(seen: &Seen) -> Vec<String> {
    let halves = halves(&seen.searchable, &absences(&seen.fastio, &seen.wanderers));
    let words = |half: Gap| {
        format!("of {} for {} ms from {}", half.source_id, half.until_ms - half.from_ms, half.from_ms)
    };
    halves.into_iter().map(words).collect()
}

/// The files of a state or of a store.
pub fn files(of: &Value) -> impl Iterator<Item = &Value> {
    of["files"].as_array().into_iter().flatten()
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
