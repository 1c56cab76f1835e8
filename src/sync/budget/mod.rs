//! What OpenAI may hold. Fastio is the source of truth, and what is at OpenAI costs money and has an end; so a rule, a vector store and the
//! project may each have a budget. Where one is full, what is used least leaves and comes back when it is wanted.
//!
//! ```text
//!   in ──▶ used least, and another one needs its room ──▶ leaving ──▶ out ──▶ changed, asked for, needed by a run, or room again ──▶ in
//! ```
//!
//! Everything is decided in one place and one transaction (`store::admit`), just before an upload: rows of `copy` are what is held, from
//! the intent of an upload to the end of a deletion. An upload begins only when it fits beside all of them, so servers that
//! work beside each other exceed a budget by nothing but the replacement of a version by the next, which is there twice for a moment. What
//! is in is what was used last, whatever the order in which it was looked at: a file never pushes out one that was used after it.

mod amount;
mod rotate;
mod scope;
pub mod store;
mod told;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Deserialize;

use super::Sync;
use super::apply::{Progress, Subject, later};
use super::plan::Place;
use crate::contain::lock;
use crate::database::{Connection, Error};
use crate::job::verdict::database_verdict;
use crate::queue::trail::{self, What};
use crate::queue::{self, Verdict};
use crate::rule::{Budget, Rules};

pub use amount::{Amount, Most};
pub use rotate::Rotated;
pub use scope::{Of, Scope};
use store::{Admission, Wanted};
pub use told::{Plan, Standing};

/// How long an upload stands back while room is made for it.
const MAKES_ROOM: Duration = Duration::from_secs(1);

/// Where so many bytes and files are left, nobody counts for this long. All that servers upload meanwhile is less.
const FAR: Amount = Amount { files: 20_000, bytes: 200_000_000_000, stored: 200_000_000_000 };
const FAR_FOR_MS: i64 = 10_000;

/// How the project's storage is used (`[storage]`).
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What OpenAI lets the project hold, in millions of bytes. Its help centre says 2.5 TB.
    pub limit_megabytes: u32,
    /// How much of that stays free: what others add between two sweeps, and versions that replace each other.
    pub margin_percent: u8,
    /// What Docket may take of it, over all rules.
    pub budget: Budget,
    /// The same for a vector store, by what `vector_store` calls it.
    pub stores: BTreeMap<String, Budget>,
    /// What a gigabyte in vector stores costs a day.
    pub dollars_a_gigabyte_day: f64,
    /// Gigabytes that the organisation has for nothing.
    pub free_gigabytes: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            limit_megabytes: 2_500_000,
            margin_percent: 10,
            budget: Budget::default(),
            stores: BTreeMap::new(),
            dollars_a_gigabyte_day: 0.1,
            free_gigabytes: 1.0,
        }
    }
}

impl Settings {
    /// The budgets, for people.
    pub fn plan(&self, rules: &Rules) -> Plan {
        Plan { scopes: scope::all(self, rules), dollars_a_gigabyte_day: self.dollars_a_gigabyte_day }
    }

    /// What cannot work, in words.
    pub fn faults(&self, rules: &Rules) -> Vec<String> {
        let mut faults = Vec::new();
        let is_price = |price: f64| price.is_finite() && price >= 0.0;
        if !is_price(self.dollars_a_gigabyte_day) || !is_price(self.free_gigabytes) {
            faults.push("storage: a price and what is free are numbers, and not below 0".to_owned());
        }
        let named = self.stores.iter().map(|(name, budget)| (format!("storage.stores.\"{name}\""), budget));
        for (name, budget) in named.chain([("storage.budget".to_owned(), &self.budget)]) {
            faults.extend(budget.check().err().map(|what| format!("{name}: {what}")));
        }
        let is_filled = |name: &&String| rules.iter().any(|rule| scope::name(&rule.target) == **name);
        let unknown = self.stores.keys().filter(|name| !is_filled(name));
        faults.extend(unknown.map(|name| {
            format!("storage.stores.\"{name}\": no rule has a vector_store that is called so: write its id, or the name that it is created with")
        }));
        faults
    }
}

/// All budgets there are, and the rules that they are about.
#[derive(Debug, Clone)]
pub struct Budgets {
    scopes: Arc<[Scope]>,
    pub settings: Settings,
    rules: Rules,
    /// Until when nobody has to count, by rule.
    far_until: Arc<Mutex<BTreeMap<String, i64>>>,
}

impl Budgets {
    pub fn new(settings: Settings, rules: Rules) -> Self {
        let scopes = scope::all(&settings, &rules).into();
        Budgets { scopes, settings, rules, far_until: Arc::default() }
    }

    /// All of them, the rules' first.
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// Those that a file of this rule needs room in.
    fn of<'a>(&'a self, rule: &'a str) -> impl Iterator<Item = &'a Scope> {
        self.scopes.iter().filter(move |scope| scope.has(rule))
    }

    /// Whether there is so much room for this rule that it need not be counted now.
    fn is_far(&self, connection: &mut Connection, rule: &str, now: i64) -> Result<bool, Error> {
        let usage = store::usage(connection)?;
        let is_far = self.of(rule).all(|scope| scope.most.over(usage.of(scope).held() + FAR).is_none());
        if is_far {
            lock(&self.far_until).insert(rule.to_owned(), now + FAR_FOR_MS);
        }
        Ok(is_far)
    }

    fn was_far(&self, rule: &str, now: i64) -> bool {
        // A clock that was set back counts anew.
        lock(&self.far_until).get(rule).is_some_and(|until| (now..=now + FAR_FOR_MS).contains(until))
    }
}

/// What an upload needs, where it has to be counted.
#[derive(Debug, Clone)]
pub(super) struct Room {
    budgets: Budgets,
    wanted: Wanted,
}

impl Room {
    /// Whether it is there now.
    ///
    /// # Errors
    /// The database's.
    pub fn is_there(&self, connection: &mut Connection) -> Result<bool, Error> {
        store::fits(connection, &self.budgets, &self.wanted)
    }
}

/// Another upload was faster.
pub(super) fn no_room() -> Verdict {
    later(MAKES_ROOM, "waits until there is room: another file has taken what there was")
}

impl Sync {
    /// What a copy of the file in `place` needs; none where there is so much that nobody counts.
    pub(super) fn room_of(&self, subject: &Subject<'_>, place: &Place) -> Option<Room> {
        let (present, _) = subject.present?;
        if self.budgets.was_far(&place.rule, self.clock.now()) {
            return None;
        }
        let wanted = Wanted {
            key: subject.key.clone(),
            path: present.path.clone(),
            rule: place.rule.clone(),
            size: Amount::of_file(present.source.size),
            is_live: queue::is_live(),
        };
        Some(Room { budgets: self.budgets.clone(), wanted })
    }

    /// Whether a copy of the file may be made in `place` now. Where it does not fit, what is used less begins to leave, and it waits; where
    /// nothing is used less, the file itself is out, which is on record then.
    ///
    /// # Errors
    /// The verdict on the job, which waits while room is made.
    pub(super) async fn find_room(
        &self,
        subject: &Subject<'_>,
        place: &Place,
    ) -> Result<Option<Progress>, Verdict> {
        let Some(room) = self.room_of(subject, place) else { return Ok(None) };
        let now = self.clock.now();
        let counted = room.clone();
        let is_there = move |c: &mut Connection| {
            Ok(counted.budgets.is_far(c, &counted.wanted.rule, now)? || counted.is_there(c)?)
        };
        if self.database.read(is_there).await.map_err(|error| database_verdict(&error))? {
            return Ok(None);
        }
        let admit = move |tx: &mut Connection| store::admit(tx, &room.budgets, &room.wanted, now);
        let admitted = self.database.write(admit).await;
        match admitted.map_err(|error| database_verdict(&error))? {
            Admission::Room => Ok(None),
            Admission::Wait { reason, leaving } => {
                if leaving > 0 {
                    self.wake.notify_waiters();
                }
                Err(later(MAKES_ROOM, &reason))
            }
            Admission::Out { reason } => {
                trail::done(What::Skipped, (now, now), reason);
                Ok(Some(Progress::Out))
            }
        }
    }
}
