//! Servers in this process: by clocks that are wrong, and in pieces that cannot wake each other.

use std::time::Instant;

use docket::app::{App, Parts, Start};
use docket::clock::{Clock, Reading};
use docket::database::ServerLock;
use docket::receive::signature::{Scheme, sign};
use docket_sandbox::Options;
use secrecy::SecretString;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Balancer, SECRET, config, environment, new_database, sql, world};
use crate::harness::beside::Beside;
use crate::harness::ending::left;
use crate::harness::records::Records;
use crate::harness::{ONE_STORE, WORKSPACE, World};

const TEN_MINUTES_MS: i64 = 10 * 60 * 1000;

/// A machine's clocks, so far ahead of what is so.
fn off_by(ms: i64) -> Clock {
    let start = Instant::now();
    Clock::new(move || Reading {
        wall_ms: Clock::default().now() + ms,
        passed_ms: i64::try_from(start.elapsed().as_millis()).unwrap(),
    })
}

/// Waits until the work is done, and demands that both sides agree.
async fn agrees(world: &World, url: &str, rules: &docket::rule::Rules) {
    let beside = Beside::of(url).await;
    let mut nothing_left = 0;
    beside
        .until(async |records| {
            world.sandbox.flush_webhooks().await;
            let is_left = records.waiting().await > 0 || !records.jobs().await.is_empty();
            nothing_left = if is_left { 0 } else { nothing_left + 1 };
            (nothing_left == 2).then_some(())
        })
        .await;
    let records = Records::of(url).await;
    assert_eq!(left(world, &records, rules).await, [""; 0]);
    records.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_whose_clocks_are_ten_minutes_off_work_as_the_others_do() {
    let listeners = [listener().await, listener().await, listener().await];
    let addresses: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
    let balancer = Balancer::before(addresses.clone()).await;
    let (world, url) = (world(balancer.address, Options::default()).await, new_database());
    let (folder, environment) = (TempDir::new().unwrap(), environment(&world, &url));
    let config = config(&folder, &environment, ONE_STORE);
    let stop = CancellationToken::new();
    let mut servers = Vec::new();
    for (listener, off) in listeners.into_iter().zip([-TEN_MINUTES_MS, 0, TEN_MINUTES_MS]) {
        let clock = off_by(off);
        let start = Start { listener: Some(listener), ..Start::default() };
        let app = App::start(&config, clock.clone(), start).await.unwrap();
        assert!((clock.now() - Clock::default().now()).abs() < 2_000, "off by {off}: {}", clock.now());
        servers.push(tokio::spawn(app.run_until(stop.clone().cancelled_owned())));
    }
    for number in 0..40 {
        world.put(&format!("/{number}.txt"), &format!("clause {number}")).await;
    }
    for address in addresses {
        assert_eq!(deliver(&format!("http://{address}/webhooks/fastio")).await, 202);
    }
    agrees(&world, &url, &config.rules().unwrap()).await;
    let odd = "SELECT count(*) FROM event WHERE abs(received_at - extract(epoch FROM clock_timestamp()) * 1000) > 60000";
    assert_eq!(sql(&url, odd), "0");
    assert_eq!(sql(&url, "SELECT count(*) FROM replica"), "3", "none was taken for dead");
    stop.cancel();
    for server in servers {
        server.await.unwrap().unwrap();
    }
    // By the machine's clock, what two of them took would be ten minutes old or of the future.
    assert_eq!(sql(&url, "SELECT count(*) FROM receive_count WHERE name = 'late'"), "0");
    assert_ne!(sql(&url, "SELECT count(*) FROM receive_count WHERE name = 'accepted'"), "0");
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Posts what Fastio signs now. Answers the status.
async fn deliver(url: &str) -> u16 {
    let body = json!({"event_id": uuid::Uuid::now_v7().to_string(), "event": "workspace_storage_file_added",
        "workspace_id": WORKSPACE, "object_id": "2none"});
    let body = serde_json::to_vec(&body).unwrap();
    let signed_at = Clock::default().now() / 1000;
    let signed = sign(Scheme::FastioV1Base64, &SecretString::from(SECRET), signed_at, &body);
    let request = reqwest::Client::new().post(url).header("content-type", "application/json");
    let request = signed.into_iter().fold(request, |request, (name, value)| request.header(name, value));
    request.body(body).send().await.unwrap().status().as_u16()
}

/// One takes deliveries, one drains them, one does the work: none of them hears of it when another has something for it.
#[tokio::test(flavor = "multi_thread")]
async fn all_work_is_done_where_nobody_wakes_anybody() {
    let listener = listener().await;
    let (world, url) = (world(listener.local_addr().unwrap(), Options::default()).await, new_database());
    let (folder, environment) = (TempDir::new().unwrap(), environment(&world, &url));
    let config = config(&folder, &environment, ONE_STORE);
    let part = async || {
        let clock = Clock::default();
        let lock = ServerLock::serve(&config.database, clock.clone()).await.unwrap();
        (Parts::build(&config, clock, Some(&lock)).await.unwrap(), lock)
    };
    let ((takes, _one), (drains, _two), (works, _three)) = (part().await, part().await, part().await);
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    tasks.spawn(takes.receive.public.serve(listener, stop.clone()));
    tasks.spawn(drains.receive.drain.run(stop.clone()));
    for _ in 0..4 {
        let (queue, work, stop) = (works.queue.clone(), works.work.clone(), stop.clone());
        tasks.spawn(async move { queue.work(&*work, stop, CancellationToken::new()).await });
    }
    for number in 0..30 {
        world.put(&format!("/{number}.txt"), &format!("clause {number}")).await;
    }
    world.trash("/7.txt").await;
    agrees(&world, &url, &config.rules().unwrap()).await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}
