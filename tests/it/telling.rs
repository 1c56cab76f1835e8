//! What the server logs, and that nothing depends on whether the log can be written.

use std::collections::BTreeSet;
use std::fmt;
use std::io::pipe;
use std::process::Stdio;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::harness::{Dies, ONE_STORE, Server, Step, contract, legal, openai};

const ATTACH: Step = openai("POST", "/v1/vector_stores/*/files");

/// Signals that not every `kill` knows by name.
const POWER: &str = "30";
const IO: &str = "29";
const STACK: &str = "16";

/// A delivery without a signature, which is a line of the log.
async fn knock(server: &Server) -> Option<u16> {
    let url = server.webhook_url().clone();
    let answer = reqwest::Client::new().post(url).body("{}").send().await;
    answer.ok().map(|answer| answer.status().as_u16())
}

/// A file that is put into Fastio comes to OpenAI.
async fn works(server: &Server, path: &str) {
    let attached = server.sees(&ATTACH);
    server.put(path, &format!("what {path} says")).await;
    attached.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_written_or_is_not_read_stops_nothing() {
    let mut server = Server::with(&format!("{ONE_STORE}\n[log]\nfilter = 'trace'\n")).await;
    let (_unread, stuck) = pipe().unwrap();
    let (gone, broken) = pipe().unwrap();
    drop(gone);
    for (number, (how, log)) in [
        ("exec 2>/dev/full; exec", Stdio::null()),
        ("exec >&- 2>&-; exec", Stdio::null()),
        ("exec", Stdio::from(broken)),
        ("exec", Stdio::from(stuck)),
    ]
    .into_iter()
    .enumerate()
    {
        server.kill();
        server.start_by(how, log);
        works(&server, &format!("/{number}-first.txt")).await;
        for _ in 0..20 {
            assert_eq!(knock(&server).await, Some(401));
        }
        works(&server, &format!("/{number}-second.txt")).await;
        let code = block_in_place(|| server.program().stop());
        assert_eq!(code, 0, "number {number}");
    }
    server.finish().await;
}

/// A limit on the size of files is like a full disk, for the log as for the database.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_log_and_database_is_503_and_passes() {
    let mut server = Server::with(ONE_STORE).await;
    server.kill();
    let log = std::fs::File::create(server.place().path("log")).unwrap();
    server.start_by("exec", Stdio::from(log));
    works(&server, "/before.txt").await;
    let process = Pid::from_raw(server.program().id().try_into().unwrap());
    let limit = |bytes| {
        let now = Rlimit { current: bytes, maximum: None };
        prlimit(process, Resource::Fsize, now).unwrap();
    };
    limit(Some(1));
    // The answer to who may not come in needs no disk; its line of the log does.
    for _ in 0..10 {
        assert_eq!(knock(&server).await, Some(401));
    }
    let refused = block_in_place(|| server.run(&["send", "--url", server.webhook_url().as_str()]));
    assert!(refused.code == 1 && refused.out.contains("503"), "{refused:?}");
    limit(None);
    works(&server, "/after.txt").await;
    assert_eq!(block_in_place(|| server.program().stop()), 0);
    let log = std::fs::read_to_string(server.place().path("log")).unwrap();
    assert!(log.contains("lines of the log could not be written"), "{log}");
    once_each(&log);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_asks_to_stop_stops_it_in_order() {
    let mut server = Server::with(ONE_STORE).await;
    for signal in ["HUP", "QUIT", "INT", "TERM", "XCPU", "ABRT", POWER] {
        server.kill();
        // The tests may have been started with SIGHUP ignored.
        server.start_by("exec env --default-signal=HUP", Stdio::piped());
        let program = server.program();
        block_in_place(|| program.listens());
        program.signal(signal);
        block_in_place(|| program.err.find(|line| line.contains("stopping")));
        assert_eq!(block_in_place(|| program.wait()), 0, "{signal}");
    }
    server.start();
    for signal in ["USR1", "USR2", "ALRM", "VTALRM", "PROF", "XFSZ", "PIPE", IO, STACK, "34", "64"] {
        server.program().signal(signal);
        assert_eq!(knock(&server).await, Some(401), "{signal}");
    }
    assert_eq!(block_in_place(|| server.program().stop()), 0);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_started_to_outlive_its_terminal_does() {
    let mut server = Server::with(ONE_STORE).await;
    server.kill();
    server.start_by("trap '' HUP; exec", Stdio::piped());
    block_in_place(|| server.program().listens());
    server.program().signal("HUP");
    works(&server, "/after.txt").await;
    assert!(!server.program().err.rest().contains("stopping"));
    assert_eq!(block_in_place(|| server.program().stop()), 0);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_says_at_its_start_what_it_is_and_has_and_will_do() {
    let mut server = Server::with(ONE_STORE).await;
    let said = server.program().err.rest();
    let lines = lines(&said);
    let line = |message: &str| {
        let found = lines.iter().find(|line| line["message"] == message);
        found.unwrap_or_else(|| panic!("no {message:?} in {said}")).clone()
    };
    let starts = line("docket starts");
    assert_eq!(starts["version"], env!("CARGO_PKG_VERSION"));
    let path = |name: &str| server.place().path(name).canonicalize().unwrap().display().to_string();
    assert_eq!(
        (&starts["database"], &starts["settings"]),
        (&json!(path("docket.db")), &json!(path("docket.toml")))
    );
    let host = |url: url::Url| format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    assert_eq!(starts["fastio"], host(server.sandbox.fastio_url()));
    assert_eq!(starts["openai"], host(server.sandbox.openai_url()));
    let rule = line("a rule");
    assert_eq!(
        (&rule["rule"], &rule["vector_store"], &rule["runs"]),
        (&json!("all"), &json!("create all"), &json!(false))
    );
    let ways = line("how changes are learnt");
    assert_eq!((&ways["webhooks"], &ways["openai_webhooks"]), (&json!(true), &json!(true)));
    assert!(line("docket is ready")["listen"].is_string());
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_copy_that_comes_or_goes_is_a_line() {
    let mut server = Server::with(ONE_STORE).await;
    server.put("/nda.txt", "the first").await;
    server.rests().await;
    server.put("/nda.txt", "the second, which is longer").await;
    server.rests().await;
    server.trash("/nda.txt").await;
    server.rests().await;
    assert_eq!(block_in_place(|| server.program().stop()), 0);
    let said = server.program().err.rest();
    let told: Vec<(String, u64)> = lines(&said)
        .iter()
        .filter(|line| line["path"] == "/nda.txt" && line["file_id"].is_string() && line["level"] == "INFO")
        .map(|line| (line["message"].as_str().unwrap().to_owned(), line["bytes"].as_u64().unwrap()))
        .collect();
    let expected = [
        ("copy indexed", 9),
        ("copy indexed", 27),
        ("copy replaced by a newer one", 9),
        ("copy removed", 27),
    ];
    assert_eq!(told, expected.map(|(what, bytes)| (what.to_owned(), bytes)), "{said}");
    assert!(!said.contains("\"WARN\"") || said.contains("as root"), "{said}");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_result_that_is_written_and_each_run_without_one_is_a_line() {
    let mut server = Server::with(&legal("")).await;
    server.put("/Contracts/nda.txt", &contract(1)).await;
    server.rests().await;
    server.openai_fails(json!({ "kind": "bad_run", "code": "refusal" })).await;
    server.put("/Contracts/other.txt", &contract(2)).await;
    server.rests().await;
    assert_eq!(block_in_place(|| server.program().stop()), 0);
    let said = server.program().err.rest();
    let lines = lines(&said);
    let of = |path: &str, message: &str| {
        let found = lines.iter().find(|line| line["path"] == path && line["message"] == message);
        found.unwrap_or_else(|| panic!("no {message:?} in {said}"))
    };
    let ready = of("/Contracts/nda.txt", "result ready");
    assert_eq!((&ready["written"], &ready["outcome"]), (&json!("nda.analysis.md"), &json!("completed")));
    let failed = of("/Contracts/other.txt", "run ends without a result");
    assert_eq!((&failed["level"], &failed["outcome"]), (&json!("WARN"), &json!("refused")));
    assert!(failed["reason"].is_string(), "{failed}");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_id_goes_from_a_webhook_to_what_is_written_back() {
    let mut server = Server::with(&legal("")).await;
    server.put("/Contracts/nda.txt", &contract(1)).await;
    server.rests().await;
    let events = server.tries(&["events", "--json"]).out;
    assert_eq!(block_in_place(|| server.program().stop()), 0);
    let events: Value = serde_json::from_str(&events).unwrap();
    let is_it = |event: &&Value| event["kind"] == "added" && event["path"] == "/Contracts/nda.txt";
    let told = events.as_array().unwrap().iter().find(is_it);
    let id = told.unwrap_or_else(|| panic!("nothing was added: {events}"))["request_id"].as_str().unwrap();
    let said = server.program().err.rest();
    for message in ["copy indexed", "result ready"] {
        let lines = lines(&said);
        let line = lines.iter().find(|line| line["message"] == message).unwrap();
        assert_eq!(line["spans"][0]["request.id"], id, "{line}");
    }
    let requests = server.openai_requests().await;
    let names: Vec<&str> =
        requests.iter().filter_map(|request| header(request, "x-client-request-id")).collect();
    assert!(requests.len() > 5 && names.len() == requests.len(), "each call has a name");
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "and one of its own");
    let of_it = |method: &str, path: &str| {
        let is_it = |request: &&Value| request["method"] == method && request["path"] == path;
        requests
            .iter()
            .filter(is_it)
            .all(|request| header(request, "x-client-request-id").unwrap().starts_with(id))
    };
    assert!(of_it("POST", "/v1/files") && of_it("POST", "/v1/responses"), "{requests:#?}");
    server.finish().await;
}

fn header<'r>(request: &'r Value, name: &str) -> Option<&'r str> {
    let headers = request["headers"].as_array().unwrap();
    headers.iter().find(|header| header[0] == name).and_then(|header| header[1].as_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_dies_of_its_attempts_is_an_error_with_its_reason() {
    let mut server = Server::with(&format!("{ONE_STORE}\n[queue]\nmax_attempts = 1\n")).await;
    server.fastio_refuses("/current/workspace/*/storage/*/read/**").await;
    server.put("/nda.txt", "what nobody may read").await;
    let program = server.program();
    let line = block_in_place(|| program.err.find(|line| line.contains("job is dead")));
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["level"], &line["attempt"]), (&json!("ERROR"), &json!(1)));
    assert!(line["reason"].as_str().unwrap().contains("gave up after 1 attempts"), "{line}");
    server.finish_leaving(&["a dead job: file", "not held: /nda.txt"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_dies_with_its_server_is_an_error_at_the_next_start() {
    let mut server = Server::with(&format!("{ONE_STORE}\n[queue]\nmax_attempts = 1\n")).await;
    server.dies_over((&ATTACH, Dies::Before), ("/nda.txt", "what kills it")).await;
    server.start_by("exec", Stdio::piped());
    let program = server.program();
    let line = block_in_place(|| program.err.find(|line| line.contains("job is dead")));
    assert!(line.contains("\"ERROR\"") && line.contains("stopped without a word"), "{line}");
    server
        .finish_leaving(&[
            "a File object in no vector store: nda.txt",
            "a dead job: file",
            "not held: /nda.txt",
        ])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_service_is_named_and_no_name_stands_twice_in_a_line() {
    let mut server = Server::with(&format!("{ONE_STORE}\n[log]\nfilter = 'trace'\n")).await;
    server.openai_fails(json!({ "kind": "unauthorized" })).await;
    server.put("/nda.txt", "what waits").await;
    let program = server.program();
    let line = block_in_place(|| program.err.find(|line| line.contains("target paused")));
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["service"], &line["level"]), (&json!("openai"), &json!("ERROR")));
    assert_eq!(line["target"], "docket::queue::report");
    server.no_faults().await;
    assert_eq!(block_in_place(|| server.program().stop()), 0);
    once_each(&server.program().err.rest());
    server.finish().await;
}

fn lines(said: &str) -> Vec<Value> {
    said.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Demands that each line is JSON in which no name stands twice. What broke off on a full disk is none.
fn once_each(said: &str) {
    for line in said.lines().filter(|line| line.ends_with('}')) {
        serde_json::from_str::<Once>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
}

/// Any JSON whose objects have each name once.
struct Once;

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Once, D::Error> {
        deserializer.deserialize_any(Strict)
    }
}

struct Strict;

impl<'de> Visitor<'de> for Strict {
    type Value = Once;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON with each name once")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Once, A::Error> {
        let mut names = BTreeSet::new();
        while let Some((name, Once)) = map.next_entry::<String, Once>()? {
            if names.contains(&name) {
                return Err(A::Error::custom(format!("{name} stands twice")));
            }
            names.insert(name);
        }
        Ok(Once)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Once, A::Error> {
        while list.next_element::<Once>()?.is_some() {}
        Ok(Once)
    }

    fn visit_str<E>(self, _: &str) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_unit<E>(self) -> Result<Once, E> {
        Ok(Once)
    }
}
