//! A mail without its attachments: a part in base64 is left out, unless it is what the mail says, which is decoded. It goes
//! line by line, and knows of the structure of a mail no more than that takes (RFC 2045 and 2046).

use super::embedded::{Addresses, LeftOut};
use super::transfer::{Coding, Decoding};

/// The longest line that is looked at as one. Mail has 998 characters at most (RFC 5322).
const LONGEST_LINE: usize = 16 * 1024;

/// As much of a part's header is kept to be understood.
const LONGEST_HEADER: usize = 16 * 1024;

/// Parts within parts; a mail that nests deeper is passed on as it is from there.
const MOST_BOUNDARIES: usize = 64;

#[derive(Debug)]
pub(super) struct Mail {
    line: Vec<u8>,
    /// Whether the line that is held begins behind a line break.
    is_begun: bool,
    state: State,
    /// Each line of the header that is being read, unfolded.
    header: Vec<String>,
    boundaries: Vec<Vec<u8>>,
    left_out: LeftOut,
    /// What passes may have pictures in it.
    addresses: Addresses,
}

#[derive(Debug)]
enum State {
    Header,
    Passing,
    Dropping,
    Decoding(Decoding),
}

impl Default for Mail {
    fn default() -> Self {
        Mail {
            line: Vec::new(),
            is_begun: true,
            state: State::Header,
            header: Vec::new(),
            boundaries: Vec::new(),
            left_out: LeftOut::default(),
            addresses: Addresses::default(),
        }
    }
}

impl Mail {
    pub fn piece(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") || self.line.len() > LONGEST_LINE {
                self.take_line(out);
            }
        }
    }

    pub fn end(&mut self, out: &mut Vec<u8>) {
        self.take_line(out);
        self.stop_decoding(out);
        self.addresses.end(out);
    }

    pub fn left_out(&self) -> LeftOut {
        self.left_out.and(self.addresses.left_out)
    }

    fn take_line(&mut self, out: &mut Vec<u8>) {
        let line = std::mem::take(&mut self.line);
        let is_begun = std::mem::replace(&mut self.is_begun, line.ends_with(b"\n"));
        if is_begun && let Some(is_last) = self.boundary(&line) {
            self.stop_decoding(out);
            self.header.clear();
            self.state = if is_last { State::Passing } else { State::Header };
            return self.pass(&line, out);
        }
        match &mut self.state {
            State::Header if line.trim_ascii().is_empty() => {
                self.pass(&line, out);
                self.begin_body(out);
            }
            State::Header => {
                self.keep(&line);
                self.pass(&line, out);
            }
            State::Passing => self.pass(&line, out),
            State::Dropping => {}
            State::Decoding(decoding) => {
                let text = decoding.line(&line);
                self.pass(text.as_bytes(), out);
            }
        }
    }

    /// Whether the line separates parts, and if so whether it is the last of them.
    fn boundary(&self, line: &[u8]) -> Option<bool> {
        let line = line.strip_prefix(b"--")?;
        self.boundaries.iter().find_map(|boundary| {
            match line.strip_prefix(boundary.as_slice())?.trim_ascii_end() {
                b"" => Some(false),
                b"--" => Some(true),
                _ => None,
            }
        })
    }

    fn keep(&mut self, line: &[u8]) {
        let kept: usize = self.header.iter().map(String::len).sum();
        if kept + line.len() > LONGEST_HEADER {
            return;
        }
        let text = String::from_utf8_lossy(line).trim().to_owned();
        match self.header.last_mut().filter(|_| line.starts_with(b" ") || line.starts_with(b"\t")) {
            Some(last) => *last = format!("{last} {text}"),
            None => self.header.push(text),
        }
    }

    /// The header is at its end: what follows is decided.
    fn begin_body(&mut self, out: &mut Vec<u8>) {
        let header = std::mem::take(&mut self.header);
        let field = |name: &str| {
            let found = header
                .iter()
                .find_map(|line| line.split_once(':').filter(|(key, _)| key.eq_ignore_ascii_case(name)));
            found.map(|(_, value)| value.trim()).unwrap_or_default()
        };
        let content_type = field("content-type");
        let is =
            |kind: &str| content_type.get(..kind.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(kind));
        if let Some(boundary) = parameter(content_type, "boundary") {
            if self.boundaries.len() < MOST_BOUNDARIES {
                self.boundaries.push(boundary.into_bytes());
            }
            self.state = State::Passing;
            return;
        }
        let disposition = field("content-disposition");
        let name = parameter(disposition, "filename").or_else(|| parameter(content_type, "name"));
        let is_text = content_type.is_empty() || is("text/");
        let decoding = |coding: Coding| {
            let charset = parameter(content_type, "charset").unwrap_or_default();
            State::Decoding(Decoding::new(coding, &charset))
        };
        self.state = match field("content-transfer-encoding").to_ascii_lowercase().as_str() {
            _ if is("message/rfc822") => State::Header,
            "base64" if is_text && name.is_none() => decoding(Coding::Base64(Vec::new())),
            "quoted-printable" if is_text => decoding(Coding::QuotedPrintable),
            "base64" | "uuencode" | "x-uuencode" => {
                // Behind all of the header, of which a little is still held.
                self.addresses.end(out);
                let what = if is("image/") { "image" } else { "attachment" };
                self.left_out.leave(is("image/"), (what, name.as_deref()), out);
                out.push(b'\n');
                State::Dropping
            }
            _ => State::Passing,
        };
    }

    fn pass(&mut self, text: &[u8], out: &mut Vec<u8>) {
        self.addresses.piece(text, out);
    }

    fn stop_decoding(&mut self, out: &mut Vec<u8>) {
        if let State::Decoding(decoding) = std::mem::replace(&mut self.state, State::Passing) {
            self.pass(decoding.end().as_bytes(), out);
        }
    }
}

/// A parameter of a field, with or without quotes; of one that is continued or encoded (RFC 2231) nothing.
fn parameter(field: &str, name: &str) -> Option<String> {
    let mut parts = field.split(';').skip(1);
    let (_, value) = parts
        .find_map(|part| part.split_once('=').filter(|(key, _)| key.trim().eq_ignore_ascii_case(name)))?;
    let value = value.trim();
    let value = value.strip_prefix('"').map_or(value, |quoted| quoted.split('"').next().unwrap_or_default());
    (!value.is_empty()).then(|| value.to_owned())
}
