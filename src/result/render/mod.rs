//! A run's result as people read it: a page beside the document, CSV for spreadsheets, one table over many results.
//!
//! A page is Markdown, and what a browser or Word is given is made of that Markdown, so that all say the same in the same order. Pure, and the same result makes the same bytes. Whatever could not be proven says so, first thing and where it stands.

mod columns;
mod escape;
mod grid;
#[cfg(test)]
mod hostile_form_tests;
#[cfg(test)]
mod hostile_tests;
mod html;
mod mark;
mod overview;
mod pieces;
mod rewrite;
mod seen;
mod sheet;
mod table;
#[cfg(test)]
mod tests;
mod word;

use jiff::Timestamp;
use serde_json::Value;

pub use html::html;
use mark::{Count, Marks};
pub use overview::{Form, Part, digest};
pub use word::word;

use super::judgement::{Judgement, Said, capital};
use super::quote::Check;
use super::schema::Schema;

/// Where a result comes from.
#[derive(Debug, Clone)]
pub struct Provenance<'a> {
    pub file: &'a str,
    pub version: &'a str,
    pub rule: &'a str,
    pub engine: &'a str,
    pub model: &'a str,
    /// The hash of what was asked.
    pub definition: &'a str,
    pub response: Option<&'a str>,
    /// Unix milliseconds.
    pub started_at: i64,
    /// Unix milliseconds.
    pub finished_at: i64,
    pub tokens: Option<Tokens>,
}

/// What a run cost, in the model's own units.
#[derive(Debug, Clone, Copy)]
pub struct Tokens {
    pub read: u64,
    pub written: u64,
    pub all: u64,
}

/// What came out.
#[derive(Debug, Clone)]
pub enum Answer<'a> {
    /// The model's own Markdown.
    Text(&'a str),
    Data {
        schema: &'a Schema,
        result: &'a Value,
        checks: &'a [Check],
    },
}

/// What the rule asked of the document.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub prompt: &'a str,
    /// When the rule first asked it like this. Unix milliseconds.
    pub since: i64,
}

/// A result to write down.
#[derive(Debug, Clone)]
pub struct ResultPage<'a> {
    pub provenance: Provenance<'a>,
    pub answer: Answer<'a>,
    /// What a reader must know besides, as sentences.
    pub notes: &'a [String],
    /// Why nothing in the document could be read, if nothing could.
    pub unread: Option<&'a str>,
    /// What it is instead of the answer for what the document is now, in a sentence.
    pub notice: Option<&'a str>,
    /// What a person says of the answer.
    pub judgement: Option<&'a Judgement>,
    pub asked: Option<Asked<'a>>,
}

impl<'a> ResultPage<'a> {
    /// With nothing that a reader has to know besides.
    pub fn of(provenance: Provenance<'a>, answer: Answer<'a>) -> Self {
        ResultPage {
            provenance,
            answer,
            notes: &[],
            unread: None,
            notice: None,
            judgement: None,
            asked: None,
        }
    }

    /// What the document is called.
    fn name(&self) -> &str {
        self.provenance.file.rsplit('/').next().unwrap_or(self.provenance.file)
    }
}

/// One file in a table over many.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    pub file: &'a str,
    /// What became of its run, such as `needs_review`.
    pub state: &'a str,
    /// Why it is so, where there is more to say, as that a limit holds it.
    pub remark: Option<&'a str>,
    /// What a person says of the result.
    pub judgement: Option<&'a Judgement>,
    /// Whether nothing in the file could be read.
    pub unread: bool,
    pub result: Option<&'a Value>,
    pub checks: &'a [Check],
}

/// A result as Markdown.
pub fn markdown(report: &ResultPage<'_>) -> String {
    let ResultPage { provenance, answer, notes, unread, notice, judgement, asked } = report;
    let mut text = format!("# {}\n\n", escape::inline(report.name()));
    if let Some(notice) = notice {
        text += &format!("> **⚠ {}**\n>\n", escape::inline(notice));
    }
    if let Some(judgement) = judgement {
        text += &judged(judgement, notice.is_some());
    }
    if let Some(why) = unread {
        text += &format!(
            "> **⚠ NOT READ.** {}. What follows says nothing about the document: read it yourself.\n>\n",
            escape::inline(why)
        );
    }
    text += &match answer {
        Answer::Text(_) => "> This is free text: nothing in it was checked against the document.".to_owned(),
        Answer::Data { schema, result, checks } => {
            let count = Marks::of(schema, result, checks).count();
            let verdict = match count.quotes {
                0 if schema.has_quotes() => "> It gives no quotes, so nothing was checked.".to_owned(),
                _ => verdict(count),
            };
            verdict + if schema.tables().is_empty() { "" } else { MAY_BE_MISSING }
        }
    };
    text.push_str("\n\n");
    for note in *notes {
        text += &format!("- {}\n", escape::inline(note));
    }
    if !notes.is_empty() {
        text.push('\n');
    }
    match answer {
        Answer::Text(answer) => text += &format!("{}\n", rewrite::markdown(answer)),
        Answer::Data { schema, result, checks } => {
            let nothing = if unread.is_some() { NOT_READ } else { NONE };
            text += &data(schema, (result, checks), nothing);
        }
    }
    if let Some(asked) = asked {
        text += &question(asked);
    }
    let trust = match answer {
        Answer::Text(_) => "Made by Docket with a language model, which may be wrong.",
        Answer::Data { .. } => {
            "Made by Docket with a language model. A quote marked ✔ stands in the document; anything else may be wrong."
        }
    };
    format!("{text}\n---\n\n{trust}\n\n{}", origin(provenance))
}

/// The findings of one result as CSV, with whether and where each quote was found. None for a schema without a list of
/// objects. Each of `above` stands in a line above them.
pub fn csv(schema: &Schema, result: &Value, checks: &[Check], above: &[String]) -> Option<String> {
    let table = grid::csv(schema, result, checks)?;
    Some(above.iter().rfold(table, |table, words| grid::headed(&grid::one_line(words), &table)))
}

/// Others' Markdown, without anything that acts when it is rendered.
pub(super) fn harmless_markdown(text: &str) -> String {
    rewrite::markdown(text) + "\n"
}

/// Others' table, without anything that a spreadsheet would run.
pub(super) fn harmless_table(text: &str) -> String {
    table::harmless(text)
}

/// Others' text, with every character visible.
pub(super) fn visible(text: &str) -> String {
    seen::shown(&text.replace("\r\n", "\n")).into_owned()
}

/// What a person says of the answer; `of_earlier` where what follows is not the answer for what the document is now.
fn judged(judgement: &Judgement, of_earlier: bool) -> String {
    let words = judgement.words();
    let words = if of_earlier { format!("What follows was {words}") } else { capital(&words) };
    let (sign, then) = match judgement.said {
        Said::Accepted => ("", ""),
        Said::Rejected => ("⚠ ", REJECTED),
    };
    format!("> **{sign}{}:** {}\n>\n{then}", escape::inline(&words), escape::inline(&judgement.note))
}

const REJECTED: &str =
    "> Do not rely on what follows. It stays here until the rule is run over the document once more.\n>\n";

/// What a reader must know first.
fn verdict(count: Count) -> String {
    let Count { quotes, unverified, partial } = count;
    let them =
        |count: usize, one: &str, many: &str| if count == 1 { one.to_owned() } else { many.to_owned() };
    let unverified = (unverified > 0).then(|| {
        format!(
            "> **⚠ {unverified} of {quotes} {} UNVERIFIED.** {} could not be found in the document as {} here. Read the \
             document before you rely on {}.",
            them(unverified, "quotes is", "quotes are"),
            them(unverified, "It", "They"),
            them(unverified, "it stands", "they stand"),
            them(unverified, "it", "them"),
        )
    });
    let partial = (partial > 0).then(|| {
        format!(
            "> **⚠ {partial} of {quotes} {} PARTIAL.** {} in the document, in a sentence that also says something else: a \
             negation, an exception or a condition. Read the whole sentence, which stands beside {}.",
            them(partial, "quotes is", "quotes are"),
            them(partial, "Its words stand", "Their words stand"),
            them(partial, "it", "each"),
        )
    });
    let warnings: Vec<String> = unverified.into_iter().chain(partial).collect();
    match quotes {
        0 => "> Nothing in it was marked as a quote, so nothing was checked against the document.".to_owned(),
        _ if !warnings.is_empty() => warnings.join("\n>\n"),
        quotes => {
            let found = them(quotes, "The one quote was", &format!("All {quotes} quotes were"));
            format!("> ✔ {found} found in the document, word for word.")
        }
    }
}

/// The line below the findings of a CSV that says that there could be none.
pub fn unread_row(why: &str) -> String {
    grid::line(&[format!("NOT READ: {why}")], ',')
}

/// What no check can find out.
const MAY_BE_MISSING: &str =
    "\n>\n> Clauses may be missing from the list, however many of its quotes are proven.";

/// What stands where nothing was found, and where nothing could be.
const NONE: &str = "None.\n";
const NOT_READ: &str = "Not read.\n";

/// Each field under its name, in the order of the schema; `nothing` stands where there is none.
fn data(schema: &Schema, (result, checks): (&Value, &[Check]), nothing: &str) -> String {
    let marks = Marks::of(schema, result, checks);
    let mut text = String::new();
    for (path, cell) in schema.members(result) {
        let Some(value) = cell.value else { continue };
        text += &format!("## {}\n\n", title(&path));
        let table = schema.tables().iter().find(|table| table.pointer == cell.pointer);
        text += &match (table, value) {
            (Some(table), _) => {
                grid::section(schema, table, result, &marks).unwrap_or_else(|| nothing.to_owned())
            }
            (None, Value::Array(list)) if list.is_empty() => nothing.to_owned(),
            (None, Value::Array(list)) => {
                let items = list.iter().enumerate();
                items
                    .map(|(place, item)| {
                        format!("- {}\n", marked(item, &format!("{}/{place}", cell.pointer), &marks))
                    })
                    .collect()
            }
            (None, Value::String(string)) if !marks.is_quote(&cell.pointer) => {
                format!("{}\n", escape::paragraphs(string))
            }
            (None, Value::Null) => nothing.to_owned(),
            (None, value) => format!("{}\n", marked(value, &cell.pointer, &marks)),
        };
        text.push('\n');
    }
    text.trim_end().to_owned() + "\n"
}

/// A value within a line, each quote with its mark.
fn marked(value: &Value, pointer: &str, marks: &Marks<'_>) -> String {
    match value {
        Value::Array(list) => {
            let one = |(place, item)| marked(item, &format!("{pointer}/{place}"), marks);
            list.iter().enumerate().map(one).collect::<Vec<_>>().join("; ")
        }
        value if marks.is_quote(pointer) => {
            format!("“{}” {}", escape::inline(&value_text(value)), marks.sign(pointer))
        }
        value => escape::inline(&value_text(value)),
    }
}

/// A value as text: lists with semicolons, objects as JSON.
fn value_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(list) if !list.iter().any(Value::is_object) => {
            list.iter().map(value_text).collect::<Vec<_>>().join("; ")
        }
        value => value.to_string(),
    }
}

/// `party.full_name` as `Party full name`.
fn title(path: &[String]) -> String {
    let words = path.join(" ").replace(['_', '-'], " ");
    escape::inline(&capital(words.trim()))
}

/// The rule's own words.
fn question(asked: &Asked<'_>) -> String {
    let prompt = escape::paragraphs(asked.prompt).replace('\n', "\n> ").replace("> \n", ">\n");
    format!("\n## What was asked\n\n> {prompt}\n\nThe rule asks this since {}.\n", time(asked.since))
}

fn time(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds).map(|time| format!("{time:.0}")).unwrap_or_default()
}

fn origin(provenance: &Provenance<'_>) -> String {
    let mut rows = vec![
        ("Document", escape::inline(provenance.file)),
        ("Version", escape::inline(provenance.version)),
        ("Rule", escape::inline(provenance.rule)),
        ("Model", format!("{} ({})", escape::inline(provenance.model), escape::inline(provenance.engine))),
        ("Definition", escape::inline(provenance.definition)),
    ];
    rows.extend(provenance.response.map(|id| ("Response", escape::inline(id))));
    rows.push(("Started", time(provenance.started_at)));
    rows.push(("Finished", time(provenance.finished_at)));
    rows.extend(provenance.tokens.map(|Tokens { read, written, all }| {
        ("Tokens", format!("{read} read, {written} written, {all} in all"))
    }));
    let rows = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    grid::table(vec!["Provenance".to_owned(), String::new()], rows)
}
