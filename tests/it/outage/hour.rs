//! Fastio or OpenAI is down for an hour while two hundred files wait and more come, and is back: nothing was lost, no job
//! died or lost an attempt, the service was left alone, and it is not run over when it answers again.

use std::sync::Arc;

use docket::app::Work;
use docket::queue::{Claimed, Handler, Verdict};
use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::harness::{Harness, ONE_STORE, WORKSPACE};

const HOUR_MS: i64 = 60 * 60 * 1000;
const WORKERS: usize = 8;

/// Tries of an hour: after the first minute one a minute, and each may ask a few things before it meets what is down.
const MOST_REQUESTS: usize = 400;

/// Nothing works at `which`, in one of two ways.
async fn down(h: &Harness, which: &str, kind: &str) {
    let fault = json!({ "kind": kind });
    match which {
        "fastio" => h.fastio_fails(fault).await,
        _ => h.openai_fails(fault).await,
    }
}

/// As many jobs at once as the workers of a server would do, each begun only when every worker has asked for one: what the
/// first of them finds out changes nothing for the others, however busy the machine is. Answers how many that were.
async fn round(h: &Harness) -> usize {
    let (asked, all) = watch::channel(0);
    let worker = async || {
        let begins = Together { work: h.work.clone(), asked: asked.clone(), all: all.clone() };
        let worked = h.queue.work_one(&begins, &CancellationToken::new()).await.unwrap();
        if !worked {
            asked.send_modify(|asked| *asked += 1);
        }
        worked
    };
    let worked = join_all((0..WORKERS).map(|_| worker())).await;
    worked.into_iter().filter(|worked| *worked).count()
}

/// Work that begins when every worker has got a job or none.
struct Together {
    work: Arc<Work>,
    asked: watch::Sender<usize>,
    all: watch::Receiver<usize>,
}

impl Handler for Together {
    async fn handle(&self, job: &Claimed) -> Verdict {
        self.asked.send_modify(|asked| *asked += 1);
        let mut all = self.all.clone();
        all.wait_for(|asked| *asked == WORKERS).await.expect("the workers are there");
        self.work.handle(job).await
    }

    fn answers(&self, cause: &str) -> Option<u64> {
        self.work.answers(cause)
    }
}

async fn requests(h: &Harness) -> [usize; 2] {
    [h.fastio_requests().await.len(), h.openai_requests().await.len()]
}

/// An hour passes in which webhooks come and workers try.
async fn an_hour(h: &mut Harness) {
    let (begun, mut minute) = (h.clock.now(), 0);
    while h.clock.now() - begun < HOUR_MS {
        if (h.clock.now() - begun) / 60_000 >= minute {
            minute += 5;
            assert_eq!(h.webhook("workspace_storage_file_added", &format!("2late{minute}")).await, 202);
            h.take_in().await;
        }
        if minute == 30 {
            // A server that is killed and started in between goes on as it was.
            minute += 1;
            let before = h.pauses().await;
            h.restart(ONE_STORE).await;
            assert_eq!(h.pauses().await.len(), before.len());
            assert_eq!(h.pauses().await[0].since, before[0].since);
        }
        if round(h).await == 0 {
            let due = h.queue.next_due().await.unwrap().unwrap() - h.clock.now();
            h.pass(due.clamp(1, 60_000));
        }
    }
}

async fn story(which: &[&str], kind: &str, files: usize) {
    let mut h = Harness::start().await;
    for name in which {
        down(&h, name, kind).await;
    }
    for number in 0..files {
        h.put(&format!("/{number}.txt"), &format!("clause {number}")).await;
    }
    h.take_in().await;
    let before = requests(&h).await;
    an_hour(&mut h).await;
    let after = requests(&h).await;
    for (service, (before, after)) in ["fastio", "openai"].iter().zip(before.into_iter().zip(after)) {
        let made = after - before;
        assert!(made <= MOST_REQUESTS, "{made} requests to {service} in an hour");
    }
    let jobs = h.jobs().await;
    assert!(jobs.len() >= files, "{} jobs are left", jobs.len());
    let hurt: Vec<_> = jobs.iter().filter(|job| job.state != "waiting" || job.attempt != 0).collect();
    assert!(hurt.is_empty(), "lost an attempt: {hurt:#?}");
    assert!(!h.pauses().await.is_empty());

    h.no_faults().await;
    h.pass(60_000);
    let mut rounds = Vec::new();
    while h.pauses().await.iter().any(|pause| which.contains(&pause.target.as_str())) || rounds.is_empty() {
        let worked = round(&h).await;
        if worked == 0 {
            let due = h.queue.next_due().await.unwrap().unwrap();
            h.pass(due - h.clock.now());
        } else {
            rounds.push(worked);
        }
    }
    assert_eq!(rounds[0], 1, "one finds out first: {rounds:?}");
    assert!(rounds.windows(2).all(|pair| pair[1] <= 2 * pair[0]), "they all come at once: {rounds:?}");
    h.finish().await;
}

#[tokio::test]
async fn openai_is_down_for_an_hour_and_then_answers_again() {
    story(&["openai"], "server_error", 200).await;
}

#[tokio::test]
async fn fastio_is_down_for_an_hour_and_then_answers_again() {
    story(&["fastio"], "reset_before_body", 50).await;
}

#[tokio::test]
async fn both_are_down_for_an_hour_and_then_answer_again() {
    story(&["fastio", "openai"], "server_error", 50).await;
}

#[tokio::test]
async fn a_file_that_fastio_always_fails_on_dies_alone() {
    let h = Harness::start().await;
    let poison = h.put("/poison.txt", "what the service cannot stomach, and says so with a 500").await;
    let path = format!("/current/workspace/{WORKSPACE}/storage/{poison}/**");
    h.fastio_fails(json!({ "kind": "server_error", "path": path })).await;
    for number in 0..20 {
        h.put(&format!("/{number}.txt"), "sound").await;
        h.take_in().await;
        for _ in 0..10 {
            round(&h).await;
            assert!(h.pauses().await.is_empty(), "one file's failures held all of Fastio");
            h.pass(3_000);
        }
    }
    assert_eq!(h.held().await.len(), 20);
    h.settle_to_dead().await;
    assert!(h.dead().await[0].starts_with("gave up after 30 attempts"), "{:#?}", h.jobs().await);
    assert!(h.pauses().await.is_empty());
    h.finish_leaving(&["a dead job: file", "not held: /poison.txt"]).await;
}
