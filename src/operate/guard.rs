//! Which clients may ask, and for what. With tokens, those that have one: a program sends it, a browser a session that it got
//! for one. Without, this machine: and a page in a browser here is not this machine, though its requests come from it. Such a
//! page either says where it comes from (`Origin`, `Sec-Fetch-Site`), or reaches us under a name of its own that it had point
//! here, so the name in `Host` must be ours.
//!
//! Who asks is found out here, once; what that client may see or do, each handler states by taking [`Admin`] or [`Viewer`].

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{
    ACCEPT, AUTHORIZATION, COOKIE, HOST, HeaderName, HeaderValue, LOCATION, ORIGIN, WWW_AUTHENTICATE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::token::{Guarded, SESSION, Token, Tokens};
use crate::listen::gate::Gate;
use crate::listen::problem::Problem;

/// What every browser since 2023 says of a request, and no page can change.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Where a browser gets a session.
pub const SIGN_IN: &str = "/sign-in";

/// What the page there is made of. It tells nothing that the program's package does not.
pub const ASSETS: &str = "/assets/";

/// The session's name where it came over https: a browser then takes it from no other host, and sends it nowhere else.
const SECURE_COOKIE: &str = "__Host-docket";

/// Its name on plain http, where a browser would not keep the other one.
const PLAIN_COOKIE: &str = "docket";

/// What a client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// See files and runs.
    Viewer,
    /// See and do everything.
    Admin,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Who(pub Token);

impl Who {
    pub fn role(self) -> Role {
        match self.0 {
            Token::ThisMachine | Token::Admin => Role::Admin,
            Token::View => Role::Viewer,
        }
    }

    /// As the audit log names it.
    pub fn as_str(self) -> &'static str {
        self.0.as_str()
    }
}

/// A handler that takes this is for those who may do everything.
#[derive(Debug, Clone, Copy)]
pub struct Admin(pub Who);

/// A handler that takes this is for all who may see files and runs.
#[derive(Debug, Clone, Copy)]
pub struct Viewer(pub Who);

impl<S: Sync> FromRequestParts<S> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        at_least(Role::Admin, parts).map(Admin)
    }
}

impl<S: Sync> FromRequestParts<S> for Viewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        at_least(Role::Viewer, parts).map(Viewer)
    }
}

fn at_least(role: Role, parts: &Parts) -> Result<Who, Problem> {
    match parts.extensions.get::<Who>() {
        Some(who) if who.role() >= role => Ok(*who),
        Some(_) => Err(not_enough()),
        None => Err(Problem::new(StatusCode::UNAUTHORIZED, "who asks is not known")),
    }
}

/// What a client is told that may only look.
pub fn not_enough() -> Problem {
    let detail = "DOCKET_VIEW_TOKEN is for seeing files and runs: this needs DOCKET_ADMIN_TOKEN";
    Problem::new(StatusCode::FORBIDDEN, detail)
}

/// What is asked of a request.
#[derive(Debug, Clone)]
pub struct Guard(Arc<Asked>);

#[derive(Debug)]
struct Asked {
    tokens: Option<Guarded>,
    gate: Gate,
}

impl Guard {
    pub fn new(tokens: Tokens) -> Guard {
        Guard(Arc::new(Asked { tokens: Guarded::new(tokens), gate: Gate::default() }))
    }

    /// Whether clients have to prove who they are.
    pub fn asks(&self) -> bool {
        self.0.tokens.is_some()
    }

    /// Who has the token `given`, after the wait that guessing costs now.
    pub async fn who_has(&self, given: &str) -> Option<Who> {
        let which = self.0.tokens.as_ref()?.which(given).await;
        if which.is_none()
            && let Some(suppressed) = self.0.gate.pass()
        {
            tracing::warn!(suppressed, "a client sent the operator listener a wrong token");
        }
        which.map(Who)
    }

    /// A session of `who` for the browser that sent `headers`, as `Set-Cookie` has it.
    pub fn cookie(&self, who: Who, headers: &HeaderMap) -> Option<HeaderValue> {
        let session = self.0.tokens.as_ref()?.session(who.0)?;
        Some(set_cookie(&session, SESSION.as_secs(), headers))
    }

    /// Who sent a session of ours.
    fn who_signed_in(&self, headers: &HeaderMap) -> Option<Who> {
        let tokens = self.0.tokens.as_ref()?;
        let cookies = headers.get_all(COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
        let pairs = cookies.flat_map(|cookie| cookie.split(';')).filter_map(|pair| pair.split_once('='));
        let mut sessions = pairs.filter(|(name, _)| [SECURE_COOKIE, PLAIN_COOKIE].contains(&name.trim()));
        sessions.find_map(|(_, session)| tokens.of_session(session.trim())).map(Who)
    }
}

/// `Set-Cookie` that ends a session in the browser that sent `headers`.
pub fn no_cookie(headers: &HeaderMap) -> HeaderValue {
    set_cookie("", 0, headers)
}

/// A page's form says in `Origin` over what it came; behind a proxy we would not know otherwise.
fn set_cookie(session: &str, seconds: u64, headers: &HeaderMap) -> HeaderValue {
    let origin = headers.get(ORIGIN).map(HeaderValue::as_bytes).unwrap_or_default();
    let (name, secure) = match origin.starts_with(b"https://") {
        true => (SECURE_COOKIE, "; Secure"),
        false => (PLAIN_COOKIE, ""),
    };
    let cookie = format!("{name}={session}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::try_from(cookie).expect("letters, digits and signs of ours")
}

/// Finds out who asks, and lets the request through or answers it.
pub async fn guard(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let refuse = |detail| Problem::new(StatusCode::FORBIDDEN, detail).into_response();
    if is_foreign(request.headers()) && !follows_link(&request) {
        return refuse("a page of another origin asks: Origin or Sec-Fetch-Site says so");
    }
    let who = match (guard.asks(), bearer(request.headers())) {
        (false, _) if names_this_machine(&request) => Some(Who(Token::ThisMachine)),
        (false, _) => return refuse("the Host header does not name this machine"),
        (true, Some(given)) => guard.who_has(given).await,
        (true, None) => guard.who_signed_in(request.headers()),
    };
    match who {
        Some(who) => {
            request.extensions_mut().insert(who);
            next.run(request).await
        }
        None if is_open(request.uri().path()) => next.run(request).await,
        None => ask_who(&request),
    }
}

/// Whether everybody may see what is at `path`, and has to, to say who they are.
fn is_open(path: &str) -> bool {
    path == SIGN_IN || path.starts_with(ASSETS)
}

/// Sends a person to the page that asks for a token, and tells a program how to send it.
fn ask_who(request: &Request) -> Response {
    if wants_page(request.headers()) && bearer(request.headers()).is_none() {
        let back = match request.uri().path_and_query() {
            Some(path) if request.method() == Method::GET && path.as_str() != "/" => {
                format!("{SIGN_IN}?next={}", utf8_percent_encode(path.as_str(), NON_ALPHANUMERIC))
            }
            _ => SIGN_IN.to_owned(),
        };
        return (StatusCode::SEE_OTHER, [(LOCATION, back)]).into_response();
    }
    let detail = "send DOCKET_ADMIN_TOKEN, or for files and runs DOCKET_VIEW_TOKEN, as a bearer token";
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, detail).into_response();
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// Whether a person reads the answer: browsers say that they take pages, and programs do not.
pub fn wants_page(headers: &HeaderMap) -> bool {
    let accepts = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    accepts.is_some_and(|accept| accept.contains("text/html"))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether a browser sent this for a page that is not ours. What is no browser says nothing of the kind.
pub fn is_foreign(headers: &HeaderMap) -> bool {
    let is_ours = |site: &HeaderValue| site == "same-origin" || site == "none";
    let is_own = |origin: &HeaderValue| {
        let origin = origin.to_str().ok().and_then(|text| text.split_once("://"));
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        origin.zip(host).is_some_and(|((scheme, origin), host)| {
            matches!(scheme, "http" | "https") && origin.eq_ignore_ascii_case(host)
        })
    };
    !headers.get_all(SEC_FETCH_SITE).iter().all(is_ours) || !headers.get_all(ORIGIN).iter().all(is_own)
}

/// Whether a person followed a link from elsewhere, to see a page of ours alone in its window. The page that has the link does
/// not see it, and nothing changes by it.
fn follows_link(request: &Request) -> bool {
    let says = |name, what| request.headers().get(name).is_some_and(|value| value == what);
    request.method() == Method::GET
        && !request.headers().contains_key(ORIGIN)
        && says(SEC_FETCH_MODE, "navigate")
        && says(SEC_FETCH_DEST, "document")
}

fn names_this_machine(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    host.to_str().is_ok_and(is_this_machine)
        && request.uri().authority().is_none_or(|authority| is_this_machine(authority.as_str()))
}

/// Whether `host`, or `host:port`, is a name or an address that can only be this machine's. Read to the letter: what is left
/// over after a name, or stands before it, could be read by another as the name itself.
fn is_this_machine(authority: &str) -> bool {
    let (is_own, port) = if let Some(bracketed) = authority.strip_prefix('[') {
        let Some((address, port)) = bracketed.split_once(']') else { return false };
        (address.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback()), port)
    } else {
        let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
        (is_local_name(host) || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback()), port)
    };
    is_own && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// `localhost`, or a name below it: no resolver may ask the world about those (RFC 6761).
fn is_local_name(host: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    host.split('.').all(is_label)
        && host.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("localhost"))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn only_names_of_this_machine_are_its_own() {
        let host = |host: &str| {
            names_this_machine(&Request::get("/").header(HOST, host).body(Body::empty()).unwrap())
        };
        for own in [
            "localhost",
            "LOCALHOST:8081",
            "127.0.0.1:8081",
            "127.1.2.3",
            "[::1]:8081",
            "[::1]",
            "docket.localhost",
        ] {
            assert!(host(own), "{own}");
        }
        for other in [
            "evil.example:8081",
            "localhost.evil.example",
            "10.0.0.1",
            "",
            "127.0.0.1.nip.io",
            "a@b@c",
            "[::1].evil.com",
            "[::1]evil.com:80",
            "[::1",
            "::1",
            "[localhost]",
            "[127.0.0.1]",
            "user@localhost",
            "user:password@localhost:80",
            "localhost:abc",
            "localhost:",
            "localhost:+80",
            "localhost:80:90",
            "localhost:65536",
            "localhost.",
            ".localhost",
            "evil..localhost",
            "evil.com/.localhost",
            "evil.com#.localhost",
            "localhost localhost",
            "127.1",
            "0x7f.0.0.1",
        ] {
            assert!(!host(other), "{other}");
        }
        assert!(!names_this_machine(&Request::get("/").body(Body::empty()).unwrap()));
    }

    #[test]
    fn a_page_of_another_origin_is_told_by_what_its_browser_says() {
        let foreign = |pairs: &[(HeaderName, &str)]| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static("127.0.0.1:8081"));
            for (name, value) in pairs {
                headers.append(name, HeaderValue::from_str(value).unwrap());
            }
            is_foreign(&headers)
        };
        assert!(!foreign(&[]));
        assert!(!foreign(&[(ORIGIN, "http://127.0.0.1:8081"), (SEC_FETCH_SITE, "same-origin")]));
        assert!(!foreign(&[(SEC_FETCH_SITE, "none")]));
        for origin in ["http://evil.com", "null", "", "http://127.0.0.1", "http://127.0.0.1:80810", "file://"]
        {
            assert!(foreign(&[(ORIGIN, origin)]), "{origin}");
        }
        assert!(foreign(&[(ORIGIN, "http://127.0.0.1:8081"), (ORIGIN, "http://evil.com")]));
        for site in ["cross-site", "same-site", "", "Same-Origin"] {
            assert!(foreign(&[(SEC_FETCH_SITE, site)]), "{site}");
        }
    }
}
