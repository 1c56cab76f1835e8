//! A body that is not the plain JSON that was meant: compressed by the sender or by a proxy, or in UTF-16. Nothing of it is
//! believed here; whether it was signed is for its caller to know.

use std::io::Read;

use axum::http::header::CONTENT_ENCODING;
use axum::http::{HeaderMap, StatusCode};
use encoding_rs::{UTF_16BE, UTF_16LE};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::body::too_large;
use super::refusal::Refusal;

/// How a gzip stream begins (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What a body is written in. Its own first bytes say so before its headers do: a proxy that unpacks a body may leave the
/// header, and one that packs it may set none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    Utf16,
    Gzip,
    Deflate,
    /// One that is not read here, such as `br`.
    Other,
}

impl Encoding {
    pub fn of(headers: &HeaderMap, body: &[u8]) -> Encoding {
        if body.starts_with(&GZIP) {
            return Encoding::Gzip;
        }
        if body.starts_with(b"\xff\xfe") || body.starts_with(b"\xfe\xff") {
            return Encoding::Utf16;
        }
        let begins = body.iter().find(|byte| !byte.is_ascii_whitespace());
        let named = headers.get(CONTENT_ENCODING).map(|value| value.to_str().unwrap_or_default().trim());
        match named.map(str::to_ascii_lowercase).as_deref() {
            None | Some("" | "identity") => Encoding::Plain,
            _ if begins.is_none_or(|first| b"{[\xef".contains(first)) => Encoding::Plain,
            Some("deflate") => Encoding::Deflate,
            _ => Encoding::Other,
        }
    }

    /// Whether what is read may be much more than what was sent.
    pub fn is_compressed(self) -> bool {
        matches!(self, Encoding::Gzip | Encoding::Deflate)
    }

    /// The plain text of `body`, of at most `limit` bytes; none where it is plain already.
    pub fn decode(self, body: &[u8], limit: usize) -> Result<Option<Vec<u8>>, Refusal> {
        let unreadable = || {
            let words = "the body's encoding cannot be read: send it as it is, or as gzip";
            Refusal::rejected("encoding", StatusCode::UNSUPPORTED_MEDIA_TYPE, words)
        };
        // One byte more tells what is too long from what just fits.
        let most = limit as u64 + 1;
        let mut plain = Vec::new();
        let read = match self {
            Encoding::Plain => return Ok(None),
            Encoding::Other => return Err(unreadable()),
            Encoding::Utf16 => {
                let encoding = if body.starts_with(b"\xff\xfe") { UTF_16LE } else { UTF_16BE };
                plain = encoding.decode(body).0.into_owned().into_bytes();
                Ok(plain.len())
            }
            Encoding::Gzip => MultiGzDecoder::new(body).take(most).read_to_end(&mut plain),
            // Some senders leave out the wrapper that the name stands for (RFC 9110, 8.4.1.2).
            Encoding::Deflate => ZlibDecoder::new(body).take(most).read_to_end(&mut plain).or_else(|_| {
                plain.clear();
                DeflateDecoder::new(body).take(most).read_to_end(&mut plain)
            }),
        };
        let length = read.map_err(|_| unreadable())?;
        if length > limit { Err(too_large(limit)) } else { Ok(Some(plain)) }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_first_bytes_say_more_than_the_header() {
        for (header, body, encoding) in [
            (None, &b"{}"[..], Encoding::Plain),
            (Some("gzip"), b" {}", Encoding::Plain),
            (Some("br"), b"{}", Encoding::Plain),
            (Some("br"), b"\x0b\x01", Encoding::Other),
            (Some("Deflate"), b"\x78\x9c", Encoding::Deflate),
            (None, b"\x1f\x8b\x08", Encoding::Gzip),
            (Some("identity"), b"\x1f\x8b\x08", Encoding::Gzip),
            (None, b"\xff\xfe{\0", Encoding::Utf16),
            (Some("gzip"), b"\xef\xbb\xbf{}", Encoding::Plain),
        ] {
            let value = header.map(HeaderValue::from_static);
            let headers = value.into_iter().map(|value| (CONTENT_ENCODING, value)).collect();
            assert_eq!(Encoding::of(&headers, body), encoding, "{header:?} {body:?}");
        }
    }
}
