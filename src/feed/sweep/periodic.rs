//! Sweeps from time to time. When the last one ended stands in the database, so a server that is started often does not
//! sweep more often.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::store::last;
use super::{Report, Scope};
use crate::feed::store::{self, RuleMark, Way};
use crate::feed::{Error, Feed};

/// How often is looked whether a sweep is due.
const LOOK: Duration = Duration::from_secs(60);

/// A server that starts first does what it was asked.
const START: Duration = Duration::from_secs(10);

/// How soon a sweep that panicked is tried again.
const AFTER_PANIC: Duration = Duration::from_secs(15 * 60);

/// How soon a sweep with an incomplete list is tried again, when they are further apart.
const AGAIN_MS: i64 = 15 * 60 * 1000;

impl Feed {
    /// Sweeps if it is time, or there never was a sweep.
    ///
    /// # Errors
    /// Our database's.
    pub async fn sweep_if_due(&self) -> Result<Option<Report>, Error> {
        if self.sweeps.every_minutes == 0 {
            return Ok(None);
        }
        let read = self.database.read(|c| Ok((last(c)?, store::state(c)?)));
        let (last, state) = read.await?;
        let alone = self.settings.org_id.is_some() && state.is_some_and(|state| state.way() == Way::Sweeps);
        let minutes = match alone && self.sweeps.alone_minutes > 0 {
            true => self.sweeps.every_minutes.min(self.sweeps.alone_minutes),
            false => self.sweeps.every_minutes,
        };
        let every = i64::from(minutes) * 60_000;
        let due = last.is_none_or(|last| {
            let wait = if last.outcome == "incomplete" { every.min(AGAIN_MS) } else { every };
            // A clock that stepped back must not put sweeps off for years.
            let since = self.clock.now() - last.ended_at;
            since >= wait || since < 0
        });
        if !due {
            return Ok(None);
        }
        self.sweep(Scope::default(), &mut |_| {}).await.map(Some)
    }

    /// Sweeps if the rules are not those of the last sweep that put everything right. A sweep that its limit stops is not
    /// repeated by this before the next start.
    ///
    /// # Errors
    /// Our database's.
    pub async fn sweep_if_changed(&self) -> Result<Option<Report>, Error> {
        let changed = self.changed_rules().await?;
        if changed.is_empty() {
            return Ok(None);
        }
        let rules = changed.join(", ");
        tracing::info!(rules, "these rules came, went or changed since the last whole sweep; a sweep begins");
        self.sweep(Scope::default(), &mut |_| {}).await.map(Some)
    }

    /// The rules that came, went or changed since the last sweep that put everything right. None before the first.
    pub(in crate::feed) async fn changed_rules(&self) -> Result<Vec<String>, Error> {
        let read = self.database.read(|c| Ok((store::swept_rules(c)?, last(c)?)));
        let (swept, last) = read.await?;
        let (marks, now) = (self.rule_marks(), self.clock.now());
        if swept.is_empty() && last.is_none() {
            if self.sweeps.every_minutes == 0 {
                // There are no sweeps, so what is there now is what a change is told from.
                self.database.write(move |tx| store::rules_swept(tx, &marks, now)).await?;
            }
            return Ok(Vec::new());
        }
        let is_new = |(name, mark): &&RuleMark| swept.get(name).is_none_or(|before| before != mark);
        let mut changed: Vec<String> = marks.iter().filter(is_new).map(|(name, _)| name.clone()).collect();
        changed.extend(swept.into_keys().filter(|name| marks.iter().all(|(ours, _)| ours != name)));
        Ok(changed)
    }

    /// Has the next server that starts compare everything at once, as if all rules were new.
    ///
    /// # Errors
    /// Our database's.
    pub async fn sweep_at_start(&self) -> Result<(), Error> {
        let names: Vec<String> = self.rules.iter().map(|rule| rule.name.clone()).collect();
        let now = self.clock.now();
        self.database.write(move |tx| store::rules_followed(tx, &names, now)).await?;
        Ok(())
    }

    pub(super) fn rule_marks(&self) -> Vec<RuleMark> {
        self.rules.iter().map(|rule| (rule.name.clone(), rule.fingerprint.clone())).collect()
    }

    /// Follows rules that have changed and sweeps, at once, and then sweeps whenever it is time, until `stop`.
    pub async fn sweep_for_ever(&self, stop: CancellationToken) {
        let begin = async {
            self.follow_rules().await?;
            self.sweep_if_changed().await
        };
        let mut wait = tokio::select! {
            () = stop.cancelled() => return,
            swept = begin => rest(swept, START),
        };
        loop {
            tokio::select! { () = stop.cancelled() => return, () = tokio::time::sleep(wait) => {} }
            wait = tokio::select! {
                () = stop.cancelled() => return,
                swept = self.sweep_if_due() => rest(swept, LOOK),
            };
        }
    }
}

/// Says that a sweep failed, and how long to wait before the next look: `usually`, unless it panicked. It read much to get
/// there, and would most likely panic there again.
fn rest(swept: Result<Option<Report>, Error>, usually: Duration) -> Duration {
    let Err(error) = swept else { return usually };
    tracing::error!(error = %error, "a sweep failed");
    if matches!(error, Error::Panicked(_)) { AFTER_PANIC } else { usually }
}
