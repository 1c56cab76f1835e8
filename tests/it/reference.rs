//! docs/configuration.md is generated from what the program itself knows: the example of the settings, which other tests hold to
//! the code. `DOCKET_WRITE_REFERENCE=1 cargo test --test it reference` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use docket::config::{Config, Sources};

use crate::documents::{WITHOUT_DEFAULT, root};

const EXAMPLE: &str = include_str!("../../docket.example.toml");
const PLACE: &str = "docs/configuration.md";

/// Settings that have a variable of their own besides.
const VARIABLES: [(&str, &str); 3] = [
    ("database.url", "DATABASE_URL"),
    ("fastio.base_url", "FASTIO_BASE_URL"),
    ("openai.base_url", "OPENAI_BASE_URL"),
];

const HEAD: &str = "# Configuration

Every setting, generated from [docket.example.toml](../docket.example.toml), which a test holds to the program. The
[README](../README.md#settings) has them on one page; secrets are [there](../README.md#settings) too.

A setting is looked for in this order, and the first that is found counts: `--set section.name=value`; its variable in the environment; the file
that `--config`, `DOCKET_CONFIG` or else `docket.toml` names; the default. Those of a rule stand in the file only. An unknown name is an error.
";

/// One setting: its name, the value that the example shows, whether that is only shown, and what is said of it.
struct Setting {
    name: String,
    value: String,
    is_default: bool,
    words: String,
}

struct Section {
    title: String,
    words: String,
    settings: Vec<Setting>,
}

fn sections() -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut words: Vec<&str> = Vec::new();
    for line in EXAMPLE.lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        if let Some(title) = bare.strip_prefix('[').filter(|rest| rest.ends_with(']') && !rest.contains(' '))
        {
            let title = title.trim_matches(['[', ']']);
            let title = if title.starts_with("prices.") { "prices.\"MODEL\"" } else { title };
            sections.push(Section { title: title.to_owned(), words: sentence(&words), settings: Vec::new() });
            words.clear();
        } else if let Some((name, value)) = assignment(bare) {
            let section = sections.last_mut().expect("settings stand in sections");
            section.settings.push(Setting {
                name: name.to_owned(),
                value: value.to_owned(),
                is_default: line.starts_with("# ")
                    && !["rule", "prices", "notify"].iter().any(|of| section.title.starts_with(of))
                    && !WITHOUT_DEFAULT.contains(&format!("{}.{name}", section.title).as_str()),
                words: sentence(&words),
            });
            words.clear();
        } else if let Some(word) = line.strip_prefix("# ") {
            words.push(word);
        } else {
            words.clear();
        }
    }
    sections
}

fn assignment(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(" = ")?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    is_name.then_some((name, value))
}

/// Lines that are not too long to be read.
fn wrapped(words: &str) -> String {
    let mut page = String::new();
    let mut length = 0;
    for word in words.split(' ') {
        if length + word.len() > 138 {
            page.push('\n');
            length = 0;
        } else if length > 0 {
            page.push(' ');
        }
        page.push_str(word);
        length += word.len() + 1;
    }
    page
}

fn sentence(words: &[&str]) -> String {
    words.join(" ").replace('|', "\\|")
}

fn reference() -> String {
    let mut page = HEAD.to_owned();
    for Section { title, words, settings } in sections() {
        let heading = match title.as_str() {
            "rule" | "notify" => format!("[[{title}]]"),
            _ => format!("[{title}]"),
        };
        let _ = write!(page, "\n## {title}\n\n`{heading}`\n");
        if !words.is_empty() {
            let _ = write!(page, "\n{}\n", wrapped(&words));
        }
        page += "\n| setting | default | variable | meaning |\n|---|---|---|---|\n";
        let mut before = String::new();
        for Setting { name, value, is_default, words } in settings {
            // Two that are said of together.
            let words = if words.is_empty() { format!("See `{before}`.") } else { words };
            before.clone_from(&name);
            let full = format!("{title}.{name}");
            let is_of_file = ["rule", "prices", "notify"].iter().any(|of| title.starts_with(of));
            let mut variable = match is_of_file {
                true => "–".to_owned(),
                false => format!("`DOCKET_{}__{}`", title.to_uppercase(), name.to_uppercase()),
            };
            if let Some((_, own)) = VARIABLES.iter().find(|(setting, _)| *setting == full) {
                let _ = write!(variable, ", `{own}`");
            }
            let shown = if is_default { format!("`{value}`") } else { format!("such as `{value}`") };
            let _ = writeln!(page, "| `{name}` | {shown} | {variable} | {words} |");
        }
    }
    page
}

#[test]
fn the_reference_of_the_settings_is_what_the_example_says() {
    let path = root().join(PLACE);
    if std::env::var_os("DOCKET_WRITE_REFERENCE").is_some() {
        std::fs::write(&path, reference()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == reference(),
        "{PLACE} is not what docket.example.toml says: DOCKET_WRITE_REFERENCE=1 cargo test --test it reference writes it anew"
    );
    // What the example shows, the page has; documents.rs holds the example to the program.
    assert!(sections().iter().map(|section| section.settings.len()).sum::<usize>() > 80);
}

/// What is to be deployed as it stands, but for the workspace.
#[test]
fn the_settings_and_variables_that_are_deployed_are_known() {
    let settings = std::fs::read_to_string(root().join("deploy/kubernetes/base/docket.toml")).unwrap();
    let variables =
        ["systemd/docket.service", "kubernetes/base/server.yaml", "kubernetes/postgres/replicas.yaml"]
            .map(|path| std::fs::read_to_string(root().join("deploy").join(path)).unwrap())
            .concat();
    let config = Config::from_text(&settings, Some(Path::new("docket.toml")), &Sources::default()).unwrap();
    assert_eq!(config.rules().unwrap().iter().count(), 1);
    let is_variable =
        |word: &&str| word.ends_with("_FILE") || *word == "DATABASE_URL" || *word == "DOCKET_CONFIG";
    let words = variables.split(|c: char| !c.is_ascii_uppercase() && c != '_').filter(is_variable);
    let readme = include_str!("../../README.md");
    for word in words {
        let named = word.strip_suffix("_FILE").unwrap_or(word);
        assert!(readme.contains(&format!("`{named}`")), "{word} is no variable of the README's");
    }
}
