//! `/models`: a few entries, one of them with a shutdown date, so that a client's warning can be seen.

use axum::Json;
use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::{Value, json};

use super::error::ApiError;
use super::state::State;

/// The stand-in's own name, then names and dates from OpenAI's documents of November 2026. The stand-in answers for all.
const MODELS: [(&str, Option<&str>); 6] = [
    ("sandbox-rules", None),
    ("gpt-6-astra", None),
    ("gpt-6.1-sol", None),
    ("gpt-6-luna", None),
    ("gpt-5", Some("2026-12-11")),
    ("gpt-4.1", Some("2027-01-14")),
];

/// Any moment will do; it is the same for all so that the list is the same in every run.
const CREATED: i64 = 1_780_000_000;

/// Whether responses may name this model. Dated snapshots of the listed ones count.
pub fn serves(model: &str) -> bool {
    MODELS.iter().any(|(name, _)| model.starts_with(name))
}

pub fn routes() -> Router<State> {
    Router::new().route("/v1/models", get(list)).route("/v1/models/{model}", get(look))
}

fn show((name, shutdown_date): &(&str, Option<&str>)) -> Value {
    json!({
        "id": name, "object": "model", "created": CREATED, "owned_by": "sandbox", "shutdown_date": shutdown_date,
    })
}

async fn list() -> Json<Value> {
    let data: Vec<Value> = MODELS.iter().map(show).collect();
    Json(json!({ "object": "list", "data": data }))
}

async fn look(Path(model): Path<String>) -> Result<Json<Value>, ApiError> {
    let found = MODELS.iter().find(|(name, _)| *name == model).map(show);
    found.map(Json).ok_or_else(|| {
        let message = format!("The model '{model}' does not exist.");
        ApiError::invalid("model", message).code("model_not_found").status(StatusCode::NOT_FOUND)
    })
}
