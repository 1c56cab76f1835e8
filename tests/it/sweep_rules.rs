//! Rules that change act at the next start, and what a sweep's limit stops is named to the person who is asked.

use docket::feed::changed::Followed;
use docket::feed::sweep::{Report, Scope, Tell};

use crate::harness::{Harness, Server, contract, covering, legal};

/// Files in two folders, held, under a rule that covers both; and a whole sweep has put all right.
async fn two_folders(each: usize) -> Harness {
    let h = Harness::with(&covering("include = ['/Open/**', '/Confidential/**']")).await;
    for folder in ["Open", "Confidential"] {
        for number in 0..each {
            h.put(&format!("/{folder}/{number}.txt"), &format!("{folder} {number}")).await;
        }
    }
    h.converges().await;
    h.sweep().await;
    h
}

/// What `docket sweep --dry-run` prints of each difference.
async fn dry_run(h: &Harness) -> (Report, Vec<String>) {
    let mut named = Vec::new();
    let scope = Scope { dry_run: true, ..Scope::default() };
    let mut tell = |tell: Tell<'_>| {
        if let Tell::Found(finding) = tell {
            named.push(finding.path.clone());
        }
    };
    let report = h.feed.sweep(scope, &mut tell).await.unwrap();
    named.sort();
    (report, named)
}

#[tokio::test]
async fn a_folder_that_is_excluded_is_found_no_more_after_the_next_start() {
    let mut h = two_folders(3).await;
    assert!(h.feed.sweep_if_changed().await.unwrap().is_none(), "the rules are those of the last sweep");
    h.restart(&covering("exclude = ['/Confidential/']")).await;
    let report = h.feed.sweep_if_changed().await.unwrap().expect("the rules differ");
    assert_eq!(report.found["ghost"], 3, "{report:#?}");
    h.settle().await;
    assert_eq!(h.held().await, ["/Open/0.txt", "/Open/1.txt", "/Open/2.txt"]);
    assert!(h.feed.sweep_if_changed().await.unwrap().is_none());
    // What it is called, and in which order its settings stand, changes nothing of what it covers; a new rule does.
    h.restart(&format!(
        "{}\n{}",
        covering("exclude = ['/Confidential/']"),
        covering("").replace("papers", "new")
    ))
    .await;
    h.feed.sweep_if_changed().await.unwrap().expect("a rule came");
    h.settle().await;
    assert_eq!(h.placed().await.iter().filter(|place| place.starts_with("new: ")).count(), 6);
    h.restart(&covering("exclude = ['/Confidential/']")).await;
    h.feed.sweep_if_changed().await.unwrap().expect("a rule went");
    h.settle().await;
    assert_eq!(h.held().await.len(), 3);
    h.finish().await;
}

#[tokio::test]
async fn what_no_rule_concerns_is_on_record_and_makes_no_job_unless_we_hold_it() {
    let mut h = two_folders(1).await;
    let kept = "SELECT count(*) FROM event WHERE source = 'webhook' AND kind <> 'ignored'";
    let before = h.number(kept).await;
    h.put_in("9999999999999999999", "/a.txt", "a workspace without a rule").await;
    h.take_in().await;
    assert_eq!(h.number(kept).await, before + 1);
    assert!(!h.work_one().await, "a job looks at what no rule concerns");
    // The rule goes, and what it covered is still held.
    h.restart(&covering("").replace("4829105738291047362", "9999999999999999999")).await;
    h.trash("/Open/0.txt").await;
    h.take_in().await;
    assert!(h.work_one().await);
    h.feed.sweep_if_changed().await.unwrap().expect("the rules differ");
    h.converges().await;
    h.finish().await;
}

#[tokio::test]
async fn a_first_start_has_no_rules_that_changed() {
    let h = Harness::with(&covering("")).await;
    assert!(h.feed.sweep_if_changed().await.unwrap().is_none());
    // Without sweeps, a change is told from the rules at the first start.
    h.finish().await;

    let mut h = Harness::with(&format!("[sweep]\nevery_minutes = 0\n{}", covering(""))).await;
    assert!(h.feed.sweep_if_changed().await.unwrap().is_none());
    h.restart(&format!("[sweep]\nevery_minutes = 0\n{}", covering("include = ['/a']"))).await;
    assert!(h.feed.sweep_if_changed().await.unwrap().is_some());
    h.finish().await;
}

#[tokio::test]
async fn what_a_stopped_sweep_would_remove_is_named_one_by_one() {
    let mut h = two_folders(12).await;
    h.restart(&covering("include = ['/Open/**']")).await;
    let report = h.feed.sweep_if_changed().await.unwrap().unwrap();
    assert_eq!((report.stopped[0].would_lose, report.stopped[0].of), (12, 24));
    h.settle().await;
    assert_eq!(h.held().await.len(), 24, "the limit holds");
    let (report, named) = dry_run(&h).await;
    assert_eq!((report.stopped.len(), report.queued, report.found["ghost"]), (1, 0, 12), "{report:#?}");
    assert!(named.len() == 12 && named.iter().all(|path| path.starts_with("/Confidential/")), "{named:?}");
    // Until a person says so it is tried again at each start, and stopped.
    h.restart(&covering("include = ['/Open/**']")).await;
    assert_eq!(h.feed.sweep_if_changed().await.unwrap().unwrap().stopped.len(), 1);
    let scope = Scope { beyond_limit: true, ..Scope::default() };
    h.feed.sweep(scope, &mut |_| {}).await.unwrap();
    h.settle().await;
    assert_eq!(h.held().await.len(), 12);
    assert!(h.feed.sweep_if_changed().await.unwrap().is_none());
    h.finish().await;
}

#[tokio::test]
async fn rules_that_changed_are_followed_before_anything_is_listed() {
    let mut h = two_folders(3).await;
    let all = h.held().await;
    let asked = |h: &Harness| h.sandbox.fastio_core().journal.requests().len();
    // A slip of the pen: all that it covered goes.
    h.restart(&covering("include = ['/Opne/**', '/Confidential/**']")).await;
    let before = asked(&h);
    let followed = h.feed.follow_rules().await.unwrap();
    assert_eq!((followed.leaving, followed.otherwise, followed.stopped), (3, 0, 0));
    assert_eq!(asked(&h), before, "it asked Fastio before the jobs were there");
    h.settle().await;
    assert_eq!(h.held().await, all[..3]);
    // Put right, all comes back, without a sweep and without a person.
    h.restart(&covering("include = ['/Open/**', '/Confidential/**']")).await;
    // The last whole sweep was of these rules: what was followed since is what counts.
    let followed = h.feed.follow_rules().await.unwrap();
    assert_eq!((followed.leaving, followed.otherwise), (0, 3));
    h.settle().await;
    assert_eq!(h.held().await, all);
    // Another store.
    h.restart(&covering("").replace("create = 'papers'", "create = 'archive'")).await;
    assert_eq!(h.feed.follow_rules().await.unwrap().otherwise, 6);
    h.settle().await;
    assert!(h.placed().await.iter().all(|place| place.starts_with("archive: ")), "{:?}", h.placed().await);
    h.finish().await;
}

#[tokio::test]
async fn a_changed_prompt_holds_for_what_comes_and_runs_nothing_anew() {
    let mut h = Harness::with(&legal("")).await;
    h.put("/Contracts/1.txt", &contract(1)).await;
    h.converges().await;
    h.sweep().await;
    h.restart(&legal("").replace("Extract every liability clause.", "Extract each clause on liability."))
        .await;
    assert_eq!(h.feed.follow_rules().await.unwrap(), Followed::default());
    assert!(h.feed.sweep_if_changed().await.unwrap().is_none(), "no file goes elsewhere");
    h.settle().await;
    assert_eq!(h.runs().await.len(), 1);
    h.put("/Contracts/1.txt", &contract(2)).await;
    h.converges().await;
    let runs = h.runs().await;
    assert!(runs.len() == 2 && runs[0].definition != runs[1].definition, "{runs:#?}");
    h.finish().await;
}

#[tokio::test]
async fn what_is_too_much_to_lose_stays_until_a_person_has_looked() {
    let mut h = two_folders(12).await;
    h.restart(&covering("exclude = ['/Confidential/', '/Open/0.txt']")).await;
    let followed = h.feed.follow_rules().await.unwrap();
    assert_eq!((followed.leaving, followed.stopped), (0, 13));
    h.settle().await;
    assert_eq!(h.held().await.len(), 24);
    assert_eq!(h.feed.sweep_if_changed().await.unwrap().unwrap().stopped[0].would_lose, 13);
    h.feed.sweep(Scope { beyond_limit: true, ..Scope::default() }, &mut |_| {}).await.unwrap();
    h.settle().await;
    assert_eq!(h.held().await.len(), 11);
    h.finish().await;
}

#[tokio::test]
async fn files_whose_rows_name_no_rule_count_for_the_rule_that_their_copies_name() {
    let mut h = two_folders(12).await;
    h.meddle("UPDATE file SET rules = '' WHERE path LIKE '/Confidential/%'").await;
    h.restart(&covering("exclude = ['/Confidential/', '/Open/0.txt']")).await;
    let followed = h.feed.follow_rules().await.unwrap();
    let stopped = h.feed.sweep_if_changed().await.unwrap().unwrap().stopped;
    assert_eq!((followed.leaving, followed.stopped), (0, 13));
    assert_eq!((stopped[0].would_lose, stopped[0].of), (13, 24));
    h.settle().await;
    assert_eq!(h.held().await.len(), 24);
    h.feed.sweep(Scope { beyond_limit: true, ..Scope::default() }, &mut |_| {}).await.unwrap();
    h.settle().await;
    assert_eq!(h.held().await.len(), 11);
    h.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_starts_with_other_rules_follows_them_by_itself() {
    let mut server = Server::with(&covering("")).await;
    for path in ["/HR/1.txt", "/HR/2.txt", "/A/3.txt"] {
        server.put(path, &format!("This is {path}.")).await;
    }
    server.rests().await;
    server.docket(&["sweep"]);
    for (globs, held) in [("exclude = ['/HR/**']", 1), ("include = ['/HR/**']", 2), ("", 3)] {
        server.kill();
        let settings = std::fs::read_to_string(server.place().path("docket.toml")).unwrap();
        let (before, _) = settings.split_once("[[rule]]").unwrap();
        server.place().write("docket.toml", &format!("{before}{}", covering(globs)));
        server.start();
        tokio::task::block_in_place(|| server.program().err.find(|line| line.contains("sweep ended")));
        server.rests().await;
        assert_eq!(server.held().await.len(), held, "{globs}");
    }
    server.finish().await;
}
