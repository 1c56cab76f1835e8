//! Whether a service answers at all, and what it has done. What a job got done is no proof of the former: it may have ended
//! without a request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Head, Speaker};
use crate::contain::lock;

/// Counts the answers that only a service which works can give, and what it did. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct AnswerCounter {
    answers: Arc<AtomicU64>,
    /// By what was done. There are as many as kinds of calls, and models.
    done: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl AnswerCounter {
    /// Counts an answer if the service itself gave it. Whatever stands on the way answers for a service that may be far from
    /// working.
    pub fn heard(&self, head: &Head, speaker: Speaker) {
        if !head.status.is_server_error() && head.status != 408 && speaker != Speaker::Stranger {
            self.answers.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many there have been.
    pub fn count(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// The service did what it may refuse at another time.
    pub fn did(&self, what: &str) {
        let mut done = lock(&self.done);
        match done.get_mut(what) {
            Some(times) => *times += 1,
            None => drop(done.insert(what.to_owned(), 1)),
        }
    }

    /// How often it did each thing.
    pub fn done(&self) -> BTreeMap<String, u64> {
        lock(&self.done).clone()
    }
}
