//! An HTTP server that does to each request what a closure says, and remembers the requests it read whole.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// A request as it came over the wire.
#[derive(Debug, Clone)]
pub struct Request {
    /// Such as `GET /v1/files?limit=1`.
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What to do with a request whose head has been read.
pub enum Act {
    /// Read the body, write these bytes, close.
    Answer(Vec<u8>),
    /// Write these bytes at once, then read what still comes and close.
    AnswerBeforeBody(Vec<u8>),
    /// Close with the body unread.
    HangUpBeforeBody,
    /// Read the body and close.
    HangUpAfterBody,
}

pub struct Server {
    base: Url,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Serves until the test's runtime ends.
    pub async fn start(act: impl Fn(&Request) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/base", listener.local_addr().unwrap()).parse().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (act, journal) = (Arc::new(act), Arc::clone(&requests));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&act), Arc::clone(&journal)));
            }
        });
        Server { base, requests }
    }

    /// Always gives the same answer.
    pub async fn answering(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let answer = answer(status, headers, body);
        Server::start(move |_| Act::Answer(answer.clone())).await
    }

    pub fn url(&self) -> &Url {
        &self.base
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub fn lines(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.line).collect()
    }
}

/// A well-formed answer.
pub fn answer(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// An answer that announces `announced` bytes and breaks off after `body`.
pub fn cut_answer(announced: usize, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nx-ve-reqid: r-1\r\nContent-Length: {announced}\r\n\r\n{body}").into_bytes()
}

async fn serve<F>(mut stream: TcpStream, act: Arc<F>, journal: Arc<Mutex<Vec<Request>>>)
where
    F: Fn(&Request) -> Act,
{
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let line = lines.next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
    let headers = lines.filter_map(|line| line.split_once(": ")).map(|(k, v)| (k.to_owned(), v.to_owned()));
    let mut request = Request { line, headers: headers.collect(), body: bytes[end..].to_vec() };
    let act = act(&request);
    if matches!(act, Act::HangUpBeforeBody) {
        return;
    }
    if let Act::AnswerBeforeBody(answer) = &act {
        let _ = stream.write_all(answer).await;
    }
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    while request.body.len() < length {
        if stream.read_buf(&mut request.body).await.unwrap_or(0) == 0 {
            return;
        }
    }
    journal.lock().unwrap().push(request);
    if let Act::Answer(answer) = act {
        let _ = stream.write_all(&answer).await;
        let _ = stream.shutdown().await;
    }
}
