//! The server is killed at each step, before the step has any effect and after it had, before that is on record. When
//! it is started again there are one file, one copy, one result, and nothing is left over.
//!
//! [`sync`] and [`run`] kill the real program with SIGKILL, at the requests that make up the life of a file and of a
//! run. [`any`] drops the work at every request there is, in this process, where that takes no time.

/// A row is a test: the server is killed at the step, before its effect and after it, while the story goes on.
macro_rules! killed {
    ($(fn $name:ident(): $step:expr => $story:expr;)+) => {$(
        #[tokio::test]
        async fn $name() {
            super::both_sides($step, $story).await;
        }
    )+};
}

mod any;
mod assistants;
mod run;
mod sync;

use crate::harness::{Dies, Step};

/// Tells the story twice, side by side.
async fn both_sides(step: Step, story: impl AsyncFn(Step, Dies)) {
    tokio::join!(story(step, Dies::Before), story(step, Dies::After));
}
