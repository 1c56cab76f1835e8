//! Which ways of learning of changes there are, asked live; for `docket check`.

use serde::Serialize;

use super::Settings;
use crate::fastio::{Category, Client, Error, EventSearch, Profile};

/// One way, and whether it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WayFound {
    pub name: &'static str,
    pub works: bool,
    /// In words: what it reads, or why it does not work and what to do.
    pub detail: String,
}

/// Asks Fastio for each way besides webhooks. Changes nothing there.
pub async fn ways(fastio: &Client, profiles: &[Profile], settings: &Settings) -> Vec<WayFound> {
    let mut found = Vec::new();
    let feed = match &settings.org_id {
        None => Err("feed.org_id is not set, so there is no feed to follow".to_owned()),
        Some(org) => match fastio.changes(org, None).await {
            Ok(_) => Ok(format!("the change feed of organisation {org} answers")),
            Err(error) => Err(error.to_string()),
        },
    };
    let needs_search = feed.is_err() && settings.org_id.is_some();
    found.push(way("change feed", feed));
    for profile in profiles {
        if needs_search {
            let now = jiff::Timestamp::now().as_millisecond();
            let search = fastio
                .search_events(&EventSearch { profile, category: Category::Workspace, since: now }, None)
                .await;
            found.push(way("event search", said(search, format!("the events of {profile} can be searched"))));
        }
        let inventory = fastio.inventory(profile, None).await;
        found.push(way("sweep", said(inventory, format!("the files of {profile} can be listed"))));
    }
    found
}

fn said<T>(answer: Result<T, Error>, words: String) -> Result<String, String> {
    answer.map(|_| words).map_err(|error| error.to_string())
}

fn way(name: &'static str, answer: Result<String, String>) -> WayFound {
    let works = answer.is_ok();
    WayFound { name, works, detail: answer.unwrap_or_else(|error| error) }
}
