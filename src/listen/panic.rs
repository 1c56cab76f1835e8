//! What is answered when the code that works on a request panics. The request is lost, and nothing else is.

use std::any::Any;
use std::time::Duration;

use axum::response::{IntoResponse, Response};

use super::problem::Problem;

/// The sender may come again, but what it sent will hardly fare better in a moment.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// Says in the log what happened, and to the sender that the failure is ours.
pub(super) fn answer(panic: &(dyn Any + Send)) -> Response {
    tracing::error!(panic = said(panic), "a request made the program panic; it was answered 503");
    Problem::unavailable("this request could not be worked on", RETRY_AFTER).into_response()
}

/// What a panic said.
pub(super) fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
