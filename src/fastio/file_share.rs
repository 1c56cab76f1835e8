//! A link to one file for people outside its workspace, which Fastio calls a File Share (its guide for agents, version 2.92). The paths,
//! the form's fields and the keys of the answers are those of its official command-line client.

use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::http::SMALL_CALL_LIMIT;
use crate::http::value::Fields;

use super::answer::Opened;
use super::client::Client;
use super::{Error, NodeId, Profile};

/// Asked for at once. The most that Fastio gives is not documented.
const PER_PAGE: usize = 100;

/// Pages that are looked through for one of ours.
const MOST_PAGES: usize = 100;

/// Characters of a title (its official command-line client).
pub const LONGEST_TITLE: usize = 255;

/// What somebody may do who has the link. There is a third, `edit`, which Docket gives nobody: what is written through it is no person's of
/// the workspace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    #[default]
    View,
    Download,
}

impl Capability {
    pub fn as_str(self) -> &'static str {
        match self {
            Capability::View => "view",
            Capability::Download => "download",
        }
    }
}

/// The id of a File Share: a number of 19 digits. Opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileShareId(pub String);

/// A File Share as a list has it.
#[derive(Debug, Clone)]
pub struct FileShare {
    pub id: FileShareId,
    title: Option<String>,
    /// None where the list does not say.
    node: Option<NodeId>,
}

impl FileShare {
    /// Whether it is of this file, as far as is said, and its title ends so.
    pub fn is(&self, node: &NodeId, ending: &str) -> bool {
        let is_of = |its: &NodeId| its.canonical() == node.canonical();
        self.title.as_ref().is_some_and(|title| title.ends_with(ending))
            && self.node.as_ref().is_none_or(is_of)
    }

    pub fn is_titled_like(&self, beginning: &str) -> bool {
        self.title.as_ref().is_some_and(|title| title.starts_with(beginning))
    }
}

impl Client {
    /// Makes a link to a file, for `seconds`, that only those can follow who are then named with [`Client::grant`]. Its title has at
    /// most [`LONGEST_TITLE`] characters.
    ///
    /// # Errors
    /// [`super::ErrorKind::Rejected`] for a node that is no file, and those of every call. When [`Error::may_have_happened`],
    /// [`Client::file_shares`] shows whether it was made.
    pub async fn share_file(
        &self,
        workspace: &Profile,
        node: &NodeId,
        (title, seconds): (&str, u64),
    ) -> Result<FileShareId, Error> {
        const OPERATION: &str = "sharing a file";
        let seconds = seconds.to_string();
        let form = [
            ("node", node.as_str()),
            ("title", title),
            ("access_option", "named_people"),
            ("expires", &seconds),
        ];
        let path = ["workspace", &workspace.id, "create", "fileshare"];
        let request = self.request(OPERATION, Method::POST, &path)?.form(&form).timeout(SMALL_CALL_LIMIT);
        let opened = self.submit(OPERATION, request).await?;
        let made = opened.envelope.object("fileshare").and_then(read).map(|shared| shared.id);
        made.ok_or_else(|| Error::unreadable(OPERATION, &opened.head, "no id of the File Share"))
    }

    /// The File Shares of a workspace. The names of a list's fields are inferred.
    ///
    /// # Errors
    /// Those of every call, and a workspace with more of them than are looked through.
    pub async fn file_shares(&self, workspace: &Profile) -> Result<Vec<FileShare>, Error> {
        const OPERATION: &str = "listing file shares";
        let (mut all, limit) = (Vec::new(), PER_PAGE.to_string());
        for page in 0..MOST_PAGES {
            let offset = (page * PER_PAGE).to_string();
            let path = ["workspace", &workspace.id, "list", "fileshares"];
            let query = [("offset", offset.as_str()), ("limit", &limit)];
            let Opened { head, envelope, .. } = self.call(OPERATION, &path, &query).await?;
            let unreadable = |what| Error::unreadable(OPERATION, &head, what);
            let rows = envelope.list("fileshares").ok_or_else(|| unreadable("no list of file shares"))?;
            let read = |row| Fields::of(row).and_then(read);
            // One that cannot be read may be the one that is looked for.
            let shared = rows.iter().map(read).collect::<Option<Vec<_>>>();
            all.extend(shared.ok_or_else(|| unreadable("a file share without an id"))?);
            if rows.len() < PER_PAGE {
                return Ok(all);
            }
        }
        Err(Error::gave_up(OPERATION, "the workspace has more than are looked through"))
    }

    /// Lets somebody follow the link. Whoever may already may go on.
    ///
    /// # Errors
    /// [`super::ErrorKind::Rejected`] for what is no address, and those of every call.
    pub async fn grant(&self, share: &FileShareId, email: &str, may: Capability) -> Result<(), Error> {
        const OPERATION: &str = "letting somebody see a shared file";
        let form = [("email", email), ("capability", may.as_str())];
        let path = ["fileshare", &share.0, "grants"];
        let request = self.request(OPERATION, Method::POST, &path)?.form(&form).timeout(SMALL_CALL_LIMIT);
        self.submit(OPERATION, request).await.map(drop)
    }

    /// Ends a link. Its file stays as it is.
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] when there is none, and those of every call.
    pub async fn end_file_share(&self, share: &FileShareId) -> Result<(), Error> {
        const OPERATION: &str = "ending a file share";
        let request = self.request(OPERATION, Method::DELETE, &["fileshare", &share.0, "delete"])?;
        self.submit(OPERATION, request.timeout(SMALL_CALL_LIMIT)).await.map(drop)
    }
}

fn read(fields: Fields<'_>) -> Option<FileShare> {
    let file = ["file", "node"].iter().find_map(|name| fields.object(name));
    let node = fields.id("node_id").or_else(|| fields.id("node"));
    let node = node.or_else(|| file.and_then(|file| file.id("id").or_else(|| file.id("node_id"))));
    Some(FileShare {
        id: FileShareId(fields.id("id")?),
        title: fields.id("title"),
        node: node.map(NodeId::new),
    })
}
