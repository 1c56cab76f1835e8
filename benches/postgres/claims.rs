//! Claims and their settling by Docket's own queue, several at a time, before and while another session holds a snapshot: no row that
//! a claim leaves behind can be cleaned away meanwhile.

use std::time::{Duration, Instant};

use docket::clock::Clock;
use docket::database::Database;
use docket::queue::{self, Claimed, Handler, NewJob, Priority, Queue, Settings, Verdict};
use futures_util::future::try_join_all;
use serde_json::json;
use tokio_postgres::NoTls;
use tokio_util::sync::CancellationToken;

use super::Run;

const PART: f64 = 0.90;

/// Who claims at once.
const CLAIMERS: usize = 8;

/// Jobs that wait, whenever one is claimed.
const WAITING: usize = 1_000;

/// Work that takes no time. Its job is to be done again at once, so that there are always as many.
struct Nothing;

impl Handler for Nothing {
    async fn handle(&self, _: &Claimed) -> Verdict {
        Verdict::later(Duration::ZERO, "again")
    }
}

impl Run {
    pub(super) fn claims(&mut self) -> anyhow::Result<()> {
        let (_, url) = self.server.database()?;
        let (counted, held) =
            (Duration::from_secs(self.options.seconds), Duration::from_secs(self.options.snapshot));
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let (free, beside) = runtime.block_on(async {
            let database = Database::open(&url).await?;
            database
                .write(|tx| {
                    (0..WAITING)
                        .try_for_each(|number| queue::enqueue(tx, &job(&number.to_string()), 0).map(drop))
                })
                .await?;
            let queue = Queue::new(database.clone(), Clock::default(), Settings::default());
            // What is prepared once and remembered is so in both.
            claimed_within(&queue, counted / 4).await?;
            let free = claimed_within(&queue, counted).await?;
            let (holder, connection) = tokio_postgres::connect(&url, NoTls).await?;
            tokio::spawn(connection);
            holder.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM job").await?;
            claimed_within(&queue, held.saturating_sub(counted)).await?;
            let beside = claimed_within(&queue, counted).await?;
            holder.batch_execute("COMMIT").await?;
            database.close().await;
            anyhow::Ok((free, beside))
        })?;
        let (ratio, seconds) = (beside / free, self.options.snapshot);
        self.report.row(
            &format!("claims and settlements a second: {free:.0}; after a snapshot was held for {seconds} s: {beside:.0}"),
            json!({"what": "claims", "claims_per_second": free, "beside_a_snapshot": beside, "snapshot_seconds": seconds}),
        );
        let measured = format!("{:.1} %", 100.0 * ratio);
        self.judge(
            "claims beside a snapshot that is held",
            "at least 90 % of those without",
            measured,
            ratio >= PART,
        );
        Ok(())
    }
}

fn job(key: &str) -> NewJob<'_> {
    NewJob { key, task: "{}", needs: &["fastio"], priority: Priority::Live }
}

/// How many jobs a second are claimed and settled.
async fn claimed_within(queue: &Queue, time: Duration) -> anyhow::Result<f64> {
    let began = Instant::now();
    let claimers = (0..CLAIMERS).map(|_| async {
        let (never, mut claimed) = (CancellationToken::new(), 0_u32);
        while began.elapsed() < time {
            claimed += u32::from(queue.work_one(&Nothing, &never).await?);
        }
        anyhow::Ok(claimed)
    });
    let claimed: u32 = try_join_all(claimers).await?.into_iter().sum();
    Ok(f64::from(claimed) / began.elapsed().as_secs_f64())
}
