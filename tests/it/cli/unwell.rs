//! `docket check` is not content while something is wrong that only the database, the files or the services can tell.

use serde_json::{Value, json};

use super::check::{ENVIRONMENT, Right, failed, fails};
use crate::harness::program::{Run, WORKSPACE};

/// The rows of this level, each as `check: message`.
fn rows(run: &Run, level: &str) -> Vec<String> {
    let rows: Vec<Value> = serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {run:?}"));
    let of_level = rows.iter().filter(|row| row["level"] == level);
    of_level
        .map(|row| format!("{}: {}", row["check"].as_str().unwrap(), row["message"].as_str().unwrap()))
        .collect()
}

#[track_caller]
fn says(run: &Run, level: &str, words: &str) {
    let rows = rows(run, level);
    assert!(rows.iter().any(|row| row.contains(words)), "no {level} with `{words}` in {run:?}");
}

impl Right {
    /// Replaces the rules of the settings.
    fn rules(&self, rules: &str) {
        let settings = std::fs::read_to_string(self.place.path("docket.toml")).unwrap();
        let (without, _) = settings.split_once("[[rule]]").unwrap();
        self.place.write("docket.toml", &format!("{without}{rules}"));
    }

    async fn put(&self, path: &str) {
        let url = self.sandbox.fastio_url().join(&format!("/_sandbox/files/{WORKSPACE}{path}")).unwrap();
        let answer = reqwest::Client::new().put(url).body(format!("This is {path}.")).send().await.unwrap();
        assert!(answer.status().is_success());
    }

    /// A database that a server has made, with what these statements put into it.
    async fn database(&self, statements: &[&str]) {
        self.place.made_database().await.execute(&statements.join(";")).await;
    }
}

fn rule(more: &str) -> String {
    format!("[[rule]]\nname = 'r'\nworkspace = '{WORKSPACE}'\nvector_store = {{ create = 'r' }}\n{more}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_makes_no_file() {
    let right = Right::set_up().await;
    let before = right.place.files();
    assert_eq!(failed(&right.check(&[]).await), []);
    assert_eq!(right.place.files(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_makes_no_file_either() {
    let right = Right::set_up().await;
    let before = right.place.files();
    for command in [&["rebuild"][..], &["sweep"], &["backfill"], &["serve"]] {
        let run = tokio::task::block_in_place(|| right.place.with(&ENVIRONMENT[..1]).docket(command));
        assert_eq!(run.code, 2, "{run:?}");
        assert_eq!(right.place.files(), before, "{command:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_has_to_look_at_is_no_well() {
    let right = Right::set_up().await;
    const FOUNDED: &str = "INSERT INTO founding VALUES (1, 'empty', 1)";
    right.database(&[FOUNDED]).await;
    assert_eq!(failed(&right.check(&[]).await), []);
    right
        .database(&["INSERT INTO pause (target, kind, reason, since, probe_at) VALUES ('openai', 'refusal', 'no credit left', 1, 1)"])
        .await;
    fails(&right.check(&[]).await, "work", "openai is paused since");
    right
        .database(&[
            "DELETE FROM pause",
            "INSERT INTO sweep (sweep, started_at, ended_at, dry_run, outcome, report) VALUES ('s', 1, 1, 0, 'stopped', '{}')",
        ])
        .await;
    fails(&right.check(&[]).await, "work", "docket sweep --dry-run names each");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_erasure_is_to_be_tried_again_and_not_to_be_discarded() {
    let right = Right::set_up().await;
    let dead = |key: &str| {
        format!(
            "INSERT INTO job (key, task, needs, state, priority, due_at, created_at, updated_at, reason)
             VALUES ('{key}', '{{}}', ' fastio ', 'dead', 0, 1, 1, 1, 'refused')"
        )
    };
    right.database(&["INSERT INTO founding VALUES (1, 'empty', 1)", &dead("erase:workspace:1:2a")]).await;
    let told = failed(&right.check(&[]).await);
    let [(_, only)] = &told[..] else { panic!("{told:?}") };
    assert!(only.contains("1 erasure is not done") && only.contains("docket jobs retry"), "{only}");
    assert!(!only.contains("discard"), "{only}");
    right.database(&[&dead("file:workspace:1:2b")]).await;
    let told = failed(&right.check(&[]).await);
    assert!(
        told.iter().any(|(_, words)| words.contains("1 job is dead") && words.contains("discard")),
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn results_of_a_rule_that_the_settings_run_no_more_are_told() {
    let right = Right::set_up().await;
    const RESULT: &str = "INSERT INTO own_file (owner, profile, folder, name, state, node, sha256, size, since, rule, source_id)
        VALUES ('run:liability:workspace:1:2a', 'workspace:1', 'root', 'a.analysis.md', 'written', '2b', '', 0, 1, 'liability', 'workspace:1:2a')";
    right.database(&["INSERT INTO founding VALUES (1, 'empty', 1)", RESULT]).await;
    let told = right.check(&[]).await;
    assert_eq!(failed(&told), []);
    says(&told, "warn", "1 result of rule liability, such as a.analysis.md");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_covers_nothing_is_told_with_what_it_nearly_covers() {
    let right = Right::set_up().await;
    for path in ["/[OLD] Contracts/a.pdf", "/Case/b.txt", "/SCAN001.PDF", "/Drafts /c.txt"] {
        right.put(path).await;
    }
    for (globs, words) in [
        ("include = ['/Nowhere/**']", "it covers none of 4 files"),
        ("include = ['/case/**']", "/Case/b.txt: upper and lower case differ"),
        ("include = ['/Csae/**']", "/Case/b.txt: it is spelt nearly so"),
        ("include = ['/a.pdf', '*.pfd']", "/SCAN001.PDF: it is spelt nearly so"),
        ("include = ['/[OL] Contracts/**', '/b.txt']", "/Case/b.txt: it lies deeper"),
        ("include = ['/Drafts/**']", "begins or ends with a blank"),
        ("include = ['/**']\nexclude = ['/**']", "what it includes it excludes again"),
    ] {
        right.rules(&rule(globs));
        let run = right.check(&[]).await;
        fails(&run, "rule r", words);
    }
    right.rules(&rule("include = ['/Case/**', '/Nowhere/**']"));
    let run = right.check(&[]).await;
    assert_eq!(failed(&run), []);
    says(&run, "ok", "covers 1 of 4 files");
    says(&run, "warn", "`/Nowhere/**` matches none of 4 files");
    let words = tokio::task::block_in_place(|| right.place.with(&ENVIRONMENT).docket(&["check"]));
    assert!(!words.out.contains("All is well") && words.out.contains("Nothing failed"), "{words:?}");
    for (globs, words) in [
        ("'#1/**'", "write /#1/**"),
        ("''", "/**"),
        ("' '", "/**"),
        ("'/Case/** '", "write /Case/**"),
        ("'/[OLD] Contracts/**'", "write /\\[OLD\\] Contracts/**"),
        ("'Case\\*.txt'", "write Case/*.txt"),
    ] {
        right.rules(&rule(&format!("include = [{globs}]")));
        fails(&right.check(&[]).await, "rules", words);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_must_be_there_and_conversations_too() {
    let right = Right::set_up().await;
    let with_model = |model: &str| rule(&format!("[rule.run]\nmodel = '{model}'\nprompt = 'Look.'"));
    right.rules(&with_model("sandbox-rules"));
    let run = right.check(&[]).await;
    assert_eq!(failed(&run), []);
    says(&run, "ok", "model: sandbox-rules is there");
    says(&run, "ok", "conversations: ");
    right.rules(&with_model("your-model"));
    fails(&right.check(&[]).await, "model", "stands where a model's name belongs");
    right.rules(&with_model("gpt-nowhere"));
    fails(&right.check(&[]).await, "model", "there is no model gpt-nowhere");
    right.rules(&with_model("gpt-5"));
    says(&right.check(&[]).await, "warn", "shuts it down on 2026-12-11");
    right.rules(&with_model("sandbox-rules"));
    let faults = &right.sandbox.openai_core().faults;
    faults.add_json(json!({"kind": "forbidden", "path": "/v1/models/sandbox-rules"})).unwrap();
    fails(&right.check(&[]).await, "model", "may not use the model");
    faults.clear();
    faults.add_json(json!({"kind": "server_error", "path": "/v1/models/sandbox-rules"})).unwrap();
    let run = right.check(&[]).await;
    assert_eq!(failed(&run), []);
    says(&run, "ok", "cannot be told");
    faults.clear();
    faults.add_json(json!({"kind": "forbidden", "path": "/v1/conversations/conv_docket_probe"})).unwrap();
    fails(&right.check(&[]).await, "conversations", "use a server that has them");
    faults.clear();
    faults
        .add_json(
            json!({"kind": "not_found", "path": "/v1/conversations", "body": "{\"detail\":\"Not Found\"}"}),
        )
        .unwrap();
    let run = right.check(&[]).await;
    assert_eq!(failed(&run), []);
    says(&run, "warn", "this server has no /conversations");
    says(&run, "warn", "Not Found");
}

#[tokio::test(flavor = "multi_thread")]
async fn results_need_a_key_that_writes_and_names_of_their_own() {
    let right = Right::set_up().await;
    let run = "[rule.run]\nmodel = 'sandbox-rules'\nprompt = 'Look.'\nwrite_back = '{stem}.analysis.md'";
    right.rules(&rule(&format!("exclude = ['**/*.analysis.md']\n{run}")));
    let checked = right.check(&[]).await;
    assert_eq!(failed(&checked), []);
    says(&checked, "ok", "the key may write in workspace:");
    let mut environment = ENVIRONMENT.to_vec();
    environment[0].1 = "read-only-fk-0123456789";
    let checked = right.check_with(&environment, &[]).await;
    fails(&checked, "write-back", &format!("workspace:{WORKSPACE}:rw"));
    let two = rule(run) + &rule(run).replace("'r'", "'s'");
    right.rules(&two);
    fails(&right.check(&[]).await, "runs", "both write /example.analysis.md");
    // In folders of their own they do not, but where a glob of one reaches into the folder of the other they do.
    let of = |name: &str, globs: &str| {
        rule(&format!("include = [{globs}]\n{run}")).replace("'r'", &format!("'{name}'"))
    };
    right.rules(&(of("r", "'/A/**'") + &of("s", "'/B/**'")));
    for path in ["/A/1.txt", "/B/2.txt"] {
        right.put(path).await;
    }
    assert_eq!(failed(&right.check(&[]).await), []);
    right.rules(&(of("r", "'/A/**'") + &of("s", "'/B/**', '1.*'")));
    fails(&right.check(&[]).await, "runs", "both write /A/1.analysis.md");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_docket_made_and_that_is_gone_is_missed() {
    let right = Right::set_up().await;
    right
        .database(&[
            "INSERT INTO founding VALUES (1, 'empty', 1)",
            "INSERT INTO vector_store (name, intent, vector_store_id, created_at) VALUES ('contracts', 'i', 'vs_gone', 1)",
        ])
        .await;
    fails(&right.check(&[]).await, "vector store", "that Docket made, vs_gone, is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_say_what_is_not_there_is_told_of() {
    let right = Right::set_up().await;
    let store = right.vector_store(json!({"name": "theirs"})).await;
    right.rules(&format!("[[rule]]\nname = 'r'\nworkspace = '{WORKSPACE}'\nvector_store = '{store}'\n"));
    assert_eq!(failed(&right.check(&[]).await), []);
    let path = format!("/v1/vector_stores/{store}/files/file-docketprobe0000000000");
    right.sandbox.openai_core().faults.add_json(json!({"kind": "server_error", "path": path})).unwrap();
    fails(&right.check(&[]).await, "absent file", "does not say so as OpenAI does");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_that_is_not_there_is_told_once_and_is_no_listing() {
    let right = Right::set_up().await;
    right.rules("[[rule]]\nname = 'r'\nworkspace = '1111111111111111111'\nvector_store = { create = 'r' }\n");
    let run = right.check(&[]).await;
    fails(&run, "Fastio workspace", "1111111111111111111");
    assert!(!run.out.contains("no inventory"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_cannot_work_are_told_all_at_once_and_refused_by_the_server() {
    let right = Right::set_up().await;
    let set = ["queue.workers=0", "sync.index_deadline_seconds=0", "sweep.page_tries=0"];
    let told = failed(&right.check(&set).await);
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(
        told.iter().all(|(check, message)| check == "settings" && message.contains("it must be from")),
        "{told:?}"
    );
    let arguments: Vec<&str> =
        ["serve"].into_iter().chain(set.iter().flat_map(|one| ["--set", one])).collect();
    let run = tokio::task::block_in_place(|| right.place.with(&ENVIRONMENT).docket(&arguments));
    assert_eq!(run.code, 2, "{run:?}");
    assert!(
        ["queue.workers", "sync.index", "sweep.page"].iter().all(|name| run.err.contains(name)),
        "{run:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_only_agrees_with_itself_is_no_well() {
    let right = Right::set_up().await;
    let counted = |name: &str, label: &str, count: u32| {
        format!(
            "INSERT OR REPLACE INTO receive_count (name, label, count) VALUES ('{name}', '{label}', {count})"
        )
    };
    let matched = "fastio_v1_base64 secret 0 as_given";
    // What `docket send` posted matched, and what Fastio sent did not.
    let wrong = counted("rejected", "signature_mismatch", 7);
    right.database(&[&wrong, &counted("matched", matched, 2), &counted("tested", "", 2)]).await;
    let run = right.check(&[]).await;
    says(
        &run,
        "warn",
        "7 refused for a wrong signature and no delivery was ever right: FASTIO_WEBHOOK_SECRET",
    );
    assert_eq!(failed(&run), []);
    right.database(&[&counted("matched", matched, 3)]).await;
    assert!(!rows(&right.check(&[]).await, "warn").iter().any(|row| row.contains("wrong signature")));
    right.database(&[&counted("rejected", "signed_to_another_path", 1)]).await;
    says(&right.check(&[]).await, "warn", "1 signed rightly and posted to another path");
    let status = tokio::task::block_in_place(|| right.place.with(&ENVIRONMENT).docket(&["status"])).out;
    for words in
        ["signed with another secret than", "posted to another path than /webhooks/fastio", "2 of them tests"]
    {
        assert!(status.contains(words), "no {words} in {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_with_a_byte_order_mark_is_read() {
    let right = Right::set_up().await;
    let schema =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/legal/liability.schema.json"));
    right.place.write("marked.json", &format!("\u{feff}{}", schema.unwrap()));
    right.rules(&rule("[rule.run]\nmodel = 'sandbox-rules'\nprompt = 'Look.'\nschema = 'marked.json'"));
    assert_eq!(failed(&right.check(&[]).await), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_pattern_is_told_with_what_it_matches_now_and_what_is_left_out_by_default() {
    let right = Right::set_up().await;
    for path in [
        "/Contracts/1.pdf",
        "/Contracts/2.PDF",
        "/Contracts/3.pdf",
        "/Contracts/4.pdf",
        "/Contracts/~$1.docx",
        "/Contracts/desktop.ini",
        "/Contracts/prod.env",
        "/HR/a.txt",
    ] {
        right.put(path).await;
    }
    right.rules(&rule("include = ['/Contracts/**']\nexclude = ['**/4.PDF', '/HRR/**', '*.bak']"));
    let run = right.check(&[]).await;
    assert_eq!(failed(&run), []);
    says(&run, "ok", "covers 3 of 8 files");
    says(
        &run,
        "ok",
        "`/Contracts/**` includes 7 files: /Contracts/1.pdf, /Contracts/2.PDF, /Contracts/3.pdf, …",
    );
    says(&run, "ok", "`**/4.PDF` excludes 1 file: /Contracts/4.pdf");
    says(&run, "ok", "`*.bak` matches none of 8 files");
    says(&run, "ok", "3 files left out by default");
    says(
        &run,
        "warn",
        "`/HRR/**` matches none of 8 files; `/HRR/**` does not match /HR/a.txt: it is spelt nearly so",
    );

    let docket = |arguments: &[&str]| {
        tokio::task::block_in_place(|| right.place.with(&ENVIRONMENT[..1]).docket(arguments))
    };
    let told = docket(&["rules", "--json"]);
    let rows: Vec<Value> =
        serde_json::from_str(&told.out).unwrap_or_else(|error| panic!("{error}: {told:?}"));
    assert_eq!(
        (&rows[0]["rule"], &rows[0]["covers"], &rows[0]["files"]),
        (&json!("r"), &json!(3), &json!(8))
    );
    assert_eq!(rows[0]["patterns"][0]["examples"].as_array().unwrap().len(), 3);
    let left_out: Vec<&str> =
        rows[0]["left_out"].as_array().unwrap().iter().map(|row| row["pattern"].as_str().unwrap()).collect();
    assert_eq!(left_out, ["*.env", "desktop.ini", "~$*"]);
    let words = docket(&["rules"]).out;
    for line in
        ["`desktop.ini` 1 file: /Contracts/desktop.ini", ".DS_Store", "default_excludes = false", "id_rsa*"]
    {
        assert!(words.contains(line), "no {line} in {words}");
    }

    right.rules(&rule("default_excludes = false"));
    let words = docket(&["rules"]).out;
    assert!(words.contains("8 of 8 files") && !words.contains("id_rsa*"), "{words}");
    assert_eq!(docket(&["rules", "--rule", "other"]).code, 2);
}
