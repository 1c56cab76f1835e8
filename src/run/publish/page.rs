//! A result as it is written: in the form that its file's name asks for.

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::deliver::checks;
use super::super::question::Question;
use super::super::row::Run;
use super::super::settings::Definition;
use crate::hidden::escaped;
use crate::openai::Usage;
use crate::result::judgement::Judgement;
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
        // Whoever reads the file has the document beside it.
        for check in result["checks"].as_array_mut().into_iter().flatten() {
            check.as_object_mut().map(|fields| fields.remove("paragraph"));
        }
        let unread = result["unread"].as_str();
        let data = Some(&result["data"]).filter(|data| !data.is_null());
        let schema = definition.schema.as_deref();
        let ending = ending(name);
        match (ending.as_str(), schema.zip(data)) {
            ("json", _) => {
                return escaped(&self.json(result)).into();
            }
            ("csv", Some((schema, data))) => {
                let judged = run.judgement.as_ref().map(Judgement::sentence);
                let above: Vec<String> = notice.clone().into_iter().chain(judged).collect();
                if let Some(table) = render::csv(schema, data, &checks, &above) {
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
        let (notice, judgement) = (notice.as_deref(), run.judgement.as_ref());
        let asked = asked.as_ref().map(|Question { prompt, since }| Asked { prompt, since: *since });
        let page = ResultPage { provenance, answer, notes: &notes, unread, notice, judgement, asked };
        match ending.as_str() {
            "html" => render::html(&page).into(),
            "docx" => render::word(&page).into(),
            _ => render::markdown(&page).into(),
        }
    }

    /// The result with the document's present name and what was asked of it, and with what a reader must know before anything else in
    /// its first lines.
    fn json(&self, mut result: Value) -> String {
        if let Some(fields) = result.as_object_mut() {
            fields.insert("document".to_owned(), self.document.as_str().into());
            if let Some(Question { prompt, since }) = &self.asked {
                fields.insert("asked".to_owned(), json!({"prompt": prompt, "since": since}));
            }
        }
        let first = [
            self.notice.as_ref().map(|notice| ("notice", json!(notice))),
            self.run.judgement.as_ref().map(|judgement| ("verdict", json!(judgement))),
        ];
        let first = first.into_iter().flatten().map(|(name, value)| format!("  \"{name}\": {value},\n"));
        let text = format!("{result:#}\n");
        let rest = text.strip_prefix("{\n").unwrap_or(&text);
        format!("{{\n{}{rest}", first.collect::<String>())
    }
}

fn tokens(usage: Usage) -> Tokens {
    let Usage { input_tokens: read, output_tokens: written, total_tokens: all, .. } = usage;
    Tokens { read, written, all }
}
