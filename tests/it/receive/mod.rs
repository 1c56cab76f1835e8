//! The public listener, the inbox and the drain, over real HTTP and a real SQLite file.

mod crowd;
mod delivery;
mod drain;
mod odd;
mod trouble;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use docket::database::Database;
use docket::event::store::{Page, newest};
use docket::receive::drain::{Drain, drain_once};
use docket::receive::inbox::Level;
use docket::receive::signature::{Scheme, sign};
use docket::receive::{self, Parts, Settings, Upkeep};
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::harness::clock::TestClock;
use crate::harness::database::{DatabaseFile, opened, url_in};

const SECRET: &str = "whsec_dGVzdC1zZWNyZXQtMTIzNDU2Nzg5MA==";

/// A listener and its inbox on a database of its own. The drain runs when a test says so.
struct World {
    folder: Arc<TempDir>,
    database: Database,
    clock: TestClock,
    level: Arc<Level>,
    drain: Option<Drain>,
    upkeep: Upkeep,
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
        World::on(Arc::new(tempfile::tempdir().unwrap()), settings).await
    }

    async fn on(folder: Arc<TempDir>, settings: Settings) -> World {
        let database = opened(&url(&folder)).await;
        let (clock, workers) = (TestClock::default(), Arc::new(Notify::new()));
        let parts = Parts {
            database: database.clone(),
            clock: clock.share(),
            workers: workers.clone(),
            heard: Arc::default(),
            wanted: Arc::new(|_, _| Ok(true)),
        };
        let secrets = [SecretString::from("the-secret-before-the-rotation"), SecretString::from(SECRET)];
        let receive = receive::open(settings, &secrets, parts).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let level = receive.public.level();
        tasks.spawn(receive.public.serve(listener, stop.clone()));
        // No connection is used twice: the server may cut off an idle one in the moment in which a request begins on it.
        let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).pool_max_idle_per_host(0);
        let client = client.build().unwrap();
        let (drain, upkeep) = (Some(receive.drain), receive.upkeep);
        World { folder, database, clock, level, drain, upkeep, workers, address, client, stop, tasks }
    }

    fn path(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn post(&self, headers: &[(&str, String)], body: &[u8]) -> reqwest::Response {
        self.post_to("/webhooks/fastio", headers, body).await
    }

    async fn post_to(&self, path: &str, headers: &[(&str, String)], body: &[u8]) -> reqwest::Response {
        let mut request = self.client.post(self.path(path)).body(body.to_vec());
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
        self.database
            .read(|connection| newest(connection, Page { downloads: true, ..Page::first(1000) }))
            .await
            .unwrap()
    }

    async fn number(&self, sql: &str) -> i64 {
        self.database_file().number(sql).await
    }

    fn database_file(&self) -> DatabaseFile {
        DatabaseFile::of(&url(&self.folder))
    }

    async fn jobs(&self) -> i64 {
        self.number("SELECT count(*) FROM job").await
    }

    /// What is counted, as a server writes it down at its end.
    async fn counts(&self) -> Vec<(String, String, i64)> {
        self.upkeep.finish().await;
        self.database.read(receive::counts).await.unwrap()
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

fn url(folder: &TempDir) -> String {
    url_in(folder.path())
}

fn event(id: &str, node: &str) -> Value {
    json!({"event_id": id, "event": "workspace_storage_file_added", "created": "2026-09-25 21:40:11 UTC",
           "workspace_id": "4829105738291047362", "object_id": node})
}

/// The head of a request that claims a signature which only its body can prove wrong, with one more header line.
fn claiming(world: &World, line: &str) -> String {
    let forged = sign(Scheme::FastioV1Base64, &"somebody-else's".into(), world.clock.now() / 1000, b"");
    let (name, value) = &forged[0];
    format!("POST /webhooks/fastio HTTP/1.1\r\nhost: x\r\n{name}: {value}\r\n{line}\r\n\r\n")
}

/// What the server says until it hangs up.
async fn rest(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut text)).await.unwrap();
    String::from_utf8_lossy(&text).into_owned()
}
