//! Files of which what derives from them is erased: since Fastio has purged them, or since a person asked for it. The latter are not
//! synced again until the person says so, whatever is told of them.

use std::sync::Mutex;

use super::apply::{Announced, Subject};
use super::{Sync, store};
use crate::database::{Connection, json_list};
use crate::erasure::{self, Because};
use crate::fastio::FileKey;
use crate::job::verdict::database_verdict;
use crate::queue::Verdict;

/// What a person is told of a file that is not synced.
const WHY: &str = "what derives from it was erased when a person asked for it";

impl Sync {
    /// Removes what is held of a file that is not to be synced.
    pub(super) async fn withhold(
        &self,
        key: &FileKey,
        known: Option<&store::FileRow>,
    ) -> Result<Verdict, Verdict> {
        if known.is_some_and(store::FileRow::is_there) {
            self.bury(key, known, WHY).await.map_err(|error| database_verdict(&error))?;
        }
        let announced = Announced::of(None);
        let subject =
            Subject { key, present: None, announced: &announced, uploaded: None, upload: &Mutex::default() };
        let verdict = self.converge(&subject, &[]).await?;
        if verdict == Verdict::Done {
            let source = key.to_string();
            let forget = move |tx: &mut Connection| {
                // While that goes on, what runs left is still looked at.
                match erasure::store::going(tx, &source)? {
                    Some(_) => Ok(()),
                    None => store::forget(tx, &json_list(&[&source])).map(drop),
                }
            };
            self.database.write(forget).await.map_err(|error| database_verdict(&error))?;
        }
        Ok(verdict)
    }

    /// Whether what derived from the file is erased, or about to be.
    pub(super) async fn is_erased(&self, key: &FileKey) -> Result<bool, Verdict> {
        let source = key.to_string();
        let last = self.database.read(move |c| erasure::store::last(c, &source)).await;
        Ok(last.map_err(|error| database_verdict(&error))?.is_some())
    }

    /// Begins to erase what derives from a file that Fastio has purged, if the settings want that.
    pub(super) async fn purged(&self, key: &FileKey) -> Result<(), Verdict> {
        if !self.erase_purged {
            return Ok(());
        }
        let (key, now) = (key.clone(), self.clock.now());
        let begin = move |tx: &mut Connection| {
            if store::file(tx, &key.to_string())?.is_some() {
                erasure::store::begin(tx, &key, Because::Purged, now)?;
            }
            Ok(())
        };
        self.database.write(begin).await.map_err(|error| database_verdict(&error))?;
        self.wake.notify_one();
        Ok(())
    }
}
