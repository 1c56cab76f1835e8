//! What Fastio fetches from elsewhere: a public address, and the sources of accounts at others. An account needs a person, so
//! that sources are only listed.

use tokio::time::{Instant, sleep};

use super::Stage;
use crate::fastio::{Cloud, Error, NodeId, ProfileKind, UploadId, WebUpload, WebUploadStatus};
use crate::rehearse::assumption::{self as a, Assumption};
use crate::rehearse::finding::Book;
use crate::rehearse::made::Made;

/// What is imported: a page of IANA's that is there to be fetched.
pub const ADDRESS: &str = "https://example.com/";

/// What only an import can tell.
static OF_AN_IMPORT: [&Assumption; 3] =
    [&a::IMPORT_IS_FOLLOWED, &a::IMPORTS_ARE_LISTED, &a::IMPORT_ENDS_AS_A_FILE];

impl Stage<'_> {
    /// Has the address fetched. What comes of it is looked at later, because it takes its time.
    pub(super) async fn begin_import(
        &self,
        book: &mut Book<'_>,
        made: &mut Made,
        folder: &NodeId,
    ) -> Option<UploadId> {
        let name = self.import_name();
        let begun = match self.client.web_upload(self.profile, folder, (ADDRESS, &name)).await {
            Ok(begun) => begun,
            Err(error) => {
                book.barred(&OF_AN_IMPORT, &error);
                return None;
            }
        };
        made.imports.push(begun.id.clone());
        let same = |one: &WebUpload| {
            let same_name = one.name.as_ref().is_none_or(|called| *called == name);
            let same_url = one.url.as_ref().is_none_or(|url| url == ADDRESS);
            one.id == begun.id && same_name && same_url && (one.name.is_some() || one.url.is_some())
        };
        book.judge(&a::IMPORTS_ARE_LISTED, self.client.web_uploads().await, |all| {
            (all.iter().any(same), format!("{} listed", all.len()))
        });
        Some(begun.id)
    }

    /// Follows the import to its end, and looks for its file.
    pub(super) async fn end_import(
        &self,
        book: &mut Book<'_>,
        made: &mut Made,
        (folder, import): (&NodeId, &UploadId),
    ) {
        use WebUploadStatus::{Canceled, Complete, Failed};
        let began = Instant::now();
        let mut words: Vec<&str> = Vec::new();
        let shown = loop {
            let shown = match self.client.web_upload_details(import).await {
                Ok(shown) => shown,
                Err(error) => return book.refused(&a::IMPORT_IS_FOLLOWED, &error),
            };
            let Some(status) = shown.status else {
                let seen = "its status is not said, or none of the seven words that are known";
                return book.note(&a::IMPORT_IS_FOLLOWED, false, seen);
            };
            words.push(status.as_str());
            words.dedup();
            if matches!(status, Complete | Failed | Canceled) || began.elapsed() >= self.patience.for_a_run {
                break shown;
            }
            sleep(self.patience.next_look(began)).await;
        };
        book.note(&a::IMPORT_IS_FOLLOWED, true, format!("it was {}", words.join(", ")));
        match shown.status {
            Some(Complete) => {
                made.imports.retain(|known| known != import);
                let file = self.imported(folder, shown.node).await;
                book.judge(&a::IMPORT_ENDS_AS_A_FILE, file, |whole| match whole {
                    true => (true, "its file is there, with hash and version".to_owned()),
                    false => {
                        (false, "it says complete, and no file with hash and version is there".to_owned())
                    }
                });
            }
            Some(Failed | Canceled) => {
                made.imports.retain(|known| known != import);
                let why = shown.message.unwrap_or_else(|| "it does not say why".to_owned());
                let why = crate::http::reply::excerpt(&why);
                book.unknown(&a::IMPORT_ENDS_AS_A_FILE, format!("Fastio did not fetch the address: {why}"));
            }
            _ => {
                let seen = format!("it was not over after {} seconds", began.elapsed().as_secs());
                book.unknown(&a::IMPORT_ENDS_AS_A_FILE, seen);
            }
        }
    }

    /// Whether the file shows, at the second look at the latest.
    async fn imported(&self, folder: &NodeId, node: Option<NodeId>) -> Result<bool, Error> {
        for is_last in [false, true] {
            let id = match &node {
                Some(node) => Some(node.clone()),
                None => {
                    self.client.child(self.profile, folder, &self.import_name()).await?.map(|node| node.id)
                }
            };
            if let Some(id) = id {
                match self.client.node(self.profile, &id).await {
                    Ok(node) if node.hash.is_some() && node.version.is_some() => return Ok(true),
                    Err(error) if !error.is_not_found() => return Err(error),
                    _ => {}
                }
            }
            if !is_last {
                sleep(self.patience.between_looks).await;
            }
        }
        Ok(false)
    }

    fn import_name(&self) -> String {
        format!("{} import.html", self.mark)
    }

    pub(super) async fn list_sources(&self, book: &mut Book<'_>) {
        if self.profile.kind != ProfileKind::Workspace {
            return book.unknown(&a::SOURCES_ARE_LISTED, "a share has none");
        }
        match listed(&self.client.cloud(&self.profile.id)).await {
            Ok((accounts, sources)) => {
                let path = book.last().map(|seen| seen.path).unwrap_or_default();
                let family = if path.contains("/cloudsync/") { "/cloudsync/" } else { "/imports/" };
                let seen = format!("{accounts} accounts and {sources} sources, under {family}");
                book.note(&a::SOURCES_ARE_LISTED, true, seen);
            }
            Err(error) => book.barred(&[&a::SOURCES_ARE_LISTED], &error),
        }
    }
}

/// How many accounts and sources there are.
async fn listed(cloud: &Cloud) -> Result<(usize, usize), Error> {
    Ok((cloud.identities().await?.len(), cloud.sources().await?.len()))
}
