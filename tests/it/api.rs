//! `/api/v1` of the real program, and the commands that ask a server instead of the database.

use docket_sandbox::Sandbox;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::DropGuard;

use crate::cli::live;
use crate::harness::beside::Beside;
use crate::harness::database::DatabaseFile;
use crate::harness::program::{At, KEYS, Place, Program, Run, WORKSPACE};
use crate::harness::records::Records;
use crate::harness::{contract, legal};

pub const ADMIN: &str = "a-token-for-operators";
pub const VIEW: &str = "another-for-who-looks-on";

/// A server with the legal team's rule between stand-ins, in whose workspace there is a contract that was analysed, and a file that OpenAI
/// cannot hold.
pub struct World {
    place: Place,
    sandbox: Sandbox,
    pub server: Program,
    pub operate: String,
    _stop: DropGuard,
}

impl World {
    pub async fn start() -> World {
        let place = Place::new();
        let settings = |fastio: &str, openai: &str| {
            let settings = place.settings(fastio, openai).replace("listen = 'off'", "listen = '127.0.0.1:0'");
            let (settings, _) = settings.split_once("[[rule]]").unwrap();
            format!("{settings}{}", legal(""))
        };
        let environment = [&KEYS[..], &[("DOCKET_ADMIN_TOKEN", ADMIN), ("DOCKET_VIEW_TOKEN", VIEW)]].concat();
        let (sandbox, server, listens, stop) = live::serve_at(&place, &environment, settings).await;
        let world = World { place, sandbox, server, operate: listens.operate_url(""), _stop: stop };
        world.put("Contracts/1.txt", contract(1)).await;
        world.put("Contracts/setup.exe", "MZ".to_owned()).await;
        world.settles().await;
        world
    }

    /// Waits until nothing is left to do, and nothing of what Fastio tells of what was written by then.
    async fn settles(&self) {
        for _ in 0..2 {
            self.sandbox.flush_webhooks().await;
            let is_done = async |records: &Records| {
                let is_quiet = records.waiting().await == 0 && records.jobs().await.is_empty();
                let runs = records.runs().await;
                (is_quiet && runs.iter().all(|run| run.word() == "completed")).then_some(())
            };
            Beside::of(&self.place.database_url()).await.until(is_done).await;
        }
    }

    async fn put(&self, path: &str, content: String) {
        let url = self.sandbox.fastio_url().join(&format!("/_sandbox/files/{WORKSPACE}/{path}")).unwrap();
        Client::new().put(url).body(content).send().await.unwrap().error_for_status().unwrap();
    }

    pub fn at<'a>(&'a self, more: &[(&str, &str)]) -> At<'a> {
        self.place.with(&[&KEYS[..], more].concat())
    }

    pub async fn get(&self, path: &str) -> Value {
        let answer = self.ask(Method::GET, path, ADMIN).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    async fn ask(&self, method: Method, path: &str, token: &str) -> reqwest::Response {
        Client::new()
            .request(method, format!("{}{path}", self.operate))
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
    }

    async fn post(&self, path: &str, key: Option<&str>, body: &Value) -> (StatusCode, bool, Value) {
        let mut request = Client::new().post(format!("{}{path}", self.operate)).bearer_auth(ADMIN).json(body);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let answer = request.send().await.unwrap();
        let (status, replayed) = (answer.status(), answer.headers().contains_key("idempotent-replayed"));
        (status, replayed, answer.json().await.unwrap())
    }

    /// What a command prints when it asks the server, which is what it prints when it reads the database.
    fn same_either_way(&self, arguments: &[&str]) -> Run {
        let (beside, asking) =
            (self.at(&[]), self.at(&[("DOCKET_SERVER", &self.operate), ("DOCKET_ADMIN_TOKEN", ADMIN)]));
        loop {
            let before = beside.docket(arguments);
            let asked = asking.docket(arguments);
            let said = |run: &Run| (run.code, run.out.clone(), run.err.clone());
            if said(&before) == said(&asked) {
                return asked;
            }
            // A second may have passed, of which both tell.
            assert_ne!(said(&before), said(&beside.docket(arguments)), "asking says otherwise: {asked:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_shows_the_same_whether_it_asks_a_server_or_the_database() {
    let mut world = World::start().await;
    for command in [
        &["status"][..],
        &["files"],
        &["files", "/Contracts/1.txt"],
        &["files", "--state", "skipped"],
        &["files", "/nowhere.txt"],
        &["files", "--rule", "liability"],
        &["explain", "/Contracts/1.txt"],
        &["explain", "/Contracts/setup.exe"],
        &["explain", "/elsewhere/1.txt"],
        &["search", "liability of the supplier"],
        &["search", "liability", "--rule", "nobody"],
        &["runs", "list"],
        &["runs", "show", "1"],
        &["runs", "show", "9"],
        &["jobs", "list"],
        &["jobs", "show", "9"],
        &["jobs", "retry", "9"],
        &["jobs", "retry", "--all"],
        &["jobs", "retry", "--cause", "nothing died of this"],
        &["jobs", "list", "--cause", "nothing died of this"],
        &["files", "--look-again"],
        &["events"],
        &["events", "--limit", "1"],
        &["events", "--since", "1h"],
        &["files", "--since", "24h"],
        &["files", "--until", "24h"],
        &["runs", "list", "--state", "completed", "--since", "1h"],
        &["jobs", "list", "--until", "7d"],
        &["sweep", "approve"],
        &["audit"],
        &["runs", "again", "--rule", "liability"],
        &["runs", "again", "--file", "/Contracts/1.txt"],
    ] {
        world.same_either_way(command);
    }
    for command in
        ["status", "files", "explain /Contracts/1.txt", "runs list", "runs show 1", "jobs list", "events"]
    {
        let words: Vec<&str> = command.split(' ').chain(["--json"]).collect();
        let json = world.same_either_way(&words);
        assert!(serde_json::from_str::<Value>(&json.out).is_ok(), "{json:?}");
    }
    let wrong = world.same_either_way(&["files", "--rule", "nobody"]);
    assert!(
        wrong.code == 2 && wrong.err.contains("no rule is called `nobody`; those there are: liability"),
        "{wrong:?}"
    );
    assert_eq!(world.server.stop(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_through_a_server_stands_in_the_result_and_on_record_who_gave_it() {
    let mut world = World::start().await;
    let operate = world.operate.clone();
    let asking = world.at(&[("DOCKET_ADMIN_TOKEN", ADMIN)]);
    let with = |arguments: &[&str]| asking.docket(&[arguments, &["--server", &operate]].concat());
    let accepted = with(&["runs", "accept", "1", "--note", "read it", "--by", "Ada"]);
    assert_eq!(
        accepted.out, "Run 1 is accepted; the server writes it into the result and the rule's table.\n",
        "{accepted:?}"
    );
    let run = world.get("/api/v1/runs/1").await;
    assert_eq!(
        (&run["word"], &run["verdict_by"], &run["verdict_note"]),
        (&json!("accepted"), &json!("Ada"), &json!("read it"))
    );
    let again = with(&["runs", "reject", "1", "--note", "no", "--by", "Bob", "--json"]);
    let again: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(
        (&again[0]["verdict"]["said"], &again[0]["verdict"]["by"]),
        (&json!("rejected"), &json!("Bob")),
        "{again}"
    );
    assert_eq!(with(&["runs", "withdraw", "1"]).code, 0);
    let nothing = with(&["runs", "withdraw", "1"]);
    assert!(nothing.code == 1 && nothing.err.contains("neither accepted nor rejected"), "{nothing:?}");
    let audit = world.get("/api/v1/audit").await;
    let actions: Vec<&str> =
        audit.as_array().unwrap().iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["withdraw verdict", "reject run", "accept run"], "{audit:#}");
    assert_eq!(
        (&audit[2]["name"], &audit[2]["who"], &audit[2]["why"]),
        (&json!("Ada"), &json!("admin token"), &json!("read it"))
    );
    // Who only looks on may not.
    let viewing = world.at(&[("DOCKET_VIEW_TOKEN", VIEW)]);
    let refused =
        viewing.docket(&["runs", "accept", "1", "--note", "x", "--by", "Eve", "--server", &operate]);
    assert!(refused.code == 1 && refused.err.contains("needs DOCKET_ADMIN_TOKEN"), "{refused:?}");
    let unknown = world.at(&[]).docket(&["status", "--server", &operate]);
    assert!(unknown.code == 2 && unknown.err.contains("set DOCKET_ADMIN_TOKEN"), "{unknown:?}");
    let cannot = world.at(&[]).docket(&["backfill", "--server", &operate]);
    assert!(cannot.code == 2 && cannot.err.contains("not through a server"), "{cannot:?}");
    let nobody = world.at(&[]).docket(&["status", "--server", "http://127.0.0.1:9"]);
    assert!(nobody.code == 1 && nobody.err.contains("nothing listens there"), "{nobody:?}");
    let open = asking.docket(&["status", "--server", "http://docket.example"]);
    assert!(open.code == 2 && open.err.contains("in clear text"), "{open:?}");
    assert_eq!(world.server.stop(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_twice_under_one_key_is_done_once() {
    let mut world = World::start().await;
    let accept = "/api/v1/runs/1/accept";
    let why = json!({"why": "read it", "name": "Ada"});
    let first = world.post(accept, Some("k-1"), &why).await;
    assert_eq!((first.0, first.1, &first.2["about"]), (StatusCode::OK, false, &json!("run:1")));
    assert_eq!(world.post(accept, Some("k-1"), &why).await, (first.0, true, first.2.clone()));
    let other = world.post("/api/v1/runs/1/reject", Some("k-1"), &why).await;
    assert_eq!(other.0, StatusCode::UNPROCESSABLE_ENTITY, "{other:?}");
    let audit = world.get("/api/v1/audit").await;
    assert_eq!(audit.as_array().unwrap().len(), 1, "{audit:#}");
    // A verdict says why, and what is too late says so.
    assert_eq!(world.post(accept, None, &json!({})).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(world.post(accept, None, &json!({"why": "x", "what": 1})).await.0, StatusCode::BAD_REQUEST);
    let late = world.post("/api/v1/runs/1/cancel", None, &json!({})).await;
    assert_eq!((late.0, &late.2["detail"]), (StatusCode::CONFLICT, &json!("it has ended as accepted")));
    let gone = world.post("/api/v1/jobs/99/retry", None, &json!({})).await;
    assert_eq!(gone.0, StatusCode::CONFLICT, "{gone:?}");
    // A file that was final is tried again.
    let skipped = world.get("/api/v1/files?state=skipped").await;
    let id = skipped["rows"][0]["source_id"].as_str().unwrap().to_owned();
    let tried = world.post(&format!("/api/v1/files/{id}/retry"), Some("k-2"), &json!({})).await;
    assert_eq!((tried.0, &tried.2["action"]), (StatusCode::OK, &json!("retry file")), "{tried:?}");
    let inside = world.post(&format!("/api/v1/files/{id}/bring"), None, &json!({})).await;
    assert_eq!(inside.0, StatusCode::CONFLICT, "{inside:?}");
    assert!(inside.2["detail"].as_str().unwrap().contains("nothing to bring back"), "{inside:?}");
    assert_eq!(world.server.stop(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_asked_for_once_by_command_and_api_and_shows_no_secret() {
    const URL: &str = "https://files.example.com/lease.txt?sig=s3cret";
    let mut world = World::start().await;
    let (operate, asking) = (world.operate.clone(), world.at(&[("DOCKET_ADMIN_TOKEN", ADMIN)]));
    let begun =
        world.post("/api/v1/imports", Some("k-1"), &json!({"url": URL, "folder": "/Contracts"})).await;
    assert_eq!((begun.0, &begun.2["url"]), (StatusCode::OK, &json!("https://files.example.com/lease.txt?…")));
    let same = world.post("/api/v1/imports", Some("k-1"), &json!({"url": URL, "folder": "/Contracts"})).await;
    assert_eq!((same.1, &same.2), (true, &begun.2));
    let arguments = ["import", URL, "--folder", "/Contracts/", "--json", "--server", &operate];
    let again = asking.docket(&arguments);
    let rows: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!((rows[0]["import_id"].as_i64(), again.code), (begun.2["import_id"].as_i64(), 0), "{again:?}");
    let failed = async |records: &Records| records.jobs().await.is_empty().then_some(());
    Beside::of(&world.place.database_url()).await.until(failed).await;
    let list = world.same_either_way(&["import"]);
    assert!(list.out.contains("/Contracts/lease.txt") && !list.out.contains("s3cret"), "{list:?}");
    let one = world.get(&format!("/api/v1/imports/{}", begun.2["import_id"])).await;
    assert!(one["reason"].as_str().unwrap().contains("Fastio could not import it"), "{one}");
    let wrong = world.same_either_way(&["import", "https://169.254.169.254/latest"]);
    assert!(wrong.code == 2 && wrong.err.contains("in a private network"), "{wrong:?}");
    let wrong = world.post("/api/v1/imports", None, &json!({"url": "http://files.example.com/a.pdf"})).await;
    assert_eq!(
        (wrong.0, wrong.2["detail"].as_str().unwrap().contains("https://")),
        (StatusCode::BAD_REQUEST, true)
    );
    let audit = world.get("/api/v1/audit").await;
    assert!(audit[0]["action"] == "import" && !audit.to_string().contains("s3cret"), "{audit:#}");
    assert_eq!(world.server.stop(), 0);
    assert!(!world.server.err.rest().contains("s3cret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_answers_in_pages_and_says_what_is_wrong_with_a_question() {
    let mut world = World::start().await;
    let (mut after, mut ids) = (String::new(), Vec::new());
    loop {
        let page = world.get(&format!("/api/v1/events?limit=1{after}")).await;
        ids.extend(page["rows"].as_array().unwrap().iter().map(|row| row["event_id"].to_string()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    let all = world.get("/api/v1/events").await;
    let all: Vec<String> =
        all["rows"].as_array().unwrap().iter().map(|row| row["event_id"].to_string()).collect();
    assert!(ids.len() > 1 && ids == all, "{ids:?} {all:?}");

    let file = world.get("/api/v1/explain?place=/Contracts/1.txt").await;
    assert!(file["sentence"].as_str().unwrap().starts_with("/Contracts/1.txt is current: "), "{file:#}");
    let id = file["files"][0]["source_id"].as_str().unwrap();
    let same = world.get(&format!("/api/v1/files/{id}")).await;
    assert_eq!(same["timeline"]["entries"], file["timeline"]["entries"]);
    for path in
        ["overview", "deliveries", "jobs", "runs", "sweeps", "limits", "audit", "files/count", "watch"]
    {
        world.get(&format!("/api/v1/{path}")).await;
    }
    let settings = world.get("/api/v1/settings").await.to_string();
    assert!(settings.contains("queue.workers") && !settings.contains(ADMIN), "{settings}");

    for (path, status) in [
        ("/api/v1/files?limit=some", 400),
        ("/api/v1/files?what=1", 400),
        ("/api/v1/files?after=nothing", 400),
        ("/api/v1/files?rule=nobody", 400),
        ("/api/v1/runs/99", 404),
        ("/api/v1/files/workspace:1:2abc", 404),
        ("/api/v1/jobs/99", 404),
        ("/api/v1/search?query=", 400),
        ("/api/v1/runs/one", 400),
    ] {
        let answer = world.ask(Method::GET, path, ADMIN).await;
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
    }
    // Files and runs are for who only looks on; the rest is not.
    for (path, status) in [
        ("files", 200),
        ("runs/1", 200),
        ("explain?place=/x", 200),
        ("search?query=liability", 200),
        ("events", 403),
        ("audit", 403),
    ] {
        assert_eq!(world.ask(Method::GET, &format!("/api/v1/{path}"), VIEW).await.status(), status, "{path}");
    }
    assert_eq!(world.server.stop(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_followed_line_by_line_until_it_is_told_to_end() {
    let mut world = World::start().await;
    let operate = world.operate.clone();
    let asking = world.at(&[("DOCKET_SERVER", &operate), ("DOCKET_ADMIN_TOKEN", ADMIN)]);
    let beside = world.at(&[]);
    let mut watching = [asking.start(&["watch", "--json"]), beside.start(&["watch"])];
    for watch in &mut watching {
        watch.err.find(|line| line.contains("Ctrl-C ends it"));
    }
    world.put("Contracts/2.txt", contract(2)).await;
    let of = |kind: &str, line: &str| {
        let seen: Value = serde_json::from_str(line).unwrap();
        seen["kind"] == kind && seen["path"] == "/Contracts/2.txt"
    };
    for kind in ["uploaded", "written"] {
        watching[0].out.find(|line| of(kind, line));
        watching[1].out.find(|line| line.contains(kind) && line.contains("/Contracts/2.txt"));
    }
    for watch in &mut watching {
        watch.signal("INT");
        assert_eq!(watch.wait(), 0);
    }
    let once = watching[0].out.rest();
    let mut ids: Vec<Value> =
        once.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone()).collect();
    let all = ids.len();
    ids.sort_by_key(Value::to_string);
    ids.dedup();
    assert_eq!(ids.len(), all, "nothing is told twice: {once}");
    assert_eq!(world.server.stop(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_done_through_the_api_by_their_number_and_once() {
    let mut world = World::start().await;
    let order =
        json!({"action": "retry file", "filter": {"path": "/Contracts"}, "why": "it is a program after all"});
    let with = |number: usize| {
        let mut order = order.clone();
        order["number"] = number.into();
        order
    };
    let (status, _, preview) = world.post("/api/v1/bulk/preview", None, &order).await;
    assert_eq!((status.as_u16(), &preview["number"]), (200, &json!(1)), "{preview}");
    assert!(preview["some"][0].as_str().unwrap().starts_with("workspace:"), "{preview}");
    for (wrong, code, words) in [
        (order.clone(), 409, "no `number` was given, and there are 1 now: nothing was done"),
        (with(2), 409, "there were 2, and there are 1 now: nothing was done"),
        (json!({"action": "retry file"}), 400, "one of the two"),
        (json!({"action": "fly", "items": ["1"]}), 400, "there is no action `fly`"),
        (json!({"action": "retry file", "filter": {"since": "soon"}}), 400, "is no time"),
    ] {
        let (status, _, problem) = world.post("/api/v1/bulk", None, &wrong).await;
        assert_eq!(status.as_u16(), code, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
    }
    assert_eq!(world.get("/api/v1/bulk").await, json!([]), "nothing was done");
    let told = |(status, replayed, body): (StatusCode, bool, Value)| {
        (status.as_u16(), replayed, body["about"].clone())
    };
    let first = told(world.post("/api/v1/bulk", Some("once"), &with(1)).await);
    assert_eq!(first, (200, false, json!("bulk:1")));
    assert_eq!(told(world.post("/api/v1/bulk", Some("once"), &with(1)).await), (200, true, json!("bulk:1")));

    // A command does the same, and waits until it is done.
    let operate = world.operate.clone();
    let asking = world.at(&[("DOCKET_SERVER", &operate), ("DOCKET_ADMIN_TOKEN", ADMIN)]);
    let retried = asking.docket(&["files", "retry", "/Contracts/setup.exe"]);
    assert_eq!((retried.code, retried.out.trim()), (0, "1 file is tried again."), "{retried:?}");
    let nothing = asking.docket(&["files", "retry", "/nowhere"]);
    assert_eq!(nothing.code, 1, "{nothing:?}");
    let done = world.get("/api/v1/bulk/2").await;
    assert_eq!(
        (&done["state"], &done["done"], &done["filter"]),
        (&json!("done"), &json!(1), &json!("path=/Contracts/setup.exe"))
    );
    let (status, _, late) = world.post("/api/v1/bulk/2/stop", None, &json!({})).await;
    assert_eq!(status.as_u16(), 409, "{late}");

    let again = asking.docket(&["runs", "again", "--file", "/Contracts/1.txt", "--yes"]);
    assert!(again.code == 0 && again.out.contains("1 run asked for."), "{again:?}");
    world.settles().await;

    // So it is with a sweep.
    let dry = asking.docket(&["sweep", "--dry-run"]);
    assert_eq!(dry.code, 0, "{dry:?}");
    assert_eq!(dry.out, world.at(&[]).docket(&["sweep", "--dry-run"]).out);
    let beyond = asking.docket(&["sweep", "--beyond-limit"]);
    assert_eq!(beyond.code, 2, "{beyond:?}");
    let rows = world.get("/api/v1/sweeps?since=1h").await;
    assert_eq!((&rows["rows"][0]["dry_run"], &rows["pending"]), (&json!(true), &json!([])), "{rows}");
    let (status, _, problem) = world.post("/api/v1/sweeps", None, &json!({"rule": "nobody"})).await;
    assert_eq!(status.as_u16(), 400, "{problem}");
    let actions: Vec<Value> = world
        .get("/api/v1/audit")
        .await
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["action"].clone())
        .collect();
    assert_eq!(actions, ["dry sweep", "start run", "retry file", "retry file"]);
    assert_eq!(world.server.stop(), 0);
}

/// Six dead jobs, of which three died of one cause and three of another.
const DEATHS: &str = "
    WITH RECURSIVE n (i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 15)
    INSERT INTO job (key, task, needs, state, priority, due_at, reason, created_at, updated_at)
    SELECT 'relist:workspace:' || i, '{}', ' fastio ', 'dead', 0, 1,
           CASE i % 2 WHEN 0 THEN 'no such file file-12345' || i ELSE 'it has no text' END, 1, 1
    FROM n";

#[tokio::test(flavor = "multi_thread")]
async fn a_command_discards_all_that_died_of_one_cause_with_a_server_and_without() {
    let mut world = World::start().await;
    DatabaseFile::of(&world.place.database_url()).execute(DEATHS).await;
    let cause = "no such file file-1234510";
    let listed = world.same_either_way(&["jobs", "list", "--cause", cause, "--json"]);
    let rows: Vec<Value> = serde_json::from_str(&listed.out).unwrap();
    assert_eq!(rows.len(), 3, "{listed:?}");
    assert!(rows.iter().all(|row| row["cause"] == "no such file …"), "{rows:?}");
    let operate = world.operate.clone();
    let asking = world.at(&[("DOCKET_SERVER", &operate), ("DOCKET_ADMIN_TOKEN", ADMIN)]);
    let asked = asking.docket(&["jobs", "discard", "--cause", cause]);
    assert_eq!((asked.code, asked.out.trim()), (0, "3 jobs discarded."), "{asked:?}");
    let beside = world.at(&[]).docket(&["jobs", "discard", "--cause", "it has no text"]);
    assert_eq!((beside.code, beside.out.trim()), (0, "3 jobs discarded."), "{beside:?}");
    assert_eq!(
        world.at(&[]).docket(&["jobs", "list", "--json"]).out.trim(),
        "[]",
        "and no job of its own is left"
    );
    let audit = world.get("/api/v1/audit").await;
    let told: Vec<(&Value, &Value)> =
        audit.as_array().unwrap().iter().map(|row| (&row["filter"], &row["number"])).collect();
    assert_eq!(
        told,
        [(&json!("cause=it has no text"), &json!(3)), (&json!("cause=no such file file-1234510"), &json!(3))]
    );
    assert_eq!(world.server.stop(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_openai_cannot_read_is_looked_at_again_through_a_server_too() {
    let mut world = World::start().await;
    world.put("Contracts/scan.pdf", "\u{1}\u{2}\u{3}".to_owned()).await;
    world.sandbox.flush_webhooks().await;
    let is_unread = async |records: &Records| {
        let files = records.files(&docket::sync::listing::Filter::default()).await;
        let is_quiet = records.waiting().await == 0 && records.jobs().await.is_empty();
        (is_quiet && files.iter().any(|row| row.state.as_str() == "unread")).then_some(())
    };
    Beside::of(&world.place.database_url()).await.until(is_unread).await;
    let operate = world.operate.clone();
    let asked = world
        .at(&[("DOCKET_SERVER", &operate), ("DOCKET_ADMIN_TOKEN", ADMIN)])
        .docket(&["files", "--look-again"]);
    assert!(asked.code == 0 && asked.out.contains("1 file to be looked at"), "{asked:?}");
    let audit = world.get("/api/v1/audit").await;
    let told = (&audit[0]["action"], &audit[0]["number"]);
    assert_eq!(told, (&json!("look again at file"), &json!(1)), "{audit}");
    Beside::of(&world.place.database_url()).await.until(is_unread).await;
    assert_eq!(world.server.stop(), 0);
}
