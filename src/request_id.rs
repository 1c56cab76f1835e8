//! The id of the request that work is done for. A webhook has one when it comes in; it is kept with the delivery, its event
//! and its jobs, stands in every line that the log has of that work, and goes along to services that take one. So one search
//! shows the way from a webhook to what was written back.

use std::future::Future;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::{Instrument, Span};
use uuid::{Builder, Uuid};

/// The longest id that is taken from a sender. A UUID has 36 characters, the trace ids of load balancers up to 60.
const LONGEST: usize = 64;

tokio::task_local! {
    static CURRENT: Option<Arc<str>>;
}

/// Whether an id that a client gave can be ours too. It is stored, printed and sent on, so it is short and can be seen.
pub fn is_usable(id: &[u8]) -> bool {
    (1..=LONGEST).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

/// A new id, a UUIDv7: sorted, they are in the order of time. `Uuid::now_v7` asks the operating system for random bytes each
/// time, which costs as much as all else that is done for an id (measured: 0.4 µs), and nothing here has to be unguessable.
pub fn new() -> Uuid {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut random = [0; 10];
    fastrand::fill(&mut random);
    Builder::from_unix_timestamp_millis(u64::try_from(now.as_millis()).unwrap_or_default(), &random)
        .into_uuid()
}

/// Does `work` for the request with this id, if it is for one that is known.
pub async fn scope<T>(id: Option<&str>, work: impl Future<Output = T>) -> T {
    // As loud as the loudest line, so that no line stands without it.
    let span = id.map_or_else(Span::none, |id| tracing::error_span!("job", request.id = id));
    CURRENT.scope(id.map(Arc::from), work.instrument(span)).await
}

/// As [`scope`], for what runs on a thread and awaits nothing.
pub fn within<T>(id: Option<Arc<str>>, work: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(id, work)
}

/// The id of the request that the calling task works for now, if it does for one.
pub fn current() -> Option<Arc<str>> {
    CURRENT.try_with(Clone::clone).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_senders_id_is_one_short_text_that_can_be_seen() {
        for id in [&b"7f3c"[..], b"Root=1-67891233-abcdef012345678912345678", &[b'x'; LONGEST]] {
            assert!(is_usable(id), "{id:?}");
        }
        for id in [&b""[..], b"two words", b"tab\there", "\u{e9}".as_bytes(), &[b'x'; LONGEST + 1]] {
            assert!(!is_usable(id), "{id:?}");
        }
    }

    #[test]
    fn a_new_id_is_a_uuid_of_the_seventh_kind_and_like_no_other() {
        let ids: std::collections::HashSet<Uuid> = (0..10_000).map(|_| new()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
    }

    #[tokio::test]
    async fn work_is_for_the_request_that_it_was_begun_for() {
        assert_eq!(current(), None);
        scope(Some("a"), async {
            assert_eq!(current().as_deref(), Some("a"));
            scope(None, async { assert_eq!(current(), None) }).await;
            within(Some("b".into()), || assert_eq!(current().as_deref(), Some("b")));
            assert_eq!(current().as_deref(), Some("a"));
        })
        .await;
    }
}
