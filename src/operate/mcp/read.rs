//! The tools that read.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::told::{MOST, Told, cut, short, shown};
use super::tool::{FindFiles, GetResult, ListRuns, NeedsReview, Nothing, OfFile, SearchFor};
use crate::history::Entry;
use crate::listen::problem::Problem;
use crate::operate::api::Api;
use crate::operate::query::Question;
use crate::operate::query::explain::{Explain, Explained};
use crate::operate::query::files::Files;
use crate::operate::query::runs::{Run, RunView, RunWhole, Runs};
use crate::operate::query::search::{self, ResultRow, Search};
use crate::operate::verdict::Verdict;
use crate::operate::words::{lasted, stamp};
use crate::run;
use crate::sync::listing::{Row, Standing};

/// Rows that are asked for at first; fewer where so many do not fit.
const ROWS: u32 = 16;

/// Runs over a file that are told of with it.
const RUNS: usize = 5;

/// Quotes that are told of with a result, of those that are not proven.
const UNPROVEN: usize = 5;

/// Bytes of one passage.
const PASSAGE: usize = 1_200;

/// What stands around a text and in a last field.
const FRAME: usize = 400;

pub async fn is_current(api: &Api, asked: OfFile) -> Result<Told, Problem> {
    let explained = explain(api, &asked.file).await?;
    let mut told = Told::as_of(api.now());
    told.set("sentence", &explained.sentence);
    told.set("is_current", one(&explained).is_some_and(|rows| rows[0].state == Standing::Current));
    let besides: Vec<String> = explained.besides.iter().map(|words| short(words)).collect();
    told.set("besides", (!besides.is_empty()).then_some(besides));
    let Some(rows) = one(&explained) else {
        let named: Vec<Value> = by_file(&explained.files).map(file).take(RUNS).collect();
        told.next(match named.is_empty() {
            true => "find_files lists the files that are known; sync_now without a file has Fastio listed once more.",
            false => "Ask again with one of these ids.",
        });
        told.set("files", (!named.is_empty()).then_some(named));
        return Ok(told);
    };
    told.set("file", file(rows));
    let stores: Vec<&str> = rows.iter().filter_map(|row| row.copy.vector_store.as_deref()).collect();
    told.set("vector_stores", stores);
    let covering: Vec<&str> =
        explained.rules.iter().filter(|says| says.covers).map(|says| says.rule.as_str()).collect();
    told.set("rules", &covering);
    let present = rows[0].copy.content_hash.as_deref();
    let runs = explained.runs.iter().take(RUNS).map(|view| {
        let is_present = Some(view.run.content_hash.as_str()) == present;
        object([
            ("run", json!(view.run.run_id)),
            ("rule", json!(view.run.rule)),
            ("state", json!(view.word)),
            ("is_of_searchable_version", json!(is_present)),
        ])
    });
    told.set("runs", runs.collect::<Vec<_>>());
    told.next(after_looking(api, &explained, &rows[0]));
    Ok(told)
}

/// What to do about a file that stands so.
fn after_looking(api: &Api, explained: &Explained, row: &Row) -> String {
    if row.job_state.as_deref() == Some("dead") || row.state == Standing::Skipped {
        return "sync_now with this file tries it again, once what is in the way is removed.".to_owned();
    }
    if row.state == Standing::Out {
        return match runnable(api, explained).first() {
            Some(rule) => format!(
                "start_run runs rule {rule} over it, and has it at OpenAI where that needs it; sync_now brings back what has left for a budget."
            ),
            None => {
                "sync_now with this file brings it back to OpenAI, where what is used least leaves for it."
                    .to_owned()
            }
        };
    }
    if row.state == Standing::Behind {
        return "Docket is on it: ask again in a minute.".to_owned();
    }
    let hash = row.copy.content_hash.as_deref();
    let newest = explained.runs.iter().find(|view| Some(view.run.content_hash.as_str()) == hash);
    match (newest, runnable(api, explained).first()) {
        (Some(view), _) => format!("get_result with run {} reads the answer.", view.run.run_id),
        (None, Some(rule)) => format!("start_run runs rule {rule} over it; search finds passages in it."),
        (None, None) => "search finds passages in it.".to_owned(),
    }
}

/// The rules that cover the file and run something.
pub fn runnable(api: &Api, explained: &Explained) -> Vec<String> {
    let covers = |name: &str| explained.rules.iter().any(|says| says.covers && says.rule == name);
    let names = api.definitions().iter().map(|definition| definition.rule.name.clone());
    names.filter(|name| covers(name)).collect()
}

pub async fn explain(api: &Api, place: &str) -> Result<Explained, Problem> {
    api.ask(Explain { place: place.to_owned() }).await
}

/// The rows of the file, where it is one.
pub fn one(explained: &Explained) -> Option<&[Row]> {
    explained.timeline.as_ref().map(|_| explained.files.as_slice()).filter(|rows| !rows.is_empty())
}

pub async fn find_files(api: &Api, asked: FindFiles) -> Result<Told, Problem> {
    let FindFiles { place, state, rule, after } = asked;
    let ask = |limit| Files {
        place: place.clone(),
        state,
        rule: rule.clone(),
        after: after.clone(),
        limit: Some(limit),
        ..Files::default()
    };
    fitting(api, ask, |told, page| {
        told.set("files", by_file(&page.rows).map(file).collect::<Vec<_>>());
        told.next(match &page.next {
            Some(_) => "There may be more: ask again with `after` set to `next`.",
            None => "is_current says of one of them why it is as it is.",
        });
        told.set("next", page.next);
    })
    .await
}

pub async fn file_timeline(api: &Api, asked: OfFile) -> Result<Told, Problem> {
    let begin = offset(asked.after.as_deref())?;
    let explained = explain(api, &asked.file).await?;
    let (Some(rows), Some(timeline)) = (one(&explained), &explained.timeline) else {
        return Err(Problem::new(StatusCode::NOT_FOUND, explained.sentence));
    };
    let mut told = Told::as_of(api.now());
    told.set("file", file(rows));
    let entries = timeline.entries.iter().rev().skip(begin).map(entry);
    let (fits, shown) = fill(&told, entries);
    told.set("entries", fits);
    let next = begin + shown;
    told.set("next", (next < timeline.entries.len()).then(|| next.to_string()));
    told.next("The newest is first. is_current says in a sentence how the file stands.");
    Ok(told)
}

fn entry(entry: &Entry) -> Value {
    object([
        ("at", json!(stamp(entry.began_at))),
        ("took", json!(entry.milliseconds().filter(|took| *took > 0).map(lasted))),
        ("what", json!(entry.kind.as_str())),
        ("words", json!((!entry.words.is_empty()).then(|| short(&entry.words)))),
        ("rule", json!(entry.rule)),
        ("attempt", json!(entry.attempt.filter(|attempt| *attempt > 1))),
    ])
}

pub async fn search(api: &Api, asked: SearchFor) -> Result<Told, Problem> {
    let begin = offset(asked.after.as_deref())?;
    let SearchFor { query, rule, .. } = asked;
    let results = api.search(&Search { query, rule, limit: Some(search::MOST.into()) }).await?;
    let mut told = Told::as_of(results.as_of);
    told.set("left_out", results.left_out_words());
    told.set("out", results.out_words());
    let (mut passages, mut texts, mut size) = (Vec::new(), Vec::new(), told.bytes() + FRAME);
    for (place, row) in results.rows.iter().enumerate().skip(begin) {
        let text = shown(&row.text);
        let text = cut(&text, PASSAGE).to_owned();
        let passage = passage(place + 1, row, text.len() < row.text.len());
        size += passage.to_string().len() + text.len() + FRAME;
        if size > MOST && !passages.is_empty() {
            break;
        }
        passages.push(passage);
        texts.push((format!("Passage {}", place + 1), text));
    }
    let next = begin + passages.len();
    told.set("passages", passages);
    told.set("found", results.rows.len());
    told.set("next", (next < results.rows.len()).then(|| next.to_string()));
    told.next("Cite the path and version with what you use. is_current says whether a file is current.");
    texts.iter().for_each(|(label, text)| told.data(label, text));
    Ok(told)
}

fn passage(number: usize, row: &ResultRow, is_cut: bool) -> Value {
    object([
        ("passage", json!(number)),
        ("path", json!(row.path)),
        ("id", json!(row.source_id)),
        ("score", json!((row.score * 100.0).round() / 100.0)),
        ("state", json!(row.state)),
        ("is_of_present_version", json!(row.is_present)),
        ("version", json!(row.version)),
        ("content_hash", json!(row.content_hash)),
        ("reason", json!(row.reason.as_deref().map(short))),
        ("is_cut", json!(is_cut.then_some(true))),
    ])
}

pub async fn list_runs(api: &Api, asked: ListRuns) -> Result<Told, Problem> {
    runs(api, asked, "get_result with one of these numbers reads the answer.").await
}

pub async fn needs_review(api: &Api, asked: NeedsReview) -> Result<Told, Problem> {
    let NeedsReview { rule, after } = asked;
    let asked = ListRuns { rule, after, state: Some("needs_review".to_owned()) };
    runs(api, asked, "get_result shows the quotes that are not proven; review tells a person's verdict, and nobody else's.").await
}

async fn runs(api: &Api, asked: ListRuns, hint: &str) -> Result<Told, Problem> {
    let ListRuns { rule, state, after } = asked;
    let ask = |limit| Runs {
        rule: rule.clone(),
        state: state.clone(),
        after: after.clone(),
        limit: Some(limit),
        ..Runs::default()
    };
    fitting(api, ask, |told, page| {
        told.set("runs", page.rows.iter().map(run_row).collect::<Vec<_>>());
        told.set("next", page.next);
        told.next(hint);
    })
    .await
}

fn run_row(view: &RunView) -> Value {
    let run = &view.run;
    object([
        ("run", json!(run.run_id)),
        ("rule", json!(run.rule)),
        ("state", json!(view.word)),
        ("path", json!(run.path)),
        ("id", json!(run.source_id)),
        ("version", json!(run.version)),
        ("content_hash", json!(run.content_hash)),
        ("reason", json!(run.reason.as_deref().map(short))),
        ("verdict", json!(run.judgement().map(|judgement| short(&judgement.sentence())))),
        ("changed", json!(stamp(run.updated_at))),
    ])
}

pub async fn get_result(api: &Api, asked: GetResult) -> Result<Told, Problem> {
    let begin = offset(asked.after.as_deref())?;
    let id = match (asked.run, &asked.file) {
        (Some(id), _) => id,
        (None, Some(place)) => newest_run(api, place, asked.rule.as_deref()).await?,
        (None, None) => return Err(Problem::new(StatusCode::BAD_REQUEST, "name a `run`, or a `file`")),
    };
    let RunWhole { run, word, result, actions } = api.ask(Run { id }).await?;
    let file = explain(api, &run.source_id).await?;
    let present =
        one(&file).map(|rows| rows[0].copy.content_hash.as_deref() == Some(run.content_hash.as_str()));
    let has_ended = run.state == "ended";
    let mut told = Told::as_of(api.now());
    told.set("run", run_row(&RunView { run, word }));
    told.set("is_of_searchable_version", present);
    told.set("file_now", short(&file.sentence));
    let doubtful = run::doubtful(&result);
    let unproven = doubtful.iter().take(UNPROVEN);
    let unproven: Vec<Value> =
        unproven.map(|check| json!({"at": check.pointer, "why": short(&check.proof.words(short))})).collect();
    told.set("quotes_not_proven", doubtful.len());
    told.set("not_proven", (!unproven.is_empty()).then_some(unproven));
    let actions: Vec<String> = actions.iter().map(|action| short(&action.words())).collect();
    told.set("actions", (!actions.is_empty()).then_some(actions));
    if result.is_null() {
        told.next(match has_ended {
            true => "It came to nothing, for the reason above; start_run makes another.",
            false => "It goes on: ask again in some seconds.",
        });
        return Ok(told);
    }
    let text = shown(&run::said(&result));
    let rest = text.get(begin..).ok_or_else(not_a_place)?;
    let room = told.room().saturating_sub(FRAME);
    let part = cut(rest, room);
    let next = begin + part.len();
    told.set("next", (next < text.len()).then(|| next.to_string()));
    told.next(match doubtful.is_empty() {
        true => "Every quote in it was found in the document. Whether it may be relied on, a person says with review.",
        false => "Quotes that are not proven may be made up: say so to whoever reads them.",
    });
    told.data("The answer", part);
    Ok(told)
}

/// The newest run over the file at a place.
async fn newest_run(api: &Api, place: &str, rule: Option<&str>) -> Result<i64, Problem> {
    let explained = explain(api, place).await?;
    if one(&explained).is_none() {
        return Err(Problem::new(StatusCode::NOT_FOUND, explained.sentence));
    }
    let mut runs = explained.runs.iter().map(|view| &view.run);
    let newest = runs.find(|run| rule.is_none_or(|rule| run.rule == rule));
    let none =
        || Problem::new(StatusCode::NOT_FOUND, "nothing was run over this file yet; start_run does it");
    newest.map(|run| run.run_id).ok_or_else(none)
}

pub async fn status(api: &Api, _: Nothing) -> Result<Told, Problem> {
    let view = api.overview().await?;
    let Verdict { verdict, reasons } = Verdict::of(&view.status, view.server.is_some());
    let mut told = Told::as_of(api.now());
    told.set("verdict", verdict);
    told.set("reasons", reasons.iter().take(RUNS).map(|reason| short(reason)).collect::<Vec<_>>());
    let counted = |counts: &[(String, i64)]| {
        let there = counts.iter().filter(|(_, number)| *number > 0);
        Value::Object(there.map(|(name, number)| (name.clone(), json!(number))).collect())
    };
    told.set("files", counted(&view.status.files));
    told.set("jobs", counted(&view.status.jobs));
    told.set("runs", counted(&view.status.runs));
    told.set(
        "oldest_change_not_searchable",
        view.status
            .oldest
            .as_ref()
            .map(|oldest| json!({"since": stamp(oldest.since), "why": short(&oldest.why)})),
    );
    let out: i64 = view.status.usage.rules.values().map(|held| held.all_out().files).sum();
    told.set("files_out_of_openai", (out > 0).then_some(out));
    told.set("rules", &view.about.rules);
    told.next("find_files with state `behind` lists what is not searchable as it is now; needs_review what waits for a verdict.");
    Ok(told)
}

/// Asks for fewer rows until what is told of them fits.
async fn fitting<Q: Question>(
    api: &Api,
    ask: impl Fn(u32) -> Q,
    tell: impl Fn(&mut Told, Q::Answer),
) -> Result<Told, Problem> {
    let mut limit = ROWS;
    loop {
        let answer = api.ask(ask(limit)).await?;
        let mut told = Told::as_of(api.now());
        tell(&mut told, answer);
        if told.bytes() <= MOST || limit == 1 {
            return Ok(told);
        }
        limit /= 2;
    }
}

/// As many as there is room for, and how many that are; one in any case.
fn fill(told: &Told, entries: impl Iterator<Item = Value>) -> (Vec<Value>, usize) {
    let mut room = told.room().saturating_sub(FRAME);
    let mut fits = Vec::new();
    for entry in entries {
        let size = entry.to_string().len() + 1;
        if size > room && !fits.is_empty() {
            break;
        }
        room = room.saturating_sub(size);
        fits.push(entry);
    }
    let shown = fits.len();
    (fits, shown)
}

/// The rows of each file.
fn by_file(rows: &[Row]) -> impl Iterator<Item = &[Row]> {
    rows.chunk_by(|one, other| one.source_id == other.source_id)
}

/// A file, with the version that Fastio was last seen to hold and the content that can be searched.
fn file(rows: &[Row]) -> Value {
    let row = &rows[0];
    object([
        ("path", json!(row.path)),
        ("id", json!(row.source_id)),
        ("state", json!(row.state)),
        ("reason", json!(row.reason.as_deref().map(short))),
        ("since", json!(row.since.map(stamp))),
        ("version", json!(row.version)),
        ("searchable_version", json!(row.copy.version)),
        ("content_hash", json!(row.copy.content_hash)),
        ("note", json!(row.copy.note.as_deref().map(short))),
    ])
}

/// What says nothing is left out.
fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let said = fields.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(said.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

/// How far the answers before have come.
fn offset(after: Option<&str>) -> Result<usize, Problem> {
    after.map_or(Ok(0), |after| after.parse().map_err(|_| not_a_place()))
}

fn not_a_place() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "`after` is not what an answer had as `next`")
}
