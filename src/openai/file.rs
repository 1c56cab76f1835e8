//! OpenAI's File object, and the page of a listing.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::http::value::Fields;

/// The id of a File object, such as `file-abc123`. Opaque.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FileId(pub String);

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is uploaded.
#[derive(Debug, Clone, Copy)]
pub struct NewFile<'a> {
    /// Shown in citations and fixed for good; its extension, in lower case, decides what a vector store takes. Control
    /// characters are left out on the way, since a line break in it would break the request.
    pub filename: &'a str,
    /// Sent as the part's type; one that is no media type becomes `application/octet-stream`.
    pub mime_type: &'a str,
    /// Bytes; the content must be exactly as long.
    pub length: u64,
}

/// A file as OpenAI holds it, attached to a vector store or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub id: FileId,
    /// Empty where none is sent.
    pub filename: String,
    /// Required by the OpenAPI document, null in practice (a dated translation of the reference).
    pub bytes: Option<u64>,
    /// Unix seconds, as sent.
    pub created_at: Option<i64>,
    /// `assistants` for ours. Not an enum: the documented one lacks a value that the same document allows.
    pub purpose: String,
    /// Deprecated by OpenAI; nothing may wait for it.
    pub status: Option<String>,
}

impl File {
    /// None where `value` is not an object with an id.
    pub(super) fn read(value: &Value) -> Option<Self> {
        let fields = Fields::of(value)?;
        Some(File {
            id: FileId(fields.id("id")?),
            filename: fields.text("filename").unwrap_or_default(),
            bytes: fields.unsigned("bytes"),
            created_at: fields.signed("created_at"),
            purpose: fields.text("purpose").unwrap_or_default(),
            status: fields.id("status"),
        })
    }
}

/// One page of a listing; `next` is what to ask the page after it with, None on the last.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T, Id> {
    pub items: Vec<T>,
    /// Entries that cannot be read: what they stand for is there, but unknown.
    pub unreadable: u64,
    pub next: Option<Id>,
}

impl<T, Id: Clone + PartialEq> Page<T, Id> {
    /// Reads `{"data": […], "has_more"}`. The next page begins after the last item: `last_id` was not sent by every
    /// compatible server. A proxy was seen to return one page for ever, so a cursor that does not move is an error.
    ///
    /// # Errors
    /// With what is wrong; a listing read in part must never look complete. An entry without an id is counted, and hides
    /// nothing but itself.
    pub(super) fn read(
        answer: Fields<'_>,
        after: Option<&Id>,
        item: impl Fn(&Value) -> Option<T>,
        id: impl Fn(&T) -> &Id,
    ) -> Result<Self, &'static str> {
        let list = answer.list("data").ok_or("no list")?;
        let items: Vec<T> = list.iter().filter_map(item).collect();
        let unreadable = (list.len() - items.len()) as u64;
        if !answer.flag("has_more").unwrap_or(false) {
            return Ok(Page { items, unreadable, next: None });
        }
        // After the last one that can be read: those behind it come again, and are counted twice.
        let next = id(items.last().ok_or("more entries promised after a page that names none")?).clone();
        if after == Some(&next) {
            return Err("the cursor does not move");
        }
        Ok(Page { items, unreadable, next: Some(next) })
    }

    /// The page, where what it does not show would be taken not to be there.
    ///
    /// # Errors
    /// An entry cannot be read.
    pub(super) fn whole(self) -> Result<Self, &'static str> {
        if self.unreadable == 0 { Ok(self) } else { Err("an entry without an id") }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(value: &Value, after: Option<&FileId>) -> Result<Page<File, FileId>, &'static str> {
        Page::read(Fields::of(value).unwrap(), after, File::read, |file| &file.id)
    }

    #[test]
    fn a_file_is_read_whatever_surrounds_it() {
        let value = json!({"id": "file-1", "object": "file", "bytes": 5_000_000_000u64, "created_at": 1790372411,
            "filename": "a.txt", "purpose": "evals", "status": {"new": true}, "more": []});
        let file = File::read(&value).unwrap();
        assert_eq!((file.bytes, file.purpose.as_str(), file.status), (Some(5_000_000_000), "evals", None));
        assert_eq!(File::read(&json!({"id": "file-1", "bytes": null})).unwrap().bytes, None);
        assert_eq!(File::read(&json!({"id": ""})), None);
    }

    #[test]
    fn the_next_page_begins_after_the_last_file() {
        let value = json!({"object": "list", "data": [{"id": "file-1"}, {"id": "file-2"}], "has_more": true});
        assert_eq!(page(&value, None).unwrap().next, Some(FileId("file-2".into())));
        let value = json!({"data": [{"id": "file-3"}], "has_more": false, "last_id": "file-3"});
        assert_eq!(page(&value, None).unwrap().next, None);
    }

    #[test]
    fn a_listing_that_cannot_go_on_is_an_error_not_an_end() {
        let value = json!({"data": [{"id": "file-1"}], "has_more": true});
        assert!(page(&value, Some(&FileId("file-1".into()))).is_err());
        for value in
            [json!({"data": [], "has_more": true}), json!({"data": [{}], "has_more": true}), json!({})]
        {
            assert!(page(&value, None).is_err(), "{value}");
        }
    }

    #[test]
    fn an_entry_that_cannot_be_read_hides_nothing_but_itself() {
        let data = json!([{"id": "file-1"}, {}, null, {"id": 7}, {"id": {}}, "file-2"]);
        let page = page(&json!({"data": data, "has_more": true}), None).unwrap();
        assert_eq!((page.items.len(), page.unreadable, page.next), (2, 4, Some(FileId("7".into()))));
    }
}
