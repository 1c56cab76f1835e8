//! Fastio's ids. Opaque: nothing here checks their form, because Fastio may change it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a storage tree belongs to. Fastio serves both under the same paths, `/workspace/…` and `/share/…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProfileKind {
    Workspace,
    Share,
}

impl ProfileKind {
    pub fn as_str(self) -> &'static str {
        match self {
            ProfileKind::Workspace => "workspace",
            ProfileKind::Share => "share",
        }
    }
}

/// A workspace or a share, written `workspace:4829105738291047362`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Profile {
    pub kind: ProfileKind,
    pub id: String,
}

impl Profile {
    pub fn workspace(id: impl Into<String>) -> Self {
        Profile { kind: ProfileKind::Workspace, id: id.into() }
    }

    pub fn share(id: impl Into<String>) -> Self {
        Profile { kind: ProfileKind::Share, id: id.into() }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.id)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not of the form workspace:ID or share:ID")]
pub struct BadProfile(String);

impl FromStr for Profile {
    type Err = BadProfile;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("workspace", id)) if !id.is_empty() => Ok(Profile::workspace(id)),
            Some(("share", id)) if !id.is_empty() => Ok(Profile::share(id)),
            _ => Err(BadProfile(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Profile {
    type Error = BadProfile;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Profile> for String {
    fn from(profile: Profile) -> Self {
        profile.to_string()
    }
}

/// A file, folder, note or link in a storage tree.
///
/// Kept as Fastio wrote it, compared without hyphens and case: Fastio returns `2abcd-efghj-…`, accepts both forms,
/// and one list filter was measured to match the bare form only (documented in its official CLI's source).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(String);

impl NodeId {
    pub fn new(id: impl Into<String>) -> Self {
        NodeId(id.into())
    }

    /// The alias of a tree's top folder.
    pub fn root() -> Self {
        NodeId("root".to_owned())
    }

    pub fn is_root(&self) -> bool {
        self.0 == "root"
    }

    /// As Fastio wrote it, for use in a request.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which two spellings of one id are equal, for keys.
    pub fn canonical(&self) -> String {
        self.canonical_chars().collect()
    }

    fn canonical_chars(&self) -> impl Iterator<Item = char> + '_ {
        self.0.chars().filter(|c| *c != '-').map(|c| c.to_ascii_lowercase())
    }
}

impl PartialEq for NodeId {
    fn eq(&self, other: &Self) -> bool {
        self.canonical_chars().eq(other.canonical_chars())
    }
}

impl Eq for NodeId {}

impl Hash for NodeId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.canonical().hash(state);
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One version of a file's content. Equal ids mean equal content; unequal ids may still mean equal content.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VersionId(pub String);

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One file, for ever: its version, name and place may change. Written `workspace:4829105738291047362:2abcd…`, which is
/// also the attribute `source_id` of its copies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileKey {
    pub profile: Profile,
    pub node: NodeId,
}

impl FileKey {
    pub fn new(profile: Profile, node: NodeId) -> Self {
        FileKey { profile, node }
    }
}

impl FromStr for FileKey {
    type Err = BadFileKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadFileKey(text.to_owned());
        let (profile, node) = text.rsplit_once(':').filter(|(_, node)| !node.is_empty()).ok_or_else(bad)?;
        Ok(FileKey::new(profile.parse().map_err(|_| bad())?, NodeId::new(node)))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not of the form workspace:ID:NODE or share:ID:NODE")]
pub struct BadFileKey(String);

impl fmt::Display for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.profile, self.node.canonical())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_spellings_of_one_node_id_are_equal() {
        assert_eq!(NodeId::new("2abcd-EFGHJ"), NodeId::new("2abcdefghj"));
        assert_ne!(NodeId::new("2abcd"), NodeId::new("2abce"));
    }

    #[test]
    fn a_profile_reads_back_as_it_was_written() {
        let profile = Profile::share("5510392857104938271");
        assert_eq!(profile.to_string().parse::<Profile>().unwrap(), profile);
        assert!("workspace:".parse::<Profile>().is_err());
        assert!("4829105738291047362".parse::<Profile>().is_err());
    }

    #[test]
    fn a_file_key_reads_back_as_it_was_written_and_nothing_else_does() {
        let key = FileKey::new(Profile::workspace("1"), NodeId::new("2AB-cd"));
        assert_eq!(key.to_string(), "workspace:1:2abcd");
        assert_eq!(key.to_string().parse::<FileKey>().unwrap(), key);
        for bad in ["", "2abcd", "workspace:1", "workspace:1:", "workspace::2abcd", "org:1:2abcd"] {
            assert!(bad.parse::<FileKey>().is_err(), "{bad}");
        }
    }
}
