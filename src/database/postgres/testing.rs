//! A PostgreSQL for the tests of this crate.

use std::sync::OnceLock;

use super::server::Server;
use super::session::Session;
use crate::database::Settings;
use crate::database::lane::Access;
use crate::database::schema::Purpose;

#[path = "../../../tests/it/harness/cluster.rs"]
pub mod cluster;

/// The URL of a new database with our schema.
pub fn url() -> String {
    cluster::cluster().migrated(migrate)
}

/// On a thread of its own: a session has a runtime, and the first test that asks may run in one.
fn migrate(url: &str) {
    let migrate = || super::migrate::migrate(&Server::of(&url.into()).unwrap(), Purpose::Work).unwrap();
    std::thread::scope(|scope| scope.spawn(migrate).join().unwrap());
}

/// A server of one test's own, and the URL of a database there with our schema.
pub fn alone() -> (cluster::Cluster, String) {
    let server = cluster::Cluster::start(&[]);
    let url = server.migrated(migrate);
    (server, url)
}

/// What one column of a statement answers, in a database as that of [`session`].
pub fn rows(sql: &str) -> Vec<String> {
    let url = empty();
    let name = url.rsplit('/').next().unwrap_or_default();
    cluster::cluster().sql(name, sql).lines().map(str::to_owned).collect()
}

/// The URL of a database that has our schema and no rows, and that nobody changes.
fn empty() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(url)
}

/// A session with a database that has our schema and no rows, and that nobody changes.
pub fn session() -> Session {
    Server::of(&Settings::from(empty())).unwrap().connect(Access::Write).unwrap()
}

/// The URL of a new database without a schema.
pub fn nothing() -> String {
    cluster::cluster().empty()
}

/// What statements answer in the database at `url`.
pub fn sql(url: &str, sql: &str) -> String {
    cluster::cluster().sql(url.rsplit('/').next().unwrap_or_default(), sql)
}

/// Runs statements, each by itself, in the database at `url`.
pub fn script(url: &str, statements: &str) {
    cluster::cluster().script(url.rsplit('/').next().unwrap_or_default(), statements);
}

/// The URL of the same database by way of a pooler that hands connections out by the transaction.
pub fn pooled(url: &str) -> String {
    cluster::pooler().url(url)
}
