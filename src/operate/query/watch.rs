//! What happens, as it happens: events, and what every attempt did.
//!
//! It is asked again and again, and each time for a little of what was told already: where several servers write, what was begun first need
//! not be the first to be seen. Whoever follows leaves out what it has had, by its id.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::events::EventView;
use super::{Known, Question, Wrong, ask, cursor, place};
use crate::database::{Connection, Error};
use crate::event;
use crate::history::{self, Entry};
use crate::sync;

/// Rows of each kind in one answer.
const MOST: u32 = 500;

/// How far back it is looked once more: a delivery's event stands where it was received, which may have been some seconds before.
const BACK_MS: i64 = 15_000;

/// Attempts that are looked at once more.
const BACK: i64 = 100;

#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Watch {
    /// What the answer before had as `next`; without it, it begins now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// One thing that happened.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Seen {
    /// Which it is: one that was told already has the same.
    pub id: String,
    pub source_id: Option<String>,
    /// Where the file was when a job last looked.
    pub path: Option<String>,
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub entry: Entry,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SeenPage {
    /// In the order in which they happened.
    pub rows: Vec<Seen>,
    pub next: String,
}

/// The time of the newest event, and the number of the newest attempt.
type Place = (i64, i64);

impl Question for Watch {
    type Answer = SeenPage;

    fn path(&self) -> String {
        "/watch".to_owned()
    }

    fn answer(&self, connection: &mut Connection, known: &Known) -> Result<Result<SeenPage, Wrong>, Error> {
        let Some((received, attempt)) = ask!(place::<Place>(self.after.as_deref())) else {
            let place: Place = (known.now, history::store::newest(connection)?);
            return Ok(Ok(SeenPage { rows: Vec::new(), next: cursor(&place) }));
        };
        let mut rows = Vec::new();
        let events = event::store::since(connection, received - BACK_MS, MOST)?;
        let last = events.last().map_or(0, |event| event.received_at);
        // Where there are too many to be told at once, nothing is told twice.
        let received = received.max(if events.len() < MOST as usize { last } else { last + BACK_MS });
        for event in events {
            let entry = history::received(&event);
            let view = EventView::of(connection, event)?;
            let id = format!("event {}", view.event.event_id);
            rows.push(Seen { id, source_id: view.source_id, path: view.path, entry });
        }
        let attempts = history::store::since(connection, attempt - BACK, MOST)?;
        let last = attempts.last().map_or(0, |one| one.history_id);
        let attempt = attempt.max(if attempts.len() < MOST as usize { last } else { last + BACK });
        for history::store::Numbered { history_id: number, source_id, row } in attempts {
            let path = sync::store::path(connection, &source_id)?;
            let entries = history::done(&row).into_iter().enumerate();
            rows.extend(entries.map(|(at, entry)| Seen {
                id: format!("attempt {number} {at}"),
                source_id: Some(source_id.clone()),
                path: path.clone(),
                entry,
            }));
        }
        rows.sort_by_key(|seen| seen.entry.ended_at.unwrap_or(seen.entry.began_at));
        Ok(Ok(SeenPage { rows, next: cursor(&(received, attempt)) }))
    }
}
