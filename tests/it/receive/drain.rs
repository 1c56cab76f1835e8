//! In which order the drain takes what waits.

use std::sync::Mutex;

use super::{World, event};

/// So many deliveries wait that the drain needs many passes.
const WAITING: u32 = 6_000;

#[tokio::test]
async fn what_comes_now_does_not_wait_for_all_that_came_before() {
    let mut world = World::start().await;
    let fill = format!(
        r#"WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < {WAITING})
           INSERT INTO inbox (received_at, signed_at, scheme, secret_index, headers, body)
           SELECT 1, 1, 'fastio_v1_base64', 0, '{{}}', CAST(json_object('event_id', 'old_' || number,
               'event', 'workspace_storage_file_added', 'workspace_id', '7', 'object_id', '2n' || number) AS BLOB)
           FROM numbers"#
    );
    world.database_file().inbox().execute(&fill).await;
    let drain = world.drain.take().unwrap();
    let workers = world.workers.clone();
    world.tasks.spawn(drain.run(world.stop.clone()));
    // A pass is over, and the others are held up while the new one comes.
    workers.notified().await;
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (held, (begun, holds)) = (Mutex::new(held), std::sync::mpsc::channel::<()>());
    let database = world.database.clone();
    let hold = tokio::spawn(async move {
        let hold = move |_: &mut docket::database::Connection| {
            begun.send(()).unwrap();
            Ok(_ = held.lock().unwrap().recv())
        };
        database.write(hold).await.unwrap();
    });
    tokio::task::spawn_blocking(move || holds.recv().unwrap()).await.unwrap();
    assert_eq!(world.send(&event("new", "2new")).await, 202);
    release.send(()).unwrap();
    hold.await.unwrap();
    world.stop.cancel();
    while world.tasks.join_next().await.is_some() {}
    world.drain().await;
    let after = "SELECT count(*) FROM event WHERE rowid > (SELECT rowid FROM event WHERE event_id = 'new')";
    let after = world.number(after).await;
    assert!(after > i64::from(WAITING) / 4, "only {after} of those that had come before were taken after it");
    assert_eq!(world.number("SELECT count(*) FROM event").await, i64::from(WAITING) + 1);
    assert_eq!(world.number("SELECT count(*) FROM inbox").await, 0);
}
