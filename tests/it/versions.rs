//! Two versions of Docket on one database: the older one goes on beside what the newer one has added, and not beside what that has
//! taken away.

use serde_json::Value;

use crate::harness::cluster::cluster;
use crate::harness::{Server, contract, legal};

/// What the next version might add, in every table: columns with a default, one that a trigger fills, a table that a trigger writes,
/// an index, and a word more in a check.
const EXPANDS: &str = "
    DO $$ DECLARE one TEXT; BEGIN
        FOR one IN SELECT table_name FROM information_schema.tables
                   WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND table_name <> 'docket_migration' LOOP
            EXECUTE format('ALTER TABLE %I ADD COLUMN newer TEXT NOT NULL DEFAULT ''newer''', one);
            -- One lock at a time: work that holds others goes on meanwhile.
            COMMIT;
        END LOOP;
    END $$;
    ALTER TABLE job ADD COLUMN kind TEXT;
    CREATE TABLE job_kind (kind TEXT NOT NULL, jobs BIGINT NOT NULL DEFAULT 1);
    CREATE FUNCTION job_has_kind() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        NEW.kind := split_part(NEW.key, ':', 1);
        INSERT INTO job_kind (kind) VALUES (NEW.kind);
        RETURN NEW;
    END $$;
    CREATE TRIGGER job_has_kind BEFORE INSERT ON job FOR EACH ROW EXECUTE FUNCTION job_has_kind();
    CREATE INDEX job_of_kind ON job (kind);
    ALTER TABLE job DROP CONSTRAINT job_state_check,
        ADD CHECK (state IN ('waiting', 'running', 'dead', 'asleep'));";

#[tokio::test(flavor = "multi_thread")]
async fn a_server_goes_on_beside_a_newer_versions_schema_until_that_takes_away_what_it_needs() {
    let mut server = Server::with(&legal("digest = 'overview.csv'\ndigest_quiet_seconds = 0")).await;
    assert_eq!(tokio::task::block_in_place(|| server.program().stop()), 0);
    let url = cluster().empty();
    let name = url.rsplit('/').next().unwrap().to_owned();
    server.works_on(&url);
    server.start();
    let ours = cluster().sql(&name, "SELECT max(version) FROM docket_migration");
    for number in 1..=3 {
        server.put(&format!("/Contracts/{number}.txt"), &contract(number)).await;
    }
    server.rests().await;
    // Its statements about this are prepared from now on.
    assert_eq!(server.tries(&["erase", "/Contracts/3.txt", "--yes"]).code, 0);
    server.put("/Contracts/4.txt", &contract(4)).await;
    server.put("/Contracts/5.txt", &contract(5)).await;
    // In the middle of that.
    tokio::task::block_in_place(|| cluster().script(&name, EXPANDS));
    let expands =
        "INSERT INTO docket_migration (version, name, checksum, needs) VALUES (9001, 'expands', '', ";
    cluster().sql(&name, &format!("{expands}{ours})"));
    server.put("/Contracts/1.txt", &contract(11)).await;
    server.trash("/Contracts/2.txt").await;
    server.put("/Contracts/6.txt", &contract(6)).await;
    server.rests().await;
    let held = ["/Contracts/1.txt", "/Contracts/4.txt", "/Contracts/5.txt", "/Contracts/6.txt"];
    assert_eq!(server.held().await, held);
    assert!(server.read("/Contracts/1.analysis.md").await.contains("EUR 110,000"));
    let kinds = cluster().sql(&name, "SELECT count(*) FROM job_kind WHERE kind = 'file'");
    assert_ne!(kinds, "0", "what the newer version keeps is kept by the older one too");
    assert_eq!(server.tries(&["erase", "/Contracts/4.txt", "--yes"]).code, 0);

    // The older one can be started again, and its commands work.
    assert_eq!(tokio::task::block_in_place(|| server.program().stop()), 0);
    server.start();
    let check: Value = serde_json::from_str(&server.tries(&["check", "--json"]).out).unwrap();
    let said = check.as_array().unwrap().iter().find(|row| row["check"] == "database").unwrap();
    assert!(said["message"].as_str().unwrap().contains("this version can work beside it"), "{check:#}");
    server.put("/Contracts/7.txt", &contract(7)).await;
    server.rests().await;

    // The one after that drops what only this version asks for.
    assert_eq!(tokio::task::block_in_place(|| server.program().stop()), 0);
    cluster().sql(
        &name,
        "INSERT INTO docket_migration (version, name, checksum, needs) VALUES (9002, 'contracts', '', 9001)",
    );
    for command in [&["serve"][..], &["status"], &["migrate"], &["files"]] {
        let refused = server.tries(command);
        assert!(
            refused.code == 1 && refused.err.contains("schema of a newer docket; use that version"),
            "{refused:?}"
        );
    }
    cluster().sql(&name, "DELETE FROM docket_migration WHERE version = 9002");
    server.finish_leaving(&["not held: /Contracts/3.txt", "not held: /Contracts/4.txt"]).await;
}
