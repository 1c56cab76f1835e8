//! Another process holds the database's lock for longer than Docket waits for it: senders are told to come again,
//! workers wait, no attempt is lost, and all goes on when the lock goes.

use std::sync::Mutex;
use std::time::Duration;

use docket::clock::Clock;
use docket::database::Database;
use docket::queue::{Claimed, Handler, NewJob, Priority, Queue, Settings, Verdict, enqueue};
use docket::receive::signature::{Scheme, sign};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::harness::beside::{Beside, again};
use crate::harness::database::{DatabaseFile, HeldLock};
use crate::harness::program::{KEYS, Place, SECRET, WORKSPACE};
use crate::harness::records::Records;

/// Work during which the database is locked by another program.
struct IsLocked {
    database: DatabaseFile,
    lock: Mutex<Option<HeldLock>>,
}

impl Handler for IsLocked {
    async fn handle(&self, _: &Claimed) -> Verdict {
        let lock = self.database.lock("BEGIN IMMEDIATE").await;
        *self.lock.lock().unwrap() = Some(lock);
        Verdict::Done
    }
}

#[tokio::test]
async fn work_that_is_done_while_the_database_is_locked_is_written_down_when_the_lock_goes() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/docket.db", folder.path().display());
    let database = Database::open(&url).await.unwrap();
    let queue = Queue::new(database.clone(), Clock::default(), Settings::default());
    let job = NewJob { key: "a", task: "{}", needs: &[], priority: Priority::Live };
    database.write(move |tx| enqueue(tx, &job, 0)).await.unwrap();
    let handler = IsLocked { database: DatabaseFile::of(&url), lock: Mutex::default() };
    let never = CancellationToken::new();
    let work = queue.work_one(&handler, &never);
    tokio::pin!(work);
    // Longer than a statement waits for the lock.
    assert!(tokio::time::timeout(Duration::from_millis(2_500), &mut work).await.is_err());
    let lock = handler.lock.lock().unwrap().take().unwrap();
    drop(lock);
    assert!(work.await.unwrap());
    assert_eq!(queue.next_due().await.unwrap(), None, "it would be done once more");
}

async fn send(client: &reqwest::Client, url: &str, id: &str, node: &str) -> reqwest::Response {
    let body = json!({"event_id": id, "event": "workspace_storage_file_added", "workspace_id": WORKSPACE, "object_id": node})
        .to_string();
    let mut request = client.post(url).body(body.clone());
    for (name, value) in
        sign(Scheme::FastioV1Base64, &SECRET.into(), Clock::default().now() / 1000, body.as_bytes())
    {
        request = request.header(name, value);
    }
    request.send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_database_is_locked_for_long_loses_nothing_and_goes_on() {
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let sandbox = docket_sandbox::start(docket_sandbox::Options::default(), stop).await.unwrap();
    let place = Place::beside(&sandbox);
    let at = place.with(&KEYS);
    let client = reqwest::Client::new();
    let mut nodes = Vec::new();
    for number in 0..4 {
        let url = sandbox.fastio_url().join(&format!("/_sandbox/files/{WORKSPACE}/{number}.txt")).unwrap();
        let answer: Value =
            client.put(url).body(format!("file {number}")).send().await.unwrap().json().await.unwrap();
        nodes.push(answer["node_id"].as_str().unwrap().to_owned());
    }
    let (mut server, listens) = at.serve(&[]);
    let url = listens.url("/webhooks/fastio");
    assert_eq!(send(&client, &url, "evt_0", &nodes[0]).await.status(), 202);

    let lock = place.database().lock("BEGIN EXCLUSIVE").await;
    assert_eq!(send(&client, &url, "evt_1", &nodes[1]).await.status(), 202, "it waits for its own file only");
    let inbox = place.database().inbox().lock("BEGIN EXCLUSIVE").await;
    let refused = send(&client, &url, "evt_2", &nodes[2]).await;
    assert_eq!(refused.status(), 503);
    assert!(refused.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap() > 0);
    // Who only reads is not held up; who writes is told what is in the way.
    let (status, retry) = tokio::task::block_in_place(|| {
        (at.docket(&["status", "--json"]), at.docket(&["jobs", "retry", "1"]))
    });
    assert_eq!(status.code, 0, "{status:?}");
    assert_eq!(retry.code, 1, "{retry:?}");
    assert!(retry.err.contains("another program holds the lock"), "{retry:?}");
    // A second server is refused whatever else is the matter.
    let second = tokio::task::block_in_place(|| at.docket(&["serve"]));
    assert_eq!(second.code, 1, "{second:?}");
    assert!(second.err.contains("another docket server already works on"), "{second:?}");
    drop((lock, inbox));

    for (number, node) in nodes.iter().enumerate() {
        let id = format!("evt_{number}");
        let answer =
            async || Some(send(&client, &url, &id, node).await.status()).filter(|status| *status != 503);
        assert_eq!(again(answer).await, 202);
    }
    until_done(&place.database_url(), &nodes).await;
    assert_eq!(server.stop(), 0);
}

/// Waits until every file is searchable; demands that no attempt was lost on the way.
async fn until_done(url: &str, nodes: &[String]) {
    let all = i64::try_from(nodes.len()).unwrap();
    let done = async |records: &Records| {
        let (jobs, copies) = (records.jobs().await, records.copies().await);
        assert!(jobs.iter().all(|job| job.attempt <= 1), "an attempt was lost: {jobs:#?}");
        (jobs.is_empty() && copies == [("indexed".to_owned(), all)]).then_some(())
    };
    Beside::of(url).await.until(done).await;
}
