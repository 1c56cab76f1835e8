//! The way back from what was final. A file is skipped by what was known then: this version of Docket, the rules that cover
//! it and the server that refused it. When one of them is another, it is looked at again at the next start; a person can
//! ask for it at any time.

pub mod store;

use sha2::{Digest, Sha256};

use super::Sync;
use crate::database;
use crate::fastio::{FileKey, NodeId, Profile};
use crate::job::Task;
use crate::queue::Priority;
use crate::rule::Rule;

/// Files in one transaction, so that others get their turn in between.
const AT_ONCE: u32 = 500;

/// Digits of the hash over rules: enough to tell some hundred settings of one installation apart.
const DIGITS: usize = 16;

/// By what a file covered by `rules` is judged, where `server` takes what is uploaded.
pub(super) fn knowledge(server: &str, rules: &[&Rule]) -> String {
    let mut hash = Sha256::new();
    hash.update(server.as_bytes());
    for rule in rules {
        hash.update(rule.fingerprint.as_bytes());
    }
    let digest = hex::encode(hash.finalize());
    format!("{} {}", env!("CARGO_PKG_VERSION"), &digest[..DIGITS])
}

impl Sync {
    /// Asks for another look at each file that was skipped by other knowledge than there is now. Returns how many.
    ///
    /// # Errors
    /// The database's.
    pub async fn reconsider(&self) -> Result<u64, database::Error> {
        let (mut after, mut asked) = (String::new(), 0);
        loop {
            let last = after.clone();
            let rows = self.database.read(move |c| store::skipped(c, &last, AT_ONCE)).await?;
            let Some(last) = rows.last() else { break };
            after = last.source_id.clone();
            let other: Vec<_> = rows.into_iter().filter(|row| self.knows_otherwise(row)).collect();
            if other.is_empty() {
                continue;
            }
            asked += other.len() as u64;
            let now = self.clock.now();
            self.database.write(move |tx| store::reopen(tx, &other, (Priority::Backfill, now))).await?;
        }
        if asked > 0 {
            tracing::info!(
                files = asked,
                "files that were skipped by other rules or another version are looked at again"
            );
            self.wake.notify_waiters();
        }
        Ok(asked)
    }

    fn knows_otherwise(&self, row: &store::Row) -> bool {
        let Ok(profile) = row.profile.parse::<Profile>() else { return false };
        let known = knowledge(&self.server, &self.rules.covering(&profile, &row.path));
        row.decided_by.as_ref() != Some(&known)
    }
}

impl store::Row {
    /// The job that looks at the file.
    fn task(&self) -> Option<Task> {
        let profile = self.profile.parse::<Profile>().ok()?;
        let FileKey { profile, node } = FileKey::new(profile, NodeId::new(self.node.clone()));
        Some(Task::File { profile, node })
    }
}
