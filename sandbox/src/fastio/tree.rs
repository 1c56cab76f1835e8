//! One storage tree: the folders, files and notes of a workspace or a share, with their versions and the trash.
//!
//! Pure data. It keeps its own maps consistent and knows neither events nor HTTP; [`super::world`] changes it and says
//! what happened. Looking up, listing a page by name and walking the inventory cost no more in a tree of a million files.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use crate::fastio::profile::Profile;

use super::content::Stored;
use super::id::canonical;
use super::lock::Lock;
use super::reading::{Reading, reading};

/// A node within its tree, in the order of creation.
pub type Key = u64;

/// The top folder; it has no id but its alias `root`.
pub const ROOT: Key = 0;

/// How deep folders nest. Bounds every walk to the top.
pub const MAX_DEPTH: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    File,
    Folder,
    Note,
    /// To a share. The official command-line client knows no other link (`addlink/`).
    Link,
}

impl NodeKind {
    pub fn as_str(self) -> &'static str {
        match self {
            NodeKind::File => "file",
            NodeKind::Folder => "folder",
            NodeKind::Note => "note",
            NodeKind::Link => "link",
        }
    }

    /// Whether it has content and versions.
    pub fn is_file(self) -> bool {
        matches!(self, NodeKind::File | NodeKind::Note)
    }
}

/// The text that Fastio's AI read out of a file.
#[derive(Debug, Clone)]
pub struct Extraction {
    /// `disabled`, `pending`, `in_progress`, `ready` or `failed`.
    pub state: String,
    pub text: String,
    /// The version that it was read out of, without hyphens.
    pub version: String,
}

#[derive(Debug, Clone)]
pub struct Version {
    pub id: String,
    pub content: Arc<Stored>,
    pub created: i64,
    /// The user who made it.
    pub creator: String,
}

#[derive(Debug, Clone)]
pub struct Node {
    /// Without hyphens.
    pub id: String,
    pub kind: NodeKind,
    pub name: String,
    /// What it is said to be, where that was given by hand: a title and a short description.
    pub described: (Option<String>, Option<String>),
    /// The type that Fastio announces, where it is not the one that the name suggests.
    pub announced: Option<String>,
    /// Where a test said what is read.
    pub extraction: Option<Extraction>,
    /// The share that a link leads to.
    pub share: Option<String>,
    /// Stays when the node is trashed: where `restore/` puts it back.
    pub parent: Key,
    pub created: i64,
    pub modified: i64,
    /// Oldest first; empty for a folder.
    pub versions: Vec<Version>,
    /// Which of `versions` is the content now.
    pub current: usize,
    pub creator: String,
    /// When it was put into the trash itself (not with a folder above it).
    pub trashed: Option<i64>,
    /// From when until when it was in the trash, itself or with a folder above it; the last may go on.
    pub absences: Vec<(i64, Option<i64>)>,
    pub lock: Option<Lock>,
}

impl Node {
    pub fn version(&self) -> Option<&Version> {
        self.versions.get(self.current)
    }
}

#[derive(Debug)]
pub struct Tree {
    pub profile: Profile,
    read_delay_ms: Option<i64>,
    next: Key,
    nodes: BTreeMap<Key, Node>,
    by_id: HashMap<String, Key>,
    /// Names within a folder, without what was trashed by itself.
    children: HashMap<Key, BTreeMap<String, Key>>,
    /// What was trashed by itself.
    trash: BTreeMap<Key, ()>,
}

impl Tree {
    pub fn new(profile: Profile, read_delay_ms: Option<i64>) -> Tree {
        Tree {
            profile,
            read_delay_ms,
            next: ROOT + 1,
            nodes: BTreeMap::new(),
            by_id: HashMap::new(),
            children: HashMap::new(),
            trash: BTreeMap::new(),
        }
    }

    pub fn find(&self, id: &str) -> Option<Key> {
        self.by_id.get(&canonical(id)).copied()
    }

    pub fn node(&self, key: Key) -> Option<&Node> {
        self.nodes.get(&key)
    }

    pub fn node_mut(&mut self, key: Key) -> Option<&mut Node> {
        self.nodes.get_mut(&key)
    }

    /// How far Fastio's AI is with a file of it, where it reads it at all.
    pub fn reading<'a>(&self, node: &'a Node, now: i64) -> Option<Reading<'a>> {
        reading(node, self.read_delay_ms, now)
    }

    pub fn child(&self, folder: Key, name: &str) -> Option<Key> {
        self.children.get(&folder)?.get(name).copied()
    }

    pub fn is_folder(&self, key: Key) -> bool {
        key == ROOT || self.node(key).is_some_and(|node| node.kind == NodeKind::Folder)
    }

    /// The node and the folders above it, from the bottom, without the root.
    pub fn upwards(&self, key: Key) -> impl Iterator<Item = (Key, &Node)> {
        let mut at = key;
        std::iter::from_fn(move || {
            let node = self.node(at)?;
            let here = (at, node);
            at = node.parent;
            Some(here)
        })
    }

    /// When the node went to the trash, itself or with a folder above it.
    pub fn trashed_at(&self, key: Key) -> Option<i64> {
        self.upwards(key).find_map(|(_, node)| node.trashed)
    }

    pub fn path(&self, key: Key) -> String {
        let mut names: Vec<&str> = self.upwards(key).map(|(_, node)| node.name.as_str()).collect();
        names.reverse();
        format!("/{}", names.join("/"))
    }

    /// Finds a live node by its path from the root.
    pub fn at_path(&self, path: &str) -> Option<Key> {
        segments(path).try_fold(ROOT, |folder, name| self.child(folder, name))
    }

    pub fn add(&mut self, node: Node) -> Key {
        let key = self.next;
        self.next += 1;
        self.by_id.insert(node.id.clone(), key);
        self.children.entry(node.parent).or_default().insert(node.name.clone(), key);
        self.nodes.insert(key, node);
        key
    }

    /// Gives the node another place or name. The caller has made sure that the place is free.
    pub fn place(&mut self, key: Key, parent: Key, name: &str) {
        self.unlink(key);
        if let Some(node) = self.nodes.get_mut(&key) {
            node.parent = parent;
            node.name = name.to_owned();
            node.trashed = None;
        }
        self.trash.remove(&key);
        self.children.entry(parent).or_default().insert(name.to_owned(), key);
    }

    pub fn trash(&mut self, key: Key, now: i64) {
        self.unlink(key);
        if let Some(node) = self.nodes.get_mut(&key) {
            node.trashed = Some(now);
            node.lock = None;
            self.trash.insert(key, ());
        }
        self.note_presence(key, now);
    }

    /// Writes down for the node and everything under it since when it is there or is not.
    pub fn note_presence(&mut self, key: Key, now: i64) {
        let mut left = vec![key];
        while let Some(key) = left.pop() {
            left.extend(self.children.get(&key).into_iter().flat_map(BTreeMap::values));
            let absent = self.trashed_at(key).is_some();
            let Some(node) = self.nodes.get_mut(&key) else { continue };
            match node.absences.last_mut() {
                Some((_, until @ None)) if !absent => *until = Some(now),
                Some((_, None)) => {}
                _ if absent => node.absences.push((now, None)),
                _ => {}
            }
        }
    }

    fn unlink(&mut self, key: Key) {
        let Some(node) = self.nodes.get(&key) else { return };
        if let Some(names) = self.children.get_mut(&node.parent)
            && names.get(&node.name) == Some(&key)
        {
            names.remove(&node.name);
        }
    }

    /// Removes the node and everything under it for good.
    pub fn purge(&mut self, key: Key) {
        self.unlink(key);
        self.trash.remove(&key);
        let mut left = vec![key];
        while let Some(key) = left.pop() {
            left.extend(self.children.remove(&key).into_iter().flat_map(BTreeMap::into_values));
            if let Some(node) = self.nodes.remove(&key) {
                self.by_id.remove(&node.id);
            }
        }
        // What was trashed out of a folder that is gone goes with it: nothing could show or restore it.
        let orphans: Vec<Key> = (self.trash.keys().copied())
            .filter(|key| self.node(*key).is_some_and(|n| n.parent != ROOT && self.node(n.parent).is_none()))
            .collect();
        orphans.into_iter().for_each(|key| self.purge(key));
    }

    /// The live children of a folder by name, from after `after` on.
    pub fn children_after(&self, folder: Key, after: Option<&str>) -> impl Iterator<Item = Key> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let names = self.children.get(&folder);
        names
            .into_iter()
            .flat_map(move |names| names.range::<str, _>((from, Bound::Unbounded)))
            .map(|(_, key)| *key)
    }

    /// What was put into the trash itself, oldest first.
    pub fn in_trash(&self) -> impl Iterator<Item = Key> {
        self.trash.keys().copied()
    }

    /// Every live node created after `after`, in the order of creation.
    pub fn live_after(&self, after: Key) -> impl Iterator<Item = (Key, &Node)> {
        (self.nodes.range((Bound::Excluded(after), Bound::Unbounded)))
            .map(|(key, node)| (*key, node))
            .filter(|(key, _)| self.trashed_at(*key).is_none())
    }

    /// Every node, live or trashed, in the order of creation.
    pub fn all(&self) -> impl Iterator<Item = (Key, &Node)> {
        self.nodes.iter().map(|(key, node)| (*key, node))
    }

    /// `name`, or `name (2)` and so on, whichever is free in the folder.
    pub fn free_name(&self, folder: Key, name: &str) -> String {
        if self.child(folder, name).is_none() {
            return name.to_owned();
        }
        let (stem, extension) = match name.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() => (stem, format!(".{extension}")),
            _ => (name, String::new()),
        };
        (2..)
            .map(|number: u64| format!("{stem} ({number}){extension}"))
            .find(|name| self.child(folder, name).is_none())
            .expect("a folder has fewer names than there are numbers")
    }
}

/// The names along a path.
pub fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty())
}
