//! Rules that change act at the next start, and what a sweep's limit stops is named to the person who is asked.

use docket::feed::sweep::{Report, Scope, Tell};

use crate::harness::Harness;

fn covering(globs: &str) -> String {
    format!(
        "[[rule]]\nname = 'papers'\nworkspace = '4829105738291047362'\nvector_store = {{ create = 'papers' }}\n{globs}\n"
    )
}

/// Files in two folders, held, under a rule that covers both; and a whole sweep has put all right.
async fn two_folders(each: usize) -> Harness {
    let h = Harness::with(&covering("include = ['/Open/**', '/Confidential/**']")).await;
    for folder in ["Open", "Confidential"] {
        for number in 0..each {
            h.put(&format!("/{folder}/{number}.txt"), &format!("{folder} {number}")).await;
        }
    }
    h.converges().await;
    h.feed.sweep(Scope::default(), &mut |_| {}).await.unwrap();
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
async fn a_first_start_has_no_rules_that_changed() {
    let h = Harness::with(&covering("")).await;
    assert!(h.feed.sweep_if_changed().await.unwrap().is_none());
    // Where nobody sweeps, a change is told from what there was at the first start.
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
