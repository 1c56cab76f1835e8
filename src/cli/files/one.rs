//! One file, with all there is to know: how it stands, what Fastio holds, and what can be searched.

use super::super::fields::Fields;
use super::super::shown::Shown;
use super::super::table::{Mood, mood};
use super::super::text::{Paint, bytes, when};
use crate::sync::listing::{CopyRow, Row};

/// A file's rows, one for each of its copies.
pub fn page(rows: &[Row], now: i64, paint: Paint) -> Vec<Shown> {
    let row = &rows[0];
    let mut fields = Fields::new("in Fastio".len(), paint);
    fields.title(row.path.as_deref().unwrap_or(&row.source_id));
    fields.line("state", paint.mood(mood(row.state.as_str()), row.state.as_str()));
    if let Some(reason) = &row.reason {
        fields.words("why", Mood::Plain, reason);
    }
    if let Some(since) = row.since {
        fields.line("since", when(since, now));
    }
    match (row.job_id, row.job_state.as_deref()) {
        (Some(job), Some("dead")) => {
            fields.line("then", format!("remove the cause, then: docket jobs retry {job}"));
        }
        (Some(job), _) => fields.line("job", format!("docket jobs show {job}")),
        (None, _) => {}
    }
    fields.line("id", &row.source_id);
    fields.line("rules", if row.rules.is_empty() { "not known yet" } else { &row.rules });
    if let Some(seen_at) = row.seen_at {
        let size = row.known_size().map_or_else(|| "size not known".to_owned(), bytes);
        let modified = row.modified_at.map(|at| format!(", modified {}", when(at, now))).unwrap_or_default();
        let content = content(row.version.as_deref(), row.hash.as_deref());
        let words = format!("{content}, {size}{modified}; seen {}", when(seen_at, now));
        fields.words("in Fastio", Mood::Plain, &words);
    }
    if row.copy.state.is_none() {
        fields.line("copy", "none");
    }
    for row in rows {
        copy(&mut fields, row, now);
    }
    fields.into_lines()
}

fn copy(fields: &mut Fields, row: &Row, now: i64) {
    let CopyRow { state: Some(state), vector_store: Some(store), .. } = &row.copy else { return };
    let copy = &row.copy;
    let since = copy.since.map(|since| format!(" since {}", when(since, now))).unwrap_or_default();
    let id = copy.file_id.as_deref().unwrap_or("no File object yet");
    let state = fields.paint().mood(mood(state), state);
    fields.line("copy", state + format!("{since}: {id} in {store}"));
    let content = content(copy.version.as_deref(), copy.hash.as_deref());
    fields.words("", Mood::Plain, &format!("of {content}"));
    let filename = copy.filename.as_deref().unwrap_or_default();
    let size = bytes(copy.bytes.unwrap_or(0).unsigned_abs());
    let note = copy.note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
    fields.words("", Mood::Plain, &format!("uploaded as {filename}, {size}{note}"));
    if let Some(characters) = copy.characters {
        let pages = match copy.pages {
            None => String::new(),
            Some(1) => " on 1 page".to_owned(),
            Some(pages) => format!(" on {pages} pages"),
        };
        fields.words("", Mood::Plain, &format!("OpenAI can read {characters} characters in it{pages}"));
    }
}

fn content(version: Option<&str>, hash: Option<&str>) -> String {
    let version = version.map_or_else(|| "no version".to_owned(), |version| format!("version {version}"));
    let hash = hash.map(|hash| format!(", {hash}")).unwrap_or_default();
    format!("{version}{hash}")
}
