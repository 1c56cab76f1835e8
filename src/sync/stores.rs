//! The vector stores that the rules name: created once where a rule says so, and refused while they would lose what we
//! put there.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::founding::Founding;
use super::store;
use crate::clock::Clock;
use crate::contain::lock;
use crate::database::{self, Database};
use crate::job::verdict::{OPENAI, database_verdict, openai_verdict, store_target};
use crate::openai::{Client, VectorStore, VectorStoreId};
use crate::queue::Verdict;
use crate::rule::Target;

/// How long a store that was found sound is taken to be. An expiry that somebody sets is noticed within this.
const SOUND_FOR: Duration = Duration::from_secs(10 * 60);

/// The key in a store's metadata that says which of our rows it was made for.
pub const INTENT: &str = "docket_intent";

/// Pages of vector stores that are searched for one whose creation was not answered: 10,000 stores.
const PAGES: usize = 100;

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
    /// When each was last found sound. One target's lock is held while it is created or checked, so that this is done
    /// once, and the files of other stores do not wait.
    sound: std::sync::Mutex<HashMap<Target, Arc<Mutex<Option<Sound>>>>>,
}

impl Stores {
    pub fn new(openai: Client, database: Database, clock: Clock, founding: Arc<Founding>) -> Self {
        Stores { openai, database, clock, founding, sound: std::sync::Mutex::default() }
    }

    /// The id of the store that `target` names, created if it has to be, checked if it was not lately.
    ///
    /// # Errors
    /// The verdict on any job that needs this store.
    pub async fn resolve(&self, target: &Target) -> Result<VectorStoreId, Verdict> {
        self.founding.settled().await?;
        let now = self.clock.now();
        let entry = self.entry(target);
        let mut sound = entry.lock().await;
        if let Some(Sound { id, checked_at }) = sound.as_ref() {
            // A clock that stepped back makes an entry look young: then it counts as old.
            if (0..SOUND_FOR.as_millis()).contains(&u128::try_from(now - checked_at).unwrap_or(u128::MAX)) {
                return Ok(id.clone());
            }
        }
        let id = match target {
            Target::Id(id) => id.clone(),
            Target::Create { create } => self.made(create).await?,
        };
        self.check(&id).await?;
        *sound = Some(Sound { id: id.clone(), checked_at: now });
        Ok(id)
    }

    fn entry(&self, target: &Target) -> Arc<Mutex<Option<Sound>>> {
        let mut sound = lock(&self.sound);
        sound.entry(target.clone()).or_default().clone()
    }

    /// Looks at the store at once: a call that needs it went wrong.
    ///
    /// # Errors
    /// As [`Stores::resolve`].
    pub async fn check(&self, id: &VectorStoreId) -> Result<(), Verdict> {
        let hold = |reason: String| Verdict::Hold { target: store_target(id), reason };
        match self.openai.vector_store(id).await {
            Ok(store) => match fault(&store) {
                None => Ok(()),
                Some(fault) => Err(hold(format!("vector store {id} {fault}"))),
            },
            Err(error) if error.is_not_found() => Err(hold(format!(
                "OpenAI has no vector store {id}: put the right id into the rule, or use another key"
            ))),
            Err(error) => Err(openai_verdict(&error)),
        }
    }

    async fn made(&self, name: &str) -> Result<VectorStoreId, Verdict> {
        let fresh = uuid::Uuid::now_v7().to_string();
        let row = self.row(name, &fresh).await.map_err(|error| database_verdict(&error))?;
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

    async fn record(&self, name: &str, id: &VectorStoreId) -> Result<(), database::Error> {
        let (name, id) = (name.to_owned(), id.clone());
        self.database.write(move |tx| store::store_made(tx, &name, &id)).await
    }
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
