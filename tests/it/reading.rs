//! That a file is indexed does not say that anything in it could be read, and Docket never passes the one for the other.

use docket::sync::listing::{Filter, Standing};

use crate::content::noise;
use crate::harness::{Harness, WORKSPACE, contract, legal};

/// A scan with a page number on it.
fn stamped() -> Vec<u8> {
    [noise(100_000), b"Page 1 of 297".to_vec(), noise(100_000)].concat()
}

impl Harness {
    /// `PATH: why` of the files in which nothing can be read.
    async fn unread(&self) -> Vec<String> {
        let unread = Filter { standing: Some(Standing::Unread), ..Filter::default() };
        let rows = self.records().files(&unread).await;
        rows.into_iter().map(|row| format!("{}: {}", row.path.unwrap(), row.reason.unwrap())).collect()
    }

    /// How often OpenAI was asked for the text of a file.
    async fn looks(&self) -> usize {
        let requests = self.openai_requests().await;
        requests.iter().filter(|one| one["path"].as_str().unwrap().ends_with("/content")).count()
    }
}

#[tokio::test]
async fn what_openai_cannot_read_is_a_state_of_its_own() {
    let h = Harness::start().await;
    h.put_bytes(WORKSPACE, "/scan.pdf", noise(4_000)).await;
    h.put_bytes(WORKSPACE, "/thin.pdf", stamped()).await;
    h.put("/memo.pdf", "Liability is limited to the fees paid.").await;
    h.put("/nda.txt", "Nothing of the kind.").await;
    h.converges().await;
    let may_be = "it may be a scan, a picture, or locked";
    assert_eq!(
        h.unread().await,
        [
            format!("/scan.pdf: OpenAI holds it and can read nothing in it: {may_be}"),
            format!(
                "/thin.pdf: OpenAI holds it and can read next to nothing in it, 10 characters in 200013 bytes: {may_be}"
            ),
        ]
    );
    // One call for each document; of a text it is known.
    assert_eq!(h.looks().await, 3);
    let status = docket::operate::status::Status::read(&h.database).await.unwrap();
    assert_eq!(status.unread, 2);
    h.finish().await;
}

#[tokio::test]
async fn a_file_is_searchable_before_it_is_looked_into() {
    let h = Harness::start().await;
    for number in 1..=3 {
        h.put_bytes(WORKSPACE, &format!("/{number}.pdf"), noise(100 + number)).await;
    }
    h.converges().await;
    let requests = h.openai_requests().await;
    let is_look = |one: &&serde_json::Value| one["path"].as_str().unwrap().ends_with("/content");
    let first = requests.iter().position(|one| is_look(&one)).unwrap();
    assert!(requests[first..].iter().all(|one| is_look(&one)), "{requests:#?}");
    h.finish().await;
}

#[tokio::test]
async fn what_was_read_can_be_looked_at_again() {
    let h = Harness::start().await;
    h.put_bytes(WORKSPACE, "/scan.pdf", noise(4_000)).await;
    h.converges().await;
    let before = h.unread().await.len();
    let source = h.records().files(&Filter::default()).await[0].source_id.parse().unwrap();
    let now = h.clock.now();
    h.database.write(move |tx| docket::sync::reading::store::look_again(tx, &source, now)).await.unwrap();
    h.converges().await;
    assert_eq!((before, h.unread().await.len(), h.looks().await), (1, 1, 2));
    h.finish().await;
}

#[tokio::test]
async fn a_server_that_does_not_tell_its_text_leaves_it_unknown_and_no_job() {
    let h = Harness::start().await;
    let fault = serde_json::json!({"kind": "not_found", "method": "GET", "path": "/v1/vector_stores/*/files/*/content"});
    h.openai_fails(fault).await;
    h.put_bytes(WORKSPACE, "/scan.pdf", noise(4_000)).await;
    h.converges().await;
    assert!(h.unread().await.is_empty());
    h.no_faults().await;
    h.finish().await;
}

#[tokio::test]
async fn a_run_over_what_was_not_read_finds_nothing_out_and_says_so() {
    let h = Harness::with(&legal("digest = 'overview.csv'")).await;
    h.put_bytes(WORKSPACE, "/Contracts/scan.pdf", noise(4_000)).await;
    h.put_bytes(WORKSPACE, "/Contracts/thin.pdf", stamped()).await;
    h.put("/Contracts/plain.txt", "The parties agree on the colour of the door.").await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.converges().await;
    let mut outcomes: Vec<(String, String)> =
        h.runs().await.into_iter().map(|run| (run.path, run.outcome.unwrap())).collect();
    outcomes.sort();
    let outcome = |path: &str| outcomes.iter().find(|(of, _)| of == path).unwrap().1.as_str();
    assert_eq!(outcome("/Contracts/scan.pdf"), "needs_review");
    assert_eq!(outcome("/Contracts/thin.pdf"), "needs_review");
    assert_eq!(outcome("/Contracts/plain.txt"), "completed");
    assert_eq!(outcome("/Contracts/nda.txt"), "completed");
    let table = h.read("/Contracts/overview.csv").await;
    for row in [
        "/Contracts/scan.pdf,needs_review,not read",
        "/Contracts/thin.pdf,needs_review,not read",
        "/Contracts/plain.txt,completed,none",
    ] {
        assert!(table.contains(row), "{row} in {table}");
    }
    let analysis = h.read("/Contracts/scan.analysis.md").await;
    let first = analysis.lines().find(|line| line.starts_with('>')).unwrap();
    assert!(first.starts_with("> **⚠ NOT READ.** OpenAI holds it and can read nothing in it"), "{analysis}");
    assert!(!analysis.contains("None.") && analysis.contains("Not read."), "{analysis}");
    assert!(h.read("/Contracts/plain.analysis.md").await.contains("None."));
    h.finish().await;
}
