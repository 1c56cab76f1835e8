//! One run, to be read: each finding beside its quote, as it stands in the document, and what is not proven first.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use super::Dashboard;
use super::files::place;
use super::page::{Frame, Table, class, show};
use crate::audit;
use crate::database::Connection;
use crate::listen::problem::Problem;
use crate::operate::guard::Viewer;
use crate::operate::words::{dollars, mood, stamp};
use crate::result::quote::{Check, Paragraph, Proof};
use crate::run::store::{self, RunRow};
use crate::run::{self, ActionRow, RunId};

/// Findings on one page, and characters of what is long in one: a page stays small enough to send, and the whole result is behind a
/// link.
const FINDINGS: usize = 100;
const LONGEST: usize = 2_000;

/// What stands around one text in a page.
const MARKUP: usize = 50;

/// Bytes of findings on one page.
const ROOM: usize = 40_000;

const DEEDS: u32 = 20;

#[derive(Template)]
#[template(path = "review.html")]
struct Page {
    frame: Frame,
    id: i64,
    path: String,
    file: String,
    word: String,
    class: &'static str,
    reason: String,
    judgement: String,
    /// It has an answer of which somebody can say whether it may be relied on.
    may_judge: bool,
    is_judged: bool,
    has_ended: bool,
    facts: Vec<(String, String)>,
    summary: Vec<(String, String)>,
    findings: Vec<Finding>,
    more: usize,
    text: Vec<String>,
    /// The next one that needs a person.
    next: Option<i64>,
    deeds: Table,
}

/// A quote, and what was said about it.
pub struct Finding {
    pub place: usize,
    /// Whether it is proven, in a word, and why not.
    pub word: &'static str,
    pub class: &'static str,
    pub why: String,
    pub said: Vec<(String, String)>,
    pub quote: String,
    /// The paragraph it stands in: before it, itself, after it. Empty where that is not known.
    pub context: Option<[String; 3]>,
    pub left_out: String,
    /// Page, section and line.
    pub stands: String,
}

impl Finding {
    /// Bytes that it takes on a page, about.
    fn bytes(&self) -> usize {
        let said: usize = self.said.iter().map(|(name, value)| name.len() + value.len() + MARKUP).sum();
        let around: usize = self.context.iter().flatten().map(String::len).sum();
        said + around.max(self.quote.len()) + self.left_out.len() + self.why.len() + 4 * MARKUP
    }
}

pub async fn page(
    Viewer(who): Viewer,
    State(dashboard): State<Dashboard>,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    let read = move |connection: &mut Connection| {
        let Some(row) = store::row(connection, RunId(id))? else { return Ok(None) };
        let result = store::get(connection, RunId(id))?.and_then(|run| run.result).unwrap_or_default();
        let next =
            store::page(connection, &store::Page { word: Some("needs_review"), ..store::Page::first(2) })?;
        let deeds = audit::about(connection, &format!("run:{id}"), DEEDS)?;
        let actions = run::actions(connection, RunId(id))?;
        Ok(Some((row, result, next, (deeds, actions))))
    };
    let Some((row, result, next, (deeds, actions))) = dashboard.read(read).await? else {
        return Err(Problem::new(StatusCode::NOT_FOUND, format!("there is no run {id}")));
    };
    let word = row.word().to_owned();
    let mut findings = findings(&result);
    let (all, mut room) = (findings.len(), ROOM);
    let fit = findings.iter().take_while(|finding| {
        let has_room = room > 0;
        room = room.saturating_sub(finding.bytes());
        has_room
    });
    let fit = fit.count().min(FINDINGS);
    findings.truncate(fit);
    let more = all - fit;
    let title = format!("Run {id}");
    show(&Page {
        frame: dashboard.frame(who, ("/runs", &title), format!("docket runs show {id}")),
        id,
        path: row.path.clone(),
        file: place(&row.source_id),
        class: class(mood(&word)),
        word: word.replace('_', " "),
        reason: row.reason.clone().unwrap_or_default(),
        judgement: row.judgement().map(|judgement| judgement.sentence()).unwrap_or_default(),
        may_judge: row.state == "ended"
            && matches!(row.outcome.as_deref(), Some("completed" | "needs_review"))
            && !result.is_null(),
        is_judged: row.verdict.is_some(),
        has_ended: row.state == "ended",
        facts: facts(&row, &actions),
        summary: summary(&result["data"]),
        findings,
        more,
        text: text(&result),
        next: next.iter().map(|row| row.run_id).find(|next| *next != id),
        deeds: super::log::table(&deeds, dashboard.now()),
    })
}

/// Every quote of a result with what was said of it: first what is not proven, then what leaves words out, then the rest.
pub fn findings(result: &Value) -> Vec<Finding> {
    let mut checks: Vec<Check> = run::checks(result);
    checks.sort_by_key(|check| match (check.proof.is_verified(), check.proof.left_out()) {
        (false, _) => 0,
        (true, Some(_)) => 1,
        (true, None) => 2,
    });
    let found = checks.iter().enumerate();
    found.map(|(place, check)| finding(place + 1, check, &result["data"])).collect()
}

fn finding(place: usize, check: &Check, data: &Value) -> Finding {
    let (word, class) = match (check.proof.is_verified(), check.proof.left_out()) {
        (false, _) => ("unverified", "bad"),
        (true, Some(_)) => ("partial", "waiting"),
        (true, None) => ("verified", "good"),
    };
    let (owner, own) = check.pointer.rsplit_once('/').unwrap_or(("", ""));
    let owner = data.pointer(owner).and_then(Value::as_object);
    let said = owner.into_iter().flatten().filter(|(name, _)| *name != own);
    let stands = match &check.proof {
        Proof::Found(found) => {
            let pages = found.pages.map(|(first, last)| match first == last {
                true => format!("page {first}"),
                false => format!("pages {first} to {last}"),
            });
            let parts =
                [pages, found.section.clone(), (found.line > 0).then(|| format!("line {}", found.line))];
            parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
        }
        _ => String::new(),
    };
    Finding {
        place,
        word,
        class,
        why: check.proof.words(str::to_owned),
        said: said.filter_map(|(name, value)| Some((label(name), scalar(value)?))).collect(),
        context: context(check),
        quote: cut(&check.quote),
        left_out: check.proof.left_out().unwrap_or_default().to_owned(),
        stands,
    }
}

/// The paragraph around a quote, in three parts, or the sentence where that is all that was kept; none where the document has no more
/// than the quote.
fn context(check: &Check) -> Option<[String; 3]> {
    let Proof::Found(found) = &check.proof else { return None };
    if let Some(Paragraph { before, quote, after }) = &found.paragraph {
        return Some([before.clone(), cut(quote), after.clone()]);
    }
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (sentence, quote) = (squeezed(found.sentence.as_deref()?), squeezed(&check.quote));
    let (before, after) = sentence.split_once(&quote)?;
    Some([before.to_owned(), quote, after.to_owned()])
}

fn label(name: &str) -> String {
    name.replace(['_', '-'], " ")
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) => Some(cut(text)),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(if *yes { "yes" } else { "no" }.to_owned()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn cut(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// What an answer says besides its findings.
fn summary(data: &Value) -> Vec<(String, String)> {
    let fields = data.as_object().into_iter().flatten();
    fields.filter_map(|(name, value)| Some((label(name), scalar(value)?))).collect()
}

/// The paragraphs of an answer that is no data, and what was kept of one that is no result.
fn text(result: &Value) -> Vec<String> {
    if !result["data"].is_null() {
        return Vec::new();
    }
    let text = result["text"].as_str().or(result["refusal"].as_str()).unwrap_or_default();
    text.split('\n').filter(|line| !line.trim().is_empty()).take(FINDINGS).map(cut).collect()
}

fn facts(row: &RunRow, actions: &[ActionRow]) -> Vec<(String, String)> {
    let at = |at: Option<i64>| at.map(stamp);
    let tokens =
        row.input_tokens.map(|read| format!("{read} read, {} written", row.output_tokens.unwrap_or(0)));
    let facts = [
        ("rule", Some(row.rule.clone())),
        ("version", row.version.clone()),
        ("model", row.model.clone()),
        ("definition", Some(row.definition.clone())),
        ("content", Some(row.content_hash.clone())),
        ("response", row.response.clone()),
        ("tries", Some(row.tries.to_string())),
        ("tokens", tokens),
        ("cost", row.cost.map(|cost| dollars(cost.unsigned_abs()))),
        ("begun", at(row.begun_at)),
        ("answered", at(row.answered_at)),
        ("ended", at(row.ended_at)),
    ];
    let actions = actions.iter().map(|action| ("action", Some(action.words())));
    facts.into_iter().chain(actions).filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_proven_comes_first_and_a_quote_stands_in_its_sentence() {
        let result = json!({
            "data": {"summary": "Two.", "clauses": [
                {"party": "Supplier", "quote": "liability is capped", "risk": "low"},
                {"party": "Customer", "quote": "no such words here", "risk": "high", "note": ""},
            ]},
            "checks": [
                {"pointer": "/clauses/0/quote", "quote": "liability is capped", "proof": "found", "offset": 4, "length": 19,
                 "line": 3, "section": "§ 7", "sentence": "The liability  is capped, except for intent.",
                 "left_out": "except for intent"},
                {"pointer": "/clauses/1/quote", "quote": "no such words here", "proof": "not_found"},
            ],
        });
        let found = findings(&result);
        assert_eq!([found[0].word, found[1].word], ["unverified", "partial"]);
        assert_eq!(
            found[0].said,
            [("party".to_owned(), "Customer".to_owned()), ("risk".to_owned(), "high".to_owned())]
        );
        let [before, quote, after] = found[1].context.clone().unwrap();
        assert_eq!(
            [before.as_str(), &quote, &after],
            ["The ", "liability is capped", ", except for intent."]
        );
        assert_eq!(found[1].stands, "§ 7, line 3");
        assert_eq!(summary(&result["data"]), [("summary".to_owned(), "Two.".to_owned())]);
    }
}
