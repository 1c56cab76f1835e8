//! Secrets that stand in files change while a server runs, and nothing is refused or fails because of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use docket::app::Parts;
use docket::app::rotation::{Rotation, Taken};
use docket::clock::Clock;
use docket::config::{Config, Sources};
use docket::fastio;
use docket::http::witness::Witness;
use docket::receive::signature::{Scheme, sign};
use docket_sandbox::Options;
use secrecy::SecretString;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::harness::database::{is_pooled, url_in};
use crate::harness::{ONE_STORE, World};

const OLD: &str = "whsec_dGhlLW9sZC1zZWNyZXQtMTIzNDU2Nzg5MDEyMw==";
const NEW: &str = "whsec_dGhlLW5ldy1zZWNyZXQtMTIzNDU2Nzg5MDEyMw==";

/// Puts another file in the place of one, as Kubernetes and careful people do.
fn write(folder: &Path, name: &str, content: &str) {
    let next = folder.join(format!("{name}.next"));
    std::fs::write(&next, format!("{content}\n")).unwrap();
    std::fs::rename(next, folder.join(name)).unwrap();
}

#[tokio::test]
async fn a_secret_in_a_file_is_rotated_and_no_delivery_is_refused_meanwhile() {
    let world = World::start(Options::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let mut environment = BTreeMap::from([
        ("DATABASE_URL".to_owned(), url_in(place)),
        ("DOCKET_DATABASE__POOLER".to_owned(), is_pooled().to_string()),
        ("FASTIO_BASE_URL".to_owned(), world.sandbox.fastio_url().to_string()),
        ("OPENAI_BASE_URL".to_owned(), world.sandbox.openai_url().to_string()),
    ]);
    for (variable, content) in [
        ("FASTIO_API_KEY", "a-first-key-of-fastio"),
        ("OPENAI_API_KEY", "sk-a-first-key"),
        ("FASTIO_WEBHOOK_SECRET", OLD),
    ] {
        write(place, variable, content);
        environment.insert(format!("{variable}_FILE"), place.join(variable).display().to_string());
    }
    write(place, "docket.toml", ONE_STORE);
    let sources = Sources { path: Some(place.join("docket.toml")), set: vec![], environment };
    let config = Config::load(&sources).unwrap();
    let parts = Parts::build(&config, Clock::default(), None).await.unwrap();
    let rotation = Rotation::of(&config, &parts).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/webhooks/fastio", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let served = tokio::spawn(parts.receive.public.serve(listener, stop.clone()));

    let client = reqwest::Client::new();
    let posted = async |secret: &str| {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed();
        let body =
            json!({"event_id": uuid::Uuid::now_v7().to_string(), "event": "file.accessed"}).to_string();
        let mut request = client.post(&url).body(body.clone());
        for (name, value) in
            sign(Scheme::FastioV1Base64, &SecretString::from(secret), seconds, body.as_bytes())
        {
            request = request.header(name, value);
        }
        request.send().await.unwrap().status().as_u16()
    };
    let used = |variable: &str| Taken::Used(vec![format!("{variable}_FILE")]);
    assert_eq!((posted(OLD).await, posted(NEW).await), (202, 401));
    assert_eq!(rotation.once().await, Taken::Nothing);

    write(place, "FASTIO_WEBHOOK_SECRET", &format!("{NEW},{OLD}"));
    assert_eq!(rotation.once().await, used("FASTIO_WEBHOOK_SECRET"));
    assert_eq!((posted(OLD).await, posted(NEW).await), (202, 202), "both are right while one is rotated out");
    write(place, "FASTIO_WEBHOOK_SECRET", NEW);
    assert_eq!(rotation.once().await, used("FASTIO_WEBHOOK_SECRET"));
    assert_eq!((posted(OLD).await, posted(NEW).await), (401, 202));

    // What a start would refuse changes nothing, and no value is said.
    write(place, "FASTIO_WEBHOOK_SECRET", "changeme");
    let Taken::Refused(why) = rotation.once().await else { panic!("it was taken") };
    assert!(why.contains("FASTIO_WEBHOOK_SECRET") && !why.contains("changeme"), "{why}");
    assert_eq!(rotation.once().await, Taken::Nothing, "it is told once");
    assert_eq!(posted(NEW).await, 202);
    std::fs::remove_file(place.join("FASTIO_API_KEY")).unwrap();
    assert!(matches!(rotation.once().await, Taken::Refused(_)));
    write(place, "FASTIO_WEBHOOK_SECRET", NEW);
    write(place, "FASTIO_API_KEY", "a-second-key-of-fastio");
    let Taken::Used(both) = rotation.once().await else { panic!("it was refused") };
    assert_eq!(both.len(), 2, "{both:?}");
    stop.cancel();
    served.await.unwrap();
}

#[tokio::test]
async fn a_new_key_is_every_clones_at_once() {
    let world = World::start(Options::default()).await;
    let client = fastio::Client::new(&world.sandbox.fastio_url(), SecretString::from("a-first-key")).unwrap();
    let clone = client.clone();
    let witness = Witness::default();
    // Each key is another user's at the stand-in.
    let user = async || {
        witness.watch(clone.check_auth()).await.unwrap();
        witness.last().unwrap().body.unwrap()["id"].clone()
    };
    let first = user().await;
    client.use_key(&SecretString::from("a-second-key")).unwrap();
    let second = user().await;
    assert_ne!(first, second);
    assert!(client.use_key(&SecretString::from("a\nkey")).is_err());
    assert_eq!(user().await, second, "the old one stays");
}
