//! What the documents say about the program is true: the settings and their defaults, the files, tests and commands they
//! name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use docket::config::{Config, ConfigError, Sources};

use crate::harness::program::Place;

const EXAMPLE: &str = include_str!("../../docket.example.toml");
const README: &str = include_str!("../../README.md");
pub const ARCHITECTURE: &str = include_str!("../../ARCHITECTURE.md");

const RULE: &str = "[[rule]]\nname = 'r'\nworkspace = '1'\nvector_store = 'vs_1'\n";

/// Settings that are off unless they are set.
pub const WITHOUT_DEFAULT: [&str; 17] = [
    "database.migration_url",
    "openai.organization",
    "openai.project",
    "openai.key_header",
    "openai.identity_token_file",
    "openai.identity_provider",
    "openai.service_account",
    "openai.entra_tenant",
    "openai.entra_client",
    "openai.token_url",
    "operate.environment",
    "feed.org_id",
    "storage.budget",
    "storage.stores",
    "prices.input",
    "prices.cached_input",
    "prices.output",
];

/// The members of a rule that the example leaves out, because they exclude one that it has, or bound what is held.
const NOT_IN_THE_EXAMPLE_RULE: [&str; 4] =
    ["rule.share", "rule.vector_stores_next", "rule.budget", "rule.pinned"];

fn load(text: &str) -> Result<Config, ConfigError> {
    Config::from_text(text, Some(Path::new("docket.toml")), &Sources::default())
}

/// The names that an error about an unknown one offers: what the program itself knows.
fn offered(text: &str) -> BTreeSet<String> {
    offers(&load(text).unwrap_err().to_string())
}

fn offers(error: &str) -> BTreeSet<String> {
    let (_, offers) = error.split_once("write one of ").unwrap_or_else(|| panic!("{error}"));
    offers.split(", ").map(str::to_owned).collect()
}

/// Every setting there is, as `section.name`.
fn settings() -> BTreeSet<String> {
    let sections = offered("zzz = 1");
    assert!(sections.contains("receive") && sections.contains("rule"), "{sections:?}");
    let names = |section: &String| match section.as_str() {
        "rule" => offered("[[rule]]\nzzz = 1"),
        // One table for each model.
        "prices" => offered("[prices.m]\nzzz = 1"),
        "notify" => offered("[[notify]]\nzzz = 1"),
        _ => offered(&format!("[{section}]\nzzz = 1")),
    };
    let mut settings: BTreeSet<String> = sections
        .iter()
        .flat_map(|section| names(section).into_iter().map(move |name| format!("{section}.{name}")))
        .collect();
    // A table of its own.
    assert!(settings.remove("rule.run"));
    let config = load(&format!("{RULE}[rule.run]\nzzz = 1\n")).unwrap();
    let error = config.runs(&config.rules().unwrap()).unwrap_err().to_string();
    settings.extend(offers(&error).into_iter().map(|name| format!("rule.run.{name}")));
    settings
}

/// The settings of the example with the text of their values, commented out or not.
fn shown() -> BTreeMap<String, String> {
    let mut section = String::new();
    let mut shown = BTreeMap::new();
    for line in EXAMPLE.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_matches(['[', ']']).to_owned();
            if section.starts_with("prices.") {
                section = "prices".to_owned();
            }
        }
        if let Some((name, value)) = assignment(line) {
            let twice = shown.insert(format!("{section}.{name}"), value.to_owned());
            assert!(twice.is_none(), "{section}.{name} is there twice");
        }
    }
    shown
}

fn assignment(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(" = ")?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    is_name.then_some((name, value))
}

/// The cells of the table rows in `text` whose first cell is one word in backticks, by that word.
pub fn rows(text: &str) -> BTreeMap<String, Vec<String>> {
    let row = |line: &str| {
        let cells = line.strip_prefix("| `")?.strip_suffix(" |")?;
        let (name, rest) = cells.split_once("` | ")?;
        Some((name.to_owned(), rest.split(" | ").map(str::to_owned).collect()))
    };
    text.lines().filter_map(row).collect()
}

pub fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    rest.split("\n## ").next().unwrap()
}

#[test]
fn the_example_shows_every_setting_and_works_as_it_stands() {
    assert_eq!(shown().into_keys().collect::<BTreeSet<_>>(), settings());
    let config = load(EXAMPLE).unwrap();
    assert_eq!(config.rules().unwrap().iter().count(), 1);
    let active: BTreeSet<String> =
        EXAMPLE.lines().filter_map(assignment).map(|(name, _)| name.to_owned()).collect();
    let expected = settings().into_iter().filter(|name| name.starts_with("rule."));
    let expected = expected.filter(|name| !name.starts_with("rule.run."));
    let expected = expected.filter(|name| !NOT_IN_THE_EXAMPLE_RULE.contains(&name.as_str()));
    assert_eq!(active, expected.map(|name| name["rule.".len()..].to_owned()).collect());
}

#[test]
fn every_default_in_the_example_is_the_default() {
    let default = format!("{:?}", load(RULE).unwrap());
    for (setting, value) in shown() {
        let (section, name) = setting.split_once('.').unwrap();
        // Tables of which there may be many have no defaults by themselves.
        if !matches!(section, "rule" | "notify") && !WITHOUT_DEFAULT.contains(&setting.as_str()) {
            let set = load(&format!("{RULE}[{section}]\n{name} = {value}\n")).unwrap();
            assert_eq!(format!("{set:?}"), default, "{setting}");
        }
    }
}

#[test]
fn the_readme_has_a_row_for_every_setting_with_its_default() {
    let rows = rows(section(README, "Settings"));
    let listed: BTreeSet<String> = rows.keys().filter(|name| name.contains('.')).cloned().collect();
    assert_eq!(listed, settings());
    for (setting, value) in shown() {
        let default = &rows[&setting][0];
        if setting.starts_with("rule.")
            || setting.starts_with("notify.")
            || WITHOUT_DEFAULT.contains(&setting.as_str())
        {
            continue;
        }
        assert_eq!(default.trim_matches('`'), value.trim_matches('"'), "{setting}");
    }
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn files_under(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_under(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found
}

/// The documents a reader is sent to, by their path from the root.
pub fn documents() -> Vec<PathBuf> {
    let mut documents: Vec<PathBuf> = ["docs", "deploy", "examples", "skill"]
        .iter()
        .flat_map(|folder| files_under(&root().join(folder), "md"))
        .collect();
    let beside = std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    documents.extend(beside.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    assert!(documents.contains(&root().join("README.md")), "{documents:?}");
    documents
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for target in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let path = target.split('#').next().unwrap();
            if !path.is_empty() && !path.contains("://") {
                let linked = document.parent().unwrap().join(path);
                assert!(linked.exists(), "{} links to {target}", document.display());
            }
        }
    }
}

#[test]
fn the_code_map_names_what_is_there_and_nothing_else() {
    let map = section(ARCHITECTURE, "Code map");
    let named: BTreeSet<String> = rows(map).into_keys().collect();
    let mut there = BTreeSet::new();
    for entry in std::fs::read_dir(root().join("src")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        // `http.rs` and `http/` are one module.
        let is_inner = entry.path().is_dir() && root().join(format!("src/{name}.rs")).exists();
        if !is_inner {
            there.insert(if entry.path().is_dir() { format!("src/{name}/") } else { format!("src/{name}") });
        }
    }
    let in_src: BTreeSet<String> = named.iter().filter(|name| name.starts_with("src/")).cloned().collect();
    assert_eq!(in_src, there);
    for name in named {
        assert!(root().join(&name).exists(), "{name}");
    }
    assert!(ARCHITECTURE.lines().count() < 200);
}

#[test]
fn every_test_that_the_documents_name_is_a_test() {
    let mut code = String::new();
    for file in
        ["src", "sandbox/src", "tests"].iter().flat_map(|folder| files_under(&root().join(folder), "rs"))
    {
        code.push_str(&std::fs::read_to_string(file).unwrap());
    }
    let settings = settings();
    let is_setting = |word: &str| settings.iter().any(|name| name.rsplit('.').next() == Some(word));
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        // Test names are sentences: nothing else in the documents has so many underscores, but some settings.
        let words = text.split('`').skip(1).step_by(2).filter(|word| word.matches('_').count() >= 4);
        let words = words.filter(|word| !is_setting(word));
        for word in words
            .filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'))
        {
            assert!(code.contains(&format!("fn {word}(")), "{} names {word}", document.display());
        }
    }
}

/// A behaviour without a test is a promise. Those that need a browser are functions of the program that drives one.
#[test]
fn each_of_the_twenty_five_behaviours_of_the_dashboard_names_its_test() {
    let text = std::fs::read_to_string(root().join("docs/dashboard.md")).unwrap();
    let (_, table) = text.split_once("## What it is held to").unwrap();
    let mut code = std::fs::read_to_string(root().join("tests/browser/walk.py")).unwrap();
    for file in ["src", "tests"].iter().flat_map(|folder| files_under(&root().join(folder), "rs")) {
        code.push_str(&std::fs::read_to_string(file).unwrap());
    }
    let rows = table.lines().filter_map(|line| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        Some((cells.next()?.parse::<u32>().ok()?, cells.nth(1)?))
    });
    let mut numbers = Vec::new();
    for (number, tests) in rows {
        let tests: Vec<&str> =
            tests.split('`').skip(1).step_by(2).filter(|name| !name.ends_with(".py")).collect();
        assert!(!tests.is_empty(), "behaviour {number} has no test");
        for name in tests {
            let is_there = ["fn", "def"].iter().any(|word| code.contains(&format!("{word} {name}(")));
            assert!(is_there, "behaviour {number} names {name}");
        }
        numbers.push(number);
    }
    assert_eq!(numbers, (1..=25).collect::<Vec<_>>());
}

/// A test that waits by sleeping is slow on a quiet machine and fails on a busy one. Who waits for another process does it
/// in `harness/beside.rs`.
#[test]
fn no_test_waits_by_sleeping() {
    let tests = root().join("tests/it");
    let may = [tests.join("harness/beside.rs"), tests.join("documents.rs")];
    for file in files_under(&tests, "rs").into_iter().filter(|file| !may.contains(file)) {
        let text = std::fs::read_to_string(&file).unwrap();
        let sleeps = ["sleep(", "sleep_until(", "::sleep;", "sleep, ", ", sleep}"];
        assert!(!sleeps.iter().any(|call| text.contains(call)), "{} sleeps", file.display());
    }
}

/// Longer lines are cut or scrolled in a terminal and in a review. Tables and commands cannot be wrapped.
const LONGEST_LINE: usize = 150;

#[test]
fn no_line_of_running_text_is_too_long_to_be_read() {
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        // What programs read stands at the top of a skill, each on one line.
        let text = text
            .strip_prefix("---\n")
            .and_then(|top| top.split_once("\n---\n"))
            .map_or(&*text, |(_, body)| body);
        let mut code = false;
        for (number, line) in text.lines().enumerate() {
            code ^= line.trim_start().starts_with("```");
            let long = line.chars().count() > LONGEST_LINE && !code && !line.starts_with('|');
            assert!(!long, "{}:{} is too long", document.display(), number + 1);
        }
    }
}

/// What a document says can be typed: the words of each block of commands, line by line, and of each bit of code in a
/// sentence.
fn typed(text: &str) -> Vec<Vec<&str>> {
    let mut typed = Vec::new();
    for (number, part) in text.split("```").enumerate() {
        let code: Vec<&str> = match part.strip_prefix("sh\n") {
            Some(block) => block.lines().map(|line| line.split(" #").next().unwrap()).collect(),
            None if number % 2 == 0 => part.split('`').skip(1).step_by(2).collect(),
            None => Vec::new(),
        };
        typed.extend(code.iter().map(|code| code.split_whitespace().collect::<Vec<_>>()));
    }
    typed
}

/// The command of the program that begins at this word, and the options it is given.
fn command<'a>(words: &[&'a str]) -> Option<(Vec<&'a str>, BTreeSet<&'a str>)> {
    let (program, rest) = words.split_first()?;
    let is_name =
        |word: &&&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-');
    let name = rest.first().filter(is_name).filter(|name| *program == "docket" && **name != "docket")?;
    let mut path = vec![*name];
    path.extend(rest.get(1).filter(is_name).filter(|_| ["database", "jobs", "runs"].contains(name)));
    let here = rest.iter().take_while(|word| !["&&", "||", "|", ";"].contains(*word));
    let options = here.map(|word| word.trim_matches(['[', ']', ';'])).filter(|word| word.starts_with("--"));
    Some((path, options.map(|word| word.split('=').next().unwrap()).collect()))
}

#[test]
fn every_command_and_option_that_the_documents_name_is_one() {
    let mut named: BTreeMap<Vec<String>, BTreeSet<String>> = BTreeMap::new();
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for words in typed(&text) {
            for (path, options) in (0..words.len()).filter_map(|from| command(&words[from..])) {
                let path = path.into_iter().map(str::to_owned).collect();
                named.entry(path).or_default().extend(options.into_iter().map(str::to_owned));
            }
        }
    }
    for known in [&["serve"][..], &["jobs", "list"], &["runs", "again"], &["backfill"]] {
        assert!(named.keys().any(|path| path == known), "the documents do not name {known:?}: {named:?}");
    }
    let place = Place::new();
    for (path, options) in named {
        let words: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let help = place.docket(&words);
        assert_eq!(help.code, 0, "the documents name `docket {}`: {help:?}", path.join(" "));
        for option in options {
            assert!(help.out.contains(&option), "the documents give `docket {}` {option}", path.join(" "));
        }
    }
}
