//! Searches Fastio's events, where its change feed is refused. Slower and dearer than the feed, and the same events.
//!
//! Fastio's API reference: files of shares have a category of their own; rows that the key may not see are taken out
//! after a page was cut, so an empty page is not the end.

use super::follow::{Follower, add};
use super::{Error, store};
use crate::event::{self, Recorded};
use crate::fastio::{Category, EventSearch};

/// How far back each search begins: clocks differ, and events are committed late.
const OVERLAP_MS: i64 = 10 * 60 * 1000;

/// Pages of one search: half a million events. Listing the workspace is cheaper than reading more.
const PAGES: usize = 2_000;

impl Follower {
    /// One round through the workspaces and shares of the rules.
    pub(super) async fn search(&self) -> Result<Recorded, Error> {
        let mut recorded = Recorded::default();
        for profile in self.rules.profiles() {
            let now = self.clock.now().min(self.clock.wall());
            let searched = {
                let profile = profile.clone();
                self.database.read(move |c| store::searched(c, &profile)).await?
            };
            let reason = match searched {
                None => {
                    // Whether it is allowed at all must be known before it is relied on.
                    let search = EventSearch { profile: &profile, category: Category::Workspace, since: now };
                    self.fastio.search_events(&search, None).await?;
                    Some("the search for events begins here")
                }
                Some(until) => {
                    let mut complete = true;
                    for category in Category::ALL {
                        // By Fastio's clock; ours may have been ahead when that was written down.
                        let since = until.min(self.clock.wall()) - OVERLAP_MS;
                        complete &= self
                            .search_one(&EventSearch { profile: &profile, category, since }, &mut recorded)
                            .await?;
                    }
                    (!complete).then_some("more events than a search goes through")
                }
            };
            let searched = self.database.write(move |tx| {
                if let Some(reason) = reason {
                    store::ask_relist(tx, &profile, reason, now)?;
                }
                store::set_searched(tx, &profile, now)
            });
            searched.await?;
        }
        Ok(recorded)
    }

    /// Whether the search came to its end.
    async fn search_one(&self, search: &EventSearch<'_>, recorded: &mut Recorded) -> Result<bool, Error> {
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES {
            let page = self.fastio.search_events(search, cursor.as_deref()).await?;
            let now = self.clock.now();
            let reports = self.reports(&page.events, now);
            if !reports.is_empty() {
                let kept = self.database.write(move |tx| event::record(tx, &reports, now)).await?;
                if kept.jobs > 0 {
                    self.wake.notify_waiters();
                }
                add(recorded, kept);
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(true),
            }
        }
        Ok(false)
    }
}
