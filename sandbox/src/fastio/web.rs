//! Imports by address (`web_upload/`): Fastio fetches what is at a public address itself and puts it into a folder.
//!
//! The words of the status are those of the official client's newest notes. How long each lasts, and what the world has at an
//! address, is made up: control says what is there (`PUT /_sandbox/web`), and whatever it did not name cannot be fetched.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use url::Url;

use crate::fastio::profile::Profile;

use super::content::Stored;
use super::id::{IdKind, canonical, shown};
use super::refusal::Refusal;
use super::time::written;
use super::world::{Actor, World};

/// How long an import is in each state on its way. Inferred: real ones take as long as the source does.
const STEP_MS: i64 = 250;

/// The states on the way, each for [`STEP_MS`].
const ON_THE_WAY: [&str; 4] = ["pending", "queued", "downloading", "uploading"];

/// How many imports are kept; the oldest go first.
const MAX_IMPORTS: usize = 10_000;

/// How an import ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    Complete,
    /// It says that it is complete, and there is no file.
    Silent,
    /// It stays where it is on its way.
    Stuck,
    Failed(String),
    Canceled,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub profile: Profile,
    pub folder: String,
    pub name: String,
    pub url: String,
}

#[derive(Debug)]
pub struct Import {
    id: String,
    wanted: Wanted,
    by: Actor,
    ending: Ending,
    /// It has come to its end, and what it was to do is done.
    is_over: bool,
    new_file: Option<String>,
}

/// What is at which address, and who had it fetched.
#[derive(Debug, Default)]
pub struct Web {
    pages: BTreeMap<String, Arc<Stored>>,
    imports: Vec<Import>,
}

impl Web {
    pub fn put(&mut self, url: String, content: Stored) {
        self.pages.insert(url, Arc::new(content));
    }

    pub fn has_open(&self) -> bool {
        self.imports.iter().any(|import| !import.is_over)
    }

    /// The newest first.
    pub fn all(&self) -> impl Iterator<Item = &Import> {
        self.imports.iter().rev()
    }

    pub fn get(&self, id: &str) -> Result<&Import, Refusal> {
        let id = canonical(id);
        self.imports.iter().find(|import| import.id == id).ok_or_else(Refusal::no_upload)
    }

    /// Stops one that goes on.
    pub fn cancel(&mut self, id: &str) -> Result<(), Refusal> {
        let id = canonical(id);
        let import = self.imports.iter_mut().find(|import| import.id == id).ok_or_else(Refusal::no_upload)?;
        if !import.is_over {
            (import.ending, import.is_over) = (Ending::Canceled, true);
        }
        Ok(())
    }
}

impl Import {
    pub fn is_of(&self, user: &str) -> bool {
        self.by.user == user
    }

    pub fn status(&self, now: i64) -> &'static str {
        let step = usize::try_from((now - self.by.now) / STEP_MS).unwrap_or(0);
        match (&self.ending, self.is_over, ON_THE_WAY.get(step)) {
            (_, false, Some(&word)) => word,
            (_, false, None) => "downloading",
            (Ending::Failed(_), ..) => "failed",
            (Ending::Canceled, ..) => "canceled",
            _ => "complete",
        }
    }

    /// As `details/` shows it. Inferred but for `status`: no document has the fields of a row.
    pub fn shown(&self, now: i64) -> Value {
        let message = match &self.ending {
            Ending::Failed(message) if self.is_over => Some(message),
            _ => None,
        };
        json!({
            "id": shown(&self.id),
            "source_url": self.wanted.url,
            "file_name": self.wanted.name,
            "profile_id": self.wanted.profile.id,
            "profile_type": self.wanted.profile.kind.as_str(),
            "folder_id": self.wanted.folder,
            "status": self.status(now),
            "status_message": message,
            "new_file_id": self.new_file.as_deref().map(shown),
            "created": written(self.by.now),
        })
    }
}

/// Whether Fastio fetches it: newest documents say public HTTPS on port 443 only. How it refuses is inferred.
pub fn check_address(url: &str) -> Result<(), Refusal> {
    let url = Url::parse(url).map_err(|_| Refusal::input("source_url: This is not a valid URL."))?;
    if url.scheme() != "https" || url.port_or_known_default() != Some(443) {
        return Err(Refusal::input("source_url: Only HTTPS on port 443 is supported."));
    }
    Ok(())
}

impl World {
    /// Begins an import and gives its id.
    pub fn import(&mut self, wanted: Wanted, ending: Option<Ending>, by: &Actor) -> Result<String, Refusal> {
        self.ensure(&wanted.profile)?;
        self.folder(&wanted.profile, &wanted.folder)?;
        let nothing = || Ending::Failed("The source could not be fetched.".to_owned());
        let is_there = self.web.pages.contains_key(&wanted.url);
        let ending = ending.unwrap_or_else(|| if is_there { Ending::Complete } else { nothing() });
        let id = self.ids.make(IdKind::Upload);
        let import =
            Import { id: id.clone(), wanted, by: by.clone(), ending, is_over: false, new_file: None };
        self.web.imports.push(import);
        let surplus = self.web.imports.len().saturating_sub(MAX_IMPORTS);
        self.web.imports.drain(..surplus);
        Ok(id)
    }

    /// Brings the imports to where they are at this time.
    pub fn go_on_importing(&mut self, now: i64) {
        let length = STEP_MS * ON_THE_WAY.len() as i64;
        let is_due = |import: &Import| {
            !import.is_over && import.ending != Ending::Stuck && now - import.by.now >= length
        };
        for at in 0..self.web.imports.len() {
            if !is_due(&self.web.imports[at]) {
                continue;
            }
            let Import { wanted, by, ending, .. } = &self.web.imports[at];
            let arrived = match ending {
                Ending::Complete => self.arrive(&wanted.clone(), &Actor { now, ..by.clone() }).map(Some),
                _ => Ok(None),
            };
            let import = &mut self.web.imports[at];
            import.is_over = true;
            match arrived {
                Ok(node) => import.new_file = node,
                Err(refusal) => import.ending = Ending::Failed(refusal.text),
            }
        }
    }

    fn arrive(&mut self, wanted: &Wanted, by: &Actor) -> Result<String, Refusal> {
        let content = self.web.pages.get(&wanted.url).map(Arc::clone);
        let content = content.ok_or_else(|| Refusal::not_found("The source"))?;
        let folder = self.folder(&wanted.profile, &wanted.folder)?;
        let key = self.put_file(&wanted.profile, (folder, &wanted.name), content, by)?;
        let node = self.tree(&wanted.profile)?.node(key).ok_or_else(Refusal::no_node)?;
        Ok(node.id.clone())
    }
}
