//! A PostgreSQL server of the tests' own, from the binaries that are installed. It is started when the first test asks for it, and ends
//! with the process, however that ends: it stops when nobody holds the pipe any more that it was started with.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

#[path = "installed.rs"]
pub mod installed;

use installed::{Tended, binaries, free_port};

/// A database that has been migrated. The tests' own are copies of it.
const TEMPLATE: &str = "docket_template";

/// Runs the server until its input ends. What is not C in its locale is what most servers have, so a text that is not compared byte by
/// byte is noticed.
const SERVE: &str = r#"
    set -eu
    place=$(mktemp -d "${TMPDIR:-/tmp}/docket-postgres.XXXXXX")
    trap 'rm -rf "$place"' EXIT
    cd "$place"
    "$1/initdb" -D data -U docket -E UTF8 --locale=C.UTF-8 --locale-provider=icu --icu-locale=en -A trust -N >log 2>&1 ||
        { cat log >&2; exit 1; }
    shift_to=$2; bin=$1; shift 2
    "$bin/postgres" -D data -p "$shift_to" -k "$place" -c listen_addresses=127.0.0.1 -c max_connections=500 \
        -c shared_buffers=64MB -c autovacuum_naptime=5s "$@" >>log 2>&1 &
    server=$!
    until "$bin/pg_isready" -q -h 127.0.0.1 -p "$shift_to"; do
        kill -0 "$server" 2>/dev/null || { cat log >&2; exit 1; }
        sleep 0.05
    done
    echo "$place"
    read -r _ || true
    kill -INT "$server" 2>/dev/null || true
    wait "$server" || true
"#;

/// How it is set for tests that do not ask what a crash leaves.
const HASTY: [&str; 6] = ["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off"];

pub struct Cluster {
    port: u16,
    databases: AtomicU32,
    template: OnceLock<()>,
    _server: Tended,
}

/// The one of this process.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(&HASTY))
}

impl Cluster {
    /// Starts a server that is set like this.
    pub fn start(set: &[&str]) -> Cluster {
        let port = free_port();
        let own = [binaries().into_os_string(), port.to_string().into()];
        let server = Tended::start(SERVE, own.into_iter().chain(set.iter().map(Into::into)));
        let server = server.expect("PostgreSQL did not start");
        Cluster { port, databases: AtomicU32::new(0), template: OnceLock::new(), _server: server }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a database there.
    pub fn url(&self, name: &str) -> String {
        format!("postgres://docket@127.0.0.1:{}/{name}", self.port)
    }

    /// A new database, empty.
    pub fn empty(&self) -> String {
        let name = self.name();
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// A new database with the schema that `migrate` gives the one at its URL.
    pub fn migrated(&self, migrate: impl FnOnce(&str)) -> String {
        self.template.get_or_init(|| {
            self.sql("postgres", &format!("CREATE DATABASE {TEMPLATE}"));
            migrate(&self.url(TEMPLATE));
        });
        let name = self.name();
        self.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}"));
        self.url(&name)
    }

    fn name(&self) -> String {
        format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed))
    }

    /// What statements answer, as psql prints it without ornament.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let done = Command::new(binaries().join("psql"))
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql, &self.url(database)])
            .output()
            .expect("psql");
        assert!(done.status.success(), "{}: {sql}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim_end().to_owned()
    }

    /// Runs statements, each by itself.
    pub fn script(&self, database: &str, statements: &str) {
        let mut psql = Command::new(binaries().join("psql"))
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", &self.url(database)])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("psql");
        psql.stdin.take().unwrap().write_all(statements.as_bytes()).unwrap();
        let done = psql.wait_with_output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

/// `pgbouncer` before the server of this process, in transaction mode.
pub struct Pooler {
    port: u16,
    _pooler: Tended,
}

/// The one of this process.
pub fn pooler() -> &'static Pooler {
    static POOLER: OnceLock<Pooler> = OnceLock::new();
    POOLER.get_or_init(|| Pooler::start(cluster()))
}

impl Pooler {
    fn start(cluster: &Cluster) -> Pooler {
        let port = free_port();
        Pooler { port, _pooler: installed::pooler(cluster.port(), port) }
    }

    /// The URL of the same database by way of the pooler.
    pub fn url(&self, direct: &str) -> String {
        let name = direct.rsplit('/').next().unwrap_or_default();
        format!("postgres://docket@127.0.0.1:{}/{name}", self.port)
    }
}
