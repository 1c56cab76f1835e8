//! Who else on this machine could read what only Docket should know, or change what it works by. Nothing is changed here:
//! the person who gave the rights may have had a reason, and is told.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Config;
use crate::database;

/// The variables that name a file with a secret in it.
const SECRET_FILES: [&str; 8] = [
    "FASTIO_API_KEY_FILE",
    "FASTIO_MCP_KEY_FILE",
    "FASTIO_WEBHOOK_SECRET_FILE",
    "OPENAI_API_KEY_FILE",
    "OPENAI_WEBHOOK_SECRET_FILE",
    "DOCKET_ADMIN_TOKEN_FILE",
    "DOCKET_VIEW_TOKEN_FILE",
    "DATABASE_PASSWORD_FILE",
];

/// What a user who is neither owner nor of the group may do. Rights of the group are a person's choice: systems give each
/// user a group of its own, and packages give a service's group the right to read.
const READ: u32 = 0o004;
const WRITE: u32 = 0o002;

/// In such a folder only the owner of a file can remove or replace it.
const STICKY: u32 = 0o1000;

pub(super) fn secret_files(environment: &BTreeMap<String, String>) -> Vec<(String, PathBuf)> {
    let set = |name: &&str| Some(((*name).to_owned(), environment.get(*name)?.trim()));
    let set = SECRET_FILES.iter().filter_map(set).filter(|(_, path)| !path.is_empty());
    set.map(|(name, path)| (name, PathBuf::from(path))).collect()
}

/// Files and folders with secrets or state that others can read, or with settings that others can change, as sentences that
/// say what to do. What is not there, or cannot be looked at, is for those to tell who need it.
pub fn findings(config: &Config) -> Vec<String> {
    let mut found = Vec::new();
    if rustix::process::geteuid().is_root() {
        found.push("docket runs as root, which it needs for nothing: run it as a user of its own".to_owned());
    }
    // Not the path: it may be the secret itself, in the wrong variable.
    for (variable, path) in &config.secret_files {
        let what = format!("the file that {variable} names");
        found.extend(told(path, &what, READ | WRITE));
    }
    if let Some(path) = config.path() {
        found.extend(told(&path, &format!("the settings file {}", path.display()), WRITE));
        found.extend(folder(&path));
    }
    if let Ok(path) = database::path(&config.database.url) {
        let inbox = database::beside(&path, database::INBOX_SUFFIX);
        for (file, suffix) in
            [&path, &inbox].into_iter().flat_map(|file| ["", "-wal", "-shm"].map(|end| (file, end)))
        {
            let path = database::beside(file, suffix);
            found.extend(told(&path, &format!("the database file {}", path.display()), READ | WRITE));
        }
        found.extend(folder(&path).filter(|finding| !found.contains(finding)));
    }
    found
}

/// What others may do with the file at `path`, of what they should not.
fn told(path: &Path, what: &str, not: u32) -> Option<String> {
    let mode = path.metadata().ok().as_ref().map(mode)?;
    let verb = match mode & not {
        0 => return None,
        READ => "read",
        WRITE => "change",
        _ => "read and change",
    };
    Some(format!("every user of this machine can {verb} {what} (mode {:04o}): chmod o-rwx", mode & 0o7777))
}

/// Whether others could put another file into the place of the one at `path`.
fn folder(path: &Path) -> Option<String> {
    let folder = path.parent()?;
    let mode = folder.metadata().ok().as_ref().map(mode)?;
    (mode & WRITE != 0 && mode & STICKY == 0).then(|| {
        format!(
            "every user of this machine can replace what is in the folder {} (mode {:04o}): chmod o-w",
            folder.display(),
            mode & 0o7777
        )
    })
}

fn mode(metadata: &Metadata) -> u32 {
    metadata.permissions().mode()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    fn give(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_others_may_read_or_change_is_told_with_its_place_and_never_with_a_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (name, mode) in [("docket.toml", 0o644), ("docket.db", 0o600), ("key", 0o640)] {
            std::fs::write(at(name), "").unwrap();
            give(&at(name), mode);
        }
        let sources = Sources {
            path: Some(at("docket.toml")),
            environment: BTreeMap::from([(
                "OPENAI_API_KEY_FILE".to_owned(),
                at("key").display().to_string(),
            )]),
            ..Sources::default()
        };
        let config = Config::load(&sources).unwrap();
        let told = || {
            let found = findings(&config).into_iter();
            found.filter(|finding| !finding.contains("as root")).collect::<Vec<_>>()
        };
        assert_eq!(told(), Vec::<String>::new());
        for (name, mode, words) in [
            ("docket.toml", 0o666, "can change the settings file"),
            ("docket.db", 0o644, "can read the database file"),
            ("key", 0o644, "can read the file that OPENAI_API_KEY_FILE names"),
            ("", 0o777, "can replace what is in the folder"),
        ] {
            let before = at(name).metadata().unwrap().permissions().mode();
            give(&at(name), mode);
            let found = told();
            assert!(matches!(&found[..], [one] if one.contains(words)), "{found:?}");
            assert!(!found[0].contains("/key"), "{found:?}");
            give(&at(name), before);
        }
    }
}
