//! What stands beside a file is true of that file, whatever people do.

use docket::own::OwnFile;
use serde_json::{Value, json};

use crate::harness::{Harness, contract, legal};

/// A contract that is analysed, and its result.
pub async fn analysed(settings: &str) -> Harness {
    let h = Harness::with(settings).await;
    h.put("/Contracts/a.txt", &contract(1)).await;
    h.settle().await;
    h
}

/// As [`analysed`], and with another contract, which has since taken the first one's name; that one is `c.txt`.
async fn taken_over() -> Harness {
    let h = analysed(&legal("")).await;
    h.put("/Contracts/b.txt", &contract(2)).await;
    h.settle().await;
    h.rename("/Contracts/a.txt", "/Contracts/c.txt").await;
    h.settle().await;
    h.rename("/Contracts/b.txt", "/Contracts/a.txt").await;
    h.settle().await;
    h
}

/// The first words of a result that a reader sees.
pub async fn top(h: &Harness, path: &str) -> String {
    h.read(path).await.lines().skip(1).take_while(|line| !line.starts_with('-')).collect()
}

async fn paths(h: &Harness) -> Vec<String> {
    let mut paths = h.paths().await;
    paths.sort();
    paths
}

/// Each result that was ever written, as Fastio's stand-in shows it.
async fn results(h: &Harness) -> Vec<Value> {
    let state = h.fastio_state().await;
    let files = state["files"].as_array().unwrap().iter();
    files.filter(|file| file["path"].as_str().unwrap().contains(".analysis")).cloned().collect()
}

#[tokio::test]
async fn two_contracts_that_swap_names_keep_their_own_results() {
    let h = analysed(&legal("digest = 'overview.csv'")).await;
    h.put("/Contracts/b.txt", &contract(2)).await;
    h.settle().await;
    for (from, to) in [("a", "c"), ("b", "a"), ("c", "b")] {
        h.rename(&format!("/Contracts/{from}.txt"), &format!("/Contracts/{to}.txt")).await;
    }
    h.converges().await;
    for (name, amount) in [("a", "EUR 20,000"), ("b", "EUR 10,000")] {
        let result = h.read(&format!("/Contracts/{name}.analysis.md")).await;
        assert!(result.starts_with(&format!("# {name}.txt")) && result.contains(amount), "{result}");
    }
    let table = h.read("/Contracts/overview.csv").await;
    let row = table.lines().find(|line| line.starts_with("/Contracts/a.txt")).unwrap();
    assert!(row.contains("EUR 20,000"), "{table}");
    assert_eq!((paths(&h).await.len(), h.responses().await.len()), (5, 2), "nothing is paid for twice");
    h.finish().await;
}

#[tokio::test]
async fn an_editor_that_saves_by_deleting_and_creating_leaves_one_result() {
    let h = analysed(&legal("")).await;
    for number in 2..=5 {
        h.trash("/Contracts/a.txt").await;
        h.put("/Contracts/a.txt", &contract(number)).await;
        h.settle().await;
    }
    h.agrees().await;
    assert_eq!(paths(&h).await, ["/Contracts/a.analysis.md", "/Contracts/a.txt"]);
    assert!(h.read("/Contracts/a.analysis.md").await.contains("EUR 50,000"));
    h.finish().await;
}

#[tokio::test]
async fn a_result_follows_its_file() {
    let h = analysed(&legal("")).await;
    h.rename("/Contracts/a.txt", "/Contracts/Signed/lease.txt").await;
    h.converges().await;
    assert_eq!(paths(&h).await, ["/Contracts/Signed/lease.analysis.md", "/Contracts/Signed/lease.txt"]);
    assert!(h.read("/Contracts/Signed/lease.analysis.md").await.starts_with("# lease.txt"));
    h.put("/Contracts/Signed/lease.txt", &contract(2)).await;
    h.rename("/Contracts/Signed", "/Contracts/Archive").await;
    h.converges().await;
    assert!(h.read("/Contracts/Archive/lease.analysis.md").await.contains("EUR 20,000"));
    assert_eq!((paths(&h).await.len(), h.responses().await.len()), (2, 2));
    h.finish().await;
}

#[tokio::test]
async fn a_copied_folder_brings_no_analysis_of_an_analysis() {
    let settings = legal("").replace("exclude = ['**/*.analysis.md', '/Contracts/overview*.csv']", "");
    let h = analysed(&settings).await;
    h.copy("/Contracts/a.txt", "/Contracts/Copies").await;
    h.copy("/Contracts/a.analysis.md", "/Contracts/Copies").await;
    h.settle().await;
    h.agrees().await;
    assert_eq!(h.held().await, ["/Contracts/Copies/a.txt", "/Contracts/a.txt"]);
    assert!(!paths(&h).await.iter().any(|path| path.contains(".analysis.analysis")), "{:?}", paths(&h).await);
    h.finish().await;
}

#[tokio::test]
async fn a_result_of_a_file_that_is_gone_says_so_or_goes_as_the_rule_says() {
    for (when_gone, top_has) in
        [("", Some("was deleted")), ("when_gone = 'keep'", Some("✔")), ("when_gone = 'remove'", None)]
    {
        let h = analysed(&legal(&format!("digest = 'overview.csv'\n{when_gone}"))).await;
        h.put("/Contracts/b.txt", &contract(2)).await;
        h.settle().await;
        h.trash("/Contracts/a.txt").await;
        h.converges().await;
        assert!(!h.read("/Contracts/overview.csv").await.contains("/Contracts/a.txt"), "{when_gone}");
        match top_has {
            Some(words) => assert!(top(&h, "/Contracts/a.analysis.md").await.contains(words), "{when_gone}"),
            None => assert!(!paths(&h).await.contains(&"/Contracts/a.analysis.md".to_owned())),
        }
        h.restore("/Contracts/a.txt").await;
        h.converges().await;
        let back = top(&h, "/Contracts/a.analysis.md").await;
        assert!(back.contains("✔") && !back.contains("was deleted"), "{back}");
        assert!(h.read("/Contracts/overview.csv").await.contains("/Contracts/a.txt"));
        assert_eq!(h.responses().await.len(), 2, "{when_gone}");
        h.finish().await;
    }
}

/// The rule asks again what it asked about a version before that.
#[tokio::test]
async fn a_result_of_a_file_that_is_gone_is_of_its_last_version() {
    let settings = legal("");
    let mut h = analysed(&settings).await;
    h.restart(&settings.replace("Extract every", "Find each")).await;
    h.put("/Contracts/a.txt", &contract(7)).await;
    h.settle().await;
    h.restart(&settings).await;
    h.trash("/Contracts/a.txt").await;
    h.settle().await;
    let page = h.read("/Contracts/a.analysis.md").await;
    assert!(page.contains("was deleted") && page.contains("under contract 7"), "{page}");
    h.finish().await;
}

#[tokio::test]
async fn a_result_of_an_earlier_version_says_so_when_the_present_one_has_none() {
    let h = analysed(&legal("max_runs_per_day = 1\ndigest = 'overview.csv'\nexisting = true")).await;
    h.put("/Contracts/a.txt", &contract(2)).await;
    h.take_in().await;
    while h.work_one().await {}
    let told = top(&h, "/Contracts/a.analysis.md").await;
    assert!(told.contains("earlier version") && told.contains("waits"), "{told}");
    h.settle().await;
    let result = h.read("/Contracts/a.analysis.md").await;
    assert!(result.contains("EUR 20,000") && !result.contains("earlier version"), "{result}");
    h.finish().await;
}

#[tokio::test]
async fn a_result_says_so_at_once_when_the_present_version_is_never_indexed() {
    let h = analysed(&legal("digest = 'overview.csv'")).await;
    h.put("/Contracts/a.txt", " \n").await;
    h.settle().await;
    let told = top(&h, "/Contracts/a.analysis.md").await;
    assert!(told.contains("earlier version") && told.contains("white space"), "{told}");
    h.put("/Contracts/a.txt", &contract(2)).await;
    h.settle().await;
    // What the store cannot read.
    h.openai_fails(json!({"kind": "index_failure", "code": "unsupported_file", "count": 1})).await;
    h.put("/Contracts/a.txt", &contract(3)).await;
    h.settle().await;
    let told = top(&h, "/Contracts/a.analysis.md").await;
    assert!(told.contains("earlier version") && told.contains("could not be read"), "{told}");
    h.no_faults().await;
    h.put("/Contracts/a.txt", &contract(4)).await;
    h.converges().await;
    let result = h.read("/Contracts/a.analysis.md").await;
    assert!(result.contains("EUR 40,000") && !result.contains("earlier version"), "{result}");
    h.finish().await;
}

#[tokio::test]
async fn a_prompt_that_is_put_back_has_its_own_answer_back() {
    let settings = legal("digest = 'overview.csv'");
    let mut h = analysed(&settings).await;
    let first = h.runs().await[0].run_id;
    h.restart(&settings.replace("Extract every", "Find each")).await;
    h.settle().await;
    assert!(top(&h, "/Contracts/a.analysis.md").await.contains("asks something else"));
    h.again("liability", true).await;
    h.settle().await;
    assert!(!top(&h, "/Contracts/a.analysis.md").await.contains("asks something else"));
    h.restart(&settings).await;
    h.settle().await;
    let result = h.read("/Contracts/a.analysis.md").await;
    let asked = h.result(first).await["definition"].as_str().unwrap().to_owned();
    assert!(result.contains(&asked) && !result.contains("asks something else"), "{result}");
    assert_eq!(h.responses().await.len(), 2);
    h.finish().await;
}

#[tokio::test]
async fn a_result_that_was_deleted_comes_back_when_it_is_asked_for_and_costs_nothing() {
    let h = analysed(&legal("")).await;
    h.trash("/Contracts/a.analysis.md").await;
    h.webhook("workspace_storage_file_updated", &h.node("/Contracts/a.txt").await).await;
    h.settle().await;
    assert_eq!(paths(&h).await, ["/Contracts/a.txt"], "a person took it away");
    assert_eq!(h.again("liability", true).await.runs, 0);
    h.settle().await;
    assert!(h.read("/Contracts/a.analysis.md").await.contains("EUR 10,000"));
    assert_eq!(h.responses().await.len(), 1);
    h.finish().await;
}

#[tokio::test]
async fn a_contract_that_is_restored_has_its_answer_back_though_another_took_its_place() {
    let settings = legal("");
    let mut h = analysed(&settings).await;
    h.trash("/Contracts/a.txt").await;
    h.put("/Contracts/a.txt", &contract(2)).await;
    h.settle().await;
    h.restart(&settings.replace("Extract every", "Find each")).await;
    h.settle().await;
    h.restore("/Contracts/a.txt").await;
    h.settle().await;
    assert!(top(&h, "/Contracts/a.analysis.md").await.contains("asks something else"));
    assert!(h.read("/Contracts/a.analysis.md").await.contains("EUR 10,000"));
    assert_eq!(paths(&h).await, ["/Contracts/a.analysis.md", "/Contracts/a.txt"]);
    h.finish().await;
}

#[tokio::test]
async fn an_old_result_that_is_put_in_the_place_of_another_becomes_that_one() {
    // What stood there before went into the trash, and comes back over the result of another contract.
    let h = taken_over().await;
    h.restore("/Contracts/a.analysis.md").await;
    h.settle().await;
    assert!(h.read("/Contracts/a.analysis.md").await.contains("EUR 20,000"));
    // A person took it away, and put the result of another contract there.
    h.trash("/Contracts/a.analysis.md").await;
    h.settle().await;
    assert!(!paths(&h).await.contains(&"/Contracts/a.analysis.md".to_owned()));
    h.copy("/Contracts/c.analysis.md", "/Contracts/kept").await;
    h.rename("/Contracts/kept/c.analysis.md", "/Contracts/a.analysis.md").await;
    h.settle().await;
    assert!(h.read("/Contracts/a.analysis.md").await.contains("EUR 20,000"));
    assert_eq!(h.responses().await.len(), 2);
    h.finish().await;
}

#[tokio::test]
async fn a_result_that_a_page_from_the_trash_displaced_goes_where_its_contract_goes() {
    let h = taken_over().await;
    h.restore("/Contracts/a.analysis.md").await;
    h.rename("/Contracts/a.txt", "/Contracts/Signed/a.txt").await;
    h.settle().await;
    assert!(h.read("/Contracts/Signed/a.analysis.md").await.contains("EUR 20,000"));
    assert_eq!(h.responses().await.len(), 2);
    // What a person takes away stays away, whatever comes later to where it stood.
    h.trash("/Contracts/Signed/a.analysis.md").await;
    h.settle().await;
    h.rename("/Contracts/Signed/a.txt", "/Contracts/Archive/a.txt").await;
    h.settle().await;
    h.rename("/Contracts/c.txt", "/Contracts/Signed/a.txt").await;
    h.settle().await;
    h.trash("/Contracts/Signed/a.txt").await;
    h.settle().await;
    h.rename("/Contracts/Archive/a.txt", "/Contracts/Archive/lease.txt").await;
    h.settle().await;
    assert!(
        !paths(&h).await.iter().any(|path| path.starts_with("/Contracts/Archive/") && path.ends_with(".md"))
    );
    h.finish().await;
}

#[tokio::test]
async fn a_result_of_a_deleted_contract_that_comes_back_over_anothers_gives_way() {
    let h = analysed(&legal("")).await;
    h.trash("/Contracts/a.txt").await;
    h.settle().await;
    h.trash("/Contracts/a.analysis.md").await;
    h.put("/Contracts/a.txt", &contract(2)).await;
    h.settle().await;
    assert!(h.read("/Contracts/a.analysis.md").await.contains("EUR 20,000"));
    h.restore("/Contracts/a.analysis.md").await;
    assert!(top(&h, "/Contracts/a.analysis.md").await.contains("was deleted"));
    h.settle().await;
    let result = h.read("/Contracts/a.analysis.md").await;
    assert!(result.contains("EUR 20,000") && !result.contains("was deleted"), "{result}");
    assert_eq!(h.responses().await.len(), 2);
    h.finish().await;
}

#[tokio::test]
async fn an_old_page_from_the_trash_beside_an_edited_result_tells_of_the_contract_that_is_there() {
    let h = analysed(&legal("")).await;
    h.put("/Contracts/a.analysis.md", "checked by Kim").await;
    h.put("/Contracts/b.txt", &contract(2)).await;
    h.trash("/Contracts/a.txt").await;
    h.settle().await;
    // Another contract is here for a while, and its result stands beside the edit.
    h.rename("/Contracts/b.txt", "/Contracts/a.txt").await;
    h.settle().await;
    assert!(h.read("/Contracts/a.analysis (2).md").await.contains("EUR 20,000"));
    h.rename("/Contracts/a.txt", "/Contracts/b.txt").await;
    h.settle().await;
    h.restore("/Contracts/a.txt").await;
    h.settle().await;
    h.restore("/Contracts/a.analysis (2).md").await;
    assert!(h.read("/Contracts/a.analysis (2).md").await.contains("EUR 20,000"));
    h.settle().await;
    assert!(h.read("/Contracts/a.analysis (2).md").await.contains("EUR 10,000"));
    assert_eq!(h.read("/Contracts/a.analysis.md").await, "checked by Kim");
    assert_eq!(h.responses().await.len(), 2);
    h.finish().await;
}

#[tokio::test]
async fn a_contract_whose_result_gave_way_to_anothers_has_its_last_answer_back() {
    let settings = legal("");
    let mut h = analysed(&settings).await;
    h.put("/Contracts/b.txt", &contract(2)).await;
    h.settle().await;
    h.trash("/Contracts/b.analysis.md").await;
    h.trash("/Contracts/a.txt").await;
    h.settle().await;
    h.put("/Contracts/b.txt", &contract(3)).await;
    h.rename("/Contracts/b.txt", "/Contracts/a.txt").await;
    h.settle().await;
    h.restart(&settings.replace("Extract every", "Find each")).await;
    h.settle().await;
    h.restore("/Contracts/a.txt").await;
    h.rename("/Contracts/a.txt", "/Contracts/c.txt").await;
    h.settle().await;
    let told = top(&h, "/Contracts/c.analysis.md").await;
    assert!(told.contains("asks something else"), "{told}");
    assert!(h.read("/Contracts/c.analysis.md").await.contains("EUR 10,000"));
    h.finish().await;
}

#[tokio::test]
async fn an_old_result_that_comes_back_over_an_edited_one_gives_way_to_the_one_beside_it() {
    let h = analysed(&legal("")).await;
    h.trash("/Contracts/a.analysis.md").await;
    h.put("/Contracts/a.txt", &contract(2)).await;
    h.settle().await;
    h.put("/Contracts/a.analysis.md", "checked by Kim").await;
    h.put("/Contracts/a.txt", &contract(3)).await;
    h.settle().await;
    assert!(h.read("/Contracts/a.analysis (2).md").await.contains("EUR 30,000"));
    h.restore("/Contracts/a.analysis.md").await;
    assert!(h.read("/Contracts/a.analysis.md").await.contains("EUR 10,000"));
    h.settle().await;
    assert!(h.read("/Contracts/a.analysis.md").await.contains("EUR 30,000"));
    assert_eq!(paths(&h).await, ["/Contracts/a.analysis.md", "/Contracts/a.txt"]);
    h.finish().await;
}

#[tokio::test]
async fn a_contract_whose_result_a_person_edited_takes_the_place_of_anothers() {
    let settings = legal("");
    let mut h = analysed(&settings).await;
    h.put("/Contracts/b.txt", &contract(2)).await;
    h.settle().await;
    h.put("/Contracts/a.analysis.md", "checked by Kim").await;
    h.trash("/Contracts/b.txt").await;
    h.restart(&settings.replace("Extract every", "Find each")).await;
    h.settle().await;
    h.rename("/Contracts/a.txt", "/Contracts/b.txt").await;
    h.settle().await;
    let told = top(&h, "/Contracts/b.analysis.md").await;
    assert!(told.contains("asks something else") && !told.contains("was deleted"), "{told}");
    assert!(h.read("/Contracts/b.analysis.md").await.contains("EUR 10,000"));
    assert_eq!(h.read("/Contracts/a.analysis.md").await, "checked by Kim");
    assert_eq!(paths(&h).await.len(), 3);
    h.finish().await;
}

#[tokio::test]
async fn a_result_that_a_person_edited_or_moved_is_theirs() {
    let h = analysed(&legal("")).await;
    h.put("/Contracts/a.analysis.md", "checked by Kim").await;
    h.settle().await;
    h.rename("/Contracts/a.txt", "/Contracts/lease.txt").await;
    h.trash("/Contracts/lease.txt").await;
    h.settle().await;
    assert_eq!(h.read("/Contracts/a.analysis.md").await, "checked by Kim");
    h.restore("/Contracts/lease.txt").await;
    h.put("/Contracts/lease.txt", &contract(2)).await;
    h.settle().await;
    assert_eq!(h.read("/Contracts/a.analysis.md").await, "checked by Kim");
    assert!(h.read("/Contracts/lease.analysis.md").await.contains("EUR 20,000"));
    h.rename("/Contracts/lease.analysis.md", "/Contracts/Reviewed/lease.analysis.md").await;
    h.put("/Contracts/lease.txt", &contract(3)).await;
    h.settle().await;
    assert!(h.read("/Contracts/Reviewed/lease.analysis.md").await.contains("EUR 20,000"));
    assert!(h.read("/Contracts/lease.analysis.md").await.contains("EUR 30,000"));
    h.finish().await;
}

#[tokio::test]
async fn a_result_that_a_page_of_a_persons_displaced_stands_beside_it() {
    let h = analysed(&legal("")).await;
    h.put("/Contracts/a.analysis.md", "checked by Kim").await;
    h.settle().await;
    h.trash("/Contracts/a.analysis.md").await;
    h.put("/Contracts/a.txt", &contract(2)).await;
    h.settle().await;
    assert!(h.read("/Contracts/a.analysis.md").await.contains("EUR 20,000"));
    h.restore("/Contracts/a.analysis.md").await;
    h.settle().await;
    assert_eq!(h.read("/Contracts/a.analysis.md").await, "checked by Kim");
    assert!(h.read("/Contracts/a.analysis (2).md").await.contains("EUR 20,000"));

    h.trash("/Contracts/a.analysis (2).md").await;
    h.settle().await;
    h.put("/Contracts/a.analysis (2).md", "mine instead").await;
    h.settle().await;
    assert_eq!(paths(&h).await.len(), 3, "what a person took away and put something else for stays away");
    h.finish().await;
}

/// As after a failover to a standby that lagged behind, or where a backup is restored: what was written is there, and its record is not.
#[tokio::test]
async fn a_result_whose_record_is_lost_is_known_by_its_seal() {
    let h = analysed(&legal("")).await;
    let first = h.records().own_files().await[0].version.clone().unwrap().0;
    h.put("/Contracts/a.txt", &contract(2)).await;
    h.settle().await;
    h.meddle(&format!("DELETE FROM own_content; UPDATE own_file SET version = '{first}'")).await;
    h.put("/Contracts/a.txt", &contract(3)).await;
    h.settle().await;
    assert_eq!(paths(&h).await, ["/Contracts/a.analysis.md", "/Contracts/a.txt"]);
    assert!(h.read("/Contracts/a.analysis.md").await.contains("EUR 30,000"));

    h.meddle("DELETE FROM own_content; DELETE FROM own_file").await;
    h.rename("/Contracts/a.analysis.md", "/Contracts/b.analysis.md").await;
    h.settle().await;
    assert_eq!(h.held().await, ["/Contracts/a.txt"], "what we wrote is not synced");
    h.rename("/Contracts/b.analysis.md", "/Contracts/a.analysis.md").await;
    h.meddle("DELETE FROM own_content").await;
    h.put("/Contracts/a.txt", &contract(4)).await;
    h.settle().await;
    assert_eq!(paths(&h).await, ["/Contracts/a.analysis.md", "/Contracts/a.txt"]);
    assert!(h.read("/Contracts/a.analysis.md").await.contains("EUR 40,000"));
    h.finish().await;
}

#[tokio::test]
async fn a_table_whose_record_is_lost_is_known_by_the_agent_that_wrote_it() {
    let h = analysed(&legal("digest = 'overview.csv'\ndigest_quiet_seconds = 0")).await;
    h.converges().await;
    let is_table = |own: &OwnFile| own.of.is_none();
    let first = h.records().own_files().await.into_iter().find(is_table).unwrap().version.unwrap().0;
    let lose = format!(
        "DELETE FROM own_content; UPDATE own_file SET sha256 = '', version = '{first}' WHERE source_id IS NULL"
    );
    for number in 2..=3 {
        h.put(&format!("/Contracts/{number}.txt"), &contract(number)).await;
        h.converges().await;
        if number == 2 {
            h.meddle(&lose).await;
        }
    }
    assert!(h.read("/Contracts/overview.csv").await.contains("/Contracts/3.txt"));
    h.put("/Contracts/overview.csv", "mine").await;
    h.put("/Contracts/4.txt", &contract(4)).await;
    h.converges().await;
    assert_eq!(h.read("/Contracts/overview.csv").await, "mine", "a person is no agent of ours");
    h.finish().await;
}

#[tokio::test]
async fn a_table_of_which_there_is_no_record_is_written_on() {
    let h = analysed(&legal("digest = 'overview.csv'\ndigest_quiet_seconds = 0")).await;
    h.converges().await;
    // As after a failover that lost the first write of it.
    h.meddle("DELETE FROM own_content; DELETE FROM own_file WHERE source_id IS NULL").await;
    h.put("/Contracts/2.txt", &contract(2)).await;
    h.converges().await;
    assert!(h.read("/Contracts/overview.csv").await.contains("/Contracts/2.txt"));
    assert!(!h.paths().await.iter().any(|path| path.contains("overview (2)")));
    // One that a person has edited is not.
    h.put("/Contracts/overview.csv", "mine").await;
    h.converges().await;
    h.meddle("DELETE FROM own_content; DELETE FROM own_file WHERE source_id IS NULL").await;
    h.put("/Contracts/3.txt", &contract(3)).await;
    h.converges().await;
    assert_eq!(h.read("/Contracts/overview.csv").await, "mine");
    assert!(h.read("/Contracts/overview (2).csv").await.contains("/Contracts/3.txt"));
    h.finish().await;
}

#[tokio::test]
async fn a_table_that_is_always_asked_for_is_written_all_the_same() {
    let h =
        analysed(&legal("digest = 'overview.csv'\ndigest_quiet_seconds = 20\ndigest_longest_seconds = 60"))
            .await;
    for number in 2..=10 {
        h.put(&format!("/Contracts/{number}.txt"), &contract(number)).await;
        h.take_in().await;
        while h.work_one().await {}
        h.pass(9_000);
    }
    let rows = h.read("/Contracts/overview.csv").await.lines().count();
    assert!(rows > 3, "the table has {rows} rows after 81 seconds");
    h.converges().await;
    h.finish().await;
}

#[tokio::test]
async fn what_was_to_be_written_and_was_given_up_is_not_written_again_where_it_stands() {
    let h = analysed(&legal("")).await;
    let before = h.read("/Contracts/a.analysis.md").await;
    h.fastio_fails(json!({"kind": "server_error", "method": "POST", "path": "/current/upload/**"})).await;
    h.trash("/Contracts/a.txt").await;
    h.take_in().await;
    while h.work_one().await {}
    // It was about to say that the contract is gone, which it is not any more.
    h.no_faults().await;
    h.restore("/Contracts/a.txt").await;
    h.settle().await;
    assert_eq!(h.read("/Contracts/a.analysis.md").await, before);
    let written = results(&h).await;
    assert!(written.len() == 1 && written[0]["versions"] == 1, "{written:#?}");
    h.finish().await;
}

#[tokio::test]
async fn a_result_whose_write_was_not_answered_and_that_shows_late_is_written_once() {
    let h = Harness::with(&legal("")).await;
    h.put("/Contracts/a.txt", &contract(1)).await;
    h.fastio_fails(json!([
        {"kind": "not_found_after_create", "window_ms": 20_000},
        {"kind": "lost_reply", "method": "POST", "path": "/current/**/addfile/", "count": 1},
    ]))
    .await;
    h.settle().await;
    h.no_faults().await;
    h.converges().await;
    let written = results(&h).await;
    assert!(written.len() == 1 && written[0]["versions"] == 1, "{written:#?}");
    h.finish().await;
}

#[tokio::test]
async fn a_result_that_fastio_does_not_show_at_first_is_written_once() {
    let h = Harness::with(&legal("")).await;
    h.fastio_fails(json!({"kind": "not_found_after_create", "window_ms": 5_000})).await;
    for number in 1..=3 {
        h.put("/Contracts/a.txt", &contract(number)).await;
        h.settle().await;
    }
    h.no_faults().await;
    h.converges().await;
    assert_eq!(paths(&h).await, ["/Contracts/a.analysis.md", "/Contracts/a.txt"]);
    let written = results(&h).await;
    assert_eq!(written.len(), 1, "{written:#?}");
    assert_eq!(written[0]["versions"], 3, "{written:#?}");
    h.finish().await;
}
