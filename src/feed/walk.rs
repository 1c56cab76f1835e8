//! Every file of a workspace or share, page by page: by the inventory, or folder by folder where there is none.
//!
//! It ends with `None` only when everything was listed. Anything less is an error, because what is not on a list may be
//! taken for deleted.

use super::patience::patiently;
use crate::fastio::{Client, Error, ErrorKind, Inventoried, NodeId, NodeKind, Page, Profile, path};
use crate::http::pages::{Endless, Pages};

/// Folders inside folders. Deeper than people nest, and an end for a tree that Fastio reports as a circle.
const DEEPEST: usize = 64;

/// A listing under way.
pub struct Walk<'a> {
    /// Entries so far that cannot be read. Their listing is complete but for them.
    pub unreadable: u64,
    fastio: &'a Client,
    profile: &'a Profile,
    tries: u16,
    way: Way,
}

enum Way {
    Inventory(Option<String>, Pages),
    Folders(Vec<Open>),
    Ended,
}

/// A folder still to be listed, or to be listed further.
struct Open {
    node: NodeId,
    path: String,
    /// Whether Fastio names it and every folder above it.
    is_placed: bool,
    depth: usize,
    cursor: Option<String>,
    pages: Pages,
}

/// Why a listing is not complete.
#[derive(Debug, thiserror::Error)]
pub enum Incomplete {
    #[error(transparent)]
    Fastio(#[from] Error),
    #[error(transparent)]
    Endless(#[from] Endless),
    #[error("folders are nested more than {DEEPEST} deep at {0}")]
    TooDeep(String),
}

impl<'a> Walk<'a> {
    /// Begins at the beginning, or where an earlier walk by the inventory was.
    pub fn new(fastio: &'a Client, profile: &'a Profile, tries: u16, cursor: Option<String>) -> Self {
        Walk { unreadable: 0, fastio, profile, tries, way: Way::Inventory(cursor, Pages::default()) }
    }

    /// Where this walk can be taken up again; none at its beginning and where it goes folder by folder.
    pub fn cursor(&self) -> Option<&str> {
        match &self.way {
            Way::Inventory(cursor, _) => cursor.as_deref(),
            Way::Folders(_) | Way::Ended => None,
        }
    }

    /// The next page; `None` after the last.
    ///
    /// # Errors
    /// What makes the listing incomplete. The walk cannot go on then.
    pub async fn next(&mut self) -> Result<Option<Vec<Inventoried>>, Incomplete> {
        match std::mem::replace(&mut self.way, Way::Ended) {
            Way::Ended => Ok(None),
            Way::Inventory(cursor, mut pages) => match self.inventory(cursor.as_deref()).await {
                Ok(page) => {
                    self.unreadable += page.unreadable;
                    if let Some(next) = page.next {
                        let first = page.items.first().map(|row| row.node.id.as_str());
                        pages.turn(page.items.len(), first)?;
                        self.way = Way::Inventory(Some(next), pages);
                    }
                    let mut rows = page.items;
                    rows.retain(|row| row.node.kind != NodeKind::Folder);
                    Ok(Some(rows))
                }
                // Not served here, or not to this key. A listing of folders is documented for every one.
                Err(error)
                    if cursor.is_none()
                        && matches!(error.kind, ErrorKind::Rejected | ErrorKind::Forbidden { .. }) =>
                {
                    let root = Open {
                        node: NodeId::root(),
                        path: String::new(),
                        is_placed: true,
                        depth: 0,
                        cursor: None,
                        pages: Pages::default(),
                    };
                    self.folder(vec![root]).await
                }
                Err(error) => Err(error.into()),
            },
            Way::Folders(open) => self.folder(open).await,
        }
    }

    async fn inventory(&self, cursor: Option<&str>) -> Result<Page<Inventoried>, Error> {
        patiently(self.tries, Error::retry, || self.fastio.inventory(self.profile, cursor)).await
    }

    async fn folder(&mut self, mut open: Vec<Open>) -> Result<Option<Vec<Inventoried>>, Incomplete> {
        let Some(mut here) = open.pop() else {
            // A folder that was deleted meanwhile is left out; a workspace that went out of sight is not an end.
            let root = NodeId::root();
            patiently(self.tries, Error::retry, || self.fastio.node(self.profile, &root)).await?;
            return Ok(None);
        };
        let list = || self.fastio.list(self.profile, &here.node, here.cursor.as_deref());
        let page = match patiently(self.tries, Error::retry, list).await {
            Ok(page) => page,
            Err(error) if error.is_not_found() && !here.node.is_root() => {
                Page { items: Vec::new(), unreadable: 0, next: None }
            }
            Err(error) => return Err(error.into()),
        };
        self.unreadable += page.unreadable;
        if page.next.is_some() {
            here.pages.turn(page.items.len(), page.items.first().map(|node| node.id.as_str()))?;
        }
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for node in page.items {
            let path = path::below(&here.path, &node.name);
            let is_placed = here.is_placed && path::is_said(&node.name);
            match node.kind {
                NodeKind::Folder if here.depth == DEEPEST => return Err(Incomplete::TooDeep(path)),
                NodeKind::Folder => folders.push(Open {
                    node: node.id,
                    path,
                    is_placed,
                    depth: here.depth + 1,
                    cursor: None,
                    pages: Pages::default(),
                }),
                _ => files.push(Inventoried::new(node, is_placed.then_some(path))),
            }
        }
        if page.next.is_some() {
            here.cursor = page.next;
            open.push(here);
        }
        open.extend(folders);
        self.way = Way::Folders(open);
        Ok(Some(files))
    }
}
