//! The project's vector stores: one that a rule's creation made twice is a stray. Its job looks once more, and removes it
//! when it is empty.

use super::difference::Kind;
use super::{Finding, Sweeper};
use crate::feed::Error;
use crate::feed::patience::{first, patiently};
use crate::http::pages::Pages;
use crate::job::{self, Task};
use crate::openai::{self, VectorStore, VectorStoreId};
use crate::queue::Priority;
use crate::sync::{is_stray, survey};

impl Sweeper<'_> {
    pub async fn strays(&mut self) -> Result<(), Error> {
        if self.scope.rule.is_some() || self.scope.profile.is_some() {
            // They belong to no rule.
            return Ok(());
        }
        let intents = self.feed.database.read(survey::store::intents).await?;
        if intents.is_empty() {
            return Ok(());
        }
        let (mut pages, mut after) = (Pages::default(), None::<VectorStoreId>);
        loop {
            let call = || self.feed.openai.vector_stores(after.as_ref());
            let page = match patiently(self.feed.sweeps.page_tries, openai::Error::retry, call).await {
                Ok(page) => page,
                Err(error) => {
                    self.incomplete("OpenAI's vector stores".to_owned(), &error);
                    return Ok(());
                }
            };
            for store in &page.items {
                if let Some(counted) = self.report.counted.get_mut(&store.id.0) {
                    counted.told = Some(store.file_counts.total);
                }
            }
            for store in page.items.iter().filter(|store| is_stray(store, &intents)) {
                self.stray(store).await?;
            }
            self.report.unreadable += page.unreadable;
            let Some(next) = page.next else { return Ok(()) };
            if let Err(endless) = pages.turn(page.items.len(), first(&page.items, |store| &store.id.0)) {
                self.incomplete("OpenAI's vector stores".to_owned(), &endless);
                return Ok(());
            }
            after = Some(next);
        }
    }

    async fn stray(&mut self, store: &VectorStore) -> Result<(), Error> {
        if store.file_counts.total > 0 {
            // It is in use, so that nothing of it goes.
            return Ok(());
        }
        let (id, why) = (store.id.to_string(), "a vector store that was made twice, and is empty");
        let finding = Finding { vector_store: Some(id.clone()), ..Finding::new(Kind::Stray, why, &id, "") };
        self.found(&finding, true);
        if self.scope.dry_run {
            return Ok(());
        }
        let (task, now) = (Task::Stray { store: store.id.to_string() }, self.feed.clock.now());
        self.feed.database.write(move |tx| job::enqueue(tx, &task, Priority::Live, now)).await?;
        self.feed.wake.notify_waiters();
        Ok(())
    }
}
