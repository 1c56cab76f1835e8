//! What a project may use, asked before it is needed: a model, and whether a service answers at all as OpenAI does.

use reqwest::Method;
use serde_json::Value;

use super::client::{Client, Extra};
use super::error::Error;
use crate::http::value::Fields;

/// A model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    pub id: String,
    /// The day from which it answers no more, as `2026-12-11`; none where it has none.
    pub shutdown_date: Option<String>,
}

impl Client {
    /// A model that the key may use.
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] when there is none for this key, and those of every call.
    pub async fn model(&self, id: &str) -> Result<Model, Error> {
        let answer = self.call("looking for a model", Method::GET, &["models", id], Extra::None).await?;
        answer.required(|value: &Value| {
            let fields = Fields::of(value)?;
            Some(Model { id: fields.id("id")?, shutdown_date: fields.id("shutdown_date") })
        })
    }

    /// Asks for a conversation that cannot be there.
    ///
    /// # Errors
    /// Always: [`super::ErrorKind::NotFound`] from a service that has conversations.
    pub async fn no_conversation(&self) -> Result<(), Error> {
        let path = ["conversations", "conv_docket_probe"];
        self.call("asking for conversations", Method::GET, &path, Extra::None).await.map(drop)
    }
}
