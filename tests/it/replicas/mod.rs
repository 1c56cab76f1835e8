//! Several servers on one PostgreSQL: real processes behind a small balancer, killed and paused, and the parts of servers that share
//! what one keeps in its memory.

mod parts;
mod processes;
mod shared;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use docket::clock::Clock;
use docket::config::{Config, Sources};
use docket::database::{Database, ServerLock};
use docket_sandbox::{Options, Scheme, Webhook};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::harness::cluster::{cluster, pooler};
use crate::harness::database::{is_pooled, migrate, settings};
use crate::harness::{self, SECRET, World};

/// The URL of a new database with our schema, by way of the pooler where the tests are about that.
fn new_database() -> String {
    let url = cluster().migrated(migrate);
    if is_pooled() { pooler().url(&url) } else { url }
}

/// What statements answer in the database at `url`.
fn sql(url: &str, sql: &str) -> String {
    cluster().sql(url.rsplit('/').next().unwrap(), sql)
}

/// One more among the servers of the database at `url`, with its place there.
async fn join(url: &str, clock: Clock) -> (ServerLock, Database) {
    let lock = ServerLock::serve(settings(url), clock).await.unwrap();
    let database = Database::open_under(settings(url), &lock).await.unwrap();
    (lock, database)
}

/// Passes each connection on to the next of those that take it, as a balancer does.
struct Balancer {
    address: SocketAddr,
    stop: CancellationToken,
}

impl Balancer {
    async fn before(servers: Vec<SocketAddr>) -> Balancer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let (servers, turn, tasks) = (Arc::new(servers), Arc::new(AtomicUsize::new(0)), TaskTracker::new());
        tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
            while let Ok((client, _)) = listener.accept().await {
                tasks.spawn(pass(client, servers.clone(), turn.fetch_add(1, Ordering::Relaxed)));
            }
        }));
        Balancer { address, stop }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn pass(mut client: TcpStream, servers: Arc<Vec<SocketAddr>>, turn: usize) {
    for number in 0..servers.len() {
        if let Ok(mut server) = TcpStream::connect(servers[(turn + number) % servers.len()]).await {
            let _ = copy_bidirectional(&mut client, &mut server).await;
            return;
        }
    }
}

/// The stand-ins, whose webhooks go to `address`.
async fn world(address: SocketAddr, options: Options) -> World {
    let url = format!("http://{address}/webhooks/fastio").parse().unwrap();
    let webhook = Webhook { url, secret: SecretString::from(SECRET), scheme: Scheme::Mixed };
    World::start(Options { webhook: Some(webhook), ..options }).await
}

/// The environment of each server.
fn environment(world: &World, database: &str) -> Vec<(&'static str, String)> {
    let mut environment = harness::environment(world, database.to_owned());
    environment.push(("DOCKET_DATABASE__POOLER", is_pooled().to_string()));
    environment
}

/// The settings of a server in this process.
fn config(folder: &TempDir, environment: &[(&'static str, String)], text: &str) -> Config {
    let path = folder.path().join("docket.toml");
    std::fs::write(&path, text).unwrap();
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Config::load(&Sources { path: Some(path), set: vec![], environment }).unwrap()
}
