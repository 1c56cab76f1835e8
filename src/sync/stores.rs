//! The vector stores that the rules name: created once where a rule says so, and refused while they would lose what we
//! put there.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::copy::CopyId;
use super::founding::Founding;
use super::retire::there;
use super::store;
use crate::clock::Clock;
use crate::contain::lock;
use crate::database::{self, Connection, Database};
use crate::fastio::{NodeId, Profile};
use crate::job::verdict::{OPENAI, database_verdict, openai_has, openai_verdict, store_target};
use crate::job::{self, Task};
use crate::openai::{Client, FileId, VectorStore, VectorStoreId};
use crate::queue::{Priority, Verdict};
use crate::rule::{Rule, Rules, Target};

/// How long a store that was found sound is taken to be. An expiry that is set later is noticed within this.
const SOUND_FOR: Duration = Duration::from_secs(10 * 60);

/// The key in a store's metadata that says which of our rows it was made for.
pub const INTENT: &str = "docket_intent";

/// Files that are looked for where their store is gone, to tell a deletion from a key of another project.
const SAMPLE: u32 = 5;

/// Pages of vector stores that are searched for one whose creation was not answered: 10,000 stores.
const PAGES: usize = 100;

/// How long one server has to make a store that several need; more than its requests may take together.
const MAKES: Duration = Duration::from_secs(5 * 60);

/// How soon the others look whether it is there.
const OTHERS_MAKE: Duration = Duration::from_millis(500);

/// A store that may be filled.
#[derive(Debug)]
struct Sound {
    id: VectorStoreId,
    /// Unix milliseconds.
    checked_at: i64,
}

#[derive(Debug)]
pub struct Stores {
    openai: Client,
    database: Database,
    clock: Clock,
    founding: Arc<Founding>,
    rules: Rules,
    /// Those that this process has seen with the key it has: one of them that is gone was deleted.
    seen: std::sync::Mutex<HashSet<VectorStoreId>>,
    /// When each was last found sound.
    sound: std::sync::Mutex<HashMap<Target, Sound>>,
    /// One target's is held while it is created or checked, so that this is done once, and the files of other stores do
    /// not wait.
    turns: std::sync::Mutex<HashMap<Target, Arc<Mutex<()>>>>,
}

impl Stores {
    pub fn new(
        openai: Client,
        database: Database,
        clock: Clock,
        (founding, rules): (Arc<Founding>, Rules),
    ) -> Self {
        Stores {
            openai,
            database,
            clock,
            founding,
            rules,
            seen: std::sync::Mutex::default(),
            sound: std::sync::Mutex::default(),
            turns: std::sync::Mutex::default(),
        }
    }

    /// The id of the store that `target` names, created if it has to be, checked if it was not lately.
    ///
    /// # Errors
    /// The verdict on any job that needs this store.
    pub async fn resolve(&self, target: &Target) -> Result<VectorStoreId, Verdict> {
        self.founding.settled().await?;
        let turn = self.turn(target);
        let _turn = turn.lock().await;
        let now = self.clock.now();
        if let Some(id) = self.known_sound(target, now) {
            return Ok(id);
        }
        let id = match target {
            Target::Id(id) => self.look(id).await?.map(|()| id.clone()).ok_or_else(|| missing(id))?,
            Target::Create { create } => {
                let id = self.made(create).await?;
                match self.look(&id).await? {
                    Some(()) => id,
                    None => self.make_anew(create, &id).await?,
                }
            }
        };
        lock(&self.seen).insert(id.clone());
        lock(&self.sound).insert(target.clone(), Sound { id: id.clone(), checked_at: now });
        Ok(id)
    }

    fn turn(&self, target: &Target) -> Arc<Mutex<()>> {
        lock(&self.turns).entry(target.clone()).or_default().clone()
    }

    fn known_sound(&self, target: &Target, now: i64) -> Option<VectorStoreId> {
        let sound = lock(&self.sound);
        let Sound { id, checked_at } = sound.get(target)?;
        // A clock that stepped back makes an entry look young: then it counts as old.
        let age = u128::try_from(now - checked_at).unwrap_or(u128::MAX);
        (age < SOUND_FOR.as_millis()).then(|| id.clone())
    }

    /// Looks at the store at once: a call that needs it went wrong.
    ///
    /// # Errors
    /// As [`Stores::resolve`].
    pub async fn check(&self, id: &VectorStoreId) -> Result<(), Verdict> {
        if self.look(id).await?.is_some() {
            return Ok(());
        }
        if self.is_made(id).await.map_err(|error| database_verdict(&error))? {
            // It is to be looked at again by each rule that names it.
            lock(&self.sound).retain(|_, sound| sound.id != *id);
            let reason = format!("vector store {id} is gone at OpenAI; it is made anew");
            return Err(Verdict::Later { after: Duration::ZERO, reason });
        }
        Err(missing(id))
    }

    /// Whether the store is there; None when it is certain that it is not: OpenAI says so, and does not list it.
    async fn look(&self, id: &VectorStoreId) -> Result<Option<()>, Verdict> {
        match self.openai.vector_store(id).await {
            Ok(store) => match fault(&store) {
                None => Ok(Some(())),
                Some(fault) => Err(hold(id, format!("vector store {id} {fault}"))),
            },
            Err(error) if error.is_not_found() => match there(self.openai.lists_store(id).await)? {
                false => Ok(None),
                true => Err(Verdict::Retry { after: None, reason: error.to_string() }),
            },
            Err(error) => Err(openai_verdict(&error)),
        }
    }

    /// Makes a store anew that a rule creates and that was deleted. What was in it is attached to the new one, or uploaded
    /// again where it is gone too.
    ///
    /// # Errors
    /// As [`Stores::resolve`]. It is held where nothing of ours is at OpenAI: the key may be one of another project.
    async fn make_anew(&self, name: &str, old: &VectorStoreId) -> Result<VectorStoreId, Verdict> {
        let lost = old.clone();
        let name_here = name.to_owned();
        let read = self.database.read(move |c| {
            Ok((store::is_given_up(c, &name_here, &lost)?, store::some_objects(c, &lost, SAMPLE)?))
        });
        let (given_up, objects) = read.await.map_err(|error| database_verdict(&error))?;
        let was_seen = lock(&self.seen).contains(old);
        if !given_up && !was_seen && !objects.is_empty() && !self.has_any(&objects).await? {
            return Err(hold(old, elsewhere(name, old)));
        }
        tracing::warn!(
            vector_store = %old,
            name,
            "a vector store that a rule creates is gone at OpenAI; making it anew, and all its files are attached to it"
        );
        let (name_here, lost, now) = (name.to_owned(), old.clone(), self.clock.now());
        let fresh = uuid::Uuid::now_v7().to_string();
        let forget = move |tx: &mut Connection| store::lose_store(tx, (&name_here, &fresh), &lost, now);
        self.database.write(forget).await.map_err(|error| database_verdict(&error))?;
        self.made(name).await
    }

    /// Whether one of these File objects is there.
    async fn has_any(&self, objects: &[FileId]) -> Result<bool, Verdict> {
        for file_id in objects {
            if openai_has(self.openai.file(file_id).await)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the store was made for a rule that creates one.
    async fn is_made(&self, id: &VectorStoreId) -> Result<bool, database::Error> {
        let id = id.clone();
        let name = self.database.read(move |c| store::made_name(c, &id)).await?;
        Ok(name.is_some_and(|name| {
            self.rules.iter().any(|rule| matches!(&rule.target, Target::Create { create } if *create == name))
        }))
    }

    async fn made(&self, name: &str) -> Result<VectorStoreId, Verdict> {
        let fresh = uuid::Uuid::now_v7().to_string();
        let row = self.row(name, &fresh).await.map_err(|error| database_verdict(&error))?;
        if let Some(id) = row.id {
            return Ok(id);
        }
        let turn = format!("vector store {name}");
        let taken =
            self.database.take_turn(&turn, Some(MAKES)).await.map_err(|error| database_verdict(&error))?;
        if !taken {
            return Err(Verdict::later(
                OTHERS_MAKE,
                "waits for another server, which makes its vector store",
            ));
        }
        let made = self.make(name, &fresh).await;
        self.database.end_turn(&turn).await.map_err(|error| database_verdict(&error))?;
        made
    }

    /// Makes the store, unless it has been made meanwhile. `fresh` is the intent if it is ours.
    async fn make(&self, name: &str, fresh: &str) -> Result<VectorStoreId, Verdict> {
        let row = self.row(name, fresh).await.map_err(|error| database_verdict(&error))?;
        if let Some(id) = row.id {
            return Ok(id);
        }
        // An intent of an earlier try may have been carried out without our hearing of it.
        let found = if row.intent == fresh { None } else { self.find(&row.intent).await? };
        let id = match found {
            Some(id) => id,
            None => {
                let metadata = BTreeMap::from([(INTENT.to_owned(), row.intent)]);
                let made = self.openai.create_vector_store(name, &metadata).await;
                made.map_err(|error| openai_verdict(&error))?.id
            }
        };
        self.record(name, &id).await.map_err(|error| database_verdict(&error))?;
        tracing::info!(vector_store = %id, name, "vector store ready");
        Ok(id)
    }

    async fn find(&self, intent: &str) -> Result<Option<VectorStoreId>, Verdict> {
        let (mut after, mut unreadable) = (None::<VectorStoreId>, 0);
        for _ in 0..PAGES {
            let page =
                self.openai.vector_stores(after.as_ref()).await.map_err(|error| openai_verdict(&error))?;
            let ours = page
                .items
                .iter()
                .find(|store| store.metadata.get(INTENT).is_some_and(|value| value == intent));
            if let Some(store) = ours {
                return Ok(Some(store.id.clone()));
            }
            unreadable += page.unreadable;
            match page.next {
                Some(next) => after = Some(next),
                None if unreadable == 0 => return Ok(None),
                None => {
                    let reason = "an entry of OpenAI's list of vector stores cannot be read, and may be ours";
                    return Err(Verdict::Retry { after: None, reason: reason.to_owned() });
                }
            }
        }
        Err(Verdict::Hold {
            target: OPENAI.to_owned(),
            reason: "there are more vector stores than Docket searches for its own: name one by its id"
                .to_owned(),
        })
    }

    async fn row(&self, name: &str, intent: &str) -> Result<store::MadeStore, database::Error> {
        let (name, intent, now) = (name.to_owned(), intent.to_owned(), self.clock.now());
        self.database.write(move |tx| store::made_store(tx, &name, &intent, now)).await
    }

    /// Writes down that the store called `name` is `id`. What was in the one before moves first: should Docket be killed
    /// meanwhile, it is found again by its intent, and the rest moves.
    async fn record(&self, name: &str, id: &VectorStoreId) -> Result<(), database::Error> {
        let name_here = name.to_owned();
        let lost = self.database.read(move |c| store::lost_store(c, &name_here)).await?;
        let lost = lost.filter(|lost| lost != id);
        if let Some(lost) = &lost {
            self.move_copies(lost, id).await?;
        }
        let fills = |rule: &&Rule| {
            lost.is_some() && matches!(&rule.target, Target::Create { create } if create == name)
        };
        let profiles: BTreeSet<Profile> =
            self.rules.iter().filter(fills).map(|rule| rule.profile.clone()).collect();
        let (name, id, now) = (name.to_owned(), id.clone(), self.clock.now());
        let write = move |tx: &mut Connection| {
            store::store_made(tx, &name, &id)?;
            // Each file that was in the one before is looked at, in its turn.
            for profile in &profiles {
                let folder = Task::Folder { profile: profile.clone(), node: NodeId::root() };
                job::enqueue(tx, &folder, Priority::Backfill, now)?;
            }
            Ok(())
        };
        self.database.write(write).await
    }

    async fn move_copies(&self, from: &VectorStoreId, to: &VectorStoreId) -> Result<(), database::Error> {
        let now = self.clock.now();
        let mut moved = Some(CopyId(0));
        while let Some(after) = moved {
            let (from, to) = (from.clone(), to.clone());
            let bite = move |tx: &mut Connection| store::move_copies(tx, (&from, &to), after, now);
            moved = self.database.write(bite).await?;
        }
        Ok(())
    }
}

fn hold(id: &VectorStoreId, reason: String) -> Verdict {
    Verdict::Hold { target: store_target(id), reason }
}

fn missing(id: &VectorStoreId) -> Verdict {
    hold(id, format!("OpenAI has no vector store {id}: put the right id into the rule, or use another key"))
}

/// Why a store that is gone is not made anew.
fn elsewhere(name: &str, id: &VectorStoreId) -> String {
    format!(
        "neither the vector store \"{name}\" ({id}) nor the files in it are there for this key. If it is a key of another \
         project, use one of theirs. If all of it was deleted, `docket files retry --rule NAME` has it made anew"
    )
}

/// Why nothing should be put into `store`.
pub fn fault(store: &VectorStore) -> Option<&'static str> {
    if store.status.as_deref() == Some("expired") {
        return Some("has expired: it answers nothing and takes nothing. Name another one in the rule");
    }
    // OpenAI's guide: when a store expires, what was attached to it is gone.
    store.expires_after.is_some().then_some(
        "has an expiry policy (expires_after), after which all it holds is gone. Remove the policy, or name another store",
    )
}
