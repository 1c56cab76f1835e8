//! Secrets in files are looked at again while a server runs, so that a new one needs no restart. What stands in the environment
//! stays what it is for as long as the process lives.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::secrets::Secrets;
use super::{Config, ConfigError, Identity};
use crate::http::stays_here;

/// What only a start can take up: who is let in by it is decided elsewhere than in the clients.
const AT_A_START: [&str; 4] =
    ["DOCKET_ADMIN_TOKEN_FILE", "DOCKET_VIEW_TOKEN_FILE", "DATABASE_PASSWORD_FILE", "FASTIO_MCP_KEY_FILE"];

/// Which file it is, and as of when. A link that leads to another file now is another file.
type Mark = (u64, u64, i64, i64, u64);

/// The files with secrets, as they were when they were last read.
#[derive(Debug)]
pub struct SecretFiles {
    files: Vec<(String, PathBuf, Option<Mark>)>,
    secrets: Secrets,
    is_at_home: bool,
    /// Whether OpenAI is asked with a key.
    has_openai_key: bool,
}

/// What changed.
#[derive(Debug)]
pub struct Rotated {
    pub secrets: Secrets,
    /// The variables whose files changed, without what a start alone takes up.
    pub variables: Vec<String>,
    /// Those that are used from the next start on.
    pub at_a_start: Vec<String>,
}

impl SecretFiles {
    /// Those of a server that has just read its settings.
    pub fn of(config: &Config) -> Self {
        let mark = |(variable, path): &(String, PathBuf)| (variable.clone(), path.clone(), mark(path));
        let bases = [&config.fastio.base_url, &config.openai.base_url];
        SecretFiles {
            files: config.secret_files.iter().map(mark).collect(),
            secrets: config.secrets.clone(),
            is_at_home: bases.into_iter().all(stays_here),
            has_openai_key: config.openai.identity == Identity::Key,
        }
    }

    /// Whether there is any.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The secrets as they are now, where a file changed since it was last looked at; each change is told once.
    ///
    /// # Errors
    /// A file cannot be read, or holds what a start would refuse. Nothing changes then until it changes again.
    pub fn look(&mut self) -> Option<Result<Rotated, ConfigError>> {
        let (mut variables, mut at_a_start) = (Vec::new(), Vec::new());
        for (variable, path, seen) in &mut self.files {
            let now = mark(path);
            if now != *seen {
                *seen = now;
                let is_late = AT_A_START.contains(&variable.as_str());
                if is_late { &mut at_a_start } else { &mut variables }.push(variable.clone());
            }
        }
        if variables.is_empty() && at_a_start.is_empty() {
            return None;
        }
        Some(self.read().map(|secrets| {
            self.secrets = secrets.clone();
            Rotated { secrets, variables, at_a_start }
        }))
    }

    fn read(&self) -> Result<Secrets, ConfigError> {
        let named =
            self.files.iter().map(|(variable, path, _)| (variable.clone(), path.display().to_string()));
        let secrets = self.secrets.with(Secrets::read(&named.collect::<BTreeMap<_, _>>())?);
        let openai = self.has_openai_key.then(|| secrets.openai_api_key().err()).flatten();
        let keys = [secrets.fastio_api_key().err(), openai];
        let mut wrong: Vec<String> = keys.into_iter().flatten().map(|error| error.to_string()).collect();
        wrong.extend(secrets.webhook_faults(self.is_at_home).iter().map(ToString::to_string));
        if wrong.is_empty() { Ok(secrets) } else { Err(ConfigError::Unusable(wrong)) }
    }
}

fn mark(path: &Path) -> Option<Mark> {
    let file = fs::metadata(path).ok()?;
    Some((file.dev(), file.ino(), file.mtime(), file.mtime_nsec(), file.len()))
}
