//! The changes of a world: what each does to the trees, and what it says about it.
//!
//! The documented events and no others: one for a folder and none for what is in it, none for a purge.

use std::sync::Arc;

use bytes::Bytes;

use crate::fastio::profile::Profile;

use super::content::Stored;
use super::event::EventKind;
use super::id::{IdKind, canonical, shown};
use super::refusal::Refusal;
use super::tree::{Key, MAX_DEPTH, Node, NodeKind, ROOT, Version, segments};
use super::world::{Actor, World};

/// The longest name Fastio takes.
const MAX_NAME_CHARS: usize = 255;

/// The longest title and description of a node, as the official command-line client has them.
const MAX_TITLE_CHARS: usize = 50;
const MAX_SHORT_CHARS: usize = 2_048;

/// The largest note, as documented.
const MAX_NOTE_BYTES: usize = 100 * 1024;

impl World {
    fn version(&mut self, content: Arc<Stored>, by: &Actor) -> Version {
        Version { id: self.ids.make(IdKind::Version), content, created: by.now, creator: by.user.clone() }
    }

    fn new_node(&mut self, kind: NodeKind, parent: Key, name: String, by: &Actor) -> Node {
        Node {
            id: self.ids.make(IdKind::Node),
            kind,
            name,
            described: (None, None),
            parent,
            created: by.now,
            modified: by.now,
            versions: Vec::new(),
            current: 0,
            creator: by.user.clone(),
            trashed: None,
            announced: None,
            extraction: None,
            share: None,
            absences: Vec::new(),
            lock: None,
        }
    }

    /// An upload arrives in a folder: a file of that name gets a new version in place, anything else of that name stays
    /// and the new file is called `name (2)`.
    pub fn put_file(
        &mut self,
        profile: &Profile,
        (parent, name): (Key, &str),
        content: Arc<Stored>,
        by: &Actor,
    ) -> Result<Key, Refusal> {
        check_name(name)?;
        let tree = self.tree(profile)?;
        match tree.child(parent, name) {
            Some(key) if tree.node(key).is_some_and(|node| node.kind == NodeKind::File) => {
                self.put_version(profile, key, content, by)?;
                Ok(key)
            }
            _ => self.add_file(profile, NodeKind::File, (parent, name), content, by),
        }
    }

    fn add_file(
        &mut self,
        profile: &Profile,
        kind: NodeKind,
        (parent, name): (Key, &str),
        content: Arc<Stored>,
        by: &Actor,
    ) -> Result<Key, Refusal> {
        let name = self.tree(profile)?.free_name(parent, name);
        let mut node = self.new_node(kind, parent, name, by);
        node.versions.push(self.version(content, by));
        let key = self.tree_mut(profile)?.add(node);
        self.record(profile, key, EventKind::Added, by);
        Ok(key)
    }

    /// The file gets a new current version.
    pub fn put_version(
        &mut self,
        profile: &Profile,
        key: Key,
        content: Arc<Stored>,
        by: &Actor,
    ) -> Result<(), Refusal> {
        let version = self.version(content, by);
        let node = self.tree_mut(profile)?.node_mut(key).ok_or_else(Refusal::no_node)?;
        if !node.kind.is_file() {
            return Err(Refusal::input("The node is not a file."));
        }
        node.versions.push(version);
        node.current = node.versions.len() - 1;
        node.modified = by.now;
        self.record(profile, key, EventKind::Updated, by);
        Ok(())
    }

    /// The compare-and-set of updates: `expected` is the version the caller read.
    pub fn check_version(&self, profile: &Profile, key: Key, expected: Option<&str>) -> Result<(), Refusal> {
        let Some(expected) = expected else { return Ok(()) };
        let node = self.tree(profile)?.node(key).ok_or_else(Refusal::no_node)?;
        match node.version() {
            Some(version) if version.id == canonical(expected) => Ok(()),
            Some(version) => Err(Refusal::stale_version(&shown(&version.id))),
            None => Err(Refusal::input("if_version_id: The node has no versions.")),
        }
    }

    /// Inferred: an older version becomes the current one under its own id, and no new version is made.
    pub fn restore_version(
        &mut self,
        profile: &Profile,
        key: Key,
        id: &str,
        by: &Actor,
    ) -> Result<(), Refusal> {
        let node = self.tree_mut(profile)?.node_mut(key).ok_or_else(Refusal::no_node)?;
        let wanted = canonical(id);
        let place = node.versions.iter().position(|version| version.id == wanted);
        node.current = place.ok_or_else(|| Refusal::not_found("The version"))?;
        node.modified = by.now;
        self.record(profile, key, EventKind::VersionRestored, by);
        Ok(())
    }

    /// Makes a folder, or finds the one that is there unless `force` asks for another.
    pub fn make_folder(
        &mut self,
        profile: &Profile,
        (parent, name): (Key, &str),
        force: bool,
        by: &Actor,
    ) -> Result<Key, Refusal> {
        check_name(name)?;
        let tree = self.tree(profile)?;
        if tree.upwards(parent).count() + 1 >= MAX_DEPTH {
            return Err(Refusal::input("Folders are nested too deeply."));
        }
        match tree.child(parent, name) {
            Some(key) if !force && tree.is_folder(key) => return Ok(key),
            _ => {}
        }
        let name = tree.free_name(parent, name);
        let node = self.new_node(NodeKind::Folder, parent, name, by);
        let key = self.tree_mut(profile)?.add(node);
        self.record(profile, key, EventKind::Added, by);
        Ok(key)
    }

    /// The folder at `path`, made with all the folders above it as far as they are missing.
    pub fn make_folders(&mut self, profile: &Profile, path: &str, by: &Actor) -> Result<Key, Refusal> {
        let mut at = ROOT;
        for name in segments(path) {
            at = self.make_folder(profile, (at, name), false, by)?;
        }
        Ok(at)
    }

    pub fn make_note(
        &mut self,
        profile: &Profile,
        place: (Key, &str),
        text: &str,
        by: &Actor,
    ) -> Result<Key, Refusal> {
        check_name(place.1)?;
        if !place.1.to_ascii_lowercase().ends_with(".md") {
            return Err(Refusal::input("name: A note's name must end in .md."));
        }
        let content = note_content(text)?;
        self.add_file(profile, NodeKind::Note, place, content, by)
    }

    /// Inferred: a link is called by the share that it leads to.
    pub fn make_link(
        &mut self,
        profile: &Profile,
        (parent, share): (Key, &str),
        by: &Actor,
    ) -> Result<Key, Refusal> {
        let name = self.tree(profile)?.free_name(parent, share);
        let mut node = self.new_node(NodeKind::Link, parent, name, by);
        node.share = Some(share.to_owned());
        let key = self.tree_mut(profile)?.add(node);
        self.record(profile, key, EventKind::Added, by);
        Ok(key)
    }

    pub fn write_note(&mut self, profile: &Profile, key: Key, text: &str, by: &Actor) -> Result<(), Refusal> {
        let content = note_content(text)?;
        self.put_version(profile, key, content, by)
    }

    /// Inferred: a name that is taken refuses the renaming.
    pub fn rename(&mut self, profile: &Profile, key: Key, name: &str, by: &Actor) -> Result<(), Refusal> {
        check_name(name)?;
        let tree = self.tree_mut(profile)?;
        let (parent, old) = match tree.node(key) {
            Some(node) => (node.parent, node.name.clone()),
            None => return Err(Refusal::no_node()),
        };
        if old == name {
            return Ok(());
        }
        if tree.child(parent, name).is_some() {
            return Err(Refusal::conflict(1669, "The folder already has a node of that name."));
        }
        tree.place(key, parent, name);
        self.touch(profile, key, by)?;
        self.record(profile, key, EventKind::Updated, by);
        Ok(())
    }

    /// Calls a node what no request could: a name of any kind, or none where it is empty. What others than Fastio's API
    /// put there, such as an import, may be called so.
    pub fn call(&mut self, profile: &Profile, key: Key, name: &str, by: &Actor) -> Result<(), Refusal> {
        let tree = self.tree_mut(profile)?;
        let parent = tree.node(key).ok_or_else(Refusal::no_node)?.parent;
        if tree.child(parent, name).is_some_and(|there| there != key) {
            return Err(Refusal::conflict(1669, "The folder already has a node of that name."));
        }
        tree.place(key, parent, name);
        self.touch(profile, key, by)?;
        self.record(profile, key, EventKind::Updated, by);
        Ok(())
    }

    /// Gives a node a title and a short description; an empty text or `null` takes one away. An update without a new version.
    pub fn describe(
        &mut self,
        profile: &Profile,
        key: Key,
        (title, short): (Option<&str>, Option<&str>),
        by: &Actor,
    ) -> Result<(), Refusal> {
        let fits = |text: Option<&str>, most| text.is_none_or(|text| text.chars().count() <= most);
        if !fits(title, MAX_TITLE_CHARS) || !fits(short, MAX_SHORT_CHARS) {
            return Err(Refusal::input(
                "metadata: A title has at most 50 characters and a description 2048.",
            ));
        }
        let node = self.tree_mut(profile)?.node_mut(key).ok_or_else(Refusal::no_node)?;
        let said = |text: &str| (!matches!(text, "" | "null")).then(|| text.to_owned());
        title.into_iter().for_each(|title| node.described.0 = said(title));
        short.into_iter().for_each(|short| node.described.1 = said(short));
        self.touch(profile, key, by)?;
        self.record(profile, key, EventKind::Updated, by);
        Ok(())
    }

    fn touch(&mut self, profile: &Profile, key: Key, by: &Actor) -> Result<(), Refusal> {
        let node = self.tree_mut(profile)?.node_mut(key).ok_or_else(Refusal::no_node)?;
        node.modified = by.now;
        Ok(())
    }

    /// Moves a node into another folder; what has its name there goes to the trash.
    pub fn move_into(&mut self, profile: &Profile, key: Key, parent: Key, by: &Actor) -> Result<(), Refusal> {
        let tree = self.tree(profile)?;
        let node = tree.node(key).ok_or_else(Refusal::no_node)?;
        if tree.upwards(parent).any(|(above, _)| above == key) {
            return Err(Refusal::input("A folder cannot be moved into itself."));
        }
        if node.parent == parent {
            return Ok(());
        }
        let name = node.name.clone();
        self.clear_place(profile, parent, &name, by)?;
        self.tree_mut(profile)?.place(key, parent, &name);
        self.record(profile, key, EventKind::Moved, by);
        Ok(())
    }

    /// Trashes what stands where something else is going to stand.
    pub fn clear_place(
        &mut self,
        profile: &Profile,
        parent: Key,
        name: &str,
        by: &Actor,
    ) -> Result<(), Refusal> {
        match self.tree(profile)?.child(parent, name) {
            Some(key) => self.trash(profile, key, by),
            None => Ok(()),
        }
    }

    /// Copies a node, a folder with all that is in it. Only the current versions are copied.
    pub fn copy_into(
        &mut self,
        profile: &Profile,
        key: Key,
        parent: Key,
        by: &Actor,
    ) -> Result<Key, Refusal> {
        let tree = self.tree(profile)?;
        let source = tree.node(key).ok_or_else(Refusal::no_node)?;
        if tree.upwards(parent).any(|(above, _)| above == key) {
            return Err(Refusal::input("A folder cannot be copied into itself."));
        }
        let mut name = source.name.clone();
        if source.parent == parent {
            name = tree.free_name(parent, &name);
        } else {
            self.clear_place(profile, parent, &name, by)?;
        }
        let top = self.copy_node(profile, key, (parent, name), by)?;
        let mut left = vec![(key, top)];
        while let Some((from, to)) = left.pop() {
            let tree = self.tree(profile)?;
            let children: Vec<(Key, String)> = (tree.children_after(from, None))
                .filter_map(|child| Some((child, tree.node(child)?.name.clone())))
                .collect();
            for (child, name) in children {
                left.push((child, self.copy_node(profile, child, (to, name), by)?));
            }
        }
        self.record(profile, top, EventKind::Copied, by);
        Ok(top)
    }

    fn copy_node(
        &mut self,
        profile: &Profile,
        key: Key,
        place: (Key, String),
        by: &Actor,
    ) -> Result<Key, Refusal> {
        let source = self.tree(profile)?.node(key).ok_or_else(Refusal::no_node)?;
        let (kind, share) = (source.kind, source.share.clone());
        let content = source.version().map(|version| Arc::clone(&version.content));
        let mut node = self.new_node(kind, place.0, place.1, by);
        node.share = share;
        if let Some(content) = content {
            node.versions.push(self.version(content, by));
        }
        Ok(self.tree_mut(profile)?.add(node))
    }

    pub fn trash(&mut self, profile: &Profile, key: Key, by: &Actor) -> Result<(), Refusal> {
        self.tree_mut(profile)?.trash(key, by.now);
        self.record(profile, key, EventKind::Deleted, by);
        Ok(())
    }

    /// Takes a node out of the trash to where it was, or to the root when that folder is gone.
    pub fn restore(&mut self, profile: &Profile, key: Key, by: &Actor) -> Result<(), Refusal> {
        let tree = self.tree(profile)?;
        let node = tree.node(key).filter(|node| node.trashed.is_some());
        let node = node.ok_or_else(|| Refusal::input("The node is not in the trash."))?;
        let there = node.parent == ROOT
            || (tree.node(node.parent).is_some() && tree.trashed_at(node.parent).is_none());
        let (parent, name) = (if there { node.parent } else { ROOT }, node.name.clone());
        self.clear_place(profile, parent, &name, by)?;
        let tree = self.tree_mut(profile)?;
        tree.place(key, parent, &name);
        tree.note_presence(key, by.now);
        self.record(profile, key, EventKind::Restored, by);
        Ok(())
    }

    /// Removes a node for good, from the trash or from where it is. It says nothing, as documented for purges.
    pub fn purge(&mut self, profile: &Profile, key: Key) -> Result<(), Refusal> {
        self.tree_mut(profile)?.purge(key);
        Ok(())
    }
}

/// Whether a file or folder may be called so.
pub fn is_name(name: &str) -> bool {
    !(name.is_empty()
        || name == "."
        || name == ".."
        || name.chars().count() > MAX_NAME_CHARS
        || name.chars().any(|c| c == '/' || c.is_control()))
}

fn check_name(name: &str) -> Result<(), Refusal> {
    if is_name(name) { Ok(()) } else { Err(Refusal::input("name: This is not a valid name.")) }
}

fn note_content(text: &str) -> Result<Arc<Stored>, Refusal> {
    let clean: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r')).collect();
    if clean.len() > MAX_NOTE_BYTES {
        return Err(Refusal::input("content: A note has at most 100 KB."));
    }
    Ok(Arc::new(Stored::kept(Bytes::from(clean))))
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
