//! What a program does to many at once: it asks how many that are, has it done to exactly so many, and follows or stops the job that does it.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::act::{Done, GivenKey, OrderKey, done, refused, reply};
use super::answered::{self, Key};
use super::{Api, Named, Why};
use crate::database::Connection;
use crate::listen::problem::Problem;
use crate::operate::act::{Action, Deed};
use crate::operate::bulk::{self, Left, MOST, Row};
use crate::operate::guard::{Admin, Role};
use crate::operate::meant::{Filter, Meant, too_many};
use crate::operate::routes::Routes;
use crate::operate::unreadable;

/// Of those that are meant, how many are named.
const NAMED: usize = 20;

/// Bulk actions in a list.
const LISTED: u32 = 100;

/// Of those that it could not be done to, how many are told.
const LEFT: u32 = 500;

pub fn routes() -> Routes<Api> {
    let all = Role::Admin;
    Routes::default()
        .get(all, "/api/v1/bulk", bulks)
        .get(all, "/api/v1/bulk/{id}", bulk_one)
        .post(all, "/api/v1/bulk/preview", preview_bulk)
        .post(all, "/api/v1/bulk", begin_bulk)
        .post(all, "/api/v1/bulk/{id}/stop", stop_bulk)
}

/// What is to be done, and to which ones: to `items`, or to all that `filter` leaves.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BulkOrder {
    /// `retry job`, `discard job`, `retry file`, `bring file`, `look again at file`, `accept run`, `reject run`, `withdraw verdict`,
    /// `run again`, `cancel run`, and by what `/api/v1/again` answers as `items` `run where missing` and `start run`.
    pub action: String,
    /// The numbers of jobs or runs, or the ids of files.
    pub items: Vec<String>,
    pub filter: Option<Filter>,
    /// How many they are, as the preview said. It is done to so many or to none.
    pub number: Option<usize>,
    pub why: Option<String>,
    pub name: Option<String>,
}

impl BulkOrder {
    /// To these.
    pub fn to(action: Action, items: Vec<String>) -> Self {
        BulkOrder { action: action.as_str().to_owned(), items, ..BulkOrder::default() }
    }

    /// To all that `filter` leaves.
    pub fn to_all(action: Action, filter: Filter) -> Self {
        BulkOrder { filter: Some(filter), ..BulkOrder::to(action, Vec::new()) }
    }
}

/// What would be done.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Preview {
    pub action: String,
    pub number: usize,
    /// The first of them.
    pub some: Vec<String>,
}

/// How far it is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BulkView {
    #[serde(flatten)]
    pub bulk: Row,
    /// Those that it could not be done to, and why; the first 500.
    pub left: Vec<Left>,
}

struct Asked {
    deed: Deed,
    meant: Meant,
    number: Option<usize>,
}

impl Asked {
    fn read(body: &Bytes) -> Result<Asked, Problem> {
        let wrong = |words: String| Problem::new(StatusCode::BAD_REQUEST, words);
        let order: BulkOrder = serde_json::from_slice(body)
            .map_err(|error| wrong(format!("the body is no such order: {error}")))?;
        let BulkOrder { action, items, filter, number, why, name } = order;
        let action = Action::parse(&action).ok_or_else(|| wrong(format!("there is no action `{action}`")))?;
        if items.is_empty() == filter.is_none() {
            return Err(wrong("name `items`, or give a `filter`: one of the two".to_owned()));
        }
        let Why { why, name } = super::act::checked(Why { why, name }, action)?;
        Ok(Asked { deed: Deed { action, name, why }, meant: Meant { action, items, filter }, number })
    }
}

impl Api {
    /// Those that are meant, as of now.
    async fn meant(&self, meant: &Meant) -> Result<Vec<String>, Response> {
        let (meant, now) = (meant.clone(), self.0.clock.now());
        let items = self.0.database.observe(move |connection| meant.items(connection, now)).await;
        let items = items.map_err(|error| unreadable(&error).into_response())?;
        let bad = |words: String| Problem::new(StatusCode::BAD_REQUEST, words).into_response();
        let items = items.map_err(bad)?;
        match items.len() > MOST as usize {
            true => Err(bad(too_many())),
            false => Ok(items),
        }
    }
}

/// Says how many would be meant, and does nothing.
#[utoipa::path(post, path = "/api/v1/bulk/preview", tag = "bulk", request_body = BulkOrder, responses((status = 200, body = Preview)))]
pub async fn preview_bulk(_: Admin, State(api): State<Api>, body: Bytes) -> Response {
    let asked = match Asked::read(&body) {
        Ok(asked) => asked,
        Err(problem) => return problem.into_response(),
    };
    match api.meant(&asked.meant).await {
        Ok(items) => Json(Preview {
            action: asked.deed.action.as_str().to_owned(),
            number: items.len(),
            some: items.into_iter().take(NAMED).collect(),
        })
        .into_response(),
        Err(response) => response,
    }
}

/// Has it done, by a job. Where they are not as many as `number` says, nothing is done.
#[utoipa::path(post, path = "/api/v1/bulk", tag = "bulk", request_body = BulkOrder, params(
    ("Idempotency-Key" = Option<String>, Header, description = "told twice with one key, it is done once")),
    responses((status = 200, body = Done), (status = 409, description = "they are another number now: nothing was done")))]
pub async fn begin_bulk(
    Admin(who): Admin,
    State(api): State<Api>,
    GivenKey(key): GivenKey,
    body: Bytes,
) -> Response {
    let Asked { deed, meant, number } = match Asked::read(&body) {
        Ok(asked) => asked,
        Err(problem) => return problem.into_response(),
    };
    let items = match api.meant(&meant).await {
        Ok(items) => items,
        Err(response) => return response,
    };
    let (rules, now) = (api.0.known.rules.clone(), api.0.clock.now());
    let asked = answered::asked("bulk", "", &body);
    let key = key.map(|OrderKey(key)| Key { who: who.as_str(), key, asked });
    let write = move |tx: &mut Connection| {
        answered::once(tx, (key.as_ref(), now), |tx| {
            let Some(number) = number.filter(|number| *number == items.len() && *number > 0) else {
                let said = number.map_or_else(
                    || "no `number` was given".to_owned(),
                    |number| format!("there were {number}"),
                );
                return Ok(refused(format!("{said}, and there are {} now: nothing was done", items.len())));
            };
            let bulk = meant.begin(tx, (who, &deed), (&items, &rules), now)?;
            let (action, about) = (deed.action.as_str().to_owned(), format!("bulk:{bulk}"));
            Ok(done(&Done { action, about, number: number as u64 }))
        })
    };
    let written = api.0.database.write(write).await;
    reply(api.written(written))
}

/// What was done to many, the newest first.
#[utoipa::path(get, path = "/api/v1/bulk", tag = "bulk", responses((status = 200, body = Vec<Row>)))]
pub async fn bulks(_: Admin, State(api): State<Api>) -> Response {
    match api.0.database.observe(|connection| bulk::newest(connection, LISTED)).await {
        Ok(rows) => Json(rows).into_response(),
        Err(error) => unreadable(&error).into_response(),
    }
}

/// How far one is, and to which it could not be done.
#[utoipa::path(get, path = "/api/v1/bulk/{id}", tag = "bulk", params(("id" = i64, Path)), responses((status = 200, body = BulkView)))]
pub async fn bulk_one(_: Admin, State(api): State<Api>, Named(id): Named<i64>) -> Response {
    let read = move |connection: &mut Connection| {
        let Some(bulk) = bulk::get(connection, id)? else { return Ok(None) };
        Ok(Some(BulkView { left: bulk::left(connection, id, LEFT)?, bulk }))
    };
    match api.0.database.observe(read).await {
        Ok(Some(view)) => Json(view).into_response(),
        Ok(None) => {
            Problem::new(StatusCode::NOT_FOUND, format!("there is no bulk action {id}")).into_response()
        }
        Err(error) => unreadable(&error).into_response(),
    }
}

/// Leaves the rest as it is.
#[utoipa::path(post, path = "/api/v1/bulk/{id}/stop", tag = "bulk", params(("id" = i64, Path)), responses((status = 200, body = Done),
    (status = 409, description = "it has ended")))]
pub async fn stop_bulk(Admin(who): Admin, State(api): State<Api>, Named(id): Named<i64>) -> Response {
    let now = api.0.clock.now();
    let write = move |tx: &mut Connection| {
        Ok(Ok(match bulk::stop(tx, who, id, now)? {
            true => done(&Done { action: "stop".to_owned(), about: format!("bulk:{id}"), number: 1 }),
            false => refused(format!("bulk action {id} has ended already, or there is none")),
        }))
    };
    let written = api.0.database.write(write).await;
    reply(api.written(written))
}
