//! Takes one leftover away. Doing it twice does no harm: whatever is gone already is what was wanted.

use std::time::Duration;

use secrecy::SecretString;

use super::{Leftover, Made, What, marked, store};
use crate::fastio::{ErrorKind, FileKey, UploadId};
use crate::job::verdict::{fastio_verdict, openai_has, openai_verdict};
use crate::openai;
use crate::openai::{ConversationId, Order, ResponseId, RunId, RunStatus, ThreadId};
use crate::queue::Verdict;
use crate::run::begin::traceless_ms;
use crate::run::lock::{DEVICE, LOCK_SECONDS};
use crate::run::steps::{FRESH_MS, later};
use crate::run::{self, Runs, failed};

/// How long after it was asked for an upload session may appear in the list. Nothing documents it; the longest that a
/// request of ours may take, twice.
const APPEARS_WITHIN_MS: i64 = 5 * 60 * 1000;

/// Between looks for it.
const LOOK_FOR_UPLOAD: Duration = Duration::from_secs(30);

/// Between looks whether what may go on in a conversation has ended: at first, and later.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(5 * 60));

/// How long a response of a rule that is no more may go on.
const UNKNOWN_RULE_MS: i64 = 60 * 60 * 1000;

impl Runs {
    /// Takes a leftover away.
    pub async fn leftover(&self, id: i64) -> Verdict {
        self.try_leftover(id).await.err().unwrap_or(Verdict::Done)
    }

    async fn try_leftover(&self, id: i64) -> Result<(), Verdict> {
        let left = self.database.read(move |connection| store::get(connection, id)).await;
        let Some(left) = left.map_err(failed)? else { return Ok(()) };
        match &left.what {
            What::Upload { mark, id } => self.drop_upload(&left, mark, id.as_ref()).await?,
            What::Lock { key, token } => self.drop_lock(&left, key, token.as_ref()).await?,
            What::Conversation(made) => self.drop_conversation(&left, made).await?,
            What::Thread(made) => self.drop_thread(&left, made).await?,
        }
        self.database.write(move |tx| store::forget(tx, id)).await.map_err(failed)
    }

    /// Ends an upload session. One that was placed loses its session and keeps its file (Fastio's official client does
    /// the same after each upload).
    async fn drop_upload(&self, left: &Leftover, mark: &str, id: Option<&UploadId>) -> Result<(), Verdict> {
        if let Some(id) = id {
            return self.cancel_upload(id).await;
        }
        // Only a name with our mark is ours, whoever else works with the same key.
        let open = self.fastio.open_uploads().await.map_err(|error| fastio_verdict(&error))?;
        let name = marked(mark, "");
        let mut found = open.into_iter().filter(|upload| upload.name.starts_with(&name)).peekable();
        if found.peek().is_none() && self.clock.now() - left.since < APPEARS_WITHIN_MS {
            return Err(later(
                LOOK_FOR_UPLOAD,
                "Fastio did not answer to an upload; looking whether there is one",
            ));
        }
        for upload in found {
            self.cancel_upload(&upload.id).await?;
        }
        Ok(())
    }

    async fn cancel_upload(&self, id: &UploadId) -> Result<(), Verdict> {
        match self.fastio.cancel_upload(id).await {
            Ok(()) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(fastio_verdict(&error)),
        }
    }

    async fn drop_lock(
        &self,
        left: &Leftover,
        key: &FileKey,
        token: Option<&SecretString>,
    ) -> Result<(), Verdict> {
        let ran_out = self.clock.now() - left.since > i64::from(LOCK_SECONDS) * 1000;
        // The lock belongs to the key's user: another run of ours that has it has taken this one over.
        let own = key.clone();
        let taken_over = self.database.read(move |connection| run::store::is_locked(connection, &own)).await;
        if taken_over.map_err(failed)? || ran_out {
            return Ok(());
        }
        let released = match token {
            Some(token) => self.fastio.unlock(&key.profile, &key.node, token).await,
            None => match self.fastio.lock(&key.profile, &key.node, LOCK_SECONDS, DEVICE).await {
                Ok(lock) => self.fastio.unlock(&key.profile, &key.node, &lock.token).await,
                Err(error) => Err(error),
            },
        };
        match released {
            Ok(()) => Ok(()),
            // Somebody else's by now, or the file is gone and its lock with it.
            Err(error)
                if matches!(error.kind, ErrorKind::Locked | ErrorKind::NotFound | ErrorKind::Rejected) =>
            {
                Ok(())
            }
            Err(error) => Err(fastio_verdict(&error)),
        }
    }

    /// Stops what goes on in a conversation, and deletes it if it holds no answer. An answer people may want.
    async fn drop_conversation(&self, left: &Leftover, made: &Made) -> Result<(), Verdict> {
        let Some(id) = made.id.clone().map(ConversationId) else { return Ok(()) };
        if let Some(response) = &made.response {
            stopped(self.openai.cancel_response(&ResponseId(response.clone())).await.map(drop))?;
        }
        let page = openai_has(self.openai.conversation_items(&id, Order::OldestFirst, None).await)?;
        let Some(page) = page else { return self.unless_fresh(left) };
        // Our own question is nothing that anybody would miss.
        if page.items.iter().any(|item| item.role.as_deref() != Some("user")) {
            return Ok(());
        }
        if made.response.is_none() && page.items.is_empty() {
            self.unless_begun(left, made)?;
        }
        deleted(self.openai.delete_conversation(&id).await)
    }

    /// Stops what goes on in a thread, and deletes it unless a run of it has completed.
    async fn drop_thread(&self, left: &Leftover, made: &Made) -> Result<(), Verdict> {
        let Some(id) = made.id.clone().map(ThreadId) else { return Ok(()) };
        let Some(runs) = openai_has(self.openai.threads().runs(&id).await)? else {
            return self.unless_fresh(left);
        };
        let going: Vec<&RunId> =
            runs.iter().filter(|run| !run.status.is_terminal()).map(|run| &run.id).collect();
        for run in &going {
            stopped(self.openai.threads().cancel(&id, run).await.map(drop))?;
        }
        if runs.iter().any(|run| run.status == RunStatus::Completed) {
            return Ok(());
        }
        if !going.is_empty() {
            return Err(later(LOOK_AGAIN.0, "a run that is not needed was cancelled and has not ended yet"));
        }
        if runs.is_empty() {
            self.unless_begun(left, made)?;
        }
        deleted(self.openai.threads().delete(&id).await)
    }

    /// What was just made may not be shown yet; what is older and not shown is gone.
    fn unless_fresh(&self, left: &Leftover) -> Result<(), Verdict> {
        if self.clock.now() - left.since < FRESH_MS {
            return Err(later(LOOK_AGAIN.0, "OpenAI does not show the conversation yet"));
        }
        Ok(())
    }

    /// Something was begun whose id nobody knows: it may show yet.
    fn unless_begun(&self, left: &Leftover, made: &Made) -> Result<(), Verdict> {
        let Some(begun_at) = made.begun_at else { return Ok(()) };
        let definition = left.rule.as_deref().and_then(|rule| self.definition(rule));
        let patience = definition.map_or(UNKNOWN_RULE_MS, |definition| traceless_ms(definition));
        let age = self.clock.since(begun_at);
        if age >= patience {
            return Ok(());
        }
        let wait = Duration::from_millis(u64::try_from(age / 4).unwrap_or(0));
        let reason = "a run that is not needed may go on; looking for it, to cancel it";
        Err(later(wait.clamp(LOOK_AGAIN.0, LOOK_AGAIN.1), reason))
    }
}

/// A compatible server may have no such call: then what is empty stays there, and no retry would help.
fn deleted(result: Result<(), openai::Error>) -> Result<(), Verdict> {
    if let Err(error) = &result
        && matches!(error.kind, openai::ErrorKind::Rejected { .. })
    {
        tracing::warn!(error = %error, "an empty conversation could not be deleted, and stays");
    }
    stopped(result)
}

/// One that has ended, or is gone, need not be cancelled.
fn stopped(cancelled: Result<(), openai::Error>) -> Result<(), Verdict> {
    match cancelled {
        Err(error) if error.is_not_found() || matches!(error.kind, openai::ErrorKind::Rejected { .. }) => {
            Ok(())
        }
        other => other.map_err(|error| openai_verdict(&error)),
    }
}
