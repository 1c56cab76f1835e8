//! What all pages have in common: their frame, tables, times, and how one becomes an answer.

use askama::Template;
use axum::Router;
use axum::extract::Request;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};

use super::assets::{ICON, SCRIPT, STYLE};
use super::{Dashboard, form};
use crate::database;
use crate::listen::problem::Problem;
use crate::operate::guard::{Role, Who, wants_page};
use crate::operate::words::{Mood, mood, stamp, when};

/// Nothing is loaded from elsewhere, and nothing that stands in a page is run.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The places that the frame of each page names, with the least role that sees them.
const PLACES: [(&str, &str, Role); 9] = [
    ("/", "Overview", Role::Admin),
    ("/files", "Files", Role::Viewer),
    ("/search", "Search", Role::Viewer),
    ("/runs", "Runs", Role::Viewer),
    ("/webhooks", "Webhooks", Role::Admin),
    ("/jobs", "Jobs", Role::Admin),
    ("/sweeps", "Sweeps", Role::Admin),
    ("/settings", "Settings", Role::Admin),
    ("/log", "Log", Role::Admin),
];

/// What stands around a page.
pub struct Frame {
    pub title: String,
    pub environment: String,
    pub places: Vec<NavItem>,
    pub who: &'static str,
    pub is_admin: bool,
    pub signs_out: bool,
    /// What says the same in a terminal.
    pub command: String,
    pub at: String,
    /// Whether it changes by itself, and may be read anew.
    pub live: bool,
    pub style: String,
    pub script: String,
    pub icon: String,
}

pub struct NavItem {
    pub href: &'static str,
    pub label: &'static str,
    pub here: bool,
}

impl Dashboard {
    /// The frame of a page at `place`, one of those that it names.
    pub fn frame(&self, who: Who, (place, title): (&str, &str), command: impl Into<String>) -> Frame {
        let seen = PLACES.iter().filter(|(.., least)| who.role() >= *least);
        Frame {
            title: title.to_owned(),
            environment: self.environment.clone(),
            places: seen.map(|(href, label, _)| NavItem { href, label, here: *href == place }).collect(),
            who: who.as_str(),
            is_admin: who.role() == Role::Admin,
            signs_out: self.guard.asks(),
            command: command.into(),
            at: stamp(self.now()),
            live: false,
            style: STYLE.path(),
            script: SCRIPT.path(),
            icon: ICON.path(),
        }
    }
}

impl Frame {
    #[must_use]
    pub fn live(self) -> Frame {
        Frame { live: true, ..self }
    }
}

/// The page as an answer.
pub fn show(page: &impl Template) -> Result<Response, Problem> {
    match page.render() {
        Ok(text) => Ok(Html(text).into_response()),
        Err(error) => {
            tracing::error!(error = %error, "a page could not be made");
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the page could not be made"))
        }
    }
}

/// That a list could not be read is never told as an empty one.
pub fn unreadable(error: &database::Error) -> Problem {
    tracing::warn!(error = %error, "a page cannot be read from the database");
    Problem::unavailable(
        format!("the database cannot be read now: {error}"),
        std::time::Duration::from_secs(5),
    )
}

/// Characters of a word that a table never breaks.
const WHOLE: usize = 24;

/// One cell: words, what their colour says, and where they lead.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    pub words: String,
    pub mood: &'static str,
    pub href: String,
    /// More of it, for who asks: a whole time.
    pub title: String,
}

impl Cell {
    pub fn new(words: impl Into<String>) -> Self {
        Cell { words: words.into(), ..Cell::default() }
    }

    /// A state, in its colour.
    pub fn state(word: &str) -> Self {
        Cell { words: word.replace('_', " "), mood: class(mood(word)), ..Cell::default() }
    }

    pub fn link(words: impl Into<String>, href: impl Into<String>) -> Self {
        Cell { words: words.into(), href: href.into(), ..Cell::default() }
    }

    /// How the style sheet calls it. A word that is too long for a column, such as a path, is broken; no other is.
    pub fn class(&self) -> String {
        let is_long = self.words.split_whitespace().any(|word| word.chars().count() > WHOLE);
        let long = if is_long { "long" } else { "" };
        [self.mood, long].into_iter().filter(|one| !one.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// How long ago, and the whole time behind it. What is to come by another clock is now.
    pub fn past(at: i64, now: i64) -> Self {
        Cell { words: when(at.min(now), now), title: stamp(at), ..Cell::default() }
    }

    /// When it will be. What was due earlier is due now.
    pub fn due(at: i64, now: i64) -> Self {
        Cell { words: when(at.max(now), now), title: stamp(at), ..Cell::default() }
    }
}

/// How a style sheet calls what a colour says.
pub fn class(mood: Mood) -> &'static str {
    match mood {
        Mood::Plain => "",
        Mood::Good => "good",
        Mood::Waiting => "waiting",
        Mood::Bad => "bad",
        Mood::Faint => "faint",
    }
}

#[derive(Debug, Clone, Default)]
pub struct TableRow {
    /// What a form names it by; empty where rows cannot be chosen.
    pub item: String,
    /// What it is called when it is chosen.
    pub label: String,
    pub cells: Vec<Cell>,
}

impl TableRow {
    pub fn new(cells: impl Into<Vec<Cell>>) -> Self {
        TableRow { cells: cells.into(), ..TableRow::default() }
    }
}

/// Rows under titles.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "table.html")]
pub struct Table {
    pub caption: &'static str,
    pub head: Vec<&'static str>,
    pub rows: Vec<TableRow>,
    /// The form that takes the chosen rows; none where they cannot be chosen.
    pub chosen: &'static str,
}

/// Why a list is empty, and what to do: nothing is there yet, or the filter leaves nothing.
#[derive(Debug, Clone, Default)]
pub struct Empty {
    pub words: String,
    pub href: String,
    pub label: &'static str,
}

/// A choice among words.
pub struct Choice {
    pub value: String,
    pub label: String,
    pub chosen: bool,
}

pub fn choices<'a>(all: impl IntoIterator<Item = &'a str>, chosen: &str) -> Vec<Choice> {
    let choice = |value: &str| Choice {
        value: value.to_owned(),
        label: value.replace('_', " "),
        chosen: value == chosen,
    };
    all.into_iter().map(choice).collect()
}

/// A page that tells what is not to be had, and why.
#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    title: String,
    detail: String,
    back: String,
    /// The same may be asked for again.
    again: bool,
    style: String,
    icon: String,
}

/// Stands around all routes: the headers of every answer, and a page instead of a problem document where a person reads it.
pub fn dress(router: Router) -> Router {
    router.layer(middleware::from_fn(in_a_page))
}

async fn in_a_page(request: Request, next: Next) -> Response {
    let reader = wants_page(request.headers());
    let is_seen = request.method() == Method::GET;
    let path = request.uri().path_and_query().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let mut response = next.run(request).await;
    if reader && let Some(problem) = response.extensions().get::<Problem>().cloned() {
        let page = ProblemPage {
            title: problem.status().canonical_reason().unwrap_or("Error").to_owned(),
            detail: problem.detail().to_owned(),
            back: if is_seen { path } else { "/".to_owned() },
            again: is_seen && problem.status().is_server_error(),
            style: STYLE.path(),
            icon: ICON.path(),
        };
        if let Ok(text) = page.render() {
            *response.body_mut() = text.into();
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
            headers.remove("content-length");
        }
    }
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        // Nobody else learns an address of ours. Where none at all is told, a browser says of our own forms that they come from nowhere.
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The next page of the same list.
pub fn next_link(path: &str, fields: &[(&str, &str)], after: Option<&str>) -> String {
    let Some(after) = after else { return String::new() };
    form::link(path, &[fields, &[("after", after)]].concat())
}
