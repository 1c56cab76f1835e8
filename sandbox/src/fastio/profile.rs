//! What a storage tree belongs to. Fastio serves both kinds under the same paths, `/workspace/…` and `/share/…`.

use std::fmt;
use std::str::FromStr;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

/// A workspace or a share. The control paths write it `share:5510392857104938271`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Profile {
    pub kind: ProfileKind,
    pub id: String,
}

impl Profile {
    pub fn workspace(id: impl Into<String>) -> Profile {
        Profile { kind: ProfileKind::Workspace, id: id.into() }
    }

    pub fn share(id: impl Into<String>) -> Profile {
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

    fn from_str(text: &str) -> Result<Profile, BadProfile> {
        match text.split_once(':') {
            Some(("workspace", id)) if !id.is_empty() => Ok(Profile::workspace(id)),
            Some(("share", id)) if !id.is_empty() => Ok(Profile::share(id)),
            _ => Err(BadProfile(text.to_owned())),
        }
    }
}
