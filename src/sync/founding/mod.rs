//! Whether this database is the first of its kind. One that is empty while OpenAI holds copies that a Docket made of the
//! same files is a second one: the first was lost, or lies in another folder. It would upload everything once more, and
//! leave two of each to be found, so a server refuses to begin with it.
//!
//! The look is made once in a database's life, and what came of it is on record. Where OpenAI does not answer at the start
//! the server starts all the same, because deliveries must be kept; but nothing is created or uploaded until the look has
//! been made.

pub mod store;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use super::stores::{CONTINUES, INTENT};
use crate::clock::Clock;
use crate::database::{self, Database};
use crate::job::verdict::{OPENAI, database_verdict, openai_verdict};
use crate::openai::{self, AttributeValue, Attributes, Client, FileId, VectorStore, VectorStoreId};
use crate::queue::Verdict;
use crate::rule::{Rule, Rules, Target};

pub use store::How;

/// How long a start waits for the look. A store of a thousand files is ten requests.
const LOOK_LIMIT: Duration = Duration::from_secs(10);

/// Pages of vector stores, and of one store's files, that are looked through: 10,000 of each. Copies of ours fill the
/// stores that rules name, so the first page tells; the rest is for a store that others filled first.
const PAGES: usize = 100;

/// Copies that are counted; a person needs to know how many, and not exactly beyond this.
const COUNTED: u64 = 1_000;

/// Hexadecimal digits of a SHA-256, in which our attributes give a copy's content.
const HASH_DIGITS: usize = 64;

/// A vector store with copies that a Docket made of files that the rules cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    pub store: VectorStoreId,
    pub name: Option<String>,
    /// At least this many; [`COUNTED`] when there may be more.
    pub copies: u64,
}

/// Why a database must not be begun with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}", second(.0))]
    Second(Vec<Earlier>),
    #[error("Docket's own database: {0}")]
    Database(#[from] database::Error),
}

/// What is wrong with a second database, and what to do.
pub fn second(earlier: &[Earlier]) -> String {
    let each: Vec<String> = earlier.iter().map(Earlier::to_string).collect();
    format!(
        "the database is empty, and a Docket with another database has made copies of the same files: {}. Beginning with \
         this one would upload and pay for everything once more. If the other database is lost: `docket rebuild` restores \
         it from the vector stores. If it lies elsewhere: set database.url to it. To begin anew all the same, beside what \
         is there: `docket serve --start-anew`",
        each.join(", ")
    )
}

impl std::fmt::Display for Earlier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let more = if self.copies >= COUNTED { "at least " } else { "" };
        let copies = if self.copies == 1 { "copy" } else { "copies" };
        write!(f, "{more}{} {copies} in vector store {}", self.copies, self.store)?;
        self.name.as_ref().map_or(Ok(()), |name| write!(f, " \"{name}\""))
    }
}

/// Sees to it that nothing is created or uploaded before it is known whether this database is the first.
#[derive(Debug)]
pub struct Founding {
    openai: Client,
    database: Database,
    clock: Clock,
    rules: Rules,
    founded: AtomicBool,
    /// Held during a look, so that it is made once.
    looking: Mutex<()>,
}

impl Founding {
    pub fn new(openai: Client, database: Database, clock: Clock, rules: Rules) -> Self {
        Founding { openai, database, clock, rules, founded: AtomicBool::new(false), looking: Mutex::new(()) }
    }

    /// Begins with the database, or says why not. Without an answer from OpenAI that is left to [`Founding::settled`].
    ///
    /// # Errors
    /// It is a second one; or our database's.
    pub async fn begin(&self, anew: bool) -> Result<(), Error> {
        if self.is_founded().await? {
            return Ok(());
        }
        if anew {
            return Ok(self.found(How::Anew).await?);
        }
        let failure = match tokio::time::timeout(LOOK_LIMIT, look(&self.openai, &self.rules)).await {
            Ok(Ok(earlier)) if earlier.is_empty() => return Ok(self.found(How::Empty).await?),
            // Another server that shares the database may have begun with it meanwhile.
            Ok(Ok(_)) if self.is_founded().await? => return Ok(()),
            Ok(Ok(earlier)) => return Err(Error::Second(earlier)),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", LOOK_LIMIT.as_secs()),
        };
        tracing::warn!(
            error = failure,
            "the database is new, and OpenAI does not tell whether another one has made copies there; nothing is uploaded \
             until it does"
        );
        Ok(())
    }

    /// Makes the look if it was not made yet, before something is created or uploaded.
    ///
    /// # Errors
    /// The verdict on the job that wants to.
    pub async fn settled(&self) -> Result<(), Verdict> {
        let _alone = self.looking.lock().await;
        if self.is_founded().await.map_err(|error| database_verdict(&error))? {
            return Ok(());
        }
        let earlier = look(&self.openai, &self.rules).await.map_err(|error| openai_verdict(&error))?;
        if !earlier.is_empty() {
            if self.is_founded().await.map_err(|error| database_verdict(&error))? {
                return Ok(());
            }
            return Err(Verdict::Hold { target: OPENAI.to_owned(), reason: second(&earlier) });
        }
        self.found(How::Empty).await.map_err(|error| database_verdict(&error))
    }

    async fn is_founded(&self) -> Result<bool, database::Error> {
        if self.founded.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let founded = self.database.read(store::is_founded).await?;
        self.founded.store(founded, Ordering::Relaxed);
        Ok(founded)
    }

    async fn found(&self, how: How) -> Result<(), database::Error> {
        let now = self.clock.now();
        self.database.write(move |tx| store::found(tx, how, now)).await?;
        self.founded.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// The vector stores of `rules` that hold copies which a Docket made of files in the rules' workspaces. Only reads.
///
/// # Errors
/// OpenAI's.
pub async fn look(openai: &Client, rules: &Rules) -> Result<Vec<Earlier>, openai::Error> {
    let mut earlier = Vec::new();
    for Place { store, name, target } in stores(openai, rules).await? {
        let copies = copies(openai, (&store, target), rules).await?;
        if copies > 0 {
            earlier.push(Earlier { store, name, copies });
        }
    }
    Ok(earlier)
}

/// A store that copies of ours may be in.
struct Place<'a> {
    store: VectorStoreId,
    /// Of one that a Docket made.
    name: Option<String>,
    /// Of the rule that fills it.
    target: &'a Target,
}

/// The stores that rules name by id, those with a name that a rule creates and the mark of a Docket, and those that a Docket made to
/// continue one of these.
async fn stores<'a>(openai: &Client, rules: &'a Rules) -> Result<Vec<Place<'a>>, openai::Error> {
    let (mut found, mut made) = (Vec::<Place<'a>>::new(), Vec::new());
    for rule in rules.iter() {
        let named = match &rule.target {
            Target::Id(id) => Some(id),
            Target::Create { .. } => None,
        };
        for id in named.into_iter().chain(&rule.next) {
            if found.iter().all(|place| place.store != *id) {
                found.push(Place { store: id.clone(), name: None, target: &rule.target });
            }
        }
    }
    let mut after: Option<VectorStoreId> = None;
    for _ in 0..PAGES {
        let page = openai.vector_stores(after.as_ref()).await?;
        made.extend(page.items.into_iter().filter(|store| store.metadata.contains_key(INTENT)));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let (continuing, first): (Vec<VectorStore>, Vec<VectorStore>) =
        made.into_iter().partition(|store| store.metadata.contains_key(CONTINUES));
    for store in first {
        let creates = |rule: &&Rule| matches!(&rule.target, Target::Create { create } if Some(create) == store.name.as_ref());
        if let Some(rule) = rules.iter().find(creates) {
            found.push(Place { store: store.id, name: store.name, target: &rule.target });
        }
    }
    for store in continuing {
        let is_first = |place: &&Place<'_>| store.metadata.get(CONTINUES) == Some(&place.store.0);
        if let Some(target) = found.iter().find(is_first).map(|place| place.target) {
            found.push(Place { store: store.id, name: store.name, target });
        }
    }
    Ok(found)
}

/// How many of the files in a store are copies that a Docket made under rules like ours.
async fn copies(
    openai: &Client,
    (store, target): (&VectorStoreId, &Target),
    rules: &Rules,
) -> Result<u64, openai::Error> {
    let (mut copies, mut after): (u64, Option<FileId>) = (0, None);
    for _ in 0..PAGES {
        let page = match openai.store_files(store, after.as_ref()).await {
            // A store that is not there holds nothing; that it is not is the jobs' business.
            Err(error) if error.is_not_found() => return Ok(0),
            page => page?,
        };
        let ours = page.items.iter().filter(|held| is_docket_s(&held.attributes, target, rules));
        copies += ours.count() as u64;
        match page.next {
            Some(next) if copies < COUNTED => after = Some(next),
            _ => break,
        }
    }
    Ok(copies.min(COUNTED))
}

/// Whether a Docket wrote these attributes, about a file that a rule of ours sends to `target`. What the rule is called
/// does not matter: under another name the copy is one of the same file all the same.
fn is_docket_s(attributes: &Attributes, target: &Target, rules: &Rules) -> bool {
    let text = |name: &str| match attributes.get(name) {
        Some(AttributeValue::Text(text)) => text.as_str(),
        _ => "",
    };
    let hash = text("content_hash");
    let marked = hash.len() == HASH_DIGITS
        && hash.bytes().all(|digit| digit.is_ascii_hexdigit())
        && !text("rule").is_empty()
        && attributes.contains_key("path");
    let profile = text("source_id").rsplit_once(':').map(|(profile, _)| profile).unwrap_or_default();
    marked && rules.iter().any(|rule| rule.target == *target && rule.profile.to_string() == profile)
}
