//! The ceiling: a server of the same shape as Docket's public listener that stores nothing. It takes the same request over
//! the same HTTP stack (axum on hyper, every core), checks its signature with Docket's own verifier, and answers the same
//! 202. What is missing is all that Docket does besides: its limits, its counting, its inbox.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use clap::Args;
use docket::receive::Settings;
use docket::receive::signature::Verifier;
use serde_json::json;

use crate::load::SECRET;

/// Serves the bare server that `ack` compares with, and prints its address.
#[derive(Debug, Args)]
pub struct Options {}

pub fn run(Options {}: &Options) -> anyhow::Result<ExitCode> {
    let policy = Settings::default().check()?;
    let verifier = Arc::new(Verifier::new(&[SECRET.into()], policy)?);
    let router = Router::new().route("/webhooks/fastio", post(take)).with_state(verifier);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        std::io::stdout().flush()?;
        axum::serve(listener, router).await?;
        Ok(ExitCode::SUCCESS)
    })
}

async fn take(State(verifier): State<Arc<Verifier>>, headers: HeaderMap, body: Bytes) -> Response {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis());
    match verifier.verify(&headers, &body, i64::try_from(now).unwrap_or(i64::MAX)) {
        Ok(_) => (StatusCode::ACCEPTED, Json(json!({"events": 1}))).into_response(),
        Err(_) => StatusCode::UNAUTHORIZED.into_response(),
    }
}
