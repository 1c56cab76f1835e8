//! Imports from public addresses: what there is, and one more.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::act::{GivenKey, MOST_WHY, OrderKey, read, refused, reply};
use super::answered::{self, Answered, Key};
use super::{Api, Asked, Named};
use crate::database::Connection;
use crate::import::store::Row;
use crate::listen::problem::Problem;
use crate::operate::act::{self, ImportOrder};
use crate::operate::guard::{Admin, Role, Who};
use crate::operate::query::imports::{Import, Imports, ImportsPage};
use crate::operate::routes::Routes;

pub fn routes() -> Routes<Api> {
    Routes::default()
        .get(Role::Admin, "/api/v1/imports", list)
        .get(Role::Admin, "/api/v1/imports/{id}", one)
        .post(Role::Admin, "/api/v1/imports", import)
}

/// What Fastio was asked to import from public addresses, the newest first.
#[utoipa::path(get, path = "/api/v1/imports", tag = "imports", params(Imports), responses((status = 200, body = ImportsPage)))]
pub async fn list(_: Admin, State(api): State<Api>, Asked(asked): Asked<Imports>) -> Response {
    api.answer(asked).await
}

/// One import.
#[utoipa::path(get, path = "/api/v1/imports/{id}", tag = "imports", params(("id" = i64, Path)), responses((status = 200, body = Row)))]
pub async fn one(_: Admin, State(api): State<Api>, Named(id): Named<i64>) -> Response {
    api.answer(Import { id }).await
}

/// Has Fastio fetch what is at a public address, into a folder. The same again is the same import.
#[utoipa::path(post, path = "/api/v1/imports", tag = "imports", request_body = ImportOrder,
    params(("Idempotency-Key" = Option<String>, Header, description = "told twice with one key, it is done once")),
    responses((status = 200, body = Row), (status = 400, description = "it cannot be imported"),
              (status = 409, description = "something else is being imported to the same place")))]
pub async fn import(
    Admin(who): Admin,
    State(api): State<Api>,
    GivenKey(key): GivenKey,
    body: Bytes,
) -> Response {
    match serde_json::from_slice::<ImportOrder>(&body) {
        Ok(order) => reply(api.imported(who, key, &order).await),
        Err(_) => {
            let known = "`url`, `folder`, `name`, `workspace` and `why`";
            let detail = format!("the body is no JSON object with {known}, or has something else");
            Problem::new(StatusCode::BAD_REQUEST, detail).into_response()
        }
    }
}

impl Api {
    /// Has Fastio import it, unless that was done for the same key.
    pub async fn import(&self, who: Who, key: Option<OrderKey>, order: &ImportOrder) -> Result<Row, Problem> {
        self.imported(who, key, order).await.and_then(read)
    }

    async fn imported(
        &self,
        who: Who,
        key: Option<OrderKey>,
        order: &ImportOrder,
    ) -> Result<Answered, Problem> {
        let wrong = |detail: String| Problem::new(StatusCode::BAD_REQUEST, detail);
        if order.why.as_ref().is_some_and(|why| why.chars().count() > MOST_WHY) {
            return Err(wrong(format!("`why` has more than {MOST_WHY} characters")));
        }
        let wish = order.wish(&self.0.known.rules).map_err(wrong)?;
        let told = serde_json::to_vec(order).expect("texts");
        let asked = answered::asked("import", "", &told);
        let key = key.map(|OrderKey(key)| Key { who: who.as_str(), key, asked });
        let (why, now) = (order.why.clone(), self.0.clock.now());
        let write = move |tx: &mut Connection| {
            answered::once(tx, (key.as_ref(), now), |tx| {
                Ok(match act::import(tx, (who, why.as_deref()), &wish, now)? {
                    Ok(row) => {
                        let body = serde_json::to_string(&row).expect("texts and numbers");
                        Answered { status: StatusCode::OK.as_u16(), body, replayed: false }
                    }
                    Err(words) => refused(words),
                })
            })
        };
        self.written(self.0.database.write(write).await)
    }
}
