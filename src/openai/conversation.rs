//! Conversations: what a run is made in, so that a run whose reply was lost is found by what it left there.
//!
//! There is no list of responses and no idempotency key. The input and output of a response are added to its
//! conversation once it completes (OpenAI's OpenAPI document 2.3.0), so the items of a recorded conversation tell later
//! whether the run took place.

use std::collections::BTreeMap;
use std::fmt;

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::http::value::Fields;

use super::Error;
use super::client::{CONVERSING, Client, Extra};
use super::file::Page;
use super::output::Output;

/// Items asked for at once: the most the OpenAPI document allows.
const ITEMS_PER_PAGE: &str = "100";

/// The id of a conversation, such as `conv_abc123`. Opaque.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConversationId(pub String);

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which items come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    OldestFirst,
    NewestFirst,
}

impl Order {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Order::OldestFirst => "asc",
            Order::NewestFirst => "desc",
        }
    }
}

/// One item of a conversation: a message, a call of a tool, or something that came after this was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub id: String,
    /// Such as `message`; empty where none is sent.
    pub kind: String,
    /// `user` or `assistant` of a message.
    pub role: Option<String>,
    /// The item as it came.
    pub raw: Value,
}

impl Item {
    fn read(value: &Value) -> Option<Self> {
        let fields = Fields::of(value)?;
        Some(Item {
            id: fields.id("id")?,
            kind: fields.text("type").unwrap_or_default(),
            role: fields.id("role"),
            raw: value.clone(),
        })
    }

    /// What the model answered in these items, which must stand oldest first.
    pub fn output<'a>(items: impl IntoIterator<Item = &'a Item>) -> Output {
        Output::read(items.into_iter().map(|item| &item.raw))
    }
}

impl Client {
    /// Creates an empty conversation. There is no idempotency key; an empty conversation whose id was lost costs and
    /// says nothing.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn create_conversation(
        &self,
        metadata: &BTreeMap<String, String>,
    ) -> Result<ConversationId, Error> {
        let body = json!({ "metadata": metadata });
        let path = ["conversations"];
        let answer = self.call(CONVERSING, Method::POST, &path, Extra::Json(&body)).await?;
        answer.required(|value| Fields::of(value)?.id("id").map(ConversationId))
    }

    /// Deletes a conversation. What responses in it answered stays where it is otherwise kept (OpenAI's OpenAPI document).
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] when there is no such conversation, and those of every call.
    pub async fn delete_conversation(&self, id: &ConversationId) -> Result<(), Error> {
        let path = ["conversations", &id.0];
        self.call("deleting a conversation", Method::DELETE, &path, Extra::None).await.map(drop)
    }

    /// Deletes one item of a conversation. They do not go with their conversation (OpenAI's OpenAPI document).
    ///
    /// # Errors
    /// As [`Client::delete_conversation`].
    pub async fn delete_item(&self, id: &ConversationId, item: &str) -> Result<(), Error> {
        let path = ["conversations", &id.0, "items", item];
        self.call("deleting from a conversation", Method::DELETE, &path, Extra::None).await.map(drop)
    }

    /// A page of a conversation's items. `after` is a page's [`Page::next`].
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] when there is no such conversation, [`super::ErrorKind::Unreadable`] also when the
    /// listing cannot go on; and those of every call.
    pub async fn conversation_items(
        &self,
        id: &ConversationId,
        order: Order,
        after: Option<&str>,
    ) -> Result<Page<Item, String>, Error> {
        let mut query = vec![("order", order.as_str()), ("limit", ITEMS_PER_PAGE)];
        query.extend(after.map(|id| ("after", id)));
        let path = ["conversations", &id.0, "items"];
        let answer = self.call("reading a conversation", Method::GET, &path, Extra::Query(&query)).await?;
        let after = after.map(str::to_owned);
        answer.page(|fields| Page::read(fields, after.as_ref(), Item::read, |item| &item.id)?.whole())
    }
}
