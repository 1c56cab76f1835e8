//! A sweep that stopped is decided about by a person, and one is asked for.

use reqwest::StatusCode;

use super::sent_to;
use crate::harness::{Harness, SWEEPING};

/// A rule whose files may go one at a time, and four of them, held. Nobody tells of what becomes of them.
async fn four_files() -> Harness {
    let h = Harness::with(&SWEEPING.replace("[sweep]\n", "[sweep]\nlimit_files = 1\n")).await;
    h.without_webhooks().await;
    for name in ["a", "b", "c", "d"] {
        h.put(&format!("/{name}.txt"), &format!("The file {name}.")).await;
    }
    h.sweep().await;
    h.converges().await;
    h
}

/// What a form of the page says of the first sweep that waits.
fn waiting(page: &str) -> &str {
    let form = page.split("action=\"/confirm\"").nth(1).unwrap_or_else(|| panic!("none waits: {page}"));
    form.split("name=\"item\" value=\"").nth(1).unwrap().split('"').next().unwrap()
}

#[tokio::test]
async fn a_sweep_that_stopped_is_approved_and_removes_what_was_looked_at_and_no_more() {
    let h = four_files().await;
    for name in ["a", "b", "c"] {
        h.purge(&format!("/{name}.txt")).await;
    }
    assert_eq!(h.sweep().await.stopped.len(), 1);
    let site = h.site(false).await;
    let page = site.page("/sweeps").await;
    assert!(
        page.contains("Waits for a person: 1") && page.contains("Of rule all, 3 of 4 files would lose"),
        "{page}"
    );
    assert!(site.page("/").await.contains("a sweep stopped before it removed more than its limit"));
    let sweep = waiting(&page).to_owned();
    let which = site.page(&format!("/sweeps/{sweep}")).await;
    assert!(which.contains("ghost") && which.contains("/a.txt") && !which.contains("/d.txt"), "{which}");

    let say = async |action: &str, path: &str, sweep: &str| {
        let fields = [
            ("action", action),
            ("item", sweep),
            ("back", "/sweeps"),
            ("why", "the matter is closed"),
            ("number", "1"),
        ];
        site.post(path, &fields, "").await
    };
    let asked = say("approve sweep", "/confirm", &sweep).await.text().await.unwrap();
    assert!(
        asked.contains("Of rule all, 3 of 4 files would lose") && asked.contains("They will lose them"),
        "{asked}"
    );
    assert_eq!(h.jobs().await.len(), 0, "nothing is done before it is confirmed");
    assert_eq!(sent_to(&say("approve sweep", "/act", &sweep).await), "/sweeps");
    let late = say("dismiss sweep", "/act", &sweep).await;
    assert_eq!(late.status(), StatusCode::CONFLICT);
    assert!(late.text().await.unwrap().contains("it was approved already"));
    let page = site.page("/sweeps").await;
    assert!(
        page.contains("The sweep that was approved waits for a worker.") && page.contains("data-live"),
        "{page}"
    );

    // Meanwhile a fourth is gone, which nobody has approved.
    h.purge("/d.txt").await;
    h.settle().await;
    assert_eq!(h.held().await.len(), 4, "more would go than was looked at");
    let page = site.page("/sweeps").await;
    assert!(
        page.contains("Of rule all, 4 of 4 files would lose") && page.contains("stopped, approved"),
        "{page}"
    );
    assert_eq!(sent_to(&say("dismiss sweep", "/act", waiting(&page)).await), "/sweeps");
    let page = site.page("/sweeps").await;
    assert!(!page.contains("Waits for a person") && page.contains("stopped, dismissed"), "{page}");
    // Another site: one reads how it is once a second.
    assert!(!h.site(false).await.page("/").await.contains("a sweep stopped"), "nobody is needed any more");
    h.settle().await;
    assert_eq!(h.held().await.len(), 4, "dismissed, all stays");

    // Asked for anew, of the one rule.
    let now = [("action", "sweep"), ("item", "all"), ("back", "/sweeps")];
    assert_eq!(sent_to(&site.post("/act", &now, "").await), "/sweeps");
    assert!(site.page("/sweeps").await.contains("A sweep of rule all waits for a worker."));
    h.settle().await;
    let page = site.page("/sweeps").await;
    assert_eq!(sent_to(&say("approve sweep", "/act", waiting(&page)).await), "/sweeps");
    h.settle().await;
    assert_eq!(h.held().await, Vec::<String>::new());
    let log = site.page("/log").await;
    for words in ["approve sweep", "dismiss sweep", "rule:all", "the matter is closed", &sweep] {
        assert!(log.contains(words), "no {words} in {log}");
    }
    h.finish().await;
}

#[tokio::test]
async fn a_dry_sweep_that_is_asked_for_says_what_differs_and_changes_nothing() {
    let h = four_files().await;
    h.put("/a.txt", "The file a, changed.").await;
    let site = h.site(false).await;
    let nobody = [("action", "dry sweep"), ("item", "nobody")];
    assert_eq!(site.post("/act", &nobody, "").await.status(), StatusCode::BAD_REQUEST);
    for _ in 0..2 {
        sent_to(&site.post("/act", &[("action", "dry sweep"), ("item", ""), ("back", "/sweeps")], "").await);
    }
    assert_eq!(h.settle().await, 1, "asked for twice, it is one");
    let page = site.page("/sweeps").await;
    assert!(page.contains("done (dry run)") && page.contains("1 stale"), "{page}");
    let one = page.split("href=\"/sweeps/").nth(1).unwrap().split('"').next().unwrap();
    assert!(site.page(&format!("/sweeps/{one}")).await.contains("/a.txt"));
    assert_eq!(site.get("/sweeps/none", "").await.status(), StatusCode::NOT_FOUND);
    h.sweep().await;
    h.converges().await;
    // What each side counts stands side by side.
    h.sweep().await;
    let overview = site.page("/").await;
    assert!(overview.contains("all agree"), "{overview}");
    h.finish().await;
}
