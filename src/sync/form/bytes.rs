//! What the beginning of a file looks like. The marks of PDF, Office and ZIP are known here; all other formats are the
//! `file-format` crate's to name, and only where the bytes do not read as text: a contract that begins with "BMW" is no
//! bitmap.

use file_format::FileFormat;

use super::super::text;

/// How far behind junk a PDF may begin, as readers of it allow.
const PDF_WITHIN: usize = 1024;

/// What bytes look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Looks {
    Text,
    /// Text to a computer, and noise to a reader.
    RichText,
    /// A document that OpenAI lists, by its extension.
    Document(&'static str),
    /// Word, Excel, PowerPoint and Outlook of before 2007, which differ far behind the beginning.
    OldOffice,
    /// Something that OpenAI does not list, in words: `JPEG`.
    Other(String),
    /// Neither text nor anything known.
    Noise,
}

/// What a file looks like that begins with `head`.
pub(super) fn look(head: &[u8], is_whole: bool) -> Looks {
    let begin = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    if begin.starts_with(b"%PDF-") {
        return Looks::Document("pdf");
    }
    if begin.starts_with(b"{\\rtf") {
        return Looks::RichText;
    }
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return package(head);
    }
    if head.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        return Looks::OldOffice;
    }
    if text::encoding(head, is_whole).is_some() {
        return Looks::Text;
    }
    if head[..head.len().min(PDF_WITHIN)].windows(5).any(|bytes| bytes == b"%PDF-") {
        return Looks::Document("pdf");
    }
    match FileFormat::from_bytes(head) {
        FileFormat::ArbitraryBinaryData => Looks::Noise,
        known => Looks::Other(known.short_name().unwrap_or(known.name()).to_owned()),
    }
}

/// How an OpenDocument file goes on behind the lengths of its first entry, which is not packed: ODF 1.3, part 2, 3.3.
const OPEN_DOCUMENT: &[u8] = b"mimetypeapplication/vnd.oasis.opendocument.";

/// What a ZIP holds, by the names of the entries that begin in its head.
fn package(head: &[u8]) -> Looks {
    if let Some(kind) = head.get(HEADER..).and_then(|first| first.strip_prefix(OPEN_DOCUMENT)) {
        let what = if kind.starts_with(b"spreadsheet") { "spreadsheet" } else { "file" };
        return Looks::Other(format!("an OpenDocument {what}"));
    }
    for (folder, looks) in [
        ("word/", Looks::Document("docx")),
        ("ppt/", Looks::Document("pptx")),
        ("xl/", Looks::Other("an Excel workbook".to_owned())),
    ] {
        if names(head).any(|name| name.starts_with(folder)) {
            return looks;
        }
    }
    // The parts of an Office document may stand behind others, such as its pictures.
    if names(head).any(|name| name == "[Content_Types].xml") {
        return Looks::Noise;
    }
    Looks::Other("a ZIP archive".to_owned())
}

/// What stands before the name of a ZIP's entry.
const HEADER: usize = 30;

/// The names in the local headers of a ZIP's entries.
fn names(head: &[u8]) -> impl Iterator<Item = &str> {
    let starts = head.windows(4).enumerate().filter(|(_, mark)| *mark == b"PK\x03\x04").map(|(at, _)| at);
    starts.filter_map(|at| {
        let length = head.get(at + 26..at + 28)?;
        let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
        std::str::from_utf8(head.get(at + HEADER..at + HEADER + length)?).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zip(names: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for name in names {
            bytes.extend_from_slice(b"PK\x03\x04");
            bytes.extend_from_slice(&[0; 22]);
            bytes.extend_from_slice(&u16::try_from(name.len()).unwrap().to_le_bytes());
            bytes.extend_from_slice(&[0; 2]);
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b"\x9c\xed\x01\0");
        }
        bytes
    }

    #[test]
    fn packages_are_known_by_what_is_in_them() {
        let of = |names: &[&str]| look(&zip(names), true);
        assert_eq!(of(&["[Content_Types].xml", "_rels/.rels", "word/document.xml"]), Looks::Document("docx"));
        assert_eq!(of(&["ppt/presentation.xml"]), Looks::Document("pptx"));
        assert_eq!(of(&["xl/workbook.xml"]), Looks::Other("an Excel workbook".to_owned()));
        assert_eq!(of(&["holiday.jpg"]), Looks::Other("a ZIP archive".to_owned()));
        assert_eq!(of(&["[Content_Types].xml"]), Looks::Noise, "what its name says");
        // Its type stands where another entry's name would go on.
        let open =
            |kind: &str| of(&[&format!("mimetypeapplication/vnd.oasis.opendocument.{kind}"), "content.xml"]);
        assert_eq!(open("spreadsheet"), Looks::Other("an OpenDocument spreadsheet".to_owned()));
        assert_eq!(open("text"), Looks::Other("an OpenDocument file".to_owned()));
    }

    #[test]
    fn a_format_is_known_by_its_mark_and_text_is_text() {
        assert_eq!(look(b"BMW AG and the supplier agree", true), Looks::Text);
        assert_eq!(look("MZ und Höhe".as_bytes(), true), Looks::Text);
        assert_eq!(look(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", true), Looks::Other("MP4".to_owned()));
        assert_eq!(look(b"\n%PDF-1.4", true), Looks::Document("pdf"));
        assert_eq!(look(b"\x01\x02\0\x03\x80\xc8\xff\0\x01\x02\x03\x01", true), Looks::Noise);
        assert_eq!(look(b"{\\rtf1\\ansi}", true), Looks::RichText);
    }
}
