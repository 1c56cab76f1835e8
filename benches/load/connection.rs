//! One keep-alive connection of a sender. It reads of an answer what it has to: the status, and where the answer ends.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer of any server measured here is a few hundred bytes.
const ANSWER_BYTES: usize = 16 * 1024;

pub struct Connection {
    stream: TcpStream,
    answer: Box<[u8]>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, answer: vec![0; ANSWER_BYTES].into() })
    }

    /// Sends a request and answers the status, once the whole answer has come.
    pub async fn ask(&mut self, request: &[u8]) -> io::Result<u16> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.answer[filled..]).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            filled += read;
            if let Some(status) = whole(&self.answer[..filled])? {
                return Ok(status);
            }
        }
    }
}

/// The status, when `answer` is complete.
fn whole(answer: &[u8]) -> io::Result<Option<u16>> {
    let Some(head) = answer.windows(4).position(|end| end == b"\r\n\r\n") else { return Ok(None) };
    let unreadable = || io::Error::new(io::ErrorKind::InvalidData, "an answer that cannot be read");
    let text = str::from_utf8(&answer[..head]).map_err(|_| unreadable())?;
    let status = text.get(9..12).and_then(|digits| digits.parse().ok()).ok_or_else(unreadable)?;
    let body = &answer[head + 4..];
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let complete = match length {
        Some(length) => body.len() >= length,
        // Sent in chunks; the last is empty.
        None => body.ends_with(b"0\r\n\r\n"),
    };
    Ok(complete.then_some(status))
}
