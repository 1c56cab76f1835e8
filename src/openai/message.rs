//! What an assistant said in a thread, with its marks of citations made readable.

use serde_json::Value;

use super::file::FileId;
use super::output::{Citation, Output};
use crate::http::value::Fields;

/// One message of a thread, by its texts.
pub(super) struct Message {
    pub id: String,
    pub output: Output,
}

impl Message {
    pub fn read(value: &Value) -> Option<Self> {
        let fields = Fields::of(value)?;
        let mut output = Output::default();
        if fields.text("role").is_none_or(|role| role == "assistant") {
            for part in fields.list("content").unwrap_or_default().iter().filter_map(Fields::of) {
                if let Some(text) = part.object("text") {
                    let (text, citations) = unmarked(text);
                    output.text.push_str(&text);
                    output.citations.extend(citations);
                }
                output.refusal = output.refusal.take().or(part.text("refusal"));
            }
        }
        Some(Message { id: fields.id("id")?, output })
    }
}

/// The text with its marks, such as `【4:0†source】`, replaced by `[1]`, `[2]`, …, one number per cited file, and the files
/// in that order. The marks are found by what they say, because their indices count other units than ours.
fn unmarked(text: Fields<'_>) -> (String, Vec<Citation>) {
    let mut value = text.text("value").unwrap_or_default();
    let mut citations: Vec<Citation> = Vec::new();
    for annotation in text.list("annotations").unwrap_or_default().iter().filter_map(Fields::of) {
        let file = ["file_citation", "file_path"].into_iter().find_map(|name| annotation.object(name));
        let Some(file_id) = file.and_then(|file| file.id("file_id")) else { continue };
        let citation = Citation { file_id: FileId(file_id), filename: String::new() };
        let number = citations.iter().position(|known| *known == citation).unwrap_or_else(|| {
            citations.push(citation);
            citations.len() - 1
        });
        let mark = annotation.text("text").filter(|mark| !mark.is_empty());
        // `sandbox:/mnt/data/…` marks are links; a number would break them.
        if let Some(mark) = mark.filter(|mark| !mark.starts_with("sandbox:")) {
            value = value.replace(&mark, &format!("[{}]", number + 1));
        }
    }
    (value, citations)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn marks_of_citations_become_numbers_of_files() {
        let value = json!({"value": "Capped【4:0†a.pdf】 and named【4:1†a.pdf】, see 【5:0†b】 and sandbox:/mnt/x.csv",
            "annotations": [
                {"type": "file_citation", "text": "【4:0†a.pdf】", "file_citation": {"file_id": "file-1"}},
                {"type": "file_citation", "text": "【4:1†a.pdf】", "file_citation": {"file_id": "file-1"}},
                {"type": "file_citation", "text": "【5:0†b】", "file_citation": {"file_id": "file-2"}},
                {"type": "file_path", "text": "sandbox:/mnt/x.csv", "file_path": {"file_id": "file-3"}},
                {"type": "unknown"}]});
        let (text, citations) = unmarked(Fields::of(&value).unwrap());
        assert_eq!(text, "Capped[1] and named[1], see [2] and sandbox:/mnt/x.csv");
        assert_eq!(citations.len(), 3);
    }
}
