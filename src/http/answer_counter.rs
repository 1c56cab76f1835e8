//! Whether a service answers at all. What a job got done is no proof of that: it may have ended without a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Failure, Reply};

/// Counts the answers that only a service which works can give. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct AnswerCounter(Arc<AtomicU64>);

impl AnswerCounter {
    /// Counts what a request came to, if it is an answer, and returns it.
    pub fn observe(&self, reply: Result<Reply, Failure>) -> Result<Reply, Failure> {
        let answers = |reply: &Reply| !reply.head.status.is_server_error() && reply.head.status != 408;
        if reply.as_ref().is_ok_and(answers) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        reply
    }

    /// How many there have been.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
