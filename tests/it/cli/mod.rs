//! The program as a person runs it: the real binary, its output and its exit codes.

pub mod check;
mod files;
mod hostile;
pub mod live;
mod long;
mod moves;
mod pages;
mod rows;
mod runs;
mod secret;
mod seen;
mod status;
mod steps;
mod typed;
mod unwell;

use crate::harness::program::Place;

#[test]
fn help_lists_the_commands() {
    let help = Place::new().docket(&["--help"]);
    assert_eq!(help.code, 0);
    for command in ["serve", "demo", "sandbox", "check", "send", "status", "files", "events", "jobs", "runs"]
    {
        assert!(help.out.contains(&format!("\n  {command} ")), "{command} in {}", help.out);
    }
}

#[test]
fn completions_and_manual_pages_are_made_of_the_commands() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = place.docket(&["completions", shell]);
        assert!(script.code == 0 && script.out.contains("look-again"), "{shell}");
    }
    let made = place.docket(&["man", "pages"]);
    assert_eq!(made.code, 0, "{made:?}");
    for (page, says) in
        [("docket.1", "explain"), ("docket-files.1", "look"), ("docket-runs-accept.1", "note")]
    {
        let text = std::fs::read_to_string(place.path("pages").join(page)).unwrap();
        assert!(text.contains(says), "{page}");
    }
}

#[test]
fn a_wrong_argument_is_a_mistake_of_usage() {
    let place = Place::new();
    assert_eq!(place.docket(&["jobs", "retry"]).code, 2);
    assert_eq!(place.docket(&["no-such-command"]).code, 2);
    assert_eq!(place.docket(&["demo", "--once", "--config", "docket.toml"]).code, 2);
}

#[test]
fn a_wrong_key_in_the_settings_is_named_with_its_line() {
    let place = Place::new();
    place.write("docket.toml", "[queue]\nworkers = 2\nwrokers = 3\n");
    let run = place.docket(&["status"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(
        run.err.contains("docket.toml") && run.err.contains("line 3") && run.err.contains("wrokers"),
        "{run:?}"
    );
}

#[test]
fn a_wrong_setting_from_outside_is_named_as_it_was_written() {
    let place = Place::new();
    let run = place.docket(&["status", "--set", "queue.workers=many"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("--set queue.workers"), "{run:?}");
    let run = place.with(&[("DATABASE_URL", "mysql://db/docket")]).docket(&["status"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("DATABASE_URL") && run.err.contains("sqlite://PATH"), "{run:?}");
}

#[test]
fn serve_says_what_is_missing_before_it_begins() {
    let place = Place::new();
    let run = place.docket(&["serve"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("[[rule]]"), "{run:?}");
    place.write("docket.toml", &place.settings("http://127.0.0.1:9/", "http://127.0.0.1:9/"));
    for (missing, present) in [("FASTIO_API_KEY", "OPENAI_API_KEY"), ("OPENAI_API_KEY", "FASTIO_API_KEY")] {
        let run = place.with(&[(present, "key")]).docket(&["serve"]);
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.err.starts_with(&format!("docket: {missing} is not set")), "{run:?}");
    }
    let run = place.with(&[("FASTIO_API_KEY", "a"), ("OPENAI_API_KEY", "b")]).docket(&["serve"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("FASTIO_WEBHOOK_SECRET"), "{run:?}");
}

#[test]
fn without_a_database_every_command_that_reads_one_says_so() {
    let place = Place::new();
    for command in [&["status"][..], &["files"], &["events"], &["jobs", "list"], &["jobs", "retry", "--all"]]
    {
        let run = place.docket(command);
        assert_eq!((run.code, run.out.as_str()), (1, ""), "{run:?}");
        assert!(run.err.starts_with("docket: there is no database at"), "{run:?}");
    }
}

#[test]
fn the_demo_agrees_and_leaves_nothing_behind() {
    let place = Place::new();
    let run = place.docket(&["demo", "--once", "--json"]);
    assert_eq!(run.code, 0, "{run:?}");
    let end: serde_json::Value = serde_json::from_str(&run.out).expect("one JSON object");
    assert_eq!(end["agree"], true, "{end}");
    assert_eq!((&end["orphans"], &end["jobs_left"], &end["locks_held"]), (&0.into(), &0.into(), &0.into()));
    let (files, copies) = (end["files"].as_array().unwrap(), end["copies"].as_array().unwrap());
    assert_eq!((files.len(), copies.len()), (5, 5), "{end}");
    let runs = end["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 3, "{end}");
    assert!(runs.iter().all(|run| run["outcome"] == "completed" && run["unverified"] == 0), "{end}");
    let beside = end["beside"].as_array().unwrap();
    assert_eq!(beside.len(), 3, "{end}");
    assert!(beside.iter().all(|one| one["true"] == true && one["quotes"].as_u64() > Some(0)), "{end}");
    for told in
        ["/Review/equipment-supply.analysis.md is about equipment-supply.txt", "nothing was run again"]
    {
        assert!(run.err.contains(told), "{run:?}");
    }
    assert!(run.err.contains("The order form is deleted"), "{run:?}");
    // Where it can be watched is said before there is anything to see.
    let before = run.err.split_once("Three contracts are uploaded").map(|(before, _)| before);
    assert!(before.is_some_and(|before| before.contains("browser at http://127.0.0.1:")), "{run:?}");
    assert!(run.err.lines().all(|line| line.chars().count() <= 80), "{run:?}");
    assert!(!run.err.contains('\x1b'), "no colours where there is no terminal");
    assert_eq!(place.left_in_tmp(), 0);
}
