//! Budgets: what is used least leaves OpenAI, and comes back when it is wanted.

use docket::app::openai_client;
use docket::operate::Token;
use docket::operate::act::{self, Action, Deed};
use docket::operate::guard::Who;
use docket::operate::query::search::{Search, Searcher};
use docket::operate::status::Status;
use docket::operate::verdict::{Verdict, Word};
use docket::sync::budget::Rotated;
use docket::sync::listing::{Filter, Row, Standing};
use futures_util::future::join_all;

use crate::harness::{Harness, WORKSPACE, contract, legal};

/// One rule with this budget, and what else the settings say.
pub fn within(budget: &str, more: &str) -> String {
    format!(
        "[sweep]\npage_tries = 1\n[[rule]]\nname = 'all'\nworkspace = '{WORKSPACE}'\nvector_store = {{ create = 'all' }}\n\
         budget = {{ {budget} }}\n{more}"
    )
}

impl Harness {
    /// Puts a file, has all settle, and lets a minute pass.
    pub async fn comes(&self, path: &str) {
        self.comes_as(path, &format!("this is the text of {path}")).await;
    }

    async fn comes_as(&self, path: &str, text: &str) {
        self.put(path, text).await;
        self.settle().await;
        self.pass(60_000);
    }

    async fn listed(&self, path: &str) -> Row {
        let rows = self.records().files(&Filter::default()).await;
        rows.into_iter().find(|row| row.path.as_deref() == Some(path)).unwrap()
    }

    /// A person, or an agent, asks for it; why it was not done, where it was not.
    async fn act(&self, action: Action, path: &str, rule: &str) -> Result<(), String> {
        let mut item = self.listed(path).await.source_id;
        if action == Action::StartRun {
            item = format!("{item}:{rule}");
        }
        let deed = Deed { action, name: None, why: None };
        let who = (Who(Token::ThisMachine), self.work.runs.definitions());
        act::one(&self.database, who, (deed, item), self.clock.now()).await.unwrap()
    }

    async fn finds(&self, query: &str) -> (Vec<String>, i64) {
        let openai = openai_client(&self.config).unwrap();
        let searcher = Searcher { database: self.database.clone(), openai };
        let asked = Search { query: query.to_owned(), ..Search::default() };
        let found = searcher.find(&asked, self.rules(), self.clock.now()).await.unwrap();
        (found.rows.into_iter().filter_map(|row| row.path).collect(), found.out)
    }

    async fn verdict(&self) -> Verdict {
        Verdict::of(&Status::read(&self.database).await.unwrap(), true)
    }

    /// Bytes of all File objects in the project.
    async fn bytes_at_openai(&self) -> u64 {
        let state = self.openai_state().await;
        state["files"].as_array().unwrap().iter().filter_map(|file| file["bytes"].as_u64()).sum()
    }
}

#[tokio::test]
async fn what_is_used_least_leaves_and_comes_back_when_it_changes() {
    let h = Harness::with(&within("files = 2", "")).await;
    for path in ["/1.txt", "/2.txt", "/3.txt"] {
        h.comes(path).await;
    }
    assert_eq!(h.held().await, ["/2.txt", "/3.txt"]);
    h.agrees_but(&["out: /1.txt"]).await;
    let row = h.listed("/1.txt").await;
    assert_eq!((row.state, row.copy.state), (Standing::Out, None));
    let why = row.reason.unwrap();
    assert!(why.starts_with("rule all is at its budget of 2 files, and it was used least"), "{why}");
    assert!(row.since.is_some() && why.contains("docket files bring"), "{why}");
    assert_eq!(h.verdict().await.verdict, Word::Well, "it is what was asked for");

    // Nobody takes it for missing, nor for a ghost.
    let before = h.uploads().await;
    assert_eq!(h.sweep().await.found.values().sum::<u64>(), 0);
    assert_eq!(h.webhook("workspace_storage_file_updated", &h.node("/1.txt").await).await, 202);
    h.settle().await;
    assert_eq!((h.held().await, h.uploads().await), (vec!["/2.txt".to_owned(), "/3.txt".to_owned()], before));

    h.comes_as("/1.txt", "it has another text now").await;
    assert_eq!(h.held().await, ["/1.txt", "/3.txt"]);
    h.agrees_but(&["out: /2.txt"]).await;
    // What is held and changes makes room for itself.
    h.comes_as("/3.txt", "another text").await;
    assert_eq!(h.held().await, ["/1.txt", "/3.txt"]);
    h.never_unsearchable("/3.txt").await;
    h.trash("/2.txt").await;
    h.converges().await;
    h.finish().await;
}

#[tokio::test]
async fn what_is_pinned_never_leaves_and_what_does_not_fit_beside_it_needs_a_person() {
    let h = Harness::with(&within("files = 2", "pinned = ['/1.txt', '/Framework/**']")).await;
    for path in ["/1.txt", "/2.txt", "/3.txt"] {
        h.comes(path).await;
    }
    assert_eq!(h.held().await, ["/1.txt", "/3.txt"]);
    h.comes("/Framework/4.txt").await;
    assert_eq!(h.held().await, ["/1.txt", "/Framework/4.txt"]);
    h.comes("/5.txt").await;
    h.agrees_but(&["out: /2.txt", "out: /3.txt", "out: /5.txt"]).await;
    let why = h.listed("/5.txt").await.reason.unwrap();
    assert!(why.contains("all that could leave is pinned or in use"), "{why}");
    let Verdict { verdict, reasons } = h.verdict().await;
    assert_eq!(verdict, Word::NeedsPerson);
    assert!(
        reasons[0].contains("1 file is wanted in rule all") && reasons[0].contains("--out"),
        "{reasons:?}"
    );
    h.finish_leaving(&["out: /2.txt", "out: /3.txt", "out: /5.txt"]).await;
}

#[tokio::test]
async fn what_is_larger_than_its_budget_is_left_out_and_says_so() {
    let h = Harness::with(&within("megabytes = 0.001", "")).await;
    h.comes("/small.txt").await;
    h.comes_as("/large.txt", &"a line of it\n".repeat(100)).await;
    assert_eq!(h.held().await, ["/small.txt"]);
    let why = h.listed("/large.txt").await.reason.unwrap();
    assert_eq!(
        why,
        "it alone takes more than rule all has, a budget of 0.001 MB; raise that, or leave the file out"
    );
    assert_eq!(h.verdict().await.verdict, Word::NeedsPerson);
    h.comes_as("/large.txt", "it is small now").await;
    h.agrees().await;
    // It grows again: what is held of it is no more what it is.
    h.comes_as("/large.txt", &"a line of it\n".repeat(100)).await;
    h.agrees_but(&["out: /large.txt"]).await;
    h.finish_leaving(&["out: /large.txt"]).await;
}

#[tokio::test]
async fn what_is_found_or_asked_for_stays_or_comes_back() {
    let h = Harness::with(&within("files = 2", "")).await;
    h.comes_as("/caps.txt", "Liability is capped at one million.").await;
    h.comes_as("/rent.txt", "The rent is due on the first of May.").await;
    h.pass(2 * 3_600_000);
    let (found, out) = h.finds("What is liability capped at?").await;
    assert_eq!((found[0].as_str(), out), ("/caps.txt", 0));
    h.comes_as("/term.txt", "The term ends in June.").await;
    // Both were found, and both were used at the same time: the one that comes first in the list leaves.
    assert_eq!(h.held().await.len(), 2);
    let out = if h.held().await.contains(&"/caps.txt".to_owned()) { "/rent.txt" } else { "/caps.txt" };
    h.agrees_but(&[format!("out: {out}").as_str()]).await;
    let (_, number) = h.finds("What is liability capped at?").await;
    assert_eq!(number, 1, "a search says that not all was searched");

    // An agent's `sync_now`, and a person's `docket files bring`.
    h.pass(2 * 3_600_000);
    h.act(Action::SyncFile, out, "").await.unwrap();
    h.settle().await;
    assert!(h.held().await.contains(&out.to_owned()));
    let other = ["/caps.txt", "/rent.txt", "/term.txt"];
    let inside = h.held().await;
    let other = other.into_iter().find(|path| !inside.contains(&(*path).to_owned())).unwrap();
    h.pass(60_000);
    h.act(Action::BringFile, other, "").await.unwrap();
    h.settle().await;
    let inside = h.held().await;
    assert!(inside.contains(&other.to_owned()) && inside.len() == 2, "{inside:?}");
    assert!(h.act(Action::BringFile, other, "").await.unwrap_err().contains("nothing to bring back"));
    h.finish_leaving_kinds(&["out"]).await;
}

#[tokio::test]
async fn a_run_that_needs_its_file_has_it_come_back_and_a_result_stays_when_it_leaves() {
    let rule = legal("max_runs_per_day = 1").replacen("[[rule]]", "[[rule]]\nbudget = { files = 1 }", 1);
    let h = Harness::with(&rule).await;
    for number in 1..=3 {
        h.comes_as(&format!("/Contracts/{number}.txt"), &contract(number)).await;
    }
    // The runs over the others were held, and had their day, each with its file.
    assert_eq!(h.outcomes().await, ["completed", "completed", "completed"]);
    assert_eq!(h.held().await.len(), 1);
    let paths = h.paths().await;
    for number in 1..=3 {
        assert!(paths.contains(&format!("/Contracts/{number}.analysis.md")), "{paths:?}");
    }
    let out = if h.held().await == ["/Contracts/1.txt"] { "/Contracts/2.txt" } else { "/Contracts/1.txt" };
    let why = h.act(Action::StartRun, out, "liability").await.unwrap_err();
    assert!(why.contains("has left OpenAI"), "{why}");
    h.finish_leaving_kinds(&["out"]).await;
}

#[tokio::test]
async fn the_project_limit_is_told_before_it_is_reached_and_never_is() {
    const LIMIT: u64 = 1_000_000;
    let h = Harness::with(&format!("[storage]\nlimit_megabytes = 1\n{}", within("dollars_a_day = 5.0", "")))
        .await;
    let text = |number: usize| format!("file {number}\n{}", "a line of the file\n".repeat(10_600));
    for number in 0..4 {
        h.comes_as(&format!("/{number}.txt"), &text(number)).await;
    }
    h.work.sync.rotate().await.unwrap();
    let Verdict { verdict, reasons } = h.verdict().await;
    assert_eq!((verdict, h.held().await.len()), (Word::NeedsPerson, 4), "{reasons:?}");
    assert!(reasons[0].contains("near to its storage limit"), "{reasons:?}");
    for number in 4..8 {
        h.put(&format!("/{number}.txt"), &text(number)).await;
        h.take_in().await;
        for _ in 0..40 {
            while h.work_one().await {
                assert!(h.bytes_at_openai().await < LIMIT * 9 / 10, "file {number}");
            }
            h.pass(1_000);
        }
    }
    assert_eq!(h.held().await, ["/4.txt", "/5.txt", "/6.txt", "/7.txt"]);

    // Others fill it too: what they have is seen by a sweep, and makes Docket's share smaller.
    let theirs = h.upload_as_stranger("theirs.txt", &text(9)).await;
    h.sweep().await;
    h.work.sync.rotate().await.unwrap();
    h.settle().await;
    assert_eq!(h.held().await, ["/5.txt", "/6.txt", "/7.txt"]);
    h.remove_file_object(&theirs).await;
    for number in 5..8 {
        h.trash(&format!("/{number}.txt")).await;
    }
    h.settle().await;
    h.sweep().await;
    h.work.sync.rotate().await.unwrap();
    assert!(!h.verdict().await.reasons.iter().any(|reason| reason.contains("near")));
    h.settle().await;
    assert_eq!(h.held().await.len(), 4, "there is room again");
    h.finish_leaving_kinds(&["out"]).await;
}

#[tokio::test]
async fn a_budget_that_is_lowered_is_followed_and_one_that_is_raised_or_gone_too() {
    let mut h = Harness::with(&within("files = 4", "")).await;
    for path in ["/1.txt", "/2.txt", "/3.txt", "/4.txt"] {
        h.comes(path).await;
    }
    h.agrees().await;
    h.restart(&within("files = 1", "")).await;
    assert_eq!(h.work.sync.rotate().await.unwrap(), Rotated { leaving: 3, back: 0 });
    h.settle().await;
    h.agrees_but(&["out: /1.txt", "out: /2.txt", "out: /3.txt"]).await;
    assert_eq!(h.work.sync.rotate().await.unwrap(), Rotated::default(), "nothing goes to and fro");
    h.restart(&within("files = 3", "")).await;
    // A tenth of a budget stays free of what nobody asks for.
    assert_eq!(h.work.sync.rotate().await.unwrap(), Rotated { leaving: 0, back: 1 });
    h.settle().await;
    assert_eq!(h.held().await, ["/3.txt", "/4.txt"]);
    h.restart(&within("megabytes = 1", "")).await;
    assert_eq!(h.work.sync.rotate().await.unwrap(), Rotated { leaving: 0, back: 2 });
    h.converges().await;
    h.finish().await;
}

#[tokio::test]
async fn a_rebuild_leaves_out_what_was_out_and_uploads_nothing() {
    let settings = within("files = 2", "");
    let mut h = Harness::with(&settings).await;
    for path in ["/1.txt", "/2.txt", "/3.txt"] {
        h.comes(path).await;
    }
    let before = h.uploads().await;
    h.lose_database(&settings).await;
    h.feed.rebuild(&mut |_| {}).await.unwrap();
    h.sweep().await;
    h.settle().await;
    assert_eq!((h.held().await, h.uploads().await), (vec!["/2.txt".to_owned(), "/3.txt".to_owned()], before));
    h.finish_leaving(&["out: /1.txt"]).await;
}

#[tokio::test]
async fn an_archive_that_is_larger_than_its_budget_goes_in_once_what_was_changed_last_first_or_not() {
    let h = Harness::in_world(&within("files = 3", ""), docket_sandbox::Options::default(), async |world| {
        for number in 0..9 {
            world.put(&format!("/{number}.txt"), &format!("text number {number}")).await;
            world.sandbox.fastio_core().clock.shift(1_000);
        }
    })
    .await;
    h.pass(60_000);
    h.sweep().await;
    h.settle().await;
    assert_eq!(h.held().await, ["/6.txt", "/7.txt", "/8.txt"]);
    let uploads = h.uploads().await;
    h.sweep().await;
    h.settle().await;
    assert_eq!(h.uploads().await, uploads, "nothing goes to and fro");
    h.finish_leaving_kinds(&["out"]).await;
}

#[tokio::test]
async fn workers_beside_each_other_do_not_exceed_a_budget() {
    let h = Harness::with(&within("files = 3", "")).await;
    for number in 0..12 {
        h.put(&format!("/{number}.txt"), &format!("text number {number}")).await;
        h.pass(1_000);
    }
    h.take_in().await;
    for _ in 0..200 {
        let worked = join_all((0..4).map(|_| h.work_one())).await;
        assert!(h.number("SELECT count(*) FROM copy").await <= 3);
        if !worked.contains(&true) {
            h.pass(1_000);
        }
    }
    assert_eq!(h.held().await.len(), 3);
    h.finish_leaving_kinds(&["out"]).await;
}

#[tokio::test]
async fn a_store_and_all_rules_together_have_budgets_of_their_own() {
    let rules = |workspace: &str| {
        format!(
            "[storage]\nbudget = {{ files = 3 }}\nstores = {{ papers = {{ files = 1 }} }}\n[sweep]\npage_tries = 1\n\
             [[rule]]\nname = 'a'\nworkspace = '{workspace}'\ninclude = ['/a/**']\nvector_store = {{ create = 'papers' }}\n\
             [[rule]]\nname = 'b'\nworkspace = '{workspace}'\ninclude = ['/b/**']\nvector_store = {{ create = 'papers' }}\n\
             [[rule]]\nname = 'c'\nworkspace = '{workspace}'\ninclude = ['/c/**']\nvector_store = {{ create = 'others' }}\n"
        )
    };
    let h = Harness::with(&rules(WORKSPACE)).await;
    for path in ["/a/1.txt", "/b/2.txt", "/c/3.txt", "/c/4.txt"] {
        h.comes(path).await;
    }
    assert_eq!(h.held().await, ["/b/2.txt", "/c/3.txt", "/c/4.txt"]);
    assert!(
        h.listed("/a/1.txt")
            .await
            .reason
            .unwrap()
            .starts_with("vector store papers is at its budget of 1 file,")
    );
    h.comes("/c/5.txt").await;
    assert_eq!(h.held().await, ["/c/3.txt", "/c/4.txt", "/c/5.txt"]);
    assert!(h.listed("/b/2.txt").await.reason.unwrap().starts_with("Docket is at its budget of 3 files"));
    h.finish_leaving_kinds(&["out"]).await;
}

#[tokio::test]
async fn what_openai_keeps_of_a_file_is_what_it_costs() {
    let h = Harness::with(&within("dollars_a_day = 100.0", "")).await;
    h.comes_as("/a.txt", &"a line of it\n".repeat(50)).await;
    let state = h.openai_state().await;
    let stored = h.number("SELECT stored FROM room_count WHERE rule = 'all' AND place = 'in'").await;
    let told = h.number("SELECT usage_bytes FROM copy").await;
    assert!(told > 0 && stored == told, "{stored} {told} {state:#}");
    h.finish().await;
}
