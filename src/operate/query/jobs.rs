//! The work that is left.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{Known, Question, Wrong, ask, cursor, cut, listed, most, place, range};
use crate::database::{Connection, Error};
use crate::fastio::FileKey;
use crate::job::Task;
use crate::operate::range::Bounds;
use crate::queue::store::{self, JobRow, Page, PauseRow, Place};
use crate::queue::waiting::paused;
use crate::sync;

listed! {
    Jobs of JobView {
        /// Only those in this state: `dead`, `running` or `waiting`.
        #[serde(skip_serializing_if = "Option::is_none")]
        state: Option<String>,
        /// Only the dead that died of this: a `cause`, or the whole `reason` of one of them.
        #[serde(skip_serializing_if = "Option::is_none")]
        cause: Option<String>,
        /// Only what is or was due since then: `24h`, back from now, or `2026-11-27`, or `2026-11-27T09:30` (UTC), or Unix milliseconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<String>,
        /// Only what is or was due before then.
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<String>,
    }
    /// Instead of `after`: the number of a job.
    behind i64
}

/// A job and the file or folder it is about.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JobView {
    pub job_id: i64,
    pub key: String,
    pub state: String,
    pub attempt: i64,
    pub due_at: i64,
    pub reason: Option<String>,
    /// What a dead one died of: its reason without what is its own. Others may have died of the same.
    pub cause: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
    #[schema(value_type = Object)]
    pub task: Value,
    /// The targets it cannot do without, each between blanks.
    pub needs: String,
    /// The request that asked for it last.
    pub request_id: Option<String>,
    pub source_id: Option<String>,
    /// Where the file or folder was when a job last looked.
    pub path: Option<String>,
    /// The paused target that holds it, and why.
    pub held_by: Option<String>,
    pub held_because: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JobsPage {
    pub rows: Vec<JobView>,
    /// How many jobs are in each state.
    pub counts: Vec<(String, i64)>,
    pub next: Option<String>,
}

/// There is no such job.
pub fn nothing(id: i64) -> Wrong {
    Wrong::Nothing(format!(
        "there is no job {id}: it is done, or was discarded; `docket jobs list` shows what is left"
    ))
}

impl Question for Jobs {
    type Answer = JobsPage;

    fn path(&self) -> String {
        "/jobs".to_owned()
    }

    fn answer(&self, connection: &mut Connection, known: &Known) -> Result<Result<JobsPage, Wrong>, Error> {
        let mut after: Option<Place> = ask!(place(self.after.as_deref()));
        if let Some(id) = self.behind {
            let Some(job) = store::get(connection, id)? else { return Ok(Err(nothing(id))) };
            after = Some(job.place());
        }
        let limit = most(self.limit);
        let pauses = store::pauses(connection)?;
        let Bounds { since, until } = ask!(range(self.since.as_ref(), self.until.as_ref(), known.now));
        let (state, cause) = (self.state.clone(), self.cause.clone());
        let (since, until) = (Some(since), Some(until));
        let page = Page { state, cause, after, since, until, most: limit + 1 };
        let mut jobs = store::page(connection, &page)?;
        let next = cut(&mut jobs, limit).map(|last| cursor(&last.place()));
        let rows = jobs.into_iter().map(|job| JobView::of(connection, job, &pauses));
        let rows = rows.collect::<Result<_, _>>()?;
        Ok(Ok(JobsPage { rows, counts: store::counts(connection)?, next }))
    }
}

/// One job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    #[serde(skip)]
    pub id: i64,
}

impl Question for Job {
    type Answer = JobView;

    fn path(&self) -> String {
        format!("/jobs/{}", self.id)
    }

    fn answer(&self, connection: &mut Connection, _: &Known) -> Result<Result<JobView, Wrong>, Error> {
        let pauses = store::pauses(connection)?;
        let Some(job) = store::get(connection, self.id)? else { return Ok(Err(nothing(self.id))) };
        JobView::of(connection, job, &pauses).map(Ok)
    }
}

impl JobView {
    pub fn of(connection: &mut Connection, job: JobRow, pauses: &[PauseRow]) -> Result<JobView, Error> {
        let task: Value = serde_json::from_str(&job.task).unwrap_or_default();
        let (source_id, path) = about(connection, &task)?;
        let waiting = job.waiting();
        let held_by = waiting.held_by(pauses);
        Ok(JobView {
            held_by: held_by.map(|pause| pause.target.clone()),
            held_because: held_by.map(paused),
            cause: job.cause(),
            job_id: job.job_id,
            key: job.key,
            state: job.state,
            attempt: job.attempt,
            due_at: job.due_at,
            reason: job.reason,
            created_at: job.created_at,
            updated_at: job.updated_at,
            task,
            needs: job.needs,
            request_id: job.request_id,
            source_id,
            path,
        })
    }
}

/// The file or folder that a task is about, and where it is.
fn about(connection: &mut Connection, task: &Value) -> Result<(Option<String>, Option<String>), Error> {
    Ok(match serde_json::from_value(task.clone()) {
        Ok(
            Task::File { profile, node }
            | Task::Reading { profile, node }
            | Task::Run { profile, node, .. }
            | Task::Act { profile, node, .. }
            | Task::Erase { profile, node },
        ) => {
            let source_id = FileKey::new(profile, node).to_string();
            let path = sync::store::path(connection, &source_id)?;
            (Some(source_id), path)
        }
        Ok(
            Task::Folder { profile, node } | Task::Under { profile, node } | Task::Listing { profile, node },
        ) => {
            let path = sync::store::folder_path(connection, &profile, &node)?;
            (Some(FileKey::new(profile, node).to_string()), path)
        }
        Ok(Task::Relist { profile }) => (profile.map(|profile| profile.to_string()), None),
        Ok(_) | Err(_) => (None, None),
    })
}
