//! What other servers do otherwise that speak OpenAI's language: OGX 1.5 and the LiteLLM proxy 1.108, as seen in 2026.
//! Each of it is a fault, because OpenAI itself does none of it.

use axum::Json;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, Response, StatusCode};
use axum::middleware::Next;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::super::faults::FaultKind;
use super::super::journal::Trace;
use super::super::rewrite;
use super::super::server::LastReply;

/// Where OGX answers 400 for what is not there, and where attributes are. Elsewhere OGX answers 404 as OpenAI does.
const STORES: &str = "/v1/vector_stores/";

/// Plays what is asked for around the real handlers.
pub async fn play(request: Request, next: Next) -> Response<Body> {
    let Some(trace) = request.extensions().get::<Trace>().cloned() else { return next.run(request).await };
    let stores = trace.path().starts_with(STORES);
    let labels = stores && request.method() == Method::POST;
    let dropped = if labels { trace.hit(FaultKind::AttributesDropped) } else { None };
    let request = match dropped {
        Some(hit) => {
            rewrite::request(request, |body| without_numbers(body, hit.details.put.as_deref())).await
        }
        None => request,
    };
    let response = next.run(request).await;
    if !stores {
        return response;
    }
    if response.status() == StatusCode::NOT_FOUND && trace.hit(FaultKind::AbsentAs400).is_some() {
        return absent(trace.path());
    }
    if trace.hit(FaultKind::AttributesAsFloats).is_none() {
        return response;
    }
    let fraction = |attributes: &mut Value| {
        for value in attributes.as_object_mut().into_iter().flat_map(serde_json::Map::values_mut) {
            if let Some(number) = value.as_f64() {
                *value = json!(number);
            }
        }
    };
    rewrite::reply(response, |body| rewrite::each(body, "attributes", &mut { fraction })).await
}

/// As OGX 1.5 words it: without type, and without code; and then it closes the connection.
fn absent(path: &str) -> Response<Body> {
    let mut names = path.trim_start_matches(STORES).split('/');
    let store = names.next().unwrap_or_default();
    let message = match (names.next(), names.next()) {
        (Some("files"), Some(file)) => format!("File {file} not found in vector store {store}"),
        _ => format!("Vector_store '{store}' not found."),
    };
    let mut response =
        (StatusCode::BAD_REQUEST, Json(json!({"error": {"message": message}}))).into_response();
    // It raises an exception for it, and its connection ends with that.
    response.extensions_mut().insert(LastReply);
    response
}

fn without_numbers(body: &mut Value, instead: Option<&str>) {
    rewrite::each(body, "attributes", &mut |attributes| {
        let Some(members) = attributes.as_object_mut() else { return };
        match instead {
            None => members.retain(|_, value| !value.is_number()),
            Some(text) => {
                members.values_mut().filter(|value| value.is_number()).for_each(|value| *value = text.into());
            }
        }
    });
}

/// The name that such a server keeps of a file.
pub fn name(filename: &str, trace: &Trace) -> String {
    match trace.hit(FaultKind::NamesSanitised) {
        None => filename.to_owned(),
        Some(hit) => match hit.details.put {
            Some(put) => put,
            None => filename
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' })
                .collect(),
        },
    }
}
