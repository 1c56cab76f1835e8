//! Cloud sources: folders of Google Drive, OneDrive, Dropbox and Box that Fastio keeps one of its own in line with.
//!
//! Fastio has served them under two families of paths, `/cloudsync/` (its newest official client) and `/imports/` (the one before, whose
//! identity has another name). Whichever answers is remembered. Requests are JSON; the names of an answer's fields are those of that
//! client where it reads them, and else inferred. How states read to a person is the caller's.

use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};

use crate::http::SMALL_CALL_LIMIT;
use crate::http::value::Fields;

use super::answer::Opened;
use super::client::Client;
use super::{Error, NodeId};

/// The router's code for "no such route" (Fastio's API reference).
const NO_SUCH_ROUTE: &str = "9992";

/// What the newest client asks for at most.
const LIMIT: &str = "100";

/// One family of paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Cloudsync,
    Imports,
}

impl Family {
    fn root(self) -> &'static str {
        match self {
            Family::Cloudsync => "cloudsync",
            Family::Imports => "imports",
        }
    }

    /// What it calls the identity: the other name is refused with 400.
    fn identity(self) -> &'static str {
        match self {
            Family::Cloudsync => "provider_identity_id",
            Family::Imports => "identity_id",
        }
    }
}

/// The cloud sources of one workspace.
#[derive(Debug)]
pub struct Cloud {
    client: Client,
    workspace: String,
    /// The older paths answered last.
    is_older: AtomicBool,
}

/// Somebody's account at a provider, as far as Fastio may use it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    pub id: String,
    pub provider: String,
    pub status: String,
    /// Where a person gives consent. Only the answer to [`Cloud::connect`] has it.
    pub authorize_url: Option<String>,
}

/// The drives of an identity, and how far Fastio has looked for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drives {
    pub state: String,
    /// Ids and names.
    pub drives: Vec<(String, String)>,
}

/// A folder at a provider, and the one at Fastio that is kept in line with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CloudSource {
    pub id: String,
    pub provider: Option<String>,
    pub identity: Option<String>,
    pub remote_path: String,
    pub status: String,
    /// The folder at Fastio.
    pub folder: Option<String>,
    /// `read_only` or `read_write`.
    pub access: Option<String>,
    pub message: Option<String>,
}

/// One pass over a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceJob {
    pub id: String,
    pub status: String,
    pub created: Option<String>,
    pub message: Option<String>,
}

/// A source that is to be made.
#[derive(Debug)]
pub struct NewSource<'a> {
    pub identity: &'a str,
    pub remote_path: &'a str,
    /// Needed for `onedrive_business`.
    pub drive: Option<&'a str>,
    /// Cannot be changed later; without one Fastio makes a folder in `Imports`.
    pub folder: Option<&'a NodeId>,
    pub writes_back: bool,
}

/// What is done to a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceChange {
    Pause,
    Resume,
    Refresh,
}

impl Client {
    pub fn cloud(&self, workspace: &str) -> Cloud {
        Cloud { client: self.clone(), workspace: workspace.to_owned(), is_older: AtomicBool::new(false) }
    }
}

impl Cloud {
    /// Begins to connect an account: a person has to open the link that is answered.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn connect(&self, provider: &str, account_type: Option<&str>) -> Result<Identity, Error> {
        const OPERATION: &str = "connecting an account";
        let body = |_: Family| {
            let mut body = json!({"provider": provider});
            if let Some(kind) = account_type {
                body["account_type"] = kind.into();
            }
            body
        };
        let opened =
            self.post(OPERATION, &["workspace", &self.workspace, "identities", "provision"], body).await?;
        one(OPERATION, &opened, &["identity"], identity)
    }

    /// The accounts that are connected, or are about to be.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn identities(&self) -> Result<Vec<Identity>, Error> {
        const OPERATION: &str = "listing connected accounts";
        let opened = self.get(OPERATION, &["workspace", &self.workspace, "identities"]).await?;
        all(OPERATION, &opened, "identities", identity)
    }

    /// The drives of an account.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn drives(&self, identity: &str) -> Result<Drives, Error> {
        const OPERATION: &str = "listing an account's drives";
        let path = ["workspace", &self.workspace, "identities", identity, "drives"];
        let opened = self.get(OPERATION, &path).await?;
        let drive = |fields: Fields<'_>| {
            let id = fields.id("id").or_else(|| fields.id("drive_id"))?;
            Some((id.clone(), fields.id("name").unwrap_or(id)))
        };
        let state =
            opened.envelope.root().id("drives_state").or_else(|| {
                opened.envelope.object("identity").and_then(|identity| identity.id("drives_state"))
            });
        let drives = match opened.envelope.list("drives") {
            Some(_) => all(OPERATION, &opened, "drives", drive)?,
            None => Vec::new(),
        };
        Ok(Drives { state: state.unwrap_or_else(|| "unknown".to_owned()), drives })
    }

    /// Has Fastio look for them anew.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn refresh_drives(&self, identity: &str) -> Result<(), Error> {
        let path = ["workspace", &self.workspace, "identities", identity, "drives", "refresh"];
        self.post("having an account's drives looked for", &path, |_| json!({})).await.map(drop)
    }

    /// Fastio was seen to take a filter by status, and to ignore it: all are listed.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn sources(&self) -> Result<Vec<CloudSource>, Error> {
        const OPERATION: &str = "listing cloud sources";
        let opened = self.get(OPERATION, &["workspace", &self.workspace, "sources"]).await?;
        all(OPERATION, &opened, "sources", source)
    }

    /// Begins to keep a folder in line with one at a provider.
    ///
    /// # Errors
    /// Those of every call. When [`Error::may_have_happened`], [`Cloud::sources`] shows whether it was made.
    pub async fn create(&self, new: &NewSource<'_>) -> Result<CloudSource, Error> {
        const OPERATION: &str = "adding a cloud source";
        let body = |family: Family| {
            let access = if new.writes_back { "read_write" } else { "read_only" };
            let mut body = json!({"remote_path": new.remote_path, "access_mode": access});
            body[family.identity()] = new.identity.into();
            if let Some(drive) = new.drive {
                body["drive_id"] = drive.into();
            }
            if let Some(folder) = new.folder {
                body["destination_node_id"] = folder.as_str().into();
            }
            body
        };
        let opened = self.post(OPERATION, &["workspace", &self.workspace, "sources", "create"], body).await?;
        one(OPERATION, &opened, &["source"], source)
    }

    /// # Errors
    /// Those of every call.
    pub async fn change(&self, source: &str, change: SourceChange) -> Result<(), Error> {
        let (operation, word, body) = match change {
            SourceChange::Pause => ("pausing a cloud source", "update", json!({"action": "pause"})),
            SourceChange::Resume => ("resuming a cloud source", "update", json!({"action": "resume"})),
            SourceChange::Refresh => ("having a cloud source looked through", "refresh", json!({})),
        };
        self.post(operation, &["details", source, word], |_| body.clone()).await.map(drop)
    }

    /// The passes over a source.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn jobs(&self, source: &str) -> Result<Vec<SourceJob>, Error> {
        const OPERATION: &str = "listing the passes over a cloud source";
        let opened = self.get(OPERATION, &["details", source, "jobs"]).await?;
        all(OPERATION, &opened, "jobs", job)
    }

    async fn get(&self, operation: &'static str, path: &[&str]) -> Result<Opened, Error> {
        self.ask(operation, (Method::GET, path), |_| Value::Null).await
    }

    async fn post(
        &self,
        operation: &'static str,
        path: &[&str],
        body: impl Fn(Family) -> Value,
    ) -> Result<Opened, Error> {
        self.ask(operation, (Method::POST, path), body).await
    }

    /// Asks under the paths that answered last, and under the others where there is no such route: then nothing was done.
    async fn ask(
        &self,
        operation: &'static str,
        (method, path): (Method, &[&str]),
        body: impl Fn(Family) -> Value,
    ) -> Result<Opened, Error> {
        let families = match self.is_older.load(Ordering::Relaxed) {
            false => [Family::Cloudsync, Family::Imports],
            true => [Family::Imports, Family::Cloudsync],
        };
        let mut first = None;
        for family in families {
            let whole = [&[family.root()], path].concat();
            let mut request = self.client.request(operation, method.clone(), &whole)?;
            request = match body(family) {
                Value::Null => request.query(&[("limit", LIMIT)]),
                body => request.json(&body),
            };
            match self.client.submit(operation, request.timeout(SMALL_CALL_LIMIT)).await {
                Err(error) if error.code.as_deref() == Some(NO_SUCH_ROUTE) => first = first.or(Some(error)),
                answered => {
                    self.is_older.store(family == Family::Imports, Ordering::Relaxed);
                    return answered;
                }
            }
        }
        Err(first.expect("both were asked, and neither is a route"))
    }
}

fn one<T>(
    operation: &'static str,
    opened: &Opened,
    names: &[&str],
    read: impl Fn(Fields<'_>) -> Option<T>,
) -> Result<T, Error> {
    let Opened { head, envelope, .. } = opened;
    let found = names.iter().find_map(|name| read(envelope.object(name)?));
    let found = found.or_else(|| read(Fields::of(envelope.whole()?)?));
    found.ok_or_else(|| Error::unreadable(operation, head, "not what was asked for"))
}

fn all<T>(
    operation: &'static str,
    opened: &Opened,
    name: &str,
    read: impl Fn(Fields<'_>) -> Option<T>,
) -> Result<Vec<T>, Error> {
    let Opened { head, envelope, .. } = opened;
    let list = envelope.list(name).or_else(|| envelope.list("items"));
    let list = list.ok_or_else(|| Error::unreadable(operation, head, "no list"))?;
    let rows = list.iter().map(|value| read(Fields::of(value)?)).collect::<Option<Vec<T>>>();
    rows.ok_or_else(|| Error::unreadable(operation, head, "a row without an id"))
}

fn first(fields: Fields<'_>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| fields.id(name))
}

fn status(fields: Fields<'_>) -> String {
    first(fields, &["status", "state"]).unwrap_or_else(|| "unknown".to_owned())
}

fn identity(fields: Fields<'_>) -> Option<Identity> {
    Some(Identity {
        id: first(fields, &["provider_identity_id", "identity_id", "id"])?,
        provider: fields.id("provider").unwrap_or_default(),
        status: status(fields),
        authorize_url: fields.id("authorize_url"),
    })
}

fn source(fields: Fields<'_>) -> Option<CloudSource> {
    Some(CloudSource {
        id: first(fields, &["id", "source_id"])?,
        provider: fields.id("provider"),
        identity: first(fields, &["provider_identity_id", "identity_id"]),
        remote_path: fields.text("remote_path").unwrap_or_default(),
        status: status(fields),
        folder: first(fields, &["destination_node_id", "node_id"]),
        access: fields.id("access_mode"),
        message: first(fields, &["error_message", "status_message", "message"]),
    })
}

fn job(fields: Fields<'_>) -> Option<SourceJob> {
    Some(SourceJob {
        id: first(fields, &["id", "job_id"])?,
        status: status(fields),
        created: first(fields, &["created", "created_at"]),
        message: first(fields, &["error_message", "status_message", "message"]),
    })
}
