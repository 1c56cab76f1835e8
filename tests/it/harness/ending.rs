//! How a test ends: no work is left, both sides agree, nothing was asked that a service refuses. What a test means to leave
//! behind it names. A test that ends without asking has failed.

use std::collections::{BTreeMap, HashSet};
use std::thread::panicking;

use docket::fastio::Profile;
use docket::openai::VectorStoreId;
use docket::own::store::OwnFile;
use docket::rule::{Rule, Rules, Target};
use docket::sync::listing::{Filter, Standing};
use docket_sandbox::Sandbox;
use docket_sandbox::journal::{Entry, RequestEnd};
use docket_sandbox::judge::{Difference, FastioFile, Sides, StoreCopy, Wanted};

use super::records::Records;
use super::{Harness, World};
use crate::openapi;

/// Fails the test that drops it before it was told that the test has had its check.
#[derive(Debug, Default)]
pub struct MustEnd {
    has_ended: bool,
}

impl MustEnd {
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    pub fn ended(&mut self) {
        self.has_ended = true;
    }
}

impl Drop for MustEnd {
    fn drop(&mut self) {
        assert!(self.has_ended || panicking(), "the test ends without its check: see harness/ending.rs");
    }
}

impl Harness {
    /// Does the work that is left, and demands that nothing is left.
    pub async fn finish(self) {
        self.finish_leaving(&[]).await;
    }

    /// Does what work can be done, and demands that exactly this is left, each thing as [`left`] calls it.
    pub async fn finish_leaving(self, expected: &[&str]) {
        self.settle().await;
        self.stop_leaving(expected).await;
    }

    /// Demands that exactly this is left as things stand.
    pub async fn stop_leaving(mut self, expected: &[&str]) {
        self.leaves(expected).await;
        self.must_end.ended();
    }

    /// Does what work can be done, and demands that nothing is left but what [`left`] calls by one of these words: for a test
    /// that says of each file what it became.
    pub async fn finish_leaving_kinds(mut self, kinds: &[&str]) {
        self.settle().await;
        let left = left(&self, &self.records(), &self.rules).await;
        let is_other = |one: &&String| !kinds.contains(&one.split(": ").next().unwrap_or_default());
        let others: Vec<&String> = left.iter().filter(is_other).collect();
        assert!(others.is_empty(), "left besides {kinds:?}: {others:#?}");
        self.must_end.ended();
    }

    /// Everything that must hold when all is done.
    pub async fn agrees(&self) {
        self.leaves(&[]).await;
    }

    /// Everything but this agrees.
    pub async fn agrees_but(&self, expected: &[&str]) {
        self.leaves(expected).await;
    }

    async fn leaves(&self, expected: &[&str]) {
        let left = left(self, &self.records(), &self.rules).await;
        assert_eq!(
            left,
            expected,
            "left (first), and expected to be left; the jobs: {:#?}",
            self.jobs().await
        );
    }
}

/// What is left by what Docket and the stand-ins have on record, in words and in their order.
pub async fn left(world: &World, records: &Records, rules: &Rules) -> Vec<String> {
    let (fastio, openai) = (world.fastio_state().await, world.openai_state().await);
    let mut left = undone(records).await;
    left.extend(records.miscounted().await);
    for kind in ["locks", "uploads"] {
        let there = fastio[kind].as_array().expect("the state lists them").len();
        left.extend((0..there).map(|_| format!("Fastio's {kind}")));
    }
    // One whose creation was not answered cannot be found: OpenAI has no list of them.
    let (unanswered, (_, empty)) = (records.leftovers().await.1, world.conversations().await);
    let excused = usize::try_from(unanswered).unwrap_or(0);
    left.extend((excused..empty).map(|_| "a conversation without an answer".to_owned()));
    left.extend(differences(Sides::read(&fastio, &openai), records, rules).await);
    left.extend(refused(&world.sandbox));
    summed(left)
}

/// More different things of one kind are told by their number.
const MOST_OF_A_KIND: usize = 10;

/// Each thing once, with how often it is there.
fn summed(left: Vec<String>) -> Vec<String> {
    let mut kinds: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for one in left {
        let kind = one.split(": ").next().unwrap_or_default().to_owned();
        *kinds.entry(kind).or_default().entry(one).or_default() += 1;
    }
    let told =
        |(one, times): (String, usize)| if times == 1 { one } else { format!("{one} ({times} times)") };
    let all = kinds.into_iter().flat_map(|(kind, things)| {
        let sum = things.values().sum();
        if things.len() > MOST_OF_A_KIND { vec![(kind, sum)] } else { things.into_iter().collect() }
    });
    all.map(told).collect()
}

/// Work that is on record and not done.
async fn undone(records: &Records) -> Vec<String> {
    let mut left: Vec<String> =
        (0..records.waiting().await).map(|_| "a delivery in the inbox".to_owned()).collect();
    let jobs = records.jobs().await;
    // Without a job it holds nothing.
    let pauses = if jobs.is_empty() { Vec::new() } else { records.pauses().await };
    left.extend(pauses.iter().map(|pause| format!("a pause of {}", pause.target)));
    for job in jobs {
        let kind = job.key.split(':').next().unwrap_or_default();
        left.push(format!("a {} job: {kind}", job.state));
    }
    for run in records.runs().await {
        if run.state != "ended" {
            left.push(format!("a run that is {}: {}", run.state, run.path));
        }
        if run.lock != "none" {
            left.push(format!("a run's lock: {}", run.path));
        }
    }
    for file in records.own_files().await {
        if file.writing {
            left.push("a write into Fastio".to_owned());
        }
    }
    left.extend((0..records.leftovers().await.0).map(|_| "what a run made elsewhere".to_owned()));
    left
}

/// Requests that a service refuses for what they say, and that are not in its document.
fn refused(sandbox: &Sandbox) -> Vec<String> {
    let (fastio, openai) =
        (sandbox.fastio_core().journal.requests(), sandbox.openai_core().journal.requests());
    let undocumented = openai.iter().filter(|one| !openapi::is_documented(&one.method, &one.path));
    let undocumented = undocumented.map(|one| format!("{} {} is not documented", one.method, one.path));
    let refused = fastio.iter().chain(&openai).filter(|one| is_refused(one));
    refused.map(|one| format!("{} {} is refused", one.method, one.path)).chain(undocumented).collect()
}

fn is_refused(request: &Entry) -> bool {
    let is_refusal = matches!(request.outcome, RequestEnd::Status(400 | 401 | 405 | 411 | 415 | 422 | 501));
    let announced = request.headers.iter().find(|(name, _)| name == "content-length");
    let announced = announced.and_then(|(_, length)| length.parse().ok()).unwrap_or(0);
    let (was_wished, was_cut_off) = (!request.faults.is_empty(), request.body_bytes < announced);
    // Whether something still goes on is not known before.
    let cancels = request.path.ends_with("/cancel");
    is_refusal && !was_wished && !was_cut_off && !cancels
}

/// How the sides differ where a file belongs into each vector store of the rules that cover it, but those that Docket wrote.
async fn differences(sides: Sides, records: &Records, rules: &Rules) -> Vec<String> {
    let skipped = Filter { standing: Some(Standing::Skipped), ..Filter::default() };
    let skipped: Vec<String> =
        records.files(&skipped).await.into_iter().map(|row| row.source_id.to_string()).collect();
    let out = Filter { standing: Some(Standing::Out), ..Filter::default() };
    let out: Vec<String> = records.files(&out).await.into_iter().map(|row| row.source_id).collect();
    let excused = Excused { skipped, out };
    let contents = sides.files.iter().map(|file| (file.sha256.clone(), file.size)).collect();
    let own = (records.own_files().await, records.written(contents).await);
    let Sides { files, copies, orphans } = sides;
    let names = store_names(&copies, rules);
    let mut left = Vec::new();
    for (name, targets) in &names {
        let copies =
            copies.iter().filter(|copy| first_beside(copy, &copies, rules) == *name).cloned().collect();
        let store = Sides { files: files.clone(), copies, orphans: Vec::new() };
        let differences = store.differences(|file| {
            let covering = rules.covering(&profile(file), &file.path);
            let belongs = covering.iter().any(|rule| targets.contains(&&rule.target));
            if belongs && !is_own(file, &own) { Wanted::InAnyStore } else { Wanted::Nowhere }
        });
        left.extend(differences.iter().map(|one| told(one, &excused)));
    }
    left.extend(orphans.iter().map(|object| told(&Difference::Orphan(object), &excused)));
    left
}

/// What the first store of a rule is called.
fn first_of(target: &Target, copies: &[StoreCopy]) -> String {
    let name = match target {
        Target::Create { create } => Some(create),
        Target::Id(id) => copies.iter().find(|copy| copy.store_id == id.0).map(|copy| &copy.store),
    };
    name.cloned().unwrap_or_default()
}

/// What the first store is called of those that hold a file together with the one that this copy is in.
fn first_beside(copy: &StoreCopy, copies: &[StoreCopy], rules: &Rules) -> String {
    let names_next = |rule: &&Rule| rule.next.iter().any(|id| id.0 == copy.store_id);
    if let Some(rule) = rules.iter().find(names_next) {
        return first_of(&rule.target, copies);
    }
    match copy.store.rsplit_once(", continued ") {
        Some((id, _)) if id.starts_with("vs_") => first_of(&Target::Id(VectorStoreId(id.to_owned())), copies),
        Some((name, _)) => name.to_owned(),
        None => copy.store.clone(),
    }
}

/// The vector stores that hold something or should, by the names of the first ones, with the rules' names for each.
fn store_names<'a>(copies: &[StoreCopy], rules: &'a Rules) -> BTreeMap<String, Vec<&'a Target>> {
    let mut names: BTreeMap<String, Vec<&Target>> =
        copies.iter().map(|copy| (first_beside(copy, copies, rules), Vec::new())).collect();
    for rule in rules.iter() {
        names.entry(first_of(&rule.target, copies)).or_default().push(&rule.target);
    }
    names
}

fn profile(file: &FastioFile) -> Profile {
    let profile = file.source_id.rsplit_once(':').map(|(profile, _)| profile.parse());
    profile.expect("a source id ends with a node").expect("and begins with a profile")
}

/// Whether Docket itself wrote this version, or this content somewhere else.
fn is_own(file: &FastioFile, (own, contents): &(Vec<OwnFile>, HashSet<String>)) -> bool {
    let bare = |id: &str| id.replace('-', "");
    contents.contains(&file.sha256)
        || own.iter().any(|own| {
            let node = own.node.as_ref().is_some_and(|node| node.canonical() == bare(&file.node_id));
            node && own.version.as_ref().is_some_and(|version| bare(&version.0) == bare(&file.version))
        })
}

/// Files that are rightly held nowhere: their ids.
struct Excused {
    skipped: Vec<String>,
    out: Vec<String>,
}

fn told(difference: &Difference<'_>, Excused { skipped, out }: &Excused) -> String {
    match difference {
        Difference::Missing(file) if skipped.contains(&file.source_id) => format!("skipped: {}", file.path),
        Difference::Missing(file) if out.contains(&file.source_id) => format!("out: {}", file.path),
        Difference::Missing(file) => format!("not held: {}", file.path),
        Difference::Repeated(file, copies) => format!("held {copies} times: {}", file.path),
        Difference::Outdated(file, _) => format!("held otherwise than it is: {}", file.path),
        Difference::Unwanted(copy) => {
            let path = if copy.path().is_empty() { &copy.filename } else { copy.path() };
            format!("a copy that nothing needs: {path}")
        }
        Difference::NotIndexed(copy) => format!("a copy that is {}: {}", copy.status, copy.path()),
        Difference::Orphan(object) => {
            let name = object.split_once(' ').map_or(*object, |(_, name)| name);
            format!("a File object in no vector store: {name}")
        }
    }
}

#[test]
#[should_panic(expected = "the test ends without its check")]
fn a_test_that_ends_without_its_check_fails() {
    drop(MustEnd::default());
}
