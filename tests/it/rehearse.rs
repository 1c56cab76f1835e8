//! `docket rehearse`: each assumption is played both ways against the stand-ins, what is made goes again whatever happens, and
//! nothing secret is in what is found.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use docket::fastio::Profile;
use docket::receive::Settings;
use docket::receive::signature::{Scheme, sign};
use docket::rehearse::assumption::{ALL, Assumption};
use docket::rehearse::{ADDRESS, Answer, Finding, MARK, Patience, Plan, Report, clean, play};
use docket::{fastio, openai};
use docket_sandbox::{Options, Webhook};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::documents::root;
use crate::harness::World;
use crate::harness::program::{Place, SECRET, WORKSPACE};

const FASTIO_KEY: &str = "a-secret-key-of-fastio";
const OPENAI_KEY: &str = "sk-a-secret-key-of-openai";

/// The stand-ins as this service is believed to be; elsewhere they are as their documents say, or as was reported.
const AS_BELIEVED: [(&str, &str); 3] = [
    ("openai", r#"{"kind": "delete_detaches"}"#),
    // A batch takes its time.
    ("openai", r#"{"kind": "slow_run", "path": "/v1/batches"}"#),
    (
        "fastio",
        r#"{"kind": "refusal", "status": 409, "method": "POST", "path": "/current/workspace/*/storage/*/addfile/", "containing": "rehearsal+again"}"#,
    ),
];

struct Stage {
    world: World,
    listener: Option<TcpListener>,
}

impl Stage {
    async fn set_up() -> Stage {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhooks/fastio", listener.local_addr().unwrap()).parse().unwrap();
        let scheme = docket_sandbox::Scheme::XFastioSha256;
        let webhook = Webhook { url, secret: SecretString::from(SECRET), scheme };
        let world = World::start(Options { webhook: Some(webhook), ..Options::default() }).await;
        world.sandbox.fastio().make_workspace(WORKSPACE);
        world.web(ADDRESS, "<h1>Example Domain</h1>").await;
        Stage { world, listener: Some(listener) }
    }

    /// A link is there, as people make one.
    async fn link(&self) {
        let link = format!("/_sandbox/files/{WORKSPACE}/5510392857104938271?kind=link");
        let link = self.world.sandbox.fastio_url().join(&link).unwrap();
        reqwest::Client::new().put(link).send().await.unwrap().error_for_status().unwrap();
    }

    fn fault(&self, which: &str, fault: Value) {
        let core = match which {
            "fastio" => self.world.sandbox.fastio_core(),
            _ => self.world.sandbox.openai_core(),
        };
        core.faults.add_json(fault).unwrap();
    }

    fn as_believed(&self) {
        for (which, fault) in AS_BELIEVED {
            self.fault(which, serde_json::from_str(fault).unwrap());
        }
    }

    fn plan(&mut self, secret: &str) -> Plan {
        let sandbox = &self.world.sandbox;
        let openai_key = SecretString::from(OPENAI_KEY);
        Plan {
            fastio: fastio::Client::new(&sandbox.fastio_url(), SecretString::from(FASTIO_KEY)).unwrap(),
            profile: Profile::workspace(WORKSPACE),
            org: None,
            asks: true,
            openai: openai::Client::new(&sandbox.openai_url(), openai_key.into(), None, None).unwrap(),
            model: Some("sandbox-rules".to_owned()),
            listener: self.listener.take(),
            secrets: vec![SecretString::from(secret)],
            policy: Settings::default().check().unwrap(),
            patience: Patience {
                between_looks: Duration::from_millis(1),
                for_news: Duration::ZERO,
                for_indexing: Duration::from_secs(20),
                for_a_run: Duration::from_secs(20),
                for_a_webhook: Duration::from_secs(20),
                for_cancelling: Duration::from_secs(20),
                in_all: Duration::from_secs(60),
            },
        }
    }

    async fn rehearse(&mut self) -> Report {
        let plan = self.plan(SECRET);
        play(plan, &mut |_| (), CancellationToken::new()).await
    }

    fn left(&self) -> Vec<String> {
        left(&self.world)
    }
}

/// What is there besides what there was at the beginning. Events tell of what was; an import and a batch that are over stay on
/// record, with nothing in them.
fn left(world: &World) -> Vec<String> {
    let (mut fastio, mut openai) = (world.sandbox.fastio().snapshot(), world.sandbox.openai().snapshot());
    fastio.as_object_mut().unwrap().retain(|name, _| !["events", "webhooks"].contains(&name.as_str()));
    let is_over = |one: &Value, words: &[&str]| words.iter().any(|word| one["status"] == *word);
    let imports = fastio["web_uploads"].as_array_mut().unwrap();
    imports.retain(|import| !is_over(import, &["complete", "failed", "canceled"]));
    let batches = openai["batches"].as_array_mut().unwrap();
    batches.retain(|batch| !is_over(batch, &["completed", "failed", "cancelled"]));
    let mut left: Vec<String> = [("fastio", fastio), ("openai", openai.clone())]
        .into_iter()
        .filter(|(_, state)| state.to_string().contains(MARK))
        .map(|(whose, state)| format!("{whose}: {state:#}"))
        .collect();
    for kind in ["files", "containers", "conversations", "responses"] {
        let of_it = openai[kind].as_array().unwrap();
        left.extend(of_it.iter().map(|one| format!("openai: {kind}: {one:#}")));
    }
    left
}

#[track_caller]
fn answers(report: &Report, answer: Answer) -> BTreeSet<&str> {
    report
        .findings
        .iter()
        .filter(|finding| finding.answer == answer)
        .map(|finding| finding.id.as_str())
        .collect()
}

fn found<'a>(report: &'a Report, id: &str) -> &'a Finding {
    report.findings.iter().find(|finding| finding.id == id).unwrap()
}

/// docs/rehearsal.md has a row for each of them; `DOCKET_WRITE_REFERENCE=1 cargo test --test it rehearse` writes them anew.
#[test]
fn each_assumption_is_a_row_of_the_page_about_the_rehearsal() {
    const BEGIN: &str = "|---|---|---|\n";
    let place = root().join("docs/rehearsal.md");
    let page = std::fs::read_to_string(&place).unwrap();
    let row = |one: &&Assumption| format!("| {} | {} | {} |\n", one.says, one.source, one.otherwise);
    let rows: String = ALL.iter().map(row).collect();
    let (head, _) = page.split_once(BEGIN).unwrap();
    let expected = format!("{head}{BEGIN}{rows}");
    if std::env::var_os("DOCKET_WRITE_REFERENCE").is_some() {
        std::fs::write(&place, &expected).unwrap();
        return;
    }
    assert!(page == expected, "docs/rehearsal.md is not as the list: DOCKET_WRITE_REFERENCE=1 writes it");
}

#[test]
fn each_assumption_names_the_code_that_rests_on_it() {
    let mut ids = BTreeSet::new();
    for assumption in ALL {
        assert!(ids.insert(assumption.id), "{} is there twice", assumption.id);
        for file in assumption.code {
            assert!(root().join(file).is_file(), "{}: {file}", assumption.id);
        }
        assert!(
            !assumption.says.is_empty() && !assumption.otherwise.is_empty() && !assumption.source.is_empty()
        );
    }
}

#[tokio::test]
async fn every_assumption_holds_at_services_that_are_as_believed_and_nothing_is_left() {
    let mut stage = Stage::set_up().await;
    stage.as_believed();
    stage.link().await;
    let report = stage.rehearse().await;
    let others: Vec<&Finding> = report.findings.iter().filter(|one| one.answer != Answer::Holds).collect();
    assert!(others.is_empty(), "{others:#?}");
    assert_eq!(report.findings.len(), ALL.len());
    assert_eq!(report.left, Vec::<String>::new());
    assert_eq!(stage.left(), Vec::<String>::new());
    assert!(report.tokens > 0 && report.calls < 300, "{} calls", report.calls);
    assert_eq!(stage.world.sandbox.fastio().snapshot()["turns_asked"].as_array().unwrap().len(), 1);
    let signed = found(&report, "webhook_is_signed_as_a_guide_says");
    assert_eq!(signed.follows, "set receive.signature_scheme = \"x_fastio_sha256_hex\"");
    let webhook = report.webhook.as_ref().unwrap();
    assert!(
        webhook.headers.contains(&("x-fastio-signature".into(), "sha256=<64 hex digits>".into())),
        "{webhook:?}"
    );
    assert_eq!(report.limits["x-ve-limit-max"], "120");
    let pages = [report.markdown(), serde_json::to_string(&report).unwrap()];
    for secret in [FASTIO_KEY, OPENAI_KEY, SECRET, "50,000", WORKSPACE] {
        assert!(pages.iter().all(|page| !page.contains(secret)), "{secret} is in the report");
    }
}

/// What makes each assumption wrong: in which of several lives, at which service, and how.
fn otherwise() -> Vec<(usize, &'static str, Value)> {
    let node = "/current/workspace/*/storage/2*/details/";
    let store_file = "/v1/vector_stores/*/files/*";
    let hit = json!({"object": "page", "data": [{"file_id": "file-x", "filename": "x", "score": 1.0, "content": []}], "has_more": false});
    let nothing = json!({"object": "list", "data": [], "has_more": false});
    let changed = |path: &str, find: &str, put: &str| json!({"kind": "changed_reply", "path": path, "find": find, "put": put});
    let refused = |path: &str, method: &str, status: u16| json!({"kind": "refusal", "path": path, "method": method, "status": status});
    let of = |method: &'static str| {
        move |mut fault: Value| {
            fault["method"] = method.into();
            fault
        }
    };
    let (of_get, of_post) = (of("GET"), of("POST"));
    let once = |mut fault: Value, skip: u64| {
        fault["skip"] = skip.into();
        fault["count"] = 1.into();
        fault
    };
    vec![
        (1, "fastio", changed("/current/auth/scopes/", "user:*:rw", "everything")),
        (1, "fastio", json!({"kind": "headers_dropped", "find": "x-ve-limit"})),
        (1, "fastio", changed("/current/docket/**", "9992", "404")),
        (
            1,
            "fastio",
            json!({"kind": "not_found", "path": "/current/workspace/*/storage/2zzzz*/details/", "body": "{\"error\": \"Not Found\"}"}),
        ),
        (
            1,
            "fastio",
            json!({"kind": "changed_reply", "method": "GET", "path": "/current/upload/*/details/", "find": "\"complete\"", "put": "\"store_failed\""}),
        ),
        (1, "fastio", changed("/current/upload/details/", "\"sessions\"", "\"open\"")),
        (
            1,
            "fastio",
            once(changed("/current/workspace/*/storage/*/list/", "rehearsal.txt", "elsewhere.txt"), 0),
        ),
        (1, "fastio", changed(node, "\"created\"", "\"begun\"")),
        (
            1,
            "fastio",
            once(json!({"kind": "wrong_length", "path": "/current/workspace/*/storage/*/read/"}), 0),
        ),
        (1, "fastio", changed("/current/workspace/*/storage/inventory/", "\"path\"", "\"place\"")),
        // The details of: the new file, the edited one, the renamed one, the same again, the moved one.
        (1, "fastio", once(changed(node, "rehearsal.txt", "upload.txt"), 1)),
        (
            1,
            "fastio",
            json!({"kind": "changed_reply", "method": "POST", "path": "/current/workspace/*/storage/*/update/", "find": "conflict_version_mismatch", "put": "conflict"}),
        ),
        (1, "fastio", refused("/current/workspace/*/storage/*/requestread/", "GET", 403)),
        (1, "fastio", once(changed(node, "\"version\":\"", "\"version\":\"9"), 2)),
        (1, "fastio", once(changed(node, "\"version\":\"", "\"version\":\"9"), 4)),
        (1, "fastio", refused("/current/workspace/*/storage/*/lock/heartbeat/", "POST", 406)),
        (1, "fastio", {
            let mut fault = once(refused("/current/workspace/*/storage/*/update/", "POST", 423), 2);
            fault["containing"] = "if_version_id".into();
            fault
        }),
        (1, "fastio", once(refused("/current/workspace/*/storage/*/lock/", "POST", 423), 1)),
        (1, "fastio", once(refused("/current/workspace/*/storage/*/lock/", "DELETE", 406), 1)),
        (1, "fastio", changed(node, "\"deleted\":", "\"away\":")),
        (1, "fastio", changed(node, "\"deleted_from\":", "\"away_from\":")),
        (1, "fastio", changed(node, "\"parent\":\"trash\"", "\"parent\":\"root\"")),
        (1, "fastio", refused("/current/workspace/*/storage/*/restore/", "POST", 409)),
        (1, "fastio", changed("/current/workspace/*/storage/*/details/", "133123", "999999")),
        (2, "fastio", changed("/current/org/**", "file_deleted", "file_purged")),
        (2, "fastio", changed("/current/org/**", "file_restored", "file_moved")),
        (2, "fastio", json!({"kind": "wrong_hash"})),
        (2, "fastio", changed("/current/workspace/*/storage/*/lock/", "lock_token", "lock_secret")),
        (1, "fastio", of_get(changed("/current/web_upload/", "\"web_uploads\"", "\"jobs\""))),
        (2, "fastio", changed("/current/web_upload/*/details/", "\"status\"", "\"progress\"")),
        (1, "fastio", json!({"kind": "bad_import", "code": "silent"})),
        (1, "fastio", changed("/current/cloudsync/**", "\"identities\"", "\"accounts\"")),
        (1, "fastio", changed("/current/workspace/*/list/fileshares/", "\"title\"", "\"name\"")),
        (1, "fastio", changed("/current/workspace/*/storage/*/content/", "Liability", "Something")),
        (1, "fastio", changed("/current/workspace/*/storage/*/readnote/", "This note", "That note")),
        (1, "fastio", changed(node, "\"share\":", "\"leads_to\":")),
        (
            1,
            "fastio",
            once(of_post(changed("/current/workspace/*/ai/agent/", "\"turn_id\":\"", "\"turn_id\":\"9")), 1),
        ),
        (1, "fastio", changed("/current/workspace/*/ai/agent/list/", "\"threads\"", "\"talks\"")),
        (
            1,
            "fastio",
            changed("/current/workspace/*/ai/agent/*/message/*/details/", "\"status\"", "\"phase\""),
        ),
        (2, "fastio", json!({"kind": "bad_turn", "code": "answer", "message": "EUR 50,000."})),
        (
            2,
            "fastio",
            json!({"kind": "canned_reply", "method": "DELETE", "path": "/current/workspace/*/ai/agent/*/", "body": "{\"result\": true}", "count": 1}),
        ),
        (1, "fastio", json!({"kind": "forbidden", "path": "/current/events/**"})),
        (1, "fastio", json!({"kind": "forbidden", "path": "/current/org/**"})),
        (3, "fastio", changed(node, "\"hash_algo\"", "\"hash_kind\"")),
        (1, "openai", changed("/v1/vector_stores/*", "\"expires_at\":null", "\"expires_at\":1900000000")),
        (1, "openai", json!({"kind": "names_sanitised"})),
        (
            1,
            "openai",
            json!({"kind": "not_found_after_create", "method": "POST", "path": "/v1/vector_stores/*/files", "count": 1}),
        ),
        (1, "openai", json!({"kind": "attributes_dropped", "path": "/v1/vector_stores/*/files"})),
        (1, "openai", json!({"kind": "headers_dropped", "find": "openai-poll"})),
        (
            1,
            "openai",
            once(
                json!({"kind": "canned_reply", "path": "/v1/vector_stores/*/search", "body": hit.to_string()}),
                1,
            ),
        ),
        (
            1,
            "openai",
            once(
                json!({"kind": "changed_reply", "method": "GET", "path": store_file, "find": "\"attributes\":{", "put": "\"attributes\":{\"old\":\"x\","}),
                1,
            ),
        ),
        (
            1,
            "openai",
            once(
                json!({"kind": "refusal", "method": "GET", "path": "/v1/vector_stores/*/files", "status": 400}),
                0,
            ),
        ),
        (1, "openai", refused("/v1/vector_stores/*/file_batches", "POST", 404)),
        (1, "openai", of_get(changed("/v1/files", ".jsonl", ".txt"))),
        (1, "openai", json!({"kind": "slow_run", "path": "/v1/batches"})),
        (1, "openai", of_get(changed("/v1/batches", "docket_rehearsal", "somebody"))),
        (1, "openai", once(refused("/v1/batches/*/cancel", "POST", 400), 0)),
        (1, "openai", once(refused("/v1/responses", "POST", 400), 0)),
        (1, "openai", changed("/v1/vector_stores/*/search", "\"score\"", "\"rank\"")),
        (1, "openai", changed(store_file, "\"usage_bytes\"", "\"used_bytes\"")),
        (1, "openai", changed("/v1/responses", "\"service_tier\":\"flex\"", "\"service_tier\":\"default\"")),
        (
            1,
            "openai",
            once(of_get(changed("/v1/containers/*/files", "\"source\":\"user\"", "\"source\":\"owner\"")), 0),
        ),
        (
            1,
            "openai",
            of_get(changed("/v1/containers/*/files", "\"source\":\"assistant\"", "\"source\":\"code\"")),
        ),
        (
            1,
            "openai",
            json!({"kind": "canned_reply", "method": "DELETE", "path": "/v1/containers/*", "body": "{\"deleted\": true}", "count": 1}),
        ),
        (
            1,
            "openai",
            json!({"kind": "refusal", "path": "/v1/vector_stores/*/files/file-docketprobe*", "status": 400}),
        ),
        (
            1,
            "openai",
            json!({"kind": "changed_reply", "method": "DELETE", "path": "/v1/files/**", "find": "\"deleted\":true", "put": "\"removed\":true"}),
        ),
        (
            1,
            "openai",
            json!({"kind": "slow_delete", "method": "DELETE", "path": store_file, "delay_ms": 100_000, "count": 1}),
        ),
        (
            1,
            "openai",
            json!({"kind": "headers_dropped", "path": "/v1/responses", "find": "x-ratelimit-limit"}),
        ),
        (
            1,
            "openai",
            json!({"kind": "canned_reply", "method": "GET", "path": "/v1/conversations/*/items", "body": nothing.to_string()}),
        ),
        (1, "openai", changed("/v1/responses/**", "\"usage\":", "\"used\":")),
        (1, "openai", changed("/v1/responses", "\"usage\":", "\"used\":")),
        (1, "openai", once(refused("/v1/responses/*/cancel", "POST", 409), 0)),
        (2, "openai", json!({"kind": "refusal", "path": "/v1/models/*", "status": 404})),
    ]
}

#[tokio::test]
async fn every_assumption_is_told_to_differ_where_it_does() {
    let mut differing = BTreeSet::new();
    for life in 1..=3 {
        let mut stage = Stage::set_up().await;
        stage.link().await;
        for (_, which, fault) in otherwise().into_iter().filter(|(when, ..)| *when == life) {
            stage.fault(which, fault);
        }
        // Signed with a secret that is not ours.
        let mut plan = stage.plan("whsec_YW5vdGhlci1zZWNyZXQtMTIzNDU2Nzg5MA==");
        if life > 1 {
            plan.listener = None;
        } else {
            plan.patience.for_a_webhook = Duration::from_secs(20);
        }
        let report = play(plan, &mut |_| (), CancellationToken::new()).await;
        differing.extend(answers(&report, Answer::Differs).into_iter().map(str::to_owned));
        let differ = report.findings.iter().filter(|finding| finding.answer == Answer::Differs);
        assert!(differ.clone().all(|finding| !finding.follows.is_empty()), "{:#?}", report.findings);
        stage.world.no_faults().await;
        assert_eq!(stage.left(), Vec::<String>::new(), "{:#?}", report.left);
    }
    let all: BTreeSet<String> = ALL.iter().map(|one| one.id.to_ascii_lowercase()).collect();
    let never: Vec<&String> = all.difference(&differing).collect();
    // A webhook's body is played below.
    assert_eq!(never, ["webhook_names_its_place"], "these are not told to differ");
}

/// What is found where a service refuses what a plan or a key need not be allowed.
#[tokio::test]
async fn what_a_plan_or_a_key_lacks_is_told_in_words_and_is_no_difference() {
    let mut stage = Stage::set_up().await;
    stage.as_believed();
    stage.link().await;
    let asked = "/current/workspace/*/ai/agent/**";
    for (which, fault) in [
        ("fastio", json!({"kind": "forbidden", "path": asked, "message": "Your plan has no AI."})),
        ("fastio", json!({"kind": "forbidden", "path": "/current/cloudsync/**"})),
        ("fastio", json!({"kind": "forbidden", "path": "/current/web_upload/"})),
        ("fastio", json!({"kind": "forbidden", "path": "/current/workspace/*/storage/*/createnote/"})),
        (
            "openai",
            json!({"kind": "forbidden", "method": "POST", "path": "/v1/files", "containing": "jsonl"}),
        ),
        ("openai", json!({"kind": "forbidden", "path": "/v1/containers"})),
    ] {
        stage.fault(which, fault);
    }
    let report = stage.rehearse().await;
    assert_eq!(answers(&report, Answer::Differs), BTreeSet::new());
    let without = [
        "ai_answers",
        "ai_asks_once",
        "ai_cites_its_file",
        "ai_thread_goes",
        "ai_threads_are_listed",
        "batch_is_cancelled",
        "batch_is_found",
        "code_leaves_its_files",
        "container_gone_is_404",
        "container_holds_a_file",
        "flex_is_said",
        "import_ends_as_a_file",
        "import_is_followed",
        "imports_are_listed",
        "note_is_read",
        "requests_are_listed",
        "sources_are_listed",
    ];
    assert_eq!(answers(&report, Answer::Unknown), BTreeSet::from(without));
    let told = found(&report, "ai_answers");
    assert!(told.seen.contains("refuses access") && told.seen.contains("Your plan has no AI"), "{told:?}");
    assert_eq!(told.follows, "leave engine = \"fastio\" out of [rule.run]");
    assert_eq!((report.left.len(), stage.left().len()), (0, 0), "{:?} {:?}", report.left, stage.left());
}

/// What cannot be told, because the service did not come to it, is not held against it.
#[tokio::test]
async fn what_a_service_does_not_come_to_is_unknown() {
    let mut stage = Stage::set_up().await;
    stage.fault("fastio", json!({"kind": "bad_turn", "code": "needs_input"}));
    stage.fault("fastio", json!({"kind": "bad_import", "message": "The source answered 403."}));
    let report = stage.rehearse().await;
    let ends = found(&report, "import_ends_as_a_file");
    assert_eq!(ends.answer, Answer::Unknown);
    assert_eq!(ends.seen, "Fastio did not fetch the address: The source answered 403.");
    assert_eq!(found(&report, "ai_answers").seen, "it asks something back");
    // The stand-in's batches are over at once.
    let cancelled = found(&report, "batch_is_cancelled");
    assert!(
        cancelled.answer == Answer::Unknown && cancelled.seen.starts_with("it was over"),
        "{cancelled:?}"
    );
    assert_eq!((report.left.len(), stage.left().len()), (0, 0), "{:?} {:?}", report.left, stage.left());
}

/// A delivery that is posted to a rehearsal, and what it finds of it.
async fn told(headers: &[(&str, String)], body: &str) -> Report {
    let mut stage = Stage::set_up().await;
    stage.world.without_webhooks().await;
    let url = format!("http://{}/webhooks/fastio", stage.listener.as_ref().unwrap().local_addr().unwrap());
    let plan = stage.plan(SECRET);
    // Nothing else has to happen for it.
    for core in [stage.world.sandbox.fastio_core(), stage.world.sandbox.openai_core()] {
        core.faults.add_json(json!({"kind": "unauthorized"})).unwrap();
    }
    let mut request = reqwest::Client::new().post(url).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let post = async { assert_eq!(request.send().await.unwrap().status(), 202) };
    let mut tell = |_: &Finding| ();
    tokio::join!(play(plan, &mut tell, CancellationToken::new()), post).0
}

fn seconds() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

#[tokio::test]
async fn a_webhook_that_is_signed_otherwise_is_told_by_its_form() {
    let body =
        r#"{"event_id":"e1","event":"workspace_storage_file_added","workspace_id":"1","object_id":"2abc"}"#;
    let secret = SecretString::from(SECRET);
    let signed = |scheme| sign(scheme, &secret, seconds(), body.as_bytes());

    let mut other_name = signed(Scheme::XFastioSha256Hex);
    other_name[1].0 = "x-sent-at";
    let report = told(&other_name, body).await;
    let finding = found(&report, "webhook_is_signed_as_a_guide_says");
    assert_eq!(finding.answer, Answer::Holds);
    assert!(finding.follows.ends_with("receive.timestamp_header = \"x-sent-at\""), "{finding:?}");
    assert_eq!(found(&report, "webhook_names_its_place").answer, Answer::Holds);

    let unplaced = r#"{"hello":"world"}"#;
    let report = told(&sign(Scheme::FastioV1Base64, &secret, seconds(), unplaced.as_bytes()), unplaced).await;
    assert_eq!(found(&report, "webhook_is_signed_as_a_guide_says").answer, Answer::Holds);
    assert_eq!(found(&report, "webhook_names_its_place").answer, Answer::Differs);
    assert_eq!(report.webhook.unwrap().body, json!({"hello": "id of 5 characters"}));

    // HMAC-SHA256 of the body alone, as other services sign.
    let alone = hmac_sha256(SECRET.as_bytes(), body.as_bytes());
    let report = told(&[("x-signature", format!("sha256={alone}"))], body).await;
    let finding = found(&report, "webhook_is_signed_as_a_guide_says");
    assert!(finding.answer == Answer::Differs && finding.seen.contains("x-signature"), "{finding:?}");
}

/// By the definition of HMAC (RFC 2104), with nothing of the code that is tested.
fn hmac_sha256(key: &[u8], text: &[u8]) -> String {
    use crate::harness::hex_sha256;
    let pad = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block.to_vec()
    };
    let inner = hex_sha256(&[pad(0x36), text.to_vec()].concat());
    let inner: Vec<u8> =
        (0..64).step_by(2).map(|at| u8::from_str_radix(&inner[at..at + 2], 16).unwrap()).collect();
    hex_sha256(&[pad(0x5c), inner].concat())
}

#[tokio::test]
async fn what_was_made_goes_when_a_rehearsal_is_stopped_in_the_middle() {
    let mut stage = Stage::set_up().await;
    // The run is begun, and nobody learns of it.
    stage.fault(
        "openai",
        json!({"kind": "held_reply", "method": "POST", "path": "/v1/responses", "count": 1}),
    );
    let stop = CancellationToken::new();
    let plan = stage.plan(SECRET);
    let mut tell = |_: &Finding| ();
    let playing = play(plan, &mut tell, stop.clone());
    let stopping = async {
        stage.world.sandbox.openai_core().faults.held_more_than(0).await;
        stop.cancel();
    };
    let (report, ()) = tokio::join!(playing, stopping);
    let [left] = &report.left[..] else { panic!("{:?}", report.left) };
    assert!(left.starts_with("a response, kept for 30 days that may be at OpenAI"), "{left}");
    let left = stage.world.sandbox.openai().snapshot();
    let counts = ["vector_stores", "files", "conversations", "responses"]
        .map(|kind| left[kind].as_array().unwrap().len());
    assert_eq!(counts, [0, 0, 0, 1], "of a response whose id nobody knows there is no list");
    assert!(stage.left().iter().all(|left| left.starts_with("openai")), "{:?}", stage.left());
    assert_eq!(found(&report, "conversation_holds_the_run").seen, "not tried: it was stopped");
}

#[tokio::test]
async fn what_goes_on_when_its_answer_is_lost_is_ended_by_its_name() {
    let lost = [
        (
            "fastio",
            json!({"kind": "lost_reply", "method": "POST", "path": "/current/web_upload/", "count": 1}),
        ),
        (
            "fastio",
            json!({"kind": "lost_reply", "method": "POST", "path": "/current/workspace/*/ai/agent/", "count": 1}),
        ),
        (
            "openai",
            json!({"kind": "lost_reply", "method": "POST", "path": "/v1/files", "containing": "jsonl", "count": 1}),
        ),
        ("openai", json!({"kind": "lost_reply", "method": "POST", "path": "/v1/batches", "count": 1})),
    ];
    // Each alone: what is asked for after the one before it.
    for (which, fault) in lost {
        let mut stage = Stage::set_up().await;
        stage.as_believed();
        stage.fault("fastio", json!({"kind": "bad_import", "code": "stuck"}));
        stage.fault(which, fault.clone());
        let plan = Plan { listener: None, ..stage.plan(SECRET) };
        let patience = Patience { for_a_run: Duration::from_secs(1), ..plan.patience };
        let report = play(Plan { patience, ..plan }, &mut |_| (), CancellationToken::new()).await;
        assert_eq!(report.left, Vec::<String>::new(), "{fault}");
        assert_eq!(stage.left(), Vec::<String>::new(), "{fault}");
        let state = stage.world.sandbox.fastio().snapshot();
        assert_eq!(state["web_uploads"].as_array().unwrap().len(), 1, "{fault}");
        let is_asked = state["turns_asked"].as_array().unwrap().len();
        assert_eq!(is_asked, 1, "{fault}");
        let batches = stage.world.sandbox.openai().snapshot()["batches"].as_array().unwrap().clone();
        assert!(batches.iter().all(|batch| batch["status"] == "cancelled"), "{fault}: {batches:#?}");
    }
}

#[tokio::test]
async fn the_answers_of_a_batch_that_takes_long_to_cancel_are_removed_by_a_later_cleaning() {
    let mut stage = Stage::set_up().await;
    stage.as_believed();
    let put = ("\"status\":\"cancelled\"", "\"status\":\"cancelling\"");
    let fault = json!({"kind": "changed_reply", "path": "/v1/batches/*", "find": put.0, "put": put.1});
    stage.fault("openai", fault);
    let plan = Plan { listener: None, ..stage.plan(SECRET) };
    let patience = Patience { for_cancelling: Duration::ZERO, ..plan.patience };
    let report = play(Plan { patience, ..plan }, &mut |_| (), CancellationToken::new()).await;
    let [left] = &report.left[..] else { panic!("{:?}", report.left) };
    assert!(left.starts_with("the answers of the batch batch_") && left.contains("--clean"), "{left}");
    let [file] = &stage.left()[..] else { panic!("{:?}", stage.left()) };
    assert!(file.contains("batch_cancelled") || file.contains("batch_output"), "{file}");
    stage.world.no_faults().await;
    let removed = clean(&stage.plan(SECRET)).await;
    assert_eq!((removed.count, removed.left), (1, Vec::new()));
    assert_eq!(stage.left(), Vec::<String>::new());
    // What stays of it is come across again, and is nothing.
    assert_eq!(clean(&stage.plan(SECRET)).await.count, 0);
}

#[tokio::test]
async fn what_a_lost_answer_hides_is_found_by_its_name_and_what_stays_is_said() {
    let mut stage = Stage::set_up().await;
    stage.fault(
        "openai",
        json!({"kind": "lost_reply", "method": "POST", "path": "/v1/vector_stores", "count": 1}),
    );
    stage.fault("fastio", json!({"kind": "refusal", "method": "DELETE", "path": "/current/workspace/*/storage/*/purge/", "status": 403}));
    let report = stage.rehearse().await;
    assert!(stage.left().iter().all(|left| left.starts_with("fastio")), "{:?}", stage.left());
    let [left] = &report.left[..] else { panic!("{:?}", report.left) };
    assert!(left.contains("in the trash of workspace"), "{left}");
    assert!(found(&report, "file_is_indexed").seen.starts_with("not tried: OpenAI"), "{:?}", report.findings);
    // What was left is in the trash, where no list shows it; elsewhere a later cleaning finds it.
    stage.world.no_faults().await;
    stage.fault("openai", json!({"kind": "refusal", "method": "DELETE", "status": 403}));
    let plan = Plan { model: None, ..stage.plan(SECRET) };
    play(plan, &mut |_| (), CancellationToken::new()).await;
    stage.world.no_faults().await;
    assert!(stage.left().iter().any(|left| left.starts_with("openai")));
    let removed = clean(&stage.plan(SECRET)).await;
    assert_eq!(removed.left, Vec::<String>::new());
    assert!(stage.left().iter().all(|left| left.starts_with("fastio")), "{:?}", stage.left());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_says_what_it_will_do_and_does_it_when_it_may() {
    let world = World::start(Options::default()).await;
    world.sandbox.fastio().make_workspace(WORKSPACE);
    let place = Place::beside(&world.sandbox);
    let environment =
        [("FASTIO_API_KEY", FASTIO_KEY), ("OPENAI_API_KEY", OPENAI_KEY), ("FASTIO_WEBHOOK_SECRET", SECRET)];
    let docket =
        |arguments: &[&str]| tokio::task::block_in_place(|| place.with(&environment).docket(arguments));

    let asked = docket(&[
        "rehearse",
        "--model",
        "sandbox-rules",
        "--set",
        "prices.sandbox-rules={input=2, output=8}",
    ]);
    assert_eq!(asked.code, 0, "{asked:?}");
    for words in [
        "Fastio's AI is asked one short question",
        "at most $0.0960 by [prices]",
        "At most 600 calls and 15 minutes",
        "Nothing was done; --yes does it.",
    ] {
        assert!(asked.out.contains(words), "{words}: {asked:?}");
    }
    let requests = || {
        world.sandbox.fastio_core().journal.requests().len()
            + world.sandbox.openai_core().journal.requests().len()
    };
    assert_eq!(requests(), 0, "nothing is asked before a person agrees");

    let done = docket(&["rehearse", "--yes", "--no-run", "--report", "found.md"]);
    // As the stand-ins are: a placed upload can be placed again, and a deleted file stays in its store.
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.out.contains("\ndiffers  A file that is deleted without being detached"), "{done:?}");
    assert!(done.out.contains("Written to found.md, without secrets."), "{done:?}");
    let report = std::fs::read_to_string(place.path("found.md")).unwrap();
    assert!(report.starts_with("# Rehearsal of Docket") && report.contains("| **differs** |"), "{report}");
    for secret in [FASTIO_KEY, OPENAI_KEY, SECRET] {
        assert!(!report.contains(secret) && !done.said().contains(secret));
    }
    assert_eq!(left(&world), Vec::<String>::new());
}
