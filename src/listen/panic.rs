//! What is answered when the code that works on a request panics. The request is lost, and nothing else is.

use std::time::Duration;

use axum::response::{IntoResponse, Response};

use super::problem::Problem;

/// The sender may come again, but what it sent will hardly fare better in a moment.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// Tells the sender that the failure is ours. What panicked and where is told already (`contain::tell_panics`), and without
/// the values that a panic's message may hold.
pub(super) fn answer() -> Response {
    tracing::error!("a request made the program panic; it was answered 503");
    Problem::unavailable("this request could not be worked on", RETRY_AFTER).into_response()
}
