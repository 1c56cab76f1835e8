//! The work is dropped at every request in turn, before and after its effect, and taken up by the next server.

use docket_sandbox::journal::RequestEnd;
use futures_util::future::join_all;

use crate::budget::within;
use crate::erase::{erase_at, erasures};
use crate::full_stores::{knowing, taking};
use crate::harness::{Asked, Dies, Harness, ONE_STORE, Step, contract, legal};
use crate::imports::SOURCE;
use crate::kept_out::{FILE, OUT, kept_out};
use crate::run_batch::{in_batches, with_archive};
use crate::run_fastio::asking;

const SIDES: [(Asked, Dies); 4] = [
    (Asked::Fastio, Dies::Before),
    (Asked::Fastio, Dies::After),
    (Asked::OpenAi, Dies::Before),
    (Asked::OpenAi, Dies::After),
];

fn any(asked: Asked, skip: u64) -> Step {
    Step { asked, method: None, path: "/**", skip }
}

/// Tells the story once for each request of each side, until it has no more of them.
async fn everywhere(story: impl AsyncFn(Step, Dies) -> bool) {
    join_all(SIDES.map(async |(asked, dies)| {
        let mut skip = 0;
        while story(any(asked, skip), dies).await {
            skip += 1;
        }
        assert!(skip > 0, "{asked:?} was not asked at all");
    }))
    .await;
}

#[tokio::test]
async fn a_run_killed_at_any_request_is_made_once() {
    everywhere(async |step, dies| {
        let h = Harness::with(&legal("")).await;
        h.put("/Contracts/nda.txt", &contract(1)).await;
        let died = h.settle_killed(&step, dies).await;
        h.agrees().await;
        assert_eq!(h.outcomes().await, ["completed"], "{step:?}, {dies:?}");
        assert_eq!(h.responses().await.len(), 1, "it ran twice: {step:?}, {dies:?}");
        assert_eq!(h.paths().await, ["/Contracts/nda.analysis.md", "/Contracts/nda.txt"]);
        assert!(h.read("/Contracts/nda.analysis.md").await.contains("limited to EUR 10,000"));
        assert_eq!(h.held().await, ["/Contracts/nda.txt"], "{step:?}, {dies:?}");
        h.finish().await;
        died
    })
    .await;
}

#[tokio::test]
async fn a_run_that_fastio_answers_killed_at_any_request_is_asked_once() {
    everywhere(async |step, dies| {
        let h = Harness::with(&asking()).await;
        h.put("/Contracts/nda.txt", &contract(1)).await;
        let died = h.settle_killed(&step, dies).await;
        h.agrees().await;
        assert_eq!(h.outcomes().await, ["completed"], "{step:?}, {dies:?}");
        assert_eq!(h.turns_asked().await, (1, 0), "{step:?}, {dies:?}");
        assert!(h.read("/Contracts/nda.analysis.md").await.contains("limited to EUR 10,000"));
        h.finish().await;
        died
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_kept_out_killed_at_any_request_goes_in_once_and_leaves() {
    everywhere(async |step, dies| {
        let h = Harness::with(&kept_out("")).await;
        h.fastio_does_not_answer().await;
        h.put(FILE, &contract(1)).await;
        let died = h.settle_killed(&step, dies).await;
        h.agrees_but(&[OUT]).await;
        assert_eq!(h.outcomes().await, ["completed"], "{step:?}, {dies:?}");
        assert_eq!((h.responses().await.len(), h.turns_asked().await), (1, (1, 0)), "{step:?}, {dies:?}");
        assert_eq!((h.file_objects().await, h.held().await.len()), (0, 0), "{step:?}, {dies:?}");
        h.finish_leaving(&[OUT]).await;
        died
    })
    .await;
}

#[tokio::test]
async fn a_batch_killed_at_any_request_is_made_once_and_leaves_nothing() {
    everywhere(async |step, dies| {
        let h = with_archive(&in_batches("")).await;
        let died = h.settle_killed(&step, dies).await;
        h.agrees().await;
        let (batches, left) = h.batches().await;
        assert_eq!((batches.len(), left, h.responses().await.len()), (1, 0, 0), "{step:?}, {dies:?}");
        assert_eq!(h.outcomes().await, ["completed"; 3], "{step:?}, {dies:?}");
        h.finish().await;
        died
    })
    .await;
}

#[tokio::test]
async fn an_import_killed_at_any_request_is_made_once() {
    everywhere(async |step, dies| {
        let h = Harness::with(ONE_STORE).await;
        h.web(SOURCE, "The lease ends on 31 March.").await;
        h.import(SOURCE, None).await.unwrap();
        let died = h.settle_killed(&step, dies).await;
        h.agrees().await;
        assert_eq!(h.imports().await, ["complete"], "{step:?}, {dies:?}");
        assert_eq!((h.web_uploads().await, h.held().await.len()), (1, 1), "{step:?}, {dies:?}");
        assert_eq!(h.fastio_state().await["files"][0]["versions"], 1, "{step:?}, {dies:?}");
        h.finish().await;
        died
    })
    .await;
}

/// One makes room for another, and comes back for a third.
#[tokio::test]
async fn a_rotation_killed_at_any_request_keeps_its_budget_and_loses_nothing() {
    everywhere(async |step, dies| {
        let h = Harness::with(&within("files = 1", "")).await;
        h.comes("/1.txt").await;
        h.put("/2.txt", "the second file").await;
        let died = h.settle_killed(&step, dies).await;
        h.agrees_but(&["out: /1.txt"]).await;
        h.pass(60_000);
        h.put("/1.txt", "the first file has another text").await;
        let died_again = h.settle_killed(&step, dies).await;
        h.agrees_but(&["out: /2.txt"]).await;
        assert_eq!(h.held().await, ["/1.txt"], "{step:?}, {dies:?}");
        assert_eq!(h.file_objects().await, 1, "{step:?}, {dies:?}");
        h.finish_leaving(&["out: /2.txt"]).await;
        died || died_again
    })
    .await;
}

/// Three files that are searchable, and then have other texts, are attached together.
#[tokio::test]
async fn files_attached_together_killed_at_any_request_end_in_line_and_without_a_gap() {
    const NAMES: [&str; 3] = ["/1.txt", "/2.txt", "/3.txt"];
    everywhere(async |step, dies| {
        let h = Harness::with(&format!("[sync]\nattach_together_from = 1\n{ONE_STORE}")).await;
        for name in NAMES {
            h.put(name, &format!("the first version of {name}")).await;
        }
        let died_first = h.settle_killed(&step, dies).await;
        h.agrees().await;
        for name in NAMES {
            h.put(name, &format!("the second version of {name}")).await;
        }
        let died = h.settle_killed(&step, dies).await;
        h.agrees().await;
        for name in NAMES {
            h.never_unsearchable(name).await;
        }
        let uploads = h.sandbox.openai_core().journal.requests().into_iter().filter(|one| {
            one.method == "POST" && one.path == "/v1/files" && one.outcome == RequestEnd::Status(200)
        });
        assert_eq!(uploads.count(), 6, "each version once: {step:?}, {dies:?}");
        h.finish().await;
        died_first || died
    })
    .await;
}

/// A file that is searchable is changed.
async fn changed(change: impl AsyncFn(&Harness), then: impl AsyncFn(&Harness)) {
    everywhere(async |step, dies| {
        let h = Harness::with(ONE_STORE).await;
        h.put("/nda.txt", "the first version").await;
        h.converges().await;
        change(&h).await;
        let died = h.settle_killed(&step, dies).await;
        h.agrees().await;
        then(&h).await;
        h.finish().await;
        died
    })
    .await;
}

/// Both versions are too large for one File object and are cut in two. Half of one and half of the other are not found as one.
#[tokio::test]
async fn an_edit_of_a_text_that_was_cut_killed_at_any_request_is_all_or_nothing() {
    let version = |word: &str| {
        format!("The {word} version begins here.\n\nAnd this is where the {word} version ends.\n")
    };
    everywhere(async |step, dies| {
        let h = Harness::with(&format!(
            "[sync]\nsplit_text_above_bytes = 70\nattach_together_from = 0\n{ONE_STORE}"
        ))
        .await;
        h.put("/nda.txt", &version("first")).await;
        h.converges().await;
        h.put("/nda.txt", &version("second")).await;
        let died = h.settle_killed(&step, dies).await;
        h.agrees().await;
        h.never_unsearchable("/nda.txt").await;
        let uploads = h.sandbox.openai_core().journal.requests().into_iter().filter(|one| {
            one.method == "POST" && one.path == "/v1/files" && one.outcome == RequestEnd::Status(200)
        });
        let (segments, uploads) = (h.copies().await.len(), uploads.count());
        assert!(
            segments > 1 && uploads == 2 * segments,
            "each segment once, {uploads} of {segments}: {step:?}, {dies:?}"
        );
        h.finish().await;
        died
    })
    .await;
}

/// How many uploads took effect.
fn uploaded(h: &Harness) -> usize {
    let requests = h.sandbox.openai_core().journal.requests();
    let is_upload = |method: &str, path: &str| method == "POST" && path == "/v1/files";
    let done = requests
        .iter()
        .filter(|one| is_upload(&one.method, &one.path) && one.outcome == RequestEnd::Status(200));
    done.count()
}

#[tokio::test]
async fn a_next_store_killed_at_any_request_is_made_once() {
    everywhere(async |step, dies| {
        let h = Harness::between(&knowing(1, ONE_STORE), taking(1)).await;
        h.put("/1.txt", "one file").await;
        h.converges().await;
        h.put("/2.txt", "another file").await;
        let died = h.settle_killed(&step, dies).await;
        h.agrees().await;
        let names: Vec<String> = h.filled().await.into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["all", "all, continued 2"], "{step:?}, {dies:?}");
        assert_eq!(uploaded(&h), 2, "{step:?}, {dies:?}");
        h.finish().await;
        died
    })
    .await;
}

/// Its store is full, and OpenAI says so.
#[tokio::test]
async fn an_edit_that_a_full_store_refuses_killed_at_any_request_leaves_no_gap() {
    everywhere(async |step, dies| {
        let h = Harness::between(ONE_STORE, taking(1)).await;
        h.put("/nda.txt", "the first version").await;
        h.converges().await;
        h.put("/nda.txt", "the second version").await;
        let died = h.settle_killed(&step, dies).await;
        h.never_unsearchable("/nda.txt").await;
        assert_eq!(h.filled().await.len(), 2, "{step:?}, {dies:?}");
        assert_eq!(uploaded(&h), 2, "{step:?}, {dies:?}");
        let refused = h.refused_attaches().await;
        h.finish_leaving_kinds(&refused).await;
        died
    })
    .await;
}

/// The store takes all segments but one, so that those which it has follow the one.
#[tokio::test]
async fn a_text_that_does_not_fit_into_its_store_killed_at_any_request_is_whole_in_the_next() {
    const TEXT: &str = "The text begins here.\n\nAnd this is where the text goes on and ends.\n";
    everywhere(async |step, dies| {
        let settings = format!("[sync]\nsplit_text_above_bytes = 60\nattach_together_from = 0\n{ONE_STORE}");
        let h = Harness::between(&settings, taking(3)).await;
        h.put("/1.txt", "one file").await;
        h.converges().await;
        h.put("/nda.txt", TEXT).await;
        let died = h.settle_killed(&step, dies).await;
        let segments = h.copies().await.into_iter().filter(|copy| copy.path() == "/nda.txt");
        let stores: Vec<String> = segments.map(|copy| copy.store).collect();
        assert_eq!(stores, ["all, continued 2"; 3], "{step:?}, {dies:?}");
        assert_eq!(uploaded(&h), 4, "{step:?}, {dies:?}");
        let refused = h.refused_attaches().await;
        h.finish_leaving_kinds(&refused).await;
        died
    })
    .await;
}

#[tokio::test]
async fn an_edit_killed_at_any_request_ends_in_line_and_without_a_gap() {
    let edit = async |h: &Harness| drop(h.put("/nda.txt", "the second version").await);
    changed(edit, async |h| h.never_unsearchable("/nda.txt").await).await;
}

#[tokio::test]
async fn a_rename_killed_at_any_request_ends_in_line() {
    let rename = async |h: &Harness| h.rename("/nda.txt", "/signed.txt").await;
    changed(rename, async |h| assert_eq!(h.held().await, ["/signed.txt"])).await;
}

#[tokio::test]
async fn a_deletion_killed_at_any_request_leaves_nothing() {
    let delete = async |h: &Harness| h.trash("/nda.txt").await;
    changed(delete, async |h| assert_eq!(h.file_objects().await, 0)).await;
}

#[tokio::test]
async fn an_erasure_killed_at_any_request_leaves_nothing() {
    everywhere(async |step, dies| {
        let h = Harness::with(&legal("")).await;
        h.put("/Contracts/nda.txt", &contract(1)).await;
        h.settle().await;
        erase_at(&h, "/Contracts/nda.txt").await;
        let died = h.settle_killed(&step, dies).await;
        assert_eq!((h.conversations().await, h.responses().await.len()), ((0, 0), 0), "{step:?}, {dies:?}");
        assert_eq!((h.paths().await, h.runs().await.len()), (vec!["/Contracts/nda.txt".to_owned()], 0));
        let all = erasures(&h).await;
        assert!(all.len() == 1 && all[0].ended_at.is_some() && all[0].remains.is_empty(), "{all:?}");
        h.finish_leaving(&["not held: /Contracts/nda.txt"]).await;
        died
    })
    .await;
}
