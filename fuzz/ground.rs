//! What the targets share: pieces of one input, and the real clients in front of a server that answers with the input.

use std::future::Future;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use url::Url;

/// The key that the clients send. No error may show it.
pub const KEY: &str = "fuzz-key-0123456789abcdef";

/// The pieces of one input, which lines that hold only `%%` part.
pub fn pieces<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut left = data;
    let mut pieces = [&data[..0]; N];
    for (place, piece) in pieces.iter_mut().enumerate() {
        let end = if place + 1 == N { None } else { left.windows(4).position(|four| four == b"\n%%\n") };
        match end {
            Some(end) => {
                *piece = &left[..end];
                left = &left[end + 4..];
            }
            None => {
                *piece = left;
                left = &left[left.len()..];
            }
        }
    }
    pieces
}

/// A server on this machine that answers every request with what it was told last.
pub struct Echo {
    runtime: Runtime,
    pub url: Url,
    answer: Arc<Mutex<Vec<u8>>>,
}

impl Echo {
    pub fn start(path: &str) -> Echo {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let answer: Arc<Mutex<Vec<u8>>> = Arc::default();
        let told = answer.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, told.clone()));
            }
        });
        let url = format!("http://127.0.0.1:{port}{path}").parse().expect("a URL");
        Echo { runtime, url, answer }
    }

    /// Makes `call` meet this answer: a status line and headers, `\n%%\n`, the body.
    pub fn meet<T>(&self, answer: &[u8], call: impl Future<Output = T>) -> T {
        let [head, body] = pieces(answer);
        let mut lines = head.split(|byte| *byte == b'\n');
        let status = lines
            .next()
            .and_then(|line| std::str::from_utf8(line).ok())
            .and_then(|line| line.trim().parse().ok());
        // A status from 200 on: what comes before is no answer yet, and the call would wait for one.
        let status: u16 = status.filter(|status| (200..1000).contains(status)).unwrap_or(200);
        let mut told = format!("HTTP/1.1 {status} Told\r\nContent-Length: {}\r\n", body.len()).into_bytes();
        for line in lines {
            let lower = line.to_ascii_lowercase();
            // What frames the answer is ours: a body that never ends is not what is looked for here.
            if ![&b"content-length"[..], b"transfer-encoding", b"connection", b"upgrade"]
                .iter()
                .any(|name| lower.starts_with(name))
            {
                told.extend_from_slice(line);
                told.extend_from_slice(b"\r\n");
            }
        }
        told.extend_from_slice(b"\r\n");
        if status != 204 && status != 304 {
            told.extend_from_slice(body);
        }
        *self.answer.lock().expect("nobody panics with it") = told;
        self.runtime.block_on(call)
    }
}

async fn serve(mut stream: TcpStream, told: Arc<Mutex<Vec<u8>>>) {
    let mut heard = Vec::new();
    let mut piece = [0; 4096];
    loop {
        while !heard.windows(4).any(|four| four == b"\r\n\r\n") {
            match stream.read(&mut piece).await {
                Ok(0) | Err(_) => return,
                Ok(read) => heard.extend_from_slice(&piece[..read]),
            }
        }
        heard.clear();
        let answer = told.lock().expect("nobody panics with it").clone();
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

/// What any error of a client must be: one line for a person, not too long, without the key.
pub fn is_fit_to_print(error: &dyn std::fmt::Display) {
    let text = error.to_string();
    assert!(!text.contains(KEY), "{text}");
    assert!(!text.contains(['\n', '\r', '\u{1b}']), "{text:?}");
    assert!(text.chars().count() < 1_500, "{text}");
}
