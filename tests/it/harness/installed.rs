//! PostgreSQL and pgbouncer as they are installed, and how tests run servers of them that end when the tests do.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Where Debian has the newest server that is installed, or where `DOCKET_TEST_POSTGRES` says.
pub fn binaries() -> PathBuf {
    if let Some(path) = std::env::var_os("DOCKET_TEST_POSTGRES") {
        return path.into();
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest =
        versions.map(|version| version.path().join("bin")).filter(|bin| bin.join("postgres").exists()).max();
    newest.expect("no PostgreSQL is installed: apt-get install postgresql, or set DOCKET_TEST_POSTGRES to its bin folder")
}

/// PostgreSQL refuses to run as root.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let is_root =
        std::fs::metadata("/proc/self").is_ok_and(|of| std::os::unix::fs::MetadataExt::uid(&of) == 0);
    if !is_root {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(program);
    command
}

/// A port that nobody has now.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server that a shell script runs for as long as somebody holds the script's input. So it ends with this process, however that ends.
pub struct Tended {
    shell: Child,
    /// What it said when the server was ready.
    pub said: String,
}

impl Tended {
    /// Runs `script`, and waits for the line that it prints when the server is ready. `None` when it ends without one.
    pub fn start<A: AsRef<OsStr>>(script: &str, arguments: impl IntoIterator<Item = A>) -> Option<Tended> {
        let mut shell = command("sh")
            .args(["-c", script, "sh"])
            .args(arguments)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh, and runuser where the tests run as root");
        let mut said = String::new();
        let out = shell.stdout.take().expect("its output is piped");
        BufReader::new(out).read_line(&mut said).expect("a shell's words are text");
        let tended = Tended { shell, said: said.trim_end().to_owned() };
        (!tended.said.is_empty()).then_some(tended)
    }
}

impl Drop for Tended {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // It may have been killed, and then there is nobody to wait for.
        let _ = self.shell.wait();
    }
}

/// A pooler that hands connections out by the transaction.
const POOL: &str = r#"
    set -eu
    place=$(mktemp -d "${TMPDIR:-/tmp}/docket-pgbouncer.XXXXXX")
    trap 'rm -rf "$place"' EXIT
    cd "$place"
    cat >pgbouncer.ini <<INI
[databases]
* = host=127.0.0.1 port=$1 user=docket
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $2
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 8
max_client_conn = 1000
server_idle_timeout = 5
server_login_retry = 1
logfile = $place/log
INI
    PATH=$PATH:/usr/sbin pgbouncer -q pgbouncer.ini & pooler=$!
    until "$3/pg_isready" -q -h 127.0.0.1 -p "$2" -U docket -d postgres; do
        kill -0 "$pooler" 2>/dev/null || { cat log >&2; exit 1; }
        sleep 0.05
    done
    echo "$pooler"
    read -r _ || true
    kill -INT "$pooler" 2>/dev/null || true
    wait "$pooler" || true
"#;

/// Starts `pgbouncer` in transaction mode at `port`, before the server at the port `to`. It says its process id.
pub fn pooler(to: u16, port: u16) -> Tended {
    let arguments = [to.to_string().into(), port.to_string().into(), binaries().into_os_string()];
    Tended::start(POOL, arguments).expect("pgbouncer did not start: apt-get install pgbouncer")
}
