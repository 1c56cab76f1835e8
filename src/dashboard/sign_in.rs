//! Where a browser gets a session for a token, and gives it back.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::Dashboard;
use super::assets::{ICON, STYLE};
use super::form::{Fields, Form, Query, link, own_path};
use super::page::show;
use crate::listen::problem::Problem;
use crate::operate::guard::{SIGN_IN, Viewer, Who, is_foreign, no_cookie};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page {
    environment: String,
    next: String,
    wrong: bool,
    /// Asked for by a link from elsewhere: a browser sends no session then. Asked for once more by this page, it does.
    again: String,
    style: String,
    icon: String,
}

fn to(path: &str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, path.to_owned())]).into_response()
}

fn next(fields: &Fields) -> String {
    own_path(&fields.text("next")).unwrap_or("/").to_owned()
}

pub async fn page(
    State(dashboard): State<Dashboard>,
    Query(fields): Query,
    request: Request,
) -> Result<Response, Problem> {
    let next = next(&fields);
    if request.extensions().get::<Who>().is_some() {
        return Ok(to(&next));
    }
    let again = if is_foreign(request.headers()) { link(SIGN_IN, &[("next", &next)]) } else { String::new() };
    show(&dashboard.sign_in_page(next, false, again))
}

pub async fn sign_in(
    State(dashboard): State<Dashboard>,
    headers: HeaderMap,
    Form(fields): Form,
) -> Result<Response, Problem> {
    let next = next(&fields);
    let who = match fields.get("token") {
        Some(token) => dashboard.guard.who_has(token).await,
        None => None,
    };
    let Some(cookie) = who.and_then(|who| dashboard.guard.cookie(who, &headers)) else {
        let page = show(&dashboard.sign_in_page(next, true, String::new()))?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    };
    let mut response = to(&next);
    response.headers_mut().insert(SET_COOKIE, cookie);
    Ok(response)
}

pub async fn sign_out(_: Viewer, headers: HeaderMap) -> Response {
    let mut response = to(SIGN_IN);
    response.headers_mut().insert(SET_COOKIE, no_cookie(&headers));
    response
}

impl Dashboard {
    fn sign_in_page(&self, next: String, wrong: bool, again: String) -> Page {
        Page {
            environment: self.environment.clone(),
            next,
            wrong,
            again,
            style: STYLE.path(),
            icon: ICON.path(),
        }
    }
}
