//! The job table: one job per key, one worker per job, nothing lost, nothing for ever.

use std::sync::Mutex;
use std::time::Duration;

use docket::database::{Connection, Database};
use docket::queue::store::{self, JobRow};
use docket::queue::{
    Claimed, Enqueued, Handler, NewJob, Outcome, Priority, Queue, Settings, Settled, Verdict,
};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::harness::clock::TestClock;
use crate::harness::database::{is_postgres, opened, url_in};

const LEASE: Duration = Duration::from_secs(15);
const SETTINGS: Settings = Settings { workers: 8, lease_seconds: 15, max_attempts: 3, stop_seconds: 20 };

struct Bench {
    database: Database,
    clock: TestClock,
    queue: Queue,
    _folder: TempDir,
}

impl Bench {
    async fn start() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let url = url_in(folder.path());
        let database = opened(&url).await;
        let clock = TestClock::default();
        let queue = Queue::new(database.clone(), clock.share(), SETTINGS);
        Bench { database, clock, queue, _folder: folder }
    }

    /// The server is killed and starts. Where others may work too, what it had in hand is its own until its leases end.
    async fn start_anew(&self) {
        let recovered = self.queue.recover().await.unwrap();
        if is_postgres() {
            self.later(LEASE);
        } else {
            assert_eq!(recovered, 1);
        }
    }

    async fn add(&self, key: &str) -> Enqueued {
        self.add_with(key, Priority::Live).await
    }

    async fn add_with(&self, key: &str, priority: Priority) -> Enqueued {
        let (key, now) = (key.to_owned(), self.clock.now());
        let add = move |tx: &mut Connection| {
            let job = NewJob { key: &key, task: "{}", needs: &["fastio", "openai"], priority };
            docket::queue::enqueue(tx, &job, now)
        };
        self.database.write(add).await.unwrap()
    }

    async fn claim(&self) -> Option<Claimed> {
        self.queue.claim().await.unwrap()
    }

    async fn settle(&self, claimed: Claimed, verdict: Verdict) -> Settled {
        let outcome = Outcome { verdict: Some(verdict), ..Outcome::default() };
        self.queue.settle(claimed, outcome, &CancellationToken::new()).await.unwrap().settled
    }

    async fn rows(&self) -> Vec<JobRow> {
        self.database.read(|connection| store::list(connection, None, 100)).await.unwrap()
    }

    fn later(&self, duration: Duration) {
        self.clock.shift(i64::try_from(duration.as_millis()).unwrap());
    }
}

fn failed(reason: &str) -> Verdict {
    Verdict::Retry { after: None, reason: reason.to_owned() }
}

fn hold(target: &str) -> Verdict {
    Verdict::Hold { target: target.to_owned(), reason: "the key was refused".to_owned() }
}

#[tokio::test]
async fn fifty_changes_of_one_file_are_one_job() {
    let bench = Bench::start().await;
    assert_eq!(bench.add("a").await, Enqueued::Added);
    for _ in 1..50 {
        assert_eq!(bench.add("a").await, Enqueued::Coalesced);
    }
    let claimed = bench.claim().await.unwrap();
    assert!(bench.claim().await.is_none());
    assert_eq!(bench.settle(claimed, Verdict::Done).await, Settled::Recorded);
    assert!(bench.rows().await.is_empty());
}

#[tokio::test]
async fn a_change_during_the_work_runs_it_once_more_and_never_beside_itself() {
    let bench = Bench::start().await;
    bench.add("a").await;
    let first = bench.claim().await.unwrap();
    bench.add("a").await;
    assert!(bench.claim().await.is_none(), "one file, one worker");
    bench.settle(first, Verdict::Done).await;
    let second = bench.claim().await.unwrap();
    assert_eq!(second.attempt, 1);
    bench.settle(second, Verdict::Done).await;
    assert!(bench.rows().await.is_empty());
}

#[tokio::test]
async fn a_dead_workers_job_is_taken_over_and_its_late_word_writes_nothing() {
    let bench = Bench::start().await;
    bench.add("a").await;
    let lost = bench.claim().await.unwrap();
    bench.later(LEASE);
    let other = Queue::new(bench.database.clone(), bench.clock.share(), SETTINGS);
    let taken = other.claim().await.unwrap().unwrap();
    assert_eq!(taken.attempt, 2, "a job that kills its worker must not do so for ever");
    assert_eq!(bench.settle(lost, Verdict::Done).await, Settled::LeaseLost);
    assert_eq!(bench.rows().await[0].state, "running");
    assert_eq!(bench.settle(taken, Verdict::Done).await, Settled::Recorded);
}

#[tokio::test]
async fn what_a_dead_server_had_in_hand_goes_first_and_what_kills_twice_goes_last() {
    let bench = Bench::start().await;
    bench.add("in hand").await;
    bench.later(Duration::from_millis(5));
    drop(bench.claim().await.unwrap());
    for key in ["waits", "waits too"] {
        bench.add(key).await;
        bench.later(Duration::from_millis(5));
    }
    bench.start_anew().await;
    assert_eq!(bench.claim().await.unwrap().key, "in hand", "others have waited less long");
    bench.start_anew().await;
    let mut order = Vec::new();
    while let Some(claimed) = bench.claim().await {
        order.push(claimed.key.clone());
    }
    assert_eq!(order, ["waits", "waits too", "in hand"], "it may have been what killed the server");
}

#[tokio::test]
async fn a_job_that_kills_every_worker_is_dead_in_the_end() {
    let bench = Bench::start().await;
    bench.add("a").await;
    for _ in 0..3 {
        drop(bench.claim().await.unwrap());
        bench.later(LEASE);
    }
    assert!(bench.claim().await.is_none());
    assert_eq!(bench.rows().await[0].state, "dead");
}

#[tokio::test]
async fn a_failing_job_waits_longer_each_time_and_then_is_dead_with_the_reason() {
    let bench = Bench::start().await;
    bench.add("a").await;
    for attempt in 1..=3 {
        let claimed = bench.claim().await.unwrap();
        assert_eq!(claimed.attempt, attempt);
        bench.settle(claimed, failed("OpenAI answered 500")).await;
        bench.later(Duration::from_secs(60));
    }
    assert!(bench.claim().await.is_none());
    let row = &bench.rows().await[0];
    assert_eq!(row.state, "dead");
    assert_eq!(row.reason.as_deref(), Some("gave up after 3 attempts: OpenAI answered 500"));
}

#[tokio::test]
async fn retry_after_is_obeyed_even_when_the_file_changes_again() {
    let bench = Bench::start().await;
    bench.add("a").await;
    let claimed = bench.claim().await.unwrap();
    let after = Some(Duration::from_secs(20));
    bench.settle(claimed, Verdict::Retry { after, reason: "too many requests".to_owned() }).await;
    bench.add("a").await;
    bench.later(Duration::from_secs(19));
    assert!(bench.claim().await.is_none());
    bench.later(Duration::from_secs(4));
    assert!(bench.claim().await.is_some());
}

#[tokio::test]
async fn news_ends_a_wait_for_the_remote_though_a_worker_died_before_and_no_wait_after_a_failure() {
    let bench = Bench::start().await;
    bench.add("a").await;
    drop(bench.claim().await.unwrap());
    bench.later(LEASE);
    let taken = bench.claim().await.unwrap();
    let indexing = Verdict::Later { after: Duration::from_secs(900), reason: "being indexed".to_owned() };
    bench.settle(taken, indexing).await;
    assert!(bench.claim().await.is_none());
    bench.add("a").await;
    let heard = bench.claim().await.expect("there is something to see");
    assert_eq!(heard.attempt, 2, "the dead worker still counts");
    bench.settle(heard, failed("OpenAI answered 500")).await;
    bench.add("a").await;
    assert!(bench.claim().await.is_none(), "a service that fails is not asked at each change");
}

#[tokio::test]
async fn news_revives_a_dead_job_with_all_its_attempts() {
    let bench = Bench::start().await;
    bench.add("a").await;
    let claimed = bench.claim().await.unwrap();
    bench.settle(claimed, Verdict::Dead { reason: "no".to_owned() }).await;
    bench.add("a").await;
    assert_eq!(bench.claim().await.unwrap().attempt, 1);
}

#[tokio::test]
async fn a_job_that_dies_of_old_news_lives_on_with_the_new() {
    let bench = Bench::start().await;
    bench.add("a").await;
    let claimed = bench.claim().await.unwrap();
    bench.add("a").await;
    bench.settle(claimed, Verdict::Dead { reason: "no".to_owned() }).await;
    assert_eq!(bench.claim().await.unwrap().attempt, 1);
}

#[tokio::test]
async fn live_changes_go_before_a_backfill() {
    let bench = Bench::start().await;
    bench.add_with("old", Priority::Backfill).await;
    bench.add_with("new", Priority::Live).await;
    assert_eq!(bench.claim().await.unwrap().key, "new");
    bench.add_with("raised", Priority::Backfill).await;
    bench.add_with("raised", Priority::Live).await;
    assert_eq!(bench.claim().await.unwrap().key, "raised");
    assert_eq!(bench.claim().await.unwrap().key, "old");
}

#[tokio::test]
async fn a_refused_key_pauses_the_target_and_kills_nothing() {
    let bench = Bench::start().await;
    for key in ["a", "b", "c"] {
        bench.add(key).await;
    }
    let first = bench.claim().await.unwrap();
    let second = bench.claim().await.unwrap();
    bench.settle(first, hold("openai")).await;
    bench.settle(second, hold("openai")).await;
    bench.later(Duration::from_secs(5));
    assert!(bench.claim().await.is_none(), "no other job has to find out");

    // No probe in vain costs a job an attempt, and only one job at a time is let through.
    for _ in 0..20 {
        bench.later(Duration::from_secs(5 * 60));
        let probe = bench.claim().await.unwrap();
        assert_eq!(probe.attempt, 1);
        assert!(bench.claim().await.is_none());
        bench.settle(probe, hold("openai")).await;
    }
    bench.later(Duration::from_secs(5 * 60));
    let probe = bench.claim().await.unwrap();
    bench.settle(probe, Verdict::Done).await;
    assert!(bench.claim().await.is_some() && bench.claim().await.is_some(), "the queue resumed by itself");
}

#[tokio::test]
async fn a_probe_that_fails_for_its_own_reasons_lets_the_next_job_try() {
    let bench = Bench::start().await;
    bench.add("broken").await;
    bench.add("sound").await;
    let claimed = bench.claim().await.unwrap();
    bench.settle(claimed, hold("openai")).await;
    bench.later(Duration::from_secs(60));
    let probe = bench.claim().await.unwrap();
    bench.settle(probe, Verdict::Dead { reason: "unreadable".to_owned() }).await;
    bench.later(Duration::from_secs(2));
    let next = bench.claim().await.unwrap();
    bench.settle(next, Verdict::Done).await;
    let pauses = bench.database.read(store::pauses).await.unwrap();
    assert!(pauses.is_empty());
}

#[tokio::test]
async fn waiting_for_the_remote_costs_no_attempt() {
    let bench = Bench::start().await;
    bench.add("a").await;
    for _ in 0..10 {
        let claimed = bench.claim().await.unwrap();
        assert_eq!(claimed.attempt, 1);
        let after = Duration::from_secs(1);
        bench.settle(claimed, Verdict::Later { after, reason: "being indexed".to_owned() }).await;
        assert!(bench.claim().await.is_none());
        bench.later(after);
    }
}

struct Hangs;

impl Handler for Hangs {
    async fn handle(&self, _: &Claimed) -> Verdict {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_stop_gives_the_job_back_and_costs_no_attempt() {
    let bench = Bench::start().await;
    bench.add("a").await;
    let abandon = CancellationToken::new();
    abandon.cancel();
    assert!(bench.queue.work_one(&Hangs, &abandon).await.unwrap());
    assert_eq!(bench.claim().await.unwrap().attempt, 1);
}

#[tokio::test]
async fn a_server_that_starts_takes_over_what_the_last_one_held() {
    let bench = Bench::start().await;
    bench.add("a").await;
    drop(bench.claim().await.unwrap());
    assert!(bench.claim().await.is_none());
    bench.start_anew().await;
    assert!(bench.claim().await.is_some());
}

/// Panics over the job `a`, as a fault of ours in the work on one file would make it.
#[derive(Default)]
struct Panics {
    done: Notify,
}

impl Handler for Panics {
    async fn handle(&self, job: &Claimed) -> Verdict {
        tokio::task::yield_now().await;
        assert!(job.key != "a", "the plan is empty");
        self.done.notify_one();
        Verdict::Done
    }
}

#[tokio::test]
async fn a_job_that_panics_has_failed_and_takes_nothing_with_it() {
    let bench = Bench::start().await;
    bench.add("a").await;
    bench.add("b").await;
    let (panics, stop) = (Panics::default(), CancellationToken::new());
    for attempt in 1..=3 {
        while bench.queue.work_one(&panics, &stop).await.unwrap() {}
        let rows = bench.rows().await;
        assert_eq!(rows.len(), 1, "the other job is done: {rows:#?}");
        assert_eq!((rows[0].key.as_str(), rows[0].attempt), ("a", attempt), "{rows:#?}");
        assert!(rows[0].reason.as_ref().unwrap().contains("panicked: the plan is empty"), "{rows:#?}");
        bench.later(Duration::from_secs(60 * 60));
    }
    assert_eq!(bench.rows().await[0].state, "dead", "it ends with its attempts");
}

#[tokio::test]
async fn a_worker_goes_on_after_a_job_that_panicked() {
    let bench = Bench::start().await;
    bench.add("a").await;
    bench.add("b").await;
    let (panics, stop) = (Panics::default(), CancellationToken::new());
    let after = async {
        panics.done.notified().await;
        stop.cancel();
    };
    tokio::join!(bench.queue.work(&panics, stop.clone(), CancellationToken::new()), after);
    assert_eq!(bench.rows().await.len(), 1);
}

#[derive(Default)]
struct Counts {
    running: Mutex<std::collections::HashSet<String>>,
    done: Mutex<u32>,
}

impl Handler for Counts {
    async fn handle(&self, job: &Claimed) -> Verdict {
        assert!(self.running.lock().unwrap().insert(job.key.clone()), "two workers on one file");
        tokio::task::yield_now().await;
        self.running.lock().unwrap().remove(&job.key);
        *self.done.lock().unwrap() += 1;
        Verdict::Done
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_workers_share_the_queue_and_never_a_file() {
    let bench = Bench::start().await;
    let handler = Counts::default();
    for n in 0..200 {
        bench.add(&format!("file {}", n % 40)).await;
    }
    let never = CancellationToken::new();
    let worker = || async { while bench.queue.work_one(&handler, &never).await.unwrap() {} };
    tokio::join!(worker(), worker(), worker(), worker());
    assert_eq!(*handler.done.lock().unwrap(), 40);
    assert!(bench.rows().await.is_empty());
}
