//! A text that is too large for a vector store goes in segments, which together are one copy: whole, or not there.

use docket::operate::query::search::Why;
use docket::sync::listing::{Filter, Standing};
use serde_json::json;

use crate::harness::{Harness, SWEEPING, contract, legal};

/// A text is cut into segments of 200 bytes.
fn cutting(settings: &str) -> String {
    format!("[sync]\nsplit_text_above_bytes = 400\n{settings}")
}

/// So many rows of a table.
fn table(rows: usize) -> String {
    let rows = (0..rows).map(|row| format!("{row:03},\"Acme,\nroom {row}\",capped at {row}000\n"));
    format!("id,party,clause\n{}", rows.collect::<String>())
}

impl Harness {
    /// The texts of a table's segments, in their order, each with its first line taken off.
    async fn rows(&self, stem: &str) -> String {
        let mut copies = self.copies().await;
        copies.sort_by_key(|copy| copy.segment().unwrap().0);
        let mut rows = String::new();
        for (number, copy) in copies.iter().enumerate() {
            assert_eq!(copy.segment(), Some((number as u64 + 1, copies.len() as u64)));
            assert_eq!(copy.filename, format!("{stem}.part{}.txt", number + 1));
            assert!(copy.bytes <= 200, "{copy:?}");
            let text = self.text(&copy.filename).await;
            let (header, rest) = text.split_once('\n').unwrap();
            assert_eq!(header, "id,party,clause");
            rows.push_str(rest);
        }
        rows
    }
}

#[tokio::test]
async fn a_table_goes_in_segments_that_are_one_copy_from_its_making_to_its_end() {
    let h = Harness::with(&cutting(SWEEPING)).await;
    h.put("/caps.csv", &table(20)).await;
    h.converges().await;
    let segments = h.copies().await.len();
    assert!(segments > 2 && h.uploads().await == segments);
    assert_eq!(format!("id,party,clause\n{}", h.rows("caps.csv").await), table(20));
    let rows = h.records().files(&Filter::default()).await;
    let [row] = &rows[..] else { panic!("{rows:#?}") };
    let note = format!("cut into {segments} segments");
    assert_eq!((row.state, row.copy.note.as_deref()), (Standing::Current, Some(note.as_str())));
    assert_eq!(h.sweep().await.found.values().sum::<u64>(), 0);

    h.rename("/caps.csv", "/2026.csv").await;
    h.converges().await;
    assert_eq!(h.held().await, vec!["/2026.csv"; segments], "a name costs no upload");
    assert_eq!(h.uploads().await, segments);

    h.put("/2026.csv", &table(14)).await;
    h.converges().await;
    h.never_unsearchable("/2026.csv").await;
    assert_eq!(format!("id,party,clause\n{}", h.rows("2026.csv").await), table(14));
    h.put("/2026.csv", &table(2)).await;
    h.converges().await;
    h.never_unsearchable("/2026.csv").await;
    assert_eq!(h.copies().await[0].segment(), None, "it fits now");

    h.put("/2026.csv", &table(16)).await;
    h.converges().await;
    h.trash("/2026.csv").await;
    h.converges().await;
    assert_eq!(h.file_objects().await, 0);
    h.finish().await;
}

#[tokio::test]
async fn while_a_segment_is_not_searchable_the_version_before_is() {
    let h = Harness::with(&cutting(SWEEPING)).await;
    h.put("/caps.csv", &table(14)).await;
    h.converges().await;
    let old = h.copies().await.len();
    h.openai_fails(json!({"kind": "stuck_in_progress", "skip": 1, "count": 1, "delay_ms": 5_000})).await;
    h.put("/caps.csv", &table(15)).await;
    h.take_in().await;
    while h.work_one().await {}
    let rows = h.records().files(&Filter::default()).await;
    assert_eq!(rows[0].state, Standing::Behind);
    assert!(h.copies().await.len() >= 2 * old, "both are there");
    let found = h.search("What is capped?", None).await;
    assert!(!found.rows.is_empty() && found.rows.iter().all(|row| !row.is_present), "{found:?}");
    assert!(found.left_out.iter().all(|one| one.why == Why::Incomplete), "{found:?}");
    assert!(!found.left_out.is_empty(), "a part of the new one is there: {found:?}");
    h.no_faults().await;
    h.converges().await;
    h.never_unsearchable("/caps.csv").await;
    assert_eq!(format!("id,party,clause\n{}", h.rows("caps.csv").await), table(15));
    h.finish().await;
}

/// The first version was never whole in the store when the second comes.
#[tokio::test]
async fn what_is_there_of_a_version_that_was_never_whole_goes_before_a_part_of_the_next_one_comes() {
    let h = Harness::with(&cutting(SWEEPING)).await;
    h.openai_fails(json!({"kind": "stuck_in_progress", "skip": 1, "count": 1, "delay_ms": 60_000})).await;
    h.put("/caps.csv", &table(14)).await;
    h.take_in().await;
    while h.work_one().await {}
    let parts = h.copies().await;
    let (stuck, found): (Vec<_>, Vec<_>) = parts.iter().partition(|copy| !copy.is_indexed());
    assert!(stuck.len() == 1 && found.len() > 1, "{parts:?}");
    h.no_faults().await;
    h.put("/caps.csv", &table(15)).await;
    h.converges().await;
    h.never_unsearchable("/caps.csv").await;
    assert_eq!(format!("id,party,clause\n{}", h.rows("caps.csv").await), table(15));
    h.finish().await;
}

#[tokio::test]
async fn a_segment_that_somebody_deleted_comes_back_alone() {
    let h = Harness::with(&cutting(SWEEPING)).await;
    h.put("/caps.csv", &table(14)).await;
    h.converges().await;
    let (before, lost) = (h.uploads().await, h.copies().await.remove(1));
    h.stranger(
        reqwest::Method::DELETE,
        &format!("vector_stores/{}/files/{}", lost.store_id, lost.file_id),
        json!(null),
    )
    .await;
    h.remove_file_object(&lost.file_id).await;
    h.pass(3_600_000);
    h.sweep().await;
    h.converges().await;
    assert_eq!(h.uploads().await, before + 1);
    assert_eq!(format!("id,party,clause\n{}", h.rows("caps.csv").await), table(14));
    h.finish().await;
}

#[tokio::test]
async fn a_rebuilt_database_knows_segments_for_what_they_are() {
    let settings = cutting(SWEEPING);
    let mut h = Harness::with(&settings).await;
    h.put("/caps.csv", &table(14)).await;
    h.converges().await;
    let before = h.uploads().await;
    h.lose_database(&settings).await;
    let rebuilt = h.feed.rebuild(&mut |_| {}).await.unwrap();
    assert_eq!((rebuilt.copies, rebuilt.unverified), (before as u64, 0));
    h.sweep().await;
    h.settle().await;
    assert_eq!(h.uploads().await, before);
    h.finish().await;
}

#[tokio::test]
async fn a_run_over_a_text_that_was_cut_searches_all_of_it() {
    let h = Harness::with(&cutting(&legal(""))).await;
    // The clause stands in one of the last segments.
    let preamble: String =
        (1..=8).map(|number| format!("Recital {number} is about nothing in particular.\n\n")).collect();
    h.put("/Contracts/nda.txt", &format!("{preamble}{}", contract(1))).await;
    h.converges().await;
    assert!(h.copies().await.len() > 2);
    let runs = h.runs().await;
    assert_eq!(runs.len(), 1, "{runs:#?}");
    let analysis = h.read("/Contracts/nda.analysis.md").await;
    assert!(analysis.contains("limited to EUR 10,000"), "{analysis}");
    assert!(!analysis.contains("UNVERIFIED"), "{analysis}");
    h.finish().await;
}
