//! The one way out: how both API clients connect, how long they wait, how much they read, and what a failure means.
//!
//! It knows HTTP and nothing of Fastio or OpenAI. It never retries: a retry belongs to the queue, which remembers it.
//! It never follows a redirect (the key would travel along), and no error made here holds a URL, a header or a body.
//!
//! Time limits, because each kind of call can hang in its own way:
//!
//! | call | limit |
//! |---|---|
//! | every call | [`CONNECT_LIMIT`] until the connection and TLS stand |
//! | small JSON call | [`SMALL_CALL_LIMIT`] in total |
//! | download | [`SILENCE_LIMIT`] until the head and between two pieces, and as much time in all as an upload of what has come |
//! | upload | [`upload::STALL_LIMIT`] without progress, [`upload::ANSWER_LIMIT`] after the last byte, and a total by size |

pub mod answer_counter;
mod bearer;
pub mod call_error;
mod credential;
pub mod pages;
pub mod reply;
mod speaker;
mod tls;
pub mod upload;
pub mod value;
pub mod wait;
pub mod witness;

use std::time::Duration;

use url::{Host, Url};

pub use answer_counter::AnswerCounter;
pub use bearer::Bearer;
pub use call_error::{CallError, CallErrorKind};
pub use reply::{Failure, Head, Reply};
pub use speaker::{PlainAnswer, Speaker};
pub use tls::trusting;
pub use wait::{MAX_WAIT, retry_after};

/// Covers three TCP SYNs (sent at 0, 1 and 3 seconds) and a TLS handshake across the world, with room.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Small calls answer in well under a second, a listing of 500 nodes or a search in a few. A worker is held meanwhile,
/// so ten times that is patience enough; OpenAI's official libraries wait 600 s, but they have no queue that retries for them.
pub const SMALL_CALL_LIMIT: Duration = Duration::from_secs(60);

/// Silence on a download that is broken rather than slow. Storage that must first fetch a cold object answers within
/// seconds; a dead peer behind a NAT never does.
pub const SILENCE_LIMIT: Duration = Duration::from_secs(60);

/// Shorter than the 60 s after which common load balancers drop an idle connection: a request on a connection that is
/// being dropped fails in a way that cannot be told from a lost reply.
const POOL_IDLE_LIMIT: Duration = Duration::from_secs(30);

/// Idle connections kept per host: more than the workers of one process, which is how many are in use at once.
const POOL_IDLE_CONNECTIONS: usize = 32;

/// What to do about a failure of a remote call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Later, at an interval the queue chooses.
    Backoff,
    /// Not before this much time has passed: the service said so. Never above [`MAX_WAIT`].
    After(Duration),
    /// The service did not answer, or only said that it cannot now. It may be this request, or every one; the service may
    /// have asked for a wait.
    Unavailable(Option<Duration>),
    /// The same request can only fail the same way.
    Never,
    /// Every other call to this service would fail too, until a person acts.
    Pause,
}

/// How far a request got, because a failed create may have happened all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The service cannot have received the whole request, so it did nothing.
    BeforeBody,
    /// The service may have received the whole request; no answer came.
    BodySent,
    /// At least the head of an answer came.
    ResponseStarted,
}

impl Phase {
    /// Whether the service may have done what was asked, when it answered with `status`, if it answered. A 4xx refuses,
    /// so nothing was done; but for 408, which says only that the service waited too long.
    pub fn may_have_happened(self, status: Option<u16>) -> bool {
        let refused = status.is_some_and(|status| (400..500).contains(&status) && status != 408);
        match self {
            Phase::BeforeBody => false,
            Phase::BodySent | Phase::ResponseStarted => !refused,
        }
    }
}

/// The address an API's paths hang under.
#[derive(Debug, Clone)]
pub struct Base(Url);

/// Why a base URL, a path under it or a key cannot be used. Names no part of them, which may be secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("a base URL must begin with http:// or https:// and name a host")]
    NotHttp,
    #[error("a base URL must hold no user name, password, query or fragment")]
    NotPlain,
    #[error("an id is empty, `.` or `..` and would change the path it stands in")]
    Segment,
    #[error("the API key is empty or holds characters that cannot be sent, such as a line break")]
    Key,
    #[error("the organization or project holds characters that cannot be sent in a header")]
    Header,
}

impl Base {
    /// Takes `https://host/path` with or without a slash at its end.
    ///
    /// # Errors
    /// When the URL is not plain HTTP: a user name in it would replace the bearer key, a query would be lost.
    pub fn new(url: &Url) -> Result<Self, Unusable> {
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(Unusable::NotHttp);
        }
        let plain = url.username().is_empty() && url.password().is_none();
        if !plain || url.query().is_some() || url.fragment().is_some() {
            return Err(Unusable::NotPlain);
        }
        Ok(Base(url.clone()))
    }

    /// The URL of the path that `segments` form, each percent-encoded, without a slash at its end.
    ///
    /// # Errors
    /// When a segment would vanish or climb: an empty id in `DELETE /files/{id}` addresses the list of files.
    pub fn join(&self, segments: &[&str]) -> Result<Url, Unusable> {
        if segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
            return Err(Unusable::Segment);
        }
        let mut url = self.0.clone();
        url.path_segments_mut().expect("an http URL with a host has a path").pop_if_empty().extend(segments);
        Ok(url)
    }

    /// The host's name, where it has one.
    pub fn host(&self) -> Option<&str> {
        self.0.host_str()
    }

    pub(crate) fn text(&self) -> String {
        self.0.to_string()
    }
}

/// Whether what is sent there stays on this machine, as far as the text tells. Of names only `localhost`: what else ends in it may be
/// asked of the DNS (RFC 6761 only advises against it), and lead anywhere.
pub fn stays_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The HTTP client for one API. Cheap to clone; the clones share one pool of connections.
///
/// A proxy named by `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` is used, because companies exist that have
/// no other way out, and TLS still ends at the API. It is never used for this machine's own addresses: the stand-ins
/// live there and no proxy could reach them.
///
/// HTTP/1.1 only (no `http2` feature): uploads then never share a connection, so one that stalls or breaks takes
/// nothing else with it.
///
/// # Errors
/// When TLS cannot be set up, for example in an image without CA certificates.
pub fn client(base: &Base) -> Result<reqwest::Client, Failure> {
    let builder =
        builder(base).pool_idle_timeout(POOL_IDLE_LIMIT).pool_max_idle_per_host(POOL_IDLE_CONNECTIONS);
    built(builder)
}

/// The same, with a connection for each call.
///
/// # Errors
/// As [`client`].
pub fn client_without_pool(base: &Base) -> Result<reqwest::Client, Failure> {
    built(builder(base).pool_max_idle_per_host(0))
}

fn built(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, Failure> {
    builder.build().map_err(|error| {
        let failure = Failure::sending(error);
        match tls::fault() {
            Some(detail) => Failure { detail, ..failure },
            None => failure,
        }
    })
}

fn builder(base: &Base) -> reqwest::ClientBuilder {
    let mut builder = trusting(reqwest::Client::builder())
        .user_agent(concat!("docket/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_LIMIT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never());
    // reqwest's own read timeout is not set: it also runs while a request body is being sent, and so would end
    // every upload that takes longer. Downloads and uploads watch for silence themselves.
    if stays_here(&base.0) {
        builder = builder.no_proxy();
    }
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> Result<Base, Unusable> {
        Base::new(&text.parse().unwrap())
    }

    #[test]
    fn a_base_url_works_with_and_without_its_last_slash() {
        for text in ["https://api.fast.io/current", "https://api.fast.io/current/"] {
            let url = base(text).unwrap().join(&["user", "auth", "check"]).unwrap();
            assert_eq!(url.as_str(), "https://api.fast.io/current/user/auth/check");
        }
        assert_eq!(base("http://localhost:1").unwrap().join(&["files"]).unwrap().path(), "/files");
    }

    #[test]
    fn a_base_url_that_would_leak_or_lose_something_is_refused() {
        assert_eq!(base("ftp://api.fast.io/").unwrap_err(), Unusable::NotHttp);
        assert_eq!(base("https://me:secret@api.fast.io/").unwrap_err(), Unusable::NotPlain);
        assert_eq!(base("https://api.fast.io/?token=1").unwrap_err(), Unusable::NotPlain);
    }

    #[test]
    fn an_id_cannot_leave_its_place_in_the_path() {
        let base = base("https://api.openai.com/v1").unwrap();
        assert_eq!(base.join(&["files", "a/b?c#d"]).unwrap().path(), "/v1/files/a%2Fb%3Fc%23d");
        assert_eq!(base.join(&["files", "a,b"]).unwrap().path(), "/v1/files/a,b");
        for id in ["", ".", ".."] {
            assert_eq!(base.join(&["files", id]).unwrap_err(), Unusable::Segment);
        }
    }

    #[test]
    fn only_what_is_surely_this_machine_is_called_so_and_reached_without_a_proxy() {
        for own in ["http://127.9.9.9:9101/current/", "http://LOCALHOST:9102/v1", "http://[::1]:1/"] {
            assert!(stays_here(&own.parse().unwrap()), "{own}");
        }
        for other in [
            "https://api.openai.com/v1",
            "http://0.0.0.0/",
            "http://a.localhost/",
            "http://[::ffff:127.0.0.1]/",
        ] {
            assert!(!stays_here(&other.parse().unwrap()), "{other}");
        }
    }
}
