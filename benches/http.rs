//! One request on a connection of its own, without a runtime: for what a benchmark sets up and waits for, not for load.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context;

/// Making a million files takes the sandbox some seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// Status and body of the answer.
pub fn request(address: SocketAddr, method: &str, path: &str, body: &str) -> anyhow::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer key\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.get(9..12).and_then(|digits| digits.parse().ok()).context("no answer in HTTP")?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.to_owned()))
}

/// Like [`request`], and any answer but success is an error.
pub fn must(address: SocketAddr, method: &str, path: &str, body: &str) -> anyhow::Result<String> {
    let (status, said) = request(address, method, path, body)?;
    anyhow::ensure!((200..300).contains(&status), "{method} {path} was answered {status}: {said}");
    Ok(said)
}
