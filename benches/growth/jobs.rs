//! A claim and its settling, by Docket's own queue and with no work in between: no server is needed for that.

use std::time::Instant;

use docket::clock::Clock;
use docket::database::{Database, ServerLock};
use docket::queue::{Claimed, Handler, Queue, Settings, Verdict};
use tokio_util::sync::CancellationToken;

use super::Took;
use super::fill::DUE;
use crate::server::Place;

/// Work that takes no time, while OpenAI still refuses the key whenever a held job finds out whether it does.
struct Nothing;

impl Handler for Nothing {
    async fn handle(&self, job: &Claimed) -> Verdict {
        match job.causes().any(|cause| cause == OPENAI) {
            true => Verdict::Hold { target: OPENAI.to_owned(), reason: "OpenAI refuses the key".to_owned() },
            false => Verdict::Done,
        }
    }
}

const OPENAI: &str = "openai";

/// Claims and settles in one database and then in the other, and so on.
pub fn claim_and_settle(what: &str, places: [&Place; 2]) -> anyhow::Result<Took> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut queues = Vec::new();
        for place in places {
            let clock = Clock::default();
            let lock = ServerLock::serve(place.database(), clock.clone()).await?;
            let database = Database::open_under(place.database(), &lock).await?;
            queues.push((database.clone(), Queue::new(database, clock, Settings::default()), lock));
        }
        let abandon = CancellationToken::new();
        let mut all = [Vec::new(), Vec::new()];
        for _ in 0..DUE {
            for ((_, queue, _), all) in queues.iter().zip(&mut all) {
                let began = Instant::now();
                let claimed = queue.work_one(&Nothing, &abandon).await?;
                anyhow::ensure!(claimed, "a job that is due was not claimed");
                all.push(u32::try_from(began.elapsed().as_micros())?);
            }
        }
        for (database, _, _lock) in queues {
            database.close().await;
        }
        Ok(Took::new(what, all))
    })
}
