//! A thin typed client of the Fastio API. It knows HTTP, not us.

mod id;

pub use id::{BadProfile, NodeId, Profile, ProfileKind, VersionId};
