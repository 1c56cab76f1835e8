//! The judge of the crash test finds what it is to find: records in which all is well pass, and each thing that is made
//! wrong in them is named.

#[path = "../crash/check/mod.rs"]
pub mod check;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use docket_sandbox::judge::{absences, gaps, unbroken};
use serde_json::{Value, json};

use check::beside::{EDITED, contract};
use check::failover::{Failover, unsaid};
use check::forms::Cut;
use check::imports::Import;
use check::links::{Link, SHARED_WITH};
use check::runs::Run;
use check::twice::{Doing, Stop, doings, overlaps};
use check::{Broken, IMPORTS, PINNED, Rows, Seen, broken, broken_before_sweep};

/// A file of the workspace, as Fastio's stand-in shows it.
fn file(node: &str, path: &str) -> Value {
    let hash = format!("hash of {path}");
    json!({"workspace": "1", "node_id": node, "path": path, "sha256": hash, "trashed": false,
           "version_hashes": [hash], "absences": []})
}

/// Its entry in a vector store.
fn held(node: &str, path: &str) -> Value {
    json!({"id": format!("file-{node}"), "status": "completed", "sha256": format!("hash of {path}"),
           "attributes": {"source_id": format!("workspace:1:{node}"), "path": path}})
}

/// When it could be found.
fn interval(node: &str, from: i64, until: Option<i64>) -> Value {
    json!({"attributes": {"source_id": format!("workspace:1:{node}")}, "from_ms": from, "until_ms": until})
}

/// A link to a contract.
fn link(id: &str) -> Value {
    json!({"id": id, "title": "contract 0.txt (Docket run 1)", "access_option": "named_people",
           "grants": [{"email": SHARED_WITH, "capability": "view"}]})
}

const CONTRACT: &str = "/Contracts/contract 0.txt";
const RESULT: &str = "/Contracts/contract 0.analysis.md";
const TABLE: &str = "/Contracts/overview.csv";

/// One file, one contract with its result, and all is well.
fn well() -> Seen {
    let run = Run {
        id: 1,
        source_id: "workspace:1:2b".to_owned(),
        path: CONTRACT.to_owned(),
        content_hash: format!("hash of {CONTRACT}"),
        state: "ended".to_owned(),
        outcome: "completed".to_owned(),
        lock: "none".to_owned(),
        reason: String::new(),
    };
    Seen {
        rows: Rows {
            events: HashSet::from(["e1".to_owned()]),
            copies: 2,
            runs: vec![run],
            links: vec![Link { run: 1, state: "done".to_owned(), object: "57".to_owned() }],
            ..Rows::default()
        },
        fastio: json!({"files": [file("2a", "/a.txt"), file("2b", CONTRACT), file("2c", RESULT)],
                       "locks": [], "uploads": [], "file_shares": [link("57")]}),
        openai: json!({
            "files": [{"id": "file-2a"}, {"id": "file-2b"}],
            "vector_stores": [{"name": "all", "files": [held("2a", "/a.txt")]},
                              {"name": "contracts", "files": [held("2b", CONTRACT)]}],
            "responses": [{"metadata": {"docket_run": "1"}}],
        }),
        searchable: json!({"dropped": 0, "intervals": [interval("2a", 10, Some(30)), interval("2a", 20, None)]}),
        acknowledged: HashSet::from(["e1".to_owned()]),
        strange: Vec::new(),
        wanderers: HashSet::new(),
        desk: BTreeMap::from([
            (CONTRACT.to_owned(), contract(7)),
            (
                RESULT.to_owned(),
                "# contract 0.txt\n\n> ✔ All found.\n\nclaims under contract 7.\n".to_owned(),
            ),
            (TABLE.to_owned(), format!("file,run,finding\n{CONTRACT},completed,\"under contract 7.\"\n")),
        ]),
        taken: BTreeSet::new(),
        moves: 0,
        copied: 0,
        stand_ins: HashMap::new(),
        cut: Some(Cut { above: 100, header: 10 }),
        imported: BTreeMap::new(),
        room: Some(1),
        stores: vec!["all", "contracts"],
        differences: Vec::new(),
        forgetful: Vec::new(),
    }
}

fn push(list: &mut Value, one: Value) {
    list.as_array_mut().unwrap().push(one);
}

/// What is broken after `spoil` has changed the records.
fn after(spoil: impl FnOnce(&mut Seen)) -> Vec<&'static str> {
    let mut seen = well();
    spoil(&mut seen);
    broken(&seen).into_iter().map(|broken| broken.promise).collect()
}

#[test]
fn the_judge_finds_nothing_where_all_is_well() {
    assert_eq!(broken(&well()), []);
}

#[test]
fn the_judge_misses_nothing_that_is_lost_or_left() {
    let lost = after(|seen| seen.acknowledged.extend(["e2".to_owned()]));
    assert_eq!(lost, ["every acknowledged event is on record"]);
    assert_eq!(after(|seen| seen.rows.jobs.push("a job".to_owned())), ["no job is left"]);
    assert_eq!(after(|seen| seen.rows.unsettled.push("a copy".to_owned())), ["nothing is left half done"]);
    assert_eq!(after(|seen| seen.strange.push("401".to_owned())), ["a delivery is answered 202 or 503"]);
    assert_eq!(after(|seen| seen.fastio["locks"] = json!([{"path": "/a.txt"}])), ["no lock is held"]);
    let left = after(|seen| seen.fastio["uploads"] = json!([{"status": "complete"}]));
    assert_eq!(left, ["no upload to Fastio is left"]);
    let asked = after(|seen| seen.fastio["talks"] = json!([{"thread_id": "t"}]));
    assert_eq!(asked, ["no question is left at Fastio"]);
    let empty = json!([{"items": [{"role": "user"}]}]);
    let nothing = after(|seen| seen.openai["conversations"] = empty.clone());
    assert_eq!(nothing, ["no conversation is left that came to nothing"]);
    let unknown = after(|seen| {
        seen.openai["conversations"] = empty;
        seen.rows.unanswered_conversations = 1;
    });
    assert_eq!(unknown, [""; 0]);
    for (created_at, broken) in [(99, [].as_slice()), (90, &["no conversation is left that came to nothing"])]
    {
        let forgotten = after(|seen| {
            seen.forgetful = vec![Failover { from: 100_000, until: 102_000 }];
            seen.openai["conversations"] = json!([{"created_at": created_at, "items": []}]);
        });
        assert_eq!(forgotten, broken, "a failover may have lost what was made just before");
    }
    let answered = json!([{"items": [{"role": "user"}, {"role": "assistant"}]}]);
    assert_eq!(after(|seen| seen.openai["conversations"] = answered), [""; 0]);
    assert_eq!(after(|seen| seen.differences.push("one".to_owned())), ["a sweep finds nothing"]);
}

#[test]
fn the_judge_compares_the_vector_stores_with_fastio() {
    const EQUAL: &str = "the vector stores hold what Fastio holds";
    let file = |seen: &mut Seen, name: &str, value: &str| {
        seen.openai["vector_stores"][0]["files"][0][name] = json!(value)
    };
    assert_eq!(after(|seen| file(seen, "sha256", "an older one")), [EQUAL]);
    assert_eq!(after(|seen| file(seen, "status", "in_progress")), ["every copy is indexed"]);
    let trashed = after(|seen| seen.fastio["files"][0]["trashed"] = json!(true));
    assert_eq!(trashed, [EQUAL]);
    let elsewhere = after(|seen| seen.openai["vector_stores"][0]["name"] = json!("contracts"));
    assert_eq!(elsewhere, [EQUAL, "each vector store is made once"]);
    let orphan = after(|seen| push(&mut seen.openai["files"], json!({"id": "file-3"})));
    assert_eq!(orphan, ["no File object is in no vector store"]);
    let twice = after(|seen| push(&mut seen.openai["vector_stores"][0]["files"], held("2a", "/a.txt")));
    assert_eq!(twice, ["no file has two copies", "every copy is on record"]);
    let missing = after(|seen| seen.openai["vector_stores"][0]["files"] = json!([]));
    assert_eq!(missing, [EQUAL, "every copy is on record", "no File object is in no vector store"]);
}

/// What is wrong when a table of so many bytes is held in segments with these numbers and bytes.
fn cut(size: u64, segments: &[(u64, u64)]) -> Vec<&'static str> {
    let count = segments.len();
    after(|seen| {
        (seen.fastio["files"][0]["path"], seen.fastio["files"][0]["size"]) = (json!("/a.csv"), json!(size));
        let mut parts: Vec<Value> = Vec::new();
        for (number, bytes) in segments {
            let mut part = held("2a", "/a.csv");
            part["id"] = json!(format!("file-2a.{number}.{}", parts.len()));
            part["bytes"] = json!(bytes);
            part["attributes"]["segment"] = json!(number);
            part["attributes"]["segments"] = json!(count);
            push(&mut seen.openai["files"], json!({"id": part["id"]}));
            parts.push(part);
        }
        seen.openai["files"].as_array_mut().unwrap().remove(0);
        seen.openai["vector_stores"][0]["files"] = parts.into();
        seen.rows.copies = count as i64 + 1;
    })
}

#[test]
fn the_judge_counts_the_segments_of_a_text_that_was_cut_and_their_bytes() {
    const STANDS: &str = "what does not go as it is stands for what it is now";
    const EQUAL: &str = "the vector stores hold what Fastio holds";
    assert_eq!(cut(110, &[(1, 50), (2, 50), (3, 30)]), [""; 0]);
    assert_eq!(cut(110, &[(1, 50), (2, 50), (2, 30)]), [EQUAL, STANDS]);
    assert_eq!(cut(110, &[(1, 50), (2, 50), (3, 29)]), [STANDS], "a byte is missing");
    assert_eq!(cut(110, &[(1, 60), (2, 40), (3, 30)]), [STANDS], "one is too large");
    assert_eq!(cut(90, &[(1, 50), (2, 50)]), [STANDS], "it is too small to be cut");
    let image =
        |text: &str| after(|seen| drop(seen.stand_ins.insert("hash of /a.txt".to_owned(), text.to_owned())));
    assert_eq!((image("hash of /a.txt"), image("hash of a newer text")), (vec![], vec![STANDS]));
}

#[test]
fn the_judge_sees_parts_of_two_versions_and_what_is_left_of_them_while_a_file_goes() {
    let segment = |hash: &str, number: u64, from: i64, until: Option<i64>| {
        let attributes =
            json!({"source_id": "workspace:1:2a", "content_hash": hash, "segment": number, "segments": 2});
        json!({"attributes": attributes, "from_ms": from, "until_ms": until})
    };
    let shown = |absences: Value| {
        after(|seen| {
            seen.fastio["files"][0]["absences"] = absences;
            let parts = [("a", 1, Some(60)), ("b", 1, None), ("b", 2, None)];
            let mut froms = [10, 40, 50].into_iter();
            seen.searchable["intervals"] = parts
                .map(|(hash, number, until)| segment(hash, number, froms.next().unwrap(), until))
                .to_vec()
                .into();
        })
    };
    assert_eq!(shown(json!([])), ["a search never finds half of one version and half of another"]);
    assert_eq!(shown(json!([[20, 30]])), [""; 0]);
}

#[test]
fn the_judge_sees_an_import_that_was_made_twice_or_not_as_it_is_said() {
    const ONCE: &str = "each import is made once";
    let path = format!("{IMPORTS}one.txt");
    let ordered = |state: &str, uploads: &[Value], is_there: bool| {
        after(|seen| {
            seen.imported.insert("one.txt".to_owned(), 1);
            let (name, state) = ("one.txt".to_owned(), state.to_owned());
            seen.rows.imports.push(Import { name, state, reason: String::new() });
            seen.fastio["web_uploads"] = uploads.into();
            if is_there {
                let mut file = file("2d", &path);
                file["versions"] = json!(1);
                push(&mut seen.fastio["files"], file);
                push(&mut seen.openai["files"], json!({"id": "file-2d"}));
                push(&mut seen.openai["vector_stores"][0]["files"], held("2d", &path));
                seen.rows.copies += 1;
            }
        })
    };
    let upload = |made: Value| json!({"file_name": "one.txt", "new_file_id": made});
    assert_eq!(ordered("complete", &[upload(json!("2d"))], true), [""; 0]);
    assert_eq!(ordered("failed", &[upload(Value::Null)], false), [""; 0]);
    assert_eq!(ordered("complete", &[upload(json!("2d")), upload(Value::Null)], true), [ONCE]);
    assert_eq!(ordered("failed", &[upload(json!("2d"))], true), [ONCE]);
    assert_eq!(ordered("complete", &[upload(json!("2d"))], false), [ONCE]);
    assert_eq!(ordered("pending", &[upload(Value::Null)], false), [ONCE]);
    let lost = after(|seen| {
        seen.imported.insert("two.txt".to_owned(), 1);
    });
    assert_eq!(lost, [ONCE]);
}

#[test]
fn the_judge_sees_what_is_held_though_there_is_no_room_for_it_and_what_is_out_and_should_not_be() {
    const ROOM: &str = "of what there is no room for exactly so much is held";
    const EQUAL: &str = "the vector stores hold what Fastio holds";
    let with = |path: &str, is_held: bool, is_out: bool| {
        after(|seen| {
            seen.stores.push("scarce");
            let store =
                json!({"name": "scarce", "files": if is_held { vec![held("2s", path)] } else { vec![] }});
            push(&mut seen.openai["vector_stores"], store);
            push(&mut seen.fastio["files"], file("2s", path));
            if is_held {
                push(&mut seen.openai["files"], json!({"id": "file-2s"}));
                seen.rows.copies += 1;
            }
            seen.rows.out.extend(is_out.then(|| "workspace:1:2s".to_owned()));
        })
    };
    let (path, pinned) = ("/Scarce/1.txt", format!("{PINNED}1.txt"));
    assert_eq!((with(path, true, false), with(path, false, true)), (vec![], vec![]));
    assert_eq!((with(path, true, true), with(path, false, false)), (vec![ROOM], vec![EQUAL]));
    assert_eq!((with(&pinned, true, false), with(&pinned, false, true)), (vec![], vec![ROOM]));
    let both = |until: Option<i64>| {
        after(|seen| {
            // They are in the trash by now.
            for node in ["2s", "2t"] {
                let mut file = file(node, &format!("/Scarce/{node}.txt"));
                file["trashed"] = json!(true);
                push(&mut seen.fastio["files"], file);
            }
            for (node, from, until) in [("2s", 5, until), ("2t", 20, Some(40))] {
                let mut held = interval(node, from, until);
                held["attached_ms"] = json!(from);
                push(&mut seen.searchable["intervals"], held);
            }
        })
    };
    assert_eq!((both(Some(20)), both(Some(21))), (vec![], vec![ROOM]));
}

#[test]
fn before_a_sweep_the_judge_excuses_a_purge_and_nothing_that_was_told() {
    let before = |spoil: fn(&mut Seen)| {
        let mut seen = well();
        spoil(&mut seen);
        broken_before_sweep(&seen).into_iter().map(|broken| broken.promise).collect::<Vec<_>>()
    };
    const EQUAL: &str = "before any sweep the vector stores hold what Fastio holds";
    assert_eq!(before(|_| {}), [""; 0]);
    let purged: fn(&mut Seen) = |seen| drop(seen.fastio["files"].as_array_mut().unwrap().remove(0));
    assert_eq!(before(purged), [""; 0]);
    assert_eq!(before(|seen| seen.fastio["files"][0]["trashed"] = json!(true)), [EQUAL]);
    assert_eq!(before(|seen| seen.fastio["files"][0]["path"] = json!("/moved.txt")), [EQUAL]);
    assert_eq!(before(|seen| seen.openai["vector_stores"][0]["files"] = json!([])), [EQUAL]);
}

#[test]
fn the_judge_sees_a_link_that_is_missing_made_twice_or_for_others() {
    const LINKS: &str = "each result has one link, for who is named";
    let changed = |change: fn(&mut Seen)| after(change);
    assert_eq!(changed(|seen| seen.rows.links.clear()), [LINKS]);
    assert_eq!(changed(|seen| seen.fastio["file_shares"] = json!([])), [LINKS]);
    assert_eq!(changed(|seen| seen.rows.links[0].state = "wanted".to_owned()), [LINKS]);
    assert_eq!(
        changed(|seen| seen.fastio["file_shares"][0]["grants"][0]["capability"] = json!("edit")),
        [LINKS]
    );
    assert_eq!(
        changed(|seen| seen.fastio["file_shares"][0]["access_option"] = json!("anyone_with_link")),
        [LINKS]
    );
    let twice = |seen: &mut Seen| push(&mut seen.fastio["file_shares"], link("58"));
    assert_eq!(after(twice), [LINKS]);
    let left = |seen: &mut Seen| {
        seen.rows.links[0] = Link { run: 1, state: "left".to_owned(), object: String::new() }
    };
    assert_eq!(after(left), [LINKS], "the link that was begun is there");
    let ended = |seen: &mut Seen| {
        left(seen);
        seen.fastio["file_shares"] = json!([]);
    };
    assert_eq!(after(ended), [""; 0]);
    let forgotten = |seen: &mut Seen| {
        seen.forgetful = vec![Failover { from: 0, until: 0 }];
        twice(seen);
    };
    assert_eq!(after(forgotten), [""; 0]);
}

#[test]
fn the_judge_sees_a_run_made_twice_and_a_result_that_is_not_there() {
    const RUNS: &str = "each run is made once and its result written once";
    let failed = json!({"metadata": {"docket_run": "1"}, "status": "failed"});
    assert_eq!(after(|seen| push(&mut seen.openai["responses"], failed)), [""; 0]);
    let again = json!({"metadata": {"docket_run": "1"}});
    assert_eq!(after(|seen| push(&mut seen.openai["responses"], again.clone())), [RUNS]);
    let forgotten = after(|seen| {
        seen.forgetful = vec![Failover { from: 0, until: 0 }];
        push(&mut seen.openai["responses"], again);
    });
    assert_eq!(forgotten, [""; 0]);
    let asked = |key: &str, at: i64| json!({"key": key, "at": at, "nodes": ["2b"]});
    let of_fastio = |asked: Value, absences: Value| {
        after(|seen| {
            seen.fastio["turns_asked"] = asked;
            seen.fastio["files"][1]["absences"] = absences;
        })
    };
    let (once, twice) = (json!([asked("a", 10)]), json!([asked("a", 10), asked("b", 30)]));
    assert_eq!(of_fastio(once, json!([])), [""; 0]);
    assert_eq!(of_fastio(twice.clone(), json!([])), [RUNS], "it has one run");
    assert_eq!(of_fastio(twice, json!([[15, 20]])), [""; 0], "it was away meanwhile");
    assert_eq!(
        of_fastio(json!([asked("a", 10), asked("a", 30)]), json!([[15, 20]])),
        [RUNS],
        "under one key"
    );
    // A file that was in the trash meanwhile is run over again when it is back.
    let away = |from_ms: i64| {
        after(|seen| {
            let made = |at: i64| json!({"created_at": at, "metadata": {"docket_run": "1", "source_id": "workspace:1:2b"}});
            seen.openai["responses"] = json!([made(10), made(30)]);
            seen.fastio["files"][1]["absences"] = json!([[from_ms, from_ms + 5_000]]);
        })
    };
    assert_eq!((away(15_000), away(31_000)), (Vec::new(), vec![RUNS]));
    assert_eq!(after(|seen| seen.rows.runs.clear()), [RUNS]);
    assert_eq!(after(|seen| seen.rows.runs[0].outcome = "failed".to_owned()), [RUNS]);
    assert_eq!(after(|seen| seen.rows.runs[0].lock = "held".to_owned()), [RUNS]);
    assert_eq!(after(|seen| seen.rows.runs[0].content_hash = "an older one".to_owned()), [RUNS]);
    let versions =
        |seen: &mut Seen, hashes: &[&str]| seen.fastio["files"][2]["version_hashes"] = json!(hashes);
    assert_eq!(after(|seen| versions(seen, &["one", "two"])), [RUNS]);
    // A server that dies between writing a result and recording that may find a newer contract: that run has written, too.
    let of_two = |hashes: &[&str]| {
        after(|seen| {
            let older = Run { id: 2, outcome: "superseded".to_owned(), ..seen.rows.runs[0].clone() };
            seen.rows.runs.push(Run { content_hash: "older".to_owned(), ..older });
            versions(seen, hashes);
        })
    };
    assert_eq!(of_two(&["one", "two"]), [""; 0]);
    assert_eq!(of_two(&["one", "one"]), [RUNS]);
    let renamed = |hashes: &[&str]| {
        after(|seen| {
            seen.moves = 1;
            versions(seen, hashes);
        })
    };
    assert_eq!(renamed(&["one", "two"]), [""; 0]);
    assert_eq!(renamed(&["one", "one"]), [RUNS]);
    assert_eq!(renamed(&["one", "two", "three"]), [RUNS]);
    let beside = || file("2d", "/Contracts/contract 0.analysis (2).md");
    assert_eq!(after(|seen| push(&mut seen.fastio["files"], beside())), [RUNS]);
    let second = after(|seen| {
        seen.moves = 5;
        push(&mut seen.fastio["files"], beside());
    });
    assert_eq!(second, [RUNS]);
    let copied = after(|seen| {
        (seen.moves, seen.copied) = (1, 1);
        push(&mut seen.fastio["files"], beside());
    });
    assert_eq!(copied, [""; 0]);
}

#[test]
fn the_judge_sees_what_is_not_true_of_the_contract_that_it_stands_beside() {
    const TRUE: &str = "what stands beside a contract is true of it";
    let with =
        |path: &str, text: &str| after(|seen| drop(seen.desk.insert(path.to_owned(), text.to_owned())));
    assert_eq!(with(CONTRACT, &contract(8)), [TRUE]);
    assert_eq!(with(RESULT, "# contract 0.txt\n\nclaims under contract 8.\n"), [TRUE]);
    assert_eq!(with(RESULT, "# contract 1.txt\n\nclaims under contract 7.\n"), [TRUE]);
    // Nothing is left to do, so no notice excuses a result: not of another content, and not beside what it is of.
    let earlier =
        "# contract 0.txt\n\n> **⚠ This is about an earlier version.**\n\nclaims under contract 8.\n";
    assert_eq!(with(RESULT, earlier), [TRUE]);
    assert_eq!(with(RESULT, &earlier.replace("contract 8", "contract 7")), [TRUE]);
    assert_eq!(with(TABLE, "file,run,finding\n"), [TRUE]);
    let row = |path: &str| format!("{path},completed,\"under contract 7.\"\n");
    assert_eq!(with(TABLE, &format!("file\n{}{}", row(CONTRACT), row("/Contracts/gone.txt"))), [TRUE]);
    // What a person took away or wrote is theirs, and excuses nothing of another contract.
    assert_eq!(with(RESULT, EDITED), [TRUE]);
    for (taken, broken) in [(7, [].as_slice()), (8, &[TRUE])] {
        let edited = after(|seen| {
            seen.taken.insert(taken);
            seen.desk.insert(RESULT.to_owned(), EDITED.to_owned());
        });
        assert_eq!(edited, broken);
    }
}

#[test]
fn an_edit_that_overlaps_is_no_gap_and_a_forgotten_history_is_no_proof() {
    let seen = well();
    let there = absences(&seen.fastio, &seen.wanderers);
    assert_eq!((gaps(&seen.searchable, &there), unbroken(&seen.searchable, &there)), (Vec::new(), 1));
    let forgotten = after(|seen| seen.searchable["dropped"] = json!(1));
    assert_eq!(forgotten, ["a file that is there is found all the time"]);
    let gap = after(|seen| seen.searchable["intervals"][1]["from_ms"] = json!(31));
    assert_eq!(gap, ["a file that is there is found all the time"]);
}

#[test]
fn a_gap_is_excused_by_what_a_failover_lost_of_the_copies_before_it_and_by_nothing_else() {
    const SECOND: i64 = 1_000;
    // One after the other, from when until when; and a gap from the end of the second on.
    let copies = [(10, 60), (50, 70), (80, 90)].map(|(from, until)| (from * SECOND, until * SECOND));
    for (failover, excused) in [(20, false), (50, true), (60, true), (85, false)] {
        let broken = after(|seen| {
            let failover = failover * SECOND;
            seen.forgetful = vec![Failover { from: failover, until: failover + SECOND }];
            let intervals = copies.map(|(from, until)| {
                let mut interval = interval("2a", from, Some(until));
                interval["attached_ms"] = json!(from);
                interval
            });
            seen.searchable["intervals"] = json!(intervals);
            push(&mut seen.searchable["intervals"], interval("2a", 90 * SECOND, None));
        });
        let expected: &[&str] = if excused { &[] } else { &["a file that is there is found all the time"] };
        assert_eq!(broken, expected, "with a failover at {failover} s");
    }
}

#[test]
fn many_examples_are_counted_and_few_are_shown() {
    assert_eq!(Broken::of("nothing", Vec::new()), None);
    let many = Broken::of("a promise", (0..9).map(|number| number.to_string()).collect()).unwrap();
    assert_eq!((many.times, many.examples.len()), (9, 5));
}

/// An entry of the journal of OpenAI's stand-in.
fn request(path: &str, json: &Value) -> Value {
    json!({"method": "POST", "path": format!("/v1/{path}"), "json": json, "at_ms": 100, "duration_ms": 50,
           "headers": [["accept", "*/*"], ["openai-project", "server-2"]]})
}

#[test]
fn what_makes_something_at_openai_is_known_by_what_it_makes_and_for_what() {
    let whats = |entry: &Value| doings(entry).into_iter().map(|doing| doing.what).collect::<Vec<_>>();
    let mut upload = request("files", &Value::Null);
    upload["parts"] = json!([{"name": "purpose", "value": "assistants"},
                             {"name": "file", "filename": "a.txt", "bytes": 7}]);
    assert_eq!(whats(&upload), ["the upload of 7 bytes as a.txt"]);
    // Its last piece is held back until no other of that name and size is under way.
    upload["body_ms"] = json!(30);
    assert_eq!((doings(&upload)[0].from, doings(&upload)[0].until), (130, 150));
    let file = |source: &str| json!({"file_id": "f", "attributes": {"source_id": source, "version": "3"}});
    let attach = request("vector_stores/vs_1/files", &file("a"));
    assert_eq!(whats(&attach), ["version 3 of a attached to vs_1"]);
    let together = request("vector_stores/vs_1/file_batches", &json!({"files": [file("a"), file("b")]}));
    assert_eq!(whats(&together), ["version 3 of a attached to vs_1", "version 3 of b attached to vs_1"]);
    let run = request("responses", &json!({"metadata": {"docket_run": "9"}}));
    let made = Doing {
        what: "the response of run 9".to_owned(),
        server: "server-2".to_owned(),
        from: 100,
        until: 150,
    };
    assert_eq!(doings(&run), [made]);
    let mut read = attach;
    read["method"] = json!("GET");
    assert_eq!(whats(&read), [""; 0]);
}

#[test]
fn what_is_done_twice_at_the_same_time_is_seen_unless_the_first_was_stopped_in_the_middle() {
    let doing = |server: &str, from, until| Doing {
        what: "one thing".to_owned(),
        server: server.to_owned(),
        from,
        until,
    };
    let stop = |server: &str, from, until| Stop { server: server.to_owned(), from, until };
    let twice = |all: &[Doing], stops: &[Stop]| overlaps(all, stops).len();
    let first = || doing("a", 100, 200);
    let other = |from| doing("b", from, from + 20);
    assert_eq!(twice(&[first(), other(200)], &[]), 0);
    assert_eq!(twice(&[other(150), first()], &[]), 1);
    assert_eq!(twice(&[first(), Doing { what: "another".to_owned(), ..other(150) }], &[]), 0);
    // By the same one too, and behind one that is over already.
    assert_eq!(twice(&[first(), doing("a", 110, 120), other(150)], &[]), 2);
    for (stop, times) in [
        (stop("a", 140, 400), 0),
        (stop("a", 90, 110), 0),
        (stop("a", 160, 400), 1),
        (stop("a", 20, 90), 1),
        (stop("b", 140, 145), 1),
    ] {
        assert_eq!(twice(&[first(), other(150)], std::slice::from_ref(&stop)), times, "{stop:?}");
    }
}

#[test]
fn a_failover_may_lose_what_was_acknowledged_just_before_and_only_where_that_was_said() {
    let failover = Failover { from: 100_000, until: 102_000 };
    let may_lose = [90_000, 99_000, 103_000, 110_000].map(|at| failover.may_lose(at));
    assert_eq!(may_lose, [false, true, true, false]);
    let says = |message: &str| json!([{"check": "settings", "message": ""}, {"check": "durability", "message": message}]);
    let warns = says(
        "standbys follow behind the commits: a failover to one can lose the events acknowledged just before",
    );
    let promises =
        says("neither a crash of PostgreSQL nor a failover to a synchronous standby (b) loses anything");
    assert_eq!((unsaid(&warns, false).len(), unsaid(&promises, true).len()), (0, 0));
    assert_eq!((unsaid(&warns, true).len(), unsaid(&promises, false).len()), (1, 1));
    assert_eq!(unsaid(&says("no standby is connected"), false).len(), 1);
}
