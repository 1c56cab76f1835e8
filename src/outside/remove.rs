//! Takes away what is unwanted, one thing at a time. Doing it twice does no harm: whatever is gone already is what was wanted.

use std::time::Duration;

use super::lock::{LOCK_SECONDS, give_back};
use super::{FRESH_MS, Kind, Thing, find, is_that_write, marked, store};
use crate::clock::Clock;
use crate::database::Database;
use crate::fastio::{FileKey, Node, UploadId};
use crate::job::verdict::{fastio_verdict, openai_has, openai_verdict};
use crate::openai::{ConversationId, Order, ResponseId, RunId, RunStatus, ThreadId};
use crate::own::OwnFile;
use crate::queue::Verdict;
use crate::{fastio, openai, own};

/// How long after it was asked for an upload session may appear in the list. Nothing documents it; the longest that a
/// request of ours may take, twice.
const APPEARS_WITHIN_MS: i64 = 5 * 60 * 1000;

/// Between looks for it.
const LOOK_FOR_UPLOAD: Duration = Duration::from_secs(30);

/// Between looks whether a write's uploads are gone.
const LOOK_FOR_FILE: Duration = Duration::from_secs(5);

/// Between looks whether what may go on in a conversation has ended: at first, and later.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(5 * 60));

/// What finds and removes, for each kind of thing.
#[derive(Debug)]
pub struct Remover {
    pub database: Database,
    pub clock: Clock,
    pub fastio: fastio::Client,
    pub openai: openai::Client,
}

impl Remover {
    /// Takes one thing away, unless it is needed again. A refusal may be over by the next try, which costs nothing; what is refused for
    /// hours needs a person.
    pub async fn remove(&self, id: i64) -> Verdict {
        match self.try_remove(id).await {
            Ok(()) => Verdict::Done,
            Err(Verdict::Dead { reason }) => Verdict::Retry { after: None, reason },
            Err(verdict) => verdict,
        }
    }

    async fn try_remove(&self, id: i64) -> Result<(), Verdict> {
        let Some(left) = self.database.read(move |connection| store::get(connection, id)).await? else {
            return Ok(());
        };
        match left.kind {
            Kind::Session => self.cancel_session(&left).await?,
            Kind::File => self.settle_file(&left).await?,
            Kind::Lock => self.release_lock(&left).await?,
            Kind::Talk => self.delete_talk(&left).await?,
            Kind::Conversation => self.delete_conversation(&left).await?,
            Kind::Thread => self.delete_thread(&left).await?,
        }
        self.database.write(move |tx| store::forget(tx, id)).await.map_err(Verdict::from)
    }

    /// Ends an upload session. One that was placed loses its session and keeps its file (Fastio's official client does
    /// the same after each upload).
    async fn cancel_session(&self, left: &Thing) -> Result<(), Verdict> {
        if let Some(id) = &left.object {
            return self.cancel_upload(&UploadId(id.clone())).await;
        }
        // Only a name with our mark is ours: other programs may work with the same key.
        let open = self.fastio.open_uploads().await.map_err(|error| fastio_verdict(&error))?;
        let name = marked(left.mark.as_deref().unwrap_or_default(), "");
        let mut found = open.into_iter().filter(|upload| upload.name.starts_with(&name)).peekable();
        if found.peek().is_none() && self.clock.now() - left.since < APPEARS_WITHIN_MS {
            return Err(Verdict::later(
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

    async fn release_lock(&self, left: &Thing) -> Result<(), Verdict> {
        let ran_out = self.clock.now() - left.since > i64::from(LOCK_SECONDS) * 1000;
        let Some(key) = left.mark.as_deref().and_then(|mark| mark.parse::<FileKey>().ok()) else {
            return Ok(());
        };
        // The lock belongs to the key's user: another run of ours that has it has taken this one over.
        let file = key.to_string();
        if ran_out || self.database.read(move |connection| store::is_locked(connection, &file)).await? {
            return Ok(());
        }
        give_back(&self.fastio, &key, left.object.clone()).await
    }

    /// Removes a thread of Fastio's AI, with its question and what was answered.
    async fn delete_talk(&self, left: &Thing) -> Result<(), Verdict> {
        let named = left.mark.as_deref().and_then(|mark| mark.rsplit_once(':'));
        let Some((profile, name)) = named.and_then(|(profile, name)| Some((profile.parse().ok()?, name)))
        else {
            return Ok(());
        };
        let thread = match &left.object {
            Some(thread) => Some(thread.clone()),
            // Whether it was asked is not known. Asked again, it would be asked now.
            None => {
                let found = self.fastio.talk_named(&profile, name).await;
                found.map_err(|error| fastio_verdict(&error))?
            }
        };
        let Some(thread) = thread else { return Ok(()) };
        let stopped = self.fastio.stop_talk(&profile, &thread).await;
        stopped.map_err(|error| fastio_verdict(&error))?;
        self.fastio.delete_talk(&profile, &thread).await.map_err(|error| fastio_verdict(&error))
    }

    /// Writes down what became of a write that no run goes on with. Its uploads are taken away first, and none was opened
    /// meanwhile, so that it is not carried out later.
    async fn settle_file(&self, left: &Thing) -> Result<(), Verdict> {
        let owner = left.owner.clone();
        let read = self.database.read(move |connection| {
            let own = own::store::of(connection, &owner)?.filter(|own| own.writing);
            Ok((own, store::has_sessions(connection, &owner)?))
        });
        let (Some(own), is_open) = read.await? else { return Ok(()) };
        let is_settled = !is_open && {
            let made = self.made_by(&own).await?;
            let now = self.clock.now();
            let write = self.database.write(move |tx| {
                if store::has_sessions(tx, &own.owner)? {
                    return Ok(false);
                }
                match &made {
                    Some(node) => own::store::settled(tx, &own, node, now)?,
                    None => own::store::abandon(tx, &own)?,
                }
                Ok(true)
            });
            write.await?
        };
        if is_settled {
            return Ok(());
        }
        Err(Verdict::later(LOOK_FOR_FILE, "its upload to Fastio is taken away first"))
    }

    /// What the write on record made, if it was carried out.
    async fn made_by(&self, own: &OwnFile) -> Result<Option<Node>, Verdict> {
        let found = find(&self.fastio, &self.clock, (&own.profile, own)).await?;
        let is_before = |node: &Node| own.node.is_some() && node.version == own.version;
        let Some(node) = found.filter(|node| !is_before(node)) else { return Ok(None) };
        Ok(is_that_write((&self.fastio, &self.clock), (&own.profile, &node), own).await?.then_some(node))
    }

    /// Stops what goes on in a conversation, and deletes it if it holds no answer. An answer people may want.
    async fn delete_conversation(&self, left: &Thing) -> Result<(), Verdict> {
        let Some(id) = left.object.clone().map(ConversationId) else { return Ok(()) };
        if let Some(response) = &left.response {
            stopped(self.openai.cancel_response(&ResponseId(response.clone())).await.map(drop))?;
        }
        let page = openai_has(self.openai.conversation_items(&id, Order::OldestFirst, None).await)?;
        let Some(page) = page else { return self.unless_fresh(left) };
        // Our own question is nothing that would be missed.
        if page.items.iter().any(|item| item.role.as_deref() != Some("user")) {
            return Ok(());
        }
        if left.response.is_none() && page.items.is_empty() {
            self.unless_begun(left)?;
        }
        deleted(self.openai.delete_conversation(&id).await)
    }

    /// Stops what goes on in a thread, and deletes it unless a run of it has completed.
    async fn delete_thread(&self, left: &Thing) -> Result<(), Verdict> {
        let Some(id) = left.object.clone().map(ThreadId) else { return Ok(()) };
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
            return Err(Verdict::later(
                LOOK_AGAIN.0,
                "a run that is not needed was cancelled and has not ended yet",
            ));
        }
        if runs.is_empty() {
            self.unless_begun(left)?;
        }
        deleted(self.openai.threads().delete(&id).await)
    }

    /// What was just made may not be shown yet; what is older and not shown is gone.
    fn unless_fresh(&self, left: &Thing) -> Result<(), Verdict> {
        if self.clock.now() - left.since < FRESH_MS {
            return Err(Verdict::later(LOOK_AGAIN.0, "OpenAI does not show the conversation yet"));
        }
        Ok(())
    }

    /// Something was begun whose id is not known: it may show yet.
    fn unless_begun(&self, left: &Thing) -> Result<(), Verdict> {
        let Some(begun_at) = left.begun_at else { return Ok(()) };
        let age = self.clock.since(begun_at);
        if age >= left.patience_ms.unwrap_or(0) {
            return Ok(());
        }
        let wait = Duration::from_millis(u64::try_from(age / 4).unwrap_or(0));
        let reason = "a run that is not needed may go on; looking for it, to cancel it";
        Err(Verdict::later(wait.clamp(LOOK_AGAIN.0, LOOK_AGAIN.1), reason))
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
