//! Which clients may ask. With a token, those that have it. Without one, this machine: and a page in a browser here is not this
//! machine, though its requests come from it. Such a page either says where it comes from (`Origin`, `Sec-Fetch-Site`), or
//! reaches us under a name of its own that it had point here, so the name in `Host` must be ours.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue, ORIGIN, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;

use super::token::Guarded;
use crate::listen::gate::Gate;
use crate::listen::problem::Problem;

/// What every browser since 2023 says of a request, and no page can change.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What is asked of a request.
#[derive(Debug, Clone)]
pub struct Guard(Arc<Asked>);

#[derive(Debug)]
struct Asked {
    token: Option<Guarded>,
    gate: Gate,
}

impl Guard {
    pub fn new(token: Option<SecretString>) -> Guard {
        Guard(Arc::new(Asked { token: token.map(Guarded::new), gate: Gate::default() }))
    }
}

/// Lets a request through or answers it.
pub async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let refuse = |detail| Problem::new(StatusCode::FORBIDDEN, detail).into_response();
    if is_foreign(request.headers()) {
        return refuse("a page of another origin asks: Origin or Sec-Fetch-Site says so");
    }
    let Asked { token, gate } = &*guard.0;
    let Some(token) = token else {
        return match names_this_machine(&request) {
            true => next.run(request).await,
            false => refuse("the Host header does not name this machine"),
        };
    };
    match bearer(request.headers()) {
        Some(given) if token.is(given).await => return next.run(request).await,
        Some(_) => {
            if let Some(suppressed) = gate.pass() {
                tracing::warn!(suppressed, "a client sent the operator listener a wrong token");
            }
        }
        None => {}
    }
    let mut response =
        Problem::new(StatusCode::UNAUTHORIZED, "send DOCKET_ADMIN_TOKEN as a bearer token").into_response();
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether a browser sent this for a page that is not ours. What is no browser says nothing of the kind.
fn is_foreign(headers: &HeaderMap) -> bool {
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
