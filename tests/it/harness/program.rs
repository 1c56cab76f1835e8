//! Runs the binary: in a directory of its own, with an environment of its own, and killed when a test is done with it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use docket_sandbox::Sandbox;
use serde_json::Value;
use tempfile::TempDir;

use super::beside::PATIENCE;
use super::database::DatabaseFile;
use super::ending::MustEnd;

pub const SECRET: &str = "whsec_dGVzdC1zZWNyZXQtMTIzNDU2Nzg5MA==";
pub const WORKSPACE: &str = "4829105738291047362";

/// What a server needs to start.
pub const KEYS: [(&str, &str); 3] = [
    ("FASTIO_API_KEY", "a-key-of-fastio"),
    ("OPENAI_API_KEY", "a-key-of-openai"),
    ("FASTIO_WEBHOOK_SECRET", SECRET),
];

/// Where no service is.
const NOWHERE: &str = "http://127.0.0.1:9/";

/// Where a command runs.
pub struct Place {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

/// How it ended.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Run {
    /// Everything it said.
    pub fn said(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

impl Place {
    pub fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("tmp")).unwrap();
        Place { folder, environment: Vec::new() }
    }

    /// A place whose settings name services that are not there.
    pub fn alone() -> Place {
        let place = Place::new();
        place.write("docket.toml", &place.settings(NOWHERE, NOWHERE));
        place
    }

    /// A place whose settings name these stand-ins.
    pub fn beside(sandbox: &Sandbox) -> Place {
        let place = Place::new();
        let (fastio, openai) = (sandbox.fastio_url(), sandbox.openai_url());
        place.write("docket.toml", &place.settings(fastio.as_str(), openai.as_str()));
        place
    }

    /// The same place with these variables and no others.
    pub fn with(&self, environment: &[(&str, &str)]) -> At<'_> {
        let own = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        At { place: self, environment: own.collect() }
    }

    pub fn docket(&self, arguments: &[&str]) -> Run {
        At { place: self, environment: self.environment.clone() }.docket(arguments)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn database_url(&self) -> String {
        format!("sqlite://{}", self.path("docket.db").display())
    }

    pub fn database(&self) -> DatabaseFile {
        DatabaseFile::of(&self.database_url())
    }

    /// The database as a server makes it.
    pub async fn made_database(&self) -> DatabaseFile {
        DatabaseFile::made(&self.database_url()).await
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// A settings file with one rule.
    pub fn settings(&self, fastio: &str, openai: &str) -> String {
        format!(
            "[database]\nurl = '{}'\n[receive]\nlisten = '127.0.0.1:0'\n[operate]\nlisten = 'off'\n[fastio]\nbase_url = '{fastio}'\n\
             [openai]\nbase_url = '{openai}'\n[[rule]]\nname = 'contracts'\nworkspace = '{WORKSPACE}'\n\
             vector_store = {{ create = 'contracts' }}\n",
            self.database_url()
        )
    }

    /// What is in the folder, sorted.
    pub fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    pub fn left_in_tmp(&self) -> usize {
        std::fs::read_dir(self.path("tmp")).unwrap().count()
    }
}

/// A place with an environment.
pub struct At<'a> {
    place: &'a Place,
    environment: Vec<(String, String)>,
}

impl At<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_docket"));
        command.args(arguments).current_dir(self.place.folder.path()).env_clear();
        command.env("TMPDIR", self.place.path("tmp")).envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub fn docket(&self, arguments: &[&str]) -> Run {
        let mut program = self.start(arguments);
        let code = program.wait();
        Run { code, out: program.out.rest(), err: program.err.rest() }
    }

    /// Runs a command at a terminal of 100 columns, and answers what it shows, colours and cursor movements included.
    pub fn docket_at_a_terminal(&self, arguments: &[&str]) -> Run {
        let docket = env!("CARGO_BIN_EXE_docket");
        let command = format!("stty cols 100 rows 24; exec '{docket}' {}", arguments.join(" "));
        let mut script = Command::new("script");
        script.args(["-qec", &command, "/dev/null"]).current_dir(self.place.folder.path()).env_clear();
        script.env("TMPDIR", self.place.path("tmp")).env("TERM", "xterm-256color");
        script.env("PATH", "/usr/bin:/bin").envs(self.environment.iter().cloned());
        script.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut program = Program::of(script.spawn().expect("`script` is in every Debian and most systems"));
        let code = program.wait();
        Run { code, out: program.out.rest(), err: program.err.rest() }
    }

    /// Runs commands as they are typed with the program on the PATH; the first that fails ends it.
    pub fn shell(&self, commands: &str) -> Run {
        let mut program = self.start_shell(commands);
        let code = program.wait();
        Run { code, out: program.out.rest(), err: program.err.rest() }
    }

    /// Likewise, when the last of them goes on.
    pub fn start_shell(&self, commands: &str) -> Program {
        self.start_shell_to(Stdio::piped(), commands)
    }

    /// Likewise, with standard error going elsewhere.
    pub fn start_shell_to(&self, err: Stdio, commands: &str) -> Program {
        let programs = Path::new(env!("CARGO_BIN_EXE_docket")).parent().unwrap().display();
        let mut shell = Command::new("sh");
        shell.args(["-euc", commands]).current_dir(self.place.folder.path()).env_clear();
        shell.env("PATH", format!("{programs}:/usr/bin:/bin")).env("TMPDIR", self.place.path("tmp"));
        shell.envs(self.environment.iter().cloned());
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(err);
        Program::of(shell.spawn().unwrap())
    }

    /// Starts a server, and waits until it is ready.
    pub fn serve(&self, arguments: &[&str]) -> (Program, Listens) {
        let mut server = self.start(&[&["serve"], arguments].concat());
        let listens = server.listens();
        (server, listens)
    }

    /// Starts a command that goes on.
    pub fn start(&self, arguments: &[&str]) -> Program {
        Program::of(self.command(arguments).spawn().unwrap())
    }
}

/// Where a server takes connections.
#[derive(Debug, Clone)]
pub struct Listens {
    pub public: SocketAddr,
    pub operate: Option<SocketAddr>,
}

impl Listens {
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.public)
    }

    /// At the operator listener, which is on.
    pub fn operate_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.operate.expect("operate.listen is set"))
    }
}

/// A running command. A test sees to its end; when it fails, the command is killed.
pub struct Program {
    child: Child,
    pub out: Lines,
    pub err: Lines,
    must_end: MustEnd,
}

impl Program {
    fn of(mut child: Child) -> Program {
        let out = Lines::of(child.stdout.take().unwrap());
        let err = child.stderr.take().map_or_else(Lines::unheard, Lines::of);
        Program { child, out, err, must_end: MustEnd::default() }
    }

    /// Waits until it is a server that is ready, and answers how it says so.
    pub fn ready(&mut self) -> String {
        self.err.find(|line| line.contains("docket is ready"))
    }

    /// The same, where it says so in JSON: by default, because there is no terminal.
    pub fn listens(&mut self) -> Listens {
        let line: Value = serde_json::from_str(&self.ready()).unwrap();
        let address = |name: &str| line[name].as_str().map(|address| address.parse().unwrap());
        Listens { public: address("listen").expect("it has a public listener"), operate: address("operate") }
    }

    /// Ends it as a power failure does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.must_end.ended();
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop, as a container engine does, and waits for its exit code.
    pub fn stop(&mut self) -> i32 {
        self.signal("TERM");
        self.wait()
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("/bin/kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// Whether it was seen to end.
    pub fn has_ended(&mut self) -> bool {
        self.must_end.has_ended()
    }

    /// Waits for its exit code. Its output ends when it does.
    pub fn wait(&mut self) -> i32 {
        self.out.until_end();
        self.err.until_end();
        self.must_end.ended();
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a command prints, line by line as it comes.
pub struct Lines {
    coming: Receiver<String>,
    seen: Vec<String>,
}

impl Lines {
    /// Of what goes elsewhere.
    fn unheard() -> Lines {
        Lines { coming: channel().1, seen: Vec::new() }
    }

    fn of(stream: impl std::io::Read + Send + 'static) -> Lines {
        let (lines, coming) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines() {
                let Ok(line) = line else { return };
                if lines.send(line).is_err() {
                    return;
                }
            }
        });
        Lines { coming, seen: Vec::new() }
    }

    /// The next line that `is` it.
    pub fn find(&mut self, is: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.coming.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if is(&line) {
                        return line;
                    }
                }
                Err(why) => panic!("the line did not come ({why}); what came: {:#?}", self.seen),
            }
        }
    }

    fn until_end(&mut self) {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.coming.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end; what came: {:#?}", self.seen),
            }
        }
    }

    /// Everything that came so far.
    pub fn rest(&mut self) -> String {
        self.seen.extend(self.coming.try_iter());
        self.seen.iter().map(|line| format!("{line}\n")).collect()
    }
}
