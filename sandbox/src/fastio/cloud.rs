//! Cloud sources: accounts at providers, and folders that are kept in line with folders there.
//!
//! Paths, names of fields in requests and the words of states are those of the official client, which has had two families of
//! paths: `/cloudsync/` now, `/imports/` before. This stand-in serves one of them or both. What a provider holds is what control
//! says; a pass fetches all of it at once. Inferred: how rows read, and that each family refuses the other's name for an account.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::fastio::profile::Profile;

use super::content::Stored;
use super::id::{IdKind, shown};
use super::refusal::Refusal;
use super::time::written;
use super::tree::ROOT;
use super::world::{Actor, World};

/// All providers, as the official client names them.
pub const PROVIDERS: [&str; 4] = ["google_drive", "box", "onedrive_business", "dropbox"];

/// Where a source's files go unless it says so.
const DEFAULT_FOLDER: &str = "Imports";

/// More than any test makes; bounds what strangers can.
const MOST: usize = 1_000;

/// Which paths are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Cloudsync,
    Imports,
}

impl Family {
    pub fn parse(text: &str) -> Option<Family> {
        match text {
            "cloudsync" => Some(Family::Cloudsync),
            "imports" => Some(Family::Imports),
            _ => None,
        }
    }

    /// What it calls an account in a request.
    pub fn identity(self) -> &'static str {
        match self {
            Family::Cloudsync => "provider_identity_id",
            Family::Imports => "identity_id",
        }
    }
}

#[derive(Debug)]
struct Identity {
    id: String,
    workspace: String,
    provider: String,
    status: String,
}

#[derive(Debug)]
struct Job {
    id: String,
    status: &'static str,
    at: i64,
}

#[derive(Debug)]
struct Source {
    id: String,
    workspace: String,
    identity: String,
    provider: String,
    remote_path: String,
    access: String,
    folder: String,
    status: String,
    jobs: Vec<Job>,
}

#[derive(Debug, Default)]
pub struct Cloud {
    /// The only family that is served; both without one.
    pub only: Option<Family>,
    /// Without one drives were never looked for.
    pub drives_state: Option<String>,
    /// What the providers hold, by path.
    remote: BTreeMap<String, Arc<Stored>>,
    identities: Vec<Identity>,
    sources: Vec<Source>,
}

/// A source that is asked for.
#[derive(Debug)]
pub struct Wanted {
    pub workspace: String,
    pub identity: String,
    pub remote_path: String,
    pub access: String,
    pub drive: Option<String>,
    pub folder: Option<String>,
}

impl Cloud {
    pub fn serves(&self, family: Family) -> bool {
        self.only.is_none_or(|only| only == family)
    }

    pub fn hold(&mut self, path: String, text: String) {
        self.remote.insert(path, Arc::new(Stored::kept(Bytes::from(text))));
    }

    /// A person has opened the link of every account that waits for it.
    pub fn consent(&mut self) {
        for identity in self.identities.iter_mut().filter(|one| one.status == "provisioning") {
            identity.status = "active".to_owned();
        }
    }

    /// Sets the state of every source.
    pub fn set_status(&mut self, status: &str) {
        self.sources.iter_mut().for_each(|source| status.clone_into(&mut source.status));
    }

    pub fn identities(&self, workspace: &str) -> Vec<Value> {
        self.identities.iter().filter(|one| one.workspace == workspace).map(Identity::shown).collect()
    }

    fn identity(&self, id: &str) -> Result<&Identity, Refusal> {
        self.identities.iter().find(|one| one.id == id).ok_or_else(|| Refusal::not_found("The identity"))
    }

    /// The drives of an account, as far as they were looked for.
    pub fn drives(&self, identity: &str) -> Result<Value, Refusal> {
        self.identity(identity)?;
        let state = self.drives_state.as_deref().unwrap_or("never_refreshed");
        let drives =
            if state == "ready" { json!([{"id": "drive-1", "name": "Documents"}]) } else { json!([]) };
        Ok(json!({"drives_state": state, "drives": drives}))
    }

    pub fn refresh_drives(&mut self, identity: &str) -> Result<(), Refusal> {
        self.identity(identity)?;
        self.drives_state.get_or_insert_with(|| "ready".to_owned());
        Ok(())
    }

    pub fn sources(&self, workspace: &str) -> Vec<Value> {
        self.sources.iter().filter(|one| one.workspace == workspace).map(Source::shown).collect()
    }

    fn source(&mut self, id: &str) -> Result<&mut Source, Refusal> {
        self.sources.iter_mut().find(|one| one.id == id).ok_or_else(|| Refusal::not_found("The source"))
    }

    pub fn jobs(&mut self, id: &str) -> Result<Vec<Value>, Refusal> {
        let shown = |job: &Job| json!({"id": job.id, "status": job.status, "created": written(job.at)});
        Ok(self.source(id)?.jobs.iter().map(shown).collect())
    }

    /// `pause` or `resume`.
    pub fn update(&mut self, id: &str, action: &str) -> Result<(), Refusal> {
        let source = self.source(id)?;
        source.status = match action {
            "pause" => "paused".to_owned(),
            "resume" => "synced".to_owned(),
            _ => return Err(Refusal::input("action: This must be pause or resume.")),
        };
        Ok(())
    }
}

impl Identity {
    fn shown(&self) -> Value {
        json!({"provider_identity_id": self.id, "provider": self.provider, "status": self.status})
    }
}

impl Source {
    fn shown(&self) -> Value {
        json!({
            "id": self.id,
            "provider_identity_id": self.identity,
            "provider": self.provider,
            "remote_path": self.remote_path,
            "access_mode": self.access,
            "destination_node_id": shown(&self.folder),
            "status": self.status,
        })
    }
}

impl World {
    /// Begins to connect an account. A person has to agree at the link.
    pub fn provision(&mut self, workspace: &str, provider: &str) -> Result<Value, Refusal> {
        if !PROVIDERS.contains(&provider) {
            return Err(Refusal::input("provider: This is not a known provider."));
        }
        if self.cloud.identities.len() >= MOST {
            return Err(Refusal::input("There are too many identities."));
        }
        let identity = Identity {
            id: self.ids.make(IdKind::Token),
            workspace: workspace.to_owned(),
            provider: provider.to_owned(),
            status: "provisioning".to_owned(),
        };
        let mut shown = identity.shown();
        shown["authorize_url"] =
            format!("https://consent.sandbox.invalid/authorize?state={}", identity.id).into();
        self.cloud.identities.push(identity);
        Ok(shown)
    }

    pub fn add_source(&mut self, wanted: Wanted, by: &Actor) -> Result<Value, Refusal> {
        let identity = self.cloud.identity(&wanted.identity)?;
        let (provider, status) = (identity.provider.clone(), identity.status.clone());
        if status != "active" {
            return Err(Refusal::input("provider_identity_id: The identity is not active."));
        }
        if provider == "onedrive_business" && wanted.drive.is_none() {
            return Err(Refusal::input("drive_id: This field is required for onedrive_business."));
        }
        if self.cloud.sources.len() >= MOST {
            return Err(Refusal::input("There are too many sources."));
        }
        let profile = Profile::workspace(&*wanted.workspace);
        self.ensure(&profile)?;
        let folder = match &wanted.folder {
            Some(folder) => self.folder(&profile, folder)?,
            None => self.make_folders(&profile, DEFAULT_FOLDER, by)?,
        };
        let node = self.tree(&profile)?.node(folder).filter(|_| folder != ROOT).map(|node| node.id.clone());
        let source = Source {
            id: self.ids.make(IdKind::Token),
            workspace: wanted.workspace,
            identity: wanted.identity,
            provider,
            remote_path: wanted.remote_path,
            access: wanted.access,
            folder: node.unwrap_or_else(|| "root".to_owned()),
            status: "pending".to_owned(),
            jobs: Vec::new(),
        };
        let shown = source.shown();
        let id = source.id.clone();
        self.cloud.sources.push(source);
        self.pass_over(&id, by)?;
        Ok(shown)
    }

    /// Brings the folder in line with the one at the provider.
    pub fn pass_over(&mut self, id: &str, by: &Actor) -> Result<(), Refusal> {
        let job = Job { id: self.ids.make(IdKind::Token), status: "completed", at: by.now };
        let source = self.cloud.source(id)?;
        if source.status == "paused" {
            return Err(Refusal::conflict(1660, "The source is paused."));
        }
        source.jobs.push(job);
        source.status = "synced".to_owned();
        let profile = Profile::workspace(&*source.workspace);
        let (folder, below) = (source.folder.clone(), source.remote_path.trim_end_matches('/').to_owned());
        let held: Vec<(String, Arc<Stored>)> = self
            .cloud
            .remote
            .iter()
            .filter_map(|(path, content)| {
                let name = path.strip_prefix(&below)?.strip_prefix('/')?;
                Some((name.to_owned(), Arc::clone(content)))
            })
            .filter(|(name, _)| !name.contains('/'))
            .collect();
        let folder = self.folder(&profile, &folder)?;
        for (name, content) in held {
            let tree = self.tree(&profile)?;
            let there = tree.child(folder, &name).and_then(|key| tree.node(key)?.version());
            if there.is_none_or(|version| version.content.sha256() != content.sha256()) {
                self.put_file(&profile, (folder, &name), content, by)?;
            }
        }
        Ok(())
    }
}
