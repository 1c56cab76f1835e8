//! Asking again for a page of a listing. A listing of ten thousand pages must not fail for one of them, and there is no
//! job behind it that would come back.

use std::future::Future;
use std::time::Duration;

use crate::http::Retry;

/// The first wait, doubled each time. Five tries take four seconds: longer than a dropped connection, and a service that
/// is down is left to the next sweep.
const FIRST: Duration = Duration::from_millis(250);

/// The most that is waited when the service names a time. Fastio's and OpenAI's limits are by the minute.
const LONGEST_ASKED: Duration = Duration::from_secs(90);

/// What a page begins with.
pub fn first<T>(items: &[T], id: impl Fn(&T) -> &String) -> Option<&str> {
    items.first().map(|one| id(one).as_str())
}

/// Calls until it succeeds, fails for good, or has failed `tries` times.
///
/// # Errors
/// The last one.
pub async fn patiently<T, E, F>(
    tries: u16,
    retry: impl Fn(&E) -> Retry,
    mut call: impl FnMut() -> F,
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut wait = FIRST;
    for _ in 1..tries {
        let error = match call().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let asked = match retry(&error) {
            Retry::Backoff | Retry::Unavailable(None) => wait,
            Retry::After(asked) | Retry::Unavailable(Some(asked)) => asked.min(LONGEST_ASKED),
            Retry::Never | Retry::Pause => return Err(error),
        };
        tokio::time::sleep(asked).await;
        wait *= 2;
    }
    call().await
}
