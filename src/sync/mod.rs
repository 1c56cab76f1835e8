//! Brings OpenAI in line with one file: look at what the file is now, plan what differs, apply it one step at a time.
//!
//! A job names a file and nothing else. What the event said is not used: by now it may be old news. So jobs may come
//! twice, late and out of order, and a job that was killed anywhere is simply done again.
//!
//! When a file is indexed in its present content, the runs of the rules that cover it are asked for, as jobs. What a run
//! is, nothing here knows. What Docket itself wrote is no rule's file.

mod absence;
pub mod again;
pub mod apply;
mod attributes;
pub mod budget;
pub mod copy;
mod erased;
mod folder;
pub mod form;
pub mod founding;
pub mod freshness;
mod index;
mod keep;
pub mod listing;
mod look;
pub mod plan;
pub mod reading;
mod relay;
mod retire;
mod segment;
mod settle;
pub mod sheets;
pub mod store;
mod stores;
mod stray;
pub mod survey;
pub mod text;
mod together;
mod upload;
mod whose;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::{Notify, Semaphore};

use crate::clock::Clock;
use crate::compute::Compute;
use crate::database::{self, Connection, Database};
use crate::erasure;
use crate::fastio::{Extraction, FileKey};
use crate::govern::Governor;
use crate::job::{self, Task};
use crate::own::{self, Seal, Whose};
use crate::queue::trail::{self, What};
use crate::queue::{self, Causes, Priority, Verdict};
use crate::result::name::Pattern;
use crate::rule::{Rule, Rules, UNCOVERED};
use crate::telemetry::Meters;
use crate::{fastio, openai};

use crate::job::verdict::{database_verdict, worst};
use apply::{Announced, Progress, Subject};
use budget::Budgets;
use form::{Claim, Instead, claim};
use founding::Founding;
use look::{Look, Looker};
use plan::{Place, plan};
use stores::{Filling, Stores};
use together::Together;

pub use index::INDEXING;
pub use keep::Keeping;
pub use look::Present;
pub use stores::{CONTINUES, INTENT, NUMBER, fault as vector_store_fault};
pub use stray::is_stray;

/// Steps in one go. A file in ten stores with five stale copies in each takes fewer; more means that the plan and the
/// world disagree about what a step did.
const MOST_STEPS: usize = 200;

/// What each copy may take beside them: a text that was cut has hundreds.
const STEPS_OF_A_COPY: usize = 8;

/// Between looks at a file that may be a write of our own under way. Writes take about as long.
const OWN_WRITE: Duration = Duration::from_secs(2);

/// How files are synced (`[sync]`).
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How long a vector store may take to index a file. OpenAI's has been seen to hang for ever; after this the file
    /// is attached once more, and then its job is dead. Seconds.
    pub index_deadline_seconds: u32,
    /// How long a vector store may take to answer that it takes a file. OpenAI answers at once; some servers index the file
    /// first, which takes minutes for a long one. Seconds.
    pub attach_limit_seconds: u32,
    /// From how many copies on that are on their way to one vector store they are attached together, with one request for up to
    /// 100. A person who saves two or three files has each of them at once; a second more does not matter to many. 0 is never.
    pub attach_together_from: u16,
    /// A text with more bytes is cut, at its lines, records or paragraphs, into segments of at most half as many and 4,000,000 bytes.
    /// OpenAI takes 5,000,000 tokens in one file, and 512 MB. 0 is never.
    pub split_text_above_bytes: u32,
    /// Whether Docket makes the next vector store when those of a rule are full. A store costs nothing by itself; without a next one new
    /// files wait.
    pub continue_full_stores: bool,
    /// How many files a vector store takes. 0 is as OpenAI documents it: 100,000,000, and 10,000 for one from before November 2025.
    pub store_files: u32,
    /// Within how many minutes a change should be searchable. Where one waits longer, `[[notify]]` tells of its rule; 0 is never.
    pub promised_minutes: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            index_deadline_seconds: 30 * 60,
            attach_limit_seconds: 10 * 60,
            attach_together_from: 4,
            // Two bytes are a token in a table of numbers, and more in prose.
            split_text_above_bytes: 10_000_000,
            continue_full_stores: true,
            store_files: 0,
            promised_minutes: 0,
        }
    }
}

impl Settings {
    fn index_deadline(&self) -> Duration {
        Duration::from_secs(self.index_deadline_seconds.into())
    }

    /// Within which time a change should be searchable, if that was promised.
    pub fn promised(&self) -> Option<Duration> {
        (self.promised_minutes > 0).then(|| Duration::from_secs(u64::from(self.promised_minutes) * 60))
    }

    fn filling(&self) -> Filling {
        let most = (self.store_files > 0).then_some(self.store_files.into());
        Filling { makes_next: self.continue_full_stores, most }
    }

    fn attach_limit(&self) -> Duration {
        Duration::from_secs(self.attach_limit_seconds.into())
    }
}

/// The work on files: what it needs, shared by all workers.
#[derive(Debug)]
pub struct Sync {
    database: Database,
    clock: Clock,
    fastio: fastio::Client,
    openai: openai::Client,
    compute: Compute,
    looker: Looker,
    stores: Stores,
    founding: Arc<Founding>,
    rules: Rules,
    budgets: Budgets,
    /// How results are called.
    results: Vec<Pattern>,
    seal: Seal,
    settings: Settings,
    erase_purged: bool,
    wake: Arc<Notify>,
    causes: Causes,
    governor: Governor,
    together: Together,
    /// What texts that are cut are let in by.
    cutting: Semaphore,
    /// The server that takes what is uploaded.
    server: String,
    meters: Meters,
}

/// What a [`Sync`] is made of.
#[derive(Debug)]
pub struct Parts {
    pub database: Database,
    pub clock: Clock,
    pub fastio: fastio::Client,
    pub openai: openai::Client,
    pub rules: Rules,
    /// How the results of runs are called.
    pub results: Vec<Pattern>,
    /// By which they are known where no record says whose they are.
    pub seal: Seal,
    pub settings: Settings,
    pub storage: budget::Settings,
    /// Whether what derives from a file goes when Fastio has purged it.
    pub erase_purged: bool,
    /// What to notify when jobs were added.
    pub wake: Arc<Notify>,
    /// What is held.
    pub causes: Causes,
    /// What may be asked of OpenAI now.
    pub governor: Governor,
    pub meters: Meters,
}

/// Whether there may be anything to do for a task: what neither a rule nor a row concerns needs no job that finds that out.
///
/// # Errors
/// The database's.
pub fn is_wanted(rules: &Rules, connection: &mut Connection, task: &Task) -> Result<bool, database::Error> {
    match task {
        Task::File { profile, node } if !rules.concern(profile) => {
            let key = FileKey::new(profile.clone(), node.clone()).to_string();
            Ok(store::file(connection, &key)?.is_some())
        }
        Task::Folder { profile, .. } | Task::Listing { profile, .. } => Ok(rules.concern(profile)),
        _ => Ok(true),
    }
}

impl Sync {
    pub fn new(parts: Parts) -> Self {
        let Parts { database, clock, fastio, openai, rules, .. } = parts;
        let Parts { results, seal, settings, storage, erase_purged, wake, causes, governor, meters, .. } =
            parts;
        let founding = Founding::new(openai.clone(), database.clone(), clock.clone(), rules.clone());
        let founding = Arc::new(founding);
        Sync {
            looker: Looker::new(fastio.clone()),
            stores: Stores::new(
                openai.clone(),
                database.clone(),
                clock.clone(),
                (founding.clone(), rules.clone()),
                settings.filling(),
            ),
            founding,
            database,
            clock,
            fastio,
            server: openai.server(),
            openai,
            compute: Compute::default(),
            budgets: Budgets::new(storage, rules.clone()),
            rules,
            results,
            seal,
            settings,
            erase_purged,
            wake,
            causes,
            governor,
            together: Together::default(),
            cutting: Semaphore::new(upload::CUT_AT_ONCE),
            meters,
        }
    }

    /// Begins with the database, unless it is a second one and `anew` does not say that it may be.
    ///
    /// # Errors
    /// Why it must not be begun with.
    pub async fn begin(&self, anew: bool) -> Result<(), founding::Error> {
        self.founding.begin(anew).await
    }

    /// Brings OpenAI in line with what the file is now. `attempt` counts from 1.
    pub async fn file(&self, key: &FileKey, attempt: u16) -> Verdict {
        self.try_file(key, attempt).await.unwrap_or_else(|verdict| verdict)
    }

    async fn try_file(&self, key: &FileKey, attempt: u16) -> Result<Verdict, Verdict> {
        let (known, is_withheld) = self.remembered(key).await.map_err(|error| database_verdict(&error))?;
        if is_withheld {
            return self.withhold(key, known.as_ref()).await;
        }
        if known.is_none() && !self.rules.concern(&key.profile) {
            return Ok(Verdict::Done);
        }
        // What is not known here is uploaded, if it is there at all; while that has to wait, Fastio is not asked about it either.
        let upload = match known {
            None => Some(self.may_upload().await?.reserved()),
            Some(_) => None,
        };
        let began_at = self.clock.now();
        let look = match self.looker.look(&key.profile, &key.node).await {
            Ok(look) => look,
            Err(error) => return Ok(self.unseen(&key.profile, &error).await),
        };
        let gone = match look {
            Look::Folder if known.is_none() => return Ok(self.folder(&key.profile, &key.node).await),
            Look::Folder => Some("it is not a file"),
            Look::Unknown => {
                self.prove_profile(&key.profile).await?;
                if known.is_none() && self.was_folder(&key.profile, &key.node).await? {
                    return Ok(self.folder(&key.profile, &key.node).await);
                }
                if known.is_none() && self.is_erased(key).await? {
                    return Ok(Verdict::Done);
                }
                self.prove_missing(key, (known.as_ref(), attempt)).await?;
                Some(store::PURGED)
            }
            Look::Gone(reason) => Some(reason),
            Look::Present(_) => None,
        };
        if let Some(reason) = gone {
            if known.as_ref().is_some_and(store::FileRow::is_there) {
                trail::done(What::Gone, (began_at, self.clock.now()), reason);
            }
            self.bury(key, known.as_ref(), reason).await.map_err(|error| database_verdict(&error))?;
        }
        if look == Look::Unknown {
            self.purged(key).await?;
        }
        let (mut present, matched) = match look {
            Look::Unknown | Look::Folder | Look::Gone(_) => (None, Vec::new()),
            Look::Present(present) => {
                let matched = match self.whose(key, &present).await? {
                    Whose::Theirs => self.rules.covering(&key.profile, &present.path),
                    Whose::Ours => {
                        self.is_there(key, &present).await.map_err(|error| database_verdict(&error))?;
                        Vec::new()
                    }
                    Whose::Unsettled => return Ok(unsettled()),
                };
                (Some(present), matched)
            }
        };
        if known.is_none() && matched.is_empty() {
            return Ok(Verdict::Done);
        }
        let known = known.as_ref();
        let (refused, read) =
            known.map_or((None, None), |known| (known.refused.as_ref(), known.read.as_ref()));
        let announced = Announced::of(present.as_deref());
        if let Some(present) = &mut present {
            // A second read with the same bytes is believed.
            present.source = present.source.clone().as_read(read);
            if present.extraction != Extraction::There && known.is_some() {
                present.keep_extract(&self.copies(key).await.map_err(|error| database_verdict(&error))?);
            }
        }
        let judged = present.as_deref().map(|present| match matched.is_empty() {
            true => Err(self.rules.why_not(&key.profile, &present.path)),
            false => judge(present, &matched, refused),
        });
        if let (Some(present), Some(Err(_))) = (&present, &judged)
            && !present.is_placed
            && present.withheld.is_none()
            && !self.copies(key).await.map_err(|error| database_verdict(&error))?.is_empty()
        {
            return Err(unplaced());
        }
        // What was changed is wanted, wherever it was.
        let is_changed = present.as_ref().is_some_and(|present| {
            known.is_none_or(|known| !known.is_there() || !known.source.same_content(&present.source))
        });
        let keeping = match &judged {
            Some(Ok(_)) => self.keeping(key, &matched).await?,
            _ => Keeping::default(),
        };
        if let (Some(present), Some(judged)) = (&present, &judged) {
            let (skipped, out) = (judged.as_ref().err(), keeping.reason());
            let unheld = skipped.or(out.as_ref());
            let told = known.filter(|known| known.differs(present, (&matched, unheld)));
            if known.is_none() || told.is_some() {
                trail::done(What::Looked, (began_at, self.clock.now()), found(present));
                unheld.inspect(|reason| self.skips(reason));
            }
            let told = told.map_or(Vec::new(), |known| self.beside(key, known, &matched));
            let is_extract =
                judged.as_ref().is_ok_and(|claim| matches!(claim.stands_in(), Some(Instead::Extract { .. })));
            let judged =
                Seen { matched: &matched, skipped, out, is_extract, is_changed, kept_out: keeping.rules() };
            self.see(key, present, judged, told).await?;
        }
        let claim = judged.and_then(Result::ok);
        let mut pair = present.as_deref().zip(claim.as_ref());
        if let Some((present, claim)) = pair
            && !self.keep_out(key, (present, claim, &announced), &keeping).await?
        {
            pair = None;
        }
        let mut wanted = if pair.is_some() { keeping.filling } else { Vec::new() };
        if let Some(known) = known.filter(|_| !is_changed) {
            wanted.retain(|rule| !known.is_out(&rule.name));
        }
        let subject = Subject {
            key,
            present: pair,
            announced: &announced,
            uploaded: None,
            upload: &Mutex::new(upload),
        };
        self.converge(&subject, &wanted).await
    }

    /// Plans and applies until nothing is left to do for now.
    async fn converge(&self, subject: &Subject<'_>, wanted: &[&Rule]) -> Result<Verdict, Verdict> {
        let mut stopped: HashMap<openai::VectorStoreId, Verdict> = HashMap::new();
        let mut copies = self.copies(subject.key).await.map_err(|error| database_verdict(&error))?;
        let (mut places, mut unusable) = self.places(wanted, &copies).await;
        let mut out: Vec<openai::VectorStoreId> = Vec::new();
        let mut seen = *subject;
        let mut steps = 0;
        loop {
            // A store that cannot be used now keeps what it has; only what is certainly unwanted goes.
            let keep_all = !unusable.is_empty();
            if steps >= MOST_STEPS + STEPS_OF_A_COPY * copies.len() {
                break;
            }
            steps += 1;
            let next = plan(seen.key, seen.present, &places, &copies)
                .into_iter()
                .filter(|(store, _)| !keep_all || places.iter().any(|place| place.is_named(store)))
                .find(|(store, _)| !stopped.contains_key(store));
            let Some((store, step)) = next else {
                return Ok(worst(stopped.into_values().chain(unusable)));
            };
            let applied = self.apply(&seen, &step, &copies).await;
            seen.uploaded = None;
            match applied {
                Ok(Progress::Moved) => {}
                // What is there stays until Fastio's text of it takes its place: the next look, which is asked for, sees to that.
                Ok(Progress::Refused) if extract_of(&seen).is_some() => {
                    return Ok(worst(stopped.into_values().chain(unusable)));
                }
                // OpenAI cannot index what the file is now, so nothing of it, old or new, may answer.
                Ok(Progress::Refused) => seen.present = None,
                // It is out, of these stores at least, and so is what they have of it.
                Ok(Progress::Out) => out.push(store),
                Ok(Progress::Uploaded(copy)) => seen.uploaded = Some(copy),
                Err(verdict) => {
                    stopped.insert(store, verdict);
                }
            }
            let before = copies;
            copies = self.copies(subject.key).await.map_err(|error| database_verdict(&error))?;
            // One that has just been made, because the others are full, is one of the rule's too.
            if copies.iter().any(|copy| before.iter().all(|known| known.store != copy.store)) {
                (places, unusable) = self.places(wanted, &copies).await;
            }
            places.retain(|place| out.iter().all(|store| !place.is_named(store)));
        }
        Err(Verdict::Retry { after: None, reason: format!("the work did not end after {steps} steps") })
    }

    /// Where a file belongs that these rules cover, of which these copies are on record; and why nothing can be done for some of them now.
    async fn places(&self, wanted: &[&Rule], copies: &[copy::Copy]) -> (Vec<Place>, Vec<Verdict>) {
        let (mut places, mut unusable) = (Vec::new(), Vec::new());
        for rule in wanted {
            match self.stores.resolve(rule).await {
                Ok(stores) => match stores.hinders(copies) {
                    None => Place::add(&mut places, stores.chain, rule),
                    Some(verdict) => unusable.push(verdict),
                },
                Err(verdict) => unusable.push(verdict),
            }
        }
        (places, unusable)
    }

    /// What we remember of the file, and whether it is not to be synced.
    async fn remembered(&self, key: &FileKey) -> Result<(Option<store::FileRow>, bool), database::Error> {
        let key = key.to_string();
        self.database.read(move |c| Ok((store::file(c, &key)?, erasure::store::is_withheld(c, &key)?))).await
    }

    async fn copies(&self, key: &FileKey) -> Result<Vec<copy::Copy>, database::Error> {
        let key = key.clone();
        self.database.read(move |c| store::copies(c, &key)).await
    }

    async fn bury(
        &self,
        key: &FileKey,
        known: Option<&store::FileRow>,
        reason: &'static str,
    ) -> Result<(), database::Error> {
        let told = known.filter(|known| known.is_there() || known.looked_at.is_none());
        let told = told.map_or(Vec::new(), |known| self.beside(key, known, &[]));
        let (key, now) = (key.clone(), self.clock.now());
        let bury = move |tx: &mut Connection| {
            // Something may have been put in its place.
            let lost = own::store::lose(tx, &key.profile, &key.node, now)?;
            lost.map_or(Ok(()), |of| look_at(tx, of, now))?;
            store::bury(tx, &key, reason, now)?;
            told.iter().try_for_each(|task| job::enqueue(tx, task, Priority::Live, now).map(drop))
        };
        self.database.write(bury).await?;
        self.wake.notify_one();
        Ok(())
    }

    /// The jobs that look at what stands beside a file, for each rule that runs something and covered it when it was last looked at
    /// or covers it now.
    fn beside(&self, key: &FileKey, known: &store::FileRow, matched: &[&Rule]) -> Vec<Task> {
        let covered = |rule: &&Rule| {
            known.rules.split(',').any(|name| name == rule.name)
                || matched.iter().any(|other| other.name == rule.name)
        };
        let rules = self.rules.iter().filter(|rule| rule.runs).filter(covered);
        rules.map(|rule| Task::run(key.clone(), &rule.name)).collect()
    }

    async fn see(
        &self,
        key: &FileKey,
        present: &Present,
        seen: Seen<'_>,
        told: Vec<Task>,
    ) -> Result<(), Verdict> {
        let Seen { matched, skipped, out, is_extract, is_changed, kept_out } = seen;
        let rules: Vec<&str> = matched.iter().map(|rule| rule.name.as_str()).collect();
        let (rules, skipped, now) = (rules.join(","), skipped.cloned(), self.clock.now());
        let decided_by = again::knowledge(&self.server, matched);
        let (key, present) = (key.clone(), present.clone());
        // What comes now is used now; what is found later was used when Fastio says that it was changed.
        let used_at = match is_changed && queue::is_live() {
            true => now,
            false => present.source.modified_at.unwrap_or_default().min(now),
        };
        // Fastio shows it once more, should the power fail.
        let see = move |tx: &mut Connection| {
            let judged = store::Judged {
                rules: &rules,
                skipped: skipped.as_deref(),
                out: out.as_deref(),
                is_extract,
                decided_by: &decided_by,
                used_at,
            };
            store::see(tx, (&key, &present), &judged, now)?;
            budget::store::forget(tx, &key.to_string(), (!is_changed).then_some(&rules))?;
            store::keep_out_only(tx, &key, &kept_out)?;
            told.iter().try_for_each(|task| job::enqueue(tx, task, Priority::Live, now).map(drop))
        };
        self.database.write_unsynced(see).await.map_err(|error| database_verdict(&error))
    }
}

/// What a look at a file that is there came to.
struct Seen<'a> {
    /// The rules that cover it.
    matched: &'a [&'a Rule],
    /// Why it cannot go to OpenAI, or is not to.
    skipped: Option<&'a String>,
    /// Why it is kept out of OpenAI.
    out: Option<String>,
    /// It is Fastio's text of it that goes.
    is_extract: bool,
    /// Its content is another one than was known, so that it is wanted, wherever it was.
    is_changed: bool,
    /// The names of the rules that keep it out when nothing needs it there.
    kept_out: database::JsonList,
}

/// Has what stands beside a file looked at.
fn look_at(connection: &mut Connection, of: own::ResultOf, now: i64) -> Result<(), database::Error> {
    job::enqueue(connection, &Task::run(of.key, of.rule), Priority::Live, now).map(drop)
}

/// What Fastio shows of a file, in words.
fn found(present: &Present) -> String {
    let version = present.source.version.as_ref().map(|version| format!("version {version}, "));
    format!("{}{} bytes at {}", version.unwrap_or_default(), present.source.size, present.path)
}

fn unsettled() -> Verdict {
    Verdict::Later { after: OWN_WRITE, reason: "Docket itself may just be writing it".to_owned() }
}

/// The text that Fastio read, or is reading, out of what the file is now, where it may go in its place.
fn extract_of(subject: &Subject<'_>) -> Option<Claim> {
    subject.present.and_then(|(present, claim)| claim.extract(present.extraction))
}

/// By another name it may be one that is to be held.
fn unplaced() -> Verdict {
    let reason =
        "Fastio does not say what the file, or a folder above it, is called; what is held of it stays";
    Verdict::Retry { after: None, reason: reason.to_owned() }
}

/// What the file says it is, or why it does not go to OpenAI, in words. `refused` is the content that OpenAI could not
/// index, and why.
pub fn judge(
    present: &Present,
    matched: &[&Rule],
    refused: Option<&(String, String)>,
) -> Result<Claim, String> {
    if matched.is_empty() {
        return Err(UNCOVERED.to_owned());
    }
    if let Some(reason) = present.withheld {
        return Err(reason.to_owned());
    }
    let claim = claim(&present.offer())?;
    let why = |claim: &Claim| {
        let content = store::fingerprint(&present.source, &claim.key());
        refused.filter(|(refused, _)| *refused == content).map(|(_, reason)| reason.clone())
    };
    let extract = claim.extract(present.extraction);
    match (why(&claim), extract) {
        // Fastio's text of it is the last that is tried.
        (None, extract) => extract.as_ref().and_then(why).map_or(Ok(claim), Err),
        (Some(_), Some(extract)) => Ok(extract),
        (Some(reason), None) => Err(reason),
    }
}
