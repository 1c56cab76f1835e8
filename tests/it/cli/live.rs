//! A server and stand-ins as processes of their own, and the commands beside them.

use docket::sync::listing::{Filter, Row, Standing};
use docket_sandbox::{Options, Sandbox, Scheme, Webhook, start};
use secrecy::SecretString;
use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::harness::beside::Beside;
use crate::harness::program::{Listens, Place, Program, SECRET, WORKSPACE};
use crate::harness::records::Records;

const ENVIRONMENT: [(&str, &str); 3] =
    [("FASTIO_API_KEY", "fk"), ("OPENAI_API_KEY", "sk"), ("FASTIO_WEBHOOK_SECRET", SECRET)];

/// A server with these settings between stand-ins in this process, which tell it of every change.
pub async fn serve(
    place: &Place,
    environment: &[(&str, &str)],
    settings: impl FnOnce(&str, &str) -> String,
) -> (Sandbox, Program, DropGuard) {
    let (sandbox, server, _, guard) = serve_at(place, environment, settings).await;
    (sandbox, server, guard)
}

/// The same, and where the server takes connections.
pub async fn serve_at(
    place: &Place,
    environment: &[(&str, &str)],
    settings: impl FnOnce(&str, &str) -> String,
) -> (Sandbox, Program, Listens, DropGuard) {
    // The server's address must be known before the stand-ins start, and theirs before the server does.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let webhook = Webhook {
        url: format!("http://{free}/webhooks/fastio").parse().unwrap(),
        secret: SecretString::from(SECRET),
        scheme: Scheme::FastioBase64,
    };
    let stop = CancellationToken::new();
    let guard = stop.clone().drop_guard();
    let sandbox = start(Options { webhook: Some(webhook), ..Options::default() }, stop).await.unwrap();
    place.write("docket.toml", &settings(sandbox.fastio_url().as_str(), sandbox.openai_url().as_str()));
    let (server, listens) = place.with(environment).serve(&["--set", &format!("receive.listen={free}")]);
    (sandbox, server, listens, guard)
}

/// The stand-ins as a process, and its first line.
pub fn sandbox(place: &Place, arguments: &[&str]) -> (Program, Value) {
    let ports = ["sandbox", "--json", "--fastio", "127.0.0.1:0", "--openai", "127.0.0.1:0"];
    let mut sandbox = place.with(&[]).start(&[&ports, arguments].concat());
    let line = sandbox.out.find(|_| true);
    (sandbox, serde_json::from_str(&line).unwrap())
}

#[test]
fn the_sandbox_says_where_it_is_and_stops_when_told() {
    let place = Place::new();
    let (mut sandbox, said) = sandbox(&place, &["--scheme", "mixed", "--index-delay", "10ms", "--seed", "7"]);
    assert!(said["fastio_base_url"].as_str().unwrap().ends_with("/current"), "{said}");
    assert!(said["openai_base_url"].as_str().unwrap().ends_with("/v1"), "{said}");
    assert!(said["fastio_webhook_secret"].as_str().unwrap().starts_with("whsec_"), "{said}");
    assert_eq!(sandbox.stop(), 0);
}

#[test]
fn a_secret_that_somebody_set_is_not_printed() {
    let place = Place::new();
    let arguments = ["sandbox", "--fastio", "127.0.0.1:0", "--openai", "127.0.0.1:0"];
    let mut sandbox = place.with(&[("FASTIO_WEBHOOK_SECRET", SECRET)]).start(&arguments);
    sandbox.out.find(|line| line.contains("_sandbox/requests"));
    assert_eq!(sandbox.stop(), 0);
    assert!(!sandbox.out.rest().contains(SECRET), "the secret stands in the output");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sent_event_is_taken_once_and_a_wrong_secret_is_refused() {
    let place = Place::new();
    let (mut sandbox, said) = sandbox(&place, &[]);
    let url = |name: &str| said[name].as_str().unwrap().to_owned();
    place.write("docket.toml", &place.settings(&url("fastio_base_url"), &url("openai_base_url")));
    let at = place.with(&ENVIRONMENT);
    let (mut server, listens) = at.serve(&[]);
    let to = listens.url("/webhooks/fastio");

    for scheme in ["fastio", "x-fastio"] {
        let sent = at.docket(&["send", "--url", &to, "--scheme", scheme, "--id", "evt_test", "--json"]);
        assert_eq!(sent.code, 0, "{sent:?}");
        let rows: Vec<Value> = serde_json::from_str(&sent.out).unwrap();
        assert_eq!((&rows[0]["status"], &rows[0]["event_id"]), (&202.into(), &"evt_test".into()));
        assert!(
            rows[0]["proves"].as_str().unwrap().contains("only a delivery of Fastio's shows"),
            "{sent:?}"
        );
    }
    let other =
        [ENVIRONMENT[0], ENVIRONMENT[1], ("FASTIO_WEBHOOK_SECRET", "another-secret-than-the-server-has")];
    let refused = place.with(&other).docket(&["send", "--url", &to]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.out.contains("refused") && refused.out.contains("401"), "{refused:?}");

    let second = at.docket(&["serve"]);
    assert_eq!(second.code, 1, "{second:?}");
    assert!(second.err.contains("another docket server already works on"), "{second:?}");

    assert_eq!(server.stop(), 0);
    let events: Vec<Value> = serde_json::from_str(&at.docket(&["events", "--json"]).out).unwrap();
    assert_eq!(events.len(), 1, "the same id twice is one event: {events:?}");
    let status: Vec<Value> = serde_json::from_str(&at.docket(&["status", "--json"]).out).unwrap();
    let of = |name: &str| status.iter().filter(|row| row["name"] == name).cloned().collect::<Vec<_>>();
    assert_eq!(of("delivery_rejected")[0]["label"], "signature_mismatch", "{status:?}");
    assert_eq!(of("signature").len(), 2, "{status:?}");
    let nobody = at.docket(&["send", "--url", &to]);
    assert_eq!(nobody.code, 1);
    assert!(nobody.err.contains("nothing listens there"), "{nobody:?}");
    assert_eq!(sandbox.stop(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_fastio_becomes_a_row_with_its_copy() {
    let place = Place::new();
    let (sandbox, mut server, _stop) =
        serve(&place, &ENVIRONMENT, |fastio, openai| place.settings(fastio, openai)).await;
    let at = place.with(&ENVIRONMENT);

    for path in ["Contracts/nda.txt", "Contracts/picture.xyz"] {
        let url = sandbox.fastio_url().join(&format!("/_sandbox/files/{WORKSPACE}/{path}")).unwrap();
        let put = reqwest::Client::new().put(url).body("limitation of liability").send().await.unwrap();
        assert!(put.status().is_success());
    }
    sandbox.flush_webhooks().await;
    let both_seen = async |records: &Records| {
        let rows = records.files(&Filter::default()).await;
        let done = |row: &Row| matches!(row.state, Standing::Current | Standing::Skipped);
        (rows.len() == 2 && rows.iter().all(done)).then_some(())
    };
    Beside::of(&place.database_url()).await.until(both_seen).await;
    let rows: Vec<Value> = serde_json::from_str(&at.docket(&["files", "--json"]).out).unwrap();
    assert_eq!(rows.len(), 2, "{rows:#?}");
    let nda = rows.iter().find(|row| row["path"] == "/Contracts/nda.txt").unwrap();
    assert!(nda["source_id"].as_str().unwrap().starts_with(&format!("workspace:{WORKSPACE}:")), "{nda}");
    assert!(nda["file_id"].as_str().unwrap().starts_with("file-"), "{nda}");
    assert!(nda["seen_at"].is_i64(), "{nda}");
    let words = at.docket(&["files"]);
    assert!(words.out.contains("/Contracts/nda.txt") && words.out.contains("indexed"), "{words:?}");
    assert_eq!(server.stop(), 0);
}
