use std::sync::mpsc::{Sender, channel};

use super::*;
use crate::database::{Database, Sql, params, statements};

statements! {
    COUNT = "SELECT count(*) FROM clock";
    ADD = "INSERT INTO clock (one, seen_at) VALUES (1, $1)";
    SET = "UPDATE clock SET seen_at = seen_at + $1";
    SEEN = "SELECT seen_at FROM clock";
}

async fn new(folder: &tempfile::TempDir) -> Database {
    Database::open(&format!("sqlite://{}/docket.db", folder.path().display())).await.unwrap()
}

fn count(connection: &mut Connection) -> Result<i64, Error> {
    connection.one(COUNT, params![])
}

#[tokio::test]
async fn what_fails_or_panics_takes_back_its_own_rows_only() {
    let folder = tempfile::tempdir().unwrap();
    let database = new(&folder).await;
    database.write(|connection| connection.run(ADD, params![1])).await.unwrap();
    // All three wait while the first holds the thread, so they share a commit.
    let (first, release) = hold(&database);
    let fails = database.write(|connection| {
        connection.run(SET, params![10])?;
        connection.run(ADD, params![8])
    });
    let ours = database.clone();
    let panics = tokio::spawn(async move {
        ours.write(|connection| -> Result<(), Error> {
            connection.run(SET, params![100])?;
            panic!("in the middle")
        })
        .await
    });
    let works = database.write(|connection| connection.run(SET, params![1000]));
    let all = async { tokio::join!(first, fails, panics, works) };
    let release = async {
        tokio::task::yield_now().await;
        release.send(()).unwrap();
    };
    let ((first, fails, panics, works), ()) = tokio::join!(all, release);
    first.unwrap();
    assert!(matches!(fails, Err(Error::Conflict(_))), "{fails:?}");
    assert!(panics.unwrap_err().is_panic());
    assert_eq!(works.unwrap(), 1);
    assert_eq!(database.read(|connection| connection.one::<i64>(SEEN, params![])).await.unwrap(), 1001);
}

#[tokio::test]
async fn a_read_sees_one_state_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let database = new(&folder).await;
    database.write(|connection| connection.run(ADD, params![1])).await.unwrap();
    let refused = database.read(|connection| connection.run(SET, params![1])).await;
    assert!(matches!(refused, Err(Error::Bug(_))), "{refused:?}");
    assert_eq!(database.read(count).await.unwrap(), 1);
}

/// Holds the thread that writes until it is told to go on.
fn hold(database: &Database) -> (impl Future<Output = Result<(), Error>>, Sender<()>) {
    let (release, held) = channel::<()>();
    let held = Mutex::new(held);
    let database = database.clone();
    (async move { database.write(move |_| Ok(_ = lock(&held).recv())).await }, release)
}

#[tokio::test]
async fn long_work_goes_after_others_and_learns_that_they_wait() {
    let folder = tempfile::tempdir().unwrap();
    let database = new(&folder).await;
    assert!(!database.write_behind(|_, others_wait| Ok(others_wait())).await.unwrap());
    let (held, release) = hold(&database);
    let add = |connection: &mut Connection| connection.run(ADD, params![1]);
    let long = database.write_behind(move |connection, others_wait| Ok((count(connection)?, others_wait())));
    let release = async {
        tokio::task::yield_now().await;
        release.send(()).unwrap();
    };
    let all = async { tokio::join!(held, database.write(add), long) };
    let ((held, added, long), ()) = tokio::join!(all, release);
    held.unwrap();
    // What shared the commit of the first went with it.
    assert_eq!((added.unwrap(), long.unwrap()), (1, (1, false)));
}

#[tokio::test]
async fn a_commit_waits_for_the_disk_unless_all_that_is_in_it_can_be_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let database = new(&folder).await;
    let mode =
        |connection: &mut Connection| connection.one::<i64>(Sql::listed("PRAGMA synchronous"), params![]);
    let (normal, full) = (1, 2);
    assert_eq!(database.write(mode).await.unwrap(), full);
    assert_eq!(database.write_unsynced(mode).await.unwrap(), normal);
    assert_eq!(database.write_behind(move |connection, _| mode(connection)).await.unwrap(), normal);
    let (held, release) = hold(&database);
    let release = async {
        tokio::task::yield_now().await;
        release.send(()).unwrap();
    };
    let shared = async { tokio::join!(held, database.write_unsynced(mode), database.write(mode)) };
    let ((_, unsynced, synced), ()) = tokio::join!(shared, release);
    assert_eq!((unsynced.unwrap(), synced.unwrap()), (full, full));
}

#[tokio::test]
async fn a_commit_that_waits_for_the_disk_takes_along_those_that_did_not_also_when_it_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let database = new(&folder).await;
    database.write(|connection| connection.run(ADD, params![1])).await.unwrap();
    let wal = || std::fs::metadata(folder.path().join("docket.db-wal")).unwrap().len();
    database.write_unsynced(|connection| connection.run(SET, params![1])).await.unwrap();
    let unsynced = wal();
    database.write(count).await.unwrap();
    let synced = wal();
    // A frame, without which SQLite has nothing to sync.
    assert!(synced > unsynced, "{unsynced} {synced}");
    database.write(count).await.unwrap();
    assert_eq!(wal(), synced, "all is on the disk, and it is written again");
}

#[tokio::test]
async fn what_was_asked_for_before_the_end_is_done_and_nothing_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let database = new(&folder).await;
    let (asked, ()) =
        tokio::join!(database.write(|connection| connection.run(ADD, params![1])), database.close());
    assert_eq!(asked.unwrap(), 1);
    let late = database.write(|connection| connection.run(SET, params![1])).await;
    assert!(late.unwrap_err().will_pass());
    assert_eq!(new(&folder).await.read(count).await.unwrap(), 1);
}
