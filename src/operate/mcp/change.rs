//! The tools that change something: each does what `/api/v1` does, under the client's own key, and stands in the log.

use axum::http::StatusCode;

use super::read::{explain, one, runnable};
use super::told::Told;
use super::tool::{ImportUrl, Review, StartRun, SyncNow, Verdict};
use crate::listen::problem::Problem;
use crate::operate::act::{Action, ImportOrder};
use crate::operate::api::{Api, Done, Order, OrderKey, Why};
use crate::operate::guard::Who;

/// Who did it, where no person is named.
const NOBODY: &str = "an agent (MCP)";

fn told(api: &Api, done: &Done) -> Told {
    let mut told = Told::as_of(api.now());
    told.set("done", done);
    told
}

fn why(why: Option<String>, name: Option<String>) -> Why {
    Why { why, name: Some(name.unwrap_or_else(|| NOBODY.to_owned())) }
}

/// The id of the one file at a place.
async fn file(api: &Api, place: &str) -> Result<(String, Vec<String>), Problem> {
    let explained = explain(api, place).await?;
    match one(&explained) {
        Some(rows) => Ok((rows[0].source_id.clone(), runnable(api, &explained))),
        None => Err(Problem::new(StatusCode::NOT_FOUND, explained.sentence)),
    }
}

pub async fn start_run(api: &Api, asked: StartRun, who: Who) -> Result<Told, Problem> {
    let (id, rules) = file(api, &asked.file).await?;
    let rule = match (asked.rule, rules.as_slice()) {
        (Some(rule), _) => rule,
        (None, [rule]) => rule.clone(),
        (None, []) => {
            return Err(Problem::new(StatusCode::CONFLICT, "no rule that covers this file runs anything"));
        }
        (None, rules) => {
            let words =
                format!("several rules run over this file: set `rule` to one of {}", rules.join(", "));
            return Err(Problem::new(StatusCode::BAD_REQUEST, words));
        }
    };
    let done = api.act(Order {
        who,
        key: Some(OrderKey::parse(&asked.idempotency_key)?),
        action: Action::StartRun,
        item: format!("{id}:{rule}"),
        why: why(asked.why, asked.name),
    });
    let mut told = told(api, &done.await?);
    let explained = explain(api, &id).await?;
    let run = explained.runs.iter().find(|view| view.run.rule == rule);
    if let (Some(view), Some(rows)) = (run, one(&explained)) {
        told.set("run", view.run.run_id);
        told.set("version", &rows[0].version);
        told.set("content_hash", &view.run.content_hash);
        told.next(format!(
            "get_result with run {} says how it goes, and then reads the answer.",
            view.run.run_id
        ));
    }
    Ok(told)
}

pub async fn sync_now(api: &Api, asked: SyncNow, who: Who) -> Result<Told, Problem> {
    let SyncNow { file: place, idempotency_key, why: reason, name } = asked;
    let key = Some(OrderKey::parse(&idempotency_key)?);
    let Some(place) = place else {
        let mut told = told(api, &api.relist(who, key).await?);
        told.next("status says how much is left to do.");
        return Ok(told);
    };
    let (item, _) = file(api, &place).await?;
    let order = Order { who, key, action: Action::SyncFile, item, why: why(reason, name) };
    let mut told = told(api, &api.act(order).await?);
    told.next("is_current says in some seconds how it stands.");
    Ok(told)
}

pub async fn import_url(api: &Api, asked: ImportUrl, who: Who) -> Result<Told, Problem> {
    let ImportUrl { url, folder, file_name, workspace, idempotency_key, why } = asked;
    let key = Some(OrderKey::parse(&idempotency_key)?);
    let order = ImportOrder { url, folder, name: file_name, workspace, why };
    let row = api.import(who, key, &order).await?;
    let path = format!("{}/{}", row.folder.trim_end_matches('/'), row.name);
    let mut told = Told::as_of(api.now());
    told.set("import", &row);
    told.next(format!("is_current with {path} says how it stands, once Fastio has fetched it."));
    Ok(told)
}

pub async fn review(api: &Api, asked: Review, who: Who) -> Result<Told, Problem> {
    let action = match asked.verdict {
        Verdict::Accept => Action::Accept,
        Verdict::Reject => Action::Reject,
        Verdict::Withdraw => Action::Withdraw,
    };
    let done = api.act(Order {
        who,
        key: Some(OrderKey::parse(&asked.idempotency_key)?),
        action,
        item: asked.run.to_string(),
        why: why(asked.why, asked.name),
    });
    let mut told = told(api, &done.await?);
    told.next(
        "It stands in the result and in the rule's table in a moment. needs_review lists what is left.",
    );
    Ok(told)
}
