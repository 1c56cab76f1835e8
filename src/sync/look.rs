//! Looking at a file: what is it now, and where? One answer, asked of Fastio when the job runs.

use std::collections::HashMap;
use std::sync::Mutex;

use super::copy::{Copy, Source};
use super::form::{Offer, is_extract};
use crate::contain::lock;
use crate::fastio::{Client, Error, Extraction, Node, NodeId, NodeKind, Profile, path};

/// Folders above a file. Deeper than people nest them, and an end for a tree that Fastio reports as a circle.
const DEEPEST: usize = 64;

/// Ids that Fastio takes in one request for details (its API reference).
const AT_ONCE: usize = 25;

/// Folders whose parents are remembered, to guess the next file's. About 10 MB when full; then it starts anew.
const GUESSES: usize = 50_000;

/// A file that is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Present {
    pub name: String,
    /// From the root of its workspace or share: `/Contracts/nda.pdf`.
    pub path: String,
    /// Whether Fastio names the file and every folder above it. Nothing is removed because of a name that it does not say.
    pub is_placed: bool,
    /// The ids of the folders above it, from its parent upwards, without the root.
    pub ancestors: Vec<NodeId>,
    pub kind: NodeKind,
    pub mime_type: Option<String>,
    /// How far Fastio is with its text.
    pub extraction: Extraction,
    /// The share that it leads to, if it is a link.
    pub share: Option<String>,
    pub source: Source,
    /// Unix milliseconds, by Fastio's clock.
    pub created_at: Option<i64>,
    /// Why Fastio would not hand it out, in words.
    pub withheld: Option<&'static str>,
    /// As [`Node::agent`].
    pub agent: Option<String>,
}

impl Present {
    /// A file at `path`, of which every name is known, below `ancestors`.
    pub fn new(node: &Node, path: String, ancestors: Vec<NodeId>) -> Self {
        Present {
            name: node.name.clone(),
            path,
            is_placed: true,
            ancestors,
            kind: node.kind,
            mime_type: node.mimetype.clone(),
            extraction: node.extraction,
            share: node.share.clone(),
            source: Source::of(node),
            created_at: node.created_at,
            withheld: withheld(node),
            agent: node.agent.clone(),
        }
    }
}

impl Present {
    /// What Fastio has read of this content it has read, whatever it says of it now: a list says nothing, and its AI may have
    /// been switched off.
    pub fn keep_extract(&mut self, copies: &[Copy]) {
        let is_extract = |copy: &Copy| {
            copy.claim.as_deref().is_some_and(is_extract) && copy.source.same_content(&self.source)
        };
        if copies.iter().any(is_extract) {
            self.extraction = Extraction::There;
        }
    }

    /// What Fastio says of it, beside its bytes.
    pub fn offer(&self) -> Offer<'_> {
        Offer {
            kind: self.kind,
            name: &self.name,
            mime_type: self.mime_type.as_deref(),
            size: self.source.size,
            extraction: self.extraction,
        }
    }
}

/// What a look found.
#[derive(Debug, Clone, PartialEq)]
pub enum Look {
    /// Fastio knows no such node, or not the folder it is in: it was purged, is too new for one of its servers, or Fastio
    /// does not show us this workspace any more.
    Unknown,
    /// Deleted, in the trash, inside a deleted folder, or not a file at all.
    Gone(&'static str),
    /// It is no file: whatever told of it, it is a folder, and may be in the trash.
    Folder,
    Present(Box<Present>),
}

/// Where a folder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Located {
    /// Fastio does not know it, or one above it.
    Unknown,
    /// It, or one above it, is in the trash.
    Gone,
    /// It is no folder, whatever told of it.
    NoFolder,
    /// Its path from the root, without a slash at the end; empty for the root itself.
    At(String),
}

/// The folders above a node.
enum Above {
    Unknown,
    Gone,
    /// From its parent upwards, without the root.
    Folders(Vec<Node>),
}

/// Looks at files through one client.
#[derive(Debug)]
pub struct Looker {
    fastio: Client,
    /// Folder → parent as last seen. Only ever a guess: it saves requests, never decides anything.
    guesses: Mutex<HashMap<(Profile, NodeId), NodeId>>,
}

impl Looker {
    pub fn new(fastio: Client) -> Self {
        Looker { fastio, guesses: Mutex::default() }
    }

    /// What `node` is now.
    ///
    /// # Errors
    /// Fastio's, except that a node it does not have is [`Look::Unknown`].
    pub async fn look(&self, profile: &Profile, node: &NodeId) -> Result<Look, Error> {
        let node = match self.fastio.node(profile, node).await {
            Ok(node) => node,
            Err(error) if error.is_not_found() => return Ok(Look::Unknown),
            Err(error) => return Err(error),
        };
        match node.kind {
            // Nothing is removed because of what an answer lacks.
            NodeKind::File if node.size.is_none() => return Err(Error::unsaid("the size of the file")),
            NodeKind::Unsaid => return Err(Error::unsaid("what kind of node it is")),
            NodeKind::File | NodeKind::Note | NodeKind::Link => {}
            NodeKind::Folder => return Ok(Look::Folder),
            NodeKind::Other => return Ok(Look::Gone("it is not a file")),
        }
        if node.trashed {
            return Ok(Look::Gone("it is in the trash"));
        }
        Ok(match self.folders_above(profile, &node).await? {
            Above::Unknown => Look::Unknown,
            Above::Gone => Look::Gone("a folder above it is deleted"),
            Above::Folders(folders) => Look::Present(Box::new(present(&node, &folders))),
        })
    }

    /// Where a folder is.
    ///
    /// # Errors
    /// Fastio's.
    pub async fn locate(&self, profile: &Profile, folder: &NodeId) -> Result<Located, Error> {
        if folder.is_root() {
            return Ok(Located::At(String::new()));
        }
        let node = match self.fastio.node(profile, folder).await {
            Ok(node) => node,
            Err(error) if error.is_not_found() => return Ok(Located::Unknown),
            Err(error) => return Err(error),
        };
        if node.kind != NodeKind::Folder {
            return Ok(Located::NoFolder);
        }
        if node.trashed {
            return Ok(Located::Gone);
        }
        Ok(match self.folders_above(profile, &node).await? {
            Above::Unknown => Located::Unknown,
            Above::Gone => Located::Gone,
            Above::Folders(folders) => Located::At(path_of(&node.name, &folders)),
        })
    }

    async fn folders_above(&self, profile: &Profile, node: &Node) -> Result<Above, Error> {
        let mut folders: Vec<Node> = Vec::new();
        let mut fetched: Vec<Node> = Vec::new();
        let mut next = node.parent.clone();
        while let Some(id) = next.filter(|id| !id.is_root()) {
            if !fetched.iter().any(|folder| folder.id == id) {
                fetched = self.fastio.nodes(profile, &self.guess(profile, &id)).await?;
            }
            // A folder may be too new for one of Fastio's servers while the file in it is not.
            let Some(position) = fetched.iter().position(|folder| folder.id == id) else {
                return Ok(Above::Unknown);
            };
            let folder = fetched.swap_remove(position);
            if folder.trashed || folders.len() == DEEPEST {
                return Ok(Above::Gone);
            }
            next = folder.parent.clone();
            folders.push(folder);
        }
        self.remember(profile, &folders);
        Ok(Above::Folders(folders))
    }

    /// `id` and the folders that were above it when last seen, to fetch them all in one request.
    fn guess(&self, profile: &Profile, id: &NodeId) -> Vec<NodeId> {
        let guesses = lock(&self.guesses);
        let mut ids = vec![id.clone()];
        while ids.len() < AT_ONCE {
            let last = ids.last().expect("it begins with one").clone();
            let Some(parent) = guesses.get(&(profile.clone(), last)).filter(|id| !ids.contains(id)) else {
                break;
            };
            ids.push(parent.clone());
        }
        ids
    }

    fn remember(&self, profile: &Profile, folders: &[Node]) {
        let mut guesses = lock(&self.guesses);
        if guesses.len() >= GUESSES {
            guesses.clear();
        }
        for folder in folders {
            if let Some(parent) = folder.parent.clone().filter(|id| !id.is_root()) {
                guesses.insert((profile.clone(), folder.id.clone()), parent);
            }
        }
    }
}

fn path_of(name: &str, folders: &[Node]) -> String {
    let above = folders.iter().rev().map(|folder| folder.name.as_str());
    above.chain([name]).fold(String::new(), |folder, name| path::below(&folder, name))
}

/// Why Fastio would not hand `node` out, in words.
pub(super) fn withheld(node: &Node) -> Option<&'static str> {
    if node.infected {
        Some("Fastio's virus scan found something in it")
    } else if node.dmca {
        Some("it is blocked at Fastio by a copyright complaint")
    } else if node.restricted {
        Some("it is restricted at Fastio")
    } else {
        None
    }
}

fn present(node: &Node, folders: &[Node]) -> Present {
    let named = |node: &Node| path::is_said(&node.name);
    let ancestors = folders.iter().map(|folder| folder.id.clone()).collect();
    Present {
        is_placed: named(node) && folders.iter().all(named),
        ..Present::new(node, path_of(&node.name, folders), ancestors)
    }
}
