//! Who may ask. With a token, whoever has it. Without one, this machine: and a page in somebody's browser here is not this
//! machine, though its requests come from it. Such a page reaches us under a name of its own that it had point here, so
//! the name in `Host` must be ours.

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, HeaderValue, WWW_AUTHENTICATE};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::listen::problem::Problem;

/// What is asked of a request.
#[derive(Debug, Clone)]
pub struct Guard(pub Option<SecretString>);

/// Lets a request through or answers it.
pub async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match &guard.0 {
        Some(token) if bearer(request.headers()).is_some_and(|given| is_same(token, given)) => {
            next.run(request).await
        }
        Some(_) => {
            let problem = Problem::new(StatusCode::UNAUTHORIZED, "send DOCKET_ADMIN_TOKEN as a bearer token");
            let mut response = problem.into_response();
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            response
        }
        None if names_this_machine(&request) => next.run(request).await,
        None => {
            Problem::new(StatusCode::FORBIDDEN, "the Host header does not name this machine").into_response()
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// In constant time, whatever the lengths: what is compared are MACs keyed with each.
fn is_same(token: &SecretString, given: &str) -> bool {
    let mac =
        |key: &str| Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes a key of any length");
    mac(token.expose_secret()).verify_slice(&mac(given).finalize().into_bytes()).is_ok()
}

fn names_this_machine(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let named = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
    named.is_some_and(|host| is_loopback(host.host()))
        && request.uri().authority().is_none_or(|authority| is_loopback(authority.host()))
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_its_own() {
        let host = |host: &str| {
            let request = Request::get("/").header(HOST, host).body(axum::body::Body::empty()).unwrap();
            names_this_machine(&request)
        };
        for own in
            ["localhost", "LOCALHOST:8081", "127.0.0.1:8081", "127.1.2.3", "[::1]:8081", "docket.localhost"]
        {
            assert!(host(own), "{own}");
        }
        for other in
            ["evil.example:8081", "localhost.evil.example", "10.0.0.1", "", "127.0.0.1.nip.io", "a@b@c"]
        {
            assert!(!host(other), "{other}");
        }
        assert!(!names_this_machine(&Request::get("/").body(axum::body::Body::empty()).unwrap()));
    }

    #[test]
    fn a_token_is_the_same_only_when_all_of_it_is() {
        let token = SecretString::from("correct horse");
        assert!(is_same(&token, "correct horse"));
        for wrong in ["", "correct", "correct horse ", "correct hors\u{e9}"] {
            assert!(!is_same(&token, wrong));
        }
    }
}
