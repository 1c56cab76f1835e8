//! Follows Fastio's change feed: asks what changed since a cursor, and keeps events, jobs and the new cursor in one
//! transaction. A feed that is refused is replaced by a search for events, and that by sweeps alone; each change of the
//! way is said once.
//!
//! Fastio's API reference: a call without a cursor gives the place where to begin and nothing else, so everything is
//! listed once then, and again whenever the cursor is lost. A page that promises more with a cursor that did not move is
//! still settling. The rows carry ids and the same event names as webhooks do, and are read by the same code.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::store::{self, Cursor, Reached, Way};
use super::sweep::Scope;
use super::{Error, Feed, Settings};
use crate::clock::Clock;
use crate::contain::catch;
use crate::database::{Connection, Database};
use crate::event::payload;
use crate::event::{self, Kind, Recorded, Report, Source};
use crate::fastio::{self, ChangePage, Changes, ErrorKind, Profile};
use crate::rule::Rules;

/// Pages in one step: 50,000 changes. A step that goes on says so, and can be stopped in between.
const PAGES: usize = 50;

/// How long what settles is left alone (Fastio's API reference: about ten seconds).
const SETTLES: Duration = Duration::from_secs(10);

/// A webhook comes before the feed has its change; and many webhooks are one nudge.
const NUDGE: Duration = Duration::from_secs(1);

/// What one search for events costs of Fastio's 120 in ten minutes.
const SEARCH_COSTS: Duration = Duration::from_secs(5);

/// When to take the next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// There is more already.
    AtOnce,
    /// There is more, which Fastio does not give out yet.
    Settling,
    /// After the interval, or with the next webhook.
    Interval,
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// `None` where no organisation is set: there is nothing to follow.
    pub way: Option<Way>,
    pub recorded: Recorded,
    /// Workspaces and shares that were listed as a whole.
    pub relisted: usize,
    pub next: Next,
}

/// What follows Fastio's changes.
#[derive(Debug, Clone)]
pub(super) struct Follower {
    pub database: Database,
    pub clock: Clock,
    pub fastio: fastio::Client,
    pub rules: Rules,
    pub settings: Settings,
    pub wake: Arc<Notify>,
}

impl Feed {
    /// One step of whichever way works.
    ///
    /// # Errors
    /// Fastio's when it cannot be asked at all now, and our database's. The next step begins where this one did.
    pub async fn follow_once(&self) -> Result<Step, Error> {
        let Some(org) = &self.settings.org_id else {
            return Ok(Step { way: None, recorded: Recorded::default(), relisted: 0, next: Next::Interval });
        };
        let step = self.follower.step(org).await?;
        Ok(Step { relisted: self.relist().await?, ..step })
    }

    /// Lists what is to be listed as a whole. What fails stays for the next step.
    async fn relist(&self) -> Result<usize, Error> {
        let asked = self.database.read(store::relists).await?;
        let mut done = 0;
        for relist in asked {
            let profile: Option<Profile> = relist.profile.parse().ok();
            let concerned = profile.filter(|profile| self.rules.concern(profile));
            if let Some(profile) = concerned {
                tracing::info!(profile = relist.profile, reason = relist.reason, "listing it as a whole");
                let scope = Scope { profile: Some(profile), fastio_only: true, ..Scope::default() };
                if !self.sweep(scope, &mut |_| {}).await?.incomplete.is_empty() {
                    continue;
                }
                done += 1;
            }
            self.database.write(move |tx| store::relisted(tx, &relist)).await?;
        }
        Ok(done)
    }

    /// Follows until `stop`.
    pub async fn follow(&self, stop: CancellationToken) {
        if self.settings.org_id.is_none() {
            return stop.cancelled().await;
        }
        let mut failing = false;
        loop {
            let step = tokio::select! { () = stop.cancelled() => return, step = catch(self.follow_once()) => step.unwrap_or_else(|panicked| Err(panicked.into())) };
            let (wait, nudged) = match &step {
                Ok(step) => self.follower.wait(step),
                Err(_) => (self.settings.poll(), false),
            };
            match &step {
                // Once, not with every try.
                Err(Error::Panicked(panicked)) if !failing => {
                    tracing::error!(reason = %panicked, "following Fastio's changes panicked; trying again");
                }
                Err(error) if !failing => {
                    tracing::warn!(error = %error, "changes cannot be learnt from Fastio now")
                }
                Ok(_) if failing => tracing::info!("changes are learnt from Fastio again"),
                _ => {}
            }
            failing = step.is_err();
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
                () = self.heard.notified(), if nudged => {
                    tokio::select! { () = stop.cancelled() => return, () = tokio::time::sleep(NUDGE) => {} }
                }
            }
        }
    }
}

impl Follower {
    async fn step(&self, org: &str) -> Result<Step, Error> {
        let state = self.database.read(store::state).await?;
        let now = self.clock.now();
        let way = match &state {
            Some(state) if state.retry_at.is_none_or(|at| at > now) => state.way(),
            _ => Way::Changes,
        };
        match way {
            Way::Changes => match self.changes(org).await {
                Err(Error::Fastio(error)) if refuses(&error) => self.search_instead(&error.to_string()).await,
                step => step,
            },
            Way::Search => {
                let reason = state.and_then(|state| state.reason).unwrap_or_default();
                self.search_instead(&reason).await
            }
            Way::Sweeps => Ok(step(Way::Sweeps, Recorded::default(), Next::Interval)),
        }
    }

    async fn search_instead(&self, reason: &str) -> Result<Step, Error> {
        let way = match self.search().await {
            Ok(recorded) => {
                self.take(Way::Search, Some(reason)).await?;
                return Ok(step(Way::Search, recorded, Next::Interval));
            }
            Err(Error::Fastio(error)) if refuses(&error) => Way::Sweeps,
            Err(error) => return Err(error),
        };
        self.take(way, Some(reason)).await?;
        Ok(step(way, Recorded::default(), Next::Interval))
    }

    /// Writes down the way, and says so when it is another one.
    async fn take(&self, way: Way, reason: Option<&str>) -> Result<(), Error> {
        let now = self.clock.now();
        let why = reason.map(str::to_owned);
        let take = move |tx: &mut Connection| store::set_way(tx, way, why.as_deref(), now);
        let changed = self.database.write(take).await?;
        match (changed, way) {
            (false, _) => {}
            (true, Way::Changes) => tracing::info!("following Fastio's change feed"),
            (true, Way::Search) => {
                tracing::warn!(reason, "Fastio refuses its change feed; searching its events instead");
            }
            (true, Way::Sweeps) => tracing::warn!(
                reason,
                "Fastio refuses change feed and event search; besides webhooks only sweeps find changes"
            ),
        }
        Ok(())
    }

    async fn changes(&self, org: &str) -> Result<Step, Error> {
        let (mut recorded, mut rows) = (Recorded::default(), 0);
        let (mut known, mut from) = self.place(org).await?;
        for _ in 0..PAGES {
            let page = match self.fastio.changes(org, from.as_deref()).await? {
                Changes::Page(page) => page,
                Changes::CursorLost => {
                    let Changes::Page(head) = self.fastio.changes(org, None).await? else {
                        return Err(Error::Refused("Fastio refuses a cursor that was not sent".to_owned()));
                    };
                    tracing::warn!(
                        "Fastio no longer knows our place in its change feed; listing everything again"
                    );
                    self.begin_at(org, &head, "our place in Fastio's change feed was lost").await?;
                    self.take(Way::Changes, None).await?;
                    return Ok(step(Way::Changes, recorded, Next::Interval));
                }
            };
            let Some(last) = from else {
                self.begin_at(org, &page, "the change feed begins here").await?;
                self.take(Way::Changes, None).await?;
                return Ok(step(Way::Changes, recorded, Next::AtOnce));
            };
            add(&mut recorded, self.keep(org, &page, known.as_ref()).await?);
            rows += page.changes.len();
            let stands = page.cursor == last;
            if !page.has_more || stands {
                self.take(Way::Changes, None).await?;
                let next = if page.has_more { Next::Settling } else { Next::Interval };
                return Ok(step(Way::Changes, recorded, next));
            }
            from = Some(page.cursor.clone());
            known = Some(stored(&page));
        }
        // A cursor that moves over empty pages for ever is not run after.
        Ok(step(Way::Changes, recorded, if rows > 0 { Next::AtOnce } else { Next::Settling }))
    }

    /// What we know of the feed, and where this poll begins.
    async fn place(&self, org: &str) -> Result<(Option<Cursor>, Option<String>), Error> {
        let (org, before) = (org.to_owned(), self.clock.now() - self.settings.overlap_ms());
        let read = self.database.read(move |c| {
            let Some(cursor) = store::cursor(c, &org)? else { return Ok((None, None)) };
            let trail = if cursor.more { None } else { store::trail(c, &org, before)? };
            let from = trail.unwrap_or_else(|| cursor.cursor.clone());
            Ok((Some(cursor), Some(from)))
        });
        Ok(read.await?)
    }

    /// Takes the head of the feed for our place, and has everything listed that may have changed before it.
    async fn begin_at(&self, org: &str, head: &ChangePage, reason: &'static str) -> Result<(), Error> {
        let (org, head, profiles) = (org.to_owned(), stored(head), self.rules.profiles());
        let (now, overlap_ms) = (self.clock.now(), self.settings.overlap_ms());
        let begin = self.database.write(move |tx| {
            store::drop_trail(tx, &org)?;
            store::set_cursor(tx, &org, &head)?;
            store::leave_trail(tx, &Reached { org: &org, cursor: &head.cursor, overlap_ms }, now)?;
            profiles.iter().try_for_each(|profile| store::ask_relist(tx, profile, reason, now))
        });
        Ok(begin.await?)
    }

    /// Keeps a page: its events, their jobs, and the cursor after them.
    async fn keep(&self, org: &str, page: &ChangePage, known: Option<&Cursor>) -> Result<Recorded, Error> {
        let (now, overlap_ms) = (self.clock.now(), self.settings.overlap_ms());
        let (reports, affected) = (self.reports(&page.changes, now), self.affected(page, known));
        let (org, place) = (org.to_owned(), stored(page));
        let keep = self.database.write(move |tx| {
            let recorded = event::record(tx, &reports, now)?;
            store::set_cursor(tx, &org, &place)?;
            if !place.more {
                store::leave_trail(tx, &Reached { org: &org, cursor: &place.cursor, overlap_ms }, now)?;
            }
            for profile in &affected {
                store::ask_relist(tx, profile, "what the key may read has changed", now)?;
            }
            Ok(recorded)
        });
        let recorded = keep.await?;
        if recorded.jobs > 0 {
            self.wake.notify_waiters();
        }
        Ok(recorded)
    }

    /// The workspaces and shares of the rules that came into sight; all of them when the version tells of a change that
    /// the set does not show. What went out of sight is not deleted.
    fn affected(&self, page: &ChangePage, known: Option<&Cursor>) -> Vec<Profile> {
        let Some(known) = known.filter(|known| known.version != page.profiles_version) else {
            return Vec::new();
        };
        let before = known.profiles();
        let same =
            before.len() == page.profiles.len() && page.profiles.iter().all(|one| before.contains(one));
        let mut ours = self.rules.profiles();
        ours.retain(|one| same || (page.profiles.contains(one) && !before.contains(one)));
        ours
    }

    /// The events in `rows` that concern a rule, as a webhook would have told them.
    pub(super) fn reports(&self, rows: &[Value], now: i64) -> Vec<Report> {
        rows.iter()
            .map(payload::read_row)
            .filter(|parsed| parsed.event.kind != Kind::Ignored)
            .filter(|parsed| parsed.event.profile.as_ref().is_some_and(|profile| self.rules.concern(profile)))
            .map(|parsed| Report {
                also: parsed.also,
                payload: Some(parsed.payload),
                ..Report::new(parsed.event, Source::Feed, now)
            })
            .collect()
    }

    /// How long to wait, and whether a webhook shortens it.
    fn wait(&self, step: &Step) -> (Duration, bool) {
        match (step.next, step.way) {
            (Next::AtOnce, _) => (Duration::ZERO, false),
            (Next::Settling, _) => (SETTLES, false),
            (Next::Interval, Some(Way::Search)) => {
                let searches = self.rules.iter().count().saturating_mul(2);
                let budget = SEARCH_COSTS * u32::try_from(searches).unwrap_or(u32::MAX);
                (self.settings.poll().max(budget), false)
            }
            (Next::Interval, way) => (self.settings.poll(), way == Some(Way::Changes)),
        }
    }
}

fn stored(page: &ChangePage) -> Cursor {
    Cursor::new(&page.cursor, page.has_more, page.profiles_version.as_deref(), &page.profiles)
}

fn step(way: Way, recorded: Recorded, next: Next) -> Step {
    Step { way: Some(way), recorded, relisted: 0, next }
}

pub(super) fn add(sum: &mut Recorded, more: Recorded) {
    sum.new += more.new;
    sum.duplicate += more.duplicate;
    sum.jobs += more.jobs;
}

/// Whether Fastio does not let us, rather than cannot now.
fn refuses(error: &fastio::Error) -> bool {
    matches!(error.kind, ErrorKind::Forbidden { .. } | ErrorKind::NotFound | ErrorKind::Rejected)
}
