//! What was run over the files and what became of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{Known, Question, Wrong, ask, cursor, cut, listed, most, place, range};
use crate::database::{Connection, Error};
use crate::operate::range::Bounds;
use crate::queue::presence;
use crate::run::store::{self, Page, Place, RunRow};
use crate::run::{self, ActionRow, RunId};

/// How a run stands whose job the queue has given up.
pub const DEAD: &str = "dead";

listed! {
    Runs of RunView {
        /// Only those of this rule.
        #[serde(skip_serializing_if = "Option::is_none")]
        rule: Option<String>,
        /// Only those that stand so, in the word that each has: the last one over each file, as long as that is there.
        #[serde(skip_serializing_if = "Option::is_none")]
        state: Option<String>,
        /// Only what changed since then: `24h`, back from now, or `2026-11-27`, or `2026-11-27T09:30` (UTC), or Unix milliseconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<String>,
        /// Only what changed before then.
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<String>,
    }
    /// Instead of `after`: the number of a run.
    behind i64
}

/// A run, and how it stands in one word.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunView {
    #[serde(flatten)]
    pub run: RunRow,
    pub word: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunsPage {
    pub rows: Vec<RunView>,
    pub next: Option<String>,
}

/// A run with its result.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunWhole {
    #[serde(flatten)]
    pub run: RunRow,
    pub word: String,
    #[schema(value_type = Object)]
    pub result: Value,
    /// What its rule lists to be done with the file because of it, and what became of that.
    #[serde(default)]
    pub actions: Vec<ActionRow>,
}

/// There is no such run.
pub fn nothing(id: i64) -> Wrong {
    Wrong::Nothing(format!("there is no run {id}; `docket runs list` shows those there are"))
}

/// Each with its word.
pub fn views(connection: &mut Connection, rows: Vec<RunRow>) -> Result<Vec<RunView>, Error> {
    let keys: Vec<String> = rows.iter().filter_map(RunRow::job).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let jobs = presence::states(connection, &keys)?;
    let view = |run: RunRow| {
        let job = run.job().and_then(|key| jobs.get(&key));
        let is_dead = run.state != "ended" && job.is_some_and(|state| state == "dead");
        RunView { word: if is_dead { DEAD } else { run.word() }.to_owned(), run }
    };
    Ok(rows.into_iter().map(view).collect())
}

impl Question for Runs {
    type Answer = RunsPage;

    fn path(&self) -> String {
        "/runs".to_owned()
    }

    fn answer(&self, connection: &mut Connection, known: &Known) -> Result<Result<RunsPage, Wrong>, Error> {
        let mut after: Option<Place> = ask!(place(self.after.as_deref()));
        if let Some(id) = self.behind {
            let Some(row) = store::row(connection, RunId(id))? else { return Ok(Err(nothing(id))) };
            after = Some(row.place());
        }
        let limit = most(self.limit);
        let Bounds { since, until } = ask!(range(self.since.as_ref(), self.until.as_ref(), known.now));
        let (rule, word) = (self.rule.as_deref(), self.state.as_deref());
        let page = Page { rule, word, after, since, until, most: limit + 1 };
        let mut rows = store::page(connection, &page)?;
        let next = cut(&mut rows, limit).map(|last| cursor(&last.place()));
        Ok(Ok(RunsPage { rows: views(connection, rows)?, next }))
    }
}

/// One run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    #[serde(skip)]
    pub id: i64,
}

impl Question for Run {
    type Answer = RunWhole;

    fn path(&self) -> String {
        format!("/runs/{}", self.id)
    }

    fn answer(&self, connection: &mut Connection, _: &Known) -> Result<Result<RunWhole, Wrong>, Error> {
        let id = RunId(self.id);
        let Some(row) = store::row(connection, id)? else { return Ok(Err(nothing(self.id))) };
        let result = store::get(connection, id)?.and_then(|run| run.result).unwrap_or_default();
        let Some(RunView { run, word }) = views(connection, vec![row])?.pop() else {
            return Ok(Err(nothing(self.id)));
        };
        Ok(Ok(RunWhole { run, word, result, actions: run::actions(connection, id)? }))
    }
}
