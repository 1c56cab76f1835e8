//! The text that a vector store read out of a file, which is what a model that searches there was shown.

use reqwest::Method;
use serde_json::Value;

use crate::http::value::Fields;

use super::client::{Client, Extra};
use super::{Error, FileId, VectorStoreId};

/// More pages than any file can have: a store takes files of at most 5,000,000 tokens (OpenAI's guide on file search),
/// and a page of one piece of 800 tokens would make 6,250.
const MAX_PAGES: usize = 10_000;

/// A file's text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreText {
    /// In the order of the file. Whether white space was lost where one ends is not documented.
    pub pieces: Vec<String>,
    /// False when the text is longer than was asked for.
    pub complete: bool,
}

impl Client {
    /// The text of a file in a store, up to about `max_bytes` (the last piece may go beyond).
    ///
    /// The answer has pages (`has_more`, `next_page`), but OpenAI's OpenAPI document names no parameter to ask for the
    /// next one; `page` is used, as the same document does where it documents a `next_page` (inferred). An answer that
    /// promises more and gives the same page again is an error, not an end.
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] when the file is not in that store, and those of every call.
    pub async fn store_text(
        &self,
        store: &VectorStoreId,
        file: &FileId,
        max_bytes: usize,
    ) -> Result<StoreText, Error> {
        let (mut text, mut bytes, mut next) = (StoreText::default(), 0_usize, None::<String>);
        for _ in 0..MAX_PAGES {
            let asked = next.take();
            let (pieces, more) = self.text_page((store, file), asked.as_deref()).await?;
            bytes = pieces.iter().fold(bytes, |sum, piece| sum.saturating_add(piece.len()));
            text.pieces.extend(pieces);
            if more.is_none() {
                text.complete = true;
                break;
            }
            if bytes >= max_bytes {
                break;
            }
            next = more;
        }
        Ok(text)
    }

    /// As much of a file's text as one answer has.
    ///
    /// # Errors
    /// As for [`Client::store_text`].
    pub async fn beginning_of_text(&self, store: &VectorStoreId, file: &FileId) -> Result<StoreText, Error> {
        let (pieces, more) = self.text_page((store, file), None).await?;
        Ok(StoreText { pieces, complete: more.is_none() })
    }

    async fn text_page(
        &self,
        (store, file): (&VectorStoreId, &FileId),
        asked: Option<&str>,
    ) -> Result<(Vec<String>, Option<String>), Error> {
        let path = ["vector_stores", &store.0, "files", &file.0, "content"];
        let query: Vec<_> = asked.map(|page| ("page", page)).into_iter().collect();
        let answer = self.call("reading a file's text", Method::GET, &path, Extra::Query(&query)).await?;
        answer.page(|fields| page(fields, asked))
    }
}

/// The pieces of one page, and what to ask for the next one with.
fn page(fields: Fields<'_>, asked: Option<&str>) -> Result<(Vec<String>, Option<String>), &'static str> {
    let list = fields.list("data").or_else(|| fields.list("content")).ok_or("no list")?;
    let text = |piece: &Value| Fields::of(piece)?.text("text");
    let pieces = list.iter().filter_map(text).collect();
    if !fields.flag("has_more").unwrap_or(false) {
        return Ok((pieces, None));
    }
    let next = fields.id("next_page").ok_or("more text promised, but no page to ask for")?;
    if asked == Some(next.as_str()) { Err("the page does not move") } else { Ok((pieces, Some(next))) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pages_go_on_until_the_last_and_never_round_in_circles() {
        let read = |value: Value, asked| page(Fields::of(&value).unwrap(), asked);
        let first = json!({"data": [{"type": "text", "text": "a"}], "has_more": true, "next_page": "p2"});
        assert_eq!(read(first.clone(), None), Ok((vec!["a".into()], Some("p2".into()))));
        assert!(read(first, Some("p2")).is_err());
        let last = json!({"data": [{"type": "image"}, {"text": "b"}], "has_more": false, "next_page": null});
        assert_eq!(read(last, Some("p2")), Ok((vec!["b".into()], None)));
        assert!(read(json!({"data": [], "has_more": true}), None).is_err());
        assert!(read(json!({}), None).is_err());
    }
}
