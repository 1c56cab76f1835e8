//! Waits for a request's head. Until it has come there is nothing to serve, and a connection needs no more than these bytes.

use std::io;

use tokio::net::TcpStream;

/// A longer head is read where it is served. Ordinary ones are half as long, and thousands may wait for theirs at once.
const LIMIT: usize = 4 * 1024;

/// What is read at a time.
const PIECE: usize = 2 * 1024;

/// What has come over a connection once that holds a whole head, is as long as we wait for, or cannot become a head.
///
/// # Errors
/// The peer hung up before, or the connection failed.
pub async fn read(stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    loop {
        stream.readable().await?;
        let mut piece = [0; PIECE];
        match stream.try_read(&mut piece) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => {
                let looked_at = head.len();
                head.reserve_exact(length);
                head.extend_from_slice(&piece[..length]);
                if is_enough(&head, looked_at) {
                    return Ok(head);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether a parser should see it, when no head ended within the first `looked_at` bytes.
fn is_enough(head: &[u8], looked_at: usize) -> bool {
    // What begins otherwise, such as TLS, is no request. Empty lines before one are allowed.
    let can_be_one = head.first().is_some_and(|byte| byte.is_ascii_alphabetic() || b"\r\n".contains(byte));
    // An empty line ends a head; the parser takes one without carriage return too.
    let new = &head[looked_at.saturating_sub(2)..];
    let ends = new.windows(3).any(|bytes| bytes == b"\n\r\n") || new.windows(2).any(|bytes| bytes == b"\n\n");
    ends || !can_be_one || head.len() >= LIMIT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_waited_for_until_its_empty_line_and_nothing_else_is() {
        let whole = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        for length in 1..whole.len() {
            assert!(!is_enough(&whole[..length], length - 1), "{length}");
            assert!(is_enough(whole, length), "{length}");
        }
        assert!(is_enough(b"GET / HTTP/1.1\nhost: x\n\n{", 0));
        assert!(is_enough(b"\x16\x03\x01", 0), "TLS is waited for");
        assert!(is_enough(&[b'x'; LIMIT], LIMIT - 1));
    }
}
