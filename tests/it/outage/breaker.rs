//! When a target counts as down, what that costs the jobs that need it, and how they resume.

use std::time::Duration;

use docket::database::{Connection, Database};
use docket::queue::store::{self, JobRow, PauseRow};
use docket::queue::{Change, Claimed, Kind, NewJob, Outcome, Priority, Queue, Settings, Verdict, enqueue};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::harness::clock::TestClock;
use crate::harness::database::{opened, url_in};

const MAX_ATTEMPTS: u16 = 5;
const WORKERS: u16 = 8;

const SETTINGS: Settings =
    Settings { workers: WORKERS, lease_seconds: 15, max_attempts: MAX_ATTEMPTS, stop_seconds: 20 };

struct Bench {
    database: Database,
    clock: TestClock,
    queue: Queue,
    _folder: TempDir,
}

/// OpenAI did not answer, and Fastio did.
fn no_answer(silent: bool) -> Verdict {
    Verdict::Unavailable { target: "openai".to_owned(), after: None, silent, reason: "500".to_owned() }
}

impl Bench {
    /// With this many jobs that need both services.
    async fn with(jobs: u32) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let url = url_in(folder.path());
        let database = opened(&url).await;
        let clock = TestClock::default();
        let queue = Queue::new(database.clone(), clock.share(), SETTINGS);
        let bench = Bench { database, clock, queue, _folder: folder };
        for number in 0..jobs {
            bench.add(&format!("file {number}")).await;
        }
        bench
    }

    async fn add(&self, key: &str) {
        let (key, now) = (key.to_owned(), self.clock.now());
        let add = move |tx: &mut Connection| {
            let needs = &["fastio", "openai"];
            enqueue(tx, &NewJob { key: &key, task: "{}", needs, priority: Priority::Live }, now)
        };
        self.database.write(add).await.unwrap();
    }

    async fn claim(&self) -> Option<Claimed> {
        let due = self.next_due().await.is_some_and(|due| due <= self.clock.now());
        let claimed = self.queue.claim().await.unwrap();
        assert_eq!(due, claimed.is_some(), "what can be claimed is what is seen to be due");
        claimed
    }

    async fn next_due(&self) -> Option<i64> {
        self.queue.next_due().await.unwrap()
    }

    /// As many as may run at once.
    async fn claim_all(&self) -> Vec<Claimed> {
        let mut all = Vec::new();
        while let Some(claimed) = self.claim().await {
            all.push(claimed);
        }
        all
    }

    async fn settle(&self, claimed: Claimed, verdict: Verdict, heard: &[&str]) -> Vec<Change> {
        let (heard, unheard): (Vec<&str>, Vec<&str>) =
            ["fastio", "openai"].into_iter().partition(|service| heard.contains(service));
        let [heard, unheard] =
            [heard, unheard].map(|services| services.into_iter().map(String::from).collect());
        let outcome = Outcome { verdict: Some(verdict), heard, unheard, ..Outcome::default() };
        self.queue.settle(claimed, outcome, &CancellationToken::new()).await.unwrap().changes
    }

    /// The job fails because OpenAI does not answer.
    async fn fails(&self, claimed: Claimed) -> Vec<Change> {
        self.settle(claimed, no_answer(false), &["fastio"]).await
    }

    async fn works(&self, claimed: Claimed) -> Vec<Change> {
        self.settle(claimed, Verdict::Done, &["fastio", "openai"]).await
    }

    /// Lets time pass until a probe is due, and claims it.
    async fn probe(&self) -> Claimed {
        let due = self.next_due().await.unwrap();
        self.clock.shift((due - self.clock.now()).max(0));
        let probe = self.claim().await.expect("a probe is due");
        assert!(probe.is_probe());
        assert!(self.claim().await.is_none(), "one probe at a time");
        probe
    }

    async fn rows(&self) -> Vec<JobRow> {
        self.database.read(|connection| store::list(connection, None, 1000)).await.unwrap()
    }

    async fn pauses(&self) -> Vec<PauseRow> {
        self.database.read(store::pauses).await.unwrap()
    }

    async fn attempts(&self) -> i64 {
        self.rows().await.iter().map(|row| row.attempt).sum()
    }

    fn later(&self, seconds: i64) {
        self.clock.shift(seconds * 1000);
    }
}

#[tokio::test]
async fn three_jobs_in_a_row_without_an_answer_are_an_outage_which_costs_nobody_an_attempt() {
    let bench = Bench::with(20).await;
    let mut hands = Vec::new();
    for _ in 0..WORKERS {
        hands.push(bench.claim().await.unwrap());
    }
    let mut changes = Vec::new();
    for claimed in hands {
        changes.extend(bench.fails(claimed).await);
    }
    let held = Change::Held { cause: "openai".into(), kind: Kind::Outage, reason: "500".into() };
    assert_eq!(changes, [held], "it is said once");
    assert!(bench.claim().await.is_none(), "no other job has to find out");
    let first = bench.probe().await;
    assert!(bench.fails(first).await.is_empty());
    assert_eq!(bench.attempts().await, 0, "what the outage cost is given back");
    // A day.
    let begun = bench.clock.now();
    let mut probes = 0;
    while bench.clock.now() - begun < 24 * 60 * 60 * 1000 {
        let probe = bench.probe().await;
        bench.fails(probe).await;
        probes += 1;
    }
    assert!(probes <= 24 * 60 + 5, "{probes} probes");
    assert_eq!(bench.attempts().await, 0);
    assert!(bench.rows().await.iter().all(|row| row.state == "waiting"));
}

#[tokio::test]
async fn what_waited_resumes_a_few_at_a_time() {
    let mut bench = Bench::with(60).await;
    for _ in 0..3 {
        let claimed = bench.claim().await.unwrap();
        bench.fails(claimed).await;
    }
    let probe = bench.probe().await;
    bench.fails(probe).await;
    let probe = bench.probe().await;
    let changes = bench.works(probe).await;
    assert!(matches!(&changes[..], [Change::Resumes { cause, .. }] if cause == "openai"), "{changes:?}");
    bench.later(60);
    let mut sizes = Vec::new();
    let mut running = bench.claim_all().await;
    while !bench.pauses().await.is_empty() {
        sizes.push(running.len());
        for claimed in running {
            assert!(bench.works(claimed).await.is_empty(), "it is said once");
        }
        // A restart in between keeps the pace.
        bench.queue = Queue::new(bench.database.clone(), bench.clock.share(), SETTINGS);
        running = Vec::new();
        for _ in 0..WORKERS {
            running.extend(bench.claim().await);
        }
    }
    assert_eq!(sizes, [2, 4], "at most {WORKERS} workers");
    assert_eq!(running.len(), usize::from(WORKERS));
}

#[tokio::test]
async fn one_poisonous_job_dies_of_its_attempts_and_holds_nothing() {
    let bench = Bench::with(0).await;
    bench.add("poison").await;
    for attempt in 1..=MAX_ATTEMPTS {
        bench.later(3600);
        let poison = bench.claim().await.unwrap();
        assert_eq!((poison.key.as_str(), poison.attempt), ("poison", attempt));
        // OpenAI answers the plain question that is asked right after it.
        assert!(bench.fails(poison).await.is_empty());
        assert!(bench.pauses().await.is_empty());
        bench.add("sound").await;
        let sound = bench.claim().await.unwrap();
        bench.works(sound).await;
    }
    let rows = bench.rows().await;
    assert_eq!((rows.len(), rows[0].state.as_str()), (1, "dead"));
    assert_eq!(rows[0].reason.as_deref(), Some("gave up after 5 attempts: 500"));
}

#[tokio::test]
async fn several_poisonous_jobs_die_while_others_succeed() {
    let bench = Bench::with(0).await;
    for number in 0..4 {
        bench.add(&format!("poison {number}")).await;
    }
    for round in 0..200 {
        bench.add(&format!("sound {round}")).await;
        bench.later(1);
        while let Some(claimed) = bench.claim().await {
            if claimed.key.starts_with("poison") {
                bench.fails(claimed).await;
            } else {
                bench.works(claimed).await;
            }
        }
    }
    let rows = bench.rows().await;
    let dead = rows.iter().filter(|row| row.state == "dead" && row.key.starts_with("poison")).count();
    assert_eq!(dead, 4, "{rows:#?}");
    assert!(rows.len() - dead <= 1, "sound jobs are left: {rows:#?}");
}

#[tokio::test]
async fn a_single_job_outlives_an_outage_because_a_plain_question_fails_too() {
    let bench = Bench::with(1).await;
    for _ in 0..2 {
        bench.later(2);
        let claimed = bench.claim().await.unwrap();
        bench.settle(claimed, no_answer(true), &["fastio"]).await;
    }
    assert_eq!(bench.pauses().await[0].kind, "outage");
    for _ in 0..100 {
        let probe = bench.probe().await;
        bench.fails(probe).await;
    }
    assert_eq!(bench.attempts().await, 0);
    let probe = bench.probe().await;
    bench.works(probe).await;
    assert!(bench.pauses().await.is_empty() && bench.rows().await.is_empty());
}

#[tokio::test]
async fn a_job_that_never_asked_openai_does_not_prove_that_it_answers() {
    let bench = Bench::with(3).await;
    for claimed in bench.claim_all().await {
        bench.fails(claimed).await;
    }
    bench.add("covered by no rule").await;
    bench.later(10);
    // A job that has not struck is the first to probe.
    let probe = bench.claim().await.unwrap();
    assert_eq!(probe.key, "covered by no rule");
    bench.settle(probe, Verdict::Done, &["fastio"]).await;
    assert_eq!(bench.pauses().await.len(), 1);
    let probe = bench.probe().await;
    bench.fails(probe).await;
    assert_eq!(bench.attempts().await, 0);
}

/// A service that refuses the key is asked by few of the jobs that wait for it: a file may be gone, or unchanged.
#[tokio::test]
async fn a_job_that_never_asked_openai_does_not_prove_that_it_takes_the_key_again() {
    let bench = Bench::with(2).await;
    let refused = || Verdict::Hold { target: "openai".to_owned(), reason: "no such key".to_owned() };
    for claimed in bench.claim_all().await {
        bench.settle(claimed, refused(), &["fastio", "openai"]).await;
    }
    for verdict in
        [Verdict::Done, Verdict::Later { after: Duration::from_secs(1), reason: "once more".to_owned() }]
    {
        bench.add("gone").await;
        let probe = bench.probe().await;
        assert!(bench.settle(probe, verdict, &["fastio"]).await.is_empty());
        assert_eq!(bench.pauses().await.len(), 1);
    }
    let probe = bench.probe().await;
    assert_eq!(bench.settle(probe, Verdict::Done, &["fastio", "openai"]).await.len(), 1);
}

#[tokio::test]
async fn a_relapse_while_it_resumes_holds_it_again() {
    let bench = Bench::with(40).await;
    for _ in 0..3 {
        let claimed = bench.claim().await.unwrap();
        bench.fails(claimed).await;
    }
    let probe = bench.probe().await;
    bench.works(probe).await;
    let mut failures = 0;
    while bench.pauses().await[0].allowed.is_some() {
        let claimed = bench.claim().await.unwrap();
        bench.fails(claimed).await;
        failures += 1;
    }
    assert_eq!(failures, 3);
}

#[tokio::test]
async fn both_down_end_one_after_the_other() {
    let bench = Bench::with(10).await;
    let down = |target: &str| Verdict::Unavailable {
        target: target.to_owned(),
        after: None,
        silent: false,
        reason: "no connection".to_owned(),
    };
    for _ in 0..3 {
        let claimed = bench.claim().await.unwrap();
        bench.settle(claimed, down("fastio"), &[]).await;
    }
    let probe = bench.probe().await;
    bench.settle(probe, down("fastio"), &[]).await;
    // Fastio is back. What it says leads to OpenAI, which is not.
    for _ in 0..3 {
        let due = bench.next_due().await.unwrap();
        bench.clock.shift((due - bench.clock.now()).max(0));
        let claimed = bench.claim().await.unwrap();
        bench.settle(claimed, down("openai"), &["fastio"]).await;
    }
    let pauses = bench.pauses().await;
    let held: Vec<_> =
        pauses.iter().filter(|pause| pause.allowed.is_none()).map(|pause| &*pause.target).collect();
    assert_eq!(held, ["openai"]);
    let probe = bench.probe().await;
    bench.settle(probe, down("openai"), &["fastio"]).await;
    assert_eq!(bench.attempts().await, 0);
}

#[tokio::test]
async fn a_service_that_asks_for_time_is_given_it() {
    let bench = Bench::with(3).await;
    for claimed in bench.claim_all().await {
        let after = Some(Duration::from_secs(120));
        let verdict =
            Verdict::Unavailable { target: "openai".into(), after, silent: false, reason: "503".into() };
        bench.settle(claimed, verdict, &["fastio"]).await;
    }
    bench.later(119);
    assert!(bench.claim().await.is_none());
    bench.later(2);
    assert!(bench.claim().await.is_some_and(|probe| probe.is_probe()));
}

#[tokio::test]
async fn a_restart_holds_what_was_held_and_tries_it_soon() {
    let mut bench = Bench::with(2).await;
    let refused = || Verdict::Hold { target: "openai".to_owned(), reason: "the key was refused".to_owned() };
    let claimed = bench.claim().await.unwrap();
    bench.settle(claimed, refused(), &["fastio"]).await;
    for _ in 0..6 {
        let probe = bench.probe().await;
        bench.settle(probe, refused(), &["fastio"]).await;
    }
    let before = bench.pauses().await;
    bench.queue = Queue::new(bench.database.clone(), bench.clock.share(), SETTINGS);
    bench.later(10);
    assert!(bench.claim().await.is_none());
    assert_eq!(bench.pauses().await[0].since, before[0].since);
    // The operator may have put a new key in place.
    bench.later(10);
    let probe = bench.probe().await;
    bench.works(probe).await;
    assert!(bench.claim().await.is_some_and(|claimed| !claimed.is_probe()));
}

#[tokio::test]
async fn a_probe_whose_work_is_dropped_leaves_the_next_one_to_another_job() {
    let bench = Bench::with(5).await;
    for _ in 0..3 {
        let claimed = bench.claim().await.unwrap();
        bench.fails(claimed).await;
    }
    drop(bench.probe().await);
    let probe = bench.probe().await;
    bench.works(probe).await;
    assert!(bench.pauses().await.iter().all(|pause| pause.allowed.is_some()));
}
