//! Lists that are longer than what is shown: each is read page by page, and any of them can be gone on with.

use serde_json::Value;

use crate::harness::program::{Place, Run};

const JOBS: i64 = 1_203;

/// Jobs in several lanes, of which some are dead and some run. What is due at once is in order of its number.
const FILL_JOBS: &str = "
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < CAST($1 AS INTEGER))
    INSERT INTO job (key, task, needs, state, priority, due_at, lease_until, reason, created_at, updated_at)
    SELECT 'relist:workspace:' || i, '{}', CASE i % 3 WHEN 0 THEN ' fastio ' ELSE ' openai/vs_' || (i % 7) || ' ' END,
           CASE i % 100 WHEN 1 THEN 'dead' WHEN 2 THEN 'running' ELSE 'waiting' END, i % 2 * 10, (i * 7919) % 1000,
           CASE i % 100 WHEN 2 THEN 9000000000000 END, CASE i % 100 WHEN 1 THEN 'no' END, 1, 1
    FROM n";

const FILL_RUNS: &str = "
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < CAST($1 AS INTEGER))
    INSERT INTO run (rule, source_id, profile, node, path, content_hash, bytes, file_id, vector_store, definition, engine, state,
                     created_at, updated_at)
    SELECT 'r' || (i % 2), 'workspace:1:' || i, 'workspace:1', i, '/' || i, 'h', 1, 'f', 'v', 'd', 'responses', 'wanted', 1, i / 4
    FROM n";

const FILL_EVENTS: &str = "
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < CAST($1 AS INTEGER))
    INSERT INTO event (event_id, source, kind, subject, name, received_at, ignored_because)
    SELECT 'evt_' || i, 'webhook', 'ignored', 'file', 'x', i / 4,
           CASE i % 3 WHEN 0 THEN 'a lock changes no file' ELSE 'a download changes no file' END
    FROM n";

fn rows(run: &Run) -> Vec<Value> {
    serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("one array of rows ({error}): {run:?}"))
}

/// Each row's `id`, from one listing and from pages of `limit` that go on behind each other.
fn whole_and_in_pages(place: &Place, command: &[&str], id: &str, limit: &str) -> [Vec<String>; 2] {
    let ids =
        |rows: &[Value]| rows.iter().map(|row| row[id].to_string().replace('"', "")).collect::<Vec<_>>();
    let whole = ids(&rows(&place.docket(&[command, &["--json", "--limit", "100000"]].concat())));
    let mut pages: Vec<String> = Vec::new();
    loop {
        let after = pages.last().cloned();
        let go_on: Vec<&str> = after.iter().flat_map(|id| ["--after", id]).collect();
        let run = place.docket(&[command, &["--json", "--limit", limit], &go_on].concat());
        let page = ids(&rows(&run));
        let last = page.last().cloned();
        pages.extend(page);
        if !run.err.contains("--after") {
            return [whole, pages];
        }
        let last = last.unwrap();
        assert!(run.err.contains(&format!("--after {last} goes on")), "{run:?}");
    }
}

async fn filled(sql: &str, rows: i64) -> Place {
    let place = Place::alone();
    let database = place.made_database().await;
    database.execute_with(sql, [rows.to_string()]).await;
    place
}

#[tokio::test]
async fn jobs_of_all_lanes_are_listed_by_when_they_are_due_and_the_dead_first() {
    let place = filled(FILL_JOBS, JOBS).await;
    let all = rows(&place.docket(&["jobs", "list", "--json", "--limit", "5000"]));
    let order = |row: &Value| {
        let state = ["dead", "running", "waiting"].iter().position(|state| row["state"] == *state);
        (state, row["due_at"].as_i64(), row["job_id"].as_i64())
    };
    assert_eq!(all.len(), usize::try_from(JOBS).unwrap());
    assert!(all.is_sorted_by_key(order), "{all:#?}");
    let [whole, pages] = whole_and_in_pages(&place, &["jobs", "list"], "job_id", "250");
    assert_eq!(whole, pages);
    let [whole, pages] = whole_and_in_pages(&place, &["jobs", "list", "--state", "dead"], "job_id", "5");
    assert_eq!((whole.len(), &whole), (13, &pages));
    let words = place.docket(&["jobs", "list", "--limit", "700"]);
    assert_eq!(words.out.matches("ABOUT").count(), 1, "one heading");
    assert!(words.err.starts_with("700 of 1203 jobs shown; --limit 1203 shows all of them"), "{}", words.err);
    let none = place.docket(&["jobs", "list", "--after", "999999"]);
    assert!(none.code == 1 && none.err.contains("there is no job 999999"), "{none:?}");
}

#[tokio::test]
async fn all_dead_jobs_are_retried_or_discarded_in_bites_and_counted() {
    let place = filled(FILL_JOBS, 120_000).await;
    assert_eq!(place.docket(&["jobs", "retry", "--all"]).out, "1200 jobs made due now.\n");
    assert_eq!(place.docket(&["jobs", "retry", "--all"]).out, "0 jobs made due now.\n");
    let place = filled(FILL_JOBS, 120_000).await;
    assert_eq!(place.docket(&["jobs", "discard", "--all"]).out, "1200 jobs discarded.\n");
    let left = rows(&place.docket(&["jobs", "list", "--json", "--state", "dead"]));
    assert_eq!(left.len(), 0);
}

#[tokio::test]
async fn runs_and_events_can_be_gone_on_with_where_their_list_ended() {
    let place = filled(FILL_RUNS, 70).await;
    let [whole, pages] = whole_and_in_pages(&place, &["runs", "list"], "run_id", "9");
    assert_eq!((whole.len(), &whole), (70, &pages));
    let [whole, pages] = whole_and_in_pages(&place, &["runs", "list", "--rule", "r1"], "run_id", "9");
    assert_eq!((whole.len(), &whole), (35, &pages));
    let place = filled(FILL_EVENTS, 90).await;
    let [whole, pages] = whole_and_in_pages(&place, &["events"], "event_id", "7");
    assert_eq!((whole.len(), &whole), (30, &pages));
    let [whole, pages] = whole_and_in_pages(&place, &["events", "--all"], "event_id", "7");
    assert_eq!((whole.len(), &whole), (90, &pages));
    let none = place.docket(&["events", "--after", "evt_none"]);
    assert!(none.code == 1 && none.err.contains("there is no event evt_none"), "{none:?}");
}
