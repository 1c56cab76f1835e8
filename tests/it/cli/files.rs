//! `docket files`: is it current? The server's parts run in the test and change what the command then reads.

use serde_json::{Value, json};

use crate::budget::within;
use crate::harness::Harness;
use crate::harness::program::{Place, Run};

/// A harness and a place whose commands read its database.
async fn beside() -> (Harness, Place) {
    let harness = Harness::start().await;
    let place = Place::new();
    let settings = place.settings("http://127.0.0.1:9/", "http://127.0.0.1:9/");
    place.write("docket.toml", &settings.replace(&place.database_url(), &harness.database_url()));
    (harness, place)
}

fn rows(run: &Run) -> Vec<Value> {
    serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("one array of rows ({error}): {run:?}"))
}

/// The only row of the file at `path`.
fn row(place: &Place, path: &str) -> Value {
    let found = rows(&place.docket(&["files", path, "--json"]));
    assert_eq!(found.len(), 1, "{path}: {found:#?}");
    found[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_new_version_cannot_be_searched_is_behind_and_says_what_keeps_it() {
    let (h, place) = beside().await;
    h.put("/Contracts/nda.txt", "the first text").await;
    h.converges().await;
    let before = row(&place, "/Contracts/nda.txt");
    assert_eq!((&before["state"], &before["reason"]), (&json!("current"), &Value::Null), "{before:#}");
    assert_eq!((&before["copy_version"], &before["copy_hash"]), (&before["version"], &before["hash"]));

    h.openai_fails(json!({"kind": "unauthorized"})).await;
    h.put("/Contracts/nda.txt", "the second text, which is longer").await;
    h.take_in().await;
    while h.work_one().await {}
    h.put("/Contracts/new.txt", "a new file").await;
    h.take_in().await;

    let now = row(&place, "Contracts/nda.txt");
    assert_eq!(
        (&now["state"], &now["copy"], &now["held_by"]),
        (&json!("behind"), &json!("indexed"), &json!("openai"))
    );
    assert_ne!(now["version"], now["copy_version"], "{now:#}");
    assert_eq!((&now["copy_version"], &now["content_hash"]), (&before["version"], &before["content_hash"]));
    let reason = now["reason"].as_str().unwrap();
    assert!(reason.starts_with("an earlier version is still what can be searched; job "), "{reason}");
    assert!(reason.contains("is held, because OpenAI refuses: "), "{reason}");
    assert!(now["since"].is_i64() && now["job_id"].is_i64(), "{now:#}");

    // The new one has not been looked at, so its name is not known.
    let behind = rows(&place.docket(&["files", "--state", "behind", "--json"]));
    let new = behind.iter().find(|row| row["path"] == Value::Null).unwrap_or_else(|| panic!("{behind:#?}"));
    assert!(
        new["reason"].as_str().unwrap().starts_with("an event named it, and Docket has not looked at it yet")
    );
    assert_eq!(behind.len(), 2, "{behind:#?}");
    assert_eq!(rows(&place.docket(&["files", "--state", "current", "--json"])).len(), 0);

    let page = place.docket(&["files", "/Contracts/nda.txt"]);
    for part in [
        now["version"].as_str().unwrap(),
        now["copy_version"].as_str().unwrap(),
        reason,
        "uploaded as nda.txt",
    ] {
        assert!(page.out.contains(part), "{part} in {page:?}");
    }
    h.stop_leaving(&[
        "a pause of openai",
        "a waiting job: file (2 times)",
        "held otherwise than it is: /Contracts/nda.txt",
        "not held: /Contracts/new.txt",
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_job_is_dead_says_why() {
    let (h, place) = beside().await;
    h.put("/a.txt", "a text").await;
    h.fastio_fails(json!({"kind": "forbidden", "path": "/current/workspace/*/storage/*/read/**"})).await;
    h.settle_to_dead().await;
    let file = row(&place, "/a.txt");
    let (reason, dead) = (file["reason"].as_str().unwrap(), h.dead().await);
    assert!(
        reason.contains("nothing of it can be searched yet; job ") && reason.ends_with(&dead[0]),
        "{reason}"
    );
    assert_eq!((&file["state"], &file["job_state"]), (&json!("behind"), &json!("dead")));
    let table = place.docket(&["files"]);
    assert!(table.out.contains(&dead[0]), "the whole reason stands in a pipe: {table:?}");
    let page = place.docket(&["files", "/a.txt"]);
    assert!(page.out.contains(&format!("docket jobs retry {}", file["job_id"])), "{page:?}");

    let id = file["job_id"].to_string();
    let job = place.docket(&["jobs", "show", &id]);
    assert!(job.out.contains(&dead[0]) && job.out.contains("/a.txt") && job.out.contains("dead"), "{job:?}");
    let shown = rows(&place.docket(&["jobs", "show", &id, "--json"]));
    assert_eq!((&shown[0]["reason"], &shown[0]["path"]), (&json!(dead[0]), &json!("/a.txt")));
    let none = place.docket(&["jobs", "show", "99999"]);
    assert!(none.code == 1 && none.err.contains("there is no job 99999"), "{none:?}");
    h.finish_leaving(&["a dead job: file", "not held: /a.txt"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_in_which_a_file_was_uploaded_is_told() {
    let (h, place) = beside().await;
    h.put("/table.csv", "a,b\n1,2\n").await;
    h.put("/picture.xyz", "no text").await;
    h.put("/old.txt", "will go").await;
    h.settle().await;
    h.trash("/old.txt").await;
    h.settle().await;
    let table = row(&place, "/table.csv");
    assert_eq!((&table["filename"], &table["bytes"]), (&json!("table.csv.txt"), &json!(8)), "{table:#}");
    let picture = row(&place, "/picture.xyz");
    assert_eq!(picture["state"], "skipped");
    assert!(picture["reason"].as_str().unwrap().contains(".xyz"), "{picture:#}");
    let gone = row(&place, "/old.txt");
    assert_eq!(gone["state"], "gone");
    assert!(gone["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{gone:#}");
    let list = place.docket(&["files"]);
    assert!(!list.out.contains("/old.txt") && list.err.contains("--state gone"), "{list:?}");
    let unknown = place.docket(&["files", "/nothing.txt"]);
    assert_eq!(unknown.code, 1);
    assert!(
        unknown.out.contains("Docket knows no such file") && unknown.out.contains("contracts"),
        "{unknown:?}"
    );
    h.finish_leaving(&["skipped: /picture.xyz"]).await;
}

#[tokio::test]
async fn what_openai_cannot_read_is_listed_counted_and_looked_at_again() {
    let (h, place) = beside().await;
    h.put("/scan.pdf", "\u{1}\u{2}\u{3}").await;
    h.put("/notes.md", &format!("three words ![](data:image/png;base64,{})", "iVBORw0KGgo".repeat(20))).await;
    h.settle().await;
    let scan = row(&place, "/scan.pdf");
    assert_eq!(
        (&scan["state"], &scan["reading"], &scan["characters"]),
        (&json!("unread"), &json!("nothing"), &json!(0))
    );
    let unread = place.docket(&["files", "--state", "unread"]);
    assert!(unread.out.contains("can read nothing in it") && !unread.out.contains("/notes.md"), "{unread:?}");
    assert!(place.docket(&["status"]).out.contains("1 file that OpenAI holds and can read nothing in"));
    let notes = place.docket(&["files", "/notes.md"]);
    assert!(notes.out.contains("1 embedded picture left out"), "{notes:?}");
    let again = place.docket(&["files", "--look-again"]);
    assert!(again.out.contains("1 file to be looked at"), "{again:?}");
    assert_eq!(row(&place, "/scan.pdf")["state"], "current");
    h.settle().await;
    assert_eq!(row(&place, "/scan.pdf")["state"], "unread");
    h.finish_leaving(&["held otherwise than it is: /notes.md"]).await;
}

/// That many files that are current, and the same number that are gone and were seen later.
const FILL: &str = "
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < CAST($1 AS INTEGER))
    INSERT INTO file (source_id, profile, node, state, reason, path, ancestors, rules, version, size, seen_at)
    SELECT 'workspace:48:2' || state || i, 'workspace:48', '2' || state || i, state,
           CASE state WHEN 'gone' THEN 'it is in the trash' END,
           '/' || state || '/' || CASE i % 2 WHEN 0 THEN 'even' ELSE 'odd' END || '/' || i || '.txt', ' ', $2, 'v1', 1,
           CASE state WHEN 'gone' THEN 2 ELSE 1 END
    FROM n, (SELECT 'present' AS state UNION ALL SELECT 'gone')";
const FILL_COPIES: &str = "
    INSERT INTO copy (source_id, vector_store, state, version, size, content_hash, filename, bytes, file_id, since)
    SELECT source_id, 'vs_1', 'indexed', 'v1', 1, 'h', 'a.txt', 1, 'file-' || source_id, 1 FROM file WHERE state = 'present'";

async fn filled(files: i64, rule: &str) -> Place {
    let place = Place::alone();
    let database = place.made_database().await;
    database.execute_with(FILL, [files.to_string(), rule.to_owned()]).await;
    database.execute(FILL_COPIES).await;
    place
}

#[tokio::test]
async fn a_list_that_ends_early_says_so_and_the_gone_crowd_nobody_out() {
    let place = filled(66, "contracts").await;
    let count = |arguments: &[&str]| {
        let run = place.docket(&[&["files"], arguments, &["--json"]].concat());
        (rows(&run).len(), run.err)
    };
    let short = "50 of 66 files shown; --all shows all of them.\n";
    assert_eq!(count(&[]), (50, short.to_owned()));
    let words = place.docket(&["files"]);
    assert_eq!(words.err, short);
    assert_eq!(words.out.matches("/present/").count(), 50, "{words:?}");
    assert_eq!(count(&["--limit", "66"]), (66, String::new()));
    assert_eq!(count(&["--all"]), (132, String::new()));
    assert_eq!(count(&["--state", "gone", "--all"]), (66, String::new()));
    assert_eq!(count(&["--state", "gone"]).0, 50);
    assert_eq!(count(&["/present/even"]), (33, String::new()));
    assert_eq!(count(&["/**/odd/*.txt", "--state", "current"]), (33, String::new()));
    assert_eq!(count(&["/**/7.txt"]), (2, String::new()), "one of the two is gone");
    assert_eq!(count(&["2present7"]), (1, String::new()));
    assert_eq!(count(&["workspace:48:2gone7"]), (1, String::new()));
    assert_eq!(count(&["--rule", "contracts", "--limit", "500"]), (66, String::new()));
    let none = place.docket(&["files", "--rule", "contract"]);
    assert!(none.code == 2 && none.err.contains("those there are: contracts"), "{none:?}");
}

/// More than one bite of files, of which hardly any pass a filter, and none of the first.
#[tokio::test]
async fn what_few_files_are_is_found_among_very_many() {
    let place = filled(5_100, "contracts").await;
    let database = place.database();
    database.execute("DELETE FROM copy WHERE source_id = 'workspace:48:2present998'").await;
    database
        .execute(
            "UPDATE file SET state = 'skipped', reason = 'it is empty' WHERE source_id IN ('workspace:48:2present999', 'workspace:48:2present1')",
        )
        .await;
    database
        .execute("DELETE FROM copy WHERE source_id IN ('workspace:48:2present999', 'workspace:48:2present1')")
        .await;
    database
        .execute(
            "INSERT INTO job (key, task, needs, state, priority, due_at, created_at, updated_at)
             VALUES ('file:workspace:48:2new', '{}', ' fastio ', 'waiting', 0, 1, 1, 1)",
        )
        .await;
    let found = |arguments: &[&str]| {
        let run = place.docket(&[&["files", "--json"], arguments].concat());
        let found = rows(&run);
        let id = |row: &Value| row["source_id"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
        (found.iter().map(id).collect::<Vec<_>>().join(" "), run.err)
    };
    assert_eq!(found(&["--state", "behind"]), ("2present998 2new".to_owned(), String::new()));
    assert_eq!(found(&["--state", "skipped"]), ("2present1 2present999".to_owned(), String::new()));
    assert_eq!(found(&["/**/998.txt", "--state", "behind"]), ("2present998".to_owned(), String::new()));
    assert_eq!(found(&["2new"]), ("2new".to_owned(), String::new()));
    assert_eq!(found(&["workspace:48:2new"]), ("2new".to_owned(), String::new()));
    assert_eq!(found(&["/present/odd/99.txt", "--limit", "1"]), ("2present99".to_owned(), String::new()));
    let one = place.docket(&["files", "/**/998.txt", "--state", "behind"]);
    assert!(
        one.out.contains("docket sweep") && !one.out.contains("PATH"),
        "shown as a file alone is: {one:?}"
    );
    let (shown, err) = found(&["--limit", "2"]);
    assert_eq!(shown, "2present0 2present10");
    assert_eq!(err, "The first 2 files shown; --all shows all of them, --from PATH goes on there.\n");
    for from in ["/present/even/10.txt", "present/even/10.txt"] {
        let (shown, _) = found(&["--limit", "3", "--from", from]);
        assert_eq!(shown, "2present10 2present100 2present1000", "{from}");
    }
}

#[tokio::test]
async fn all_files_come_page_by_page_each_once() {
    let place = filled(1_234, "contracts").await;
    let all = rows(&place.docket(&["files", "--all", "--json"]));
    let mut paths: Vec<&str> = all.iter().map(|row| row["path"].as_str().unwrap()).collect();
    assert!(paths.is_sorted());
    paths.dedup();
    assert_eq!(paths.len(), 2 * 1_234);
    let words = place.docket(&["files", "--all"]);
    assert_eq!(words.out.matches("PATH").count(), 1, "one heading");
    assert_eq!(words.out.matches(".txt").count(), 2 * 1_234);
}

#[tokio::test]
async fn at_a_terminal_nothing_is_wider_than_it_and_in_a_pipe_nothing_is_cut() {
    let place = filled(3, "contracts").await;
    let database = place.database();
    let (path, reason) =
        (format!("/{}/nda.txt", "deep/契約書/".repeat(20)), "a reason of many words ".repeat(12));
    let skip = "UPDATE file SET state = 'skipped', path = $1, reason = $2 WHERE source_id LIKE '%present1'";
    database.execute_with(skip, [path.clone(), reason.trim().to_owned()]).await;
    database.execute("DELETE FROM copy WHERE source_id LIKE '%present1'").await;

    let piped = place.docket(&["files"]);
    let line = piped.out.lines().find(|line| line.contains(&path)).unwrap_or_else(|| panic!("{piped:?}"));
    assert!(line.contains(reason.trim()), "{line}");
    let shown = place.with(&[("NO_COLOR", "1")]).docket_at_a_terminal(&["files"]);
    // A terminal gives each of these characters two columns.
    let columns = |line: &str| line.chars().map(|c| if "契約書".contains(c) { 2 } else { 1 }).sum::<usize>();
    assert!(shown.out.lines().all(|line| columns(line.trim_end()) <= 100), "{shown:?}");
    assert!(shown.out.contains("契約書"), "{shown:?}");
    let words = shown.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(reason.trim()), "wrapped, not cut: {shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_out_is_listed_and_explained_and_is_brought_back() {
    let settings = within("files = 1", "");
    let h = Harness::with(&settings).await;
    let place = Place::new();
    place.write("docket.toml", &format!("[database]\nurl = '{}'\n{settings}", h.database_url()));
    // By this machine's time, as the command has it.
    for path in ["/1.txt", "/2.txt"] {
        h.put(path, path).await;
        h.settle().await;
    }
    let out = rows(&place.docket(&["files", "--out", "--json"]));
    assert_eq!(
        (out.len(), &out[0]["path"], &out[0]["state"]),
        (1, &json!("/1.txt"), &json!("out")),
        "{out:#?}"
    );
    assert!(out[0]["since"].is_i64() && out[0]["copy"].is_null(), "{out:#?}");
    let told = place.docket(&["explain", "/1.txt"]).said();
    assert!(
        told.contains("/1.txt is out of OpenAI: rule all is at its budget of 1 file, and it was used least"),
        "{told}"
    );
    let status = place.docket(&["status"]).out;
    assert!(status.contains("rule all: 1 file") && status.contains("1 file out"), "{status}");

    let brought = place.docket(&["files", "bring", "1.txt"]);
    assert_eq!((brought.code, brought.out.as_str()), (0, "1 file comes back.\n"), "{brought:?}");
    h.settle().await;
    assert_eq!(h.held().await, ["/1.txt"]);
    let nothing = place.docket(&["files", "bring", "/1.txt"]);
    assert!(nothing.code == 1 && nothing.out.contains("nothing to bring back"), "{nothing:?}");
    h.pass(60_000);
    assert_eq!(place.docket(&["files", "bring", "--rule", "all"]).out, "1 file comes back.\n");
    h.settle().await;
    h.finish_leaving(&["out: /1.txt"]).await;
}
