//! The operator listener: what a person or a monitor may ask a running server. It is not for the world: it listens on this
//! machine unless a token guards it.
//!
//! `GET /api/v1/status` answers what `docket status --json` prints, `GET /api/v1/health` only whether it is well: 200, or 503
//! with the reasons when a person is needed. `GET /metrics` is for Prometheus.

pub mod act;
pub mod api;
pub mod bulk;
pub mod guard;
pub mod headroom;
pub mod mcp;
pub mod meant;
mod metrics;
pub mod query;
pub mod range;
pub mod routes;
mod settings;
mod snapshot;
pub mod status;
mod token;
pub mod verdict;
pub mod words;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, middleware};
use prometheus_client::encoding::prometheus_text;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::database;
use crate::listen::problem::Problem;
use crate::listen::{self, Incident, Limits, Offer, Tell};
use crate::receive::{Count, Counters};
use guard::{Admin, Guard, Role, Viewer};
use routes::Routes;
use verdict::Word;

pub use metrics::{Metrics, Sources};
pub use settings::{Error, Listen, Settings};
pub use snapshot::Observer;
pub use token::{Token, Tokens};

/// A person, a monitor and a few pages hold one connection each; 64 leave room for what forgets to close its own.
const LIMITS: Limits = Limits {
    connections: 64,
    waiting: 64,
    header_time: Duration::from_secs(5),
    header_bytes: 16 * 1024,
    // Longer than any answer takes, so that a question under way is answered.
    request_time: ANSWER_TIME,
    stop_time: Duration::from_secs(5),
};

/// How long an answer may take, once it is known who asks. A monitor does not wait longer, and asks again.
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
    /// An address that others can reach and no token, tokens that cannot be used, or an address that is taken.
    pub async fn bind(settings: &Settings, tokens: Tokens) -> Result<Option<Self>, Error> {
        settings.check(&tokens)?;
        let Some(address) = settings.listen.0 else { return Ok(None) };
        let failed = |source| Error::Bind { address, source };
        let listener = listen::bind(address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Some(Operate { listener, address, guard: Guard::new(tokens) }))
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What finds out who asks: pages sign people in with it.
    pub fn guard(&self) -> Guard {
        self.guard.clone()
    }

    /// Serves until `stop`.
    pub async fn serve(self, served: Served, stop: CancellationToken) {
        let Served { observer, pages, dress, counters } = served;
        // That a page was left before it came is not counted.
        let tell: Tell = Arc::new(move |incident| {
            if incident == Incident::Panicked {
                counters.add(Count::OperatorPanic, 1);
            }
        });
        let router = dress(router(routes().with_state(observer).merge(pages), self.guard));
        listen::serve(self.listener, Offer { router, limits: LIMITS, tell }, stop).await;
    }
}

/// What the operator listener serves.
pub struct Served {
    pub observer: Observer,
    /// What is there besides `/api/v1`.
    pub pages: Routes,
    /// What stands around all of it, the guard's answers too: a person is told in a page what a program is told in JSON.
    pub dress: fn(Router) -> Router,
    /// Where panics are counted.
    pub counters: Arc<Counters>,
}

/// What programs ask.
pub fn routes() -> Routes<Observer> {
    Routes::default().get(Role::Admin, "/api/v1/status", status).get(Role::Admin, "/api/v1/health", health)
}

/// What a scraper asks. Nothing in it is about one file, so whoever may see files may have it.
pub fn scraped() -> Routes<Metrics> {
    Routes::default().get(Role::Viewer, "/metrics", scrape)
}

fn router(routes: Routes, asked: Guard) -> Router {
    routes
        .into_router()
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "there is nothing here") })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method")
        })
        .layer(middleware::from_fn_with_state(ANSWER_TIME, in_time))
        // Around all of it, so that without a token no client learns what there is.
        .layer(middleware::from_fn_with_state(asked, guard::guard))
}

/// Answers for whatever takes too long.
async fn in_time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::unavailable("the answer took too long", RETRY_AFTER).into_response(),
    }
}

/// What `docket status --json` says.
async fn status(_: Admin, State(observer): State<Observer>) -> Response {
    match observer.look().await {
        Ok(snapshot) => Json(&snapshot.rows).into_response(),
        Err(error) => unreadable(&error).into_response(),
    }
}

/// For a monitor that knows nothing but status codes.
async fn health(_: Admin, State(observer): State<Observer>) -> Response {
    match observer.look().await {
        Ok(snapshot) => {
            let well = snapshot.verdict.verdict == Word::Well;
            let code = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            (code, Json(&snapshot.verdict)).into_response()
        }
        Err(error) => unreadable(&error).into_response(),
    }
}

/// For Prometheus.
async fn scrape(_: Viewer, State(metrics): State<Metrics>) -> Response {
    match metrics.text().await {
        Ok(text) => ([(CONTENT_TYPE, prometheus_text::CONTENT_TYPE)], text.to_string()).into_response(),
        Err(error) => unreadable(&error).into_response(),
    }
}

fn unreadable(error: &database::Error) -> Problem {
    tracing::warn!(error = %error, "the database cannot be read for an answer");
    Problem::unavailable("the database cannot be read", RETRY_AFTER)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn an_answer_that_takes_too_long_is_a_problem_document() {
        let router = Router::new().route("/", axum::routing::get(std::future::pending::<()>));
        let router = router.layer(middleware::from_fn_with_state(Duration::from_millis(1), in_time));
        let answer = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(answer.headers()["retry-after"], "5");
    }
}
