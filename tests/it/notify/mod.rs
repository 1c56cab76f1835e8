//! Those who are told what happens: what reaches them, and what becomes of what does not.

pub mod receiver;

use std::collections::BTreeMap;
use std::time::Duration;

use docket::config::{Config, Sources};
use docket::database::Database;
use docket::notify::{Channel, Notifier, Sent, channels, open};
use tempfile::TempDir;

use crate::harness::beside::again;
use crate::harness::clock::TestClock;
use crate::harness::database::{DatabaseFile, opened, url_in};
use crate::telemetry::Watched;
use receiver::{Receiver, SECRET};

const SECOND: i64 = 1_000;
const HOUR: i64 = 3_600 * SECOND;

/// A database with somebody who is told.
struct Bench {
    database: Database,
    file: DatabaseFile,
    clock: TestClock,
    notifier: Notifier,
    receiver: Receiver,
    url: String,
    _folder: TempDir,
}

/// Somebody at this address who is told; `more` is added to the `[[notify]]`.
pub fn settings(url: &str, more: &str) -> String {
    format!(
        "[[notify]]\nname = 'us'\nurl = '{url}'\nsecret_env = 'NOTIFY_SECRET'\nallow_private = true\n{more}\n"
    )
}

impl Bench {
    /// `more` is added to the `[[notify]]`.
    async fn with(more: &str) -> Bench {
        let (receiver, url) = Receiver::start().await;
        let folder = tempfile::tempdir().unwrap();
        let place = url_in(folder.path());
        let (database, clock) = (opened(&place).await, TestClock::default());
        let notifier = notifier(&database, &clock, &settings(&url, more));
        notifier.settle().await.unwrap();
        Bench { database, file: DatabaseFile::of(&place), clock, notifier, receiver, url, _folder: folder }
    }

    /// Something comes to be held.
    async fn opens(&self, target: &str) {
        let sql = "INSERT INTO pause (target, reason, since, probe_at, kind) VALUES";
        self.file.execute(&format!("{sql} ('{target}', 'no', 1795000000000, 0, 'refusal')")).await;
    }

    async fn closes(&self, target: &str) {
        self.file.execute(&format!("DELETE FROM pause WHERE target = '{target}'")).await;
    }

    /// Time passes, and what is due is told.
    async fn after(&self, ms: i64) {
        self.clock.shift(ms);
        self.notifier.pass().await.unwrap();
    }

    async fn channel(&self, kind: &str) -> Channel {
        let all = self.database.read(channels).await.unwrap();
        all.into_iter().find(|channel| channel.kind == kind).unwrap()
    }

    async fn news(&self) -> i64 {
        self.file.number("SELECT count(*) FROM news").await
    }
}

fn notifier(database: &Database, clock: &TestClock, settings: &str) -> Notifier {
    let environment = BTreeMap::from([("NOTIFY_SECRET".to_owned(), SECRET.to_owned())]);
    let config = Config::from_text(settings, None, &Sources { environment, ..Sources::default() }).unwrap();
    let promised = Some(Duration::from_secs(600));
    Notifier::new(database.clone(), clock.share(), config.endpoints.unwrap(), promised).unwrap()
}

#[tokio::test]
async fn what_happens_is_told_once_and_signed_and_leaves_nothing() {
    let bench = Bench::with("").await;
    bench.opens("fastio").await;
    bench.closes("fastio").await;
    // An outage is none before it has been found to last.
    let outage = "INSERT INTO pause (target, reason, since, probe_at, kind, confirmed) VALUES ('openai', 'no', 1, 0, 'outage', 0)";
    bench.file.execute(outage).await;
    let sweep = "INSERT INTO sweep (sweep, started_at, ended_at, dry_run, outcome, report) VALUES";
    bench
        .file
        .execute(&format!("{sweep} ('s1', 1, 2, 0, 'stopped', '{{}}'), ('s2', 1, 2, 1, 'stopped', '{{}}')"))
        .await;
    for _ in 0..4 {
        bench.after(11 * SECOND).await;
    }
    let mut kinds = bench.receiver.kinds();
    kinds.sort();
    assert_eq!(kinds, ["docket.cause_closed", "docket.cause_opened", "docket.sweep_stopped"]);
    let came = bench.receiver.came();
    let opened = came.iter().find(|came| came.kind() == "docket.cause_opened").unwrap().proven().json();
    assert_eq!(opened["data"]["items"][0]["cause"], "fastio");
    assert_eq!(opened["data"]["items"][0]["since"], "2026-11-18T11:06:40Z");
    assert_eq!((bench.news().await, bench.channel("cause_opened").await.message), (0, None));

    bench.file.execute("UPDATE pause SET confirmed = 1 WHERE target = 'openai'").await;
    bench.after(11 * SECOND).await;
    assert_eq!(bench.receiver.came().last().unwrap().json()["data"]["items"][0]["cause"], "openai");
}

#[tokio::test]
async fn many_of_a_kind_are_one_message_and_messages_keep_their_distance() {
    let bench = Bench::with("kinds = ['cause_opened']\nevery_seconds = 60").await;
    for number in 0..120 {
        bench.opens(&format!("openai/vs_{number}")).await;
    }
    bench.after(0).await;
    let came = bench.receiver.came();
    assert_eq!((came.len(), &came[0].json()["data"]["count"]), (1, &120.into()));
    assert_eq!(came[0].json()["data"]["more"], 70);
    bench.opens("fastio").await;
    for _ in 0..5 {
        bench.after(11 * SECOND).await;
    }
    assert_eq!(bench.receiver.came().len(), 1, "55 seconds are no minute");
    bench.after(11 * SECOND).await;
    assert_eq!(bench.receiver.came().len(), 2);
}

#[tokio::test]
async fn what_is_not_taken_comes_again_later_under_the_same_id() {
    let bench = Bench::with("kinds = ['cause_opened', 'cause_closed']").await;
    bench.receiver.answers(&[(500, None), (429, Some(3_600))]);
    bench.opens("fastio").await;
    bench.after(0).await;
    bench.after(SECOND).await;
    assert_eq!(bench.receiver.came().len(), 1, "it is too early");
    bench.after(6 * SECOND).await;
    assert_eq!(bench.receiver.came().len(), 2);
    // It said for how long, which is longer than we would have waited.
    bench.after(HOUR - 60 * SECOND).await;
    assert_eq!(bench.receiver.came().len(), 2);
    let channel = bench.channel("cause_opened").await;
    assert_eq!((channel.attempts, channel.trouble.as_deref()), (2, Some("answered with 429")));
    // Another kind does not wait for it.
    bench.closes("fastio").await;
    bench.after(0).await;
    assert_eq!(bench.receiver.kinds().last().unwrap(), "docket.cause_closed");
    bench.receiver.answers(&[(302, None)]);
    for _ in 0..3 {
        bench.after(HOUR).await;
    }
    let came = bench.receiver.came();
    let opened: Vec<_> = came.iter().filter(|came| came.kind() == "docket.cause_opened").collect();
    assert_eq!(opened.len(), 4, "500, 429, a redirect that nobody follows, and taken");
    assert!(opened.iter().all(|came| came.id() == opened[0].id()));
    assert_eq!(bench.news().await, 0);
}

#[tokio::test]
async fn after_three_days_there_is_an_end() {
    let bench = Bench::with("kinds = ['cause_opened']").await;
    bench.receiver.answers(&[(500, None); 100]);
    bench.opens("fastio").await;
    for _ in 0..40 {
        bench.after(4 * HOUR).await;
    }
    let tries = bench.receiver.came().len();
    assert!((10..40).contains(&tries), "{tries}");
    assert_eq!((bench.news().await, bench.channel("cause_opened").await.message), (0, None));
}

#[tokio::test]
async fn who_is_gone_is_told_nothing_until_it_is_opened_again() {
    let bench = Bench::with("").await;
    bench.receiver.answers(&[(410, None)]);
    bench.opens("fastio").await;
    bench.after(0).await;
    assert_eq!(bench.channel("run_done").await.closed, 1);
    bench.closes("fastio").await;
    bench.after(HOUR).await;
    assert_eq!((bench.receiver.came().len(), bench.news().await), (1, 0));
    assert!(bench.database.write(|tx| open(tx, "us")).await.unwrap());
    bench.opens("fastio").await;
    bench.after(HOUR).await;
    assert_eq!(bench.receiver.came().len(), 2);
    // Another address is another endpoint; one that the settings do not name any more is told nothing.
    bench.receiver.answers(&[(410, None)]);
    bench.closes("fastio").await;
    bench.after(HOUR).await;
    let moved = notifier(&bench.database, &bench.clock, &settings(&format!("{}?2", bench.url), ""));
    moved.settle().await.unwrap();
    assert_eq!(bench.channel("run_done").await.closed, 0);
    notifier(&bench.database, &bench.clock, "").settle().await.unwrap();
    bench.opens("openai").await;
    assert_eq!(bench.news().await, 0);
}

#[tokio::test]
async fn a_rule_that_is_late_is_told_of_once_and_when_it_is_on_time() {
    let bench = Bench::with("kinds = ['late', 'on_time']").await;
    let now = bench.clock.share().now();
    let file =
        "INSERT INTO file (source_id, profile, node, state, path, ancestors, rules, size, seen_at) VALUES";
    bench
        .file
        .execute(&format!(
            "{file} ('workspace:1:a', 'workspace:1', 'a', 'present', '/a', ' ', 'legal', 1, 1)"
        ))
        .await;
    let job = "INSERT INTO job (key, task, needs, state, priority, due_at, created_at, updated_at) VALUES";
    bench
        .file
        .execute(&format!("{job} ('file:workspace:1:a', '{{}}', ' fastio ', 'waiting', 0, 1, {now}, 1)"))
        .await;
    bench.notifier.judge().await.unwrap();
    assert_eq!(bench.news().await, 0);
    bench.clock.shift(601 * SECOND);
    for _ in 0..3 {
        bench.notifier.judge().await.unwrap();
        bench.after(11 * SECOND).await;
    }
    assert_eq!(bench.receiver.kinds(), ["docket.late"]);
    assert_eq!(bench.receiver.came()[0].json()["data"]["items"][0]["rule"], "legal");
    bench.file.execute("DELETE FROM job").await;
    bench.notifier.judge().await.unwrap();
    bench.after(11 * SECOND).await;
    assert_eq!(bench.receiver.kinds(), ["docket.late", "docket.on_time"]);
}

#[tokio::test]
async fn a_store_that_continues_in_another_is_told_of_once() {
    let bench = Bench::with("kinds = ['store_full']").await;
    let refused = "INSERT INTO full_store (vector_store, since, held, refused_at) VALUES ('vs_1', 5, 1, 5)";
    bench.file.execute(refused).await;
    assert_eq!(bench.news().await, 0, "where it goes on is not known yet");
    bench.file.execute("UPDATE full_store SET next = 'vs_2' WHERE vector_store = 'vs_1'").await;
    bench.file.execute("UPDATE full_store SET next = 'vs_3' WHERE vector_store = 'vs_1'").await;
    bench.file.execute("INSERT INTO full_store (vector_store, next, since) VALUES ('vs_2', 'vs_3', 6)").await;
    bench.after(11 * SECOND).await;
    assert_eq!(bench.receiver.kinds(), ["docket.store_full"]);
    let items = &bench.receiver.came()[0].json()["data"]["items"];
    let told = |place: usize| (items[place]["vector_store"].clone(), items[place]["next"].clone());
    assert_eq!([told(0), told(1)], [("vs_1".into(), "vs_2".into()), ("vs_2".into(), "vs_3".into())]);
}

#[tokio::test]
async fn storage_that_is_nearly_full_is_told_of_once_and_when_it_has_room_again() {
    let bench = Bench::with("kinds = ['storage_near', 'storage_clear']").await;
    bench.file.execute("INSERT INTO storage_near VALUES (1, 5)").await;
    for _ in 0..3 {
        bench.after(11 * SECOND).await;
    }
    assert_eq!(bench.receiver.kinds(), ["docket.storage_near"]);
    bench.file.execute("DELETE FROM storage_near").await;
    bench.after(11 * SECOND).await;
    assert_eq!(bench.receiver.kinds(), ["docket.storage_near", "docket.storage_clear"]);
    assert_eq!(bench.receiver.came()[0].json()["data"]["items"][0]["storage"], "project");
}

#[tokio::test]
async fn nobody_is_reached_at_a_name_that_leads_here_unless_that_is_meant() {
    let environment =
        BTreeMap::from([("SLACK".to_owned(), "https://localhost.localdomain:9/a-secret".to_owned())]);
    let settings = "[[notify]]\nname = 'us'\nurl_env = 'SLACK'\nformat = 'slack'\n";
    let config = Config::from_text(settings, None, &Sources { environment, ..Sources::default() }).unwrap();
    let Sent::Failed(trouble, None) = Notifier::test(&config.endpoints.unwrap()[0]).await else {
        panic!("it was taken")
    };
    assert!(!trouble.contains("a-secret") && trouble.contains("no connection"), "{trouble}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_of_the_real_program_is_told_and_a_test_is_sent() {
    let (receiver, url) = Receiver::start().await;
    let environment = [("NOTIFY_SECRET", SECRET)];
    let mut watched = Watched::with(&environment, &settings(&url, "")).await;
    watched.analyses("a-request").await;
    let done =
        again(async || receiver.came().into_iter().find(|came| came.kind() == "docket.run_done")).await;
    let item = &done.proven().json()["data"]["items"][0];
    assert_eq!((&item["file"], &item["rule"]), (&"/Contracts/secret-deal.txt".into(), &"liability".into()));
    let body = String::from_utf8(done.body.clone()).unwrap();
    assert!(!body.contains("EUR"), "what is in the document is told: {body}");

    let docket = |arguments: &[&str]| tokio::task::block_in_place(|| watched.docket(&environment, arguments));
    let sent = docket(&["notify", "test", "us"]);
    assert_eq!(sent.code, 0, "{sent:?}");
    assert_eq!(receiver.came().last().unwrap().proven().kind(), "docket.test");
    let list = docket(&["notify", "list"]);
    assert!(list.out.contains("us  127.0.0.1") && list.out.contains("needs_review"), "{list:?}");
    receiver.answers(&[(404, None)]);
    let refused = docket(&["notify", "test", "--json"]);
    assert!(refused.code == 1 && refused.out.contains("answered with 404"), "{refused:?}");
    let unknown = docket(&["notify", "test", "them"]);
    assert!(unknown.code == 2 && unknown.err.contains("no [[notify]] is called"), "{unknown:?}");
    // Its address may be a secret, and is nobody's business.
    for run in [&sent, &list, &refused, &unknown] {
        assert!(!run.said().contains("a-secret-path"), "{run:?}");
    }
    tokio::task::block_in_place(|| watched.server.stop());
    let log = watched.server.err.rest();
    assert!(!log.contains("a-secret-path") && !log.contains(SECRET), "{log}");
}
