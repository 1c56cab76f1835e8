//! How fast the runs of a model begin. While all goes well, as fast as there is work. When a limit of the account is met, or the
//! service has trouble with the model, none begins for as long as the service asks, or for a wait that grows; then one at a time,
//! and twice as many with each that goes well.
//!
//! Before any of that, no more are begun than the account's tokens and requests of a minute allow, as OpenAI tells them ([`room`]).
//!
//! It stands beside the queue's breaker, which asks whether a service answers: here it answers, takes the run, and says minutes
//! later that the account may not do so much.

pub mod room;
pub mod store;

use std::time::Duration;

use super::Runs;
use super::row::Run;
use super::settings::Definition;
use super::store::Change;
use crate::database::Connection;
use crate::http::MAX_WAIT;
use crate::job::verdict::openai_verdict;
use crate::openai::{Error, ErrorKind};
use crate::queue::Verdict;

/// The first wait where the service does not say how long. OpenAI's limits are of a minute and are given back continuously.
const FIRST_WAIT_MS: f64 = 1_000.0;

/// By how much the wait grows with each failure in a row: some ten responses in the first minute, four an hour in the end.
const GROWTH: f64 = 1.5;

/// As many at once as no account's limit asks to be careful with: from then on nothing is counted any more.
const WIDE: i64 = 64;

/// The least wait for a turn. Runs that wait for theirs look as often as turns come, and not all at once.
const LEAST_TURN_MS: i64 = 2_000;

/// How long a run takes, roughly, as long as nothing is known.
const ONE_RUN_MS: i64 = 2_000;

/// The longest wait for a turn.
const LONGEST_TURN_MS: i64 = 5 * 60 * 1000;

/// A model whose runs are paced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    pub reason: String,
    pub struck_at: i64,
    pub strikes: i64,
    pub until: i64,
    pub allowed: i64,
}

/// How a run must wait for its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    pub reason: String,
    pub wait_ms: i64,
}

impl Pace {
    /// The next pace after a failure of what was begun at `begun_at`.
    fn struck(known: Option<&Pace>, struck: &Struck, now: i64) -> Pace {
        let asked = |ms: i64| struck.asked.map_or(ms, |asked| i64::try_from(asked.as_millis()).unwrap_or(ms));
        let (reason, begun_at) = (struck.reason.clone(), struck.begun_at.unwrap_or(now));
        match known {
            // What was begun before the last failure was known says nothing new, but for a longer wait.
            Some(pace) if begun_at <= pace.struck_at => {
                Pace { until: pace.until.max(now + asked(0)), ..pace.clone() }
            }
            known => {
                let strikes = known.map_or(0, |pace| pace.strikes) + 1;
                let until = now + asked(grown(strikes));
                let allowed = known.map_or(1, |pace| (pace.allowed / 2).max(1));
                Pace { reason, struck_at: now, strikes, until, allowed }
            }
        }
    }

    /// The next pace after something that was begun at `begun_at` went well; none when it needs none any more.
    fn went_well(self, begun_at: i64) -> Option<Pace> {
        if begun_at <= self.struck_at {
            return Some(self);
        }
        let allowed = self.allowed * 2;
        (allowed <= WIDE).then_some(Pace { allowed, strikes: 0, ..self })
    }

    /// How long a run has to wait beside those that go on and those that wait; not at all when it is its turn.
    fn turn(&self, (going, waiting): (i64, i64), now: i64) -> Option<Turn> {
        let (pause, full) = (self.until - now, going >= self.allowed);
        if pause <= 0 && !full {
            return None;
        }
        let queue = (waiting / self.allowed).saturating_mul(ONE_RUN_MS).clamp(LEAST_TURN_MS, LONGEST_TURN_MS);
        // Spread, so that a turn is taken soon by one of them and not asked for by all.
        let wait_ms = pause.max(0)
            + if full { fastrand::i64(LEAST_TURN_MS..=queue) } else { fastrand::i64(0..=LEAST_TURN_MS) };
        Some(Turn { reason: self.reason.clone(), wait_ms })
    }
}

/// What made a pace slower.
#[derive(Debug)]
pub(super) struct Struck {
    pub reason: String,
    /// When what failed was begun; none where it was refused, which says something of now.
    pub begun_at: Option<i64>,
    /// The wait that the service asks for.
    pub asked: Option<Duration>,
}

fn grown(strikes: i64) -> i64 {
    let strikes = i32::try_from(strikes - 1).unwrap_or(i32::MAX);
    let most = i64::try_from(MAX_WAIT.as_millis()).unwrap_or(i64::MAX);
    ((FIRST_WAIT_MS * GROWTH.powi(strikes)) as i64).clamp(0, most)
}

/// The model that a rule's runs are counted under.
pub(super) fn model(definition: &Definition) -> &str {
    definition.engine.model().unwrap_or_default()
}

impl Runs {
    /// It is not the run's turn: it lets go of its lock and waits, and says why.
    pub(super) async fn await_turn(&self, run: &Run, turn: Turn) -> Result<(), Verdict> {
        self.locks.release(&run.holder(), &run.key).await?;
        if run.reason.as_deref() != Some(&turn.reason) {
            self.record(run.id, [Change::Waits(Some(turn.reason.clone()))]).await?;
        }
        Err(Verdict::later(Duration::from_millis(turn.wait_ms.unsigned_abs()), &turn.reason))
    }

    /// The runs of this model begin more slowly from now on.
    pub(super) async fn slow_down(&self, definition: &Definition, struck: Struck) -> Result<(), Verdict> {
        let (said, name) = (struck.reason.clone(), model(definition));
        let (model, now) = (name.to_owned(), self.clock.now());
        let write = move |tx: &mut Connection| {
            let known = store::get(tx, &model)?;
            let next = Pace::struck(known.as_ref(), &struck, now);
            let is_new = known.is_none();
            store::put(tx, &model, &next, now).map(|()| is_new)
        };
        if self.database.write(write).await? {
            tracing::warn!(
                model = name,
                reason = said,
                "runs begin a few at a time until it goes well again"
            );
        }
        Ok(())
    }

    /// What the model answered shows that there is room.
    pub(super) async fn speed_up(&self, (run, definition): (&Run, &Definition)) -> Result<(), Verdict> {
        let (model, begun_at) = (model(definition).to_owned(), run.begun_at.unwrap_or(0));
        let now = self.clock.now();
        let (read, name) = (model.clone(), model.clone());
        if self.database.read(move |connection| store::get(connection, &read)).await?.is_none() {
            return Ok(());
        }
        let write = move |tx: &mut Connection| {
            let Some(pace) = store::get(tx, &model)? else { return Ok(false) };
            match pace.went_well(begun_at) {
                Some(next) => store::put(tx, &model, &next, now).map(|()| false),
                None => store::forget(tx, &model).map(|()| true),
            }
        };
        if self.database.write(write).await? {
            tracing::info!(model = name, "runs begin as fast as there is work again");
        }
        Ok(())
    }

    /// What a failed call means for the run that made it. A limit of the account is waited for, and is no try.
    pub(super) async fn unanswered(&self, definition: &Definition, error: &Error) -> Verdict {
        let ErrorKind::RateLimited { wait } = error.kind else { return openai_verdict(error) };
        let reason = limit_reached(definition, &error.to_string());
        let struck = Struck { reason: reason.clone(), begun_at: None, asked: wait };
        if let Err(verdict) = self.slow_down(definition, struck).await {
            return verdict;
        }
        let (model, now) = (model(definition).to_owned(), self.clock.now());
        let pace = self.database.read(move |connection| store::get(connection, &model)).await;
        match pace {
            Ok(pace) => {
                let wait =
                    pace.map_or(0, |pace| (pace.until - now).max(0)) + fastrand::i64(0..=LEAST_TURN_MS);
                Verdict::later(Duration::from_millis(wait.unsigned_abs()), &reason)
            }
            Err(error) => error.into(),
        }
    }
}

/// Why runs of a model wait, in words.
pub(super) fn limit_reached(definition: &Definition, said: &str) -> String {
    let model = called(definition);
    format!(
        "a limit of the OpenAI account is reached, and runs of {model} begin a few at a time until it goes well again: {said}"
    )
}

/// The model as people call it.
pub(super) fn called(definition: &Definition) -> String {
    match model(definition) {
        "" => "the assistant's model".to_owned(),
        model => format!("model {model}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(known: Option<&Pace>, begun_at: i64, asked: Option<u64>, now: i64) -> Pace {
        let struck = Struck {
            reason: "r".to_owned(),
            begun_at: Some(begun_at),
            asked: asked.map(Duration::from_secs),
        };
        Pace::struck(known, &struck, now)
    }

    #[test]
    fn a_burst_that_fails_together_is_one_failure_and_the_wait_grows_with_each_in_a_row() {
        let first = struck(None, 1, None, 100);
        assert_eq!((first.strikes, first.until, first.allowed), (1, 1_100, 1));
        assert_eq!(struck(Some(&first), 50, None, 120), first, "it was begun before that was known");
        assert_eq!(struck(Some(&first), 50, Some(30), 120).until, 30_120, "but for a longer wait");
        let second = struck(Some(&first), 1_200, None, 2_000);
        assert_eq!((second.strikes, second.until), (2, 3_500));
        assert_eq!(grown(100), i64::try_from(MAX_WAIT.as_millis()).unwrap());
    }

    #[test]
    fn what_goes_well_widens_it_until_it_is_gone() {
        let mut pace = struck(None, 1, Some(60), 100);
        assert_eq!(pace.until, 60_100, "the service said so");
        assert_eq!(pace.clone().went_well(50), Some(pace.clone()), "it was begun before");
        let mut widths = Vec::new();
        while let Some(next) = pace.clone().went_well(200) {
            widths.push(next.allowed);
            pace = next;
        }
        assert_eq!(widths, [2, 4, 8, 16, 32, 64]);
        assert_eq!(struck(Some(&pace), 300, None, 400).allowed, 32, "and halves it again");
    }

    #[test]
    fn a_turn_comes_when_there_is_room_and_time() {
        let pace = struck(None, 1, Some(60), 0);
        assert!(pace.turn((0, 5), 1).unwrap().wait_ms >= 59_999);
        assert_eq!(pace.turn((0, 5), 60_000), None);
        let full = pace.turn((1, 5), 60_000).unwrap();
        assert!((LEAST_TURN_MS..=LONGEST_TURN_MS).contains(&full.wait_ms));
    }
}
