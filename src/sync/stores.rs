//! The vector stores that the rules name: created once where a rule says so, and refused while they would lose what we
//! put there. One that is full continues in the next, which a person named or Docket makes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::copy::{Copy, CopyId};
use super::founding::Founding;
use super::retire::there;
use super::store::{self, Chain, Occupied};
use crate::clock::Clock;
use crate::contain::lock;
use crate::database::{self, Connection, Database};
use crate::fastio::{NodeId, Profile};
use crate::job::verdict::{OPENAI, database_verdict, openai_has, openai_verdict, store_target};
use crate::job::{self, Task};
use crate::openai::{Client, FileId, MOST_FILES, VectorStore, VectorStoreId};
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

/// The keys in the metadata of a store that continues another: the id of the first, and the number of this one.
pub const CONTINUES: &str = "docket_continues";
pub const NUMBER: &str = "docket_store_number";

/// How long a store that OpenAI said to be full is taken to be, though nothing of ours left it: what others have in it may leave.
const FULL_FOR_MS: i64 = 60 * 60 * 1000;

/// Of how many places in a store one is kept free, so that OpenAI does not have to refuse what many workers bring at once. And how many
/// are at most.
const KEPT_FREE: (u64, u64) = (100, 1_000);

/// A store that may be filled.
#[derive(Debug, Clone)]
struct Sound {
    id: VectorStoreId,
    /// Unix milliseconds.
    checked_at: i64,
    room: Room,
}

/// How much goes into a store.
#[derive(Debug, Clone, Copy)]
struct Room {
    /// Files that it takes.
    most: u64,
    /// Files in it that are not ours.
    foreign: u64,
}

/// How stores are filled.
#[derive(Debug, Clone, Copy)]
pub struct Filling {
    /// Docket makes the next store itself.
    pub makes_next: bool,
    /// How many files a store takes, where that is not as OpenAI documents it.
    pub most: Option<u64>,
}

/// The stores of a rule as they are now.
#[derive(Debug, Clone)]
pub struct Resolved {
    pub chain: Chain,
    /// Those of them that nothing can be done in now, and what that means for a job that has to.
    pub unusable: Vec<(VectorStoreId, Verdict)>,
}

impl Resolved {
    /// The verdict on the job of a file of which these copies are on record, where one of them is in a store that nothing can be done in.
    pub fn hinders(&self, copies: &[Copy]) -> Option<Verdict> {
        let holds = |store: &VectorStoreId| copies.iter().any(|copy| copy.store == *store);
        self.unusable.iter().find(|(store, _)| holds(store)).map(|(_, verdict)| verdict.clone())
    }
}

#[derive(Debug)]
pub struct Stores {
    openai: Client,
    database: Database,
    clock: Clock,
    founding: Arc<Founding>,
    rules: Rules,
    filling: Filling,
    /// Those that this process has seen with the key it has: one of them that is gone was deleted.
    seen: std::sync::Mutex<HashSet<VectorStoreId>>,
    /// Those that are on record as full.
    told: std::sync::Mutex<HashSet<VectorStoreId>>,
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
        filling: Filling,
    ) -> Self {
        Stores {
            openai,
            database,
            clock,
            founding,
            rules,
            filling,
            seen: std::sync::Mutex::default(),
            told: std::sync::Mutex::default(),
            sound: std::sync::Mutex::default(),
            turns: std::sync::Mutex::default(),
        }
    }

    /// The stores that `rule` fills: the first is created if it has to be, each is checked if it was not lately.
    ///
    /// # Errors
    /// The verdict on any job that needs the first of them.
    pub async fn resolve(&self, rule: &Rule) -> Result<Resolved, Verdict> {
        let first = self.sound(&rule.target).await?.id;
        let read_of = first.clone();
        let continued = self.database.read(move |c| store::continued(c, &read_of)).await;
        let continued = continued.map_err(|error| database_verdict(&error))?;
        let (mut stores, mut unusable) = (vec![first], Vec::new());
        for id in &rule.next {
            if let Err(verdict) = self.sound(&Target::Id(id.clone())).await {
                unusable.push((id.clone(), verdict));
            }
            stores.push(id.clone());
        }
        for one in continued {
            // One that is yet to be made is made when it is needed.
            let Some(known) = one.id.or(one.lost) else { continue };
            match self.sound(&Target::Create { create: one.name }).await {
                Ok(sound) => stores.push(sound.id),
                Err(verdict) => {
                    unusable.push((known.clone(), verdict));
                    stores.push(known);
                }
            }
        }
        Ok(Resolved { chain: Chain::new(stores), unusable })
    }

    /// The first store of `rule` that has room for `copies` more, made if it has to be.
    ///
    /// # Errors
    /// The verdict on a job that needs the room: as [`Stores::resolve`], and that no store has it.
    pub async fn room(&self, rule: &Rule, copies: u64) -> Result<VectorStoreId, Verdict> {
        let Resolved { chain, unusable } = self.resolve(rule).await?;
        let read_of = chain.clone();
        let occupied = self.database.read(move |c| store::occupied(c, &read_of)).await;
        let occupied = occupied.map_err(|error| database_verdict(&error))?;
        let is_usable = |store: &&VectorStoreId| unusable.iter().all(|(known, _)| known != *store);
        let has_room = |store: &&VectorStoreId| {
            let of = occupied.get(store).copied().unwrap_or_default();
            self.room_of(store).is_none_or(|room| room.takes(of, copies, self.clock.now()))
        };
        if let Some(found) = chain.iter().filter(is_usable).find(has_room) {
            self.tell_full(&chain, found).await?;
            return Ok(found.clone());
        }
        if let Some((_, verdict)) = unusable.into_iter().next() {
            return Err(verdict);
        }
        self.next(rule, chain, copies).await
    }

    /// The store that follows those of `chain`, which are full.
    async fn next(&self, rule: &Rule, chain: Chain, copies: u64) -> Result<VectorStoreId, Verdict> {
        let first = chain.first().expect("a rule that was resolved has a store").clone();
        if !self.filling.makes_next {
            let last = chain.iter().next_back().unwrap_or(&first);
            return Err(hold(last, none_follows(&rule.name, &chain)));
        }
        let most = self.filling.most.unwrap_or(MOST_FILES);
        let empty = Room { most, foreign: 0 };
        if !empty.takes(Occupied::default(), copies, 0) {
            return Err(fits_nowhere(copies, most));
        }
        let read_of = first.clone();
        let continued = self.database.read(move |c| store::continued(c, &read_of)).await;
        let continued = continued.map_err(|error| database_verdict(&error))?;
        // One that is on record and not there yet is this one.
        let begun = continued.iter().find(|one| one.id.is_none() && one.lost.is_none());
        let stores = u32::try_from(chain.iter().count()).unwrap_or(u32::MAX - 1);
        let number = match begun {
            Some(begun) => begun.number,
            None => continued.iter().map(|one| one.number).max().unwrap_or(0).max(stores) + 1,
        };
        let name = rule.target.continued(number);
        let (named, intent, now) = (name.clone(), uuid::Uuid::now_v7().to_string(), self.clock.now());
        let write =
            move |tx: &mut Connection| store::continue_in(tx, (&named, &intent), (&first, number), now);
        self.database.write(write).await.map_err(|error| database_verdict(&error))?;
        let made = self.sound(&Target::Create { create: name }).await?.id;
        let known = chain.iter().filter(|store| **store != made).cloned().chain([made.clone()]).collect();
        self.tell_full(&Chain::new(known), &made).await?;
        Ok(made)
    }

    /// Writes down, once, that the stores before `found` have no room.
    async fn tell_full(&self, chain: &Chain, found: &VectorStoreId) -> Result<(), Verdict> {
        let stores: Vec<VectorStoreId> = chain.iter().cloned().collect();
        let full = stores.iter().zip(stores.iter().skip(1)).take_while(|(store, _)| *store != found);
        for (store, next) in full.filter(|(store, _)| !lock(&self.told).contains(*store)) {
            let (of, to, now) = (store.clone(), next.clone(), self.clock.now());
            let told = self.database.write(move |tx| store::full(tx, (&of, &to), now)).await;
            if told.map_err(|error| database_verdict(&error))? {
                tracing::info!(
                    vector_store = %store,
                    next = %next,
                    "a vector store is full; what is new goes into the next one, which whoever searches the first has to search too"
                );
            }
            lock(&self.told).insert(store.clone());
        }
        Ok(())
    }

    /// OpenAI says that `store` takes no more, for a file of which `copies` are on their way to it.
    ///
    /// # Errors
    /// The verdict on the file's job, where no store can take all of it.
    pub async fn refused(&self, store: &VectorStoreId, copies: u64) -> Result<(), Verdict> {
        let looked = self.openai.vector_store(store).await.map_err(|error| openai_verdict(&error))?;
        let total = looked.file_counts.total;
        // It is full of this file's copies alone, and so would the next one be.
        if total > 0 && total < copies {
            return Err(fits_nowhere(copies, total));
        }
        let (of, now) = (store.clone(), self.clock.now());
        let refused = self.database.write(move |tx| store::refused(tx, &of, now)).await;
        refused.map_err(|error| database_verdict(&error))
    }

    fn room_of(&self, store: &VectorStoreId) -> Option<Room> {
        lock(&self.sound).values().find(|sound| sound.id == *store).map(|sound| sound.room)
    }

    /// The store that `target` names, created if it has to be, checked if it was not lately.
    async fn sound(&self, target: &Target) -> Result<Sound, Verdict> {
        self.founding.settled().await?;
        let turn = self.turn(target);
        let _turn = turn.lock().await;
        let now = self.clock.now();
        if let Some(sound) = self.known_sound(target, now) {
            return Ok(sound);
        }
        let (id, looked) = match target {
            Target::Id(id) => (id.clone(), self.look(id).await?.ok_or_else(|| missing(id))?),
            Target::Create { create } => {
                let mut id = self.made(create).await?;
                let mut looked = self.look(&id).await?;
                if looked.is_none() {
                    id = self.make_anew(create, &id).await?;
                    looked = self.look(&id).await?;
                }
                let looked = looked.ok_or_else(|| {
                    let reason = format!("vector store {id} was just made, and OpenAI does not show it yet");
                    Verdict::Retry { after: None, reason }
                })?;
                (id, looked)
            }
        };
        let sound = Sound { room: self.measure(&looked).await?, id: id.clone(), checked_at: now };
        lock(&self.seen).insert(id);
        lock(&self.sound).insert(target.clone(), sound.clone());
        Ok(sound)
    }

    /// How much goes into a store, and is in it that is not ours.
    async fn measure(&self, looked: &VectorStore) -> Result<Room, Verdict> {
        let chain = Chain::new(vec![looked.id.clone()]);
        let occupied = self.database.read(move |c| store::occupied(c, &chain)).await;
        let occupied = occupied.map_err(|error| database_verdict(&error))?;
        let ours = occupied.get(&looked.id).map_or(0, |of| of.held);
        let most = self.filling.most.unwrap_or_else(|| looked.most_files());
        Ok(Room { most, foreign: looked.file_counts.total.saturating_sub(ours) })
    }

    fn turn(&self, target: &Target) -> Arc<Mutex<()>> {
        lock(&self.turns).entry(target.clone()).or_default().clone()
    }

    fn known_sound(&self, target: &Target, now: i64) -> Option<Sound> {
        let sound = lock(&self.sound);
        let known = sound.get(target)?;
        // A clock that stepped back makes an entry look young: then it counts as old.
        let age = u128::try_from(now - known.checked_at).unwrap_or(u128::MAX);
        (age < SOUND_FOR.as_millis()).then(|| known.clone())
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
    async fn look(&self, id: &VectorStoreId) -> Result<Option<VectorStore>, Verdict> {
        match self.openai.vector_store(id).await {
            Ok(store) => match fault(&store) {
                None => Ok(Some(store)),
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

    /// Whether the store was made for a rule that creates one, or to continue another.
    async fn is_made(&self, id: &VectorStoreId) -> Result<bool, database::Error> {
        let id = id.clone();
        let made = self.database.read(move |c| store::made_as(c, &id)).await?;
        Ok(made.is_some_and(|(name, continues)| {
            let creates = |rule: &Rule| matches!(&rule.target, Target::Create { create } if *create == name);
            continues.is_some() || self.rules.iter().any(creates)
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
                let mut metadata = BTreeMap::from([(INTENT.to_owned(), row.intent)]);
                if let Some((first, number)) = &row.continues {
                    metadata.insert(CONTINUES.to_owned(), first.0.clone());
                    metadata.insert(NUMBER.to_owned(), number.to_string());
                }
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
        let (name, id, rules, now) = (name.to_owned(), id.clone(), self.rules.clone(), self.clock.now());
        let write = move |tx: &mut Connection| {
            store::store_made(tx, &name, &id)?;
            let Some(lost) = &lost else { return Ok(()) };
            store::moved(tx, (lost, &id))?;
            // Each file that was in the one before is looked at, in its turn.
            let mut profiles: BTreeSet<&Profile> = BTreeSet::new();
            for rule in rules.iter() {
                if store::chain(tx, rule)?.has(&id) {
                    profiles.insert(&rule.profile);
                }
            }
            for profile in profiles {
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

impl Room {
    /// Whether a store in which so much is takes `copies` more, without being filled to the last place.
    fn takes(self, occupied: Occupied, copies: u64, now: i64) -> bool {
        let Occupied { held, coming, refused } = occupied;
        let ours = held + coming + copies;
        let was_full =
            refused.is_some_and(|(held_then, at)| (0..FULL_FOR_MS).contains(&(now - at)) && ours > held_then);
        let kept_free = (self.most / KEPT_FREE.0).min(KEPT_FREE.1);
        !was_full && ours + self.foreign <= self.most - kept_free
    }
}

/// More than any store takes.
fn fits_nowhere(copies: u64, most: u64) -> Verdict {
    let reason = format!(
        "it is cut into {copies} segments, which belong into one vector store, and one takes {most} files: split the file, or raise \
         sync.split_text_above_bytes"
    );
    Verdict::Dead { reason }
}

/// What to do where no store has room and none is to be made.
fn none_follows(rule: &str, chain: &Chain) -> String {
    let all: Vec<String> = chain.iter().map(ToString::to_string).collect();
    format!(
        "the vector stores of rule {rule} are full ({}): name another one in its vector_stores_next, or let Docket make it with \
         sync.continue_full_stores = true",
        all.join(", ")
    )
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
