//! No secret is written anywhere: not into a log at its most talkative, not into an error, a listing, an answer to a
//! stranger or the database. The real program is given secrets, made to work and to fail, and everything it wrote is
//! searched for them in every form they could take.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
use docket::receive::signature::{Scheme as Signed, sign, standard};
use docket_sandbox::{Options, Sandbox, Scheme, Webhook, start};
use secrecy::SecretString;
use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::form_urlencoded::byte_serialize;

use crate::harness::beside::Beside;
use crate::harness::between::{Exchange, GoBetween, Parrot, WAYS};
use crate::harness::program::{At, Place, Program, WORKSPACE};
use crate::harness::records::Records;
use crate::harness::{contract, legal};

// With the characters that base64, URLs and JSON write in their own ways.
const FASTIO_KEY: &str = "fastio-key/9f8e+7d6c=5b4a&3928";
const OPENAI_KEY: &str = "sk-proj-Zm9v+YmFy/cXV4_MTIzNDU2";
const MCP_KEY: &str = "fastio-reads/2b1c+0d9e=8f7a";
const ADMIN_TOKEN: &str = "admin-token-4f1d9c0b7a";
const VIEW_TOKEN: &str = "view-token-7be2a90c41";
const WEBHOOK_NEW: &str = "whsec_bmV3LWZhc3Rpby1zZWNyZXQtMTIzNDU2+/8=";
const WEBHOOK_OLD: &str = "hex:6f6c642d66617374696f2d7365637265742d313233343536";
const OPENAI_WEBHOOK_NEW: &str = "whsec_bmV3LW9wZW5haS1zZWNyZXQtNjU0MzIx";
const OPENAI_WEBHOOK_OLD: &str = "whsec_b2xkLW9wZW5haS1zZWNyZXQtNjU0MzIx";

/// What must be nowhere, each with its name.
struct Vault(Vec<(String, Vec<u8>)>);

impl Vault {
    fn given() -> Vault {
        let mut vault = Vault(Vec::new());
        for (name, secret) in [
            ("Fastio's key", FASTIO_KEY),
            ("OpenAI's key", OPENAI_KEY),
            ("the key that OpenAI is given", MCP_KEY),
            ("the admin token", ADMIN_TOKEN),
            ("the view token", VIEW_TOKEN),
            ("Fastio's webhook secret", WEBHOOK_NEW),
            ("Fastio's old webhook secret", WEBHOOK_OLD),
            ("OpenAI's webhook secret", OPENAI_WEBHOOK_NEW),
            ("OpenAI's old webhook secret", OPENAI_WEBHOOK_OLD),
        ] {
            vault.lock_up(name, secret);
        }
        vault
    }

    /// Puts a secret in, in every form it could take.
    fn lock_up(&mut self, name: &str, secret: &str) {
        let mut readings = vec![secret.as_bytes().to_vec()];
        for prefix in ["whsec_", "hex:"] {
            readings.extend(secret.strip_prefix(prefix).map(|tail| tail.as_bytes().to_vec()));
        }
        readings.extend(secret.strip_prefix("whsec_").and_then(|tail| BASE64_STANDARD.decode(tail).ok()));
        readings.extend(secret.strip_prefix("hex:").and_then(|tail| hex::decode(tail).ok()));
        for bytes in readings {
            let numbers = bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
            self.0.extend(
                [
                    BASE64_STANDARD.encode(&bytes),
                    BASE64_STANDARD_NO_PAD.encode(&bytes),
                    BASE64_URL_SAFE.encode(&bytes),
                    BASE64_URL_SAFE_NO_PAD.encode(&bytes),
                    hex::encode(&bytes),
                    byte_serialize(&bytes).collect(),
                    format!("{:?}", String::from_utf8_lossy(&bytes)).trim_matches('"').to_owned(),
                    numbers,
                ]
                .map(|form| (name.to_owned(), form.into_bytes())),
            );
            self.0.push((name.to_owned(), bytes));
        }
    }

    /// Which secrets are in `written`, each with what stands around it.
    fn found_in(&self, written: &[u8]) -> Vec<String> {
        let hits = self.0.iter().filter_map(|(name, form)| {
            let place = find(written, form)?;
            let around = &written[place.saturating_sub(150)..written.len().min(place + form.len() + 60)];
            Some(format!("{name}: …{}…", String::from_utf8_lossy(around)))
        });
        hits.collect()
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    let first = part[0];
    let mut from = 0;
    while let Some(step) = text[from..].iter().position(|byte| *byte == first) {
        if text[from + step..].starts_with(part) {
            return Some(from + step);
        }
        from += step + 1;
    }
    None
}

/// Everything the program wrote, each with where.
#[derive(Default)]
struct Written(Vec<(String, Vec<u8>)>);

impl Written {
    fn add(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((place.into(), bytes.into()));
    }

    /// Runs a command, and keeps what it says.
    fn command(&mut self, at: &At<'_>, arguments: &[&str]) -> Value {
        let run = tokio::task::block_in_place(|| at.docket(arguments));
        let name = format!("docket {}", arguments.join(" "));
        let json = serde_json::from_str(&run.out).unwrap_or_default();
        self.add(format!("{name}: output"), run.out);
        self.add(format!("{name}: errors"), run.err);
        json
    }

    /// Ends a server, and keeps what it said.
    fn server(&mut self, name: &str, mut server: Program) {
        assert_eq!(tokio::task::block_in_place(|| server.stop()), 0);
        let log = server.err.rest();
        assert!(log.contains("TRACE"), "the log is not at trace: {name}");
        self.add(format!("{name}: log"), log);
        self.add(format!("{name}: output"), server.out.rest());
    }

    /// Every byte of every file in the place: the database, its WAL, and whatever else is left there.
    fn files(&mut self, folder: &Path, name: &str) {
        let mut databases = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() && path.file_name().unwrap() != "fastio-key" {
                let bytes = std::fs::read(&path).unwrap();
                databases += usize::from(bytes.starts_with(b"SQLite format 3"));
                self.add(format!("{name}: {}", path.display()), bytes);
            }
        }
        assert!(databases > 0, "no database was searched");
    }

    fn holds_none_of(&self, vault: &Vault) {
        let found: Vec<String> = self
            .0
            .iter()
            .flat_map(|(place, bytes)| {
                vault.found_in(bytes).into_iter().map(move |hit| format!("{place}: {hit}"))
            })
            .collect();
        assert!(found.is_empty(), "{} secrets were written:\n{}", found.len(), found.join("\n"));
    }
}

/// A place for the program, the stand-ins, and who listens between them.
struct World {
    place: Place,
    sandbox: Sandbox,
    fastio: GoBetween,
    openai: GoBetween,
    address: std::net::SocketAddr,
    operator: std::net::SocketAddr,
    client: reqwest::Client,
    stop: CancellationToken,
    _stop: DropGuard,
}

impl World {
    async fn set_up() -> World {
        let stop = CancellationToken::new();
        let [address, operator] =
            [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
        let webhook = Webhook {
            url: format!("http://{address}/webhooks/fastio").parse().unwrap(),
            secret: SecretString::from(WEBHOOK_NEW),
            scheme: Scheme::Mixed,
        };
        let sandbox =
            start(Options { webhook: Some(webhook), ..Options::default() }, stop.clone()).await.unwrap();
        let fastio = GoBetween::before(&sandbox.fastio_url(), stop.clone()).await;
        let openai = GoBetween::before(&sandbox.openai_url(), stop.clone()).await;
        let place = Place::new();
        place.write("fastio-key", &format!("{FASTIO_KEY}\n"));
        let client = reqwest::Client::new();
        World {
            place,
            sandbox,
            fastio,
            openai,
            address,
            operator,
            client,
            stop: stop.clone(),
            _stop: stop.drop_guard(),
        }
    }

    /// Settings for these services, on a database of their own.
    fn settings(&self, database: &str, (fastio, openai): (&url::Url, &url::Url), format: &str) {
        let url = format!("sqlite://{}", self.place.path(database).display());
        self.place.write(
            "docket.toml",
            &format!(
                "[database]\nurl = '{url}'\n[receive]\nlisten = '{}'\n[operate]\nlisten = '{}'\n[log]\nfilter = 'trace'\nformat = '{format}'\n\
                 [feed]\norg_id = '3141592653589793238'\n[sweep]\npage_tries = 1\n\
                 [fastio]\nbase_url = '{fastio}'\n[openai]\nbase_url = '{openai}'\n{}",
                self.address,
                self.operator,
                legal("tools = ['fastio']")
            ),
        );
    }

    fn at(&self) -> At<'_> {
        let key = self.place.path("fastio-key");
        let fastio = format!("{WEBHOOK_NEW},{WEBHOOK_OLD}");
        let openai = format!("{OPENAI_WEBHOOK_NEW}, {OPENAI_WEBHOOK_OLD}");
        self.place.with(&[
            ("FASTIO_API_KEY_FILE", key.to_str().unwrap()),
            ("OPENAI_API_KEY", OPENAI_KEY),
            ("FASTIO_MCP_KEY", MCP_KEY),
            ("DOCKET_ADMIN_TOKEN", ADMIN_TOKEN),
            ("DOCKET_VIEW_TOKEN", VIEW_TOKEN),
            ("FASTIO_WEBHOOK_SECRET", &fastio),
            ("OPENAI_WEBHOOK_SECRET", &openai),
            ("RUST_LOG", "trace"),
        ])
    }

    fn serve(&self) -> Program {
        let mut server = self.at().start(&["serve"]);
        tokio::task::block_in_place(|| server.ready());
        server
    }

    fn control(&self, path: &str) -> url::Url {
        self.sandbox.fastio_url().join(&format!("/_sandbox/{path}")).unwrap()
    }

    async fn put(&self, path: &str, text: String) {
        let request = self.client.put(self.control(&format!("files/{WORKSPACE}/{path}"))).body(text);
        assert!(request.send().await.unwrap().status().is_success());
    }

    /// What Fastio shows of a file's hash is of no use, so that the file is read by its version, with a token.
    async fn hides_hashes(&self) {
        let fault = serde_json::json!({"kind": "changed_reply", "find": "\"md5\"", "put": "\"crc\""});
        let request = self.client.post(self.control("faults")).json(&fault);
        assert!(request.send().await.unwrap().status().is_success());
    }

    async fn delete(&self, path: &str) {
        let request = self.client.delete(self.control(&format!("files/{WORKSPACE}/{path}")));
        assert!(request.send().await.unwrap().status().is_success());
    }

    /// Posts to the public listener, and keeps what it answers to a stranger. Answers the status.
    async fn post(
        &self,
        written: &mut Written,
        (path, body): (&str, &str),
        headers: &[(&str, String)],
    ) -> u16 {
        let mut request = self.client.post(format!("http://{}{path}", self.address)).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), format!("{:?}", answer.headers()));
        written.add(format!("answer of {path}"), format!("{headers}\n{}", answer.text().await.unwrap()));
        status
    }

    /// What the server on this database has on record.
    async fn beside(&self, database: &str) -> Beside {
        Beside::of(&format!("sqlite://{}", self.place.path(database).display())).await
    }

    /// Waits until there are that many runs and each has ended.
    async fn runs_end(&self, count: usize) {
        let ended = async |records: &Records| {
            let runs = records.runs().await;
            (runs.len() == count && runs.iter().all(|run| run.state == "ended")).then_some(())
        };
        self.beside("docket.db").await.until(ended).await;
    }
}

/// What the operator listener tells who has the token, and who has a wrong one.
async fn operator(world: &World, written: &mut Written) {
    for (path, token, status) in [
        ("/api/v1/status", ADMIN_TOKEN, 200),
        ("/api/v1/status", VIEW_TOKEN, 403),
        ("/api/v1/status", OPENAI_KEY, 401),
        ("/", ADMIN_TOKEN, 200),
        ("/settings", ADMIN_TOKEN, 200),
        ("/jobs", ADMIN_TOKEN, 200),
        ("/files", VIEW_TOKEN, 200),
    ] {
        let request = world.client.get(format!("http://{}{path}", world.operator)).bearer_auth(token);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status);
        let headers = format!("{:?}", answer.headers());
        written.add(
            format!("the operator's {status} of {path}"),
            format!("{headers}\n{}", answer.text().await.unwrap()),
        );
    }
}

/// Every command that prints, in words and as JSON.
fn every_listing(written: &mut Written, at: &At<'_>) {
    for command in [
        &["status"][..],
        &["files"],
        &["events"],
        &["jobs", "list"],
        &["runs", "list"],
        &["runs", "show", "1"],
        &["runs", "again", "--rule", "liability"],
        &["check"],
        &["sweep", "--dry-run"],
        &["sweep"],
        &["backfill"],
        &["backfill", "--rule", "nobody"],
    ] {
        written.command(at, command);
        written.command(at, &[command, &["--json"]].concat());
    }
}

/// Deliveries with right and wrong signatures, of both services.
async fn deliveries(world: &World, written: &mut Written) {
    let now = jiff::Timestamp::now().as_second();
    let body = format!(
        r#"{{"event": "workspace_storage_file_deleted", "event_id": "e-old", "workspace_id": "{WORKSPACE}", "object_id": "2nothing"}}"#
    );
    let signed = |scheme, secret: &str, body: &str| -> Vec<(&str, String)> {
        let headers = sign(scheme, &SecretString::from(secret), now, body.as_bytes());
        headers.into_iter().chain([("content-type", "application/json".to_owned())]).collect()
    };
    let fastio = "/webhooks/fastio";
    let old = signed(Signed::FastioV1Base64, WEBHOOK_OLD, &body);
    assert_eq!(world.post(written, (fastio, &body), &old).await, 202);
    let wrong = signed(Signed::XFastioSha256Hex, "not-the-secret-that-it-has", &body);
    assert_eq!(world.post(written, (fastio, &body), &wrong).await, 401);
    assert_eq!(world.post(written, (fastio, &body), &[]).await, 401);
    let told =
        [("fastio-signature", format!("{WEBHOOK_NEW} is the secret")), ("x-key", FASTIO_KEY.to_owned())];
    assert_eq!(world.post(written, (fastio, &body), &told).await, 401);
    let unreadable = format!("{{\"{ADMIN_TOKEN}\": ");
    let right = signed(Signed::XFastioSha256Hex, WEBHOOK_NEW, &unreadable);
    assert_eq!(world.post(written, (fastio, &unreadable), &right).await, 400);
    let form = [("content-type", "text/plain".to_owned())];
    assert_eq!(world.post(written, (fastio, &body), &form).await, 401);
    assert_eq!(world.post(written, ("/webhooks/nobody", &body), &form).await, 404);

    let openai = "/webhooks/openai";
    let event = r#"{"type": "response.completed", "data": {"id": "resp_unknown"}}"#;
    for (secret, status) in [
        (OPENAI_WEBHOOK_NEW, 202),
        (OPENAI_WEBHOOK_OLD, 202),
        ("whsec_d3JvbmctMTIzNDU2Nzg5MC13cm9uZw==", 401),
    ] {
        let headers = standard::sign(
            &SecretString::from(secret),
            &format!("m-{status}-{secret}").replace(secret, "x"),
            now,
            event.as_bytes(),
        );
        assert_eq!(world.post(written, (openai, event), &headers.unwrap()).await, status);
    }
}

/// The tokens that Fastio handed out, as they crossed the wire.
fn tokens(fastio: &[Exchange], field: &str) -> Vec<String> {
    let answers = fastio.iter().filter_map(|exchange| serde_json::from_slice::<Value>(&exchange.answer).ok());
    let found = answers.flat_map(|answer| {
        let places =
            [&answer[field], &answer["response"][field], &answer["lock"][field], &answer["lock_info"][field]];
        places.map(|value| value.as_str().map(str::to_owned))
    });
    let mut found: Vec<String> = found.flatten().collect();
    found.sort();
    found.dedup();
    found
}

/// A run gives OpenAI the key for the tools of Fastio in one member, and nowhere else.
fn without_the_tools_key((method, uri): (&str, &str), body: &[u8]) -> Vec<u8> {
    let member = format!("\"authorization\":\"{MCP_KEY}\"");
    let is_run = method == "POST" && uri.ends_with("/v1/responses");
    match std::str::from_utf8(body) {
        Ok(text) if is_run => text.replacen(&member, "", 1).into_bytes(),
        _ => body.to_vec(),
    }
}

/// What crossed the wire holds each secret only where its service wants it: a key in `Authorization`, a token of Fastio's in
/// the one query or form that takes it.
fn wire_is_clean(fastio: &[Exchange], openai: &[Exchange], tokens: &Vault) {
    let given = Vault::given();
    for (exchanges, name, key) in [(fastio, "Fastio's key", FASTIO_KEY), (openai, "OpenAI's key", OPENAI_KEY)]
    {
        for Exchange { method, uri, headers, body, .. } in exchanges {
            for (header, value) in headers {
                // What the key may do that OpenAI is given, Fastio is asked with it.
                let asks_scopes = name == "Fastio's key" && method == "GET" && uri.ends_with("/auth/scopes/");
                let is_right = |key: &str| *value == format!("Bearer {key}");
                let is_key =
                    header == "authorization" && (is_right(key) || (asks_scopes && is_right(MCP_KEY)));
                let found = if is_key { Vec::new() } else { given.found_in(value.as_bytes()) };
                assert!(found.is_empty(), "{method} {uri}: {header}: {found:?} ({name})");
                assert!(tokens.found_in(value.as_bytes()).is_empty(), "{method} {uri}: {header}");
            }
            let body = &without_the_tools_key((method, uri), body);
            assert!(given.found_in(&[uri.as_bytes(), body].concat()).is_empty(), "{method} {uri}");
            let path = uri.split('?').next().unwrap();
            let in_query = (method == "GET" && path.ends_with("/read/"))
                || (method == "DELETE" && path.ends_with("/lock/"));
            let in_form = method == "POST" && path.ends_with("/lock/heartbeat/");
            assert!(in_query || tokens.found_in(uri.as_bytes()).is_empty(), "{method} {uri}");
            assert!(in_form || tokens.found_in(body).is_empty(), "{method} {uri}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_written_holds_a_secret() {
    let world = World::set_up().await;
    let mut written = Written::default();
    world.settings("docket.db", (&world.fastio.url, &world.openai.url), "json");
    world.hides_hashes().await;
    let server = world.serve();
    world.put("Contracts/nda.txt", contract(1)).await;
    world.put("Contracts/msa.txt", contract(2)).await;
    deliveries(&world, &mut written).await;
    operator(&world, &mut written).await;
    world.sandbox.flush_webhooks().await;
    world.runs_end(2).await;
    world.put("Contracts/nda.txt", contract(3)).await;
    world.delete("Contracts/msa.txt").await;
    world.sandbox.flush_webhooks().await;
    world.runs_end(3).await;
    every_listing(&mut written, &world.at());
    written.server("the server", server);
    written.files(&world.place.path(""), "after a whole run");

    let (fastio, openai) = (world.fastio.noted(), world.openai.noted());
    let (mut given, mut issued) = (Vault::given(), Vault(Vec::new()));
    let (reads, locks) = (tokens(&fastio, "token"), tokens(&fastio, "lock_token"));
    assert!(!reads.is_empty() && locks.len() >= 3, "{} and {} tokens were seen", reads.len(), locks.len());
    for token in reads.iter().chain(&locks) {
        given.lock_up("a token of Fastio's", token);
        issued.lock_up("a token of Fastio's", token);
    }
    wire_is_clean(&fastio, &openai, &issued);
    written.holds_none_of(&given);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_repeats_what_it_was_sent_gets_no_secret_written() {
    let world = World::set_up().await;
    let mut written = Written::default();
    let (fastio, openai) = (world.sandbox.fastio_url(), world.sandbox.openai_url());
    let bad_fastio = Parrot::start("/current/", world.stop.clone()).await;
    let bad_openai = Parrot::start("/v1/", world.stop.clone()).await;
    for (database, urls, parrot, format) in [
        ("bad-fastio.db", (&bad_fastio.url, &openai), &bad_fastio, "text"),
        ("bad-openai.db", (&fastio, &bad_openai.url), &bad_openai, "json"),
    ] {
        world.settings(database, urls, format);
        let server = world.serve();
        for file in 0..WAYS + 1 {
            world.put(&format!("Contracts/{file}.txt"), contract(file)).await;
        }
        world.sandbox.flush_webhooks().await;
        let all_said = async |records: &Records| {
            let jobs = records.jobs().await;
            (jobs.iter().any(|job| job.reason.is_some()) && parrot.said() >= WAYS).then_some(())
        };
        world.beside(database).await.until(all_said).await;
        every_listing(&mut written, &world.at());
        written.server(database, server);
        for _ in 0..WAYS {
            written.command(&world.at(), &["rebuild"]);
            written.command(&world.at(), &["check"]);
        }
    }
    written.files(&world.place.path(""), "after failures");
    written.holds_none_of(&Vault::given());
}

#[test]
fn a_secret_in_the_wrong_place_is_an_error_that_does_not_show_it() {
    let place = Place::new();
    let mut written = Written::default();
    let rule = format!("[[rule]]\nname = 'r'\nworkspace = '{WORKSPACE}'\nvector_store = 'vs_1'\n");
    let url = format!("https://me:{OPENAI_KEY}@api.openai.com/v1").replace("+YmFy/", "-YmFy-");
    let password = OPENAI_KEY.replace("+YmFy/", "-YmFy-");
    let mut vault = Vault::given();
    vault.lock_up("a password in a URL", &password);
    let right = [("FASTIO_API_KEY", "fk"), ("OPENAI_API_KEY", "sk"), ("FASTIO_WEBHOOK_SECRET", WEBHOOK_NEW)];
    let mut try_all = |more: &[(&str, &str)], arguments: &[&str]| {
        let environment: Vec<_> = right
            .iter()
            .filter(|(name, _)| more.iter().all(|(other, _)| !other.starts_with(name)))
            .chain(more)
            .copied()
            .collect();
        for command in [&["serve"][..], &["check"], &["status"], &["send"], &["backfill"], &["rebuild"]] {
            let arguments = [command, arguments].concat();
            let run = place.with(&environment).docket(&arguments);
            assert_ne!(run.code, 0, "{arguments:?}: {run:?}");
            written.add(format!("{more:?} {arguments:?}"), run.said());
        }
    };
    for line in [
        format!("[openai]\nbase_url = '{OPENAI_KEY}'"),
        format!("[openai]\napi_key = '{OPENAI_KEY}'"),
        format!("[openai]\napi_key = {OPENAI_KEY}"),
        format!("[log]\nformat = '{OPENAI_KEY}'"),
        format!("OPENAI_API_KEY={OPENAI_KEY}"),
        format!("'{OPENAI_KEY}'"),
    ] {
        place.write("docket.toml", &format!("{line}\n{rule}"));
        try_all(&[], &[]);
    }
    place.write("docket.toml", &rule);
    let postgres = format!("postgres://me:{password}@host/docket");
    let sqlite = format!("sqlite://me:{password}@host/docket");
    for (name, value) in [
        ("DATABASE_URL", postgres.as_str()),
        ("DATABASE_URL", &sqlite),
        ("DATABASE_URL", OPENAI_KEY),
        ("OPENAI_BASE_URL", OPENAI_KEY),
        ("OPENAI_API_KEY_FILE", OPENAI_KEY),
        ("DOCKET_LOG__FORMAT", OPENAI_KEY),
        ("DOCKET_QUEUE__WORKERS", OPENAI_KEY),
        ("DOCKET_OPENAI__API_KEY", OPENAI_KEY),
    ] {
        try_all(&[(name, value)], &[]);
    }
    try_all(&[], &["--set", OPENAI_KEY]);
    try_all(&[], &["--set", &format!("openai.api_key={OPENAI_KEY}")]);
    // A listing makes no request, so a bad URL does not matter to it.
    for (variable, command) in
        [("OPENAI_BASE_URL", "serve"), ("FASTIO_BASE_URL", "backfill"), ("OPENAI_BASE_URL", "check")]
    {
        let environment: Vec<_> = right.iter().copied().chain([(variable, url.as_str())]).collect();
        let run = place.with(&environment).docket(&[command]);
        assert!(run.code != 0 && run.said().contains("user name"), "{run:?}");
        written.add(format!("{variable} {command}"), run.said());
    }
    let sent = place.with(&right).docket(&["send", "--url", &url]);
    assert_eq!(sent.code, 2, "{sent:?}");
    written.add("send", sent.said());
    written.holds_none_of(&vault);
}
