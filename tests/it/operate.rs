//! The operator listener, of the real program: who may ask, and what is answered.

use std::time::{Duration, Instant};

use docket::operate::guard::Role;
use docket::operate::routes::Stated;
use reqwest::StatusCode;
use reqwest::header::{HOST, WWW_AUTHENTICATE};
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::harness::program::{At, KEYS, Place, Program};

const TOKEN: &str = "a-token-for-operators";
const VIEW: &str = "another-for-who-only-looks";

/// Starts a server, and answers where its public and its operator listener are.
fn start(at: &At<'_>) -> (Program, String, Option<String>) {
    let (server, listens) = at.serve(&["--set", "operate.listen=127.0.0.1:0"]);
    (server, listens.url(""), Some(listens.operate_url("")))
}

fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&KEYS[..], more].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_over_http_is_the_status_of_the_command() {
    let place = Place::alone();
    let at = place.with(&with(&[]));
    let (mut server, public, operate) = start(&at);
    let answer = reqwest::get(format!("{}/api/v1/status", operate.unwrap())).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let answered: Value = answer.json().await.unwrap();
    let said: Value = serde_json::from_str(&at.docket(&["status", "--json"]).out).unwrap();
    assert_eq!(answered, said);
    assert!(answered.as_array().unwrap().iter().any(|row| row["name"] == "job" && row["label"] == "dead"));
    // The world has no part in it.
    let status = reqwest::get(format!("{public}/api/v1/status")).await.unwrap().status();
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(server.stop(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_token_only_who_has_it_learns_anything() {
    let place = Place::alone();
    let at = place.with(&with(&[("DOCKET_ADMIN_TOKEN", TOKEN)]));
    let (mut server, _, operate) = start(&at);
    let (client, operate) = (reqwest::Client::new(), operate.unwrap());
    let ask = |path: &str| client.get(format!("{operate}{path}"));
    for path in ["/api/v1/status", "/", "/nothing"] {
        for wrong in [None, Some(""), Some("a-token-for-operator"), Some("a-token-for-operatorsX")] {
            let request = wrong.into_iter().fold(ask(path), |request, token| request.bearer_auth(token));
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 401, "{path} {wrong:?}");
            assert_eq!(answer.headers()[WWW_AUTHENTICATE], "Bearer");
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
        }
    }
    let basic = ask("/api/v1/status").basic_auth(TOKEN, Some(TOKEN)).send().await.unwrap();
    assert_eq!(basic.status(), 401);
    assert_eq!(ask("/api/v1/status").bearer_auth(TOKEN).send().await.unwrap().status(), 200);
    assert_eq!(ask("/nothing").bearer_auth(TOKEN).send().await.unwrap().status(), 404);
    let post = client.post(format!("{operate}/api/v1/status")).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(post.status(), 405);
    assert_eq!(server.stop(), 0);
    assert!(!server.err.rest().contains(TOKEN), "the token stands in the log");
}

/// Who asks, in the order of what they may do.
const CLIENTS: [(Option<&str>, Option<Role>); 4] = [
    (None, None),
    (Some("a-token-that-is-none"), None),
    (Some(VIEW), Some(Role::Viewer)),
    (Some(TOKEN), Some(Role::Admin)),
];

/// No route can be left out: the list is made where the routes are.
#[tokio::test(flavor = "multi_thread")]
async fn each_route_answers_who_may_ask_and_nobody_else() {
    let place = Place::alone();
    let tokens = [("DOCKET_ADMIN_TOKEN", TOKEN), ("DOCKET_VIEW_TOKEN", VIEW)];
    let (mut server, _, operate) = start(&place.with(&with(&tokens)));
    let (client, operate) = (reqwest::Client::new(), operate.unwrap());
    for Stated { method, path, role } in docket::app::operator_routes() {
        // What is named in a path is not there, which only who may ask learns.
        let url = format!("{operate}{}", path.replace(['{', '}', '*'], ""));
        for (token, is) in CLIENTS {
            let request = client.request(method.clone(), &url);
            let request = token.into_iter().fold(request, |request, token| request.bearer_auth(token));
            let status = request.send().await.unwrap().status().as_u16();
            match (role, is) {
                (None, _) => assert!(![401, 403].contains(&status), "{method} {path} {is:?}: {status}"),
                (Some(_), None) => assert_eq!(status, 401, "{method} {path}"),
                (Some(least), Some(is)) if is < least => assert_eq!(status, 403, "{method} {path} {is:?}"),
                _ => assert!(![401, 403, 500].contains(&status), "{method} {path} {is:?}: {status}"),
            }
        }
    }
    assert_eq!(server.stop(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_a_name_that_is_not_this_machines_is_refused() {
    let place = Place::alone();
    let (mut server, _, operate) = start(&place.with(&with(&[])));
    let (client, url) = (reqwest::Client::new(), format!("{}/api/v1/status", operate.unwrap()));
    // A page that had its own name point here.
    let rebound = client.get(&url).header(HOST, "evil.example").send().await.unwrap();
    assert_eq!(rebound.status(), 403);
    assert_eq!(rebound.headers()["content-type"], "application/problem+json");
    let own = client.get(&url).header(HOST, "localhost:8081").send().await.unwrap();
    assert_eq!(own.status(), 200);
    assert_eq!(server.stop(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_is_refused_with_or_without_a_token() {
    for token in [None, Some(TOKEN)] {
        let place = Place::alone();
        let more: Vec<(&str, &str)> = token.iter().map(|token| ("DOCKET_ADMIN_TOKEN", *token)).collect();
        let (mut server, _, operate) = start(&place.with(&with(&more)));
        let operate = operate.unwrap();
        let ask = async |headers: &[(&str, &str)]| {
            let mut request = reqwest::Client::new().get(format!("{operate}/api/v1/status"));
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            token.into_iter().fold(request, |request, token| request.bearer_auth(token)).send().await.unwrap()
        };
        for page in [
            &[("origin", "http://evil.example")][..],
            &[("origin", "null")],
            &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
        ] {
            let answer = ask(page).await;
            assert_eq!(answer.status(), 403, "{page:?}");
            assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
            assert_eq!(answer.headers()["cache-control"], "no-store");
        }
        for own in [
            &[][..],
            &[("origin", operate.as_str()), ("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
            // A person follows a link from elsewhere.
            &[
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", "document"),
            ],
        ] {
            assert_eq!(ask(own).await.status(), 200, "{own:?}");
        }
        assert_eq!(server.stop(), 0);
    }
}

#[test]
fn a_token_that_could_be_guessed_is_refused_by_server_and_check() {
    let place = Place::alone();
    for weak in
        ["a", "fifteen-bytes-x", "aaaaaaaaaaaaaaaaaaaaaaaa", "change-me-change-me", "1234567890123456"]
    {
        let at = place.with(&with(&[("DOCKET_ADMIN_TOKEN", weak)]));
        let refused = at.docket(&["serve", "--set", "operate.listen=127.0.0.1:0"]);
        assert_eq!(refused.code, 2, "{refused:?}");
        let checked = at.docket(&["check", "--set", "operate.listen=127.0.0.1:0"]);
        assert_eq!(checked.code, 1, "{checked:?}");
        for said in [refused.err, checked.out] {
            assert!(said.contains("DOCKET_ADMIN_TOKEN") && said.contains("openssl rand"), "{said}");
            assert!(weak.len() == 1 || !said.contains(weak), "{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_the_token_is_braked_and_a_right_one_is_let_in_meanwhile() {
    let place = Place::alone();
    let (mut server, _, operate) = start(&place.with(&with(&[("DOCKET_ADMIN_TOKEN", TOKEN)])));
    let (client, url) = (reqwest::Client::new(), format!("{}/api/v1/status", operate.unwrap()));
    let ask = async |token: &str| client.get(&url).bearer_auth(token).send().await.unwrap().status();
    let begun = Instant::now();
    let guesses = async {
        futures_util::future::join_all((0..20).map(|n| ask(if n % 2 == 0 { "a-guess" } else { "another" })))
            .await
    };
    let (guessed, right) = tokio::join!(guesses, ask(TOKEN));
    assert!(guessed.iter().all(|status| *status == 401), "{guessed:?}");
    assert_eq!(right, 200);
    // Ten are free, and the next ten cost 1.9 seconds together, over however many connections they come.
    assert!(begun.elapsed() >= Duration::from_millis(1_500), "{:?}", begun.elapsed());
    assert_eq!(server.stop(), 0);
}

#[test]
fn an_address_that_others_can_reach_needs_a_token() {
    let place = Place::alone();
    let listen = "operate.listen=0.0.0.0:0";
    let refused = place.with(&with(&[])).docket(&["serve", "--set", listen]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("DOCKET_ADMIN_TOKEN is not set"), "{refused:?}");
    let at = place.with(&with(&[("DOCKET_ADMIN_TOKEN", TOKEN)]));
    let (mut server, _) = at.serve(&["--set", listen]);
    assert_eq!(server.stop(), 0);
}

#[test]
fn a_port_that_is_taken_is_said_and_off_is_off() {
    let place = Place::alone();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("operate.listen={}", taken.local_addr().unwrap());
    let refused = place.with(&with(&[])).docket(&["serve", "--set", &listen]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("cannot listen on operate.listen"), "{refused:?}");
    for off in ["", "off"] {
        let at = place.with(&with(&[("DOCKET_OPERATE__LISTEN", off)]));
        let (mut server, listens) = at.serve(&[]);
        assert_eq!(listens.operate, None);
        assert_eq!(server.stop(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_connects_and_says_nothing_is_cut_off() {
    let place = Place::alone();
    let (mut server, _, operate) = start(&place.with(&with(&[])));
    let address = operate.unwrap().replace("http://", "");
    let mut silent = TcpStream::connect(&address).await.unwrap();
    let mut text = Vec::new();
    let limit = Duration::from_secs(30);
    tokio::time::timeout(limit, silent.read_to_end(&mut text)).await.unwrap().unwrap();
    assert!(text.is_empty());
    assert_eq!(server.stop(), 0);
}
