//! `docket check`: all is well, and each mistake with what to do about it.

use std::net::TcpListener;

use docket_sandbox::{Options, Sandbox, start};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::harness::program::{Place, Run, SECRET, WORKSPACE};

/// Everything set up rightly.
pub struct Right {
    pub place: Place,
    pub sandbox: Sandbox,
    _stop: DropGuard,
}

pub const ENVIRONMENT: [(&str, &str); 3] =
    [("FASTIO_API_KEY", "fk"), ("OPENAI_API_KEY", "sk"), ("FASTIO_WEBHOOK_SECRET", SECRET)];

impl Right {
    pub async fn set_up() -> Right {
        let stop = CancellationToken::new();
        let sandbox = start(Options::default(), stop.clone()).await.unwrap();
        let place = Place::new();
        place.write(
            "docket.toml",
            &place.settings(sandbox.fastio_url().as_str(), sandbox.openai_url().as_str()),
        );
        let right = Right { place, sandbox, _stop: stop.drop_guard() };
        let url = right.sandbox.fastio_url().join(&format!("/_sandbox/profiles/{WORKSPACE}")).unwrap();
        assert!(reqwest::Client::new().put(url).send().await.unwrap().status().is_success());
        right
    }

    pub async fn check(&self, settings: &[&str]) -> Run {
        self.check_with(&ENVIRONMENT, settings).await
    }

    /// The stand-ins serve on this test's runtime, so the command must not block it.
    pub async fn check_with(&self, environment: &[(&str, &str)], settings: &[&str]) -> Run {
        let set = settings.iter().flat_map(|setting| ["--set", setting]);
        let arguments: Vec<&str> = ["check", "--json"].into_iter().chain(set).collect();
        tokio::task::block_in_place(|| self.place.with(environment).docket(&arguments))
    }

    /// A vector store, made as another program would.
    pub async fn vector_store(&self, body: Value) -> String {
        let url = self.sandbox.openai_url().join("vector_stores").unwrap();
        let request = reqwest::Client::new().post(url).bearer_auth("sk").json(&body);
        let made: Value = serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap();
        made["id"].as_str().unwrap().to_owned()
    }
}

pub fn failed(run: &Run) -> Vec<(String, String)> {
    let rows: Vec<Value> = serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {run:?}"));
    let failed: Vec<_> = rows.iter().filter(|row| row["ok"] == false).collect();
    assert_eq!(run.code, i32::from(!failed.is_empty()), "{run:?}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    failed.iter().map(|row| (text(&row["check"]), text(&row["message"]))).collect()
}

#[track_caller]
pub(super) fn fails(run: &Run, check: &str, words: &str) {
    let failed = failed(run);
    let [(name, message)] = &failed[..] else { panic!("one failure, not {failed:?}") };
    assert!(name == check && message.contains(words), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_well_and_nothing_was_changed() {
    let right = Right::set_up().await;
    assert_eq!(failed(&right.check(&[]).await), []);
    assert_eq!(failed(&right.check(&[]).await), []);
    let requests =
        [right.sandbox.fastio_core(), right.sandbox.openai_core()].map(|core| core.journal.requests());
    assert!(requests.iter().flatten().all(|request| request.method == "GET"), "{requests:?}");
    let words = tokio::task::block_in_place(|| right.place.with(&ENVIRONMENT).docket(&["check"]));
    // Some run the tests as root, of which a check has something to say.
    let content = words.out.contains("\nAll is well")
        || (words.out.contains("runs as root") && words.out.contains("\nNothing failed"));
    assert!(content, "{words:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_secret_is_named() {
    let right = Right::set_up().await;
    for (place, check) in [(0, "Fastio"), (1, "OpenAI"), (2, "webhook secret")] {
        let mut environment = ENVIRONMENT.to_vec();
        let (name, _) = environment.remove(place);
        fails(&right.check_with(&environment, &[]).await, check, name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_is_told_from_a_service_that_is_not_there() {
    let right = Right::set_up().await;
    for (core, check, variable) in [
        (right.sandbox.fastio_core(), "Fastio", "FASTIO_API_KEY"),
        (right.sandbox.openai_core(), "OpenAI", "OPENAI_API_KEY"),
    ] {
        core.faults.add_json(json!({"kind": "unauthorized"})).unwrap();
        fails(&right.check(&[]).await, check, variable);
        core.faults.clear();
    }
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("fastio.base_url=http://{closed}/current");
    fails(&right.check(&[&url]).await, "Fastio", "fastio.base_url");
    let url = format!("openai.base_url=http://{closed}/v1");
    fails(&right.check(&[&url]).await, "OpenAI", "openai.base_url");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_names_must_be_there() {
    let right = Right::set_up().await;
    let settings = std::fs::read_to_string(right.place.path("docket.toml")).unwrap();
    let (without_rule, _) = settings.split_once("[[rule]]").unwrap();
    let with_rule = |workspace: &str, store: &str| {
        let rule = format!("[[rule]]\nname = 'r'\nworkspace = '{workspace}'\nvector_store = '{store}'\n");
        right.place.write("docket.toml", &format!("{without_rule}{rule}"));
    };
    let store = right.vector_store(json!({"name": "lasting"})).await;
    let expiring = json!({"name": "brief", "expires_after": {"anchor": "last_active_at", "days": 7}});
    let expiring = right.vector_store(expiring).await;
    with_rule(WORKSPACE, &store);
    assert_eq!(failed(&right.check(&[]).await), []);
    with_rule("1111111111111111111", &store);
    fails(&right.check(&[]).await, "Fastio workspace", "1111111111111111111");
    with_rule(WORKSPACE, "vs_000000000000000000000000");
    fails(&right.check(&[]).await, "vector store", "OpenAI has no vs_0000");
    with_rule(WORKSPACE, &expiring);
    fails(&right.check(&[]).await, "vector store", "expires_after");
    with_rule(WORKSPACE, "my-store");
    fails(&right.check(&[]).await, "rules", "vector_store must be an id");
}

#[tokio::test(flavor = "multi_thread")]
async fn this_machine_must_offer_a_port_and_a_place_for_the_database() {
    let right = Right::set_up().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("receive.listen={}", taken.local_addr().unwrap());
    fails(&right.check(&[&listen]).await, "public listener", "another program listens");
    fails(&right.check(&["receive.tolerance_seconds=0"]).await, "webhook secret", "tolerance_seconds");
    let nowhere = format!("database.url=sqlite://{}/no/such/docket.db", right.place.path("").display());
    fails(&right.check(&[&nowhere]).await, "database", "where this user can write");
    right
        .place
        .write("text.db", "this is no database, and long enough to be looked at as one".repeat(9).as_str());
    let text = format!("database.url=sqlite://{}", right.place.path("text.db").display());
    fails(&right.check(&[&text]).await, "database", "not a database");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_trusts_no_authority_is_told_what_to_install() {
    let right = Right::set_up().await;
    let bare = [&ENVIRONMENT[..], &[("SSL_CERT_FILE", "/dev/null"), ("SSL_CERT_DIR", "/nowhere")]].concat();
    let run = right.check_with(&bare, &[]).await;
    assert_ne!(run.code, 0, "{run:?}");
    for words in ["apt-get install ca-certificates", "SSL_CERT_FILE"] {
        assert!(run.said().contains(words), "{words} is not in {run:?}");
    }
}
