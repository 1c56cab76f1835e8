//! What was said to have happened, the newest first.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Known, Question, Wrong, ask, cursor, cut, listed, most, place, range};
use crate::database::{Connection, Error};
use crate::event::store::{self, Page, Place};
use crate::event::{self, Subject};
use crate::fastio::{FileKey, NodeId};
use crate::operate::range::Bounds;
use crate::{own, sync};

/// Events that are looked through for downloads that are left out.
const LOOKED_THROUGH: u32 = 1_000;

listed! {
    Events of EventView {
        /// Downloads too; nearly all of them are Docket's own.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        all: bool,
        /// Only what was received since then: `24h`, back from now, or `2026-11-27`, or `2026-11-27T09:30` (UTC), or Unix milliseconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<String>,
        /// Only what was received before then.
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<String>,
    }
    /// Instead of `after`: the id of an event.
    behind String
}

/// An event and the file or folder it is about, written as everywhere else.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    #[serde(flatten)]
    pub event: event::Row,
    pub source_id: Option<String>,
    /// Where the file or folder was when a job last looked; of a file that Docket wrote its name.
    pub path: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EventsPage {
    pub rows: Vec<EventView>,
    /// How many downloads among them are left out, and whether there may be more.
    pub downloads: i64,
    pub or_more: bool,
    pub next: Option<String>,
}

impl EventView {
    pub fn of(connection: &mut Connection, event: event::Row) -> Result<EventView, Error> {
        let profile = event.profile.as_deref().and_then(|profile| profile.parse().ok());
        let key = profile.zip(event.node.as_deref());
        let key = key.map(|(profile, node)| FileKey::new(profile, NodeId::new(node)));
        let path = match &key {
            Some(key) => path(connection, key, &event.subject)?,
            None => None,
        };
        Ok(EventView { event, source_id: key.map(|key| key.to_string()), path })
    }
}

fn path(connection: &mut Connection, key: &FileKey, subject: &str) -> Result<Option<String>, Error> {
    if subject == Subject::Folder.as_str() {
        return sync::store::folder_path(connection, &key.profile, &key.node);
    }
    match sync::store::path(connection, &key.to_string())? {
        Some(path) => Ok(Some(path)),
        None => own::store::name(connection, &key.profile, &key.node),
    }
}

impl Question for Events {
    type Answer = EventsPage;

    fn path(&self) -> String {
        "/events".to_owned()
    }

    fn answer(&self, connection: &mut Connection, known: &Known) -> Result<Result<EventsPage, Wrong>, Error> {
        let mut after: Option<Place> = ask!(place(self.after.as_deref()));
        if let Some(id) = &self.behind {
            after = store::place(connection, id)?;
            if after.is_none() {
                let words = format!("there is no event {id}; `docket events` shows those there are");
                return Ok(Err(Wrong::Nothing(words)));
            }
        }
        let Bounds { since, until } = ask!(range(self.since.as_ref(), self.until.as_ref(), known.now));
        let limit = most(self.limit);
        let page = Page { downloads: self.all, after, since, until, most: limit + 1 };
        let mut events = store::newest(connection, page)?;
        let next = cut(&mut events, limit).map(|last| cursor(&last.place()));
        let last = events.last().map_or(since.max(0), |event| event.received_at);
        let (downloads, or_more) =
            if self.all { (0, false) } else { store::downloads(connection, last, LOOKED_THROUGH)? };
        let rows = events.into_iter().map(|event| EventView::of(connection, event));
        Ok(Ok(EventsPage { rows: rows.collect::<Result<_, _>>()?, downloads, or_more, next }))
    }
}
