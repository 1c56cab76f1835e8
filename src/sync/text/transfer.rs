//! What a mail says in words that are coded for the way (RFC 2045, `Content-Transfer-Encoding`), line by line.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8};

/// A text on its way back to UTF-8.
pub(super) struct Decoding {
    coding: Coding,
    decoder: Decoder,
}

#[derive(Debug)]
pub(super) enum Coding {
    /// With what does not make a whole group of four yet.
    Base64(Vec<u8>),
    QuotedPrintable,
}

impl std::fmt::Debug for Decoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoding").field("coding", &self.coding).finish_non_exhaustive()
    }
}

impl Decoding {
    pub fn new(coding: Coding, charset: &str) -> Self {
        let encoding = Encoding::for_label(charset.as_bytes()).unwrap_or(UTF_8);
        Decoding { coding, decoder: encoding.new_decoder() }
    }

    pub fn line(&mut self, line: &[u8]) -> String {
        match &mut self.coding {
            Coding::QuotedPrintable => {
                let bytes = unquoted(line);
                self.decoded(&bytes, false)
            }
            Coding::Base64(held) => {
                held.extend(line.iter().filter(|byte| !byte.is_ascii_whitespace()));
                let whole: Vec<u8> = held.drain(..held.len() / 4 * 4).collect();
                match STANDARD.decode(&whole) {
                    Ok(bytes) => self.decoded(&bytes, false),
                    // It is no base64, whatever the header says.
                    Err(_) => format!("{}\n", String::from_utf8_lossy(&whole)),
                }
            }
        }
    }

    /// What is left when no line comes any more.
    pub fn end(mut self) -> String {
        let mut text = self.decoded(&[], true);
        if let Coding::Base64(held) = &self.coding {
            text.push_str(&String::from_utf8_lossy(held));
            text.push('\n');
        }
        text
    }

    fn decoded(&mut self, bytes: &[u8], is_end: bool) -> String {
        let room = self.decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(bytes.len() * 3 + 16);
        let mut text = String::with_capacity(room);
        let (result, ..) = self.decoder.decode_to_string(bytes, &mut text, is_end);
        debug_assert_eq!(result, CoderResult::InputEmpty);
        text.replace('\0', " ")
    }
}

/// `=XX` is a byte, and a line that ends with `=` goes on in the next one. What is neither stays as it is.
fn unquoted(line: &[u8]) -> Vec<u8> {
    let content = line.strip_suffix(b"\n").map_or(line, <[u8]>::trim_ascii_end);
    let (mut rest, goes_on) = match content.strip_suffix(b"=") {
        Some(content) => (content, true),
        None => (content, content.len() == line.len()),
    };
    let mut bytes = Vec::with_capacity(line.len());
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *first == b'=');
        match digits.and_then(|digits| hex::decode(digits).ok()) {
            Some(byte) => {
                bytes.extend(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    if !goes_on {
        bytes.push(b'\n');
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &str, charset: &str) -> String {
        let mut decoding = Decoding::new(Coding::QuotedPrintable, charset);
        let mut text: String =
            lines.as_bytes().split_inclusive(|byte| *byte == b'\n').map(|line| decoding.line(line)).collect();
        text.push_str(&decoding.end());
        text
    }

    #[test]
    fn quoted_printable_is_decoded_and_its_lines_are_joined() {
        assert_eq!(text("f=C3=BCr Sch=\r\n=c3=a4den  \r\n\r\n1 =3D 1", "utf-8"), "für Schäden\n\n1 = 1");
        assert_eq!(text("H=F6chstens 50 =80=\n\n", "windows-1252"), "Höchstens 50 €\n");
        assert_eq!(text("a=C3=\n=A4b", "utf-8"), "aäb");
    }

    #[test]
    fn what_is_not_coded_as_it_is_said_to_be_stays() {
        assert_eq!(text("a = b, =ZZ, 100=\n%=4", ""), "a = b, =ZZ, 100%=4");
    }
}
