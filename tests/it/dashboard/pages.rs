//! What stands in the pages.

use docket::database::Connection;
use docket::job::{self, Task};
use docket::queue::Priority;
use reqwest::StatusCode;

use super::{Site, analysed};
use crate::harness::{Harness, ONE_STORE};

/// Every page, of a harness whose run is number 1.
pub const PAGES: [&str; 15] = [
    "/",
    "/files",
    "/files?state=behind",
    "/search",
    "/search?query=liability",
    "/runs",
    "/runs?state=needs_review",
    "/runs/folders",
    "/runs/1",
    "/webhooks",
    "/webhooks?downloads=yes",
    "/jobs",
    "/sweeps",
    "/settings",
    "/log",
];

/// The most that a page may take on its way.
pub const MOST_BYTES: usize = 60_000;

/// What a browser would refuse to do by the policy, or do at once.
fn faults(page: &str) -> Vec<&str> {
    let mut faults: Vec<&str> =
        [" style=", " onclick=", " onerror=", " onload=", "javascript:", "<style", "http-equiv"]
            .into_iter()
            .filter(|fault| page.contains(fault))
            .collect();
    if page.matches("<script").count() != page.matches("<script src=\"/assets/script-").count() {
        faults.push("a script in the page");
    }
    faults
}

#[tokio::test]
async fn every_page_is_whole_and_keeps_to_the_policy() {
    let h = analysed().await;
    h.sweep().await;
    let site = h.site(false).await;
    let mut paths: Vec<String> = PAGES.map(str::to_owned).to_vec();
    let files = site.page("/files").await;
    let file = files.split("href=\"/file?id=").nth(1).unwrap().split('"').next().unwrap();
    paths.push(format!("/file?id={file}"));
    for path in &paths {
        let answer = site.get(path, "").await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers()["referrer-policy"], "same-origin");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let page = answer.text().await.unwrap();
        assert_eq!(faults(&page), Vec::<&str>::new(), "{path}");
        assert!(page.len() < MOST_BYTES, "{path} has {} bytes", page.len());
        for whole in ["<!doctype html>", "lang=\"en\"", "<h1>", "class=\"skip\"", "aria-label=\"Pages\""] {
            assert!(page.contains(whole), "{path} has no {whole}");
        }
    }
    // What they are made of may be kept, because it is named after its content.
    let page = site.page("/").await;
    for (begin, kind) in [
        ("/assets/style-", "text/css"),
        ("/assets/script-", "text/javascript"),
        ("/assets/icon-", "image/svg+xml"),
    ] {
        let at = page.find(begin).unwrap();
        let path = page[at..].split('"').next().unwrap();
        let answer = site.get(path, "").await;
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with(kind));
        assert!(answer.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    }
    let found = site.page("/search?query=liability&rule=liability").await;
    assert!(found.contains("/Contracts/a.txt") && found.contains("docket search"), "{found}");
    assert_eq!(site.get("/assets/style.css", "").await.status(), StatusCode::NOT_FOUND);
    let lost = site.get("/nothing", "").await;
    assert_eq!(lost.status(), StatusCode::NOT_FOUND);
    assert!(lost.text().await.unwrap().contains("<h1>Not Found</h1>"));
    h.finish().await;
}

#[tokio::test]
async fn a_name_of_others_is_text_wherever_it_stands() {
    const NAME: &str = "/a\u{202e}<img src=x onerror=alert(1)>\"'&.txt";
    let h = Harness::with(ONE_STORE).await;
    h.put(NAME, "a text").await;
    h.settle().await;
    let site = h.site(false).await;
    for path in ["/files", "/files?path=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E", "/webhooks", "/jobs"] {
        let page = site.page(path).await;
        assert!(!page.contains("<img") && !page.contains("<script>"), "{path}: {page}");
        assert!(!page.contains('\u{202e}'), "{path}: {page}");
    }
    let files = site.page("/files").await;
    assert!(files.contains("/a\\u{202e}&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;.txt"), "{files}");
    h.finish().await;
}

#[tokio::test]
async fn a_file_says_in_a_sentence_whether_it_is_current_and_a_filter_stands_in_the_address() {
    let h = Harness::with(ONE_STORE).await;
    h.put("/good.txt", "a text").await;
    h.put("/empty.txt", "").await;
    h.settle().await;
    let site = h.site(false).await;
    let all = site.page("/files").await;
    assert!(all.contains("/good.txt") && all.contains("/empty.txt"), "{all}");
    let skipped = site.page("/files?state=skipped").await;
    assert!(!skipped.contains("/good.txt") && skipped.contains("/empty.txt"), "{skipped}");
    assert!(skipped.contains("docket files --state skipped"), "{skipped}");
    let none = site.page("/files?path=%2Fnowhere").await;
    assert!(none.contains("No file passes this filter.") && none.contains("Clear the filter"), "{none}");
    let file = async |list: &str| {
        let link = list.split("href=\"/file?id=").nth(1).unwrap().split('"').next().unwrap();
        site.page(&format!("/file?id={link}")).await
    };
    let current = file(&site.page("/files?path=%2Fgood.txt").await).await;
    assert!(current.contains("Current: what can be searched is what the file is"), "{current}");
    let empty = file(&skipped).await;
    assert!(
        empty.contains("It cannot be searched, and is skipped") && empty.contains("Try it again"),
        "{empty}"
    );
    assert_eq!(site.get("/file?id=workspace:1:nothing", "").await.status(), StatusCode::NOT_FOUND);
    h.finish_leaving(&["skipped: /empty.txt"]).await;
}

#[tokio::test]
async fn a_list_goes_on_behind_its_last_row() {
    let h = Harness::start().await;
    h.enqueue_hints(60).await;
    let site = h.site(false).await;
    let first = site.page("/jobs").await;
    let next = next(&first).unwrap();
    let second = site.page(&next).await;
    assert_eq!((first.matches("response:resp_").count(), second.matches("response:resp_").count()), (50, 10));
    assert!(self::next(&second).is_none());
    assert!(first.contains("resp_000") && !second.contains("resp_000") && second.contains("resp_059"));
    let none = site.page("/jobs?state=dead").await;
    assert!(none.contains("No dead job: nothing is left to do there."), "{none}");
    h.settle().await;
    assert!(site.page("/jobs").await.contains("No job: nothing is left to do."));
    h.finish().await;
}

/// Where a list goes on.
fn next(page: &str) -> Option<String> {
    let link = page.split("rel=\"next\" href=\"").nth(1)?.split('"').next()?;
    Some(link.replace("&amp;", "&"))
}

#[tokio::test]
async fn the_overview_says_what_needs_a_person_and_how_fresh_each_rule_is() {
    let h = Harness::with(ONE_STORE).await;
    let site = h.site(false).await;
    let well = site.page("/").await;
    for words in
        ["All is well.", "Needs a person: 0", "every change that is known can be searched", "docket status"]
    {
        assert!(well.contains(words), "no {words} in {well}");
    }
    let now = h.clock.now();
    let fail = move |tx: &mut Connection| {
        job::enqueue(tx, &Task::Response { response: "resp_1".to_owned() }, Priority::Live, now).map(drop)
    };
    h.put("/a.txt", "a text").await;
    h.take_in().await;
    h.database.write(fail).await.unwrap();
    let site = h.site(false).await;
    let behind = site.page("/").await;
    assert!(
        behind.contains("waits for its turn") && !behind.contains("every change that is known"),
        "{behind}"
    );
    let events = site.page("/webhooks").await;
    assert!(events.contains("deliveries accepted") && events.contains("file"), "{events}");
    h.settle().await;
    h.finish().await;
}

#[tokio::test]
async fn settings_are_told_with_where_they_came_from_and_without_secrets() {
    let h = Harness::with(ONE_STORE).await;
    let site = h.site(false).await;
    let page = site.page("/settings").await;
    assert!(
        page.contains("receive.listen") && page.contains("FASTIO_API_KEY") && page.contains("not set"),
        "{page}"
    );
    for secret in ["fastio-key", "openai-key", crate::harness::SECRET] {
        assert!(!page.contains(secret), "{page}");
    }
    h.finish().await;
}

impl Site {
    /// The text of an export.
    async fn export(&self, path: &str) -> String {
        let answer = self.get(path, "").await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert!(answer.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"));
        answer.text().await.unwrap()
    }
}

#[tokio::test]
async fn findings_stand_in_their_paragraph_and_can_be_taken_along() {
    let h = analysed().await;
    let site = h.site(false).await;
    let page = site.page("/runs/1").await;
    assert!(
        page.contains("<blockquote>") && page.contains("<mark>") && page.contains("docket runs show 1"),
        "{page}"
    );
    let csv = site.export("/runs/1/export?form=csv").await;
    assert!(csv.starts_with("\"file\",\"finding\",\"proof\"") && csv.contains("/Contracts/"), "{csv}");
    let json: serde_json::Value =
        serde_json::from_str(&site.export("/runs/1/export?form=json").await).unwrap();
    assert!(json["result"]["checks"].is_array());
    assert!(site.export("/runs/1/export?form=md").await.starts_with("| file | finding |"));
    assert!(site.export("/runs/export?form=csv").await.contains("liability"));
    assert_eq!(site.get("/runs/1/export?form=exe", "").await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(site.get("/runs/99", "").await.status(), StatusCode::NOT_FOUND);
    // What needs review comes first, and there what is not proven.
    let runs = site.page("/runs").await;
    let (review, completed) = (runs.find("needs review</td>"), runs.find("completed</td>"));
    assert!(review.is_some() && review < completed, "{runs}");
    let doubtful = site.page("/runs/2").await;
    let (bad, good) = (doubtful.find(">unverified<"), doubtful.find(">verified<"));
    assert!(bad.is_some() && (good.is_none() || bad < good), "{doubtful}");
    h.finish().await;
}
