//! `docket backup` and `docket restore`: a copy is whole while a server works, and what happened since it was made is told and
//! brought in line.

use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use crate::harness::program::{KEYS, Place};
use crate::harness::{Harness, World};

/// What a backup is of these tests' databases only where that is a file.
fn is_for_postgres() -> bool {
    crate::harness::database::is_postgres()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_whole_and_restoring_it_tells_what_happened_since() {
    if is_for_postgres() {
        return;
    }
    let h = Harness::start().await;
    h.put("/before.txt", "It was there before.").await;
    h.settle().await;
    let place = Place::beside(&h.sandbox);
    let docket = |arguments: &[&str]| tokio::task::block_in_place(|| place.with(&KEYS).docket(arguments));

    // Of the harness's own database, which is open and worked with.
    let url = format!("database.url=sqlite://{}", h.kept_in().join("docket.db").display());
    let made = docket(&["backup", "copy.db", "--set", &url]);
    assert!(made.code == 0 && made.out.contains("in copy.db, whole"), "{made:?}");
    assert_eq!(place.path("copy.db").metadata().unwrap().mode() & 0o777, 0o600);
    assert!(!place.path("copy.db.part").exists() && !place.path("copy.db-inbox").exists());
    let twice = docket(&["backup", "copy.db", "--set", &url]);
    assert!(twice.code == 1 && twice.err.contains("a backup writes over nothing"), "{twice:?}");

    h.put("/after.txt", "It came after the copy was made.").await;
    h.settle().await;

    // Into a database that is there and empty, and then over one that is not.
    let restored = docket(&["restore", "copy.db", "--set", "rule=[]"]);
    assert_eq!(restored.code, 2, "rules that cannot work are said first: {restored:?}");
    let settings = std::fs::read_to_string(place.path("docket.toml")).unwrap();
    place.write(
        "docket.toml",
        &settings
            .replace("name = 'contracts'", "name = 'all'")
            .replace("create = 'contracts'", "create = 'all'"),
    );
    let restored = docket(&["restore", "copy.db"]);
    assert_eq!(restored.code, 0, "{restored:?}");
    assert!(!restored.out.contains("What was there is"), "there was nothing: {restored:?}");
    assert!(restored.out.contains("Since the copy was made:"), "{restored:?}");
    assert!(restored.out.contains("/after.txt"), "what came since is told: {restored:?}");
    assert!(!restored.out.contains("/before.txt"), "what is as it was is not: {restored:?}");
    let again = docket(&["restore", "copy.db", "--offline"]);
    assert!(again.code == 0 && again.out.contains("docket.db.before-"), "{again:?}");
    assert!(again.out.contains("The inbox stayed"), "{again:?}");

    let files = docket(&["files", "--json"]);
    let files: Vec<Value> = serde_json::from_str(&files.out).unwrap();
    let paths: Vec<&str> = files.iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/before.txt"], "it is as it was when the copy was made");
    h.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_backup_is_not_put_in_a_databases_place() {
    let world = World::start(docket_sandbox::Options::default()).await;
    let place = Place::beside(&world.sandbox);
    place.made_database().await;
    place.write("text.db", "This is no database.");
    let docket = |arguments: &[&str]| tokio::task::block_in_place(|| place.with(&KEYS).docket(arguments));
    let before = std::fs::read(place.path("docket.db")).unwrap_or_default();
    for from in ["text.db", "nothing.db"] {
        let refused = docket(&["restore", from]);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert_eq!(std::fs::read(place.path("docket.db")).unwrap_or_default(), before, "{from}");
    }
    if !is_for_postgres() {
        let itself = docket(&["restore", "docket.db"]);
        assert!(itself.code == 1 && itself.err.contains("it is the database itself"), "{itself:?}");
    }
    let postgres = ["--set", "database.url=postgres://docket@db/docket"];
    let told = docket(&[&["backup", "copy.db"], &postgres[..]].concat());
    assert!(told.code == 2 && told.err.contains("pg_dump --format=custom --file=copy.db"), "{told:?}");
    let told = docket(&[&["restore", "copy.db"], &postgres[..]].concat());
    assert!(told.code == 2 && told.err.contains("pg_restore"), "{told:?}");
}
