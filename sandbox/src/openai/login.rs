//! Who is let in: whoever has a key, in one header or the other, or whoever had the token of a workload's own identity exchanged.
//!
//! OpenAI's exchange is after its API reference on workload identity federation of November 2026, Entra's after Microsoft's documents on
//! the client credentials flow with a federated credential. How either words a refusal, and what OpenAI answers to a token that has ended,
//! was not found.

use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::error::ApiError;
use super::state::State;

/// How long a token lives.
const LIFE_SECONDS: i64 = 3600;

/// What lets a request in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Login {
    /// Any key behind `Authorization: Bearer`.
    #[default]
    Key,
    /// Any key in the header `api-key`, as at Azure OpenAI.
    ApiKey,
    /// A token that OpenAI's exchange gave for a workload's own.
    Workload,
    /// A token that Entra gave for a workload's own.
    Entra,
}

/// A token that was given.
#[derive(Debug)]
pub struct Token {
    pub text: String,
    pub ends_ms: i64,
}

pub fn routes() -> Router<State> {
    Router::new().route("/oauth/token", post(exchange)).route("/{tenant}/oauth2/v2.0/token", post(entra))
}

/// Why a request is not let in.
pub fn refusal(state: &State, headers: &HeaderMap) -> Option<ApiError> {
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let bearer = said("authorization").and_then(|value| value.strip_prefix("Bearer ")).map(str::trim);
    let is_let_in = match state.login {
        Login::Key => bearer.is_some_and(|key| !key.is_empty()),
        Login::ApiKey => said("api-key").is_some_and(|key| !key.is_empty()),
        Login::Workload | Login::Entra => {
            let (world, now) = state.world();
            world.tokens.iter().any(|token| Some(token.text.as_str()) == bearer && now < token.ends_ms)
        }
    };
    // As far as is known the code is null without a key, and `invalid_api_key` for a key that is wrong.
    let message = match state.login {
        Login::Key => {
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. \
             Authorization: Bearer YOUR_KEY)."
        }
        Login::ApiKey | Login::Entra => {
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active \
             subscription and use a correct regional API endpoint for your resource."
        }
        Login::Workload => "Incorrect API key provided.",
    };
    (!is_let_in).then(|| ApiError::plain(message).status(StatusCode::UNAUTHORIZED))
}

type Refused = (StatusCode, Json<Value>);

fn refused(status: StatusCode, word: &str, sentence: &str) -> Refused {
    (status, Json(json!({"error": word, "error_description": sentence})))
}

/// A signed token has three parts; whose it is, the stand-in does not look at.
fn is_signed(token: &str) -> bool {
    token.split('.').count() == 3 && token.split('.').all(|part| !part.is_empty())
}

async fn exchange(Shared(state): Shared<State>, body: Bytes) -> Result<Json<Value>, Refused> {
    let bad = |sentence: &str| refused(StatusCode::BAD_REQUEST, "invalid_request", sentence);
    let asked: Value = serde_json::from_slice(&body).map_err(|_| bad("The body is not JSON."))?;
    let said = |name: &str| asked[name].as_str().filter(|text| !text.trim().is_empty());
    if state.login != Login::Workload {
        return Err(refused(
            StatusCode::FORBIDDEN,
            "access_denied",
            "No workload identity provider is configured.",
        ));
    }
    if said("grant_type") != Some("urn:ietf:params:oauth:grant-type:token-exchange") {
        return Err(refused(
            StatusCode::BAD_REQUEST,
            "unsupported_grant_type",
            "The grant type is not supported.",
        ));
    }
    let types = ["urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token"];
    if said("subject_token_type").is_none_or(|kind| !types.contains(&kind)) {
        return Err(bad("subject_token_type is missing or not supported."));
    }
    for name in ["identity_provider_id", "service_account_id"] {
        said(name).ok_or_else(|| bad(&format!("{name} is missing.")))?;
    }
    let own = said("subject_token").ok_or_else(|| bad("subject_token is missing."))?;
    if !is_signed(own) {
        return Err(refused(
            StatusCode::BAD_REQUEST,
            "invalid_grant",
            "The subject token could not be verified.",
        ));
    }
    let mut given = give(&state);
    given["issued_token_type"] = "urn:ietf:params:oauth:token-type:access_token".into();
    Ok(Json(given))
}

async fn entra(
    Shared(state): Shared<State>,
    Path(tenant): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Refused> {
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
    let said = |name: &str| {
        form.iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .filter(|text| !text.is_empty())
    };
    let bad = |sentence: String| refused(StatusCode::BAD_REQUEST, "invalid_request", &sentence);
    if state.login != Login::Entra || tenant.is_empty() {
        return Err(bad("AADSTS90002: Tenant not found.".to_owned()));
    }
    if said("grant_type") != Some("client_credentials") {
        return Err(refused(
            StatusCode::BAD_REQUEST,
            "unsupported_grant_type",
            "AADSTS70003: The grant type is not supported.",
        ));
    }
    if said("client_assertion_type") != Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer") {
        return Err(bad("AADSTS50027: client_assertion_type is missing or not supported.".to_owned()));
    }
    for name in ["client_id", "scope"] {
        said(name).ok_or_else(|| {
            bad(format!("AADSTS900144: The request body must contain the parameter '{name}'."))
        })?;
    }
    if said("client_assertion").is_none_or(|own| !is_signed(own)) {
        let sentence = "AADSTS50027: JWT token is invalid or malformed.";
        return Err(refused(StatusCode::UNAUTHORIZED, "invalid_client", sentence));
    }
    let mut given = give(&state);
    given["ext_expires_in"] = LIFE_SECONDS.into();
    Ok(Json(given))
}

fn give(state: &State) -> Value {
    let (mut world, now) = state.world();
    let text = format!("at-{}", world.ids.hex(""));
    world.tokens.push(Token { text: text.clone(), ends_ms: now + LIFE_SECONDS * 1000 });
    json!({"access_token": text, "token_type": "Bearer", "expires_in": LIFE_SECONDS})
}
