//! The real program between the stand-ins: killed where a test says, and started again on the same database.

use std::future::Future;
use std::ops::Deref;
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use docket::clock::Clock;
use docket::config::{Config, Sources};
use docket::run::store::RunRow;
use docket_sandbox::{Options, Scheme, Webhook};
use secrecy::SecretString;
use tokio::net::TcpSocket;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use url::Url;

use super::beside::{Beside, PATIENCE};
use super::ending::{MustEnd, left};
use super::kill::{Dies, Step};
use super::program::{At, Place, Program, Run};
use super::records::Records;
use super::{SECRET, World};

/// Where the stand-ins run. A test waits for what the program says without letting go of its own runtime, and the program
/// asks OpenAI before it says that it is ready.
fn elsewhere() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap())
}

pub struct Server {
    world: World,
    place: Place,
    environment: Vec<(&'static str, String)>,
    webhook_url: Url,
    /// Keeps the port while the server is dead: bound, and not listening.
    _port: TcpSocket,
    program: Option<Program>,
    must_end: MustEnd,
}

impl Deref for Server {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

/// The environment of a server between these stand-ins, on this database.
pub fn environment(world: &World, database: String) -> Vec<(&'static str, String)> {
    vec![
        ("DATABASE_URL", database),
        ("DOCKET_OPERATE__LISTEN", "off".to_owned()),
        ("FASTIO_BASE_URL", world.sandbox.fastio_url().to_string()),
        ("OPENAI_BASE_URL", world.sandbox.openai_url().to_string()),
        ("FASTIO_API_KEY", "fastio-key".to_owned()),
        ("OPENAI_API_KEY", "openai-key".to_owned()),
        ("FASTIO_WEBHOOK_SECRET", SECRET.to_owned()),
    ]
}

impl Server {
    pub async fn with(settings: &str) -> Server {
        Server::between(settings, Options::default()).await
    }

    /// Starts the program with this `docket.toml` between stand-ins that are started like this.
    pub async fn between(settings: &str, options: Options) -> Server {
        let port = TcpSocket::new_v4().unwrap();
        port.set_reuseaddr(true).unwrap();
        port.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = port.local_addr().unwrap();
        let webhook_url: Url = format!("http://{address}/webhooks/fastio").parse().unwrap();
        let webhook =
            Webhook { url: webhook_url.clone(), secret: SecretString::from(SECRET), scheme: Scheme::Mixed };
        let world = World::start(Options { webhook: Some(webhook), ..options });
        let world = elsewhere().spawn(world).await.unwrap();
        let place = Place::new();
        place.write("docket.toml", settings);
        let mut environment = environment(&world, place.database_url());
        environment.extend([
            ("DOCKET_RECEIVE__LISTEN", address.to_string()),
            ("OPENAI_WEBHOOK_SECRET", SECRET.to_owned()),
        ]);
        let mut server = Server {
            world,
            place,
            environment,
            webhook_url,
            _port: port,
            program: None,
            must_end: MustEnd::default(),
        };
        server.start();
        server
    }

    fn at(&self) -> At<'_> {
        let environment: Vec<(&str, &str)> =
            self.environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.place.with(&environment)
    }

    /// Runs a command beside the server, which has to succeed.
    pub fn docket(&self, arguments: &[&str]) {
        let run = self.at().docket(arguments);
        assert_eq!(run.code, 0, "{run:?}");
    }

    fn database_url(&self) -> &str {
        let named = self.environment.iter().find(|(name, _)| *name == "DATABASE_URL");
        named.map(|(_, url)| url.as_str()).expect("it is set at the start")
    }

    /// Runs a command beside the server, and answers how it ended.
    pub fn tries(&self, arguments: &[&str]) -> Run {
        tokio::task::block_in_place(|| self.at().docket(arguments))
    }

    /// From now on the settings name another database, which is not there yet.
    pub fn another_database(&mut self) {
        self.works_on(&format!("sqlite://{}", self.place.path("another.db").display()));
    }

    /// From now on the settings name this database.
    pub fn works_on(&mut self, url: &str) {
        for (_, value) in self.environment.iter_mut().filter(|(name, _)| *name == "DATABASE_URL") {
            url.clone_into(value);
        }
    }

    /// Starts the server, which takes over what it finds.
    pub fn start(&mut self) {
        self.program = Some(self.at().serve(&[]).0);
    }

    /// Starts the server by a shell, `how` before its name, with its log going elsewhere. Nothing says when it is ready.
    pub fn start_by(&mut self, how: &str, log: Stdio) {
        self.program = Some(self.at().start_shell_to(log, &format!("{how} docket serve")));
    }

    pub fn process(&self) -> u32 {
        self.program.as_ref().expect("it was started").id()
    }

    /// The running server.
    pub fn program(&mut self) -> &mut Program {
        self.program.as_mut().expect("it was started")
    }

    /// Where Fastio's webhooks go.
    pub fn webhook_url(&self) -> &Url {
        &self.webhook_url
    }

    /// The folder that the server works in.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Runs a command beside the server to its end.
    pub fn run(&self, arguments: &[&str]) -> Run {
        self.at().docket(arguments)
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.program.take().expect("it was started").kill();
    }

    /// Kills the server when `held` resolves. What is held is dropped with its connection.
    pub async fn dies_when(&mut self, held: impl Future<Output = ()>) {
        held.await;
        self.kill();
        self.no_faults().await;
    }

    /// A file is put into Fastio, and the server dies at the `step` that this leads to.
    pub async fn dies_over(&mut self, (step, dies): (&Step, Dies), (path, text): (&str, &str)) {
        let held = self.hold(step, dies);
        self.put(path, text).await;
        self.dies_when(held).await;
    }

    /// The server is started, and dies at the `step` that it comes to.
    pub async fn starts_and_dies(&mut self, (step, dies): (&Step, Dies)) {
        let held = self.hold(step, dies);
        self.start();
        self.dies_when(held).await;
    }

    /// What the server has said.
    fn said(&mut self) -> String {
        self.program.as_mut().map(|program| program.err.rest()).unwrap_or_default()
    }

    /// Waits until no webhook is under way, nothing is in the inbox and no job is left.
    pub async fn rests(&mut self) {
        self.rests_leaving(false).await;
    }

    /// The same, when jobs may die.
    async fn rests_leaving(&mut self, may_die: bool) {
        let beside = self.beside().await;
        let sandbox = &self.world.sandbox;
        // A job may have made a webhook between the two looks: what counts is that a second look finds nothing either.
        let mut nothing_left = 0;
        let rested = beside.try_until(async |records| {
            timeout(PATIENCE, sandbox.flush_webhooks()).await.expect("webhooks are not taken");
            let (waiting, jobs) = (records.waiting().await, records.jobs().await);
            let dead: Vec<_> = jobs.iter().filter(|job| job.state == "dead").collect();
            assert!(may_die || dead.is_empty(), "{dead:#?}");
            nothing_left = if waiting == 0 && dead.len() == jobs.len() { nothing_left + 1 } else { 0 };
            (nothing_left == 2).then_some(())
        });
        if let Err(left) = rested.await {
            panic!("these jobs are left: {left:#?}\n{}", self.said());
        }
    }

    /// The server finds what is on record so much older.
    pub async fn was_down_for(&self, time: Duration) {
        self.beside().await.pass(i64::try_from(time.as_millis()).unwrap()).await;
    }

    async fn beside(&self) -> Beside {
        Beside::of(self.database_url()).await
    }
}

/// What is on record of runs.
impl Server {
    pub async fn runs(&self) -> Vec<RunRow> {
        let records = Records::of(self.database_url()).await;
        let runs = records.runs().await;
        records.close().await;
        runs
    }

    /// The outcomes, or states of those that have none, in the order of the runs.
    pub async fn outcomes(&self) -> Vec<String> {
        self.runs().await.into_iter().map(|run| run.outcome.unwrap_or(run.state)).collect()
    }

    /// Lets time pass at the stand-ins.
    pub fn pass(&self, time: Duration) {
        self.sandbox.fastio_core().clock.shift(i64::try_from(time.as_millis()).unwrap());
    }

    /// How many versions the file at `path` has.
    pub async fn versions(&self, path: &str) -> u64 {
        let state = self.fastio_state().await;
        let mut files = state["files"].as_array().unwrap().iter();
        let file = files.find(|file| file["path"] == path && file["trashed"] == false);
        file.unwrap_or_else(|| panic!("no {path} in {state:#}"))["versions"].as_u64().unwrap()
    }

    /// The statuses of all responses, oldest first.
    pub async fn statuses(&self) -> Vec<String> {
        let responses = self.responses().await;
        responses.iter().map(|response| response["status"].as_str().unwrap().to_owned()).collect()
    }

    /// OpenAI tells that a response has completed.
    pub async fn hear_of(&self, response: &str) {
        let told = ("wh_1", "response.completed", response);
        let status = self.openai_tells(&self.webhook_url, told, Clock::default().now()).await;
        assert_eq!(status, 202);
    }
}

/// How its test ends.
impl Server {
    /// Waits until the work is done, demands that nothing is left, and stops the server in order. One that was killed or
    /// stopped is started again: what it had in hand must come to its end.
    pub async fn finish(self) {
        self.finish_leaving(&[]).await;
    }

    /// The same, when exactly this is left: dead jobs, and what came of them.
    pub async fn finish_leaving(mut self, expected: &[&str]) {
        if self.program.as_mut().is_none_or(Program::has_ended) {
            self.start();
        }
        self.rests_leaving(!expected.is_empty()).await;
        self.agrees_leaving(expected).await;
        let mut program = self.program.take().expect("it was started");
        assert_eq!(program.stop(), 0, "{}", program.err.rest());
        self.must_end.ended();
    }

    async fn agrees_leaving(&self, expected: &[&str]) {
        let settings = Sources {
            path: Some(self.place.path("docket.toml")),
            set: vec![],
            environment: self
                .environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
        };
        let rules = Config::load(&settings).unwrap().rules().unwrap();
        let records = Records::of(self.database_url()).await;
        let left = left(&self.world, &records, &rules).await;
        records.close().await;
        assert_eq!(left, expected, "left (first), and expected to be left");
    }
}
