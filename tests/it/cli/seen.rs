//! What the README says that Docket does, each line of it seen: in the demo's story, or by the commands of `docs/seen.md`.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;

use crate::documents::{root, section};
use crate::harness::program::Place;

const README: &str = include_str!("../../../README.md");
const SEEN: &str = include_str!("../../../docs/seen.md");
const STORY: &str = include_str!("../../../src/cli/demo/story.rs");

/// Each heading of `docs/seen.md`, with the commands under it.
fn sections() -> Vec<(&'static str, &'static str)> {
    let of = |text: &'static str| {
        let (heading, rest) = text.split_once('\n').unwrap();
        (heading, block(rest))
    };
    SEEN.split("\n## ").skip(1).map(of).collect()
}

fn block(text: &'static str) -> &'static str {
    let (_, rest) = text.split_once("```sh\n").unwrap_or_else(|| panic!("no commands in {text}"));
    rest.split("```").next().unwrap()
}

/// As a link has a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn each_line_of_what_docket_does_says_where_it_is_seen() {
    let table = section(README, "What Docket does, and what it does not");
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    let mut linked = BTreeSet::new();
    for row in &rows {
        let seen = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        if let Some((_, steps)) = seen.split_once("`docket demo`, step") {
            let steps = steps.trim_start_matches('s').split(" and ").map(str::trim);
            assert!(steps.into_iter().all(|step| STORY.contains(&format!("teller.step({step},"))), "{row}");
            continue;
        }
        let link = seen.strip_prefix("[commands](").and_then(|link| link.strip_suffix(')'));
        let link = link.unwrap_or_else(|| panic!("nothing shows it: {row}"));
        match link.strip_prefix("docs/seen.md#") {
            Some(anchor) => assert!(linked.insert(anchor.to_owned()), "{row}"),
            None => {
                let text = std::fs::read_to_string(root().join(link)).unwrap();
                assert!(text.contains("```sh\n"), "no commands there: {row}");
            }
        }
    }
    let told: BTreeSet<String> = sections().iter().map(|(heading, _)| anchor(heading)).collect();
    assert_eq!(linked, told);
}

fn free() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// What a block says that its lines print.
fn expected(commands: &str) -> impl Iterator<Item = &str> {
    commands.lines().filter_map(|line| line.split_once("# → ")).map(|(_, words)| words)
}

#[test]
fn each_thing_is_seen_as_it_is_written() {
    let place = Place::new();
    let legal = Path::new("examples/legal");
    for name in ["docket.toml", "liability.schema.json", "contracts/mutual-nda.txt"] {
        let (from, to) = (root().join(legal).join(name), place.path("").join(legal).join(name));
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(from, to).unwrap();
    }
    let (receive, fastio, openai) = (free(), free(), free());
    let stands = format!("docket sandbox --fastio {fastio} --openai {openai} ");
    let here = |text: &str| {
        text.replace("docket sandbox ", &stands)
            .replace("127.0.0.1:8080", &receive)
            .replace("127.0.0.1:9101", &fastio)
            .replace("127.0.0.1:9102", &openai)
    };
    let sections = sections();
    // What hangs is ended, with all that it started.
    let mut script = "trap 'kill $(jobs -p)' EXIT; trap exit TERM\n".to_owned();
    script.push_str(&here(block(SEEN)));
    for (heading, commands) in &sections {
        script.push_str(&format!("echo '== {heading}'\n{commands}"));
    }
    script.push_str("echo '== end'\nkill \"$SERVER\" \"$SANDBOX\"; wait\n");
    place.write("seen.sh", &script);
    let run = place
        .with(&[("DOCKET_RECEIVE__LISTEN", &receive), ("DOCKET_OPERATE__LISTEN", "off")])
        .shell("timeout 900 bash -u seen.sh");
    assert!(run.out.contains("\n== end\n"), "it came to no end: {run:?}");
    for (heading, commands) in sections {
        let (_, said) = run.out.split_once(&format!("== {heading}\n")).unwrap();
        let said = said.split("\n== ").next().unwrap();
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        for words in expected(commands) {
            assert!(said.contains(words), "{heading}: {words:?} is not in what was printed: {said}\n{run:?}");
        }
    }
}
