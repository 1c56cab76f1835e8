//! The attributes a copy carries in the vector store: what a search can filter by, and enough to rebuild our tables.

use sha2::{Digest, Sha256};

use super::look::Present;
use crate::fastio::{FileKey, ProfileKind};
use crate::openai::{AttributeValue, Attributes};

/// Characters in a value. OpenAI's OpenAPI document says 512, its guide 256: this suits both.
const LONGEST_VALUE: usize = 256;

/// The attributes of a copy of `present` under `rule`.
pub fn attributes(key: &FileKey, present: &Present, rule: &str, content_hash: Option<&str>) -> Attributes {
    let mut attributes = Attributes::new();
    let mut text = |name: &str, value: &str| {
        attributes.insert(name.to_owned(), AttributeValue::Text(tail(value)));
    };
    text("source_id", &key.to_string());
    let profile = match key.profile.kind {
        ProfileKind::Workspace => "workspace_id",
        ProfileKind::Share => "share_id",
    };
    text(profile, &key.profile.id);
    text("path", &present.path);
    text("rule", rule);
    if let Some(version) = &present.source.version {
        text("version", &version.0);
    }
    if let Some(hash) = content_hash {
        text("content_hash", hash);
    }
    if present.path.chars().count() > LONGEST_VALUE {
        text("path_hash", &hex::encode(Sha256::digest(present.path.as_bytes())));
    }
    if let Some(modified_at) = present.source.modified_at {
        // Whole seconds: some compatible servers return numbers as floats.
        let seconds = modified_at.div_euclid(1000) as f64;
        attributes.insert("modified_at".to_owned(), AttributeValue::Number(seconds));
    }
    attributes
}

/// The end of a long value, since that is where paths differ.
fn tail(value: &str) -> String {
    let length = value.chars().count();
    if length <= LONGEST_VALUE {
        return value.to_owned();
    }
    let end: String = value.chars().skip(length - (LONGEST_VALUE - 1)).collect();
    format!("…{end}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fastio::{NodeId, Profile, VersionId};
    use crate::sync::copy::Source;

    fn present(path: &str) -> Present {
        Present {
            name: "nda.pdf".to_owned(),
            path: path.to_owned(),
            is_placed: true,
            ancestors: vec![],
            mime_type: None,
            source: Source {
                version: Some(VersionId("3v1".to_owned())),
                hash: None,
                size: 1,
                modified_at: Some(1_790_000_000_123),
            },
            created_at: None,
            withheld: None,
            agent: None,
        }
    }

    #[test]
    fn they_tell_where_the_copy_comes_from() {
        let key = FileKey::new(Profile::workspace("4829"), NodeId::new("2ABCD-efghj"));
        let found = attributes(&key, &present("/Contracts/nda.pdf"), "contracts", Some("ab12"));
        let expected = serde_json::json!({
            "source_id": "workspace:4829:2abcdefghj",
            "workspace_id": "4829",
            "path": "/Contracts/nda.pdf",
            "rule": "contracts",
            "version": "3v1",
            "content_hash": "ab12",
            "modified_at": 1_790_000_000,
        });
        assert_eq!(serde_json::to_value(found).unwrap(), expected);
    }

    #[test]
    fn a_path_longer_than_a_value_keeps_its_end_and_gets_a_hash() {
        let key = FileKey::new(Profile::share("7"), NodeId::new("2a"));
        let long = format!("/{}/nda.pdf", "ü".repeat(300));
        let found = attributes(&key, &present(&long), "contracts", None);
        let AttributeValue::Text(path) = &found["path"] else { panic!() };
        assert!(
            path.chars().count() == LONGEST_VALUE && path.starts_with('…') && path.ends_with("ü/nda.pdf")
        );
        assert!(found.contains_key("path_hash") && found.contains_key("share_id"));
    }
}
