//! A vector store that is full continues in the next: what is new goes there, what is in either is kept in line, and whoever asks Docket
//! is answered from all of a rule's stores.

use docket::operate::status::Status;
use docket_sandbox::Options;
use docket_sandbox::openai::Limits;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Harness, ONE_STORE, SWEEPING, WORKSPACE, contract, legal};

/// A store of the stand-in takes so many files.
pub fn taking(store_files: u64) -> Options {
    Options { limits: Limits { store_files, ..Limits::default() }, ..Options::default() }
}

/// Docket knows that beforehand.
pub fn knowing(store_files: u64, settings: &str) -> String {
    format!("[sync]\nstore_files = {store_files}\n{settings}")
}

async fn put(h: &Harness, names: impl IntoIterator<Item = u32>) {
    for name in names {
        h.put(&format!("/{name}.txt"), &format!("Clause {name} caps liability at {name} million.")).await;
    }
}

impl Harness {
    /// How many files each store has, by the stores' names.
    pub async fn filled(&self) -> Vec<(String, usize)> {
        let state = self.openai_state().await;
        let stores = state["vector_stores"].as_array().unwrap().iter();
        let name = |store: &Value| store["name"].as_str().unwrap_or_default().to_owned();
        let mut filled: Vec<(String, usize)> =
            stores.map(|store| (name(store), store["files"].as_array().unwrap().len())).collect();
        filled.sort();
        filled
    }

    async fn finds_in(&self, query: &str) -> Vec<String> {
        let found = self.search(query, None).await;
        let mut paths: Vec<String> = found.rows.into_iter().filter_map(|row| row.path).collect();
        paths.sort();
        paths
    }
}

fn filled(of: &[(&str, usize)]) -> Vec<(String, usize)> {
    of.iter().map(|(name, files)| ((*name).to_owned(), *files)).collect()
}

#[tokio::test]
async fn six_files_go_into_stores_of_five_and_each_is_kept_in_line_where_it_is() {
    let h = Harness::between(&knowing(5, SWEEPING), taking(5)).await;
    put(&h, 1..=6).await;
    h.converges().await;
    assert_eq!(h.filled().await, filled(&[("all", 5), ("all, continued 2", 1)]));
    assert_eq!(h.finds_in("What caps liability?").await.len(), 6, "a search looks in both");
    assert_eq!(h.search("What caps liability?", Some("all")).await.stores.len(), 2);
    assert_eq!(h.sweep().await.found.values().sum::<u64>(), 0);

    // What is edited in the full one goes on in the next, and leaves a place behind.
    let full =
        h.placed().await.into_iter().find_map(|placed| placed.strip_prefix("all: ").map(str::to_owned));
    let full = full.unwrap();
    h.put(&full, "Clause 0 caps liability at nothing.").await;
    h.converges().await;
    h.never_unsearchable(&full).await;
    assert_eq!(h.filled().await, filled(&[("all", 4), ("all, continued 2", 2)]));
    put(&h, [7]).await;
    h.converges().await;
    assert_eq!(h.filled().await, filled(&[("all", 5), ("all, continued 2", 2)]), "the place is used again");

    // A name costs no upload in either of them, and a deletion leaves nothing in either.
    let uploads = h.uploads().await;
    for (number, path) in h.held().await.into_iter().enumerate() {
        h.rename(&path, &format!("/renamed {number}.txt")).await;
    }
    h.converges().await;
    assert_eq!(h.uploads().await, uploads);
    assert_eq!(h.sweep().await.found.values().sum::<u64>(), 0);
    for path in h.held().await {
        h.trash(&path).await;
    }
    h.converges().await;
    assert_eq!(h.filled().await, filled(&[("all", 0), ("all, continued 2", 0)]));
    h.finish().await;
}

#[tokio::test]
async fn what_a_full_store_refuses_goes_into_the_next_and_is_not_uploaded_again() {
    for together in [0, 1] {
        let settings = format!("[sync]\nattach_together_from = {together}\n{ONE_STORE}");
        let h = Harness::between(&settings, taking(5)).await;
        put(&h, 1..=7).await;
        h.settle().await;
        assert_eq!(h.filled().await, filled(&[("all", 5), ("all, continued 2", 2)]), "{together}");
        assert_eq!(h.uploads().await, 7, "{together}");
        // It is known now.
        let refused = h.refusals().await;
        put(&h, [8]).await;
        h.settle().await;
        assert_eq!((h.refusals().await, h.uploads().await), (refused, 8), "{together}");
        let full = h.path_in("all").await;
        h.trash(&full).await;
        h.settle().await;
        put(&h, [9]).await;
        h.settle().await;
        assert_eq!(h.filled().await, filled(&[("all", 5), ("all, continued 2", 3)]), "{together}");
        let refused = h.refused_attaches().await;
        h.finish_leaving_kinds(&refused).await;
    }
}

impl Harness {
    async fn path_in(&self, store: &str) -> String {
        let copies = self.copies().await;
        copies.iter().find(|copy| copy.store == store).unwrap().path().to_owned()
    }

    /// Attaches that a full store refused.
    async fn refusals(&self) -> usize {
        let is_refused = |one: &&Value| {
            let path = one["path"].as_str().unwrap();
            one["outcome"] == 400 && (path.ends_with("/files") || path.ends_with("/file_batches"))
        };
        self.openai_requests().await.iter().filter(is_refused).count()
    }

    /// What is told of them at the end.
    pub async fn refused_attaches(&self) -> Vec<&'static str> {
        let stores = self.openai_state().await["vector_stores"].as_array().unwrap().clone();
        let paths = stores.iter().flat_map(|store| {
            ["files", "file_batches"].map(|what| {
                let id = store["id"].as_str().unwrap();
                let told = format!("POST /v1/vector_stores/{id}/{what} is refused");
                (1..=20).map(move |times| match times {
                    1 => told.clone(),
                    times => format!("{told} ({times} times)"),
                })
            })
        });
        paths.flatten().map(|told| &*told.leak()).collect()
    }
}

#[tokio::test]
async fn the_next_store_is_told_of_once_where_people_look() {
    let h = Harness::between(&knowing(1, SWEEPING), taking(1)).await;
    put(&h, 1..=3).await;
    h.converges().await;
    let stores = ["all", "all, continued 2", "all, continued 3"];
    assert_eq!(h.filled().await, filled(&stores.map(|name| (name, 1))));
    let status = Status::read(&h.database).await.unwrap();
    let told: Vec<(&str, &str)> =
        status.full_stores.iter().map(|full| (&*full.vector_store, &*full.next)).collect();
    let ids = [h.store_id(stores[0]).await, h.store_id(stores[1]).await, h.store_id(stores[2]).await];
    assert_eq!(told, [(&*ids[0], &*ids[1]), (&*ids[1], &*ids[2])]);
    assert!(status.full_stores[0].words().contains("an assistant of yours"), "{:?}", status.full_stores);
    let state = h.openai_state().await;
    let store =
        state["vector_stores"].as_array().unwrap().iter().find(|store| store["id"] == ids[1]).unwrap();
    assert_eq!(
        (&store["metadata"]["docket_continues"], &store["metadata"]["docket_store_number"]),
        (&json!(ids[0]), &json!("2"))
    );
    h.finish().await;
}

#[tokio::test]
async fn the_stores_that_a_person_names_are_filled_before_docket_makes_one() {
    let mut h = Harness::between(ONE_STORE, taking(1)).await;
    let theirs = h.stranger(Method::POST, "vector_stores", json!({"name": "theirs"})).await;
    let id = theirs["id"].as_str().unwrap().to_owned();
    let next = format!("vector_stores_next = ['{id}']\n");
    h.restart(&knowing(1, &format!("continue_full_stores = false\n{ONE_STORE}{next}"))).await;
    put(&h, 1..=3).await;
    h.work_for_seconds(5).await;
    assert_eq!(h.filled().await, filled(&[("all", 1), ("theirs", 1)]));
    let pauses = h.pauses().await;
    let [pause] = &pauses[..] else { panic!("{pauses:#?}") };
    assert!(
        pause.reason.contains("vector_stores_next") && pause.reason.contains("continue_full_stores"),
        "{pause:?}"
    );
    h.restart(&knowing(1, &format!("{ONE_STORE}{next}"))).await;
    h.converges().await;
    assert_eq!(h.filled().await, filled(&[("all", 1), ("all, continued 3", 1), ("theirs", 1)]));
    // What a person does not name any more is left.
    h.sweep().await;
    h.restart(&knowing(1, ONE_STORE)).await;
    h.feed.follow_rules().await.unwrap();
    h.converges().await;
    let filled = h.filled().await;
    assert_eq!(
        (filled.iter().map(|(_, files)| files).sum::<usize>(), h.held().await.len()),
        (3, 3),
        "{filled:?}"
    );
    assert_eq!(filled.iter().find(|(name, _)| name == "theirs").unwrap().1, 0, "{filled:?}");
    h.finish().await;
}

#[tokio::test]
async fn a_lost_database_finds_the_stores_that_continue_another() {
    let mut h = Harness::between(&knowing(2, SWEEPING), taking(2)).await;
    put(&h, 1..=5).await;
    h.converges().await;
    let (uploads, before) = (h.uploads().await, h.filled().await);
    h.without_webhooks().await;
    h.lose_database(&knowing(2, SWEEPING)).await;
    let told = h.work.sync.begin(false).await.unwrap_err().to_string();
    assert!(told.contains("all, continued 3"), "{told}");
    let rebuilt = h.feed.rebuild(&mut |_| {}).await.unwrap();
    assert_eq!((rebuilt.copies, rebuilt.stores.len(), rebuilt.strangers), (5, 3, 0), "{rebuilt:?}");
    h.sweep().await;
    h.settle().await;
    assert_eq!((h.uploads().await, h.filled().await), (uploads, before));
    h.feed.backfill(None, &mut |_| {}).await.unwrap();
    put(&h, [6]).await;
    h.feed.backfill(None, &mut |_| {}).await.unwrap();
    h.settle().await;
    assert_eq!(h.filled().await.last(), Some(&("all, continued 3".to_owned(), 2)));
    h.finish().await;
}

#[tokio::test]
async fn a_store_that_continues_another_is_made_anew_when_it_is_gone_and_so_is_the_first() {
    let h = Harness::between(&knowing(2, ONE_STORE), taking(2)).await;
    put(&h, 1..=4).await;
    h.converges().await;
    let uploads = h.uploads().await;
    for name in ["all, continued 2", "all"] {
        let old = h.store_id(name).await;
        h.stranger(Method::DELETE, &format!("vector_stores/{old}"), Value::Null).await;
        h.pass(11 * 60 * 1000);
        let any = h.paths().await.remove(0);
        h.rename(&any, &format!("{any} that finds it out.txt")).await;
        h.converges().await;
        assert_ne!(h.store_id(name).await, old);
        assert_eq!(h.filled().await, filled(&[("all", 2), ("all, continued 2", 2)]), "{name}");
        assert_eq!(h.uploads().await, uploads, "the File objects are there still");
    }
    assert_eq!(h.finds_in("What caps liability?").await.len(), 4);
    h.finish().await;
}

#[tokio::test]
async fn a_text_whose_segments_do_not_all_fit_goes_whole_into_the_next_store() {
    let text = "Liability is capped at one million.\n\n".repeat(12);
    let settings = format!("[sync]\nsplit_text_above_bytes = 400\nattach_together_from = 0\n{ONE_STORE}");
    let h = Harness::between(&settings, taking(5)).await;
    put(&h, 1..=3).await;
    h.converges().await;
    h.put("/long.txt", &text).await;
    h.settle().await;
    let copies = h.copies().await;
    let segments: Vec<_> = copies.iter().filter(|copy| copy.path() == "/long.txt").collect();
    assert!(segments.len() > 2, "{segments:#?}");
    assert!(segments.iter().all(|copy| copy.store == "all, continued 2"), "{segments:#?}");
    assert_eq!(h.uploads().await, 3 + segments.len(), "none is uploaded twice");
    h.agrees_but(&[&*h.refused_once().await]).await;
    // One that no store can take says so, and no store is made for it.
    h.put("/longer.txt", &text.repeat(3)).await;
    h.settle_to_dead().await;
    assert!(h.dead().await[0].contains("split the file"), "{:?}", h.dead().await);
    assert!(h.filled().await.len() <= 3, "{:?}", h.filled().await);
    h.trash("/longer.txt").await;
    h.settle().await;
    let refused = h.refused_attaches().await;
    h.finish_leaving_kinds(&refused).await;
}

impl Harness {
    async fn refused_once(&self) -> String {
        format!("POST /v1/vector_stores/{}/files is refused", self.store_id("all").await)
    }
}

#[tokio::test]
async fn a_run_over_the_store_searches_the_stores_that_one_search_may_name_and_says_what_it_left_out() {
    let settings = knowing(1, &legal("attach = ['file_search']\nscope = 'store'"));
    let h = Harness::between(&settings, taking(1)).await;
    for number in 1..=3 {
        h.put(&format!("/Contracts/{number}.txt"), &contract(number)).await;
        h.settle().await;
    }
    let requests = h.openai_requests().await;
    let searched = requests.iter().filter(|one| one["path"] == "/v1/responses" && one["method"] == "POST");
    let searched: Vec<usize> =
        searched.map(|one| one["json"]["tools"][0]["vector_store_ids"].as_array().unwrap().len()).collect();
    assert_eq!(searched, [1, 2, 2]);
    assert_eq!(h.outcomes().await.len(), 3);
    let last = h.read("/Contracts/3.analysis.md").await;
    assert!(last.contains("more vector stores than one search may name"), "{last}");
    let first = h.read("/Contracts/1.analysis.md").await;
    assert!(!first.contains("more vector stores"), "{first}");
    h.finish().await;
}

#[tokio::test]
async fn what_somebody_else_has_in_a_store_takes_places_too() {
    let h = Harness::between(&knowing(3, ONE_STORE), taking(3)).await;
    put(&h, [1]).await;
    h.converges().await;
    let store = h.store_id("all").await;
    let theirs = h.upload_as_stranger("theirs.txt", "Not Docket's.").await;
    h.stranger(Method::POST, &format!("vector_stores/{store}/files"), json!({"file_id": theirs})).await;
    h.pass(11 * 60 * 1000);
    put(&h, 2..=4).await;
    h.settle().await;
    assert_eq!(h.filled().await, filled(&[("all", 3), ("all, continued 2", 2)]));
    assert_eq!(h.refusals().await, 0);
    h.finish_leaving(&["a copy that nothing needs: theirs.txt"]).await;
}

#[tokio::test]
async fn rules_that_would_share_a_part_of_their_stores_are_refused() {
    let rule =
        |name: &str, rest: &str| format!("[[rule]]\nname = '{name}'\nworkspace = '{WORKSPACE}'\n{rest}\n");
    let refused = |rules: &[String]| {
        let settings = rules.concat();
        let config = docket::config::Config::from_text(&settings, None, &docket::config::Sources::default());
        config.unwrap().rules().unwrap_err().to_string()
    };
    let one = rule("one", "vector_store = 'vs_1'\nvector_stores_next = ['vs_2']");
    let other = rule("other", "vector_store = 'vs_1'");
    assert!(refused(&[one.clone(), other]).contains("give both the same vector_stores_next"));
    let other = rule("other", "vector_store = 'vs_2'");
    assert!(
        refused(&[one.clone(), other]).contains("the store vs_2 of vector_stores_next is filled by rule")
    );
    let twice = rule("one", "vector_store = 'vs_1'\nvector_stores_next = ['vs_1']");
    assert!(refused(&[twice]).contains("each once"));
    let named = rule("one", "vector_store = { create = 'all, continued 2' }");
    assert!(refused(&[named]).contains("give it another name"));
}
