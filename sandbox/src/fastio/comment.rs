//! Comments on nodes. The paths and limits are those of the official command-line client.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::fastio::profile::Profile;

use super::id::shown;
use super::time::written;

/// How many comments are kept; the oldest go first.
const MAX_COMMENTS: usize = 10_000;

#[derive(Debug, Clone)]
pub struct Comment {
    /// Without hyphens.
    pub id: String,
    pub profile: Profile,
    /// The node's id, without hyphens.
    pub node: String,
    pub parent: Option<String>,
    pub body: String,
    pub author: String,
    pub created: i64,
    pub updated: i64,
}

impl Comment {
    /// The names of its fields are inferred but for `body` and `parent_id`.
    pub fn shown(&self) -> Value {
        json!({
            "id": shown(&self.id),
            "body": self.body,
            "parent_id": self.parent.as_deref().map(shown),
            "entity_type": self.profile.kind.as_str(),
            "entity_id": self.profile.id,
            "node_id": shown(&self.node),
            "user_id": self.author,
            "created": written(self.created),
            "updated": written(self.updated),
        })
    }
}

#[derive(Debug, Default)]
pub struct Comments(VecDeque<Comment>);

impl Comments {
    pub fn add(&mut self, comment: Comment) {
        if self.0.len() == MAX_COMMENTS {
            self.0.pop_front();
        }
        self.0.push_back(comment);
    }

    pub fn get_mut(&mut self, id: &str) -> Option<&mut Comment> {
        self.0.iter_mut().find(|comment| comment.id == id)
    }

    pub fn remove(&mut self, id: &str) {
        self.0.retain(|comment| comment.id != id);
    }

    /// Oldest first.
    pub fn of<'a>(
        &'a self,
        profile: &'a Profile,
        node: Option<&'a str>,
    ) -> impl DoubleEndedIterator<Item = &'a Comment> {
        let on = move |comment: &&Comment| node.is_none_or(|node| comment.node == node);
        self.0.iter().filter(move |comment| comment.profile == *profile).filter(on)
    }
}
