//! What derives from a file ends with it, everywhere; and what could not be erased is said.

use std::path::{Path, PathBuf};

use docket::erasure::{self, Because, Erasure, Remains};
use docket::fastio::FileKey;
use docket::retention::{Retention, Settings};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::harness::database::{DatabaseFile, is_postgres};
use crate::harness::{Harness, Server, WORKSPACE, World, contract, legal};

const NDA: &str = "/Contracts/nda.txt";
const RESULT: &str = "/Contracts/nda.analysis.md";
const OTHER: &str = "/Contracts/other.txt";

/// In the contract, and quoted from it by the analysis.
const QUOTE: &str = "liability is limited to EUR 10,000";

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Two contracts that are analysed.
async fn analysed(settings: &str) -> Harness {
    let h = Harness::with(settings).await;
    h.put(NDA, &contract(1)).await;
    h.put(OTHER, &contract(2)).await;
    h.settle().await;
    h
}

async fn key(world: &World, path: &str) -> FileKey {
    format!("workspace:{WORKSPACE}:{}", world.node(path).await).parse().unwrap()
}

/// What `docket erase --yes` asks for.
pub async fn erase(h: &Harness, key: &FileKey) {
    let (key, now) = (key.clone(), h.clock.now());
    h.database.write(move |tx| erasure::store::begin(tx, &key, Because::Asked, now)).await.unwrap();
}

/// The same of the file at `path`.
pub async fn erase_at(h: &Harness, path: &str) {
    erase(h, &key(h, path).await).await;
}

pub async fn erasures(h: &Harness) -> Vec<Erasure> {
    h.database.read(|connection| erasure::store::list(connection, 100)).await.unwrap()
}

fn retention(h: &Harness, settings: Settings) -> Retention {
    let (database, clock) = (h.database.clone(), (*h.clock).clone());
    Retention { database, clock, settings, event_keep_ms: 1_000 * DAY_MS }
}

async fn forget(h: &Harness, settings: Settings) {
    retention(h, settings).pass(&CancellationToken::new()).await.unwrap();
}

/// Where this text stands in the database: in which of its files, or in which tables of PostgreSQL's, which gives back what a file's
/// pages hold when it uses them again.
async fn holding(h: &Harness, text: &str) -> Vec<String> {
    let url = h.database_url();
    if is_postgres() {
        let database = DatabaseFile::of(&url);
        let tables = "SELECT table_name FROM information_schema.tables
                      WHERE table_schema = 'public' AND table_type = 'BASE TABLE'";
        let look = |table: String| {
            format!("SELECT DISTINCT '{table}' FROM {table} AS one WHERE strpos(one::text, '{text}') > 0")
        };
        let looks: Vec<String> = database.texts(tables).await.into_iter().map(look).collect();
        return database.texts(&looks.join(" UNION ALL ")).await;
    }
    let folder = Path::new(url.strip_prefix("sqlite://").unwrap()).parent().unwrap();
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let has = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(path).unwrap();
        let is_in =
            name.starts_with("docket.db") && bytes.windows(text.len()).any(|some| some == text.as_bytes());
        is_in.then_some(name)
    };
    files.filter_map(has).collect()
}

/// What remains, but for what PostgreSQL keeps of every row for a while, which each erasure there says.
fn remains(erasure: &Erasure) -> Vec<&Remains> {
    let (of_engine, others): (Vec<_>, Vec<_>) =
        erasure.remains.iter().partition(|one| one.what == "rows in PostgreSQL's files");
    assert_eq!(of_engine.len(), usize::from(is_postgres()), "{erasure:?}");
    others
}

/// How many erasures have ended of which the database's files hold no byte.
async fn shed(h: &Harness) -> i64 {
    h.number("SELECT count(*) FROM erasure WHERE ended_at IS NOT NULL AND shed_at IS NOT NULL").await
}

/// Rows of ours that tell of the file, but its record.
async fn rows(h: &Harness, key: &FileKey) -> i64 {
    let (id, node) = (key.to_string(), key.node.canonical());
    h.number(&format!(
        "SELECT (SELECT count(*) FROM file WHERE source_id = '{id}') + (SELECT count(*) FROM run WHERE source_id = '{id}')
              + (SELECT count(*) FROM copy WHERE source_id = '{id}') + (SELECT count(*) FROM run_object WHERE source_id = '{id}')
              + (SELECT count(*) FROM history WHERE source_id = '{id}' AND task <> 'erase')
              + (SELECT count(*) FROM digest_row WHERE source_id = '{id}')
              + (SELECT count(*) FROM event WHERE lower(replace(node, '-', '')) = '{node}' AND (name <> '' OR payload IS NOT NULL))"
    ))
    .await
}

fn of(erasure: &Erasure, what: &str) -> u64 {
    erasure.erased.get(what).copied().unwrap_or(0)
}

#[tokio::test]
async fn what_derives_from_a_file_ends_when_it_is_purged_and_not_when_it_is_in_the_trash() {
    let h = analysed(&legal("digest = 'overview.csv'")).await;
    let nda = key(&h, NDA).await;
    assert!(!holding(&h, QUOTE).await.is_empty());
    h.trash(NDA).await;
    h.settle().await;
    h.sweep().await;
    h.settle().await;
    assert_eq!((h.conversations().await, h.responses().await.len()), ((2, 0), 2));
    assert_eq!(erasures(&h).await.len(), 0);

    h.purge(NDA).await;
    h.sweep().await;
    h.settle().await;
    assert_eq!((h.conversations().await, h.responses().await.len()), ((1, 0), 1));
    assert_eq!((rows(&h, &nda).await, h.runs().await.len()), (0, 1));
    assert!(!h.read("/Contracts/overview.csv").await.contains("nda.txt"));
    let all = erasures(&h).await;
    let [erasure] = &all[..] else { panic!("{all:?}") };
    assert_eq!(
        (erasure.because, of(erasure, "conversation"), of(erasure, "response")),
        (Because::Purged, 1, 1)
    );
    // The rule marks what stands beside a file that is gone, and that stays.
    assert!(h.read(RESULT).await.contains("was deleted"));
    let remains: Vec<_> = remains(erasure).iter().map(|one| one.what.as_str()).collect();
    assert_eq!((remains, shed(&h).await), (vec!["result"], 0));
    forget(&h, Settings::default()).await;
    assert_eq!(shed(&h).await, i64::from(!is_postgres()), "what nobody can know is not on record");
    assert_eq!(holding(&h, QUOTE).await, [""; 0]);
    h.finish().await;
}

#[tokio::test]
async fn a_file_that_is_purged_at_once_is_erased_and_its_result_goes_where_the_rule_says_so() {
    let h = analysed(&legal("when_gone = 'remove'")).await;
    let nda = key(&h, NDA).await;
    h.purge(NDA).await;
    h.sweep().await;
    h.settle().await;
    assert_eq!((rows(&h, &nda).await, h.conversations().await), (0, (1, 0)));
    assert!(!h.paths().await.contains(&RESULT.to_owned()));
    assert_eq!(remains(&erasures(&h).await[0]).len(), 0);
    h.finish().await;
}

#[tokio::test]
async fn nothing_is_erased_of_what_is_purged_where_the_settings_say_so() {
    let h = analysed(&format!("[retention]\nerase_purged = false\n{}", legal(""))).await;
    h.purge(NDA).await;
    h.sweep().await;
    h.settle().await;
    assert_eq!((h.conversations().await, erasures(&h).await.len(), h.runs().await.len()), ((2, 0), 0, 2));
    h.finish().await;
}

#[tokio::test]
async fn a_file_that_a_person_has_erased_is_nowhere_and_is_not_synced_until_that_is_undone() {
    let h = analysed(&legal("digest = 'overview.csv'")).await;
    let nda = key(&h, NDA).await;
    erase(&h, &nda).await;
    h.settle().await;
    assert_eq!((rows(&h, &nda).await, h.conversations().await, h.responses().await.len()), (0, (1, 0), 1));
    assert_eq!(h.paths().await, [NDA, "/Contracts/other.analysis.md", OTHER, "/Contracts/overview.csv"]);
    assert!(!h.read("/Contracts/overview.csv").await.contains("nda.txt"));
    assert_eq!(holding(&h, QUOTE).await, [""; 0]);
    let all = erasures(&h).await;
    assert_eq!((of(&all[0], "result"), of(&all[0], "run"), remains(&all[0]).len()), (1, 1, 0));
    assert_eq!(shed(&h).await, i64::from(!is_postgres()));

    // Whatever is told of it.
    h.put(NDA, &contract(3)).await;
    h.settle().await;
    h.sweep().await;
    h.settle().await;
    assert_eq!((h.held().await, h.responses().await.len()), (vec![OTHER.to_owned()], 1));
    h.agrees_but(&[&format!("not held: {NDA}")]).await;

    let (undone, now) = (nda.clone(), h.clock.now());
    assert!(h.database.write(move |tx| erasure::store::undo(tx, &undone, now)).await.unwrap());
    h.settle().await;
    assert!(h.read(RESULT).await.contains("EUR 30,000"));
    h.finish().await;
}

#[tokio::test]
async fn what_a_person_edited_is_named_and_left() {
    let h = analysed(&legal("")).await;
    h.put(RESULT, "checked by Kim").await;
    h.settle().await;
    erase_at(&h, NDA).await;
    h.settle().await;
    assert_eq!(h.read(RESULT).await, "checked by Kim");
    let all = erasures(&h).await;
    let remains: Vec<_> = remains(&all[0]).iter().map(|one| one.why.as_str()).collect();
    assert_eq!(remains, ["a person edited it"]);
    h.finish_leaving(&[&format!("not held: {NDA}")]).await;
}

#[tokio::test]
async fn an_erasure_ends_although_replies_are_lost_and_things_are_gone_already() {
    let h = analysed(&legal("")).await;
    let nda = key(&h, NDA).await;
    h.openai_fails(json!([
        { "kind": "lost_reply", "method": "DELETE", "count": 4 },
        { "kind": "server_error", "method": "DELETE", "path": "/v1/responses/*", "count": 1 },
    ]))
    .await;
    erase(&h, &nda).await;
    h.settle().await;
    h.no_faults().await;
    assert_eq!((rows(&h, &nda).await, h.conversations().await, h.responses().await.len()), (0, (1, 0), 1));
    h.finish_leaving(&[&format!("not held: {NDA}")]).await;
}

#[tokio::test]
async fn a_run_that_goes_on_is_stopped_and_erased_with_its_file() {
    let h = Harness::with(&legal("")).await;
    h.put(NDA, &contract(1)).await;
    h.take_in().await;
    while h.responses().await.is_empty() {
        if !h.work_one().await {
            h.pass(500);
        }
    }
    let nda = key(&h, NDA).await;
    erase(&h, &nda).await;
    h.settle().await;
    assert_eq!((rows(&h, &nda).await, h.conversations().await, h.responses().await.len()), (0, (0, 0), 0));
    h.finish_leaving(&[&format!("not held: {NDA}")]).await;
}

#[tokio::test]
async fn a_conversation_ends_after_its_days_and_its_run_stays() {
    let h = analysed(&legal("")).await;
    let settings = || Settings { conversation_keep_days: 30, ..Settings::default() };
    h.pass(29 * DAY_MS);
    forget(&h, settings()).await;
    h.settle().await;
    let shown = async || h.runs().await.iter().filter(|run| run.conversation.is_some()).count();
    assert_eq!((h.conversations().await, shown().await), ((2, 0), 2));
    h.pass(2 * DAY_MS);
    forget(&h, settings()).await;
    h.settle().await;
    assert_eq!((h.conversations().await, h.responses().await.len(), h.runs().await.len()), ((0, 0), 0, 2));
    assert_eq!(shown().await, 0, "no id is shown of what is not there");
    h.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_shows_what_there_is_erases_it_and_looks_for_it_once_more() {
    let mut server = Server::with(&legal("")).await;
    server.put(NDA, &contract(1)).await;
    server.rests().await;
    let shown = server.tries(&["erase", NDA]);
    assert_eq!(shown.code, 0, "{shown:?}");
    for part in ["conversation", "response", "file-", "nda.analysis.md", "Nothing is changed"] {
        assert!(shown.out.contains(part), "{part}: {shown:?}");
    }
    assert_eq!(server.conversations().await, (1, 0));

    let erased = server.tries(&["erase", NDA, "--yes", "--json"]);
    assert_eq!(erased.code, 0, "{erased:?}");
    let rows: Value = serde_json::from_str(&erased.out).unwrap();
    let seen = rows[0]["seen"].as_array().unwrap();
    assert!(seen.len() >= 6 && seen.iter().all(|one| one["is_gone"] == true), "{rows:#}");
    assert_eq!((server.conversations().await, server.responses().await.len()), ((0, 0), 0));
    assert_eq!(server.paths().await, [NDA]);

    let list = server.tries(&["erase", "--list"]);
    assert!(list.code == 0 && list.out.contains("not synced again") && !list.out.contains("nda"), "{list:?}");
    assert_eq!(server.tries(&["erase", "/Contracts/none.txt"]).code, 1);
    let id = key(&server, NDA).await.to_string();
    assert_eq!(server.tries(&["erase", "--undo", &id]).code, 0);
    server.rests().await;
    assert_eq!(server.held().await, [NDA]);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_says_that_no_server_runs_and_the_next_one_erases() {
    let mut server = Server::with(&legal("")).await;
    server.put(NDA, &contract(1)).await;
    server.rests().await;
    assert_eq!(tokio::task::block_in_place(|| server.program().stop()), 0);
    let asked = server.tries(&["erase", NDA, "--yes"]);
    assert!(asked.code == 1 && asked.err.contains("No server runs"), "{asked:?}");
    server.start();
    server.rests().await;
    assert_eq!(server.conversations().await, (0, 0));
    server.finish_leaving(&[&format!("not held: {NDA}")]).await;
}
