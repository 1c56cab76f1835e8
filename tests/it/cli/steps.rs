//! What programs and documents tell people to type does what they say, typed as it stands.

use std::path::Path;

use super::live::sandbox;
use crate::harness::program::{At, Place, Program, SECRET};

const TESTING: &str = include_str!("../../../docs/testing.md");

/// A demo that has told its story, and the commands that it ends with: those that stand four columns in.
fn told(place: &Place) -> (Program, String) {
    let mut demo = place.with(&[]).start(&["demo"]);
    demo.out.find(|line| line.starts_with("  Docket takes webhooks"));
    let told = demo.out.rest();
    let (_, end) = told.split_once("\nEverything stays up").unwrap();
    let commands = end.lines().filter_map(|line| line.strip_prefix("    "));
    let commands = commands.map(|line| format!("{line}\n")).collect();
    (demo, commands)
}

#[test]
fn the_steps_that_the_demo_ends_with_work_as_they_are_printed() {
    let place = Place::new();
    let (mut demo, steps) = told(&place);
    let run = place.with(&[]).shell(&steps);
    assert_eq!(run.code, 0, "{run:?}");
    for said in ["/Contracts/new.toml", "completed", "/Review/mutual-nda.txt", "## ", "\"vector_stores\": ["]
    {
        assert!(run.out.contains(said), "{said} is not in what these printed:\n{steps}\n{run:?}");
    }
    assert!(run.out.ends_with("\n}\n"), "what control answers is for people too: {run:?}");
    assert_eq!(demo.stop(), 0);
}

/// The blocks of commands under a heading of the guide.
fn blocks(heading: &str) -> Vec<&'static str> {
    let (_, section) = TESTING.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    section.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap()).collect()
}

#[test]
fn the_commands_of_the_testing_guide_work_on_a_fresh_sandbox() {
    let place = Place::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (mut sandbox, said) = sandbox(&place, &["--webhook", &format!("http://{free}/webhooks/fastio")]);
    let bare = |name: &str, end: &str| said[name].as_str().unwrap().strip_suffix(end).unwrap().to_owned();
    let (fastio, openai) = (bare("fastio_base_url", "/current"), bare("openai_base_url", "/v1"));
    let here =
        |text: &str| text.replace("http://127.0.0.1:9101", &fastio).replace("http://127.0.0.1:9102", &openai);
    let listen = [("DOCKET_RECEIVE__LISTEN", free.as_str()), ("DOCKET_OPERATE__LISTEN", "off")];
    let at = place.with(&listen);

    let guide = blocks("The sandbox");
    let [_start, set_up, changes] = guide[..] else { panic!("{guide:?}") };
    let (set_up, serve) = set_up.rsplit_once("docket serve").unwrap();
    let (set_up, serve) = (here(set_up), format!("exec docket serve{serve}"));
    // All is well before the first file.
    worked(&at, &format!("{set_up}docket check --config sandbox.toml"));
    let mut server = at.start_shell(&(set_up.clone() + &serve));
    server.listens();
    // So that there is a vector store to search in.
    let first =
        "echo Liability. | curl -sT - $F/files/$W/first.txt\ndocket backfill --wait --config sandbox.toml\n";
    let names = here(changes.lines().next().unwrap());
    worked(&at, &format!("{set_up}{names}\n{first}{}", here(changes)));
    // Nothing is held, so nothing is waited for.
    let faults = here(blocks("Faults")[0]).replace("?more_than=0", "");
    worked(&at, &format!("{names}\n{faults}"));
    assert_eq!(server.stop(), 0);
    assert_eq!(sandbox.stop(), 0);
}

/// Runs commands of which each, by curl, prints what it was answered.
fn worked(at: &At<'_>, commands: &str) {
    let run = at.shell(commands);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!run.out.contains("\"error\":"), "{commands}\n{run:?}");
}

#[test]
fn the_legal_example_is_ready_on_a_fresh_sandbox_once_a_model_is_named() {
    let place = Place::new();
    let (mut sandbox, said) = sandbox(&place, &[]);
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/legal");
    for name in ["docket.toml", "liability.schema.json"] {
        let text = std::fs::read_to_string(example.join(name)).unwrap();
        place.write(name, &text.replace("your-model", "sandbox-rules"));
    }
    let url = |name: &str| said[name].as_str().unwrap();
    let environment = [
        ("FASTIO_BASE_URL", url("fastio_base_url")),
        ("OPENAI_BASE_URL", url("openai_base_url")),
        ("FASTIO_API_KEY", "fio-any"),
        ("OPENAI_API_KEY", "sk-any"),
        ("FASTIO_WEBHOOK_SECRET", SECRET),
    ];
    let free = ["--set", "receive.listen=127.0.0.1:0", "--set", "operate.listen=off"];
    let run = place.with(&environment).docket(&[&["check", "--config", "docket.toml"], &free[..]].concat());
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(sandbox.stop(), 0);
}

#[test]
fn every_script_names_the_argument_that_it_does_not_know() {
    let place = Place::new();
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    for script in std::fs::read_dir(scripts).unwrap().map(|entry| entry.unwrap().path()) {
        let run = place.with(&[]).shell(&format!("'{}' --no-such-thing", script.display()));
        assert_eq!(run.code, 2, "{}: {run:?}", script.display());
        assert!(run.err.contains("--no-such-thing"), "{}: {run:?}", script.display());
    }
}
