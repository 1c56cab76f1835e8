//! Why a request is not taken: what is counted, what the sender is told, and whether its connection ends.

use std::time::Duration;

use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header::CONNECTION;
use axum::response::{IntoResponse, Response};

use super::count::Count;
use super::inbox::Refused;
use super::memory::TooLittle;
use super::signature::Rejected;
use crate::listen::problem::Problem;

/// When memory is short, the commits that free it are milliseconds away.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Why a request was not taken.
pub(super) struct Refusal {
    pub count: Count,
    problem: Problem,
    /// The rest of the request was not read and is not going to be.
    hang_up: bool,
}

impl Refusal {
    /// The sender's fault.
    pub fn rejected(reason: &'static str, status: StatusCode, detail: &str) -> Refusal {
        Refusal { count: Count::Rejected(reason), problem: Problem::new(status, detail), hang_up: false }
    }

    /// Whatever is wrong with a signature, the sender is told the same.
    pub fn unsigned(why: Rejected) -> Refusal {
        Refusal::rejected(why.as_str(), StatusCode::UNAUTHORIZED, "the signature is missing or wrong")
    }

    /// Our failure.
    pub fn unavailable(reason: &'static str, problem: Problem) -> Refusal {
        Refusal { count: Count::Unavailable(reason), problem, hang_up: false }
    }

    /// The same, with the end of the connection: the rest of the request is not read.
    pub fn hanging_up(self) -> Refusal {
        Refusal { hang_up: true, ..self }
    }
}

impl From<Refused> for Refusal {
    fn from(why: Refused) -> Refusal {
        Refusal::unavailable(why.as_str(), Problem::unavailable(why.to_string(), why.retry_after()))
    }
}

impl From<TooLittle> for Refusal {
    fn from(_: TooLittle) -> Refusal {
        let problem = Problem::unavailable("too much arrives at once", RETRY_AFTER);
        Refusal::unavailable("memory", problem).hanging_up()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.problem.into_response();
        if self.hang_up {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
