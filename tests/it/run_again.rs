//! A rule is run again over many files: some at a time, with deliveries acknowledged in between, and resumable.

use docket::database::Connection;
use docket::run::{self, Again, BITE};

use crate::harness::{Harness, WORKSPACE, contract, legal};

const FILES: i64 = 20_000;

/// Of these every fourth has no result.
const WANTED: i64 = FILES / 4;

/// Files that are indexed, as if a backfill had been done.
async fn seed(h: &Harness) {
    let definition = h.work.runs.definition("liability").unwrap();
    let numbers =
        format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {FILES})");
    let statements = [
        "INSERT INTO vector_store (name, intent, vector_store_id, created_at) VALUES ('contracts', 'i', 'vs_1', 1)"
            .to_owned(),
        format!(
            "{numbers} INSERT INTO file (source_id, profile, node, state, path, ancestors, rules, version, hash, size, seen_at)
             SELECT 'workspace:{WORKSPACE}:2n' || i, 'workspace:{WORKSPACE}', '2n' || i, 'present',
                    '/Contracts/' || i || '.txt', ' ', 'liability', 'v' || i, 'sha256:' || i, 400, 1 FROM n"
        ),
        format!(
            "{numbers} INSERT INTO copy (source_id, vector_store, state, version, hash, size, content_hash, filename, bytes,
                                         file_id, since)
             SELECT 'workspace:{WORKSPACE}:2n' || i, 'vs_1', 'indexed', 'v' || i, 'sha256:' || i, 400, 'c' || i, i || '.txt', 400,
                    'file-' || i, 1 FROM n"
        ),
        format!(
            "{numbers} INSERT INTO run (rule, source_id, profile, node, path, content_hash, bytes, file_id, vector_store,
                                        definition, engine, state, outcome, created_at, updated_at, ended_at)
             SELECT 'liability', 'workspace:{WORKSPACE}:2n' || i, 'workspace:{WORKSPACE}', '2n' || i,
                    '/Contracts/' || i || '.txt', 'c' || i, 400, 'file-' || i, 'vs_1', '{}', 'responses', 'ended', 'completed',
                    1, 1, 1 FROM n WHERE i % 4 <> 0",
            definition.hash
        ),
    ];
    for statement in statements {
        h.meddle(&statement).await;
    }
}

#[tokio::test]
async fn a_rule_of_twenty_thousand_files_is_run_again_in_bites_and_holds_up_no_delivery() {
    let h = Harness::with(&legal("")).await;
    seed(&h).await;
    let definition = h.work.runs.definition("liability").unwrap();
    let estimate = async || {
        let definition = definition.clone();
        h.database.read(move |connection| run::estimate(connection, &definition)).await.unwrap()
    };
    let before = estimate().await;
    assert_eq!((before.files as i64, before.runs as i64), (FILES, WANTED));
    assert_eq!(before.input_tokens as i64, WANTED * 100);

    let jobs = async || h.number("SELECT count(*) FROM job WHERE key LIKE 'run:%'").await;
    let (mut before, mut files, mut bites) = (0, 0, 0);
    let mut again = Again::over(&h.database, definition).await.unwrap();
    // It is stopped half way, and begun anew.
    for part in 0..2 {
        while let Some(bite) = again.bite(&h.database, h.clock.now()).await.unwrap() {
            let now = jobs().await;
            assert_eq!(now - before, bite.begun as i64);
            assert!(bite.begun <= BITE as usize && bite.files <= BITE as usize, "{bite:?}");
            before = now;
            files += bite.files as i64;
            bites += 1;
            if bites % 10 == 0 {
                assert_eq!(h.webhook("workspace_storage_file_updated", "2another").await, 202);
            }
            if part == 0 && files * 2 >= FILES {
                break;
            }
        }
        again = Again::over(&h.database, definition).await.unwrap();
    }
    assert_eq!(jobs().await, WANTED);
    assert_eq!(h.number("SELECT count(*) FROM run WHERE state = 'wanted'").await, WANTED);
    assert!(bites >= FILES / i64::from(BITE), "{bites}");
    assert_eq!(estimate().await.runs, 0);
    h.take_in().await;
    // The runs are none that could be made: their files are only on record.
    h.stop_leaving(&[
        "a run that is wanted (5000 times)",
        "a waiting job: file",
        "a waiting job: run (5000 times)",
    ])
    .await;
}

#[tokio::test]
async fn one_file_is_run_over_again_though_it_has_a_result() {
    let h = Harness::with(&legal("")).await;
    let node = h.put("/Contracts/nda.txt", &contract(1)).await;
    h.put("/Contracts/other.txt", &contract(2)).await;
    h.settle().await;
    let definition = h.work.runs.definition("liability").unwrap();
    for name in ["/Contracts/nda.txt".to_owned(), node] {
        let (definition, now) = (definition.clone(), h.clock.now());
        let want_twice = move |tx: &mut Connection| {
            let file = run::file(tx, &definition, &name)?.unwrap();
            let first = run::want_one(tx, (&definition, &file), now)?;
            Ok((first, run::want_one(tx, (&definition, &file), now)?))
        };
        // While it goes on there is not a second.
        assert_eq!(h.database.write(want_twice).await.unwrap(), (true, false));
        h.converges().await;
        assert_eq!(h.outcomes().await, ["completed", "completed"]);
    }
    assert_eq!(h.responses().await.len(), 4);
    assert_eq!(h.paths().await.len(), 4, "the new results are versions of the old one");
    let definition = definition.clone();
    let none = move |connection: &mut Connection| run::file(connection, &definition, "/Contracts/none.txt");
    assert!(h.database.read(none).await.unwrap().is_none());
    h.finish().await;
}
