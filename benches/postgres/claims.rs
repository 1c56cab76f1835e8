//! Claims and their settling by Docket's own queue, several at a time, where another session has held a snapshot for long, and where none
//! does: no row that a claim leaves behind can be cleaned away meanwhile.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use docket::clock::Clock;
use docket::database::{Connection, Database, ServerLock};
use docket::queue::{self, Claimed, Handler, NewJob, Priority, Queue, Settings, Verdict};
use futures_util::future::try_join_all;
use serde_json::json;
use tokio_postgres::NoTls;
use tokio_util::sync::CancellationToken;

use super::Run;
use crate::ack::median;

const PART: f64 = 0.90;

/// How often both are counted, in turns: how fast a machine is changes from minute to minute.
const TURNS: usize = 5;

/// Who claims at once.
const CLAIMERS: usize = 8;

/// Jobs that come together, whenever there are fewer that wait.
const WAITING: i64 = 1_000;

/// Work that takes no time.
struct Nothing;

impl Handler for Nothing {
    async fn handle(&self, _: &Claimed) -> Verdict {
        Verdict::Done
    }
}

/// The queue of a server, and how many jobs there were.
struct Claims {
    database: Database,
    queue: Queue,
    clock: Clock,
    added: AtomicI64,
    done: AtomicI64,
}

impl Run {
    pub(super) fn claims(&mut self) -> anyhow::Result<()> {
        // A snapshot keeps what its own database has deleted, and nothing of another's.
        let ((_, free), (_, held)) = (self.server.database()?, self.server.database()?);
        let held_for = Duration::from_secs(self.options.snapshot);
        let counted = Duration::from_secs(self.options.seconds);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let turns = runtime.block_on(async {
            let (free, beside) = (Claims::on(&free).await?, Claims::on(&held).await?);
            let (holder, connection) = tokio_postgres::connect(&held, NoTls).await?;
            tokio::spawn(connection);
            holder.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM job").await?;
            beside.within(held_for).await?;
            // What is prepared once and remembered is so in both.
            free.within(counted / 4).await?;
            let mut turns = Vec::new();
            for _ in 0..TURNS {
                turns.push((free.within(counted).await?, beside.within(counted).await?));
            }
            holder.batch_execute("COMMIT").await?;
            free.database.close().await;
            beside.database.close().await;
            anyhow::Ok(turns)
        })?;
        let seconds = self.options.snapshot;
        self.report.say(&format!(
            "claims and settlements     a second  after a snapshot was held for {seconds} s   ratio"
        ));
        for (free, beside) in &turns {
            let ratio = beside / free;
            self.report.row(
                &format!("turn                       {free:>8.0} {beside:>36.0} {:>6.1}%", 100.0 * ratio),
                json!({"what": "claims", "claims_per_second": free, "beside_a_snapshot": beside, "snapshot_seconds": seconds}),
            );
        }
        let ratio = median(turns.into_iter().map(|(free, beside)| beside / free));
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

impl Claims {
    async fn on(url: &str) -> anyhow::Result<Claims> {
        let clock = Clock::default();
        let lock = ServerLock::serve(url, clock.clone()).await?;
        let database = Database::open_under(url, &lock).await?;
        let queue = Queue::new(database.clone(), clock.clone(), Settings::default());
        Ok(Claims { database, queue, clock, added: 0.into(), done: 0.into() })
    }

    /// How many jobs a second are claimed and settled.
    async fn within(&self, time: Duration) -> anyhow::Result<f64> {
        let began = Instant::now();
        let before = self.done.load(Ordering::Relaxed);
        let claimers = (0..CLAIMERS).map(|_| async {
            let never = CancellationToken::new();
            while began.elapsed() < time {
                self.fill().await?;
                let worked = self.queue.work_one(&Nothing, &never).await?;
                self.done.fetch_add(i64::from(worked), Ordering::Relaxed);
            }
            anyhow::Ok(())
        });
        try_join_all(claimers).await?;
        let done = self.done.load(Ordering::Relaxed) - before;
        Ok(done as f64 / began.elapsed().as_secs_f64())
    }

    /// Adds jobs, if there are few.
    async fn fill(&self) -> anyhow::Result<()> {
        let waiting = self.added.load(Ordering::Relaxed) - self.done.load(Ordering::Relaxed);
        if waiting > WAITING {
            return Ok(());
        }
        let (from, now) = (self.added.fetch_add(WAITING, Ordering::Relaxed), self.clock.now());
        let add = move |tx: &mut Connection| {
            (from..from + WAITING).try_for_each(|number| {
                let job = NewJob {
                    key: &number.to_string(),
                    task: "{}",
                    needs: &["fastio"],
                    priority: Priority::Live,
                };
                queue::enqueue(tx, &job, now).map(drop)
            })
        };
        Ok(self.database.write(add).await?)
    }
}
