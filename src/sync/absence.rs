//! Whether a file that Fastio does not show is gone: what removes copies has to be certain.

use std::time::Duration;

use super::{Sync, store};
use crate::database;
use crate::fastio::{self, Absence, FileKey, NodeId, Profile};
use crate::job::Task;
use crate::job::verdict::{FASTIO, database_verdict, fastio_verdict, profile_target};
use crate::queue::Verdict;

/// How often a file that was told of and is not shown is looked for again, with growing waits of seconds, before it
/// counts as one that came and went. Whether Fastio shows a new file at once everywhere is not documented.
pub(super) const LOOKS_FOR_NEW: u16 = 4;

/// How long a file that we hold must be unknown to Fastio before its copies go: longer than one server may be behind.
const MISSING_FOR_CERTAIN: Duration = Duration::from_secs(10);

impl Sync {
    /// Makes sure that the workspace or share is still shown to us. A lost membership and a mistyped id answer "not
    /// found" for every file, which must not look as if all of them were deleted.
    pub(super) async fn prove_profile(&self, profile: &Profile) -> Result<(), Verdict> {
        match self.fastio.node(profile, &NodeId::root()).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() || is_forbidden(&error) => {
                let reason = format!(
                    "this key may not see {profile} in Fastio, or it does not exist: give the key access, or change the rule"
                );
                Err(Verdict::Hold { target: profile_target(profile), reason })
            }
            Err(error) => Err(fastio_verdict(&error)),
        }
    }

    /// Makes sure that Fastio's "not found" is its last word. What is deleted goes to the trash, where Fastio still shows
    /// it; what it does not know at all was purged, or is too new for one of its servers to know.
    pub(super) async fn prove_missing(
        &self,
        key: &FileKey,
        (known, attempt): (Option<&store::FileRow>, u16),
    ) -> Result<(), Verdict> {
        let now = self.clock.now();
        match known {
            None if attempt <= LOOKS_FOR_NEW => {
                let reason = "Fastio reported a file that it does not show yet".to_owned();
                Err(Verdict::NotYet { reason })
            }
            // What was told of may be known to Fastio by another id.
            None => self.add(vec![Task::Relist { profile: Some(key.profile.clone()) }]).await,
            Some(known) => {
                if known.missing_since.is_none() {
                    self.miss(key, now).await.map_err(|error| database_verdict(&error))?;
                }
                let missing =
                    u64::try_from(self.clock.since(known.missing_since.unwrap_or(now))).unwrap_or(0);
                if missing >= MISSING_FOR_CERTAIN.as_millis() as u64 {
                    return self.prove_absent(key, known).await;
                }
                let reason =
                    "Fastio does not know the file any more; looking once more to be certain".to_owned();
                Err(Verdict::Later { after: MISSING_FOR_CERTAIN, reason })
            }
        }
    }

    /// Makes sure of it by an answer that only Fastio can give. It costs a call for each file that was purged.
    async fn prove_absent(&self, key: &FileKey, known: &store::FileRow) -> Result<(), Verdict> {
        let folder = known.folder().unwrap_or_else(NodeId::root);
        let why = match self.fastio.absence(&key.profile, &key.node, &folder).await {
            Ok(Absence::Proven) => return Ok(()),
            Ok(Absence::Disproven) => "it is there by another of its answers",
            Ok(Absence::Unproven) => "none of its other answers says so",
            Err(error) => return Err(self.unseen(&key.profile, &error).await),
        };
        let reason = format!("Fastio says that it does not know the file, and {why}; nothing is removed");
        Err(Verdict::Retry { after: None, reason })
    }

    /// Fastio did not tell what a file is. A refusal may concern this file alone or every one.
    pub(super) async fn unseen(&self, profile: &Profile, error: &fastio::Error) -> Verdict {
        let verdict = fastio_verdict(error);
        if !is_forbidden(error) {
            return verdict;
        }
        match self.fastio.node(profile, &NodeId::root()).await {
            Ok(_) => Verdict::Retry { after: None, reason: error.to_string() },
            Err(_) => Verdict::Hold { target: FASTIO.to_owned(), reason: error.to_string() },
        }
    }

    async fn miss(&self, key: &FileKey, now: i64) -> Result<(), database::Error> {
        let key = key.clone();
        self.database.write(move |tx| store::miss(tx, &key, now)).await
    }
}

fn is_forbidden(error: &fastio::Error) -> bool {
    matches!(error.kind, fastio::ErrorKind::Forbidden { .. })
}
