//! What people do in Fastio and Docket never does, but in a folder of its own that it removes again: a rehearsal.

use reqwest::Method;

use crate::http::SMALL_CALL_LIMIT;

use super::answer::Opened;
use super::client::{Client, storage};
use super::write::{Listed, NAMES};
use super::{Error, Node, NodeId, Profile, UploadId};

impl Client {
    /// Makes a folder; where there is one of that name already, Fastio answers with it.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn create_folder(&self, profile: &Profile, parent: &NodeId, name: &str) -> Result<Node, Error> {
        self.change(
            "making a folder",
            &storage(profile, &[parent.as_str(), "createfolder"]),
            &[("name", name)],
            &NAMES,
        )
        .await
    }

    /// Makes a note of a Markdown text. Where its name is taken, Fastio gives it another.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn create_note(
        &self,
        profile: &Profile,
        parent: &NodeId,
        (name, text): (&str, &str),
    ) -> Result<Node, Error> {
        let form = [("name", name), ("content", text)];
        let path = storage(profile, &[parent.as_str(), "createnote"]);
        self.change("making a note", &path, &form, &NAMES).await
    }

    /// Stops an import by address.
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] when there is none, and those of every call.
    pub async fn cancel_web_upload(&self, import: &UploadId) -> Result<(), Error> {
        const OPERATION: &str = "stopping an import";
        let request = self.request(OPERATION, Method::DELETE, &["web_upload"])?;
        let request = request.query(&[("id", &import.0)]).timeout(SMALL_CALL_LIMIT);
        self.submit(OPERATION, request).await.map(drop)
    }

    /// Gives a node another name.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn rename(&self, profile: &Profile, node: &NodeId, name: &str) -> Result<Node, Error> {
        self.change(
            "renaming a node",
            &storage(profile, &[node.as_str(), "update"]),
            &[("name", name)],
            &NAMES,
        )
        .await
    }

    /// Takes a node out of the trash.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn restore(&self, profile: &Profile, node: &NodeId) -> Result<Node, Error> {
        self.change("restoring a node", &storage(profile, &[node.as_str(), "restore"]), &[], &NAMES).await
    }

    /// Whether a folder's list shows a node.
    ///
    /// # Errors
    /// Those of every call, and a list that cannot be read.
    pub async fn in_list(&self, profile: &Profile, folder: &NodeId, node: &NodeId) -> Result<bool, Error> {
        match self.in_folder(profile, folder, |found| found.id == *node).await? {
            Listed::There(_) => Ok(true),
            Listed::NotThere => Ok(false),
            Listed::Unreadable => Err(Error::gave_up("listing a folder", "an entry cannot be read")),
        }
    }

    /// Removes a node for good.
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] when it is gone, and those of every call.
    pub async fn purge(&self, profile: &Profile, node: &NodeId) -> Result<(), Error> {
        const OPERATION: &str = "removing a node for good";
        let path = storage(profile, &[node.as_str(), "purge"]);
        let request = self.request(OPERATION, Method::DELETE, &path)?.timeout(SMALL_CALL_LIMIT);
        self.submit(OPERATION, request).await.map(drop)
    }

    /// The organisation that a workspace or share belongs to, where its details say so.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn organisation(&self, profile: &Profile) -> Result<Option<String>, Error> {
        let kind = profile.kind.as_str();
        let path = [kind, profile.id.as_str(), "details"];
        let Opened { envelope, .. } = self.call("reading a workspace", &path, &[]).await?;
        let details = envelope.object(kind).unwrap_or(envelope.root());
        Ok(["org_id", "organization_id", "org"].iter().find_map(|name| details.id(name)))
    }

    /// Asks for what no service has, to see how that is said: whatever is answered is an answer.
    ///
    /// # Errors
    /// Always, from a service that answers as documented.
    pub async fn no_such_route(&self) -> Result<(), Error> {
        self.call("asking for a path that is not there", &["docket", "rehearsal"], &[]).await.map(drop)
    }
}
