//! The public listener, the inbox and the drain, over real HTTP and a real SQLite file.

use std::sync::Arc;
use std::time::Duration;

use docket::clock::Clock;
use docket::database::Database;
use docket::event::store::newest;
use docket::receive::drain::{Drain, drain_once};
use docket::receive::inbox::{Level, Writer};
use docket::receive::signature::{Scheme, sign};
use docket::receive::{self, Parts, Settings};
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::{Connection, Row};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const SECRET: &str = "whsec_dGVzdC1zZWNyZXQtMTIzNDU2Nzg5MA==";

/// A listener and its inbox on a database of its own. The drain runs when a test says so.
struct World {
    folder: Arc<TempDir>,
    database: Database,
    clock: Clock,
    level: Arc<Level>,
    drain: Option<Drain>,
    workers: Arc<Notify>,
    address: std::net::SocketAddr,
    client: reqwest::Client,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

/// Short limits, so that a test which runs into one does not take long.
fn settings() -> Settings {
    Settings {
        header_timeout_seconds: 1,
        body_timeout_seconds: 1,
        stop_timeout_seconds: 3,
        ..Settings::default()
    }
}

impl World {
    async fn start() -> World {
        World::with(settings()).await
    }

    async fn with(settings: Settings) -> World {
        World::on(Arc::new(tempfile::tempdir().unwrap()), settings, true).await
    }

    async fn on(folder: Arc<TempDir>, settings: Settings, write: bool) -> World {
        let database = Database::open(&url(&folder)).await.unwrap();
        let (clock, workers) = (Clock::default(), Arc::new(Notify::new()));
        let parts = Parts {
            database: database.clone(),
            clock: clock.clone(),
            workers: workers.clone(),
            heard: Arc::default(),
        };
        let secrets = [SecretString::from("the-secret-before-the-rotation"), SecretString::from(SECRET)];
        let receive = receive::open(settings, &secrets, parts).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let level = receive.public.level();
        tasks.spawn(receive.public.serve(listener, stop.clone()));
        if write {
            tasks.spawn(Writer::run(receive.writer, stop.clone()));
        } else {
            // Kept, so that its queue stays open: a writer that hangs.
            tasks.spawn(async move { drop((std::future::pending::<()>().await, receive.writer)) });
        }
        let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        let drain = Some(receive.drain);
        World { folder, database, clock, level, drain, workers, address, client, stop, tasks }
    }

    fn path(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn post(&self, headers: &[(&str, String)], body: &[u8]) -> reqwest::Response {
        let mut request = self.client.post(self.path("/webhooks/fastio")).body(body.to_vec());
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        request.send().await.unwrap()
    }

    fn signed(&self, body: &[u8]) -> Vec<(&'static str, String)> {
        sign(Scheme::FastioV1Base64, &SECRET.into(), self.clock.now() / 1000, body)
    }

    async fn send(&self, body: &Value) -> u16 {
        let body = body.to_string().into_bytes();
        self.post(&self.signed(&body), &body).await.status().as_u16()
    }

    async fn drain(&self) -> (usize, usize, usize) {
        let mut total = (0, 0, 0);
        loop {
            let drained = drain_once(&self.database, self.clock.now()).await.unwrap();
            if drained.rows == 0 {
                return total;
            }
            total = (total.0 + drained.new, total.1 + drained.duplicate, total.2 + drained.jobs);
        }
    }

    async fn events(&self) -> Vec<docket::event::Row> {
        newest(&mut self.database.read().acquire().await.unwrap(), 1000).await.unwrap()
    }

    async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query(sql).fetch_one(self.database.read()).await.unwrap().get(0)
    }

    async fn jobs(&self) -> i64 {
        self.number("SELECT count(*) FROM job").await
    }

    /// Lets the drain of a server flush its counts.
    async fn counts(&mut self) -> Vec<(String, String, i64)> {
        let stop = CancellationToken::new();
        stop.cancel();
        if let Some(drain) = self.drain.take() {
            drain.run(stop).await;
        }
        receive::counts(&mut self.database.read().acquire().await.unwrap()).await.unwrap()
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

fn url(folder: &TempDir) -> String {
    format!("sqlite://{}/docket.db", folder.path().display())
}

fn event(id: &str, node: &str) -> Value {
    json!({"event_id": id, "event": "workspace_storage_file_added", "created": "2026-09-25 21:40:11 UTC",
           "workspace_id": "4829105738291047362", "object_id": node})
}

/// What the server says until it hangs up.
async fn rest(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut text)).await.unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn a_delivery_signed_in_any_documented_way_becomes_an_event_and_a_job() {
    let mut world = World::start().await;
    let secret = SecretString::from(SECRET);
    for (index, scheme) in [Scheme::FastioV1Base64, Scheme::XFastioSha256Hex].into_iter().enumerate() {
        let body = event(&format!("evt_{index}"), &format!("2node{index}")).to_string();
        let mut headers = sign(scheme, &secret, world.clock.now() / 1000, body.as_bytes());
        headers.push(("content-type", "application/json; charset=utf-8".into()));
        let response = world.post(&headers, body.as_bytes()).await;
        assert_eq!(response.status(), 202);
        assert_eq!(response.text().await.unwrap(), r#"{"events":1}"#);
    }
    assert_eq!(world.drain().await, (2, 0, 2));
    let row = world.events().await.pop().unwrap();
    assert_eq!((row.kind.as_str(), row.subject.as_str(), row.source.as_str()), ("added", "file", "webhook"));
    assert_eq!(row.profile.as_deref(), Some("workspace:4829105738291047362"));
    assert_eq!(world.number("SELECT secret_index FROM event LIMIT 1").await, 1);
    assert_eq!(world.number("SELECT count(*) FROM job WHERE needs LIKE '%openai%'").await, 2);
    let counts = world.counts().await;
    for (name, label, count) in [
        ("accepted", "", 2),
        ("matched", "fastio_v1_base64 secret 1 as_given", 1),
        ("matched", "x_fastio_sha256_hex secret 1 as_given", 1),
    ] {
        assert!(counts.contains(&(name.into(), label.into(), count)), "{name} {label}: {counts:?}");
    }
}

#[tokio::test]
async fn a_delivery_that_is_not_signed_is_401_and_leaves_nothing() {
    let mut world = World::start().await;
    let body = event("evt_1", "2a").to_string().into_bytes();
    let right = world.signed(&body);
    let stale = sign(Scheme::FastioV1Base64, &SECRET.into(), world.clock.now() / 1000 - 301, &body);
    let foreign = sign(Scheme::FastioV1Base64, &"somebody-else's".into(), world.clock.now() / 1000, &body);
    let mut tampered = body.clone();
    tampered[20] ^= 1;
    let mut texts = Vec::new();
    for (headers, body) in [(vec![], &body), (stale, &body), (foreign, &body), (right, &tampered)] {
        let response = world.post(&headers, body).await;
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        texts.push(response.text().await.unwrap());
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "the answer tells which check failed: {texts:?}");
    assert_eq!(world.level.rows(), 0);
    assert_eq!(world.drain().await, (0, 0, 0));
    let counts = world.counts().await;
    for (reason, count) in [("missing_signature", 1), ("timestamp_too_old", 1), ("signature_mismatch", 2)] {
        assert!(counts.contains(&("rejected".into(), reason.into(), count)), "{reason}: {counts:?}");
    }
}

#[tokio::test]
async fn a_delivery_told_twice_is_one_event_and_one_job() {
    let world = World::start().await;
    for _ in 0..3 {
        assert_eq!(world.send(&event("evt_1", "2a")).await, 202);
    }
    assert_eq!(world.drain().await, (1, 2, 1));
    assert_eq!(world.send(&event("evt_1", "2a")).await, 202);
    assert_eq!(world.drain().await, (0, 1, 0));
    assert_eq!((world.events().await.len(), world.jobs().await), (1, 1));
}

#[tokio::test]
async fn a_repeat_without_an_id_is_one_event_but_looked_at_again() {
    let world = World::start().await;
    let body = json!({"event": "file.modified", "data": {"file_id": "2a", "workspace_id": "7"}});
    assert_eq!(world.send(&body).await, 202);
    assert_eq!(world.drain().await, (1, 0, 1));
    assert_eq!(world.send(&body).await, 202);
    assert_eq!(world.drain().await, (0, 1, 1));
    assert_eq!((world.events().await.len(), world.jobs().await), (1, 1));
}

#[tokio::test]
async fn what_docket_does_not_know_is_shown_as_ignored() {
    let world = World::start().await;
    assert_eq!(world.send(&json!({"event_id": "e1", "event": "moon_landed"})).await, 202);
    assert_eq!(world.send(&json!({"event_id": "e2", "event": "file.accessed", "file_id": "2a"})).await, 202);
    assert_eq!(world.send(&json!({"hello": "from the dashboard"})).await, 202);
    assert_eq!(world.drain().await, (3, 0, 0));
    let events = world.events().await;
    assert!(events.iter().all(|row| row.kind == "ignored" && row.ignored_because.is_some()), "{events:?}");
    assert_eq!(world.jobs().await, 0);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_has_its_status() {
    let world = World::with(Settings { max_body_bytes: 1000, ..settings() }).await;
    let answer = async |headers: &[(&str, String)], body: &[u8]| {
        let response = world.post(headers, body).await;
        let status = response.status().as_u16();
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["status"], status, "{problem}");
        status
    };
    for garbage in [&b"{\"event\":"[..], b"\xff\xfe\x00", b"42", b""] {
        assert_eq!(answer(&world.signed(garbage), garbage).await, 400);
    }
    let long = vec![b'x'; 1001];
    assert_eq!(answer(&world.signed(&long), &long).await, 413);
    let body = b"{}";
    let with = |name, value: &str| {
        let mut headers = world.signed(body);
        headers.push((name, value.to_owned()));
        headers
    };
    assert_eq!(answer(&with("content-type", "text/plain"), body).await, 415);
    assert_eq!(answer(&with("content-encoding", "gzip"), body).await, 415);
    let get = world.client.get(world.path("/webhooks/fastio")).send().await.unwrap();
    assert_eq!((get.status().as_u16(), get.headers()["allow"].to_str().unwrap()), (405, "POST"));
    assert_eq!(get.headers()["content-type"], "application/problem+json");
    let nothing = world.client.get(world.path("/metrics")).send().await.unwrap();
    assert_eq!(
        (nothing.status().as_u16(), &nothing.headers()["content-type"] == "application/problem+json"),
        (404, true)
    );
    assert_eq!(world.level.rows(), 0);
}

#[tokio::test]
async fn a_body_of_unknown_length_is_cut_off_at_the_limit() {
    let world = World::with(Settings { max_body_bytes: 1000, ..settings() }).await;
    let mut stream = world.connect().await;
    stream
        .write_all(b"POST /webhooks/fastio HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        .await
        .unwrap();
    for _ in 0..3 {
        stream.write_all(format!("{:x}\r\n{}\r\n", 500, "x".repeat(500)).as_bytes()).await.unwrap();
    }
    assert!(rest(stream).await.starts_with("HTTP/1.1 413"));
}

#[tokio::test]
async fn too_long_a_head_is_431() {
    let world = World::with(Settings { max_header_bytes: 8192, ..settings() }).await;
    let mut stream = world.connect().await;
    let head = format!("GET /livez HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "x".repeat(10_000));
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(rest(stream).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn a_sender_that_dawdles_is_cut_off() {
    let world = World::start().await;
    let mut head = world.connect().await;
    head.write_all(b"POST /webhooks/fastio HTTP/1.1\r\nhost").await.unwrap();
    let mut body = world.connect().await;
    body.write_all(b"POST /webhooks/fastio HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
        .await
        .unwrap();
    let silent = world.connect().await;
    let (head, body, silent) = tokio::join!(rest(head), rest(body), rest(silent));
    assert_eq!((head.as_str(), silent.as_str()), ("", ""));
    assert!(body.starts_with("HTTP/1.1 408"), "{body}");
    assert!(body.to_lowercase().contains("connection: close"), "{body}");
}

#[tokio::test]
async fn a_body_that_is_cut_off_leaves_nothing() {
    let world = World::start().await;
    let body = event("evt_1", "2a").to_string();
    let (name, value) = world.signed(body.as_bytes()).remove(0);
    let mut stream = world.connect().await;
    let head = format!(
        "POST /webhooks/fastio HTTP/1.1\r\nhost: x\r\n{name}: {value}\r\ncontent-length: {}\r\n\r\n",
        body.len() + 1
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let answer = rest(stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(world.level.rows(), 0);
}

#[tokio::test]
async fn a_sender_that_closes_its_side_still_gets_its_answer() {
    let world = World::start().await;
    let body = event("evt_1", "2a").to_string();
    let (name, value) = world.signed(body.as_bytes()).remove(0);
    let mut stream = world.connect().await;
    let length = body.len();
    let request = format!(
        "POST /webhooks/fastio HTTP/1.1\r\nhost: x\r\n{name}: {value}\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    assert!(rest(stream).await.starts_with("HTTP/1.1 202"));
}

#[tokio::test]
async fn connections_over_the_limit_wait_for_their_turn() {
    let world = World::with(Settings { max_connections: 1, ..settings() }).await;
    let first = world.connect().await;
    // Waits in the backlog until the silent first one is cut off.
    assert_eq!(world.send(&event("evt_1", "2a")).await, 202);
    assert_eq!(rest(first).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_shares_commits_and_every_acknowledged_delivery_is_kept() {
    let mut world = World::start().await;
    let drain = world.drain.take().unwrap();
    world.tasks.spawn(drain.run(world.stop.clone()));
    let world = Arc::new(world);
    let (senders, each) = (64, 20);
    let mut tasks = JoinSet::new();
    for sender in 0..senders {
        let world = world.clone();
        tasks.spawn(async move {
            for index in 0..each {
                let id = format!("evt_{sender}_{index}");
                assert_eq!(world.send(&event(&id, &format!("2node{}", index % 5))).await, 202);
            }
        });
    }
    while let Some(result) = tasks.join_next().await {
        result.unwrap();
    }
    let deliveries = senders * each;
    assert!(world.level.commits() < deliveries, "{} commits", world.level.commits());
    world.drain().await;
    assert_eq!(world.number("SELECT count(*) FROM event").await, i64::try_from(deliveries).unwrap());
    assert_eq!(world.jobs().await, 5);
}

#[tokio::test]
async fn what_was_acknowledged_before_a_crash_is_drained_after_it() {
    let world = World::start().await;
    for index in 0..300 {
        assert_eq!(world.send(&event(&format!("evt_{index}"), "2a")).await, 202);
    }
    let folder = world.folder.clone();
    // A crash: nothing is stopped or closed in order.
    drop(world);
    let world = World::on(folder, settings(), true).await;
    assert_eq!(world.level.rows(), 300);
    let (new, duplicate, _) = world.drain().await;
    assert_eq!((new, duplicate), (300, 0));
    assert_eq!(world.number("SELECT count(*) FROM inbox").await, 0);
}

#[tokio::test]
async fn a_full_disk_is_503_and_passes() {
    let world = World::start().await;
    assert_eq!(world.send(&event("evt_0", "2a")).await, 202);
    for _ in 0..3 {
        fill_the_disk(&world).await;
        let big = json!({"event_id": "evt_1", "event": "file.added", "file_id": "2a", "workspace_id": "7",
                         "x": "x".repeat(100_000)});
        let body = big.to_string().into_bytes();
        let response = world.post(&world.signed(&body), &body).await;
        assert_eq!(response.status(), 503);
        assert!(response.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap() > 0);
        // Readiness tries for itself and finds that there is space again.
        assert_eq!(world.client.get(world.path("/readyz")).send().await.unwrap().status(), 200);
        assert_eq!(world.send(&big).await, 202);
    }
    assert_eq!(world.drain().await, (2, 2, 2));
}

/// SQLite then fails as it does when the disk is full. The limit is the connection's own, so space returns with a new one.
async fn fill_the_disk(world: &World) {
    let mut writer = world.database.begin().await.unwrap();
    sqlx::query("PRAGMA max_page_count = 1").execute(&mut *writer).await.unwrap();
    writer.commit().await.unwrap();
}

#[tokio::test]
async fn a_database_locked_by_another_process_is_503_and_passes() {
    let world = World::with(Settings { ack_timeout_milliseconds: 100, ..settings() }).await;
    let path = world.folder.path().join("docket.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut other = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    assert_eq!(world.send(&event("evt_1", "2a")).await, 503);
    let ready = world.client.get(world.path("/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 503);
    assert!(ready.text().await.unwrap().contains("cannot be written"));
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    let mut status = 503;
    while status == 503 {
        status = world.send(&event("evt_1", "2a")).await;
    }
    assert_eq!(status, 202);
    assert_eq!(world.drain().await.0, 1);
}

#[tokio::test]
async fn a_full_inbox_is_503_until_it_is_drained() {
    let mut world = World::with(Settings { inbox_max_rows: 2, ..settings() }).await;
    assert_eq!(world.send(&event("evt_1", "2a")).await, 202);
    assert_eq!(world.send(&event("evt_2", "2a")).await, 202);
    assert_eq!(world.send(&event("evt_3", "2a")).await, 503);
    let ready = world.client.get(world.path("/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 503);
    assert!(ready.text().await.unwrap().contains("inbox is full"));
    let woken = world.workers.clone();
    let woken = woken.notified();
    let drain = world.drain.take().unwrap();
    world.tasks.spawn(drain.run(world.stop.clone()));
    woken.await;
    assert_eq!(world.send(&event("evt_3", "2a")).await, 202);
}

#[tokio::test]
async fn a_writer_that_hangs_is_503_before_fastio_gives_up() {
    let settings = Settings { ack_timeout_milliseconds: 50, ..settings() };
    let world = World::on(Arc::new(tempfile::tempdir().unwrap()), settings, false).await;
    assert_eq!(world.send(&event("evt_1", "2a")).await, 503);
    assert_eq!(world.client.get(world.path("/livez")).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_stop_finishes_the_request_in_hand_and_takes_no_new_one() {
    let mut world = World::start().await;
    let body = event("evt_1", "2a").to_string();
    let (name, value) = world.signed(body.as_bytes()).remove(0);
    let mut stream = world.connect().await;
    let head = format!(
        "POST /webhooks/fastio HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n{name}: {value}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body: the request is in hand.
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).await.unwrap();
    assert!(asked.starts_with(b"HTTP/1.1 100"));
    world.stop.cancel();
    stream.write_all(body.as_bytes()).await.unwrap();
    assert!(rest(stream).await.starts_with("HTTP/1.1 202"));
    while world.tasks.join_next().await.is_some() {}
    assert!(TcpStream::connect(world.address).await.is_err());
    assert_eq!(world.drain().await, (1, 0, 1));
}

#[tokio::test]
async fn events_are_forgotten_after_their_days() {
    let mut world = World::with(Settings { event_keep_days: 1, ..settings() }).await;
    assert_eq!(world.send(&event("evt_old", "2a")).await, 202);
    world.drain().await;
    world.clock.shift(25 * 60 * 60 * 1000);
    assert_eq!(world.send(&event("evt_new", "2a")).await, 202);
    let woken = world.workers.clone();
    let woken = woken.notified();
    let drain = world.drain.take().unwrap();
    world.tasks.spawn(drain.run(world.stop.clone()));
    woken.await;
    world.stop.cancel();
    while world.tasks.join_next().await.is_some() {}
    let ids: Vec<String> = world.events().await.into_iter().map(|row| row.event_id).collect();
    assert_eq!(ids, ["evt_new"]);
}

#[tokio::test]
async fn an_inbox_row_that_cannot_be_read_does_not_stop_the_others() {
    let world = World::start().await;
    assert_eq!(world.send(&event("evt_1", "2a")).await, 202);
    let mut transaction = world.database.begin().await.unwrap();
    sqlx::query("UPDATE inbox SET body = $1")
        .bind(&b"\xff not json"[..])
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(world.send(&event("evt_2", "2b")).await, 202);
    assert_eq!(world.drain().await, (2, 0, 1));
    let events = world.events().await;
    let unreadable = events.iter().find(|row| row.kind == "ignored").unwrap();
    assert_eq!(unreadable.ignored_because.as_deref(), Some("the body is not JSON"));
}

#[tokio::test]
async fn without_a_secret_nothing_starts() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&url(&folder)).await.unwrap();
    let parts =
        Parts { database, clock: Clock::default(), workers: Arc::new(Notify::new()), heard: Arc::default() };
    let error = receive::open(settings(), &[], parts).await.err().unwrap().to_string();
    assert!(error.contains("FASTIO_WEBHOOK_SECRET"), "{error}");
}
