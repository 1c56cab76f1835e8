//! Cloud sources, asked for as a person does: the real program against the stand-in, under both families of paths.

use docket_sandbox::{Options, Sandbox, start};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::harness::program::{KEYS, Place, Run, WORKSPACE};

/// The program beside a stand-in.
struct World {
    place: Place,
    sandbox: Sandbox,
    _stop: DropGuard,
}

impl World {
    async fn start() -> World {
        let (place, stop) = (Place::new(), CancellationToken::new());
        let guard = stop.clone().drop_guard();
        let sandbox = start(Options::default(), stop).await.unwrap();
        let settings = place.settings(sandbox.fastio_url().as_str(), sandbox.openai_url().as_str());
        place.write("docket.toml", &settings);
        World { place, sandbox, _stop: guard }
    }

    async fn cloud(&self, set: Value) {
        let url = self.sandbox.fastio_url().join("/_sandbox/cloud").unwrap();
        reqwest::Client::new().post(url).json(&set).send().await.unwrap().error_for_status().unwrap();
    }

    fn sources(&self, arguments: &[&str]) -> Run {
        self.place.with(&KEYS).docket(&[&["sources"], arguments].concat())
    }

    /// The accounts and sources.
    fn list(&self) -> Value {
        let run = self.sources(&["list", "--json"]);
        assert_eq!(run.code, 0, "{run:?}");
        serde_json::from_str::<Value>(&run.out).unwrap()[0].take()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_connected_by_a_person_and_its_files_arrive_under_either_family_of_paths() {
    for family in ["cloudsync", "imports"] {
        let world = World::start().await;
        world.cloud(json!({"family": family, "path": "/Contracts/nda.txt", "text": "Confidential."})).await;
        let none = world.sources(&["list"]);
        assert!(none.out.starts_with("No account is connected."), "{none:?}");
        let begun = world.sources(&["connect", "google_drive"]);
        assert!(begun.out.contains("  https://consent.sandbox.invalid/authorize?state="), "{begun:?}");
        let account = world.list()["accounts"][0]["id"].as_str().unwrap().to_owned();
        let waits = world.sources(&["list"]);
        assert!(waits.out.contains("waits for a person to open the link and agree"), "{waits:?}");
        let early = world.sources(&["add", &account, "/Contracts"]);
        assert!(early.code == 1 && early.err.contains("not active"), "{early:?}");
        world.cloud(json!({"consent": true})).await;
        for _ in 0..2 {
            let added = world.sources(&["add", &account, "/Contracts"]);
            assert_eq!(added.code, 0, "{added:?}");
        }
        let sources = world.list()["sources"].clone();
        assert_eq!(sources.as_array().unwrap().len(), 1, "{sources}");
        let state = world.sandbox.fastio().snapshot();
        assert_eq!(state["files"][0]["path"], "/Imports/nda.txt", "{family}");
        let source = sources[0]["id"].as_str().unwrap();
        for (word, said) in [("pause", "paused"), ("resume", "resumed"), ("refresh", "being looked through")]
        {
            let done = world.sources(&[word, source]);
            assert_eq!((done.code, done.out), (0, format!("Source {source} is {said}.\n")));
        }
        let jobs: Value = serde_json::from_str(&world.sources(&["jobs", source, "--json"]).out).unwrap();
        assert_eq!(jobs.as_array().unwrap().len(), 2, "{jobs}");
        world.cloud(json!({"source_status": "suspended_plan"})).await;
        let suspended = world.sources(&["list", "--workspace", WORKSPACE]);
        assert!(suspended.out.contains("change the plan, then resume it"), "{suspended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_onedrive_account_says_which_drives_it_has() {
    let world = World::start().await;
    world.sources(&["connect", "onedrive_business", "--account-type", "work"]);
    world.cloud(json!({"consent": true})).await;
    let account = world.list()["accounts"][0]["id"].as_str().unwrap().to_owned();
    let which = world.sources(&["add", &account, "/Contracts"]);
    assert!(which.code == 2 && which.err.contains("--drive drive-1 (Documents)"), "{which:?}");
    world.cloud(json!({"drives_state": "permission_denied"})).await;
    let denied = world.sources(&["add", &account, "/Contracts"]);
    assert!(denied.err.contains("the account may not list drives: ask who administers it"), "{denied:?}");
    let added = world.sources(&["add", &account, "/Contracts", "--drive", "drive-1"]);
    assert_eq!(added.code, 0, "{added:?}");
    let nobody = world.sources(&["add", "nobody", "/Contracts"]);
    assert!(nobody.code == 1 && nobody.err.contains("no account has the id nobody"), "{nobody:?}");
}
