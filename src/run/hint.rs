//! OpenAI's webhook says that a response has ended. It is a hint: the run it belongs to looks for itself, now.
//!
//! A sender that has the webhook's secret can make hints without end, about responses that never were. So a hint that comes to
//! nothing is forgotten: no job of one ever waits for a person.

use super::Runs;
use super::frame::RUN_KEY;
use super::row::{Run, RunId, State};
use super::store::{self, Change};
use crate::database::Connection;
use crate::job::verdict::openai_verdict;
use crate::job::{self, Task};
use crate::openai::{Response, ResponseId};
use crate::outside;
use crate::queue::{Priority, Verdict};

/// What OpenAI's ids of responses begin with. Compatible servers have others, and of theirs only those on record are
/// looked at.
const OPENAIS: &str = "resp_";

/// How often OpenAI is asked about a response that is not on record. The run that may have begun it looks for itself at
/// its deadline.
const TRIES: u16 = 5;

impl Runs {
    /// Makes the job of the run that `response` belongs to due now. `attempt` counts from 1.
    pub async fn hinted(&self, response: &str, attempt: u16) -> Verdict {
        match self.try_hinted(response).await.err().unwrap_or(Verdict::Done) {
            Verdict::Dead { reason } => forget(response, &reason),
            Verdict::Retry { reason, .. } if attempt >= TRIES => forget(response, &reason),
            verdict => verdict,
        }
    }

    async fn try_hinted(&self, response: &str) -> Result<(), Verdict> {
        let id = response.to_owned();
        let known = self.database.read(move |connection| store::of_response(connection, &id)).await;
        if let Some(run) = known? {
            return self.wake(&run, None).await;
        }
        if !response.starts_with(OPENAIS) {
            return Err(forget(response, "it is not on record, and not one of OpenAI's"));
        }
        // The creation whose reply was lost, or has not come yet; or another program's response in the same project.
        let found = match self.openai.response(&ResponseId(response.to_owned())).await {
            Ok(found) => found,
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(openai_verdict(&error)),
        };
        match self.owner(&found).await? {
            Some(run) => self.wake(&run, Some(response)).await,
            None => self.left(&found).await,
        }
    }

    /// The run that begun this response in the conversation it now waits for.
    async fn owner(&self, found: &Response) -> Result<Option<Run>, Verdict> {
        let Some(id) = found.metadata.get(RUN_KEY).and_then(|id| id.parse().ok()) else { return Ok(None) };
        let run = self.database.read(move |connection| store::get(connection, RunId(id))).await?;
        let conversation = found.conversation.as_ref().map(|id| id.0.as_str());
        Ok(run.filter(|run| {
            matches!(run.state, State::Starting | State::Ending)
                && run.response.is_none()
                && run.conversation.as_deref() == conversation
        }))
    }

    /// It may have been begun by a run that has ended since: what is left of that run is told, and stops it.
    async fn left(&self, found: &Response) -> Result<(), Verdict> {
        let Some(conversation) = &found.conversation else { return Ok(()) };
        let (conversation, id, now) = (conversation.0.clone(), found.id.0.clone(), self.clock.now());
        let write = move |tx: &mut Connection| outside::store::tell_response(tx, &conversation, &id, now);
        if self.database.write(write).await? {
            self.wake.notify_waiters();
        }
        Ok(())
    }

    async fn wake(&self, run: &Run, response: Option<&str>) -> Result<(), Verdict> {
        let (id, now) = (run.id, self.clock.now());
        let change = response.map(|response| Change::Response(response.to_owned()));
        let task = (run.state != State::Ended).then(|| Task::run(run.key.clone(), &run.rule));
        let write = move |tx: &mut Connection| {
            if let Some(change) = &change {
                change.write(tx, id, now)?;
            }
            task.as_ref().map_or(Ok(()), |task| job::enqueue(tx, task, Priority::Live, now).map(drop))
        };
        self.database.write(write).await?;
        self.wake.notify_waiters();
        Ok(())
    }
}

fn forget(response: &str, reason: &str) -> Verdict {
    tracing::info!(response, reason, "a webhook of OpenAI comes to nothing");
    Verdict::Done
}
