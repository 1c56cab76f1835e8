//! What stands in rows of what the breaker holds, where several servers share the queue: what others wrote is learnt, and what changed here
//! is to be written.

use std::collections::{BTreeSet, HashMap};

use super::pause::Pause;
use super::store::{PauseRow, Unsaved};
use super::{Breaker, Needs, PROBE_LEASE, State, Strike};
use crate::contain::lock;
use crate::queue::millis;

impl Breaker {
    /// Takes over what other servers wrote, unless something changed here since `revision`, which these rows may not have.
    pub fn learn(&self, rows: Vec<PauseRow>, revision: u64) {
        let mut state = lock(&self.0);
        if state.revision != revision {
            return;
        }
        let theirs: HashMap<String, PauseRow> =
            rows.into_iter().map(|row| (row.target.clone(), row)).collect();
        let targets: BTreeSet<String> = state.rows.keys().chain(theirs.keys()).cloned().collect();
        for target in targets {
            let (known, now) = (state.rows.get(&target), theirs.get(&target));
            let own = state.pause(&target).map(|pause| pause.row(&target));
            // What was changed here is still to be written.
            if known == now || own.as_ref() != known {
                continue;
            }
            state.adopt(&target, now.cloned());
        }
    }

    /// What the jobs need that other servers work on now.
    pub fn learn_running(&self, elsewhere: Vec<Needs>) {
        lock(&self.0).elsewhere = elsewhere;
    }

    /// How often what stands in rows has changed here.
    pub fn revision(&self) -> u64 {
        lock(&self.0).revision
    }

    /// What a job that needs this would probe, and when that was due, as it stands in rows.
    pub fn probed_with(&self, needs: &Needs) -> Vec<(String, i64)> {
        let state = lock(&self.0);
        let held = state.pauses_of(needs).filter(|(_, pause)| pause.is_held());
        held.filter_map(|(name, _)| Some((name.to_owned(), state.rows.get(name)?.probe_at))).collect()
    }

    /// Until when a probe that begins now keeps others from being one.
    pub fn probe_lease(now: i64) -> i64 {
        now + millis(PROBE_LEASE)
    }

    /// What has to be written, if the rows are not as they were when they were last saved.
    pub fn unsaved(&self) -> Option<Unsaved> {
        let state = lock(&self.0);
        if state.revision == state.saved {
            return None;
        }
        let own: HashMap<String, PauseRow> =
            state.pauses().map(|(cause, pause)| (cause.to_owned(), pause.row(cause))).collect();
        let gone = state.rows.keys().filter(|target| !own.contains_key(*target)).cloned().collect();
        let changed = own.into_values().filter(|row| state.rows.get(&row.target) != Some(row)).collect();
        Some(Unsaved { revision: state.revision, changed, gone })
    }

    /// This is on disk.
    pub fn saved(&self, written: Unsaved) {
        let mut state = lock(&self.0);
        state.saved = state.saved.max(written.revision);
        for target in &written.gone {
            state.rows.remove(target);
        }
        state.rows.extend(written.changed.into_iter().map(|row| (row.target.clone(), row)));
    }
}

impl State {
    fn pause(&self, target: &str) -> Option<&Pause> {
        self.causes.get(target)?.pause.as_ref()
    }

    /// Another server has written that this is paused so, or is open.
    fn adopt(&mut self, target: &str, row: Option<PauseRow>) {
        let cause = self.causes.entry(target.to_owned()).or_default();
        cause.pause = row.as_ref().map(Pause::learnt);
        let is_confirmed = cause.pause.as_ref().is_some_and(|pause| pause.is_held() && !pause.is_doubtful());
        if is_confirmed && row.as_ref().is_some_and(|row| row.is_confirmed) {
            self.refunds.extend(std::mem::take(&mut cause.strikes).iter().flat_map(Strike::cost));
        }
        if cause.is_idle() {
            self.causes.remove(target);
        }
        match row {
            Some(row) => self.rows.insert(target.to_owned(), row),
            None => self.rows.remove(target),
        };
    }
}
