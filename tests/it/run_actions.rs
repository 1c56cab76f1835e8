//! What a rule lists is done with a file because of its result, once, on record, and nothing else is, whatever a document or an answer says.

use docket::result::judgement::Said;
use serde_json::{Value, json};

use crate::harness::{Dies, Harness, Step, contract, fastio, legal};

const FILE: &str = "/Contracts/nda.txt";
const MOVED: &str = "/Contracts/Escalated/nda.txt";

/// The rule with a verdict in its answer, which is always `escalate`, and these actions.
fn acting(actions: &str) -> String {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/verdict.schema.json");
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/legal/liability.schema.json");
    legal(&format!("actions = [{actions}]")).replace(own, schema)
}

const MOVE: &str = "{ do = 'move', when = { verdict = 'escalate' }, to = '/Contracts/Escalated' }";
const SHARE: &str = "{ do = 'share', when = { verdict = 'escalate' }, with = ['kim@example.com', 'lee@example.com'], may = 'download', days = 7 }";
const LOCK: &str = "{ do = 'lock', when = { verdict = 'escalate' }, minutes = 30 }";

impl Harness {
    /// What the audit log says that rules had done, the oldest first: what, and why.
    async fn acted(&self) -> Vec<(String, String)> {
        let log =
            self.database.read(|c| docket::audit::page(c, (i64::MIN, i64::MAX), None, 100)).await.unwrap();
        let by_rules = log.into_iter().rev().filter(|row| row.who == "a rule");
        by_rules.map(|row| (row.action, row.why.unwrap_or_default())).collect()
    }

    /// The File Shares that there are, each with its title and who may do what.
    async fn shares(&self) -> Vec<Value> {
        let state = self.fastio_state().await;
        let shares = state["file_shares"].as_array().unwrap().iter();
        shares.map(|share| json!([share["title"], share["access_option"], share["grants"]])).collect()
    }
}

/// The stand-in's state for a rule with these actions, when the first contract has been analysed.
async fn analysed(actions: &str) -> Harness {
    let h = Harness::with(&acting(actions)).await;
    h.make_folder("/Contracts/Escalated").await;
    h.put(FILE, &contract(1)).await;
    h.settle().await;
    h
}

#[tokio::test]
async fn a_file_is_moved_with_its_result_as_the_rule_lists_it() {
    let h = analysed(MOVE).await;
    assert_eq!(h.paths().await, ["/Contracts/Escalated/nda.analysis.md", MOVED]);
    let why = "move it to /Contracts/Escalated, because the answer says verdict = \"escalate\": moved from /Contracts/nda.txt to \
               /Contracts/Escalated";
    assert_eq!(h.acted().await, [("move file".to_owned(), why.to_owned())]);
    assert_eq!(h.outcomes().await, ["completed"], "it is not run over again where it is now");

    // What a person does with it afterwards stays.
    h.rename(MOVED, FILE).await;
    h.settle().await;
    assert_eq!(h.paths().await, ["/Contracts/nda.analysis.md", FILE]);
    assert_eq!(h.acted().await.len(), 1);
    h.finish().await;
}

/// After a move to where the rule does not apply, a look at the file would have what else is to be done left.
#[tokio::test]
async fn what_moves_a_file_is_done_last_wherever_the_rule_lists_it() {
    let h = analysed(&format!("{MOVE}, {SHARE}, {LOCK}")).await;
    let acted: Vec<String> = h.acted().await.into_iter().map(|(action, _)| action).collect();
    assert_eq!(acted, ["share file", "lock file", "move file"]);
    h.pass(31 * 60 * 1000);
    h.finish().await;
}

#[tokio::test]
async fn nothing_is_done_that_the_answer_does_not_say() {
    let h = analysed(&format!(
        "{}, {}",
        MOVE.replace("'escalate'", "'fine'"),
        LOCK.replace("'escalate'", "['fine']")
    ))
    .await;
    assert_eq!(h.paths().await, ["/Contracts/nda.analysis.md", FILE]);
    assert_eq!((h.acted().await, h.locks().await), (vec![], 0));
    h.finish().await;
}

#[tokio::test]
async fn a_file_is_shared_with_who_is_named_and_locked_as_long_as_is_said() {
    let h = analysed(&format!("{SHARE}, {LOCK}")).await;
    let grants = json!([
        {"email": "kim@example.com", "capability": "download"},
        {"email": "lee@example.com", "capability": "download"},
    ]);
    assert_eq!(h.shares().await, [json!(["nda.txt (Docket run 1)", "named_people", grants])]);
    let acted: Vec<String> = h.acted().await.into_iter().map(|(action, _)| action).collect();
    assert_eq!(acted, ["share file", "lock file"]);
    assert_eq!(h.locks().await, 1);
    h.pass(31 * 60 * 1000);
    assert_eq!(h.locks().await, 0, "it runs out by itself");
    h.finish().await;
}

#[tokio::test]
async fn what_needs_review_waits_for_a_person_and_what_is_rejected_is_left() {
    let h = Harness::with(&acting(MOVE)).await;
    h.make_folder("/Contracts/Escalated").await;
    h.openai_fails(json!({"kind": "bad_run", "code": "invented_quote"})).await;
    h.put(FILE, &contract(1)).await;
    h.put("/Contracts/msa.txt", &contract(2)).await;
    h.settle().await;
    assert_eq!(h.outcomes().await, ["needs_review", "needs_review"]);
    assert_eq!(h.acted().await, [], "nobody relies on it yet");
    assert!(h.judge(1, Some(Said::Rejected)).await && h.judge(2, Some(Said::Accepted)).await);
    let accepted = h.runs().await.into_iter().find(|run| run.run_id == 2).unwrap().path;
    let rejected = if accepted == FILE { "/Contracts/msa.txt" } else { FILE };
    assert!(h.paths().await.contains(&rejected.to_owned()), "{:?}", h.paths().await);
    assert!(h.paths().await.contains(&accepted.replace("/Contracts/", "/Contracts/Escalated/")));
    assert_eq!(h.acted().await.len(), 1);
    assert!(h.judge(1, Some(Said::Accepted)).await, "a person may say otherwise later");
    assert_eq!(h.acted().await.len(), 2);
    h.finish().await;
}

#[tokio::test]
async fn a_name_that_is_taken_and_a_folder_that_is_missing_are_a_persons() {
    let h = Harness::with(&acting(MOVE)).await;
    h.put(FILE, &contract(1)).await;
    h.settle_to_dead().await;
    let dead = h.dead().await;
    assert!(dead.len() == 1 && dead[0].contains("there is no folder /Contracts/Escalated"), "{dead:?}");
    h.put(MOVED, &contract(2)).await;
    h.retry_dead().await;
    h.settle_to_dead().await;
    assert!(h.dead().await[0].contains("/Contracts/Escalated has another nda.txt"), "{:?}", h.dead().await);
    assert!(h.read(MOVED).await.contains(&contract(2)), "nothing of others goes into the trash");
    h.rename(MOVED, "/Contracts/Escalated/msa.txt").await;
    h.retry_dead().await;
    h.settle().await;
    assert!(h.read(MOVED).await.contains(&contract(1)));
    h.finish().await;
}

#[tokio::test]
async fn a_result_of_what_the_file_is_no_more_moves_nothing() {
    let h = Harness::with(&acting(MOVE)).await;
    h.put(FILE, &contract(1)).await;
    h.settle_to_dead().await;
    h.make_folder("/Contracts/Escalated").await;
    h.trash(FILE).await;
    h.retry_dead().await;
    h.settle().await;
    let (action, why) = h.acted().await.remove(0);
    assert!(action == "move file" && why.ends_with("left, because the file is gone"), "{why}");
    h.finish().await;

    let h = Harness::with(&acting(MOVE)).await;
    h.put(FILE, &contract(1)).await;
    h.settle_to_dead().await;
    h.put(FILE, &contract(2)).await;
    h.settle_to_dead().await;
    h.make_folder("/Contracts/Escalated").await;
    h.retry_dead().await;
    h.settle().await;
    let whys: Vec<String> = h.acted().await.into_iter().map(|(_, why)| why).collect();
    let left = whys.iter().filter(|why| why.ends_with("left, because the file has a newer version")).count();
    assert_eq!((whys.len(), left), (2, 1), "{whys:?}");
    assert!(h.read(MOVED).await.contains(&contract(2)));
    h.finish().await;
}

/// Each request that an action makes, and a server that dies before or after it: it is done once, and on record once.
#[tokio::test]
async fn a_server_that_dies_at_any_step_of_an_action_does_it_once() {
    let moved = [
        fastio("GET", "/current/workspace/*/storage/*/list/").after(4),
        fastio("POST", "/current/workspace/*/storage/*/move/"),
    ];
    for (step, dies) in moved.iter().flat_map(|step: &Step| [(step, Dies::Before), (step, Dies::After)]) {
        let h = Harness::with(&acting(MOVE)).await;
        h.make_folder("/Contracts/Escalated").await;
        h.put(FILE, &contract(1)).await;
        assert!(h.settle_killed(step, dies).await, "the server did not die at {step:?}");
        assert_eq!(h.paths().await, ["/Contracts/Escalated/nda.analysis.md", MOVED], "{step:?} {dies:?}");
        assert_eq!(h.acted().await.len(), 1, "{step:?} {dies:?}");
        h.finish().await;
    }
    let shared = [
        fastio("POST", "/current/workspace/*/create/fileshare/"),
        fastio("POST", "/current/fileshare/*/grants/"),
        fastio("POST", "/current/fileshare/*/grants/").after(1),
    ];
    for (step, dies) in shared.iter().flat_map(|step: &Step| [(step, Dies::Before), (step, Dies::After)]) {
        let h = Harness::with(&acting(SHARE)).await;
        h.put(FILE, &contract(1)).await;
        assert!(h.settle_killed(step, dies).await, "the server did not die at {step:?}");
        let shares = h.shares().await;
        assert!(
            shares.len() == 1 && shares[0][2].as_array().unwrap().len() == 2,
            "{step:?} {dies:?}: {shares:?}"
        );
        assert_eq!(h.acted().await.len(), 1, "{step:?} {dies:?}");
        h.finish().await;
    }
}

#[tokio::test]
async fn a_share_whose_making_was_not_answered_is_found_again() {
    let h = Harness::with(&acting(SHARE)).await;
    let make = "/current/workspace/*/create/fileshare/";
    h.fastio_fails(json!({"kind": "lost_reply", "method": "POST", "path": make, "count": 1})).await;
    h.put(FILE, &contract(1)).await;
    h.settle().await;
    assert_eq!((h.shares().await.len(), h.acted().await.len()), (1, 1));
    h.finish().await;
}

#[tokio::test]
async fn each_link_that_a_rule_lists_is_one_of_its_own_and_has_a_title_that_fastio_takes() {
    let other = SHARE.replace("kim@example.com", "sam@example.com").replace("download", "view");
    let h = Harness::with(&acting(&format!("{SHARE}, {other}"))).await;
    let make = "/current/workspace/*/create/fileshare/";
    h.fastio_fails(json!({"kind": "lost_reply", "method": "POST", "path": make, "skip": 1, "count": 1}))
        .await;
    h.put(&format!("/Contracts/{}.txt", "ñ".repeat(237)), &contract(1)).await;
    h.settle().await;
    let shares = h.shares().await;
    let named = |share: &Value| share[2].as_array().unwrap().iter().map(|one| one["email"].clone()).collect();
    let named: Vec<Vec<Value>> = shares.iter().map(named).collect();
    assert_eq!(named, [["kim@example.com", "lee@example.com"], ["lee@example.com", "sam@example.com"]]);
    assert!(
        shares.iter().all(|share| share[0].as_str().unwrap().ends_with("ñ.tx (Docket run 1)")),
        "{shares:?}"
    );
    h.finish().await;
}

#[tokio::test]
async fn a_link_that_was_begun_and_is_not_wanted_any_more_is_ended() {
    let h = Harness::with(&acting(SHARE)).await;
    let grant = "/current/fileshare/*/grants/";
    h.fastio_fails(json!({"kind": "refusal", "status": 400, "message": "no", "method": "POST", "path": grant, "skip": 1, "count": 1}))
        .await;
    h.put(FILE, &contract(1)).await;
    h.settle_to_dead().await;
    assert_eq!(h.shares().await.len(), 1, "kim has it, and lee was refused");
    h.put(FILE, &contract(2)).await;
    h.rename(FILE, "/Contracts/msa.txt").await;
    h.settle_to_dead().await;
    h.retry_dead().await;
    h.settle().await;
    let titles: Vec<Value> = h.shares().await.into_iter().map(|share| share[0].clone()).collect();
    assert_eq!(titles, ["msa.txt (Docket run 2)"]);
    let left = h.acted().await.into_iter().filter(|(_, why)| why.contains("left, because")).count();
    assert_eq!(left, 1);
    h.finish().await;
}
