//! Texts on their way to OpenAI: in UTF-8, with what is broken mended where it stands, and without the pictures and
//! attachments that are written into them as base64, of which a search finds nothing and which would drown the words.

mod embedded;
mod encoding;
mod flow;
mod mail;
mod meta;
mod repair;
mod transfer;

use std::borrow::Cow;

pub use embedded::LeftOut;
pub use encoding::{Encoding, encoding};
pub use flow::{Flow, Unreadable};
pub use repair::Repair;

use embedded::Embedded;
use encoding::utf32;

/// What may be embedded in a text, by what kind of text it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Plain,
    Markdown,
    /// HTML.
    Page,
    Mail,
}

impl Sort {
    /// By extension or type, both in lower case.
    pub fn of(extension: &str, mime_type: &str) -> Sort {
        match (extension, mime_type) {
            ("md" | "markdown", _) => Sort::Markdown,
            ("html" | "htm" | "xhtml", _) => Sort::Page,
            ("eml" | "mht" | "mhtml", _) => Sort::Mail,
            (_, "text/markdown") => Sort::Markdown,
            (_, "text/html" | "application/xhtml+xml") => Sort::Page,
            (_, "message/rfc822" | "multipart/related") => Sort::Mail,
            _ => Sort::Plain,
        }
    }

    /// What tells it from other texts that go under the same name.
    pub fn mark(self) -> &'static str {
        match self {
            Sort::Plain => "",
            Sort::Markdown => "+markdown",
            Sort::Page => "+page",
            Sort::Mail => "+mail",
        }
    }
}

/// A text as it goes to OpenAI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    pub bytes: Vec<u8>,
    /// Those that are no white space.
    pub characters: u64,
    /// What is not there any more, in words.
    pub note: Option<String>,
}

/// A whole text as it goes to OpenAI, or why it does not.
pub fn prepare(bytes: &[u8], sort: Sort) -> Result<Prepared, Unreadable> {
    let text: Cow<'_, [u8]> = match encoding(bytes, true).ok_or(Unreadable::NoText)? {
        Encoding::Utf8 => Cow::Borrowed(bytes),
        Encoding::Utf32 => Cow::Owned(utf32(bytes).unwrap_or_default().into_bytes()),
        Encoding::Other(encoding) => Cow::Owned(encoding.decode(bytes).0.into_owned().into_bytes()),
    };
    let text = match sort {
        Sort::Page => meta::in_utf8(text),
        _ => text,
    };
    let (mut repair, mut mended) = (Repair::default(), Vec::with_capacity(text.len()));
    repair.piece(&text, &mut mended);
    repair.end(&mut mended);
    let mut embedded = Embedded::of(sort);
    let left = match &mut embedded {
        Some(embedded) => {
            let mut left = Vec::with_capacity(mended.len().min(text.len()));
            embedded.piece(&mended, &mut left);
            embedded.end(&mut left);
            left
        }
        None => mended,
    };
    let left_out = embedded.map(|embedded| embedded.left_out()).unwrap_or_default();
    let characters = characters(&left);
    readable(characters, &left_out)?;
    Ok(Prepared { bytes: left, characters, note: note(&left_out, &repair) })
}

/// Whether a text of which so many characters are left has any of its own, besides what stands in the place of what was left
/// out.
fn readable(characters: u64, left_out: &LeftOut) -> Result<(), Unreadable> {
    match characters {
        0 => Err(Unreadable::Blank),
        _ if characters <= left_out.characters => Err(Unreadable::OnlyEmbedded),
        _ => Ok(()),
    }
}

/// How many characters of a text in UTF-8 are no white space.
pub fn characters(text: &[u8]) -> u64 {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    text.iter().filter(|byte| (**byte & 0xc0) != 0x80 && !byte.is_ascii_whitespace()).count() as u64
}

/// What is not there any more of a text, in words.
fn note(left_out: &LeftOut, repair: &Repair) -> Option<String> {
    let mended = repair.mended();
    let mended = (mended > 0).then(|| {
        let what = if mended == 1 { "1 byte that is" } else { &format!("{mended} bytes that are") };
        format!("{what} no text replaced")
    });
    let words: Vec<String> = left_out.words().into_iter().chain(mended).collect();
    (!words.is_empty()).then(|| words.join("; "))
}

#[cfg(test)]
mod tests;
