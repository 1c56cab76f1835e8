//! Something happened in a workspace, and what told of it did not say to which file: the workspace is listed as a whole, and
//! each file that differs from what we know is looked at.
//!
//! Listings are what is bounded here. A form of Fastio's webhooks that is not documented, or a replayer with one delivery,
//! may ask for them without end, and each may be a thousand pages. Asking again while one waits is one listing, and
//! after each there is a rest.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::sweep::Scope;
use super::{Error, Feed};
use crate::fastio::{NodeId, Profile};
use crate::job::verdict::{database_verdict, fastio_verdict, openai_verdict, profile_target};
use crate::job::{self, Task};
use crate::queue::{Priority, Verdict};

/// The rest after a listing. Long enough that a burst of deliveries is two listings, and short beside the patience of
/// a person who waits for a file to be found.
const REST: Duration = Duration::from_secs(15);

/// A listing that takes long is followed by a longer rest: it never takes more than a tenth of the time, of one worker and
/// of Fastio.
const RESTS_PER_LISTING: i64 = 9;

/// The rest after all workspaces were asked for, because a delivery named none. Most of them have nothing to do with it,
/// so it is rarer; and twelve times an hour is a hundred times sooner than the daily sweep, which found it before.
const REST_OF_ALL: Duration = Duration::from_secs(5 * 60);

/// Until when each workspace is left alone, by Docket's clock; all of them under `None`. Kept in memory: a restart forgets
/// it, which costs one listing.
#[derive(Debug, Default)]
pub struct Rested(Mutex<HashMap<Option<Profile>, i64>>);

impl Rested {
    fn left(&self, profile: Option<&Profile>, now: i64) -> Option<Duration> {
        let until = self.until().get(&profile.cloned()).copied()?;
        u64::try_from(until - now).ok().filter(|left| *left > 0).map(Duration::from_millis)
    }

    fn rest(&self, profile: Option<&Profile>, until: i64) {
        self.until().insert(profile.cloned(), until);
    }

    fn until(&self) -> std::sync::MutexGuard<'_, HashMap<Option<Profile>, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Feed {
    /// Lists the workspace or share, if a rule is about it; asks for a listing of each when none is named.
    pub async fn relist_told(&self, profile: Option<&Profile>) -> Verdict {
        if profile.is_some_and(|profile| !self.rules.concern(profile)) {
            return Verdict::Done;
        }
        let begun = self.clock.now();
        if let Some(after) = self.rested.left(profile, begun) {
            return Verdict::Later { after, reason: "it was listed just now".to_owned() };
        }
        let listed = match profile {
            Some(profile) => self.list_whole(profile).await,
            None => self.ask_for_all().await.map_err(verdict),
        };
        let now = self.clock.now();
        let rest = match profile {
            Some(_) => millis(REST).max((now - begun).saturating_mul(RESTS_PER_LISTING)),
            None => millis(REST_OF_ALL),
        };
        if listed.is_ok() {
            self.rested.rest(profile, now.saturating_add(rest));
        }
        listed.err().unwrap_or(Verdict::Done)
    }

    async fn list_whole(&self, profile: &Profile) -> Result<(), Verdict> {
        tracing::info!(profile = %profile, "a webhook does not say what changed there: listing it as a whole");
        // The limit of a sweep guards against belief in a list. Here each file is only looked at, as a webhook that names
        // its folder would have it.
        let scope = Scope {
            profile: Some(profile.clone()),
            fastio_only: true,
            beyond_limit: true,
            ..Scope::default()
        };
        let report = self.sweep(scope, &mut |_| {}).await.map_err(verdict)?;
        let Some(gap) = report.incomplete.into_iter().next() else { return Ok(()) };
        // One question tells whether the listing failed or the whole of Fastio.
        Err(match self.fastio.node(profile, &NodeId::root()).await {
            Ok(_) => {
                Verdict::Retry { after: None, reason: format!("the list is not complete: {}", gap.error) }
            }
            Err(error) if error.is_not_found() => {
                Verdict::Hold { target: profile_target(profile), reason: error.to_string() }
            }
            Err(error) => fastio_verdict(&error),
        })
    }

    async fn ask_for_all(&self) -> Result<(), Error> {
        let (profiles, now) = (self.rules.profiles(), self.clock.now());
        let asked = self.database.write(move |tx| {
            for profile in &profiles {
                let task = Task::Relist { profile: Some(profile.clone()) };
                job::enqueue(tx, &task, Priority::Live, now)?;
            }
            Ok(())
        });
        asked.await?;
        self.wake.notify_waiters();
        Ok(())
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn verdict(error: Error) -> Verdict {
    match error {
        Error::Fastio(error) => fastio_verdict(&error),
        Error::Openai(error) => openai_verdict(&error),
        Error::Database(error) => database_verdict(&error),
        Error::Panicked(_) => Verdict::Retry { after: None, reason: error.to_string() },
        Error::NoRule(_) | Error::Refused(_) | Error::Endless(_) => {
            Verdict::Dead { reason: error.to_string() }
        }
    }
}
