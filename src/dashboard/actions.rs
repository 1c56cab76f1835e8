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
use crate::feed::sweep::store::{self as sweep, SweepRow};
use crate::listen::problem::Problem;
use crate::operate::act::{self, Action, Deed};
use crate::operate::bulk::MOST;
use crate::operate::guard::{Admin, Who};
use crate::operate::meant::{Filter, Meant, too_many};
use crate::operate::words::count;
use crate::result::judgement;

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
    meant: Meant,
    /// The filter, as it stands in an address.
    which: String,
    number: Option<usize>,
    back: String,
}

pub fn bad(words: impl Into<String>) -> Problem {
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
        let which = fields.text("which");
        let filter = fields.get("all").is_some().then(|| filter(&Fields::read(which.as_bytes())));
        Ok(Asked {
            deed,
            meant: Meant { action, items: fields.all("item"), filter },
            which,
            number: fields.get("number").and_then(|number| number.parse().ok()),
            back: own_path(&fields.text("back")).unwrap_or("/").to_owned(),
        })
    }

    /// The only one that is meant.
    fn one(&self) -> Option<&String> {
        match (self.meant.items.as_slice(), &self.meant.filter) {
            ([item], None) => Some(item),
            _ => None,
        }
    }
}

/// What a list's address says of which rows it shows.
fn filter(which: &Fields) -> Filter {
    let text = |name: &str| which.get(name).map(str::to_owned);
    Filter {
        path: text("path"),
        rule: text("rule"),
        state: text("state"),
        cause: text("cause"),
        since: text("since"),
        until: text("until"),
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
        return Err(bad(too_many()));
    }
    let action = asked.deed.action;
    let number = items.len();
    let kind = match action {
        Action::RetryJob | Action::DiscardJob => "job",
        Action::RetryFile | Action::BringFile | Action::SyncFile | Action::LookAgain => "file",
        Action::StartRun | Action::RunMissing => "file",
        Action::ApproveSweep | Action::DismissSweep => "sweep",
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
        Action::BringFile => (
            format!("{many} will come back to OpenAI."),
            "Where a budget is full, what is used least leaves for them.",
        ),
        Action::SyncFile => (format!("{many} will be looked at now."), ""),
        Action::LookAgain => (format!("What OpenAI can read in {many} will be looked at once more."), ""),
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
        Action::StartRun | Action::RunMissing => {
            (format!("The rule will be run over {many}."), "Each costs what a run costs.")
        }
        Action::CancelRun => (format!("{many} will be stopped."), "What they took until then is paid for."),
        Action::Sweep => ("All that differs will be put right.".to_owned(), ""),
        Action::DrySweep => ("All that differs will be told.".to_owned(), ""),
        Action::ApproveSweep => (
            dashboard.stopped(&items).await?,
            "They will lose them, and are not found any more. What is in Fastio after all is uploaded again by the sweep after that.",
        ),
        Action::DismissSweep => {
            (dashboard.stopped(&items).await?, "They keep them. A later sweep that stops asks again.")
        }
    };
    show(&Page {
        frame: dashboard.frame(who, ("", "Confirm"), ""),
        action: action.as_str(),
        sentence,
        warning,
        number,
        named: items.iter().take(NAMED).cloned().collect(),
        more: number.saturating_sub(NAMED),
        all: asked.meant.filter.is_some(),
        items: if asked.meant.filter.is_some() { Vec::new() } else { items },
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
    if let Some(item) = asked.one() {
        let is_sweep = matches!(asked.deed.action, Action::Sweep | Action::DrySweep);
        if is_sweep && !item.is_empty() && dashboard.rules.named(item).is_none() {
            return Err(bad(format!("no rule is called `{item}`")));
        }
        return one(&dashboard, who, &asked, item.clone()).await;
    }
    let (asked, items) = dashboard.read_asked(asked).await?;
    if asked.number != Some(items.len()) || items.len() > MOST as usize {
        let changed = asked.number.map(|number| {
            format!("Meanwhile it is another number: there were {number}, and there are {} now. Nothing was done.", items.len())
        });
        return ask(&dashboard, who, asked, changed.unwrap_or_default()).await;
    }
    let (Asked { deed, meant, .. }, rules, now) = (asked, dashboard.rules.clone(), dashboard.now());
    let begin = move |tx: &mut Connection| meant.begin(tx, (who, &deed), (&items, &rules), now);
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
    /// What these sweeps stopped for.
    async fn stopped(&self, sweeps: &[String]) -> Result<String, Problem> {
        let sweeps = sweeps.to_vec();
        let read = move |connection: &mut Connection| {
            let rows = sweeps.iter().map(|sweep| sweep::get(connection, sweep));
            rows.collect::<Result<Vec<_>, Error>>()
        };
        let rows = self.read(read).await?;
        let reports = rows.iter().flatten().filter_map(SweepRow::report);
        let stopped = reports.flat_map(|report| report.stopped);
        Ok(stopped.map(|one| super::sweeps::sentence(&one)).collect::<Vec<_>>().join(" "))
    }

    async fn read_asked(&self, asked: Asked) -> Result<(Asked, Vec<String>), Problem> {
        let (meant, now) = (asked.meant.clone(), self.now());
        let items = self.read(move |connection| meant.items(connection, now)).await?.map_err(bad)?;
        Ok((asked, items))
    }
}
