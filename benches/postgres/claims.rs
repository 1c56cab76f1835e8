//! Claims and their settling by Docket's own queue, several at a time, where another session has held a snapshot for long, and where none
//! does: no row that a claim leaves behind can be cleaned away meanwhile. And those of two servers of one database, beside those of one.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use docket::clock::Clock;
use docket::database::{Connection, Database, ServerLock};
use docket::queue::{self, Claimed, Handler, NewJob, Priority, Queue, Settings, Verdict};
use futures_util::future::{join, join_all, try_join};
use serde_json::json;
use tokio::sync::Notify;
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

/// The queue of a server.
struct Claims {
    database: Database,
    queue: Queue,
    clock: Clock,
    jobs: Arc<Jobs>,
    _lock: ServerLock,
}

/// How many jobs there were, of all servers together.
#[derive(Default)]
struct Jobs {
    added: AtomicI64,
    done: AtomicI64,
    /// Few are left.
    few: Notify,
}

/// Work that takes no time, and is counted.
struct Counted {
    jobs: Arc<Jobs>,
    /// By this server, this time.
    done: AtomicI64,
}

impl Handler for Counted {
    async fn handle(&self, _: &Claimed) -> Verdict {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.jobs.done.fetch_add(1, Ordering::Relaxed);
        if self.jobs.are_few() {
            self.jobs.few.notify_one();
        }
        Verdict::Done
    }
}

impl Jobs {
    fn are_few(&self) -> bool {
        self.added.load(Ordering::Relaxed) - self.done.load(Ordering::Relaxed) <= WAITING
    }
}

impl Run {
    pub(super) fn claims(&mut self) -> anyhow::Result<()> {
        // A snapshot keeps what its own database has deleted, and nothing of another's.
        let ((_, free), (_, held)) = (self.server.database()?, self.server.database()?);
        let held_for = Duration::from_secs(self.options.snapshot);
        let counted = Duration::from_secs(self.options.seconds);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let turns = runtime.block_on(async {
            let (free, beside) =
                (Claims::on(&free, Arc::default()).await?, Claims::on(&held, Arc::default()).await?);
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

    /// Claims by one server and by two of one database, in turn.
    pub(super) fn claims_of_two(&mut self) -> anyhow::Result<f64> {
        let (_, url) = self.server.database()?;
        let counted = Duration::from_secs(self.options.seconds);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let turns = runtime.block_on(async {
            let jobs = Arc::<Jobs>::default();
            let (one, other) = (Claims::on(&url, jobs.clone()).await?, Claims::on(&url, jobs).await?);
            // What is prepared once and remembered is so in both.
            try_join(one.within(counted / 4), other.within(counted / 4)).await?;
            let mut turns = Vec::new();
            for _ in 0..TURNS {
                let alone = one.within(counted).await?;
                let (a, b) = try_join(one.within(counted), other.within(counted)).await?;
                turns.push((alone, a + b));
            }
            one.database.close().await;
            other.database.close().await;
            anyhow::Ok(turns)
        })?;
        let ratios = turns.into_iter().map(|(one, two)| self.tell_two("claims and settlements", one, two));
        Ok(median(ratios.collect::<Vec<f64>>()))
    }
}

impl Claims {
    async fn on(url: &str, jobs: Arc<Jobs>) -> anyhow::Result<Claims> {
        let clock = Clock::default();
        let lock = ServerLock::serve(url, clock.clone()).await?;
        let database = Database::open_under(url, &lock).await?;
        let queue = Queue::new(database.clone(), clock.clone(), Settings::default());
        Ok(Claims { database, queue, clock, jobs, _lock: lock })
    }

    /// How many jobs a second are claimed and settled.
    async fn within(&self, time: Duration) -> anyhow::Result<f64> {
        let (stop, never) = (CancellationToken::new(), CancellationToken::new());
        let counted = Counted { jobs: self.jobs.clone(), done: AtomicI64::new(0) };
        self.fill().await?;
        let began = Instant::now();
        let worked = join_all((0..CLAIMERS).map(|_| self.queue.work(&counted, stop.clone(), never.clone())));
        let filled = async {
            let mut over = pin!(tokio::time::sleep(time));
            loop {
                tokio::select! { () = &mut over => break, () = self.jobs.few.notified() => self.fill().await? }
            }
            stop.cancel();
            anyhow::Ok(())
        };
        join(worked, filled).await.1?;
        Ok(counted.done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64())
    }

    /// Adds jobs, if there are few.
    async fn fill(&self) -> anyhow::Result<()> {
        if !self.jobs.are_few() {
            return Ok(());
        }
        let (from, now) = (self.jobs.added.fetch_add(WAITING, Ordering::Relaxed), self.clock.now());
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
