//! Work that takes long, as a person at a terminal and a script meet it: `docket backfill`, `sweep` and `rebuild`, beside a
//! server and without one.

use docket_sandbox::{Options, Sandbox, start};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::harness::beside::Beside;
use crate::harness::program::{At, Place, Program, Run, SECRET, WORKSPACE};
use crate::harness::records::Records;

const ENVIRONMENT: [(&str, &str); 3] =
    [("FASTIO_API_KEY", "fk"), ("OPENAI_API_KEY", "sk"), ("FASTIO_WEBHOOK_SECRET", SECRET)];

/// A workspace that was there before Docket.
struct World {
    place: Place,
    sandbox: Sandbox,
    _stop: DropGuard,
}

impl World {
    async fn with_files(names: &[&str]) -> World {
        let stop = CancellationToken::new();
        let sandbox = start(Options::default(), stop.clone()).await.unwrap();
        let place = Place::new();
        let settings = place.settings(sandbox.fastio_url().as_str(), sandbox.openai_url().as_str());
        place.write("docket.toml", &format!("[sweep]\npage_tries = 1\n{settings}"));
        let world = World { place, sandbox, _stop: stop.drop_guard() };
        for name in names {
            world.put(name, &format!("The file {name}.")).await;
        }
        world
    }

    /// That many small files, a page of the listing for each 500.
    async fn with_many(count: usize) -> World {
        let world = World::with_files(&[]).await;
        let url = world.control("generate");
        let asked = json!({"workspace": WORKSPACE, "count": count, "seed": 1});
        let made = reqwest::Client::new().post(url).json(&asked).send().await.unwrap();
        assert!(made.status().is_success());
        world
    }

    fn control(&self, path: &str) -> url::Url {
        self.sandbox.fastio_url().join(&format!("/_sandbox/{path}")).unwrap()
    }

    async fn put(&self, name: &str, text: &str) {
        let url = self.control(&format!("files/{WORKSPACE}/{name}"));
        let put = reqwest::Client::new().put(url).body(text.to_owned()).send().await.unwrap();
        assert!(put.status().is_success());
    }

    /// Deletes the one vector store, as another program would.
    async fn delete_store(&self) -> String {
        let (client, url) = (reqwest::Client::new(), self.sandbox.openai_url());
        let list = client.get(url.join("vector_stores").unwrap()).bearer_auth("sk").send().await.unwrap();
        let stores: Value = serde_json::from_str(&list.text().await.unwrap()).unwrap();
        let store = stores["data"][0]["id"].as_str().unwrap().to_owned();
        let place = url.join(&format!("vector_stores/{store}")).unwrap();
        assert!(client.delete(place).bearer_auth("sk").send().await.unwrap().status().is_success());
        store
    }

    fn at(&self) -> At<'_> {
        self.place.with(&ENVIRONMENT)
    }

    /// The stand-ins serve on this test's runtime, so the command must not block it.
    fn docket(&self, arguments: &[&str]) -> Run {
        tokio::task::block_in_place(|| self.at().docket(arguments))
    }

    fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let run = self.docket(&[arguments, &["--json"]].concat());
        let value = serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {run:?}"));
        assert_eq!(run.err, "", "a script's terminal stays empty");
        (run.code, value)
    }

    fn serve(&self) -> Program {
        tokio::task::block_in_place(|| self.at().serve(&[])).0
    }

    fn jobs(&self) -> usize {
        let (_, jobs) = self.json(&["jobs", "list", "--limit", "100000"]);
        jobs.as_array().unwrap().len()
    }

    /// Waits until no job is left.
    async fn rests(&self) {
        let none_left = async |records: &Records| records.jobs().await.is_empty().then_some(());
        Beside::of(&self.place.database_url()).await.until(none_left).await;
    }

    fn fails(&self, fault: Value) {
        self.sandbox.fastio_core().faults.add_json(fault).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_needs_no_server_and_a_server_does_its_work() {
    let world = World::with_files(&["a.txt", "b.txt", "c.txt"]).await;
    let run = world.docket(&["backfill"]);
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (0, "3 files listed, 3 queued.\n", ""));
    assert_eq!(world.jobs(), 3);
    assert_eq!(
        world.json(&["backfill"]),
        (0, json!({"listed": 3, "queued": 0, "unreadable": 0, "incomplete": []}))
    );
    let mut server = world.serve();
    let run = world.docket(&["backfill", "--rule", "contracts", "--wait"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(world.jobs(), 0, "--wait waits until all is done");
    let (_, files) = world.json(&["files"]);
    assert!(files.as_array().unwrap().iter().all(|file| file["copy"] == "indexed"), "{files:#}");
    assert_eq!(tokio::task::block_in_place(|| server.stop()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_that_waits_where_nobody_works_says_so_and_ends() {
    let world = World::with_files(&["a.txt", "b.txt"]).await;
    let run = world.docket(&["backfill", "--wait"]);
    assert_eq!((run.code, run.out.as_str()), (1, "2 files listed, 2 queued.\n"), "{run:?}");
    let said = "No server works on this database, so 2 jobs will wait. Start one: docket serve\n";
    assert_eq!(run.err, said);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_that_is_killed_goes_on_where_it_was() {
    let world = World::with_many(4_000).await;
    world.fails(json!({"kind": "held_reply", "path": "/current/**/inventory/", "skip": 5}));
    let backfill = world.at().start(&["backfill"]);
    world.sandbox.fastio_core().faults.held_more_than(0).await;
    backfill.kill();
    world.sandbox.fastio_core().faults.clear();
    let before = world.jobs();
    assert!((1..4_000).contains(&before), "{before} jobs");
    let asked = world.sandbox.fastio_core().journal.requests().len();

    let (code, done) = world.json(&["backfill"]);
    assert_eq!((code, &done["listed"], &done["queued"]), (0, &json!(4_000), &json!(4_000)), "{done}");
    assert_eq!(world.jobs(), 4_000, "each file has its job, and none has two");
    let pages = world.sandbox.fastio_core().journal.requests().len() - asked;
    assert!(pages <= 5, "{pages} pages were read again; it began anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_shows_how_far_it_is_and_what_is_left() {
    let world = World::with_many(4_000).await;
    world.fails(json!({"kind": "latency", "path": "/current/**/inventory/", "delay_ms": 150}));
    let first = tokio::task::block_in_place(|| world.at().docket_at_a_terminal(&["backfill"]));
    assert_eq!(first.code, 0, "{first:?}");
    assert!(first.out.contains("a second · ") && first.out.contains("queued"), "{first:?}");
    let again = tokio::task::block_in_place(|| world.at().docket_at_a_terminal(&["backfill"]));
    for words in [" of 4,000 · ", " a second", " left", "4000 files listed, 0 queued."] {
        assert!(again.out.contains(words), "{words}: {again:?}");
    }
    let sweep = tokio::task::block_in_place(|| world.at().docket_at_a_terminal(&["sweep", "--dry-run"]));
    assert!(sweep.out.contains("entries read") && sweep.out.contains("a second"), "{}", &sweep.out[..2_000]);
    let plain = world.docket(&["backfill"]);
    assert!(!plain.out.contains('\u{1b}') && plain.err.is_empty(), "{plain:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_fails_is_exit_code_1_and_says_what_to_do() {
    let world = World::with_files(&["a.txt"]).await;
    world.fails(json!({"kind": "server_error", "status": 503}));
    let run = world.docket(&["backfill"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.out.contains("Not listed to the end") && run.out.contains("Run it again"), "{run:?}");
    let (code, swept) = world.json(&["sweep"]);
    assert_eq!((code, &swept["outcome"]), (1, &json!("incomplete")), "{swept:#}");
    for command in ["backfill", "sweep"] {
        let run = world.docket(&[command, "--rule", "nobody"]);
        assert_eq!((run.code, run.err.as_str()), (2, "docket: no rule is called `nobody`\n"), "{run:?}");
    }
    let no_key = [ENVIRONMENT[1], ENVIRONMENT[2]];
    for command in ["backfill", "sweep", "rebuild"] {
        let run = tokio::task::block_in_place(|| world.place.with(&no_key).docket(&[command]));
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.err.starts_with("docket: FASTIO_API_KEY is not set"), "{run:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_says_what_it_would_do_and_does_it_when_it_may() {
    let world = World::with_files(&["a.txt", "b.txt"]).await;
    let dry = world.docket(&["sweep", "--dry-run"]);
    assert_eq!(dry.code, 0, "{dry:?}");
    assert!(
        dry.out.contains("missing    /a.txt") && dry.out.contains("2 jobs would be asked for"),
        "{dry:?}"
    );
    assert_eq!(world.jobs(), 0);
    // A server may be at work beside it.
    let mut server = world.serve();
    let (code, swept) = world.json(&["sweep"]);
    assert_eq!((code, &swept["outcome"], &swept["report"]["dry_run"]), (0, &json!("done"), &json!(false)));
    world.docket(&["backfill", "--wait"]);
    world.rests().await;
    assert_eq!(world.json(&["sweep", "--dry-run"]).1["differences"], json!([]));
    let words = world.docket(&["sweep"]);
    assert!(words.out.contains("Nothing differs."), "{words:?}");
    assert_eq!(tokio::task::block_in_place(|| server.stop()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_is_refused_beside_a_server_and_restores_a_lost_database() {
    let world = World::with_files(&["a.txt", "b.txt"]).await;
    let mut server = world.serve();
    let run = world.docket(&["backfill", "--wait"]);
    assert_eq!(run.code, 0, "{run:?}");
    let refused = world.docket(&["rebuild"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("another docket server already works on"), "{refused:?}");
    assert_eq!(tokio::task::block_in_place(|| server.stop()), 0);

    std::fs::remove_file(world.place.path("docket.db")).unwrap();
    let (code, rebuilt) = world.json(&["rebuild"]);
    assert_eq!((code, &rebuilt["copies"], &rebuilt["strangers"]), (0, &json!(2), &json!(0)), "{rebuilt}");
    let words = world.docket(&["rebuild"]);
    assert!(
        words.out.contains("0 copies restored from 2 entries") && words.out.contains("docket backfill"),
        "{words:?}"
    );
    let uploads = |world: &World| {
        let requests = world.sandbox.openai_core().journal.requests();
        requests.iter().filter(|request| request.method == "POST" && request.path == "/v1/files").count()
    };
    let before = uploads(&world);
    let mut server = world.serve();
    assert_eq!(world.docket(&["backfill", "--wait"]).code, 0);
    assert_eq!(uploads(&world), before, "nothing is uploaded again");
    assert_eq!(tokio::task::block_in_place(|| server.stop()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_gone_is_told_by_each_command_and_made_anew_by_a_server() {
    let world = World::with_files(&["a.txt", "b.txt"]).await;
    let mut server = world.serve();
    assert_eq!(world.docket(&["backfill", "--wait"]).code, 0);
    assert_eq!(tokio::task::block_in_place(|| server.stop()), 0);
    let store = world.delete_store().await;

    let (code, checks) = world.json(&["check"]);
    let failed: Vec<&Value> =
        checks.as_array().unwrap().iter().filter(|check| check["ok"] == false).collect();
    let message = failed[0]["message"].as_str().unwrap();
    assert!(code == 1 && failed.len() == 1 && failed[0]["check"] == "vector store", "{failed:?}");
    assert!(message.contains(&store) && message.contains("a server makes it anew"), "{message}");
    let rebuilt = world.docket(&["rebuild"]);
    assert!(rebuilt.code == 0 && rebuilt.out.contains("is gone at OpenAI"), "{rebuilt:?}");
    let swept = world.docket(&["sweep", "--dry-run"]);
    assert!(swept.out.contains(&store) && swept.out.contains("makes it anew"), "{swept:?}");

    let mut server = world.serve();
    assert_eq!(world.docket(&["sweep"]).code, 1, "it is not complete");
    assert_eq!(world.docket(&["backfill", "--wait"]).code, 0);
    let words = world.docket(&["status"]);
    assert!(words.out.contains("was gone at OpenAI") && words.out.contains("made anew"), "{words:?}");
    assert_eq!(world.docket(&["check"]).code, 0);
    assert_eq!(tokio::task::block_in_place(|| server.stop()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_a_budget_keeps_out_fails_a_check_that_says_what_to_do() {
    let world = World::with_files(&["a.txt", "b.txt"]).await;
    let (fastio, openai) = (world.sandbox.fastio_url(), world.sandbox.openai_url());
    let settings = world.place.settings(fastio.as_str(), openai.as_str());
    world.place.write("docket.toml", &format!("{settings}budget = {{ files = 1 }}\npinned = ['**']\n"));
    let mut server = world.serve();
    assert_eq!(world.docket(&["backfill", "--wait"]).code, 0);
    assert_eq!(world.docket(&["files", "bring", "/b.txt"]).code, 0, "somebody wants it");
    world.rests().await;
    assert_eq!(tokio::task::block_in_place(|| server.stop()), 0);
    let (code, checks) = world.json(&["check"]);
    let failed: Vec<&Value> = checks.as_array().unwrap().iter().filter(|row| row["ok"] == false).collect();
    let [failed] = &failed[..] else { panic!("{checks:#}") };
    let message = failed["message"].as_str().unwrap();
    assert!(code == 1 && failed["check"] == "work", "{failed}");
    assert!(
        message.contains("1 file is wanted in rule contracts") && message.contains("raise the budget"),
        "{message}"
    );
}
