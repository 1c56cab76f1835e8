//! The machine's clock is set back or ahead by an hour in the middle of work: nothing hangs, nothing is lost, nothing is
//! done twice at once.

use docket::queue::{Claimed, Handler, NewJob, Priority, Queue, Settings, Verdict, enqueue};
use serde_json::json;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::harness::clock::TestClock;
use crate::harness::database::{opened, url_in};
use crate::harness::{Dies, Harness, ONE_STORE, contract, fastio, legal};

const HOUR_MS: i64 = 60 * 60 * 1000;

/// Time that work with a failure or two takes; a tenth more after a step back.
const NOT_AN_HOUR_MS: i64 = 5 * 60 * 1000;

/// Settles, and answers how much time that took.
async fn settled_in(h: &Harness) -> i64 {
    let begun = h.clock.now();
    h.settle().await;
    h.clock.now() - begun
}

/// A workspace with a job that waits after a failure, one that was given up by a dead worker, and a held service.
async fn in_the_middle(h: &Harness) {
    h.put("/steady.txt", "there before").await;
    h.settle().await;
    h.openai_fails(json!({ "kind": "server_error" })).await;
    for number in 0..6 {
        h.put(&format!("/{number}.txt"), &format!("clause {number}")).await;
    }
    h.take_in().await;
    for _ in 0..4 {
        h.work_one().await;
    }
    assert_eq!(h.pauses().await.len(), 1);
    // Fastio's jobs go on: this one is killed in the middle.
    h.trash("/steady.txt").await;
    h.take_in().await;
    h.pass(6_000);
    h.work_killed(&fastio("GET", "/current/workspace/*/storage/*/details/"), Dies::Before).await;
    assert!(h.jobs().await.iter().any(|job| job.state == "running"), "{:#?}", h.jobs().await);
}

#[tokio::test]
async fn a_clock_that_is_set_back_holds_up_nothing() {
    let h = Harness::start().await;
    in_the_middle(&h).await;
    h.clock.step(-HOUR_MS);
    h.no_faults().await;
    // What Fastio signs is an hour off for as long as the clock is wrong.
    h.without_webhooks().await;
    let took = settled_in(&h).await;
    assert!(took < NOT_AN_HOUR_MS, "it took {took} ms");
    h.agrees().await;
    // A signature is checked by the machine's clock, not by Docket's time.
    assert_eq!(h.webhook("workspace_storage_file_added", "2new").await, 202);
    h.finish().await;
}

#[tokio::test]
async fn a_server_that_starts_after_the_clock_was_set_back_goes_on_at_once() {
    let mut h = Harness::start().await;
    in_the_middle(&h).await;
    h.clock.persist(&h.database).await.unwrap();
    // Another process: it knows of the old time only what is written down.
    let machine = TestClock::default();
    machine.step(h.clock.wall() - machine.wall() - HOUR_MS);
    h.clock = machine;
    h.restart(ONE_STORE).await;
    h.no_faults().await;
    // What Fastio signs is an hour off for as long as the clock is wrong.
    h.without_webhooks().await;
    let took = settled_in(&h).await;
    assert!(took < NOT_AN_HOUR_MS, "it took {took} ms");
    h.agrees().await;
    h.finish().await;
}

#[tokio::test]
async fn a_file_that_was_uploaded_before_the_clock_was_set_back_is_adopted() {
    for step in [-HOUR_MS, HOUR_MS] {
        let h = Harness::start().await;
        if step > 0 {
            // It was wrong before, and is put right in between.
            h.clock.step(step);
        }
        h.openai_fails(json!({ "kind": "lost_reply", "method": "POST", "path": "/v1/files", "count": 1 }))
            .await;
        // Fastio's own would be refused: what it signs is an hour off.
        h.without_webhooks().await;
        let node = h.put("/nda.txt", "liability is limited").await;
        assert_eq!(h.webhook("workspace_storage_file_added", &node).await, 202);
        h.take_in().await;
        h.work_one().await;
        h.clock.step(-HOUR_MS);
        h.converges().await;
        assert_eq!(h.uploads().await, 1, "it was uploaded again");
        h.finish().await;
    }
}

#[tokio::test]
async fn a_run_lives_through_a_clock_that_is_set_back_or_ahead() {
    for step in [-HOUR_MS, 2 * HOUR_MS] {
        let h = Harness::with(&legal("")).await;
        h.openai_fails(json!({ "kind": "slow_run", "delay_ms": 60_000 })).await;
        h.put("/Contracts/nda.txt", &contract(1)).await;
        h.take_in().await;
        while h.runs().await.first().is_none_or(|run| run.state != "running") {
            if !h.work_one().await {
                h.pass(1_000);
            }
        }
        h.without_webhooks().await;
        h.clock.step(step);
        let took = settled_in(&h).await;
        assert!(took < NOT_AN_HOUR_MS, "it took {took} ms");
        h.agrees().await;
        assert_eq!(h.outcomes().await, ["completed"], "after a step of {step} ms");
        assert_eq!(h.responses().await.len(), 1);
        h.finish().await;
    }
}

/// Sets the clock ahead in the middle of its work, when another worker looks for some.
struct SetsTheClock {
    clock: TestClock,
    queue: Queue,
}

struct Nothing;

impl Handler for Nothing {
    async fn handle(&self, job: &Claimed) -> Verdict {
        panic!("{} was taken from a worker that lives", job.key)
    }
}

impl Handler for SetsTheClock {
    async fn handle(&self, _: &Claimed) -> Verdict {
        self.clock.step(HOUR_MS);
        assert!(!self.queue.work_one(&Nothing, &CancellationToken::new()).await.unwrap());
        Verdict::Done
    }
}

#[tokio::test]
async fn a_clock_that_leaps_ahead_takes_no_job_from_a_worker_that_lives() {
    let folder = tempfile::tempdir().unwrap();
    let database = opened(&url_in(folder.path())).await;
    let clock = TestClock::default();
    let queue = Queue::new(database.clone(), clock.share(), Settings::default());
    let add = async |now| {
        let job = NewJob { key: "a", task: "{}", needs: &[], priority: Priority::Live };
        database.write(move |tx| enqueue(tx, &job, now)).await.unwrap();
    };
    add(clock.now()).await;
    let worker = SetsTheClock { clock: clock.clone(), queue: queue.clone() };
    assert!(queue.work_one(&worker, &CancellationToken::new()).await.unwrap());
    assert_eq!(queue.next_due().await.unwrap(), None, "it is done");
    // A worker that is dropped is dead: its job is taken over when the lease ends, not before.
    add(clock.now()).await;
    let (never, hangs) = (CancellationToken::new(), Hangs::default());
    tokio::select! {
        _ = queue.work_one(&hangs, &never) => panic!("it hangs"),
        () = hangs.at_work.notified() => {}
    }
    assert!(!queue.work_one(&Nothing, &CancellationToken::new()).await.unwrap());
    clock.step(HOUR_MS);
    assert!(queue.work_one(&Finishes, &CancellationToken::new()).await.unwrap());
}

#[derive(Default)]
struct Hangs {
    at_work: Notify,
}

impl Handler for Hangs {
    async fn handle(&self, _: &Claimed) -> Verdict {
        self.at_work.notify_one();
        std::future::pending().await
    }
}

struct Finishes;

impl Handler for Finishes {
    async fn handle(&self, _: &Claimed) -> Verdict {
        Verdict::Done
    }
}
