//! From SQLite to PostgreSQL and back, in the middle of a life: `docket database copy`.

use serde_json::{Value, json};

use crate::harness::beside::Beside;
use crate::harness::cluster::cluster;
use crate::harness::program::{KEYS, Place};
use crate::harness::{Server, contract, legal};

fn contract_at(number: usize) -> String {
    format!("/Contracts/{number}.txt")
}

/// Stops the server in order, and copies its database to `url`, where it works from now on.
fn move_to(server: &mut Server, url: &str) {
    assert_eq!(tokio::task::block_in_place(|| server.program().stop()), 0);
    let copied = server.tries(&["database", "copy", "--to", url, "--json"]);
    assert_eq!(copied.code, 0, "{copied:?}");
    let told: Value = serde_json::from_str(&copied.out).unwrap();
    let tables = told["tables"].as_array().unwrap();
    let rows = |name: &str| tables.iter().find(|one| one["table"] == name).unwrap()["rows"].as_u64().unwrap();
    assert!(["file", "copy", "event", "run"].into_iter().all(|table| rows(table) > 2), "{told:#}");
    assert!(tables.iter().all(|one| one["rows"] == one["verified"]), "{told:#}");
    server.works_on(url);
    server.start();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_life_goes_on_in_postgresql_and_then_in_sqlite_and_nothing_is_uploaded_again() {
    let mut server = Server::with(&legal("digest = 'overview.csv'")).await;
    for number in 1..=4 {
        server.put(&contract_at(number), &contract(number)).await;
    }
    server.rests().await;
    // What comes now is held, and goes the way with its reason.
    server.openai_fails(json!({ "kind": "server_error" })).await;
    server.put(&contract_at(5), &contract(5)).await;
    let beside = Beside::of(&server.place().database_url()).await;
    beside.until(async |records| (!records.pauses().await.is_empty()).then_some(())).await;
    assert_eq!((server.responses().await.len(), server.held().await.len()), (4, 4));
    let uploads = server.uploads().await;

    move_to(&mut server, &cluster().empty());
    server.no_faults().await;
    server.rests().await;
    server.put(&contract_at(1), &contract(11)).await;
    server.trash(&contract_at(2)).await;
    server.rename(&contract_at(3), "/Contracts/three.txt").await;
    server.rests().await;
    // The one that was held, and the one that changed; each with its run.
    assert_eq!(server.responses().await.len(), 6);
    assert!(server.read("/Contracts/1.analysis.md").await.contains("EUR 110,000"));
    assert!(!server.read("/Contracts/overview.csv").await.contains("2.txt"));
    let there = ["/Contracts/1.txt", "/Contracts/4.txt", "/Contracts/5.txt", "/Contracts/three.txt"];
    assert_eq!(server.held().await, there);
    server.never_unsearchable(&contract_at(1)).await;

    let back = format!("sqlite://{}", server.place().path("back.db").display());
    move_to(&mut server, &back);
    server.rests().await;
    server.put(&contract_at(4), &contract(14)).await;
    server.trash("/Contracts/three.txt").await;
    server.rests().await;
    assert!(server.read("/Contracts/4.analysis.md").await.contains("EUR 140,000"));
    let uploaded = server.uploads().await - uploads;
    assert_eq!(uploaded, 3, "the one that was held, and the two that were edited");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_server_starts_on_a_copy_that_was_killed_and_the_next_copy_begins_anew() {
    let place = Place::alone();
    place.made_database().await.execute("INSERT INTO clock VALUES (1, 5)").await;
    let url = cluster().empty();
    let name = url.rsplit('/').next().unwrap().to_owned();
    let at = place.with(&[("DATABASE_URL", &url), KEYS[0], KEYS[1], KEYS[2]]);
    assert_eq!(at.docket(&["migrate"]).code, 0);
    cluster().script(
        &name,
        "CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep_for('10 min'); RETURN NEW; END $$;
         CREATE TRIGGER stay BEFORE INSERT ON clock FOR EACH ROW EXECUTE FUNCTION stay();",
    );
    let copy = ["database", "copy", "--from", &place.database_url(), "--to", &url];
    let mut copying = at.start(&copy);
    copying.err.find(|line| line.contains("is unfinished until"));
    copying.kill();
    let serve = at.docket(&["serve"]);
    assert!(serve.code == 1 && serve.err.contains("docket database copy"), "{serve:?}");
    let check = at.docket(&["check"]);
    assert!(check.code == 1 && check.out.contains("holds a part of another database"), "{check:?}");

    cluster().sql(
        &name,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'INSERT INTO clock%'",
    );
    cluster().sql(&name, "DROP TRIGGER stay ON clock");
    let copied = at.docket(&copy);
    assert!(copied.code == 0 && copied.out.contains("is the same"), "{copied:?}");
    assert_eq!(at.docket(&["status"]).code, 4, "there is no server, and a database");
    let again = at.docket(&copy);
    assert!(again.code == 1 && again.err.contains("holds rows already"), "{again:?}");
}

#[test]
fn a_wrong_url_or_password_is_told_with_its_cure_and_without_it() {
    let place = Place::alone();
    let source = place.database_url();
    let none = place.docket(&["database", "copy", "--to", "postgres://docket@127.0.0.1:1/docket"]);
    assert!(none.code == 1 && none.err.contains("there is no database at"), "{none:?}");
    assert_eq!(place.docket(&["migrate"]).code, 0);
    for (url, code, words) in [
        ("postgres://docket:geheim@127.0.0.1:1/docket", 1, "start it"),
        ("postgres://docket:geheim@/docket", 2, "URL"),
        ("mysql://docket:geheim@db/docket", 2, "sqlite://PATH"),
        (source.as_str(), 2, "both"),
    ] {
        let run = place.docket(&["database", "copy", "--to", url]);
        assert!(
            run.code == code && run.err.contains(words) && !run.said().contains("geheim"),
            "{url}: {run:?}"
        );
    }
    assert_eq!(place.docket(&["database", "copy"]).code, 2);
}
