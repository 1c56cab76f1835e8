//! OpenAI's limits: kept without one refusal, met without a storm, and filled to the brim. Copies that wait together are attached
//! together, and each has an outcome of its own.

use std::time::Duration;

use docket_sandbox::Options;
use docket_sandbox::journal::{Entry, RequestEnd};
use docket_sandbox::openai::Limits;
use serde_json::json;

use crate::harness::{Harness, ONE_STORE, WORKSPACE, World, contract, legal};

/// An account that may do a tenth of what is documented.
const SMALL: Limits = Limits {
    uploads: 100,
    attaches: 30,
    attached: 200,
    requests: 10_000,
    tokens: 2_000_000,
    file_tokens: 5_000_000,
    store_files: 100_000_000,
};

const KNOWN: &str =
    "[limits]\nuploads_per_minute = 100\nattaches_per_minute = 30\nattached_files_per_minute = 200\n";

/// Everything is attached together, be it one file.
const TOGETHER: &str = "[sync]\nattach_together_from = 1\n";

/// What the judge calls copies of generated files, which it does not see in Fastio.
fn generated(count: usize) -> String {
    format!("a copy that nothing needs ({count} times)")
}

async fn between(settings: &str, limits: Limits) -> Harness {
    Harness::between(settings, Options { limits, ..Options::default() }).await
}

impl Harness {
    fn asked_of_openai(&self, method: &str, ends: &str) -> Vec<Entry> {
        let requests = self.sandbox.openai_core().journal.requests();
        requests.into_iter().filter(|one| one.method == method && one.path.ends_with(ends)).collect()
    }

    fn slowed_down(&self) -> usize {
        let requests = self.sandbox.openai_core().journal.requests();
        requests.iter().filter(|one| one.outcome == RequestEnd::Status(429)).count()
    }

    async fn put_files(&self, count: usize) {
        for number in 0..count {
            self.put(&format!("/{number}.txt"), &format!("the text of file {number}")).await;
        }
    }

    async fn no_attempt_was_lost(&self) {
        let jobs = self.jobs().await;
        assert!(jobs.iter().all(|job| job.attempt <= 1 && job.state != "dead"), "{jobs:#?}");
    }
}

/// The most entries within any sixty seconds.
fn most_in_a_minute(entries: &[Entry]) -> usize {
    let within = |from: usize| {
        let until = entries[from].at_ms + 60_000;
        entries[from..].iter().take_while(|one| one.at_ms < until).count()
    };
    (0..entries.len()).map(within).max().unwrap_or(0)
}

#[tokio::test]
async fn a_backfill_fills_the_limits_and_meets_none() {
    let h = between(&format!("{KNOWN}{ONE_STORE}"), SMALL).await;
    h.generate(400).await;
    let since = h.clock.shifted_ms();
    h.feed.backfill(None, &mut |_| {}).await.unwrap();
    h.work_for_seconds(30).await;
    h.no_attempt_was_lost().await;
    let waiting = h.jobs().await.into_iter().find(|job| job.needs.contains("/limit:")).expect("some wait");
    let reason = waiting.reason.unwrap_or_default();
    assert!(reason.starts_with("waits for OpenAI's limit of 100 uploads a minute until "), "{reason}");
    h.settle().await;
    let took = h.clock.shifted_ms() - since;
    let uploads = h.asked_of_openai("POST", "/files");
    let uploads: Vec<Entry> = uploads.into_iter().filter(|one| one.path == "/v1/files").collect();
    assert_eq!((uploads.len(), h.slowed_down()), (400, 0), "each once, and none refused");
    assert!(most_in_a_minute(&uploads) <= 100);
    assert!(took <= 252_000, "four minutes are the floor, and a twentieth more may be: {took} ms");
    let singly = h.asked_of_openai("POST", "/files").len() - uploads.len();
    let together = h.asked_of_openai("POST", "/file_batches").len();
    assert!(singly + together <= 130, "{singly} alone and {together} together");
    let held = h.number("SELECT count(*) FROM copy WHERE state = 'indexed'").await;
    assert_eq!((held, h.jobs().await.len()), (400, 0));
    h.finish_leaving(&[&generated(400)]).await;
}

#[tokio::test]
async fn what_comes_now_goes_before_a_backfill_that_waits() {
    let h = between(&format!("{KNOWN}{ONE_STORE}"), SMALL).await;
    h.generate(300).await;
    h.feed.backfill(None, &mut |_| {}).await.unwrap();
    h.work_for_seconds(30).await;
    h.put("/now.txt", "this cannot wait").await;
    h.work_for_seconds(3).await;
    assert!(h.held().await.contains(&"/now.txt".to_owned()), "it waits behind what was always there");
    h.settle().await;
    h.finish_leaving(&[&generated(300)]).await;
}

#[tokio::test]
async fn each_rule_has_its_turn_in_a_backfill() {
    let rule = |name: &str| {
        format!(
            "[[rule]]\nname = '{name}'\nworkspace = '{WORKSPACE}'\ninclude = ['/{name}/**']\n\
             vector_store = {{ create = '{name}' }}\n"
        )
    };
    let settings = format!("{KNOWN}{}{}", rule("large"), rule("small"));
    let options = Options { limits: SMALL, ..Options::default() };
    let h = Harness::in_world(&settings, options, async |world: &World| {
        for (name, count) in [("large", 150), ("small", 10)] {
            for number in 0..count {
                world.put(&format!("/{name}/{number}.txt"), &format!("{name} {number}")).await;
            }
        }
    })
    .await;
    h.feed.backfill(None, &mut |_| {}).await.unwrap();
    h.work_for_seconds(25).await;
    let held = h.held().await;
    let of_small = held.iter().filter(|path| path.starts_with("/small/")).count();
    assert_eq!(of_small, 10, "the small rule's wait for all of the large one's: {}", held.len());
    assert!(held.len() < 100, "{}", held.len());
    h.converges().await;
    assert_eq!(h.slowed_down(), 0);
    h.finish().await;
}

#[tokio::test]
async fn what_is_not_uploaded_takes_nothing_of_the_limit() {
    let settings = format!(
        "[limits]\nuploads_per_minute = 5\n[[rule]]\nname = 'r'\nworkspace = '{WORKSPACE}'\ninclude = ['/Contracts/**']\n\
         vector_store = {{ create = 'r' }}\n"
    );
    let h = Harness::with(&settings).await;
    h.put_files(40).await;
    h.put("/Contracts/nda.txt", "this one is").await;
    let since = h.clock.shifted_ms();
    h.settle().await;
    assert!(h.clock.shifted_ms() - since < 30_000, "nobody waits");
    assert_eq!(h.held().await, ["/Contracts/nda.txt"]);
    h.finish().await;
}

#[tokio::test]
async fn what_had_room_to_be_uploaded_waits_for_no_more_of_it_while_it_is_indexed() {
    let settings = format!("[limits]\nuploads_per_minute = 1\n{ONE_STORE}");
    let h = between(&settings, Limits { uploads: 1, ..SMALL }).await;
    h.openai_fails(json!({"kind": "stuck_in_progress", "delay_ms": 4_000})).await;
    h.put_files(3).await;
    h.take_in().await;
    let since = h.clock.shifted_ms();
    h.settle().await;
    let took = h.clock.shifted_ms() - since;
    assert!(took < 135_000, "the third is uploaded after two minutes, and was searchable after {took} ms");
    h.finish().await;
}

/// The account may do less than the settings say, as when others use it too.
#[tokio::test]
async fn a_limit_that_is_met_costs_no_attempt_and_makes_no_storm() {
    let h = between(ONE_STORE, Limits { uploads: 30, ..SMALL }).await;
    h.put_files(120).await;
    h.take_in().await;
    for _ in 0..60 {
        h.work_for_seconds(5).await;
        h.no_attempt_was_lost().await;
    }
    h.settle().await;
    let refused = h.slowed_down();
    assert!(refused <= 40, "{refused} refusals for 120 files");
    h.agrees().await;
    h.finish().await;
}

#[tokio::test]
async fn copies_that_wait_together_are_attached_together_and_each_has_its_own_outcome() {
    let h = Harness::with(&format!("{TOGETHER}{ONE_STORE}")).await;
    h.openai_fails(
        json!({"kind": "index_failure", "code": "invalid_file", "message": "No text.", "count": 1}),
    )
    .await;
    h.put_files(30).await;
    h.settle().await;
    assert_eq!((h.asked_of_openai("POST", "/file_batches").len(), h.held().await.len()), (1, 29));
    let alone = h.asked_of_openai("POST", "/files").into_iter().filter(|one| one.path != "/v1/files").count();
    let looks =
        h.asked_of_openai("GET", "/files").into_iter().filter(|one| one.path.contains("file_batches"));
    assert_eq!((alone, looks.count()), (0, 1), "one list tells what became of all");
    let skipped = h.number("SELECT count(*) FROM file WHERE state = 'skipped'").await;
    assert_eq!(skipped, 1, "the part that failed is that file's alone");
    h.finish_leaving_kinds(&["skipped"]).await;
}

#[tokio::test]
async fn a_file_that_spoils_a_batch_spoils_no_other() {
    let h = Harness::with(&format!("{TOGETHER}{ONE_STORE}")).await;
    h.put_files(10).await;
    h.take_in().await;
    while h.number("SELECT count(*) FROM copy WHERE awaits IS NOT NULL").await < 10 {
        assert!(h.work_one().await);
        assert!(h.asked_of_openai("POST", "/file_batches").is_empty(), "too late to spoil it");
    }
    let gone = h.openai_state().await["files"][3]["id"].as_str().unwrap().to_owned();
    h.stranger(reqwest::Method::DELETE, &format!("files/{gone}"), json!(null)).await;
    h.converges().await;
    assert_eq!(h.held().await.len(), 10);
    h.finish().await;
}

#[tokio::test]
async fn a_server_without_batches_gets_each_file_alone() {
    let h = Harness::with(&format!("{TOGETHER}{ONE_STORE}")).await;
    let path = "/v1/vector_stores/*/file_batches";
    h.openai_fails(json!({"kind": "refusal", "method": "POST", "path": path, "status": 405})).await;
    h.put_files(6).await;
    h.converges().await;
    assert_eq!(h.asked_of_openai("POST", "/file_batches").len(), 1, "and is not asked again");
    h.finish().await;
}

#[tokio::test]
async fn a_store_whose_job_is_dead_keeps_no_file_for_long() {
    let h = Harness::with(&format!("{TOGETHER}{ONE_STORE}")).await;
    h.put_files(3).await;
    h.take_in().await;
    while h.number("SELECT count(*) FROM copy WHERE awaits IS NOT NULL").await < 3 {
        assert!(h.work_one().await);
    }
    h.meddle("UPDATE job SET state = 'dead', reason = 'a test' WHERE key LIKE 'attach:%'").await;
    let since = h.clock.shifted_ms();
    while h.held().await.len() < 3 {
        h.work_for_seconds(1).await;
        assert!(h.clock.shifted_ms() - since < 240_000, "{:#?}", h.jobs().await);
    }
    h.converges().await;
    h.finish().await;
}

#[tokio::test]
async fn fifty_contracts_at_once_on_a_small_account_all_end_with_a_result() {
    let small = Limits { requests: 20, tokens: 2_000, ..Limits::default() };
    let options = Options { limits: small, index_delay: Duration::from_millis(500), ..Options::default() };
    let h = Harness::between(&legal(""), options).await;
    for number in 1..=50 {
        h.put(&format!("/Contracts/{number}.txt"), &contract(number)).await;
    }
    h.converges().await;
    assert_eq!(h.outcomes().await, ["completed"; 50]);
    let begun = h.responses().await.len();
    assert!(begun <= 60, "what waits here fails not there: {begun} responses for fifty results");
    let tries = h.number("SELECT max(tries - excused) FROM run").await;
    assert_eq!(tries, 1, "and no limit is a try");
    h.finish().await;
}
