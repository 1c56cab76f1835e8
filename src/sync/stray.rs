//! Vector stores that are ours and that nothing uses: one whose creation was not answered, was made again, and was then
//! carried out after all. A stray is removed only when it carries an intent of ours that led to another store, no rule and
//! no copy of ours names it, and it is empty.

use std::collections::HashMap;

use super::survey;
use super::{INTENT, Sync};
use crate::job::verdict::{database_verdict, openai_verdict};
use crate::openai::{VectorStore, VectorStoreId};
use crate::queue::Verdict;
use crate::rule::Target;

/// Whether `store` was made for an intent that led to another store. `intents` are those on record.
pub fn is_stray(store: &VectorStore, intents: &HashMap<String, VectorStoreId>) -> bool {
    let made_for = store.metadata.get(INTENT).and_then(|intent| intents.get(intent));
    made_for.is_some_and(|used| *used != store.id)
}

impl Sync {
    /// Looks at a store that seems to be a stray, and removes it if it is one and empty.
    pub async fn stray(&self, id: &VectorStoreId) -> Verdict {
        self.try_stray(id).await.unwrap_or_else(|verdict| verdict)
    }

    async fn try_stray(&self, id: &VectorStoreId) -> Result<Verdict, Verdict> {
        let store = match self.openai.vector_store(id).await {
            Ok(store) => store,
            Err(error) if error.is_not_found() => return Ok(Verdict::Done),
            Err(error) => return Err(openai_verdict(&error)),
        };
        let read = self.database.read(|c| Ok((survey::store::intents(c)?, survey::store::stores(c)?)));
        let (intents, with_copies) = read.await.map_err(|error| database_verdict(&error))?;
        let named =
            self.rules.iter().any(|rule| rule.target == Target::Id(id.clone()) || rule.next.contains(id));
        if !is_stray(&store, &intents) || named || with_copies.contains(id) {
            return Ok(Verdict::Done);
        }
        // The counts may lag behind (inferred), so the list is asked too.
        let held = self.openai.store_files(id, None).await.map_err(|error| openai_verdict(&error))?;
        if store.file_counts.total > 0 || !held.items.is_empty() || held.unreadable > 0 || held.next.is_some()
        {
            tracing::warn!(vector_store = %id, "a second vector store of ours is not empty, and is left to a person");
            return Ok(Verdict::Done);
        }
        match self.openai.delete_vector_store(id).await {
            Ok(_) => tracing::info!(vector_store = %id, "an empty second vector store is removed"),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(openai_verdict(&error)),
        }
        Ok(Verdict::Done)
    }
}
