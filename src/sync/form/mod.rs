//! The form in which a file goes to OpenAI: under which name and type, or not at all and why.
//!
//! Three things say what a file is: its name, its type at Fastio, and its bytes. The first two are known beforehand and
//! make a claim ([`Claim`]); the bytes confirm it, correct it, or show that OpenAI could read nothing in it. A claim is
//! part of what a copy is known by: the same bytes under another claim are a new copy, and get a new chance.

mod bytes;
mod instead;
mod listed;
mod name;

use bytes::Looks;
use instead::is_workbook;
use listed::{UNSAID_TYPES, by_extension, document_by_type, is_text_type, is_unread};

use crate::fastio::{Extraction, NodeKind};

pub use super::segment::Seams;
pub use super::text::Sort;
pub use instead::{Instead, is_extract, note_on_result};

/// What a vector store takes in one file. OpenAI says 512 MB and not which; this is the larger reading, so that OpenAI
/// itself decides about a file between the two (inferred).
pub const LARGEST: u64 = 512 * 1024 * 1024;

/// How much of a file is looked at before it is decided what it is: a few hundred times what any format's mark needs, and
/// enough text to tell one encoding from another.
pub const HEAD: usize = 64 * 1024;

/// What Fastio says of a node, beside its bytes.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    pub kind: NodeKind,
    pub name: &'a str,
    pub mime_type: Option<&'a str>,
    pub size: u64,
    pub extraction: Extraction,
}

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
    /// Its bytes are not sent.
    Instead(Instead),
}

/// How a file is uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    pub filename: String,
    pub mime_type: &'static str,
    pub content: Content,
    pub sort: Sort,
}

impl Form {
    /// Where it may be cut: by the extension of the file's own name.
    pub fn seams(&self) -> Seams {
        let inner = self.filename.strip_suffix(".txt").unwrap_or(&self.filename);
        Seams::of(&name::extension(inner).or_else(|| name::extension(&self.filename)).unwrap_or_default())
    }

    /// The same for one segment.
    pub fn segment(&self, number: u32) -> Form {
        let (stem, extension) = self.filename.rsplit_once('.').expect("what is sent has an extension");
        Form { filename: name::with(&format!("{stem}{PART}{number}"), extension), ..self.clone() }
    }
}

/// What stands before the number of a segment in its name.
const PART: &str = ".part";

/// The name without the number of its segment, if it has one.
fn whole_name(filename: &str) -> Option<String> {
    let (stem, extension) = filename.rsplit_once('.')?;
    let (stem, number) = stem.rsplit_once(PART)?;
    (!number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
        .then(|| format!("{stem}.{extension}"))
}

/// Whether a File object of this name may be one segment of a file.
pub fn is_part(filename: &str) -> bool {
    whole_name(filename).is_some()
}

/// What name and type say of a file, or in words why OpenAI cannot hold it, whatever is in it.
pub fn claim(offer: &Offer<'_>) -> Result<Claim, String> {
    let size = offer.size;
    let name = name::clean(offer.name);
    match offer.kind {
        NodeKind::Note => return Ok(Claim::instead(name, Instead::Note)),
        NodeKind::Link => return Ok(Claim::instead(name, Instead::Link)),
        _ if size == 0 => return Err("the file is empty".to_owned()),
        _ => {}
    }
    let extract = extract(offer.extraction);
    let extension = name::extension(&name);
    let mime_type = offer.mime_type.unwrap_or_default().split(';').next().unwrap_or_default();
    let mime_type = mime_type.trim().to_ascii_lowercase();
    let by_type = document_by_type(&mime_type).map(|listed| listed.0);
    let kind = match (extension.as_deref().and_then(by_extension), by_type) {
        (Some(listed), _) => Kind::Listed(listed.0),
        _ if is_text_name(&name, extension.as_deref()) => Kind::Text,
        (None, Some(document)) => Kind::Typed(document),
        _ if is_text_type(&mime_type) => Kind::Text,
        _ if is_unread(extension.as_deref(), &mime_type) => {
            let sheets = is_workbook(extension.as_deref(), &mime_type).then_some(Instead::Sheets);
            let why = || {
                format!("{}, and Fastio has read no text out of it", unread(extension.as_deref(), &mime_type))
            };
            // Docket's own is there at once; Fastio's takes its place when it is.
            let instead =
                extract.filter(|extract| sheets.is_none() || *extract == Instead::Extract { is_there: true });
            return instead.or(sheets).map(|instead| Claim::instead(name, instead)).ok_or_else(why);
        }
        _ => Kind::Unsaid,
    };
    // A text is cut.
    let is_text = kind == Kind::Text || matches!(kind, Kind::Listed(extension) if !is_document(extension));
    if let Some(why) = too_large(size).filter(|_| !is_text) {
        return extract.map(|extract| Claim::instead(name, extract)).ok_or(why);
    }
    let sort = Sort::of(extension.as_deref().unwrap_or_default(), &mime_type);
    Ok(Claim { name, kind, by_type, sort })
}

/// Why a file of this size cannot go in one piece, in words.
pub fn too_large(size: u64) -> Option<String> {
    (size > LARGEST).then(|| {
        format!("the file has {} MB, and a vector store takes at most 512 MB in one file", size / 1_000_000)
    })
}

fn extract(extraction: Extraction) -> Option<Instead> {
    match extraction {
        Extraction::There => Some(Instead::Extract { is_there: true }),
        Extraction::Underway => Some(Instead::Extract { is_there: false }),
        Extraction::None | Extraction::Unsaid => None,
    }
}

impl Claim {
    fn instead(name: String, instead: Instead) -> Self {
        Claim { name, kind: Kind::Instead(instead), by_type: None, sort: Sort::Plain }
    }

    /// What goes in the place of the file's bytes.
    pub fn stands_in(&self) -> Option<Instead> {
        match self.kind {
            Kind::Instead(instead) => Some(instead),
            _ => None,
        }
    }

    /// The text that Fastio read out of the file, where what was claimed came to nothing. It is the last that is tried.
    pub fn extract(&self, extraction: Extraction) -> Option<Self> {
        let is_tried =
            matches!(self.kind, Kind::Instead(Instead::Extract { .. } | Instead::Note | Instead::Link));
        let extract = extract(extraction).filter(|_| !is_tried)?;
        Some(Claim::instead(self.name.clone(), extract))
    }

    /// The file's own name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One word for all of it that decides how the same bytes are sent.
    pub fn key(&self) -> String {
        match self.kind {
            Kind::Listed(extension) | Kind::Typed(extension) => extension.to_owned(),
            Kind::Text => format!("txt{}", self.sort.mark()),
            Kind::Unsaid => "?".to_owned(),
            Kind::Instead(instead) => instead.key().to_owned(),
        }
    }

    /// Whether a copy that was sent as `filename` under the claim `key` is what this claim makes of the same bytes. A copy of
    /// an earlier version, or of a rebuilt database, has no claim on record.
    pub fn is_met_by(&self, key: Option<&str>, filename: &str) -> bool {
        let own = self.key();
        let sent = name::extension(filename).unwrap_or_default();
        // Of a segment it says where it was cut, too.
        match key.and_then(|key| key.split('/').next()) {
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
        if self.stands_in().is_some() {
            return Ok(self.as_claimed());
        }
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
            (Kind::Unsaid | Kind::Instead(_), Looks::Text | Looks::Noise) => {
                Err(unread(name::extension(&self.name).as_deref(), ""))
            }
        }
    }

    /// The form, if its bytes are what it claims to be.
    pub fn as_claimed(&self) -> Form {
        match self.kind {
            Kind::Listed(extension) => {
                let stem = &self.name[..self.name.len() - extension.len() - 1];
                self.listed(name::with(stem, extension), extension)
            }
            Kind::Typed(extension) => self.as_document(extension),
            Kind::Instead(Instead::Note) if name::extension(&self.name).as_deref() == Some("md") => {
                self.listed(name::with(&self.name[..self.name.len() - ".md".len()], "md"), "md")
            }
            Kind::Text | Kind::Unsaid | Kind::Instead(_) => self.as_text(),
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

/// Whether a file called `name` that goes as `filename` keeps its kind, and so its bytes.
pub fn is_sent_as_it_is(name: &str, filename: &str) -> bool {
    name::extension(&name::clean(name)) == name::extension(filename)
}

/// The type of a file that OpenAI's code interpreter reads and its file search does not, by its name (OpenAI's guide on code
/// interpreter, without pickles, which run code when they are read, and archives).
pub fn code_type(name: &str) -> Option<&'static str> {
    Some(match name::extension(&name::clean(name))?.as_str() {
        "csv" => "text/csv",
        "gif" => "image/gif",
        "jpeg" | "jpg" => "image/jpeg",
        "png" => "image/png",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xml" => "application/xml",
        _ => return None,
    })
}

/// Whether a file called `name` may have been sent as `filename`, in whichever form.
pub fn may_be_sent_as(name: &str, filename: &str) -> bool {
    if let Some(whole) = whole_name(filename)
        && may_be_sent_as(name, &whole)
    {
        return true;
    }
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
    if is_part(filename) {
        return is_read_as_text(filename) && sent <= size.saturating_mul(3);
    }
    let Some(extension) = name::extension(filename) else { return size == sent };
    let is_text = by_extension(&extension).is_some_and(|listed| listed.2 == Content::Text);
    let inner = name::extension(filename.strip_suffix(".txt").unwrap_or(filename)).unwrap_or_default();
    // A text that stands for a file has no length that could be told from the file's.
    let stands_in =
        is_unread(Some(&inner), "") || by_extension(&inner).is_some_and(|listed| listed.2 == Content::Binary);
    let least = if Sort::of(&inner, "") == Sort::Plain { size / 2 } else { 1 };
    size == sent || (is_text && (stands_in || (least..=size.saturating_mul(3)).contains(&sent)))
}

#[cfg(test)]
mod tests;
