//! Looks on while calls are made: for a rehearsal, which has to know how an answer was worded and not only what was read in
//! it. Nobody looks on in a server, where this costs one look at a task's own variable per call.

use std::future::Future;
use std::sync::{Arc, Mutex};

use reqwest::{Request, StatusCode};
use serde_json::Value;

use super::reply::{Begun, Head, Reply};
use crate::contain::lock;

/// An answer longer than this is not kept as JSON: a rehearsal asks for little.
const MOST_BYTES: usize = 256 * 1024;

/// One call and how it was answered. What lets a request in is taken out of the answer before it comes here.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    /// Without the query, which may hold a token.
    pub path: String,
    /// None where no answer came.
    pub head: Option<Head>,
    /// None where it is no JSON, or is not read as a whole.
    pub body: Option<Value>,
}

impl Seen {
    pub fn status(&self) -> Option<StatusCode> {
        self.head.as_ref().map(|head| head.status)
    }
}

/// The calls, in their order. They must be made one after the other.
#[derive(Debug, Clone, Default)]
pub struct Witness(Arc<Mutex<Vec<Seen>>>);

tokio::task_local! {
    static WITNESS: Witness;
}

impl Witness {
    /// Does `work` and looks on.
    pub async fn watch<T>(&self, work: impl Future<Output = T>) -> T {
        WITNESS.scope(self.clone(), work).await
    }

    /// The calls so far.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.0).clone()
    }

    /// The last call.
    pub fn last(&self) -> Option<Seen> {
        lock(&self.0).last().cloned()
    }

    /// How many calls there were.
    pub fn count(&self) -> usize {
        lock(&self.0).len()
    }
}

pub(super) fn asked(request: &Request) {
    tell(|seen| {
        let (method, path) = (request.method().to_string(), request.url().path().to_owned());
        seen.push(Seen { method, path, head: None, body: None });
    });
}

pub(super) fn began(begun: &Begun) {
    tell(|seen| seen.last_mut().into_iter().for_each(|last| last.head = Some(begun.head())));
}

pub(super) fn answered(reply: &Reply) {
    tell(|seen| {
        if let Some(last) = seen.last_mut().filter(|_| reply.body.len() <= MOST_BYTES) {
            last.body = serde_json::from_slice(&reply.body).ok();
        }
    });
}

fn tell(note: impl FnOnce(&mut Vec<Seen>)) {
    // Nobody looks on.
    let _ = WITNESS.try_with(|witness| note(&mut lock(&witness.0)));
}
