//! A webhook receiver as one writes it with axum and apalis: checks the signature, pushes a task, answers 202.
//!
//! `SqliteStorage::setup` turns `synchronous` off, so it runs on connections of its own, and those that push have
//! `synchronous = FULL`: the task is committed and synced before its answer. SQLite has one writer, so it has one connection.
//! `PEER_DATABASE` is a file, `PEER_PORT` where it listens.

use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use apalis::prelude::*;
use apalis_sqlite::SqliteStorage;
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

const TOLERANCE_SECONDS: u64 = 300;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Event {
    event_id: String,
    event: String,
    workspace_id: String,
    object_id: String,
}

#[tokio::main]
async fn main() {
    let setting = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let options = SqliteConnectOptions::from_str(&format!("sqlite://{}", setting("PEER_DATABASE")))
        .expect("PEER_DATABASE is a file")
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let setup = SqlitePoolOptions::new().connect_with(options.clone()).await.expect("a database");
    SqliteStorage::setup(&setup).await.expect("its tables");
    setup.close().await;
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.expect("a database");
    let synchronous: i64 =
        sqlx::query_scalar("PRAGMA synchronous").fetch_one(&pool).await.expect("a setting");
    assert_eq!(synchronous, 2, "FULL");
    let storage = SqliteStorage::<Event>::new(&pool);
    let key = Hmac::<Sha256>::new_from_slice(setting("PEER_SECRET").as_bytes()).expect("a key of any length");
    let take = move |headers: HeaderMap, body: Bytes| {
        let (mut storage, key) = (storage.clone(), key.clone());
        async move {
            if !is_signed(&headers, &body, key) {
                return StatusCode::UNAUTHORIZED;
            }
            let Ok(event) = serde_json::from_slice::<Event>(&body) else { return StatusCode::BAD_REQUEST };
            match storage.push(event).await {
                Ok(()) => StatusCode::ACCEPTED,
                Err(_) => StatusCode::SERVICE_UNAVAILABLE,
            }
        }
    };
    let listener =
        tokio::net::TcpListener::bind(format!("127.0.0.1:{}", setting("PEER_PORT"))).await.expect("the port");
    axum::serve(listener, Router::new().route("/webhooks/fastio", post(take)))
        .await
        .expect("it serves for ever");
}

fn is_signed(headers: &HeaderMap, body: &[u8], mut mac: Hmac<Sha256>) -> bool {
    let header = headers.get("fastio-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some((at, claimed)) = header.strip_prefix("t=").and_then(|rest| rest.split_once(",v1=")) else {
        return false;
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    if at.parse::<u64>().map_or(true, |at| at.abs_diff(now) > TOLERANCE_SECONDS) {
        return false;
    }
    mac.update(at.as_bytes());
    mac.update(b".");
    mac.update(body);
    base64::engine::general_purpose::STANDARD
        .decode(claimed)
        .is_ok_and(|claimed| mac.verify_slice(&claimed).is_ok())
}
