//! Fastio fetches what is at an address, and what it made is synced like any other file.

use docket::import::store::{self, Row};
use docket::operate::Token;
use docket::operate::act::{self, ImportOrder};
use docket::operate::guard::Who;
use docket_sandbox::journal::RequestEnd;
use reqwest::Method;
use serde_json::json;

use crate::harness::{Harness, ONE_STORE, WORKSPACE, World};

pub const SOURCE: &str = "https://files.example.com/leases/lease.txt?sig=s3cret-of-the-link";
const TEXT: &str = "The lease ends on 31 March.";

impl World {
    /// From now on this is at an address.
    pub async fn web(&self, url: &str, content: &str) {
        let mut control = self.sandbox.fastio_url().join("/_sandbox/web").unwrap();
        control.query_pairs_mut().append_pair("url", url);
        let request = reqwest::Client::new().put(control).body(content.to_owned());
        request.send().await.unwrap().error_for_status().unwrap();
    }

    /// How often Fastio was asked this, and took it in whole.
    pub fn asked_fastio(&self, method: &Method, path: &str) -> usize {
        let requests = self.sandbox.fastio_core().journal.requests().into_iter();
        let is_it = |one: &docket_sandbox::journal::Entry| {
            one.method == method.as_str() && one.path == path && one.outcome == RequestEnd::Status(200)
        };
        requests.filter(is_it).count()
    }
}

impl Harness {
    /// Has something imported, as a person does.
    pub async fn import(&self, url: &str, folder: Option<&str>) -> Result<Row, String> {
        let order = ImportOrder {
            url: url.to_owned(),
            folder: folder.map(str::to_owned),
            name: None,
            workspace: None,
            why: None,
        };
        let (wish, now) = (order.wish(self.rules())?, self.clock.now());
        let write = move |tx: &mut _| act::import(tx, (Who(Token::ThisMachine), None), &wish, now);
        self.database.write(write).await.unwrap()
    }

    /// `state: reason` of the imports, the oldest first.
    pub async fn imports(&self) -> Vec<String> {
        let rows = self.database.read(|connection| store::page(connection, None, 100)).await.unwrap();
        let words = |row: Row| match row.reason {
            Some(reason) => format!("{}: {reason}", row.state),
            None => row.state,
        };
        rows.into_iter().rev().map(words).collect()
    }

    /// How many imports Fastio has begun.
    pub async fn web_uploads(&self) -> usize {
        self.fastio_state().await["web_uploads"].as_array().unwrap().len()
    }
}

#[tokio::test]
async fn what_fastio_imports_is_synced_like_any_other_file_and_asked_for_again_is_the_same() {
    let h = Harness::with(ONE_STORE).await;
    h.web(SOURCE, TEXT).await;
    h.put("/Leases/old.txt", "an older one").await;
    let first = h.import(SOURCE, Some("/Leases")).await.unwrap();
    assert_eq!(first.shown, "https://files.example.com/leases/lease.txt?…");
    let same = h.import(SOURCE, Some("Leases/")).await.unwrap();
    assert_eq!((same.import_id, same.state.as_str()), (first.import_id, "waiting"));
    let other = h.import("https://files.example.com/other/lease.txt", Some("/Leases")).await.unwrap_err();
    assert!(other.contains("to the same place"), "{other}");
    h.converges().await;
    assert_eq!(h.imports().await, ["complete"]);
    assert_eq!(h.held().await, ["/Leases/lease.txt", "/Leases/old.txt"]);
    assert_eq!(h.text("lease.txt").await, TEXT);
    let again = h.import(SOURCE, Some("/Leases")).await.unwrap();
    assert_eq!((again.import_id, again.state.as_str()), (first.import_id, "complete"));
    h.settle().await;
    assert_eq!(h.web_uploads().await, 1);
    h.finish().await;
}

/// Its creation is not answered, and the next look does not come either.
#[tokio::test]
async fn an_import_whose_creation_was_not_answered_is_found_and_adopted() {
    let h = Harness::with(ONE_STORE).await;
    h.web(SOURCE, TEXT).await;
    h.fastio_fails(json!([
        {"kind": "lost_reply", "method": "POST", "path": "/current/web_upload/", "count": 1},
        {"kind": "server_error", "method": "GET", "path": "/current/web_upload/", "skip": 1, "count": 1},
    ]))
    .await;
    h.import(SOURCE, None).await.unwrap();
    h.converges().await;
    assert_eq!((h.imports().await, h.web_uploads().await), (vec!["complete".to_owned()], 1));
    h.finish().await;
}

#[tokio::test]
async fn a_failure_in_silence_is_found_at_the_second_look_and_begun_anew_when_it_is_asked_for() {
    let h = Harness::with(ONE_STORE).await;
    h.web(SOURCE, TEXT).await;
    h.fastio_fails(json!({"kind": "bad_import", "code": "silent", "count": 1})).await;
    h.import(SOURCE, None).await.unwrap();
    h.settle().await;
    let told = h.imports().await;
    assert!(told[0].starts_with("failed: ") && told[0].contains("it failed in silence"), "{told:?}");
    let id = h.fastio_state().await["web_uploads"][0]["id"].as_str().unwrap().to_owned();
    // Once on its way at most, and twice when it said that it was complete.
    let looks = h.asked_fastio(&Method::GET, &format!("/current/web_upload/{id}/details/"));
    assert!((2..=3).contains(&looks), "{looks} looks");
    h.import(SOURCE, None).await.unwrap();
    h.converges().await;
    assert_eq!((h.imports().await, h.web_uploads().await), (vec!["complete".to_owned()], 2));
    h.finish().await;
}

#[tokio::test]
async fn an_import_that_comes_to_nothing_says_why_and_shows_no_secret() {
    let h = Harness::with(ONE_STORE).await;
    h.put("/taken.txt", "a person's").await;
    for at in ["a", "b", "c"] {
        h.web(&format!("https://files.example.com/{at}.txt"), TEXT).await;
    }
    let (bad, path) = ("bad_import", "/current/web_upload/");
    h.fastio_fails(json!([
        {"kind": bad, "code": "canceled", "count": 1},
        {"kind": bad, "message": format!("403 from {SOURCE}"), "count": 1},
        {"kind": bad, "code": "stuck", "count": 1},
        {"kind": "refusal", "status": 406, "message": "s3cret-of-the-link: not fetched", "method": "POST", "path": path,
         "skip": 3, "count": 1},
    ]))
    .await;
    for (url, folder) in [
        ("https://files.example.com/a.txt", None),
        (SOURCE, None),
        ("https://files.example.com/b.txt", None),
        ("https://files.example.com/c.txt?sig=s3cret-of-the-link", None),
        ("https://files.example.com/a.txt", Some("/Nowhere")),
        ("https://files.example.com/taken.txt", None),
    ] {
        h.import(url, folder).await.unwrap();
        h.settle().await;
    }
    let mut told = h.imports().await;
    let refused = told.remove(3);
    assert!(
        refused.starts_with("failed: Fastio does not take the request")
            && refused.contains("words repeat the address"),
        "{refused}"
    );
    assert_eq!(
        told,
        [
            "canceled: it was canceled at Fastio",
            "failed: Fastio could not import it: its words repeat the address, and are left out",
            "failed: Fastio has not finished it within a day",
            &format!(
                "failed: there is no folder /Nowhere in workspace:{WORKSPACE}: make it, or name another"
            ),
            "failed: there is something called taken.txt in / already: give another name, or move it away",
        ]
    );
    assert_eq!(h.read("/taken.txt").await, "a person's");
    h.finish().await;
}
