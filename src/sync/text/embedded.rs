//! Takes base64 out of a text: `data:` addresses in Markdown and HTML here, the parts of a mail in [`super::mail`]. In the
//! place of each stands what it was. Text arrives in pieces, and little of it is held.

use super::Sort;
use super::mail::Mail;

/// The longest beginning of a `data:` address, up to its content: a type with two or three parameters.
const LONGEST_BEGINNING: usize = 200;
const BASE64: &[u8] = b";base64,";
const DATA: &[u8] = b"data:";

/// Less base64 than this is an example in a text, and no picture.
const LEAST: usize = 16;

/// So many characters of base64 behind white space go on with it. No word is as long.
const GOES_ON: usize = 40;

/// What was left out so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    pub pictures: u64,
    pub files: u64,
    /// What stands in its place: characters that are no white space.
    pub characters: u64,
}

/// Takes what is embedded out of one sort of text.
#[derive(Debug)]
pub(super) enum Embedded {
    Addresses(Addresses),
    Mail(Box<Mail>),
}

impl Embedded {
    /// `None` where nothing is embedded in texts of this sort.
    pub fn of(sort: Sort) -> Option<Self> {
        match sort {
            Sort::Plain => None,
            Sort::Markdown | Sort::Page => Some(Embedded::Addresses(Addresses::default())),
            Sort::Mail => Some(Embedded::Mail(Box::default())),
        }
    }

    /// Adds what is left of `piece` to `out`; the end of it may follow with the next one.
    pub fn piece(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        match self {
            Embedded::Addresses(addresses) => addresses.piece(piece, out),
            Embedded::Mail(mail) => mail.piece(piece, out),
        }
    }

    pub fn end(&mut self, out: &mut Vec<u8>) {
        match self {
            Embedded::Addresses(addresses) => addresses.end(out),
            Embedded::Mail(mail) => mail.end(out),
        }
    }

    pub fn left_out(&self) -> LeftOut {
        match self {
            Embedded::Addresses(addresses) => addresses.left_out,
            Embedded::Mail(mail) => mail.left_out(),
        }
    }
}

impl LeftOut {
    /// Writes what stands in the place of something.
    pub(super) fn leave(&mut self, is_picture: bool, (what, name): (&str, Option<&str>), out: &mut Vec<u8>) {
        *(if is_picture { &mut self.pictures } else { &mut self.files }) += 1;
        let from = out.len();
        let name = name.map(|name| format!(": {name}")).unwrap_or_default();
        out.extend_from_slice(format!("[{what} left out{name}]").as_bytes());
        self.characters += super::characters(&out[from..]);
    }

    pub(super) fn and(self, other: LeftOut) -> LeftOut {
        LeftOut {
            pictures: self.pictures + other.pictures,
            files: self.files + other.files,
            characters: self.characters + other.characters,
        }
    }

    /// What was left out, if anything.
    pub(super) fn words(&self) -> Option<String> {
        let count = |number: u64, one: &str| match number {
            0 => None,
            1 => Some(format!("1 embedded {one}")),
            many => Some(format!("{many} embedded {one}s")),
        };
        let both: Vec<String> =
            [count(self.pictures, "picture"), count(self.files, "file")].into_iter().flatten().collect();
        (!both.is_empty()).then(|| format!("{} left out", both.join(" and ")))
    }
}

/// `data:` addresses with base64 in them.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    /// What cannot be judged before more comes.
    held: Vec<u8>,
    is_inside: bool,
    pub left_out: LeftOut,
}

/// What the beginning of what is held turns out to be.
enum Found {
    /// So many bytes are no part of an address: they pass.
    Pass(usize),
    /// So many bytes are the beginning of an address, up to its content; whether that is a picture.
    Begins(usize, bool),
    /// So many bytes are content of the address: they are dropped.
    Drop(usize),
    /// Here the address has ended.
    Ends,
    /// Only what comes next tells.
    More,
}

impl Addresses {
    pub fn piece(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        self.held.extend_from_slice(piece);
        self.judge(false, out);
    }

    pub fn end(&mut self, out: &mut Vec<u8>) {
        self.judge(true, out);
        out.append(&mut self.held);
    }

    fn judge(&mut self, is_end: bool, out: &mut Vec<u8>) {
        let mut at = 0;
        loop {
            let rest = &self.held[at..];
            let found = if self.is_inside { inside(rest, is_end) } else { outside(rest, is_end) };
            match found {
                Found::Pass(length) => {
                    out.extend_from_slice(&rest[..length]);
                    at += length;
                }
                Found::Begins(length, is_picture) => {
                    let what = if is_picture { "image" } else { "file" };
                    self.left_out.leave(is_picture, (what, None), out);
                    (at, self.is_inside) = (at + length, true);
                }
                Found::Drop(length) => at += length,
                Found::Ends => self.is_inside = false,
                Found::More => break,
            }
        }
        self.held.drain(..at);
    }
}

fn outside(rest: &[u8], is_end: bool) -> Found {
    if rest.is_empty() {
        return Found::More;
    }
    let Some(at) = rest.windows(DATA.len()).position(|bytes| bytes.eq_ignore_ascii_case(DATA)) else {
        // Its first letters may stand at the end.
        let kept = if is_end { 0 } else { DATA.len() - 1 };
        return if rest.len() > kept { Found::Pass(rest.len() - kept) } else { Found::More };
    };
    if at > 0 {
        return Found::Pass(at);
    }
    let beginning = &rest[..rest.len().min(LONGEST_BEGINNING)];
    let no_address = Found::Pass(DATA.len());
    let base64 = beginning.windows(BASE64.len()).position(|bytes| bytes.eq_ignore_ascii_case(BASE64));
    let is_over = beginning.iter().any(|byte| byte.is_ascii_whitespace() || b"\"'()<>`".contains(byte));
    let is_short = !is_end && rest.len() < LONGEST_BEGINNING + LEAST;
    let Some(base64) = base64 else {
        return if is_short && !is_over { Found::More } else { no_address };
    };
    let content = base64 + BASE64.len();
    let begun = &rest[content..rest.len().min(content + LEAST)];
    if !begun.iter().all(|byte| is_base64(*byte)) || beginning[..base64].iter().any(u8::is_ascii_whitespace) {
        return no_address;
    }
    if begun.len() < LEAST {
        return if is_end { no_address } else { Found::More };
    }
    Found::Begins(content, rest[DATA.len()..].to_ascii_lowercase().starts_with(b"image/"))
}

fn inside(rest: &[u8], is_end: bool) -> Found {
    let base64 = rest.iter().take_while(|byte| is_base64(**byte)).count();
    if base64 > 0 {
        return Found::Drop(base64);
    }
    let space = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let next = &rest[space..rest.len().min(space + GOES_ON)];
    let may_go_on = space <= 4 && next.iter().all(|byte| is_base64(*byte));
    match next.len() {
        GOES_ON if may_go_on && space > 0 => Found::Drop(space),
        less if less < GOES_ON && may_go_on && !is_end => Found::More,
        _ => Found::Ends,
    }
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=-_%".contains(&byte)
}
