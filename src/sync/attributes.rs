//! The attributes a copy carries in the vector store: what a search can filter by, and enough to rebuild our tables.

use sha2::{Digest, Sha256};

use super::copy::{Copy, Segment};
use super::form::{Claim, Instead};
use super::look::Present;
use crate::fastio::{FileKey, ProfileKind};
use crate::openai::{AttributeValue, Attributes};

/// Characters in a value. OpenAI's OpenAPI document says 512, its guide 256: this suits both.
const LONGEST_VALUE: usize = 256;

/// The attributes of `copy`, which is of `present` as what it claims to be, under `rule`.
pub fn attributes(
    key: &FileKey,
    (present, claim): (&Present, &Claim),
    rule: &str,
    copy: &Copy,
) -> Attributes {
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
    if let Some(text_by) = claim.stands_in().and_then(Instead::text_by) {
        text("text_by", text_by);
        text("original", claim.name());
    }
    if let Some(hash) = &copy.content_hash {
        text("content_hash", hash);
    }
    if present.path.chars().count() > LONGEST_VALUE {
        text("path_hash", &hex::encode(Sha256::digest(present.path.as_bytes())));
    }
    if let Some(Segment { number, count: Some(count) }) = copy.segment {
        attributes.insert("segment".to_owned(), AttributeValue::Number(number.into()));
        attributes.insert("segments".to_owned(), AttributeValue::Number(count.into()));
    }
    if let Some(modified_at) = present.source.modified_at {
        // Whole seconds: some compatible servers return numbers as floats.
        let seconds = modified_at.div_euclid(1000) as f64;
        attributes.insert("modified_at".to_owned(), AttributeValue::Number(seconds));
    }
    attributes
}

/// Whether attributes say that they are those of `copy`, which is of the file `key`.
pub fn are_of(attributes: &Attributes, key: &FileKey, copy: &Copy) -> bool {
    let says = |name: &str, value: AttributeValue| attributes.get(name) == Some(&value);
    let hash = copy.content_hash.clone().unwrap_or_default();
    let number = copy.segment.map(|segment| AttributeValue::Number(segment.number.into()));
    says("source_id", AttributeValue::Text(key.to_string()))
        && says("content_hash", AttributeValue::Text(hash))
        && attributes.get("segment") == number.as_ref()
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
    use crate::fastio::{Extraction, NodeId, NodeKind, Profile, VersionId};
    use crate::sync::copy::{CopyState, Source};
    use crate::sync::form::claim;
    use crate::sync::plan::tests::copy;

    fn present(path: &str) -> Present {
        Present {
            name: "nda.pdf".to_owned(),
            path: path.to_owned(),
            is_placed: true,
            ancestors: vec![],
            kind: NodeKind::File,
            mime_type: None,
            extraction: Extraction::default(),
            share: None,
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

    /// A copy that is known by this hash.
    fn of(present: &Present, hash: Option<&str>) -> Attributes {
        let claim = claim(&present.offer()).unwrap();
        let copy = Copy { content_hash: hash.map(str::to_owned), ..copy(1, 1, 1, CopyState::Uploaded) };
        attributes(
            &FileKey::new(Profile::workspace("4829"), NodeId::new("2ABCD-efghj")),
            (present, &claim),
            "contracts",
            &copy,
        )
    }

    #[test]
    fn they_tell_where_the_copy_comes_from() {
        let found = of(&present("/Contracts/nda.pdf"), Some("ab12"));
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
    fn what_fastio_read_of_a_file_says_so_and_what_the_file_is_called() {
        let extraction = Extraction::There;
        let found = of(&Present { name: "scan.png".to_owned(), extraction, ..present("/scan.png") }, None);
        let text = |name: &str| serde_json::to_value(&found[name]).unwrap();
        assert_eq!((text("text_by"), text("original")), ("fastio".into(), "scan.png".into()));
    }

    #[test]
    fn a_path_longer_than_a_value_keeps_its_end_and_gets_a_hash() {
        let long = format!("/{}/nda.pdf", "ü".repeat(300));
        let found = of(&present(&long), None);
        let AttributeValue::Text(path) = &found["path"] else { panic!() };
        assert!(
            path.chars().count() == LONGEST_VALUE && path.starts_with('…') && path.ends_with("ü/nda.pdf")
        );
        assert!(found.contains_key("path_hash") && found.contains_key("workspace_id"));
    }
}
