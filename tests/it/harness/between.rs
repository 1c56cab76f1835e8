//! What stands between Docket and a stand-in: a go-between that notes everything that crosses the wire, and a parrot that
//! answers with what it was sent.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use url::Url;

/// Larger than any body of the tests that use this.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// One request and its answer, as they crossed the wire.
#[derive(Debug, Clone)]
pub struct Exchange {
    pub method: String,
    /// Path and query.
    pub uri: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub answer: Vec<u8>,
}

/// Passes requests on unchanged, and notes them.
pub struct GoBetween {
    pub url: Url,
    noted: Arc<Mutex<Vec<Exchange>>>,
}

#[derive(Clone)]
struct Way {
    to: Url,
    client: reqwest::Client,
    noted: Arc<Mutex<Vec<Exchange>>>,
}

impl GoBetween {
    /// Stands before `to` until `stop`.
    pub async fn before(to: &Url, stop: CancellationToken) -> GoBetween {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut url = to.clone();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let noted: Arc<Mutex<Vec<Exchange>>> = Arc::default();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let way = Way { to: to.clone(), client, noted: noted.clone() };
        let app = Router::new().fallback(pass).with_state(way);
        let until = async move { stop.cancelled().await };
        tokio::spawn(axum::serve(listener, app).with_graceful_shutdown(until).into_future());
        GoBetween { url, noted }
    }

    pub fn noted(&self) -> Vec<Exchange> {
        self.noted.lock().unwrap().clone()
    }
}

async fn pass(State(way): State<Way>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, MOST_BYTES).await.unwrap_or_default();
    let uri = parts.uri.path_and_query().unwrap().to_string();
    let headers = parts.headers.iter();
    let headers = headers
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let mut exchange = Exchange {
        method: parts.method.to_string(),
        uri,
        headers: headers.collect(),
        body: body.to_vec(),
        answer: Vec::new(),
    };
    let mut onward = parts.headers.clone();
    onward.remove("host");
    onward.remove("transfer-encoding");
    let to = way.to.join(&exchange.uri).unwrap();
    let sent = way.client.request(parts.method, to).headers(onward).body(body).send().await;
    let Ok(reply) = sent else {
        return Response::builder().status(502).body(Body::empty()).unwrap();
    };
    let (status, mut headers) = (reply.status(), reply.headers().clone());
    headers.remove("transfer-encoding");
    let answer = reply.bytes().await.unwrap_or_default();
    exchange.answer = answer.to_vec();
    way.noted.lock().unwrap().push(exchange);
    let mut response = Response::new(Body::from(answer));
    (*response.status_mut(), *response.headers_mut()) = (status, headers);
    response
}

/// Answers every request with what it was sent, each time in another way: a service that is broken or in bad hands.
pub struct Parrot {
    pub url: Url,
    said: Arc<Mutex<usize>>,
}

/// How many ways it has.
pub const WAYS: usize = 9;

impl Parrot {
    /// Answers under `path` until `stop`.
    pub async fn start(path: &str, stop: CancellationToken) -> Parrot {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}{path}", listener.local_addr().unwrap()).parse().unwrap();
        let said = Arc::new(Mutex::new(0));
        let count = said.clone();
        tokio::spawn(stop.run_until_cancelled_owned(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, count.clone()));
            }
        }));
        Parrot { url, said }
    }

    /// How many requests it answered.
    pub fn said(&self) -> usize {
        *self.said.lock().unwrap()
    }
}

async fn answer(mut stream: TcpStream, count: Arc<Mutex<usize>>) {
    let mut heard = Vec::new();
    let mut piece = [0; 4096];
    while !heard.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(read) => heard.extend_from_slice(&piece[..read]),
        }
    }
    let way = {
        let mut count = count.lock().unwrap();
        *count += 1;
        *count - 1
    };
    let _ = stream.write_all(&echo(way % WAYS, &String::from_utf8_lossy(&heard))).await;
    let _ = stream.shutdown().await;
    // Whatever of the body is still on its way is taken, so that the answer is not lost to a reset.
    while matches!(stream.read(&mut piece).await, Ok(read) if read > 0) {}
}

/// The answer of one way to a request of which this is the head.
fn echo(way: usize, heard: &str) -> Vec<u8> {
    let credential = heard
        .lines()
        .find_map(|line| line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("authorization")))
        .map_or("none", |(_, value)| value.trim());
    let key = credential.trim_start_matches("Bearer ");
    let json = |status: &str, body: serde_json::Value| {
        let body = body.to_string();
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\nx-request-id: {key}\r\nx-ve-reqid: {key}\r\n\r\n{body}",
            body.len()
        )
    };
    let error = serde_json::json!({"result": false, "error": {"code": key, "type": key, "param": key, "text": format!("bad header {credential}"),
        "message": format!("Incorrect API key provided: {key}. You sent {heard}")}});
    let text = match way {
        // A refusal first: a client that asks whether the key is good asks nothing more after it.
        0 => json("500 Internal Server Error", error),
        // No HTTP at all.
        1 => heard.to_owned(),
        2 => format!(
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/?key={key}\r\nX-Echo: {credential}\r\nContent-Length: 0\r\n\r\n"
        ),
        3 => format!(
            "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<pre>{heard}</pre>"
        ),
        // A success that is none.
        4 => json(
            "200 OK",
            serde_json::json!({"echo": heard, "id": key, "node": {"name": key}, "status": key}),
        ),
        5 => format!("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{{\"key\": \"{key}\""),
        6 => json("400 Bad Request", error),
        7 => format!("HTTP/1.1 200 {key}\r\nBroken Header {credential}\r\n\r\n"),
        _ => json("401 Unauthorized", error),
    };
    text.into_bytes()
}
