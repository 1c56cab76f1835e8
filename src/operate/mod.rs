//! The operator listener: what a person or a monitor on this machine may ask a running server. It reads and never writes,
//! and is not for the world: it listens on this machine unless a token guards it.
//!
//! `GET /api/v1/status` answers what `docket status --json` prints, `GET /api/v1/health` only whether it is well: 200, or 503
//! with the reasons when a person is needed.

mod guard;
mod settings;
mod snapshot;
pub mod status;
mod token;
pub mod verdict;

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::database::{self, Database};
use crate::listen::problem::Problem;
use crate::listen::{self, Limits};
use guard::Guard;
use snapshot::Observer;
use status::About;
use verdict::Word;

pub use settings::{Error, Listen, Settings};

/// A person, a monitor and a page or two.
const LIMITS: Limits = Limits {
    connections: 64,
    waiting: 64,
    header_time: Duration::from_secs(5),
    header_bytes: 16 * 1024,
    // Longer than any answer takes, so that a question under way is answered.
    request_time: ANSWER_TIME,
    stop_time: Duration::from_secs(5),
};

/// How long an answer may take. A monitor does not wait longer, and asks again.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// When the database cannot be read now it may soon.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The operator listener, bound and not yet served.
#[derive(Debug)]
pub struct Operate {
    listener: TcpListener,
    address: SocketAddr,
    guard: Guard,
}

impl Operate {
    /// Binds the listener, if there is to be one.
    ///
    /// # Errors
    /// An address that others can reach and no token, or one that is taken.
    pub async fn bind(settings: &Settings, token: Option<SecretString>) -> Result<Option<Self>, Error> {
        settings.check(token.as_ref())?;
        let Some(address) = settings.listen.0 else { return Ok(None) };
        let failed = |source| Error::Bind { address, source };
        let listener = listen::bind(address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Some(Operate { listener, address, guard: Guard::new(token) }))
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`.
    pub async fn serve(self, database: Database, about: About, stop: CancellationToken) {
        let observer = Observer::new(database, about);
        listen::serve(self.listener, router(observer, self.guard), LIMITS, stop).await;
    }
}

fn router(observer: Observer, asked: Guard) -> Router {
    let router = Router::new()
        .route("/api/v1/status", get(status))
        .route("/api/v1/health", get(health))
        .with_state(observer)
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "there is nothing here") })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method")
        })
        .layer(middleware::from_fn(in_time))
        // Around all of it, so that nobody learns without a token what there is.
        .layer(middleware::from_fn_with_state(asked, guard::guard));
    // Each panic is in the log; there is no count for what operators ask.
    listen::harden(router, || {})
}

/// Answers for whatever takes too long.
async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(ANSWER_TIME, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::unavailable("the answer took too long", RETRY_AFTER).into_response(),
    }
}

/// What `docket status --json` says.
async fn status(State(observer): State<Observer>) -> Response {
    match observer.look().await {
        Ok(snapshot) => Json(&snapshot.rows).into_response(),
        Err(error) => unreadable(&error),
    }
}

/// For a monitor that knows nothing but status codes.
async fn health(State(observer): State<Observer>) -> Response {
    match observer.look().await {
        Ok(snapshot) => {
            let well = snapshot.verdict.verdict == Word::Well;
            let code = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            (code, Json(&snapshot.verdict)).into_response()
        }
        Err(error) => unreadable(&error),
    }
}

fn unreadable(error: &database::Error) -> Response {
    tracing::warn!(error = %error, "the status cannot be read");
    Problem::unavailable("the database cannot be read", RETRY_AFTER).into_response()
}
