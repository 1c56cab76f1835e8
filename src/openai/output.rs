//! What a model answered: the items of a response, or of the conversation it was made in, boiled down.
//!
//! OpenAI's OpenAPI document 2.3.0 knows 28 types of items and adds to them; those that say nothing here are passed over.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::http::value::Fields;

use super::container::ContainerId;
use super::file::FileId;

/// An answer, from its output items.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Output {
    /// The text of the messages marked as the final answer, or of all of the model's messages where none is marked
    /// (inferred from the guide on phases: what comes before the final answer is commentary).
    pub text: String,
    /// Why the model would not answer, in its words.
    pub refusal: Option<String>,
    /// The files that the text cites, each once. One of them may be deleted by now.
    pub citations: Vec<Citation>,
    /// Files made in a container and named in the text, each once.
    pub files: Vec<MadeFile>,
    /// Containers that code ran in; they may hold files that the text does not name.
    pub containers: Vec<ContainerId>,
    /// Types of items that cannot be answered in an unattended run, such as `mcp_approval_request`: with one of them the
    /// run has ended without an answer.
    pub waiting_for: Vec<String>,
    /// The tool of a server that it may use only when a person agrees.
    pub approval: Option<String>,
}

/// A file that was cited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Citation {
    pub file_id: FileId,
    /// Empty where none is sent.
    pub filename: String,
}

/// A file that code made in a container. It is gone with the container, 20 minutes after that was last used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeFile {
    pub container: ContainerId,
    /// Not a [`FileId`]: it means something in its container only.
    pub file_id: String,
    pub filename: String,
}

/// Items that ask for something only a person or a program of the caller could give.
const WAITING: [&str; 2] = [APPROVAL, "function_call"];

/// One of them: a tool of a server may be used only when a person agrees.
const APPROVAL: &str = "mcp_approval_request";

impl Output {
    /// Boils `items` down. What cannot be read counts as absent.
    pub fn read<'a>(items: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut output = Output::default();
        let (mut all, mut last) = (Vec::new(), Vec::new());
        for item in items.into_iter().filter_map(Fields::of) {
            match item.text("type").as_deref() {
                Some("message") => {
                    let is_answer = item.text("phase").as_deref() == Some("final_answer");
                    let text = output.message(item);
                    // One that comes twice is one: servers were seen to send the same item again.
                    if is_answer {
                        push_once(&mut last, text.clone());
                    }
                    push_once(&mut all, text);
                }
                Some("code_interpreter_call") => {
                    output.containers.extend(item.id("container_id").map(ContainerId));
                }
                Some(kind) if WAITING.contains(&kind) => {
                    if kind == APPROVAL {
                        output.approval = output.approval.take().or(item.id("name"));
                    }
                    output.waiting_for.push(kind.to_owned());
                }
                _ => {}
            }
        }
        output.text = if last.is_empty() { all } else { last }.concat();
        output.containers.dedup();
        output
    }

    /// The text of one of the model's messages; a user's has none.
    fn message(&mut self, item: Fields<'_>) -> String {
        let mut text = String::new();
        if item.text("role").is_some_and(|role| role != "assistant") {
            return text;
        }
        for part in item.list("content").unwrap_or_default().iter().filter_map(Fields::of) {
            match part.text("type").as_deref() {
                Some("output_text") => {
                    text.push_str(&part.text("text").unwrap_or_default());
                    self.annotations(part.list("annotations").unwrap_or_default());
                }
                Some("refusal") => self.refusal = self.refusal.take().or(part.text("refusal")),
                _ => {}
            }
        }
        text
    }

    fn annotations(&mut self, annotations: &[Value]) {
        for annotation in annotations.iter().filter_map(Fields::of) {
            let Some(file_id) = annotation.id("file_id") else { continue };
            let filename = annotation.text("filename").unwrap_or_default();
            match (annotation.text("type").as_deref(), annotation.id("container_id")) {
                (Some("container_file_citation"), Some(container)) => {
                    let made = MadeFile { container: ContainerId(container), file_id, filename };
                    push_once(&mut self.files, made);
                }
                (Some("file_citation" | "file_path"), _) => {
                    push_once(&mut self.citations, Citation { file_id: FileId(file_id), filename });
                }
                _ => {}
            }
        }
    }
}

fn push_once<T: PartialEq>(list: &mut Vec<T>, one: T) {
    if !list.contains(&one) {
        list.push(one);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_that_comes_twice_is_one() {
        let message = |phase: &str, text: &str| {
            json!({"type": "message", "role": "assistant", "phase": phase,
                   "content": [{"type": "output_text", "text": text}]})
        };
        let text = |items: &[Value]| Output::read(items).text;
        assert_eq!(text(&[message("", "{}"), message("", "{}")]), "{}");
        assert_eq!(text(&[message("commentary", "{}"), message("final_answer", "{}")]), "{}");
        assert_eq!(
            text(&[message("final_answer", "a"), message("final_answer", "a"), message("", "b")]),
            "a"
        );
        assert_eq!(text(&[message("", "a"), message("", "b")]), "ab", "two parts of one answer");
    }

    fn said(text: &str, phase: Option<&str>) -> Value {
        json!({"type": "message", "role": "assistant", "phase": phase,
            "content": [{"type": "output_text", "text": text, "annotations": []}]})
    }

    fn read(items: &[Value]) -> Output {
        Output::read(items)
    }

    #[test]
    fn the_final_answer_is_the_text_and_without_one_every_message_is() {
        let spoken = [said("Let me look. ", Some("commentary")), said("It is capped.", Some("final_answer"))];
        assert_eq!(read(&spoken).text, "It is capped.");
        assert_eq!(read(&[said("It is ", None), said("capped.", None)]).text, "It is capped.");
        assert_eq!(read(&[]).text, "");
    }

    #[test]
    fn what_a_user_said_and_items_nobody_knows_are_passed_over() {
        let items = [
            json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Look."}]}),
            json!({"type": "reasoning", "summary": []}),
            json!({"type": "hologram", "content": 7}),
            json!("no object"),
            said("Yes.", None),
        ];
        assert_eq!(read(&items), Output { text: "Yes.".into(), ..Output::default() });
    }

    #[test]
    fn a_refusal_is_kept_in_its_words() {
        let items = [json!({"type": "message", "role": "assistant", "content": [
            {"type": "refusal", "refusal": "I can't help with that."}]})];
        let output = read(&items);
        assert_eq!((output.text.as_str(), output.refusal.as_deref()), ("", Some("I can't help with that.")));
    }

    #[test]
    fn each_file_is_cited_once_and_a_file_made_by_code_is_found() {
        let cited = json!({"type": "file_citation", "file_id": "file-1", "filename": "a.pdf", "index": 3});
        let made = json!({"type": "container_file_citation", "container_id": "cntr_1", "file_id": "cfile_1",
            "filename": "chart.csv", "start_index": 0, "end_index": 3, "index": null});
        let items = [
            json!({"type": "code_interpreter_call", "container_id": "cntr_1", "code": "…", "outputs": null}),
            json!({"type": "code_interpreter_call", "container_id": "cntr_1"}),
            json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Done",
                "annotations": [cited, cited, made, {"type": "url_citation", "url": "https://example.com"}]}]}),
        ];
        let output = read(&items);
        assert_eq!(output.citations.len(), 1);
        assert_eq!(output.files[0].filename, "chart.csv");
        assert_eq!(output.containers, [ContainerId("cntr_1".into())]);
    }

    #[test]
    fn a_run_that_waits_for_an_approval_says_so() {
        let items = [json!({"type": "mcp_approval_request", "id": "mcpr_1"})];
        assert_eq!(read(&items).waiting_for, ["mcp_approval_request"]);
    }
}
