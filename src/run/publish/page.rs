//! A result as it is written: in the form that its file's name asks for.

use bytes::Bytes;
use serde_json::Value;

use super::super::deliver::checks;
use super::super::question::Question;
use super::super::row::Run;
use super::super::settings::Definition;
use crate::hidden::escaped;
use crate::openai::Usage;
use crate::result::name::ending;
use crate::result::render::{self, Answer, Asked, Provenance, ResultPage, Tokens};

/// What a result is written from.
pub(super) struct Page {
    pub run: Run,
    pub definition: Definition,
    /// What the document is called now.
    pub document: String,
    /// What the result's own file is called.
    pub name: String,
    /// What it is instead of the answer for what the document is now.
    pub notice: Option<String>,
    /// What the run was asked.
    pub asked: Option<Question>,
}

impl Page {
    /// The same result makes the same bytes.
    pub fn body(&self) -> Bytes {
        let Page { run, definition, document, name, notice, asked } = self;
        let mut result = run.result.clone().unwrap_or_default();
        // What was written says nothing to a reader, and is on record only from the second time on.
        result.as_object_mut().map(|fields| fields.remove("written"));
        let checks = checks(&result);
        let unread = result["unread"].as_str();
        let data = Some(&result["data"]).filter(|data| !data.is_null());
        let schema = definition.schema.as_deref();
        let ending = ending(name);
        match (ending.as_str(), schema.zip(data)) {
            ("json", _) => {
                return escaped(&json(result, (document, notice.as_deref()), asked.as_ref())).into();
            }
            ("csv", Some((schema, data))) => {
                if let Some(table) = render::csv(schema, data, &checks, notice.as_deref()) {
                    return unread.map_or(table.clone(), |unread| table + &render::unread_row(unread)).into();
                }
            }
            _ => {}
        }
        let answer = match schema.zip(data) {
            Some((schema, result)) => Answer::Data { schema, result, checks: &checks },
            None => Answer::Text(result["text"].as_str().unwrap_or_default()),
        };
        let notes: Vec<String> = result["notes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|note| note.as_str().map(str::to_owned))
            .collect();
        let word = |name: &str| result[name].as_str();
        let provenance = Provenance {
            file: document,
            version: run.version.as_deref().unwrap_or(&run.content_hash),
            rule: &run.rule,
            engine: definition.engine.as_str(),
            model: word("model").unwrap_or("not told"),
            definition: &run.definition,
            response: word("response"),
            started_at: result["begun_at"].as_i64().unwrap_or(run.created_at),
            finished_at: result["answered_at"].as_i64().unwrap_or(run.created_at),
            tokens: serde_json::from_value::<Option<Usage>>(result["usage"].clone())
                .ok()
                .flatten()
                .map(tokens),
        };
        let notice = notice.as_deref();
        let asked = asked.as_ref().map(|Question { prompt, since }| Asked { prompt, since: *since });
        let page = ResultPage { provenance, answer, notes: &notes, unread, notice, asked };
        match ending.as_str() {
            "html" => render::html(&page).into(),
            "docx" => render::word(&page).into(),
            _ => render::markdown(&page).into(),
        }
    }
}

/// The result with the document's present name and what was asked of it, and with what a reader must know before anything else in its
/// first line.
fn json(mut result: Value, (document, notice): (&str, Option<&str>), asked: Option<&Question>) -> String {
    if let Some(fields) = result.as_object_mut() {
        fields.insert("document".to_owned(), document.into());
        if let Some(Question { prompt, since }) = asked {
            fields.insert("asked".to_owned(), serde_json::json!({"prompt": prompt, "since": since}));
        }
    }
    let text = format!("{result:#}\n");
    match (notice, text.strip_prefix("{\n")) {
        (Some(notice), Some(rest)) => format!("{{\n  \"notice\": {},\n{rest}", Value::from(notice)),
        _ => text,
    }
}

fn tokens(usage: Usage) -> Tokens {
    let Usage { input_tokens: read, output_tokens: written, total_tokens: all, .. } = usage;
    Tokens { read, written, all }
}
