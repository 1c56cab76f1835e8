//! Whatever is written into the settings: there are settings, or an error that says where and what to do, and no
//! error shows a value.

use proptest::prelude::*;
use toml::{Table, Value};

use super::overlay;
use super::{Config, ConfigError, File, Sources};
use crate::setting_error;

/// Every setting with its default, as the example file shows them. `documents.rs` in tests/it keeps that complete.
fn known() -> Vec<(String, String, Value)> {
    let example = include_str!("../../docket.example.toml");
    let mut section = None;
    let mut known = Vec::new();
    for line in example.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.strip_suffix(']').filter(|name| !name.starts_with('[')).map(str::to_owned);
        }
        let Some(section) = &section else { continue };
        let setting = line
            .strip_prefix("# ")
            .filter(|line| line.split(" = ").next().is_some_and(setting_error::is_name));
        let Some(mut setting) = setting.and_then(|line| line.parse::<Table>().ok()) else { continue };
        for (name, value) in std::mem::take(&mut setting) {
            known.push((section.clone(), name, value));
        }
    }
    assert!(known.len() > 30, "{known:?}");
    known
}

/// A value that the setting takes.
fn right(name: &str, default: &Value) -> BoxedStrategy<Value> {
    let one_of = |values: &'static [&'static str]| prop::sample::select(values).prop_map(Value::from).boxed();
    match (name, default) {
        ("base_url" | "mcp_url" | "token_url", _) => {
            one_of(&["https://api.fast.io/current", "http://127.0.0.1:9102/v1"])
        }
        ("listen", _) => one_of(&["0.0.0.0:8080", "127.0.0.1:0", "[::1]:1"]),
        ("signature_scheme", _) => one_of(&["auto", "fastio_v1_base64", "x_fastio_sha256_hex"]),
        ("key_header", _) => one_of(&["authorization", "api-key"]),
        ("identity", _) => one_of(&["key", "workload", "entra"]),
        ("identity_token_type", _) => one_of(&["jwt", "id_token"]),
        ("environment", _) => one_of(&["production", "", "Test 2"]),
        ("format", _) => one_of(&["auto", "text", "json"]),
        (_, Value::Integer(_)) => (0..=255_i64).prop_map(Value::Integer).boxed(),
        (_, Value::Float(_)) => (0..=255_u8).prop_map(|number| Value::Float(number.into())).boxed(),
        (_, Value::Table(_)) => Just(default.clone()).boxed(),
        (_, Value::Boolean(_)) => any::<bool>().prop_map(Value::Boolean).boxed(),
        (_, Value::Array(_)) => prop::collection::vec("[a-z_]{1,9}", 0..4).prop_map(Value::from).boxed(),
        _ => any::<String>().prop_map(Value::String).boxed(),
    }
}

fn setting() -> impl Strategy<Value = (String, String, Value)> {
    prop::sample::select(known()).prop_flat_map(|(section, name, default)| {
        right(&name, &default).prop_map(move |value| (section.clone(), name.clone(), value))
    })
}

fn document(settings: &[(String, String, Value)]) -> Table {
    let mut document = Table::new();
    for (section, name, value) in settings {
        let section = document.entry(section).or_insert_with(|| Value::Table(Table::new()));
        section.as_table_mut().expect("only tables were put in").insert(name.clone(), value.clone());
    }
    document
}

fn load(text: &str, set: Vec<String>) -> Result<Config, ConfigError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Config::load(&Sources { path: Some(file.path().to_owned()), set, ..Sources::default() })
}

/// Where the file was is no part of what it says.
fn shown(config: &Config) -> String {
    let Config { database, fastio, openai, receive, queue, sync, feed, sweep, log, rules, .. } = config;
    format!("{:?}", (database, fastio, openai, receive, queue, sync, feed, sweep, log, rules))
}

fn says_where_and_what(message: &str) {
    assert!(message.starts_with("line ") || !message.contains('\n'), "{message}");
    let (_, what) = message.rsplit_once(": ").unwrap_or(("", message));
    assert!(what.len() > 5 && message.chars().count() < 600, "{message}");
}

/// A slip of the hand in a text that was right.
#[derive(Debug, Clone)]
enum Slip {
    Cut(prop::sample::Index),
    Typed(prop::sample::Index, char),
    Twice(prop::sample::Index),
}

impl Slip {
    fn make(&self, text: &str) -> String {
        let mut chars: Vec<char> = text.chars().collect();
        match self {
            Slip::Cut(at) => drop(chars.remove(at.index(chars.len()))),
            Slip::Typed(at, char) => chars.insert(at.index(chars.len()), *char),
            Slip::Twice(at) => {
                let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
                lines.push(lines[at.index(lines.len())]);
                return lines.concat();
            }
        }
        chars.into_iter().collect()
    }
}

fn slip() -> impl Strategy<Value = Slip> {
    // What means something in TOML, and what means nothing there.
    let typed = prop::sample::select(
        "\"'[]{}=#.,\\\n\t -+_0eTé契\0\u{1b}\u{2028}\u{feff}".chars().collect::<Vec<_>>(),
    );
    prop_oneof![
        any::<prop::sample::Index>().prop_map(Slip::Cut),
        (any::<prop::sample::Index>(), typed).prop_map(|(at, char)| Slip::Typed(at, char)),
        any::<prop::sample::Index>().prop_map(Slip::Twice),
    ]
}

/// The settings of a person, with a slip or two.
fn nearly_settings() -> impl Strategy<Value = String> {
    let right = prop::collection::vec(setting(), 1..6);
    (right, prop::collection::vec(slip(), 1..4)).prop_map(|(settings, slips)| {
        let rule =
            "[[rule]]\nname = 'r'\nworkspace = '1'\ninclude = ['/a/**']\nvector_store = { create = 'r' }\n";
        let text = format!("{}{rule}", toml::to_string(&document(&settings)).unwrap());
        slips.iter().fold(text, |text, slip| slip.make(&text))
    })
}

proptest! {
    #[test]
    fn any_text_is_settings_or_an_error_that_says_where_and_what(
        text in prop_oneof![7 => nearly_settings(), 1 => any::<String>()],
    ) {
        if let Err(error) = toml::from_str::<File>(&text) {
            says_where_and_what(&setting_error::in_text(&text, &error));
        }
    }

    #[test]
    fn a_setting_means_the_same_in_the_file_and_above_it(settings in prop::collection::vec(setting(), 1..12)) {
        let document = document(&settings);
        let text = toml::to_string(&document).unwrap();
        let from_file = load(&text, vec![]).unwrap();
        let set = document.iter().flat_map(|(section, settings)| {
            let settings = settings.as_table().unwrap().iter();
            settings.map(move |(name, value)| format!("{section}.{name}={value}"))
        });
        let from_flags = load("", set.collect()).unwrap();
        prop_assert_eq!(shown(&from_file), shown(&from_flags));
        // What was read, written down and read again, is the same.
        let again = load(&toml::to_string_pretty(&text.parse::<Table>().unwrap()).unwrap(), vec![]).unwrap();
        prop_assert_eq!(shown(&from_file), shown(&again));
    }

    #[test]
    fn a_slip_in_a_name_is_told_with_the_name_that_was_meant(
        (section, name, value) in prop::sample::select(known()),
        place in any::<prop::sample::Index>(),
    ) {
        let at = place.index(name.len());
        let slip = format!("{}{}", &name[..at], &name[at + 1..]);
        prop_assume!(!slip.is_empty() && known().iter().all(|(one, other, _)| *one != section || *other != slip));
        let text = format!("\n[{section}]\n{slip} = {value}\n");
        let error = load(&text, vec![]).unwrap_err().to_string();
        prop_assert!(error.contains(&format!("line 3, {section}")), "{}", error);
        prop_assert!(error.contains(&format!("unknown key `{slip}`")), "{}", error);
        prop_assert!(error.contains(&name), "{}", error);
    }

    #[test]
    fn no_error_shows_a_value(
        (section, name, default) in prop::sample::select(known()),
        secret in "[A-Z][A-Za-z0-9+/=_-]{15,60}",
        frame in prop::sample::select(vec!["{}", "\"{}\"", "['{}']", "{ create = '{}' }", "https://u:{}@x:y/", "\"https://u:{}@x:y/\"", "'", "{}\"", "'sqlite://{}'"]),
    ) {
        let written = frame.replace("{}", &secret);
        let _ = default;
        let hidden = |error: ConfigError| {
            let told = error.to_string();
            assert!(!told.contains(&secret), "{told}");
            says_where_and_what(&told);
        };
        for text in [
            format!("[{section}]\n{name} = {written}\n"),
            format!("[{section}]\n{written} = 1\n"),
            format!("{name} = {written}\n"),
            format!("{written}\n"),
            format!("[{written}]\n"),
            format!("[[rule]]\nname = {written}\nvector_store = {written}\n"),
            format!("[[rule]]\nname = 'r'\nworkspace = '1'\nvector_store = 'vs_1'\ninclude = {written}\n"),
        ] {
            let _ = load(&text, vec![]).map_err(hidden);
        }
        for set in [written.clone(), format!("{section}.{name}={written}"), format!("{written}=1"), format!("{section}.{written}=1")] {
            let _ = load("", vec![set]).map_err(hidden);
        }
        let mut found = Sources { path: None, ..Sources::default() };
        for variable in [format!("DOCKET_{section}__{name}").to_uppercase(), "FASTIO_API_KEY_FILE".to_owned()] {
            found.environment.insert(variable, written.clone());
        }
        if let Ok(overrides) = overlay::overrides(&found) {
            let _ = overlay::apply(Table::new(), overrides).map_err(hidden);
        }
        let _ = super::Secrets::read(&found.environment).map_err(hidden);
    }
}
