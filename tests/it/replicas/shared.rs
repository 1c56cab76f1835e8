//! What one server keeps in its memory, and several in rows: the limits of the account, what is held, and who probes it.

use std::sync::Mutex;
use std::time::Duration;

use docket::clock::Clock;
use docket::database::{Connection, Database, ServerLock};
use docket::govern::{Governor, Limit};
use docket::queue::{Claimed, Handler, NewJob, Outcome, Priority, Queue, Settings, Verdict, enqueue};
use docket::{govern, queue};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use super::{join, new_database, sql};
use crate::harness::clock::TestClock;

/// Two servers by one clock, which the test moves.
struct Two {
    url: String,
    clock: TestClock,
    one: (ServerLock, Database),
    other: (ServerLock, Database),
}

impl Two {
    async fn start() -> Two {
        let (url, clock) = (new_database(), TestClock::default());
        let (one, other) = (join(&url, Clock::default()).await, join(&url, Clock::default()).await);
        Two { url, clock, one, other }
    }

    fn governors(&self, settings: &govern::Settings) -> [Governor; 2] {
        [&self.one, &self.other]
            .map(|(_, database)| Governor::sharing(database, self.clock.share(), settings.clone()))
    }

    fn queues(&self) -> [Queue; 2] {
        [&self.one, &self.other]
            .map(|(_, database)| Queue::new(database.clone(), self.clock.share(), Settings::default()))
    }

    async fn add(&self, key: &str) {
        self.add_that_needs("openai", key).await;
    }

    async fn add_that_needs(&self, service: &'static str, key: &str) {
        let (key, now) = (key.to_owned(), self.clock.now());
        let add = move |tx: &mut Connection| {
            enqueue(tx, &NewJob { key: &key, task: "{}", needs: &[service], priority: Priority::Live }, now)
        };
        self.one.1.write(add).await.unwrap();
    }
}

/// How many uploads each of them begins now, in turns.
async fn uploads(governors: &[Governor], live: bool) -> usize {
    let (mut begun, mut refused) = (0, 0);
    while refused < governors.len() {
        refused = 0;
        for governor in governors {
            match governor.take(Limit::Uploads, 1, live).await {
                Ok(taken) => {
                    begun += 1;
                    drop(taken);
                }
                Err(_) => refused += 1,
            }
        }
    }
    begun
}

#[tokio::test]
async fn within_any_minute_servers_together_use_no_more_than_the_limit() {
    let two = Two::start().await;
    let settings = govern::Settings { uploads_per_minute: 120, ..govern::Settings::default() };
    let governors = two.governors(&settings);
    assert_eq!(uploads(&governors, true).await, 120);
    two.clock.shift(30_000);
    for governor in &governors {
        governor.tell().await.unwrap();
    }
    assert_eq!(uploads(&governors, true).await, 0);
    two.clock.shift(62_000);
    assert_eq!(uploads(&governors, true).await, 120);
    // A backfill is spread over the minute, by however many servers.
    two.clock.shift(125_000);
    for governor in &governors {
        governor.tell().await.unwrap();
    }
    two.clock.shift(62_000);
    let began = two.clock.now();
    // What this takes, on a busy machine, counts as well.
    let two_a_second = || usize::try_from((two.clock.now() - began) / 500).unwrap();
    let at_once = uploads(&governors, false).await;
    assert!((10..=16 + two_a_second()).contains(&at_once), "a tenth: {at_once}");
    let mut later = 0;
    for _ in 0..10 {
        two.clock.shift(1_000);
        later += uploads(&governors, false).await;
    }
    assert!((15..=4 + two_a_second()).contains(&later), "and two a second since: {later}");
}

#[tokio::test]
async fn who_looks_at_what_is_left_draws_none_of_it() {
    let two = Two::start().await;
    let settings = govern::Settings { uploads_per_minute: 120, ..govern::Settings::default() };
    let [one, other] = two.governors(&settings);
    drop(one.take(Limit::Uploads, 20, true).await.unwrap());
    one.tell().await.unwrap();
    for governor in [&one, &other] {
        assert_eq!(governor.left(&Limit::Uploads).await.unwrap().left, 100);
    }
    let all = other.take(Limit::Uploads, 100, true).await.unwrap();
    assert_eq!(one.left(&Limit::Uploads).await.unwrap().left, 0);
    drop(all);
}

#[tokio::test]
async fn what_a_dead_server_had_drawn_comes_back_and_a_429_to_one_stops_all() {
    let two = Two::start().await;
    let settings = govern::Settings { uploads_per_minute: 120, ..govern::Settings::default() };
    let [one, other] = two.governors(&settings);
    let in_use = one.take(Limit::Uploads, 100, true).await.unwrap();
    assert!(other.take(Limit::Uploads, 100, true).await.is_err());
    let dead = two.one.1.replica().unwrap();
    sql(&two.url, &format!("DELETE FROM replica WHERE replica_id = {dead}"));
    two.clock.shift(1_000);
    // It may have used them until just now.
    assert!(other.take(Limit::Uploads, 100, true).await.is_err());
    two.clock.shift(61_000);
    drop(other.take(Limit::Uploads, 100, true).await.unwrap());
    drop(in_use);

    let third = join(&two.url, Clock::default()).await;
    let third = Governor::sharing(&third.1, two.clock.share(), settings.clone());
    two.clock.shift(61_000);
    drop(third.take(Limit::Uploads, 1, true).await.unwrap());
    other.refused(Limit::Uploads, Some(Duration::from_secs(30)), "slow down").await;
    third.tell().await.unwrap();
    assert!(third.take(Limit::Uploads, 1, true).await.is_err());
    two.clock.shift(31_000);
    assert!(third.take(Limit::Uploads, 1, true).await.is_ok());
}

/// Does each job with the verdict that stands for now.
struct Does(Mutex<Verdict>);

impl Handler for Does {
    async fn handle(&self, _: &Claimed) -> Verdict {
        self.0.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn what_one_server_holds_the_others_hold_and_one_of_them_probes_it() {
    let two = Two::start().await;
    let queues = two.queues();
    let never = CancellationToken::new();
    let hold = Verdict::Hold { target: "openai".to_owned(), reason: "no credit".to_owned() };
    let does = Does(Mutex::new(hold));
    for number in 0..6 {
        two.add(&format!("file:{number}")).await;
    }
    assert!(queues[0].work_one(&does, &never).await.unwrap());
    assert!(!queues[1].work_one(&does, &never).await.unwrap(), "it learnt of it when it looked for work");
    // Both see that it may be probed, and both try.
    two.clock.shift(16_000);
    for queue in &queues {
        assert!(queue.next_due().await.unwrap().is_some_and(|due| due <= two.clock.now()));
    }
    let (first, second) = tokio::join!(queues[0].claim(), queues[1].claim());
    let mut probes: Vec<(&Queue, Claimed)> = queues
        .iter()
        .zip([first.unwrap(), second.unwrap()])
        .filter_map(|(queue, claimed)| Some((queue, claimed?)))
        .collect();
    assert_eq!(probes.len(), 1);
    let (queue, claimed) = probes.remove(0);
    assert!(claimed.is_probe());
    // It gets through, so some go on at both, as many as at one; and then all.
    let done = Outcome { verdict: Some(Verdict::Done), ..Outcome::default() };
    queue.settle(claimed, done, &never).await.unwrap();
    for queue in &queues {
        queue.next_due().await.unwrap();
    }
    let mut going = Vec::new();
    for queue in queues.iter().cycle().take(4) {
        queue.next_due().await.unwrap();
        going.extend(queue.claim().await.unwrap());
    }
    assert_eq!(going.len(), 2, "two at first, over both");
    drop(going);
    *does.0.lock().unwrap() = Verdict::Done;
    two.clock.shift(20_000);
    while queues[0].work_one(&does, &never).await.unwrap() | queues[1].work_one(&does, &never).await.unwrap()
    {
    }
    assert_eq!(sql(&two.url, "SELECT count(*) FROM job"), "0");
    assert_eq!(sql(&two.url, "SELECT count(*) FROM pause"), "0");
}

/// Says what it is given, and does it as soon as it may.
struct Says {
    given: UnboundedSender<String>,
    may: Semaphore,
}

impl Handler for Says {
    async fn handle(&self, job: &Claimed) -> Verdict {
        self.given.send(job.key.clone()).unwrap();
        self.may.acquire().await.unwrap().forget();
        Verdict::Done
    }
}

#[tokio::test]
async fn who_goes_from_job_to_job_learns_what_another_server_holds_meanwhile() {
    let two = Two::start().await;
    let [one, other] = two.queues();
    let (stop, never) = (CancellationToken::new(), CancellationToken::new());
    let (given, mut gets) = unbounded_channel();
    let says = Says { given, may: Semaphore::new(0) };
    two.add("file:1").await;
    let refused = one.claim().await.unwrap().unwrap();
    two.add_that_needs("fastio", "listing:1").await;
    let story = async {
        assert_eq!(gets.recv().await.as_deref(), Some("listing:1"));
        let verdict = Verdict::Hold { target: "openai".to_owned(), reason: "no credit".to_owned() };
        let held = Outcome { verdict: Some(verdict), ..Outcome::default() };
        one.settle(refused, held, &never).await.unwrap();
        two.add("file:2").await;
        two.add_that_needs("fastio", "listing:2").await;
        says.may.add_permits(2);
        assert_eq!(gets.recv().await.as_deref(), Some("listing:2"));
        stop.cancel();
    };
    tokio::join!(other.work(&says, stop.clone(), never.clone()), story);
    assert_eq!(sql(&two.url, "SELECT key FROM job ORDER BY key"), "file:1\nfile:2");
}

/// Its claim is lost in the middle of the work, as a standby loses it that was behind when it took over.
struct Loses {
    url: String,
    database: Database,
}

impl Handler for Loses {
    async fn handle(&self, _: &Claimed) -> Verdict {
        self.database.write(|_| Ok(())).await.unwrap();
        sql(&self.url, "UPDATE job SET state = 'waiting', lease_until = NULL");
        for written in [self.database.write(|_| Ok(())).await, self.database.claim(|_| Ok(())).await] {
            assert!(written.is_err_and(|error| error.will_pass()), "it wrote for a job that is another's");
        }
        Verdict::Done
    }
}

#[tokio::test]
async fn who_works_on_after_its_claim_was_lost_writes_nothing_and_settles_nothing() {
    let two = Two::start().await;
    let [one, other] = two.queues();
    two.add("file:1").await;
    let lost = one.claim().await.unwrap().unwrap();
    sql(&two.url, "UPDATE job SET state = 'waiting', lease_until = NULL, lease = 0, attempt = 0");
    let taken = other.claim().await.unwrap().unwrap();
    assert_ne!(lost.lease(), taken.lease());
    let done = || Outcome { verdict: Some(Verdict::Done), ..Outcome::default() };
    let never = CancellationToken::new();
    assert_eq!(one.settle(lost, done(), &never).await.unwrap().settled, queue::Settled::LeaseLost);
    assert_eq!(other.settle(taken, done(), &never).await.unwrap().settled, queue::Settled::Recorded);
    two.add("file:2").await;
    let loses = Loses { url: two.url.clone(), database: two.one.1.clone() };
    assert!(one.work_one(&loses, &never).await.unwrap());
    assert_eq!(sql(&two.url, "SELECT state FROM job"), "waiting", "it is still to be done");
}

#[tokio::test]
async fn a_living_servers_job_is_its_own_whatever_the_time_is_and_a_dead_ones_is_anothers() {
    let two = Two::start().await;
    let [one, other] = two.queues();
    two.add("file:1").await;
    let claimed = one.claim().await.unwrap().unwrap();
    two.clock.shift(60 * 60 * 1000);
    assert!(other.claim().await.unwrap().is_none());
    assert_eq!(other.recover().await.unwrap(), 0, "nor when it starts anew");
    let id: i64 = sql(&two.url, "SELECT replica FROM job").parse().unwrap();
    assert_eq!(two.one.1.replica(), Some(id));
    sql(&two.url, &format!("DELETE FROM replica WHERE replica_id = {id}"));
    let taken = other.claim().await.unwrap().unwrap();
    assert_eq!((taken.key.as_str(), taken.attempt), ("file:1", 2));
    let never = CancellationToken::new();
    let done = || Outcome { verdict: Some(Verdict::Done), ..Outcome::default() };
    never.cancel();
    assert!(one.settle(claimed, done(), &never).await.is_err(), "it is no server any more");
    let settled = other.settle(taken, done(), &CancellationToken::new()).await.unwrap();
    assert_eq!(settled.settled, queue::Settled::Recorded);
}
