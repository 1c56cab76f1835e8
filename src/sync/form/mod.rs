//! The form in which a file goes to OpenAI: under which name and type, or not at all and why.
//!
//! Three things say what a file is: its name, its type at Fastio, and its bytes. The first two are known beforehand and
//! make a claim ([`Claim`]); the bytes confirm it, correct it, or show that OpenAI could read nothing in it. A claim is
//! part of what a copy is known by: the same bytes under another claim are a new copy, and get a new chance.

mod bytes;
mod listed;
mod name;

use bytes::Looks;
use listed::{UNSAID_TYPES, by_extension, document_by_type, is_text_type, is_unread};

pub use super::text::Sort;

/// What a vector store takes in one file. OpenAI says 512 MB and not which; this is the larger reading, so that OpenAI
/// itself decides about a file between the two (inferred).
pub const LARGEST: u64 = 512 * 1024 * 1024;

/// How much of a file is looked at before it is decided what it is: a few hundred times what any format's mark needs, and
/// enough text to tell one encoding from another.
pub const HEAD: usize = 64 * 1024;

/// How a file's bytes are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Text, which goes in UTF-8.
    Text,
    /// Goes through as it is.
    Binary,
}

/// What name and type say that a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    name: String,
    kind: Kind,
    /// The document that Fastio's type names, where the name says something else or nothing.
    by_type: Option<&'static str>,
    sort: Sort,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The name ends as OpenAI lists it.
    Listed(&'static str),
    /// Text under a name that OpenAI does not list.
    Text,
    /// A document by its type at Fastio alone.
    Typed(&'static str),
    /// Neither says.
    Unsaid,
}

/// How a file is uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    pub filename: String,
    pub mime_type: &'static str,
    pub content: Content,
    pub sort: Sort,
}

/// What name and type say of a file, or in words why OpenAI cannot hold it, whatever is in it.
pub fn claim(name: &str, mime_type: Option<&str>, size: u64) -> Result<Claim, String> {
    if size == 0 {
        return Err("the file is empty".to_owned());
    }
    if size > LARGEST {
        return Err(format!(
            "the file has {} MB, and a vector store takes at most 512 MB in one file",
            size / 1_000_000
        ));
    }
    let name = name::clean(name);
    let extension = name::extension(&name);
    let mime_type = mime_type.unwrap_or_default().split(';').next().unwrap_or_default();
    let mime_type = mime_type.trim().to_ascii_lowercase();
    let by_type = document_by_type(&mime_type).map(|listed| listed.0);
    let kind = match (extension.as_deref().and_then(by_extension), by_type) {
        (Some(listed), _) => Kind::Listed(listed.0),
        _ if is_text_name(&name, extension.as_deref()) => Kind::Text,
        (None, Some(document)) => Kind::Typed(document),
        _ if is_text_type(&mime_type) => Kind::Text,
        _ if is_unread(extension.as_deref(), &mime_type) => {
            return Err(unread(extension.as_deref(), &mime_type));
        }
        _ => Kind::Unsaid,
    };
    let sort = Sort::of(extension.as_deref().unwrap_or_default(), &mime_type);
    Ok(Claim { name, kind, by_type, sort })
}

impl Claim {
    /// One word for all of it that decides how the same bytes are sent.
    pub fn key(&self) -> String {
        match self.kind {
            Kind::Listed(extension) | Kind::Typed(extension) => extension.to_owned(),
            Kind::Text => format!("txt{}", self.sort.mark()),
            Kind::Unsaid => "?".to_owned(),
        }
    }

    /// Whether a copy that was sent as `filename` under the claim `key` is what this claim makes of the same bytes. A copy of
    /// an earlier version, or of a rebuilt database, has no claim on record.
    pub fn is_met_by(&self, key: Option<&str>, filename: &str) -> bool {
        let own = self.key();
        let sent = name::extension(filename).unwrap_or_default();
        match key {
            Some(key) if key == own => true,
            Some(_) => own == sent,
            None => own.split('+').next() == Some(sent.as_str()) || may_be_sent_as(&self.name, filename),
        }
    }

    /// The name under which it goes if its bytes are what it claims to be.
    pub fn filename(&self) -> String {
        self.as_claimed().filename
    }

    /// The form, now that the beginning of the file is known; `is_whole` when that is all of it. The error says in words
    /// why OpenAI could read nothing in it.
    pub fn form(&self, head: &[u8], is_whole: bool) -> Result<Form, String> {
        let looks = bytes::look(head, is_whole);
        match (self.kind, looks) {
            (_, Looks::Document(extension)) => Ok(self.as_document(extension)),
            (Kind::Listed("doc") | Kind::Typed("doc"), Looks::OldOffice | Looks::RichText) => {
                Ok(self.as_claimed())
            }
            (_, Looks::OldOffice) if self.by_type == Some("doc") => Ok(self.as_document("doc")),
            (_, Looks::OldOffice) => Err(self.contradicted("an old Office document (Word, Excel, Outlook)")),
            (_, Looks::Other(what)) => Err(self.contradicted(&what)),
            (Kind::Listed(extension), _) if is_document(extension) => Ok(self.as_claimed()),
            (Kind::Typed(_), _) => Ok(self.as_claimed()),
            (Kind::Listed(_) | Kind::Text, Looks::Text) => Ok(self.as_claimed()),
            (Kind::Unsaid, Looks::Text) if !name::says_a_format(&self.name) => Ok(self.as_text()),
            (_, Looks::RichText) => Err(self.contradicted("rich text (RTF)")),
            (Kind::Listed(_) | Kind::Text, Looks::Noise) => match self.by_type {
                Some(extension) => Ok(self.as_document(extension)),
                None => Err("what is in it does not look like text".to_owned()),
            },
            (Kind::Unsaid, Looks::Text | Looks::Noise) => {
                Err(unread(name::extension(&self.name).as_deref(), ""))
            }
        }
    }

    fn as_claimed(&self) -> Form {
        match self.kind {
            Kind::Listed(extension) => {
                let stem = &self.name[..self.name.len() - extension.len() - 1];
                self.listed(name::with(stem, extension), extension)
            }
            Kind::Typed(extension) => self.as_document(extension),
            Kind::Text | Kind::Unsaid => self.as_text(),
        }
    }

    /// As a document of this extension, which takes the place of another that OpenAI would go by.
    fn as_document(&self, extension: &'static str) -> Form {
        let stem = match self.kind {
            Kind::Listed(wrong) => &self.name[..self.name.len() - wrong.len() - 1],
            _ => &self.name,
        };
        self.listed(name::with(stem, extension), extension)
    }

    fn as_text(&self) -> Form {
        self.listed(name::with(&self.name, "txt"), "txt")
    }

    fn listed(&self, filename: String, extension: &str) -> Form {
        let (_, mime_type, content) = by_extension(extension).expect("what is asked for here is listed");
        Form { filename, mime_type, content: *content, sort: self.sort }
    }

    /// Why bytes that are something else cannot be read.
    fn contradicted(&self, what: &str) -> String {
        let read = format!("what is in it is {what}, which OpenAI's file search does not read");
        match name::extension(&self.name) {
            Some(extension) => format!("its name ends in .{extension}, but {read}"),
            None => read,
        }
    }
}

fn is_document(extension: &str) -> bool {
    by_extension(extension).is_some_and(|listed| listed.2 == Content::Binary)
}

/// Whether OpenAI was sent text, by the name of the File object.
pub fn is_read_as_text(filename: &str) -> bool {
    name::extension(filename).is_some_and(|extension| !is_document(&extension))
}

fn is_text_name(name: &str, extension: Option<&str>) -> bool {
    let kind = extension.map_or_else(|| name.to_ascii_lowercase(), str::to_owned);
    listed::OTHER_TEXT.contains(&kind.as_str())
}

fn unread(extension: Option<&str>, mime_type: &str) -> String {
    match extension {
        Some(extension) => format!("OpenAI's file search does not read .{extension} files"),
        None if UNSAID_TYPES.contains(&mime_type) => {
            "its name has no extension, and what is in it is nothing that OpenAI's file search reads"
                .to_owned()
        }
        None => format!("OpenAI's file search does not read files of the type {mime_type}"),
    }
}

/// Whether a file called `name` may have been sent as `filename`, in whichever form.
pub fn may_be_sent_as(name: &str, filename: &str) -> bool {
    let name = name::clean(name);
    let Some(sent) = name::extension(filename) else { return false };
    let Some(listed) = by_extension(&sent) else { return false };
    let own = name::extension(&name).filter(|extension| by_extension(extension).is_some());
    let stem = own.as_deref().map(|extension| &name[..name.len() - extension.len() - 1]);
    // Its own extension, a document's in the place of that, or one behind the whole name.
    let takes_place = own.as_deref() == Some(sent.as_str()) || listed.2 == Content::Binary;
    stem.filter(|_| takes_place).is_some_and(|stem| name::with(stem, &sent) == filename)
        || ((sent == "txt" || listed.2 == Content::Binary) && name::with(&name, &sent) == filename)
}

/// Whether a file of `size` bytes may have made a File object of `sent` bytes under this name: texts change their length
/// when they become UTF-8, and lose what is embedded in them.
pub fn may_have_become(filename: &str, size: u64, sent: u64) -> bool {
    let Some(extension) = name::extension(filename) else { return size == sent };
    let is_text = by_extension(&extension).is_some_and(|listed| listed.2 == Content::Text);
    let inner = name::extension(filename.strip_suffix(".txt").unwrap_or(filename)).unwrap_or_default();
    let least = if Sort::of(&inner, "") == Sort::Plain { size / 2 } else { 1 };
    size == sent || (is_text && (least..=size.saturating_mul(3)).contains(&sent))
}

#[cfg(test)]
mod tests;
