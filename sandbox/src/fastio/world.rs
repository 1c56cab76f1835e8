//! Everything Fastio knows in this stand-in, and how it is found and remembered.
//!
//! Pure: no HTTP, no clock, no randomness but the seed. [`super::change`] has the methods that change it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::fastio::profile::Profile;

use super::cloud::Cloud;
use super::comment::Comments;
use super::content::Stored;
use super::event::{Event, EventKind, Log};
use super::file_share::FileShares;
use super::id::{IdKind, Ids, is_well_formed};
use super::many::Many;
use super::refusal::Refusal;
use super::talk::Talks;
use super::token::Tokens;
use super::tree::{Key, ROOT, Tree};
use super::upload::Uploads;
use super::web::Web;

/// More workspaces and shares than any test has; bounds what strangers' ids can make.
const MAX_PROFILES: usize = 10_000;

/// Who changes something, and when.
#[derive(Debug, Clone)]
pub struct Actor {
    pub user: String,
    pub now: i64,
}

#[derive(Debug)]
pub struct World {
    pub ids: Ids,
    pub log: Log,
    pub uploads: Uploads,
    pub web: Web,
    pub cloud: Cloud,
    pub talks: Talks,
    pub tokens: Tokens,
    pub comments: Comments,
    pub file_shares: FileShares,
    trees: BTreeMap<Profile, Tree>,
    many: BTreeMap<Profile, Many>,
    /// Those that are hidden from every key for now.
    hidden: BTreeMap<Profile, Tree>,
    /// How long Fastio's AI takes to read a file; it reads none where there is none.
    read_delay_ms: Option<i64>,
}

impl World {
    pub fn new(seed: u64, read_delay_ms: Option<i64>) -> World {
        World {
            ids: Ids::new(seed),
            log: Log::default(),
            uploads: Uploads::default(),
            web: Web::default(),
            cloud: Cloud::default(),
            talks: Talks::default(),
            tokens: Tokens::default(),
            comments: Comments::default(),
            file_shares: FileShares::default(),
            trees: BTreeMap::new(),
            many: BTreeMap::new(),
            hidden: BTreeMap::new(),
            read_delay_ms,
        }
    }

    /// Fills a workspace or share with files that follow by formula.
    pub fn generate(&mut self, profile: &Profile, many: Many) -> Result<(), Refusal> {
        self.ensure(profile)?;
        self.many.insert(profile.clone(), many);
        Ok(())
    }

    pub fn many(&self, profile: &Profile) -> Option<&Many> {
        self.many.get(profile)
    }

    /// The file made by formula that `id` means.
    pub fn one_of_many(&self, profile: &Profile, id: &str) -> Option<(&Many, u64)> {
        let many = self.many(profile)?;
        many.find(id).map(|number| (many, number))
    }

    pub fn trees(&self) -> impl Iterator<Item = &Tree> {
        self.trees.values()
    }

    pub fn tree(&self, profile: &Profile) -> Result<&Tree, Refusal> {
        self.trees.get(profile).ok_or_else(|| no_profile(profile))
    }

    pub fn tree_mut(&mut self, profile: &Profile) -> Result<&mut Tree, Refusal> {
        self.trees.get_mut(profile).ok_or_else(|| no_profile(profile))
    }

    /// A content that some file has or had.
    pub fn by_hash(&self, algorithm: &str, hash: &str) -> Option<Arc<Stored>> {
        let versions = self.trees().flat_map(|tree| tree.all().flat_map(|(_, node)| &node.versions));
        versions
            .map(|version| &version.content)
            .find(|content| content.has_hash(algorithm, hash))
            .map(Arc::clone)
    }

    /// Makes the workspace or share exist. Writing does it too, so that a test needs no set-up.
    pub fn ensure(&mut self, profile: &Profile) -> Result<(), Refusal> {
        if self.trees.contains_key(profile) {
            return Ok(());
        }
        if let Some(tree) = self.hidden.remove(profile) {
            self.trees.insert(profile.clone(), tree);
            return Ok(());
        }
        let plausible = profile.id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if !plausible || profile.id.is_empty() || self.trees.len() >= MAX_PROFILES {
            return Err(no_profile(profile));
        }
        self.trees.insert(profile.clone(), Tree::new(profile.clone(), self.read_delay_ms));
        Ok(())
    }

    /// Hides the workspace or share from every key, until [`World::ensure`] brings it back.
    pub fn hide(&mut self, profile: &Profile) -> Result<(), Refusal> {
        let tree = self.trees.remove(profile).ok_or_else(|| no_profile(profile))?;
        self.hidden.insert(profile.clone(), tree);
        Ok(())
    }

    /// Finds a node by the id in a request, live or trashed. `root` is the top folder.
    pub fn resolve(&self, profile: &Profile, id: &str) -> Result<Key, Refusal> {
        let tree = self.tree(profile)?;
        if id == "root" {
            return Ok(ROOT);
        }
        match tree.find(id) {
            Some(key) => Ok(key),
            None if is_well_formed(id) => Err(Refusal::no_node()),
            None => Err(Refusal::bad_id()),
        }
    }

    /// Finds a live folder.
    pub fn folder(&self, profile: &Profile, id: &str) -> Result<Key, Refusal> {
        let key = self.resolve(profile, id)?;
        let tree = self.tree(profile)?;
        if !tree.is_folder(key) {
            return Err(Refusal::input("The node is not a folder."));
        }
        if tree.trashed_at(key).is_some() { Err(Refusal::no_node()) } else { Ok(key) }
    }

    /// Finds a live node that is not the root.
    pub fn live(&self, profile: &Profile, id: &str) -> Result<Key, Refusal> {
        let key = self.resolve(profile, id)?;
        if key == ROOT {
            return Err(Refusal::input("The root cannot be changed."));
        }
        if self.tree(profile)?.trashed_at(key).is_some() { Err(Refusal::no_node()) } else { Ok(key) }
    }

    pub(super) fn record(&mut self, profile: &Profile, key: Key, what: EventKind, by: &Actor) {
        let Some(node) = self.trees.get(profile).and_then(|tree| tree.node(key)) else { return };
        let id = self.ids.make(IdKind::Event);
        self.log.push(|seq| Event {
            seq,
            id,
            what,
            kind: node.kind,
            profile: profile.clone(),
            object: node.id.clone(),
            at: by.now,
            user: by.user.clone(),
            version: node.version().map(|version| version.id.clone()),
            acknowledged: false,
        });
    }

    /// Records that a download token was made.
    pub fn token_made(&mut self, profile: &Profile, key: Key, by: &Actor) {
        self.record(profile, key, EventKind::DownloadTokenCreated, by);
    }

    /// Takes a lock away from its holder, as an administrator can.
    pub fn override_lock(&mut self, profile: &Profile, key: Key, by: &Actor) -> Result<(), Refusal> {
        let node = self.tree_mut(profile)?.node_mut(key).ok_or_else(Refusal::no_node)?;
        if node.lock.take().is_some() {
            self.record(profile, key, EventKind::LockOverridden, by);
        }
        Ok(())
    }
}

fn no_profile(profile: &Profile) -> Refusal {
    Refusal::not_found(&format!("The {}", profile.kind.as_str()))
}
