//! What a person does here: to one thing at once, to several or to what cannot be undone after a page that says how many and which, and
//! to many by a job. What is confirmed is what is done: the number is sent along, and where it is another meanwhile it is asked for again.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};

use super::Dashboard;
use super::form::{Fields, Form, own_path};
use super::page::{Frame, show, unreadable};
use crate::database::{Connection, Error};
use crate::listen::problem::Problem;
use crate::operate::act::{self, Action, Deed};
use crate::operate::bulk::{self, MOST};
use crate::operate::guard::{Admin, Who};
use crate::operate::words::count;
use crate::queue::store as queue;
use crate::result::judgement;
use crate::sync::again::store::{Which, given_up};
use crate::sync::listing::Place;

/// Of those that are meant, how many are named.
const NAMED: usize = 20;

#[derive(Template)]
#[template(path = "confirm.html")]
struct Page {
    frame: Frame,
    action: &'static str,
    /// What is done, in a sentence, and what of it cannot be undone.
    sentence: String,
    warning: &'static str,
    number: usize,
    named: Vec<String>,
    more: usize,
    items: Vec<String>,
    all: bool,
    which: String,
    back: String,
    is_verdict: bool,
    needs_reason: bool,
    /// How many there were when it was asked for first, where that is another number.
    changed: String,
}

/// What is asked for.
#[derive(Clone)]
struct Asked {
    deed: Deed,
    /// Those that were chosen; else all that the filter leaves.
    items: Vec<String>,
    all: bool,
    which: String,
    number: Option<usize>,
    back: String,
}

fn bad(words: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, words)
}

impl Asked {
    fn read(fields: &Fields) -> Result<Asked, Problem> {
        let action = fields.get("action").and_then(Action::parse).ok_or_else(|| bad("no such action"))?;
        let text = |name: &str, check: fn(&str) -> Result<String, String>| {
            let read = fields.get(name).map(check).transpose();
            read.map_err(|error| bad(format!("{name}: {error}")))
        };
        let deed = Deed { action, name: text("name", judgement::name)?, why: text("why", judgement::note)? };
        Ok(Asked {
            deed,
            items: fields.all("item"),
            all: fields.get("all").is_some(),
            which: fields.text("which"),
            number: fields.get("number").and_then(|number| number.parse().ok()),
            back: own_path(&fields.text("back")).unwrap_or("/").to_owned(),
        })
    }

    /// Those that are meant, now.
    fn items(&self, connection: &mut Connection) -> Result<Vec<String>, Error> {
        if !self.all {
            let mut items = self.items.clone();
            items.sort_unstable();
            items.dedup();
            return Ok(items);
        }
        let which = Fields::read(self.which.as_bytes());
        let (rule, state) = (which.text("rule"), which.text("state"));
        Ok(match self.deed.action {
            Action::RetryJob | Action::DiscardJob => {
                let page = queue::Page { state: Some("dead".to_owned()), after: None, most: MOST + 1 };
                queue::page(connection, &page)?.iter().map(|job| job.job_id.to_string()).collect()
            }
            Action::RetryFile => {
                let place = which.get("path").map(Place::new);
                let which = Which { place, rule: (!rule.is_empty()).then_some(rule) };
                given_up(connection, &which, ("", MOST + 1))?.into_iter().map(|row| row.source_id).collect()
            }
            Action::Accept | Action::Reject | Action::Withdraw | Action::RunAgain | Action::CancelRun => {
                let rows = super::runs::read(connection, (&rule, &state), None, MOST + 1)?;
                rows.iter().map(|row| row.run_id.to_string()).collect()
            }
        })
    }

    fn filter(&self) -> String {
        match (self.all, self.which.is_empty()) {
            (false, _) => "chosen by hand".to_owned(),
            (true, true) => "all".to_owned(),
            (true, false) => self.which.clone(),
        }
    }
}

pub async fn confirm(
    Admin(who): Admin,
    State(dashboard): State<Dashboard>,
    Form(fields): Form,
) -> Result<Response, Problem> {
    let asked = Asked::read(&fields)?;
    ask(&dashboard, who, asked, String::new()).await
}

async fn ask(dashboard: &Dashboard, who: Who, asked: Asked, changed: String) -> Result<Response, Problem> {
    let (asked, items) = dashboard.read_asked(asked).await?;
    if items.is_empty() {
        return Err(bad("nothing is chosen, and nothing passes the filter: there is nothing to do"));
    }
    if items.len() > MOST as usize {
        return Err(bad(format!(
            "these are more than {MOST}: choose a filter that leaves fewer, and do the rest after that"
        )));
    }
    let action = asked.deed.action;
    let number = items.len();
    let kind = match action {
        Action::RetryJob | Action::DiscardJob => "job",
        Action::RetryFile => "file",
        _ => "run",
    };
    let many = count(number as u64, kind);
    let (sentence, warning) = match action {
        Action::RetryJob => (format!("{many} will be due now, with all attempts."), ""),
        Action::DiscardJob => (
            format!("{many} will be forgotten."),
            "This cannot be undone: what a job is about is looked at again only with its next event, or by a sweep.",
        ),
        Action::RetryFile => (format!("{many} that were given up will be tried again."), ""),
        Action::Accept => (
            format!("{many} will say that the answer may be relied on."),
            "It stands at the top of each result and in the rule's table, and can be taken back.",
        ),
        Action::Reject => (
            format!("{many} will say that the answer may not be relied on."),
            "It stands at the top of each result and in the rule's table, and can be taken back. The answers are kept.",
        ),
        Action::Withdraw => (format!("What was said of {many} will be taken back."), ""),
        Action::RunAgain => (
            format!("{many} will be made once more, over what the files are now."),
            "Each costs what a run costs, and its answer takes the place of the present one, of which what was said does not hold.",
        ),
        Action::CancelRun => (format!("{many} will be stopped."), "What they took until then is paid for."),
    };
    show(&Page {
        frame: dashboard.frame(who, ("", "Confirm"), ""),
        action: action.as_str(),
        sentence,
        warning,
        number,
        named: items.iter().take(NAMED).cloned().collect(),
        more: number.saturating_sub(NAMED),
        items: if asked.all { Vec::new() } else { items },
        all: asked.all,
        which: asked.which,
        back: asked.back,
        is_verdict: action.is_verdict(),
        needs_reason: action == Action::Reject,
        changed,
    })
}

pub async fn act(
    Admin(who): Admin,
    State(dashboard): State<Dashboard>,
    Form(fields): Form,
) -> Result<Response, Problem> {
    let asked = Asked::read(&fields)?;
    if asked.deed.action == Action::Reject && asked.deed.why.is_none() {
        return Err(bad("say why it is rejected, in words for who reads the result"));
    }
    if let ([item], false) = (asked.items.as_slice(), asked.all) {
        return one(&dashboard, who, &asked, item.clone()).await;
    }
    let (asked, items) = dashboard.read_asked(asked).await?;
    if asked.number != Some(items.len()) || items.len() > MOST as usize {
        let changed = asked.number.map(|number| {
            format!("Meanwhile it is another number: there were {number}, and there are {} now. Nothing was done.", items.len())
        });
        return ask(&dashboard, who, asked, changed.unwrap_or_default()).await;
    }
    let (deed, filter, now) = (asked.deed.clone(), asked.filter(), dashboard.now());
    let begin = move |tx: &mut Connection| bulk::begin(tx, (who, &deed), (&filter, &items), now);
    let id = dashboard.database.write(begin).await.map_err(|error| unreadable(&error))?;
    dashboard.wake.notify_one();
    Ok((StatusCode::SEE_OTHER, [(LOCATION, format!("/bulk/{id}"))]).into_response())
}

/// Does it to one, and goes back to where it was asked for. Whoever comes too late is told what is so.
async fn one(dashboard: &Dashboard, who: Who, asked: &Asked, item: String) -> Result<Response, Problem> {
    let definitions = &dashboard.definitions;
    let deed = asked.deed.clone();
    let done = act::one(&dashboard.database, (who, definitions), (deed, item.clone()), dashboard.now()).await;
    match done.map_err(|error| unreadable(&error))? {
        Ok(()) => {
            dashboard.wake.notify_one();
            Ok((StatusCode::SEE_OTHER, [(LOCATION, asked.back.clone())]).into_response())
        }
        Err(why) => {
            let words = format!("{} {item}: nothing was done, because {why}", asked.deed.action.as_str());
            Err(Problem::new(StatusCode::CONFLICT, words))
        }
    }
}

impl Dashboard {
    async fn read_asked(&self, asked: Asked) -> Result<(Asked, Vec<String>), Problem> {
        let meant = asked.clone();
        let items = self.read(move |connection| meant.items(connection)).await?;
        Ok((asked, items))
    }
}
