//! Names, reasons and answers of others on an operator's terminal: whatever they hold, they are text and nothing else.

use serde_json::Value;

use crate::harness::program::{Place, Run};

/// What a terminal obeys, what changes the order of a line, what is invisible, and a line that looks like ours.
const HOSTILE: &str = "a\u{1b}]0;mine\u{7}\u{1b}[2J\u{1b}[31m\u{9b}2J\u{202e}fdp\u{2066}\u{200b}\u{200f}\u{feff}\u{2060}\u{ad}\u{e0041}\r\nAll is well";

/// Every text that may have come from outside, in every table that a command shows.
const FILL: [&str; 8] = [
    "INSERT INTO file (source_id, profile, node, state, reason, path, ancestors, rules, version, size, seen_at)
     VALUES ('workspace:1:2a', 'workspace:1', '2a', 'skipped', $1, '/' || $1, '', 'r', $1, 1, 1)",
    "INSERT INTO copy (source_id, vector_store, state, size, filename, bytes, file_id, content_hash, since)
     VALUES ('workspace:1:2a', 'vs_' || $1, 'indexed', 1, $1, 1, 'file-' || $1, $1, 1)",
    "INSERT INTO event (event_id, source, kind, subject, name, profile, node, received_at, ignored_because)
     VALUES ('evt' || $1, 'webhook', 'ignored', 'file', $1, 'workspace:1', '2' || $1, 1, $1)",
    "INSERT INTO job (key, task, needs, state, priority, due_at, reason, created_at, updated_at)
     VALUES ('file:workspace:1:' || $1, '{}', ' fastio ', 'dead', 0, 1, $1, 1, 1)",
    "INSERT INTO pause (target, reason, since, probe_at) VALUES ('openai/' || $1, $1, 1, 1)",
    "INSERT INTO run (rule, source_id, profile, node, path, content_hash, bytes, file_id, vector_store, definition, engine,
                      model, state, outcome, reason, result, created_at, updated_at, ended_at, held_until)
     VALUES ('r' || $1, 'workspace:1:2a', 'workspace:1', '2a', '/' || $1, 'h', 1, 'file-1', 'vs_1', $1, 'responses',
             $1, 'ended', 'failed', $1, json_object('text', $1), 1, 1, 1, 1)",
    "INSERT INTO feed (feed, way, reason, since) VALUES (1, 'search', $1, 1)",
    "INSERT INTO receive_count (name, label, count) VALUES ('rejected', $1, 1), ('matched', $1, 1)",
];

async fn place() -> Place {
    let place = Place::alone();
    let database = place.made_database().await;
    for statement in FILL {
        database.execute_with(statement, [HOSTILE.to_owned()]).await;
    }
    place
}

const COMMANDS: [&[&str]; 7] = [
    &["files"],
    &["events"],
    &["jobs", "list"],
    &["status"],
    &["runs", "list"],
    &["runs", "show", "1"],
    &["jobs", "retry", "7"],
];

/// Fails on what is not text: our own colours are, where they may be.
fn is_text(run: &Run, coloured: bool) {
    for stream in [&run.out, &run.err] {
        let mut rest = stream.replace("\r\n", "\n");
        if coloured {
            for code in ["0", "1", "2", "31", "32", "33"] {
                rest = rest.replace(&format!("\u{1b}[{code}m"), "");
            }
        }
        let is_bad = |c: &char| c.is_control() && *c != '\n' || HOSTILE.contains(*c) && !c.is_ascii();
        assert_eq!(rest.chars().find(is_bad), None, "{run:?}");
        assert!(!rest.lines().any(|line| line.starts_with("All is well")), "{run:?}");
    }
}

#[tokio::test]
async fn no_text_of_others_reaches_a_terminal_but_as_text() {
    let place = place().await;
    let at = place.with(&[]);
    for command in COMMANDS {
        is_text(&at.docket(command), false);
        is_text(&at.docket_at_a_terminal(command), true);
    }
    let files = at.docket(&["files"]);
    assert!(files.out.contains("\\u{1b}]0;mine\\u{7}") && files.out.contains("\\u{202e}fdp"), "{files:?}");
    let show = at.docket(&["runs", "show", "1"]);
    assert!(show.out.contains("\\u{9b}2J\\u{202e}fdp\\u{2066}\\u{200b}"), "{show:?}");
}

#[tokio::test]
async fn json_holds_the_same_texts_escaped() {
    let place = place().await;
    for command in COMMANDS.iter().filter(|command| command[0] != "status" && command[1..] != ["retry", "7"])
    {
        let run = place.docket(&[*command, &["--json"]].concat());
        assert_eq!(run.code, 0, "{run:?}");
        is_text(&run, false);
        let rows: Vec<Value> = serde_json::from_str(&run.out).unwrap();
        assert!(rows[0].to_string().contains(&Value::from(HOSTILE).to_string().trim_matches('"')[..20]));
    }
}
