//! What is done on the way of one attempt at a job, step by step, for people who ask later how a file came to where it is. Whoever does
//! something that takes time outside says so here; the queue writes it down with what became of the attempt, in the transaction that it
//! makes anyway. So a trail costs no write of its own, and of an attempt whose process was killed only its end is known.

use std::future::Future;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use crate::contain::lock;

/// Steps of one attempt that are kept. A file in ten stores takes fewer.
const MOST_STEPS: usize = 60;

/// Characters of a note that are kept: a sentence.
const MOST_CHARACTERS: usize = 300;

tokio::task_local! {
    static CURRENT: Trail;
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Fastio was asked what the file is, and it is something else than was known.
    Looked,
    /// It does not go to OpenAI.
    Skipped,
    /// It is gone from Fastio.
    Gone,
    /// Its bytes came from Fastio.
    Downloaded,
    /// OpenAI has them.
    Uploaded,
    /// A vector store took it.
    Attached,
    /// The vector store has read it: it can be found.
    Indexed,
    /// A vector store was told where the file is now.
    Relabelled,
    /// An earlier copy went, whose place a newer one took.
    Replaced,
    /// A copy went, and none took its place.
    Removed,
    /// What OpenAI can read in it was looked at.
    Read,
    /// A model was asked.
    Asked,
    /// It has answered.
    Answered,
    /// The run has its outcome.
    Analysed,
    /// The result stands beside the file.
    Written,
    /// The file was moved, shared or locked because of it.
    Acted,
}

impl What {
    pub fn as_str(self) -> &'static str {
        match self {
            What::Looked => "looked",
            What::Skipped => "skipped",
            What::Gone => "gone",
            What::Downloaded => "downloaded",
            What::Uploaded => "uploaded",
            What::Attached => "attached",
            What::Indexed => "indexed",
            What::Relabelled => "relabelled",
            What::Replaced => "replaced",
            What::Removed => "removed",
            What::Read => "read",
            What::Asked => "asked",
            What::Answered => "answered",
            What::Analysed => "analysed",
            What::Written => "written",
            What::Acted => "acted",
        }
    }
}

/// One step. Its names are short because there are millions of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    #[serde(rename = "w")]
    pub what: What,
    /// Unix milliseconds.
    #[serde(rename = "b")]
    pub began_at: i64,
    #[serde(rename = "e")]
    pub ended_at: i64,
    /// In words; never what a document says.
    #[serde(rename = "n", default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// The steps of one attempt. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Trail(Arc<Mutex<Vec<Step>>>);

impl Trail {
    /// That of the attempt that the calling task works on. One that nobody reads where it works on none.
    pub fn current() -> Trail {
        CURRENT.try_with(Clone::clone).unwrap_or_default()
    }

    pub fn add(&self, what: What, (began_at, ended_at): (i64, i64), note: impl Into<String>) {
        let mut steps = lock(&self.0);
        if steps.len() < MOST_STEPS {
            let note = note.into().chars().take(MOST_CHARACTERS).collect();
            steps.push(Step { what, began_at, ended_at, note });
        }
    }

    pub fn steps(&self) -> Vec<Step> {
        lock(&self.0).clone()
    }
}

/// Does `work`, whose steps go on `trail`.
pub async fn scope<T>(trail: Trail, work: impl Future<Output = T>) -> T {
    CURRENT.scope(trail, work).await
}

/// Something was done, from when to when.
pub fn done(what: What, times: (i64, i64), note: impl Into<String>) {
    if let Ok(trail) = CURRENT.try_with(Clone::clone) {
        trail.add(what, times, note);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_done_stands_on_the_trail_of_the_attempt_and_has_an_end() {
        done(What::Looked, (1, 2), "on no attempt");
        let trail = Trail::default();
        let work = async {
            done(What::Downloaded, (1, 2), "é".repeat(1_000));
            for _ in 0..1_000 {
                done(What::Removed, (3, 3), "");
            }
        };
        scope(trail.clone(), work).await;
        let steps = trail.steps();
        assert_eq!(steps.len(), MOST_STEPS);
        assert_eq!(steps[0].note.chars().count(), MOST_CHARACTERS);
        let json = serde_json::to_string(&steps[1]).unwrap();
        assert_eq!(json, r#"{"w":"removed","b":3,"e":3}"#);
        assert_eq!(serde_json::from_str::<Step>(&json).unwrap(), steps[1]);
    }
}
