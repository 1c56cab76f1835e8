//! What stands above the file: `DOCKET_SECTION__NAME` in the environment, and `--set section.name=value` above that.

use serde::Deserialize as _;
use toml::{Table, Value};

use super::{ConfigError, File, Sources};
use crate::setting_error::{is_name, words};

/// Variables that have names of their own.
const NAMED: [(&str, &str); 3] = [
    ("DATABASE_URL", "database.url"),
    ("FASTIO_BASE_URL", "fastio.base_url"),
    ("OPENAI_BASE_URL", "openai.base_url"),
];

/// Variables that begin like a setting and are none.
const OTHERS: [&str; 6] = [
    "DOCKET_CONFIG",
    "DOCKET_ADMIN_TOKEN",
    "DOCKET_ADMIN_TOKEN_FILE",
    "DOCKET_VIEW_TOKEN",
    "DOCKET_VIEW_TOKEN_FILE",
    "DOCKET_SERVER",
];

/// One setting from outside the file.
pub struct Override {
    /// For an error: the variable or flag as the person wrote it.
    pub(super) place: String,
    /// `section.name`.
    pub(super) key: String,
    pub(super) value: Value,
}

/// Every override, the strongest last.
pub fn overrides(sources: &Sources) -> Result<Vec<Override>, ConfigError> {
    let mut found = Vec::new();
    for (name, value) in &sources.environment {
        if let Some(key) = key(name)? {
            found.push(Override { place: name.clone(), key, value: parse(value) });
        }
    }
    for set in &sources.set {
        let (key, value) = set.split_once('=').map(|(key, value)| (key.trim(), value)).ok_or_else(|| {
            ConfigError::Override {
                // Not the text, which may be a secret without a name.
                place: "--set".to_owned(),
                message: "write it as section.name=value".to_owned(),
            }
        })?;
        found.push(Override {
            place: if is_name(key) { format!("--set {key}") } else { "--set".to_owned() },
            key: key.to_owned(),
            value: parse(value),
        });
    }
    Ok(found)
}

/// The setting that a variable names, if it names one.
fn key(variable: &str) -> Result<Option<String>, ConfigError> {
    if let Some((_, key)) = NAMED.iter().find(|(name, _)| *name == variable) {
        return Ok(Some((*key).to_owned()));
    }
    let Some(name) = variable.strip_prefix("DOCKET_").filter(|_| !OTHERS.contains(&variable)) else {
        return Ok(None);
    };
    // Kubernetes sets these for a service that is called docket.
    if name.starts_with("SERVICE_") || name.starts_with("PORT") {
        return Ok(None);
    }
    match name.split_once("__") {
        Some((section, name)) => {
            Ok(Some(format!("{}.{}", section.to_ascii_lowercase(), name.to_ascii_lowercase())))
        }
        None => Err(ConfigError::Override {
            place: variable.to_owned(),
            message: "this is no setting; one is written DOCKET_SECTION__NAME, as in DOCKET_RECEIVE__LISTEN"
                .to_owned(),
        }),
    }
}

/// A value as TOML would read it, else as text: `8`, `true`, `["a"]`, `0.0.0.0:8080`.
fn parse(text: &str) -> Value {
    let document = format!("value = {text}");
    let parsed = document.parse::<Table>().ok().and_then(|mut table| table.remove("value"));
    // A date is no setting's type, and an address may look like one.
    parsed
        .filter(|value| !matches!(value, Value::Datetime(_)))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

/// The settings with `overrides` put in one after the other, so that an error names the one that caused it.
pub fn apply(mut table: Table, overrides: Vec<Override>) -> Result<File, ConfigError> {
    let mut file = None;
    for Override { place, key, value } in overrides {
        put(&mut table, &key, value)
            .map_err(|message| ConfigError::Override { place: place.clone(), message })?;
        let read = File::deserialize(table.clone())
            .map_err(|error| ConfigError::Override { place, message: words(error.message()) })?;
        file = Some(read);
    }
    Ok(file.unwrap_or_default())
}

fn put(table: &mut Table, key: &str, value: Value) -> Result<(), String> {
    let (section, name) = key.split_once('.').ok_or("write the section too, as in receive.listen")?;
    let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    let Value::Table(section) = section else {
        return Err("this is not a setting of a section; rules stand in the file".to_owned());
    };
    section.insert(name.to_owned(), value);
    Ok(())
}
