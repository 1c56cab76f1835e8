//! What was there before a rule ran anything is indexed, and run over only when a person says so.

use docket::run::existing;
use docket_sandbox::Options;

use crate::harness::{Harness, World, contract, legal};

/// Longer than Fastio's times are rounded.
const A_WHILE_MS: i64 = 5_000;

/// Files that were there a minute before Docket, and no webhook to tell of them.
async fn archive(settings: &str, paths: &[&str]) -> Harness {
    let h = Harness::in_world(settings, Options::default(), async |world: &World| {
        let clock = &world.sandbox.fastio_core().clock;
        clock.shift(-60_000);
        for (number, path) in paths.iter().enumerate() {
            world.put(path, &contract(number)).await;
        }
        clock.shift(60_000);
    })
    .await;
    h.pass(A_WHILE_MS);
    h
}

/// Of each rule, the files that are known not to be run over.
async fn spared(h: &Harness) -> Vec<(String, i64)> {
    h.database.read(existing::store::counts).await.unwrap()
}

const PATHS: [&str; 3] = ["/Contracts/a.txt", "/Contracts/b.txt", "/Contracts/deep/c.txt"];

#[tokio::test]
async fn a_first_sweep_over_an_archive_runs_nothing() {
    let h = archive(&legal(""), &PATHS).await;
    let report = h.sweep().await;
    assert_eq!(report.spared["liability"], 3, "{report:#?}");
    h.converges().await;
    assert_eq!(h.held().await, PATHS);
    assert_eq!((h.responses().await.len(), h.runs().await.len()), (0, 0));
    assert_eq!(spared(&h).await, [("liability".to_owned(), 3)]);
    // Nor does a second one, and the number that it tells is the same.
    assert_eq!(h.sweep().await.spared["liability"], 3);
    h.settle().await;
    assert_eq!(h.runs().await.len(), 0);
    h.finish().await;
}

#[tokio::test]
async fn a_backfill_of_an_archive_runs_nothing_and_a_person_may() {
    let h = archive(&legal(""), &PATHS).await;
    let done = h.feed.backfill(None, &mut |_| {}).await.unwrap();
    assert_eq!((done.queued, done.spared["liability"]), (3, 3));
    h.settle().await;
    assert_eq!((h.held().await.len(), h.runs().await.len()), (3, 0));
    assert_eq!(h.again("liability", false).await.runs, 3);
    h.again("liability", true).await;
    h.converges().await;
    assert_eq!(h.outcomes().await, ["completed"; 3]);
    assert_eq!(spared(&h).await, []);
    assert!(h.sweep().await.spared.is_empty());
    h.finish().await;
}

#[tokio::test]
async fn a_rule_may_say_that_what_was_there_is_run_over_too() {
    let h = archive(&legal("existing = true"), &PATHS).await;
    assert!(h.sweep().await.spared.is_empty());
    h.converges().await;
    assert_eq!(h.outcomes().await, ["completed"; 3]);
    h.finish().await;
}

#[tokio::test]
async fn an_edit_is_news_and_a_rename_a_touch_or_a_comment_is_not() {
    let h = archive(&legal(""), &PATHS).await;
    h.sweep().await;
    h.settle().await;
    h.rename("/Contracts/a.txt", "/Contracts/a, renamed.txt").await;
    h.put("/Contracts/b.txt", &contract(1)).await;
    h.webhook("comment_created", &h.node("/Contracts/deep/c.txt").await).await;
    h.settle().await;
    assert_eq!(h.runs().await.len(), 0);
    h.put("/Contracts/b.txt", &contract(7)).await;
    h.converges().await;
    assert_eq!(h.outcomes().await, ["completed"]);
    // Once it has been run over it is no longer of before, whatever it says.
    h.put("/Contracts/b.txt", &contract(1)).await;
    h.settle().await;
    assert_eq!(h.outcomes().await.len(), 2);
    h.finish().await;
}

#[tokio::test]
async fn what_is_read_during_the_first_sweep_is_not_news() {
    let h = archive(&legal(""), &PATHS).await;
    h.sweep().await;
    for path in PATHS {
        let node = h.node(path).await;
        for told in ["workspace_storage_file_updated", "workspace_storage_download_token_created"] {
            h.webhook(told, &node).await;
        }
    }
    h.settle().await;
    assert_eq!(h.runs().await.len(), 0);
    h.finish().await;
}

#[tokio::test]
async fn what_came_later_is_run_over_however_it_is_found() {
    let h =
        archive(&legal(""), &["/Contracts/old.txt", "/Elsewhere/moved.txt", "/Drawer/in a folder.txt"]).await;
    // No webhook comes: a sweep finds it, and Fastio dates it.
    h.put("/Contracts/missed.txt", &contract(4)).await;
    h.without_webhooks().await;
    h.sweep().await;
    h.settle().await;
    assert_eq!(h.outcomes().await, ["completed"]);
    assert_eq!(h.runs().await[0].path, "/Contracts/missed.txt");
    h.finish().await;
    // Dropped into the folder, alone or with its own: told by a webhook, and dated as ever.
    let h =
        archive(&legal(""), &["/Contracts/old.txt", "/Elsewhere/moved.txt", "/Drawer/in a folder.txt"]).await;
    h.rename("/Elsewhere/moved.txt", "/Contracts/moved.txt").await;
    h.rename("/Drawer", "/Contracts/Drawer").await;
    h.settle().await;
    let mut paths: Vec<String> = h.runs().await.into_iter().map(|run| run.path).collect();
    paths.sort();
    assert_eq!(paths, ["/Contracts/Drawer/in a folder.txt", "/Contracts/moved.txt"]);
    h.finish_leaving(&["not held: /Contracts/old.txt"]).await;
}

#[tokio::test]
async fn a_rule_that_is_new_or_has_a_new_name_runs_over_nothing_that_was_there() {
    let without = legal("").split("[rule.run]").next().unwrap().to_owned();
    let mut h = archive(&without, &PATHS).await;
    h.sweep().await;
    h.settle().await;
    for settings in [legal(""), legal("").replace("'liability'", "'renamed'")] {
        h.pass(A_WHILE_MS);
        h.restart(&settings).await;
        h.sweep().await;
        h.webhook("workspace_storage_file_updated", &h.node("/Contracts/a.txt").await).await;
        h.settle().await;
        assert_eq!(h.runs().await.len(), 0);
    }
    h.pass(A_WHILE_MS);
    h.put("/Contracts/a.txt", &contract(9)).await;
    h.settle().await;
    assert_eq!(h.outcomes().await, ["completed"]);
    h.finish().await;
}

#[tokio::test]
async fn a_result_of_a_docket_whose_records_are_lost_is_never_run_over() {
    // Nothing is excluded, and all that was there is to be run over.
    let settings = legal("existing = true").replace("exclude", "# exclude");
    let paths = ["/Contracts/nda.analysis (2).md", "/Contracts/nda.analysis.md", "/Contracts/nda.txt"];
    let h = archive(&settings, &paths).await;
    h.sweep().await;
    h.converges().await;
    let over =
        |runs: Vec<docket::run::store::RunRow>| runs.into_iter().map(|run| run.path).collect::<Vec<_>>();
    assert_eq!(over(h.runs().await), ["/Contracts/nda.txt"]);
    h.again("liability", true).await;
    h.settle().await;
    assert_eq!(over(h.runs().await), ["/Contracts/nda.txt"]);
    h.finish().await;
}

#[tokio::test]
async fn a_run_that_may_not_begin_asks_fastio_nothing() {
    let h = archive(&legal("existing = true\nmax_runs_per_day = 1"), &PATHS).await;
    h.sweep().await;
    let work_for_seconds = async |seconds| {
        for _ in 0..seconds {
            while h.work_one().await {}
            h.pass(1_000);
        }
    };
    work_for_seconds(60).await;
    let held = h.runs().await.iter().filter(|run| run.word() == "held").count();
    let asked = h.sandbox.fastio_core().journal.requests().len();
    work_for_seconds(60 * 60).await;
    assert_eq!((held, h.sandbox.fastio_core().journal.requests().len() - asked), (2, 0));
    h.converges().await;
    h.finish().await;
}

#[tokio::test]
async fn what_was_there_is_run_over_at_the_price_of_a_backfill_and_what_comes_now_is_not() {
    let h = archive(&legal("backfill_service_tier = 'flex'"), &PATHS[..1]).await;
    h.sweep().await;
    h.settle().await;
    h.again("liability", true).await;
    h.settle().await;
    h.put("/Contracts/new.txt", &contract(1)).await;
    h.converges().await;
    let tiers: Vec<_> = h.responses().await.into_iter().map(|one| one["service_tier"].clone()).collect();
    assert_eq!(tiers, ["flex", "default"]);
    h.finish().await;
}
