//! Whether a Word document is a draft: what was inserted, deleted and moved in it while changes were tracked, and what was
//! remarked. Its text, as it is read out, may have all of that side by side, so a quote may be of words that were deleted.
//!
//! A `.docx` is an archive of files that follow each other, each compressed by itself. They are read as they pass, without
//! the list at the archive's end: what is looked at is unpacked piece by piece, and nothing is kept of it.

use flate2::{Decompress, FlushDecompress, Status};
use memchr::memchr;
use memchr::memmem::find;

use crate::sync::copy::Draft;

/// What begins each file of an archive, and the list at its end.
const FILE: &[u8] = b"PK\x03\x04";
const LIST: &[u8] = b"PK\x01\x02";

/// The fixed part of what stands before a file.
const FIXED: usize = 30;

/// What stands before a file is shorter, with what may follow the one before it.
const MOST_HEADER: usize = 4 * 1024;

/// How much is unpacked of one document: the text of thousands of pages.
const MOST_UNPACKED: usize = 64 * 1024 * 1024;

/// How much is unpacked at once.
const PIECE: usize = 16 * 1024;

/// Names of elements that are looked for are shorter.
const MOST_NAME: usize = 24;

/// Looks for changes and comments while a file passes.
#[derive(Default)]
pub(super) struct Reader {
    at: At,
    /// What has come of what stands before a file.
    header: Vec<u8>,
    unpacked: usize,
    elements: Elements,
    /// A file of an archive has begun.
    is_archive: bool,
    /// A part of a Word document has.
    is_document: bool,
}

/// Where in the archive the next byte is.
#[derive(Default)]
enum At {
    #[default]
    Header,
    /// In a file as it is, with so many bytes left.
    Plain(u64, Use),
    Packed(Box<Decompress>, Use),
    /// After all files, or where nothing more is understood.
    End {
        whole: bool,
    },
}

/// What is done with a file of the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Read,
    Skip,
}

impl Reader {
    pub fn piece(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            piece = match &mut self.at {
                At::End { .. } => return,
                At::Header => self.before_file(piece),
                At::Plain(left, what) => {
                    let length = piece.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    if *what == Use::Read {
                        self.elements.read(&piece[..length]);
                    }
                    *left -= length as u64;
                    if *left == 0 {
                        self.at = At::Header;
                    }
                    &piece[length..]
                }
                At::Packed(..) => self.unpack(piece),
            };
        }
    }

    /// None where it is no Word document, or not one that can be read to its end.
    pub fn found(&self) -> Option<Draft> {
        let whole = matches!(self.at, At::End { whole: true });
        let draft = self.elements.draft;
        (self.is_document && (whole || draft != Draft::default())).then_some(draft)
    }

    /// Takes what stands before a file, and answers the rest.
    fn before_file<'p>(&mut self, piece: &'p [u8]) -> &'p [u8] {
        let before = self.header.len();
        self.header.extend_from_slice(&piece[..piece.len().min(MOST_HEADER.saturating_sub(before))]);
        let begin = match (find(&self.header, FILE), find(&self.header, LIST)) {
            (Some(file), list) if list.is_none_or(|list| file < list) => file,
            (_, Some(_)) => {
                self.at = At::End { whole: true };
                return &[];
            }
            _ => return self.wait(),
        };
        let Some(header) = Header::read(&self.header[begin..]) else { return self.wait() };
        self.is_archive = true;
        self.is_document |= header.what == Use::Read;
        self.at = header.at();
        self.header.clear();
        &piece[(begin + header.length).saturating_sub(before)..]
    }

    /// More has to come, unless enough has.
    fn wait(&mut self) -> &'static [u8] {
        let begins = self.header.starts_with(&FILE[..self.header.len().min(FILE.len())]);
        if self.header.len() >= MOST_HEADER || !(begins || self.is_archive) {
            self.at = At::End { whole: false };
        }
        &[]
    }

    fn unpack<'p>(&mut self, mut piece: &'p [u8]) -> &'p [u8] {
        let At::Packed(inflate, what) = &mut self.at else { return piece };
        let mut room = vec![0; PIECE];
        loop {
            let (read, written) = (inflate.total_in(), inflate.total_out());
            let status = inflate.decompress(piece, &mut room, FlushDecompress::None);
            let took = usize::try_from(inflate.total_in() - read).unwrap_or(0);
            let made = usize::try_from(inflate.total_out() - written).unwrap_or(0);
            piece = &piece[took..];
            self.unpacked += made;
            if *what == Use::Read {
                self.elements.read(&room[..made]);
            }
            match status {
                _ if self.unpacked > MOST_UNPACKED => {
                    self.at = At::End { whole: false };
                    return &[];
                }
                Ok(Status::StreamEnd) => {
                    self.at = At::Header;
                    return piece;
                }
                Ok(_) if took > 0 || made > 0 => {}
                // It goes on with the next piece.
                Ok(_) if piece.is_empty() => return piece,
                Ok(_) | Err(_) => {
                    self.at = At::End { whole: false };
                    return &[];
                }
            }
        }
    }
}

/// What stands before a file.
struct Header {
    length: usize,
    flags: u16,
    method: u16,
    packed: u32,
    what: Use,
}

impl Header {
    /// None where it has not all come.
    fn read(bytes: &[u8]) -> Option<Header> {
        let short = |at: usize| Some(u16::from_le_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
        let packed = u32::from(short(18)?) | u32::from(short(20)?) << 16;
        let (name, extra) = (usize::from(short(26)?), usize::from(short(28)?));
        let length = FIXED + name + extra;
        let name = bytes.get(..length)?.get(FIXED..FIXED + name)?;
        let is_part = name.starts_with(b"word/") && name.ends_with(b".xml");
        let what = if is_part { Use::Read } else { Use::Skip };
        Some(Header { length, flags: short(6)?, method: short(8)?, packed, what })
    }

    /// What follows it. How long a file is may stand behind it only; of a packed one the end is known by itself.
    fn at(&self) -> At {
        let (is_locked, is_open) = (self.flags & 1 > 0, self.flags & 8 > 0 || self.packed == u32::MAX);
        match self.method {
            _ if is_locked => At::End { whole: false },
            8 if is_open || self.what == Use::Read => At::Packed(Box::new(Decompress::new(false)), self.what),
            0 | 8 if is_open => At::End { whole: false },
            0 | 8 if self.packed == 0 => At::Header,
            0 | 8 => At::Plain(self.packed.into(), self.what),
            _ => At::End { whole: false },
        }
    }
}

/// Counts elements of XML that comes in pieces.
#[derive(Default)]
struct Elements {
    /// The name that is under way.
    name: Option<Vec<u8>>,
    draft: Draft,
}

impl Elements {
    fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let Some(name) = &mut self.name else {
                let Some(begin) = memchr(b'<', bytes) else { return };
                self.name = Some(Vec::new());
                bytes = &bytes[begin + 1..];
                continue;
            };
            let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/');
            let length = bytes.iter().take(MOST_NAME).position(ends);
            name.extend_from_slice(&bytes[..length.unwrap_or(bytes.len().min(MOST_NAME))]);
            if length.is_none() && name.len() < MOST_NAME && bytes.len() < MOST_NAME {
                return;
            }
            self.draft.count(local(name));
            self.name = None;
            bytes = &bytes[length.unwrap_or(0)..];
        }
    }
}

impl Draft {
    fn count(&mut self, element: &[u8]) {
        match element {
            b"ins" | b"del" | b"moveFrom" | b"moveTo" | b"cellIns" | b"cellDel" => self.changes += 1,
            b"comment" => self.comments += 1,
            _ => {}
        }
    }
}

/// An element's name without its prefix, which is `w` by custom only.
fn local(name: &[u8]) -> &[u8] {
    memchr(b':', name).map_or(name, |colon| &name[colon + 1..])
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::DeflateEncoder;

    use super::*;

    const CHANGED: &str = "<?xml version=\"1.0\"?><w:document><w:body><w:p><w:r><w:t>The cap is EUR </w:t></w:r><w:del w:id=\"1\" \
                           w:author=\"A\"><w:r><w:delText>50,000</w:delText></w:r></w:del><w:ins w:id=\"2\"><w:r><w:t>500,000</w:t></w:r></w:ins>\
                           <w:moveFromRangeStart/><w:insideH/><w:commentRangeStart/></w:p></w:body></w:document>";
    const PLAIN: &str =
        "<w:document><w:body><w:p><w:r><w:t>a &lt;w:ins b</w:t></w:r></w:p></w:body></w:document>";
    const REMARKED: &str = "<w:comments><w:comment w:id=\"0\"><w:p/></w:comment></w:comments>";

    /// An archive of files; `open` has their lengths stand behind them.
    fn archive(files: &[(&str, &str)], (packs, open): (bool, bool)) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, content) in files {
            let mut packed = content.as_bytes().to_vec();
            if packs {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(content.as_bytes()).unwrap();
                packed = encoder.finish().unwrap();
            }
            let length = u32::try_from(packed.len()).unwrap().to_le_bytes();
            let told = if open { [0; 4] } else { length };
            bytes.extend(
                [FILE, &[20, 0, u8::from(open) * 8, 0, u8::from(packs) * 8, 0], &[0; 8], &told, &[0; 4]]
                    .concat(),
            );
            bytes.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
            bytes.extend([[0; 2].as_slice(), name.as_bytes(), &packed].concat());
            if open {
                bytes.extend([b"PK\x07\x08".as_slice(), &[0; 4], &length, &[0; 4]].concat());
            }
        }
        bytes.extend([LIST, &[0; 42]].concat());
        bytes
    }

    fn found(bytes: &[u8], step: usize) -> Option<Draft> {
        let mut reader = Reader::default();
        bytes.chunks(step).for_each(|piece| reader.piece(piece));
        reader.found()
    }

    #[test]
    fn changes_and_comments_are_counted_however_the_file_is_packed_and_cut() {
        let styles = "<w:styles/>".repeat(500);
        let files = [
            ("[Content_Types].xml", "<Types/>"),
            ("word/styles.xml", &styles),
            ("word/document.xml", CHANGED),
            ("word/comments.xml", REMARKED),
            ("docProps/app.xml", "<w:ins />"),
        ];
        for form in [(true, false), (true, true), (false, false)] {
            let bytes = archive(&files, form);
            for step in [1, 7, 64, 100_000] {
                assert_eq!(found(&bytes, step), Some(Draft { changes: 2, comments: 1 }), "{form:?} {step}");
            }
        }
        let clean = archive(
            &[("word/document.xml", PLAIN), ("word/settings.xml", "<w:trackRevisions/>")],
            (true, true),
        );
        assert_eq!(found(&clean, 64), Some(Draft::default()));
    }

    #[test]
    fn what_is_no_word_document_or_is_broken_says_nothing() {
        let table = archive(&[("xl/workbook.xml", "<w:ins />")], (true, false));
        let mut broken = archive(&[("word/document.xml", PLAIN)], (true, false));
        broken.truncate(60);
        let mut locked = archive(&[("word/document.xml", CHANGED)], (true, false));
        locked[6] = 1;
        for bytes in [table.as_slice(), &broken, &locked, b"%PDF-1.4 PK\x03\x04 <w:ins />", b"PK", b"P", b""]
        {
            assert_eq!(found(bytes, 16), None);
        }
    }

    #[test]
    fn an_archive_that_unpacks_to_no_end_is_given_up() {
        let bomb = " ".repeat(MOST_UNPACKED + PIECE);
        let bytes = archive(&[("word/document.xml", &bomb), ("word/comments.xml", REMARKED)], (true, true));
        assert_eq!(found(&bytes, 64 * 1024), None);
    }
}
