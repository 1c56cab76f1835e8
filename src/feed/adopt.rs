//! What proves that something at OpenAI is ours, and what we can know of it from there alone.
//!
//! A file in a vector store is ours when its attributes are those that we write, and name a rule of ours that sends that
//! workspace to that very store. Anything less may be another program's (another Docket's, too), and is left alone.
//!
//! Every key of the project can write such attributes. So what they say is believed as far as Fastio and the File
//! object bear it out.

use crate::fastio::{FileKey, Hash, Node, NodeKind, ProfileKind, Version, VersionId};
use crate::openai::{AttributeValue, Attributes, File, IndexStatus, StoreFile, VectorStoreId};
use crate::rule::Rules;
use crate::sync::copy::{Segment, Source};
use crate::sync::form::{may_be_sent_as, may_have_become};
use crate::sync::survey::Adopted;

/// Hexadecimal digits of a SHA-256.
const HASH_DIGITS: usize = 64;

/// The file that a file in `store` is a copy of, if the copy is ours. `place` says where a rule's target is.
pub fn owner(
    attributes: &Attributes,
    rules: &Rules,
    sends: impl Fn(&crate::rule::Rule) -> bool,
) -> Option<FileKey> {
    let key: FileKey = text(attributes, "source_id")?.parse().ok()?;
    let profile = match key.profile.kind {
        ProfileKind::Workspace => "workspace_id",
        ProfileKind::Share => "share_id",
    };
    let hash = text(attributes, "content_hash")?;
    let written_by_us = text(attributes, profile)? == key.profile.id
        && text(attributes, "path").is_some()
        && hash.len() == HASH_DIGITS
        && hash.bytes().all(|digit| digit.is_ascii_hexdigit());
    let rule = text(attributes, "rule")?;
    let sent_by_us =
        rules.iter().any(|known| known.name == rule && known.profile == key.profile && sends(known));
    (written_by_us && sent_by_us).then_some(key)
}

/// Whether Fastio and the File object bear out what the attributes of a copy of `node` say: the current version has its
/// size and hash, an older one was called as the file is or was. Of a file that is gone from Fastio only that is left.
pub fn is_borne_out(held: &StoreFile, object: &File, node: Option<&Node>) -> bool {
    let Some(node) = node else { return is_named(held, object) };
    let version = text(&held.attributes, "version");
    let is_current = version.is_some() && version == node.version.as_ref().map(|version| version.0.as_str());
    let is_named = may_be_sent_as(&node.name, &object.filename) || is_named(held, object);
    if !node.kind.has_content() {
        return false;
    }
    if !is_current {
        return is_named;
    }
    let is_sized = match (node.size, object.bytes) {
        (Some(size), Some(bytes)) => {
            size == bytes || (is_named && may_have_become(&object.filename, size, bytes))
        }
        // A link has no bytes of its own.
        (None, Some(_)) => node.kind == NodeKind::Link && is_named,
        _ => false,
    };
    is_sized && has_hash(held, node.hash.as_ref())
}

/// Whether one of the versions that the file has had bears them out: it was renamed since, and the File object has another name.
pub fn was_version(held: &StoreFile, object: &File, versions: &[Version]) -> bool {
    versions.iter().any(|version| {
        text(&held.attributes, "version") == Some(version.id.0.as_str())
            && version.size.is_some()
            && version.size == object.bytes
            && has_hash(held, version.hash.as_ref())
    })
}

/// Whether the attributes have the hash that Fastio announces, where that is of their kind.
fn has_hash(held: &StoreFile, announced: Option<&Hash>) -> bool {
    let sha256 = announced.filter(|hash| hash.algorithm == "sha256");
    sha256.is_none_or(|hash| text(&held.attributes, "content_hash") == Some(hash.value.as_str()))
}

/// Whether a File object is called as the file that its attributes tell of.
fn is_named(held: &StoreFile, object: &File) -> bool {
    let name = text(&held.attributes, "path").and_then(|path| path.rsplit('/').next());
    name.is_some_and(|name| may_be_sent_as(name, &object.filename))
}

/// The rows for a copy of ours that is in `store`. `object` is its File object; none when that is gone or not yet known.
pub fn adopted(key: &FileKey, store: &VectorStoreId, held: &StoreFile, object: Option<&File>) -> Adopted {
    let attributes = &held.attributes;
    let own = |name: &str| text(attributes, name).unwrap_or_default().to_owned();
    let modified_at = match attributes.get("modified_at") {
        Some(AttributeValue::Number(seconds)) => Some((*seconds as i64).saturating_mul(1000)),
        _ => None,
    };
    let bytes = object.and_then(|object| object.bytes).unwrap_or(0);
    Adopted {
        source_id: key.to_string(),
        profile: key.profile.to_string(),
        node: key.node.to_string(),
        path: own("path"),
        rule: own("rule"),
        store: store.clone(),
        state: if held.status == IndexStatus::Completed { "indexed" } else { "attached" },
        // The hash is of our own making and Fastio's may be of another kind, so the version decides.
        source: Source {
            version: text(attributes, "version").map(|version| VersionId(version.to_owned())),
            hash: None,
            size: bytes,
            modified_at,
        },
        content_hash: own("content_hash"),
        filename: object.map(|object| object.filename.clone()).unwrap_or_default(),
        bytes,
        file_id: held.id.clone(),
        attributes: Some(attributes.clone()),
        segment: segment(attributes),
    }
}

/// Which part of its file a copy says it is.
fn segment(attributes: &Attributes) -> Option<Segment> {
    let number = |name: &str| match attributes.get(name)? {
        AttributeValue::Number(number) if *number >= 1.0 && *number <= f64::from(u32::MAX) => {
            Some(*number as u32)
        }
        _ => None,
    };
    let (number, count) = (number("segment")?, number("segments")?);
    (number <= count).then_some(Segment { number, count: Some(count) })
}

pub fn text<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a str> {
    match attributes.get(name)? {
        AttributeValue::Text(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        let settings = "name = 'all'\nworkspace = '1'\nvector_store = 'vs_1'";
        Rules::new(vec![toml::from_str(settings).unwrap()]).unwrap()
    }

    fn owned(change: impl FnOnce(&mut serde_json::Value)) -> Option<String> {
        let mut attributes = serde_json::json!({"source_id": "workspace:1:2ab", "workspace_id": "1", "path": "/a.txt",
            "rule": "all", "version": "3v", "content_hash": "ab".repeat(32), "modified_at": 1_790_000_000});
        change(&mut attributes);
        let attributes: Attributes = serde_json::from_value(attributes).unwrap();
        owner(&attributes, &rules(), |_| true).map(|key| key.to_string())
    }

    #[test]
    fn only_what_carries_all_our_marks_is_ours() {
        assert_eq!(owned(|_| {}).as_deref(), Some("workspace:1:2ab"));
        assert_eq!(owned(|all| all["rule"] = "theirs".into()), None);
        assert_eq!(owned(|all| all["workspace_id"] = "2".into()), None);
        assert_eq!(owned(|all| all["source_id"] = "2ab".into()), None);
        assert_eq!(owned(|all| all["content_hash"] = "x".into()), None);
        assert_eq!(owned(|all| all["source_id"] = 7.into()), None);
    }
}
