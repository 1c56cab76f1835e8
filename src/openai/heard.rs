//! What OpenAI says of a model's limits with each answer about it (`x-ratelimit-limit-*`; its guide on rate limits).

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::contain::lock;
use crate::http::Head;

/// Models that are remembered: more than any settings name.
const MOST_MODELS: usize = 1_000;

/// In a minute. A server that is not OpenAI's may say nothing of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ModelLimits {
    pub requests: Option<u64>,
    pub tokens: Option<u64>,
}

/// Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard(Arc<Mutex<HashMap<String, ModelLimits>>>);

impl Heard {
    pub fn hear(&self, model: &str, head: &Head) {
        let number = |name: &str| head.header(name)?.trim().parse().ok().filter(|limit| *limit > 0);
        let limits = ModelLimits {
            requests: number("x-ratelimit-limit-requests"),
            tokens: number("x-ratelimit-limit-tokens"),
        };
        let mut models = lock(&self.0);
        if models.len() >= MOST_MODELS {
            models.clear();
        }
        models.insert(model.to_owned(), limits);
    }

    pub fn of(&self, model: &str) -> Option<ModelLimits> {
        lock(&self.0).get(model).copied()
    }
}
