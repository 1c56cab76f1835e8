//! Whether a service answers at all, and what it has done. What a job got done is no proof of the former: it may have ended
//! without a request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Failure, Reply};
use crate::contain::lock;

/// Counts the answers that only a service which works can give, and what it did. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct AnswerCounter {
    answers: Arc<AtomicU64>,
    /// By what was done. There are as many as kinds of calls, and models.
    done: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl AnswerCounter {
    /// Counts what a request came to, if it is an answer of the service itself, and returns it. Whatever stands on the way
    /// answers for a service that may be far from working.
    pub fn observe(
        &self,
        reply: Result<Reply, Failure>,
        speaks: impl FnOnce(&Reply) -> Speaker,
    ) -> Result<Reply, Failure> {
        let answers = |reply: &Reply| !reply.head.status.is_server_error() && reply.head.status != 408;
        if let Ok(reply) = &reply
            && answers(reply)
            && speaks(reply) != Speaker::Stranger
        {
            self.answers.fetch_add(1, Ordering::Relaxed);
        }
        reply
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

/// How a service takes a plain question that has nothing to do with any file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainAnswer {
    /// It answers it.
    Taken,
    /// It refuses us: nothing that we ask will do better.
    Refused,
    /// It says something else, and so is there.
    Other,
    /// It does not answer, or something on the way answers for it.
    Silence,
}

/// Who speaks in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// The service, worded as its documents say.
    Service,
    /// The service by the form of it, or a server like it; something on the way could word it so too.
    Likely,
    /// Something on the way: a firewall, a proxy, a captive portal. What it says is about no file and no key.
    Stranger,
}
