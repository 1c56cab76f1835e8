//! The end of what a run made at OpenAI. Doing it twice does no harm: what is gone is what was wanted.

use crate::job::verdict::{openai_has, openai_verdict};
use crate::openai::{Client, ContainerId, ConversationId, Error, ErrorKind, Order, ResponseId, ThreadId};
use crate::queue::Verdict;
use crate::run::store::objects::{Object, ObjectKind};

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Deleted {
    Gone,
    /// The server does not do such a thing, in its words.
    Refused(String),
}

/// Deletes it, with what it holds.
///
/// # Errors
/// What a failure means for the job.
pub async fn delete(openai: &Client, object: &Object) -> Result<Deleted, Verdict> {
    let id = object.id.clone();
    let deleted = match object.kind {
        ObjectKind::Conversation => return conversation(openai, &ConversationId(id)).await,
        ObjectKind::Thread => openai.threads().delete(&ThreadId(id)).await,
        ObjectKind::Response => openai.delete_response(&ResponseId(id)).await,
        ObjectKind::Container => openai.delete_container(&ContainerId(id)).await,
    };
    came_to(deleted)
}

/// The items first: they do not go with their conversation.
async fn conversation(openai: &Client, id: &ConversationId) -> Result<Deleted, Verdict> {
    while let Some(page) = openai_has(openai.conversation_items(id, Order::OldestFirst, None).await)? {
        if page.items.is_empty() {
            break;
        }
        for item in &page.items {
            if let Deleted::Refused(why) = came_to(openai.delete_item(id, &item.id).await)? {
                return Ok(Deleted::Refused(why));
            }
        }
    }
    came_to(openai.delete_conversation(id).await)
}

fn came_to(deleted: Result<(), Error>) -> Result<Deleted, Verdict> {
    match deleted {
        Ok(()) => Ok(Deleted::Gone),
        Err(error) if error.is_not_found() => Ok(Deleted::Gone),
        Err(error) if matches!(error.kind, ErrorKind::Rejected { .. }) => {
            Ok(Deleted::Refused(error.to_string()))
        }
        Err(error) => Err(openai_verdict(&error)),
    }
}
