//! Someone who is told: keeps what comes, and answers as a test says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use docket::receive::signature::standard;
use serde_json::Value;

pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A message that came.
#[derive(Debug, Clone)]
pub struct Came {
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Came {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }

    pub fn id(&self) -> &str {
        self.headers["webhook-id"].to_str().unwrap()
    }

    /// That the signature is right, by the time at which it came.
    pub fn proven(&self) -> &Self {
        let verifier = standard::Verifier::new(&[SECRET.into()], standard::TOLERANCE_SECONDS).unwrap();
        verifier.verify(&self.headers, &self.body, jiff::Timestamp::now().as_millisecond()).unwrap();
        self
    }
}

/// A status, and a `Retry-After` in seconds.
type Answer = (u16, Option<u32>);

/// In the place of a status: the message is kept, and its sender learns nothing of that.
pub const NO_ANSWER: u16 = 0;

#[derive(Debug, Clone, Default)]
pub struct Receiver {
    came: Arc<Mutex<Vec<Came>>>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
}

impl Receiver {
    /// Starts one, and answers its address.
    pub async fn start() -> (Receiver, String) {
        let receiver = Receiver::default();
        let router = Router::new().route("/hook/a-secret-path", post(take)).with_state(receiver.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook/a-secret-path", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (receiver, url)
    }

    /// Answers the next messages so, with a `Retry-After`; those behind them are taken.
    pub fn answers(&self, answers: &[Answer]) {
        self.answers.lock().unwrap().extend(answers);
    }

    pub fn came(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }

    pub fn kinds(&self) -> Vec<String> {
        self.came().iter().map(Came::kind).collect()
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    receiver.came.lock().unwrap().push(Came { headers, body: body.to_vec() });
    let (status, wait) = receiver.answers.lock().unwrap().pop_front().unwrap_or((200, None));
    if status == NO_ANSWER {
        std::future::pending::<()>().await;
    }
    let status = StatusCode::from_u16(status).unwrap();
    match wait {
        Some(seconds) => (status, [("retry-after", seconds.to_string())]).into_response(),
        None => status.into_response(),
    }
}
