//! The Fastio client over the wire.

use bytes::Bytes;
use docket::fastio::{Client, Download, Error, ErrorKind, NodeId, Profile, VersionId};
use docket::http::{Phase, Retry};
use futures_util::TryStreamExt;
use serde_json::json;

use super::server::{Act, Server, answer, cut_answer};

const KEY: &str = "fastio-key-never-printed";
const TOKEN: &str = "token.never+printed";

fn client(server: &Server) -> Client {
    Client::new(server.url(), KEY.into()).unwrap()
}

fn profile() -> Profile {
    Profile::workspace("4829105738291047362")
}

fn node(id: &str) -> NodeId {
    NodeId::new(id)
}

async fn bytes(download: Download) -> Result<Vec<u8>, Error> {
    let pieces: Vec<Bytes> = download.body.try_collect().await?;
    Ok(pieces.concat())
}

/// A server that hands out a token, and does `act` with the connection that reads with it.
async fn behind_a_token(act: impl Fn() -> Act + Send + Sync + 'static) -> Server {
    let token = answer(200, &[], json!({"result": true, "token": TOKEN}).to_string());
    let is_request = |line: &str| line.contains("/requestread/");
    Server::start(move |request| if is_request(&request.line) { Act::Answer(token.clone()) } else { act() })
        .await
}

async fn version_error(server: &Server) -> Error {
    let version = VersionId("3v".into());
    match client(server).download(&profile(), &node("2a"), Some(&version)).await {
        Ok(download) => bytes(download).await.unwrap_err(),
        Err(error) => error,
    }
}

#[tokio::test]
async fn calls_go_where_fastio_documents_them() {
    let server = Server::answering(200, &[], r#"{"result": true, "node": {"id": "2a"}, "nodes": []}"#).await;
    let client = client(&server);
    client.check_auth().await.unwrap();
    client.node(&profile(), &node("2a")).await.unwrap();
    client.nodes(&profile(), &[node("2a"), node("2b")]).await.unwrap();
    client.list(&Profile::share("55"), &NodeId::root(), None).await.unwrap();
    client.list(&profile(), &node("2a"), Some("a+b/c=")).await.unwrap();
    client.nodes(&profile(), &[]).await.unwrap();
    let expected = [
        "GET /base/user/auth/check/",
        "GET /base/workspace/4829105738291047362/storage/2a/details/",
        "GET /base/workspace/4829105738291047362/storage/2a,2b/details/",
        "GET /base/share/55/storage/root/list/?page_size=500",
        "GET /base/workspace/4829105738291047362/storage/2a/list/?page_size=500&cursor=a%2Bb%2Fc%3D",
    ];
    assert_eq!(server.lines(), expected);
    for request in server.requests() {
        assert_eq!(request.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
        assert!(request.header("user-agent").unwrap().starts_with("docket/"));
    }
}

#[tokio::test]
async fn the_current_content_comes_with_the_key_and_a_version_with_a_token() {
    let server = behind_a_token(|| Act::Answer(answer(200, &[], "content"))).await;
    let client = client(&server);
    let download = client.download(&profile(), &node("2a"), None).await.unwrap();
    assert_eq!(download.length, Some(7));
    assert_eq!(bytes(download).await.unwrap(), b"content");
    let version = VersionId("3v".into());
    let download = client.download(&profile(), &node("2a"), Some(&version)).await.unwrap();
    assert_eq!(bytes(download).await.unwrap(), b"content");
    let storage = "GET /base/workspace/4829105738291047362/storage/2a";
    let expected = [
        format!("{storage}/read/"),
        format!("{storage}/requestread/?version_id=3v"),
        format!("{storage}/read/?token=token.never%2Bprinted&version_id=3v"),
    ];
    assert_eq!(server.lines(), expected);
    let carries_key =
        server.requests().iter().map(|r| r.header("authorization").is_some()).collect::<Vec<_>>();
    assert_eq!(carries_key, [true, true, false]);
}

#[tokio::test]
async fn a_body_shorter_than_announced_is_an_error() {
    let server = Server::start(|_| Act::Answer(cut_answer(100, "only this"))).await;
    let download = client(&server).download(&profile(), &node("2a"), None).await.unwrap();
    assert_eq!(download.length, Some(100));
    let error = bytes(download).await.unwrap_err();
    assert_eq!((error.phase, error.retry()), (Phase::ResponseStarted, Retry::Unavailable(None)));
    assert_eq!((error.status, error.request_id.as_deref()), (Some(200), Some("r-1")));
}

#[tokio::test]
async fn content_we_did_not_ask_for_is_refused() {
    for (status, header) in [(200, ("Content-Encoding", "gzip")), (206, ("Content-Range", "bytes 0-1/9"))] {
        let server = Server::answering(status, &[header], "xx").await;
        let error = client(&server).download(&profile(), &node("2a"), None).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unreadable, "{status}");
    }
}

#[tokio::test]
async fn no_error_shows_the_token_or_the_key() {
    let echo =
        |secret: &str| json!({"result": false, "error": {"code": 1, "text": format!("{secret} is bad")}});
    let encoded = TOKEN.replace('+', "%2B");
    let refusal = answer(403, &[], echo(&format!("/read/?token={encoded} with {TOKEN}")).to_string());
    for server in [
        behind_a_token(|| Act::HangUpAfterBody).await,
        behind_a_token(|| Act::Answer(cut_answer(100, "x"))).await,
        behind_a_token(|| Act::Answer(b"HTTP/1.1 200".to_vec())).await,
        behind_a_token(|| Act::Answer(b"nonsense\r\n\r\n".to_vec())).await,
        behind_a_token(move || Act::Answer(refusal.clone())).await,
        Server::answering(401, &[], echo(KEY).to_string()).await,
        Server::answering(200, &[], echo(KEY).to_string()).await,
    ] {
        let error = version_error(&server).await;
        let shown = format!("{error} {error:?} {:?}", client(&server));
        for secret in [TOKEN, encoded.as_str(), KEY, "127.0.0.1:"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[tokio::test]
async fn nodes_that_are_not_there_are_left_out_and_those_in_doubt_are_not() {
    let gone =
        json!({"result": false, "errors": [{"node_id": "2a", "code": 133123, "message": "Not found."}]});
    let plain = json!({"result": false, "error": {"code": 133123, "text": "Not found."}});
    for body in [gone, plain] {
        let server = Server::answering(404, &[], body.to_string()).await;
        assert_eq!(client(&server).nodes(&profile(), &[node("2a")]).await.unwrap(), []);
    }
    let doubtful =
        |code| json!({"result": true, "nodes": [{"id": "2b"}], "errors": [{"node_id": "2a", "code": code}]});
    for (status, body) in [(200, doubtful(146256)), (200, doubtful(146950)), (404, doubtful(146256))] {
        let server = Server::answering(status, &[], body.to_string()).await;
        let error = client(&server).nodes(&profile(), &[node("2a"), node("2b")]).await.unwrap_err();
        assert!(matches!(error.retry(), Retry::Backoff | Retry::Unavailable(None)), "{error}");
    }
}

#[tokio::test]
async fn a_listing_that_goes_round_is_an_error() {
    let body = json!({"result": true, "nodes": [], "pagination": {"has_more": true, "next_cursor": "c"}});
    let server = Server::answering(200, &[], body.to_string()).await;
    let page = client(&server).list(&profile(), &NodeId::root(), None).await.unwrap();
    let error = client(&server).list(&profile(), &NodeId::root(), page.next.as_deref()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreadable);
}

#[tokio::test]
async fn a_refusal_under_status_200_is_no_success() {
    let body = r#"{"result": "no", "error": {"code": "12", "message": "Not now."}}"#;
    let server = Server::answering(200, &[], body).await;
    let error = client(&server).node(&profile(), &node("2a")).await.unwrap_err();
    assert_eq!((&error.kind, error.code.as_deref()), (&ErrorKind::Unreadable, Some("12")));
    assert!(error.to_string().contains("Not now"), "{error}");
}

#[tokio::test]
async fn a_page_of_html_is_no_answer_and_no_redirect_is_followed() {
    let server = Server::answering(502, &[("Retry-After", "7")], "<html>Bad Gateway</html>").await;
    let error = client(&server).check_auth().await.unwrap_err();
    assert_eq!(error.retry(), Retry::Unavailable(Some(std::time::Duration::from_secs(7))));
    let server = Server::answering(200, &[], "<html>Sign in</html>").await;
    assert_eq!(client(&server).check_auth().await.unwrap_err().kind, ErrorKind::Unreadable);
    let server = Server::answering(302, &[("Location", "/elsewhere")], "").await;
    assert_eq!(client(&server).check_auth().await.unwrap_err().kind, ErrorKind::Unreadable);
    assert_eq!(server.lines().len(), 1);
}

#[tokio::test]
async fn an_id_that_would_change_the_path_never_leaves() {
    let server = Server::answering(200, &[], "{}").await;
    for id in ["", ".", ".."] {
        let error = client(&server).node(&profile(), &node(id)).await.unwrap_err();
        assert_eq!((error.kind, error.phase), (ErrorKind::Rejected, Phase::BeforeBody));
    }
    assert!(server.lines().is_empty());
}

#[test]
fn a_key_with_a_line_break_is_refused_and_not_shown() {
    let url = "https://api.fast.io/current".parse().unwrap();
    let error = Client::new(&url, format!("{KEY}\n").into()).unwrap_err();
    assert!(error.to_string().contains("line break"), "{error}");
    assert!(!format!("{error} {error:?}").contains(KEY));
}
