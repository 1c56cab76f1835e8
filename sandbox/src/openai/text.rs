//! The text a vector store would read out of a file. A stand-in parses little: text files are taken as they are, of a PDF
//! the strings are seen that it shows and that are written in the open, and of what only is called a document the runs of
//! readable characters. So a scan has no text here either.

use bytes::Bytes;

use super::super::content::Content;
use super::kinds;

/// Shorter runs of readable characters in a binary file are noise.
const MIN_RUN_CHARS: usize = 6;

/// Why a file cannot be indexed: `last_error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub code: String,
    pub message: String,
}

/// OpenAI's guide on file search: no file above 512 MB. Taken as 512·2^20, the outermost reading of it.
pub const MAX_INDEXED_BYTES: u64 = 512 * 1024 * 1024;

/// What becomes of a file that is indexed now: its text, or why not. The messages are those that users report; that
/// undecodable text ends as `invalid_file` is inferred.
pub fn read(filename: &str, content: &Content) -> Result<String, Failure> {
    let failure = |code: &str, message: &str| Failure { code: code.to_owned(), message: message.to_owned() };
    if content.size > MAX_INDEXED_BYTES {
        return Err(failure("invalid_file", "The file could not be parsed because it is too large."));
    }
    let opening = content.opening();
    if !kinds::is_text(filename) {
        let is_pdf = opening.starts_with(b"%PDF-");
        return Ok(if is_pdf { shown_strings(opening) } else { readable_runs(opening) });
    }
    decode(opening, content.bytes().is_some())
        .ok_or_else(|| failure("invalid_file", "The file could not be parsed because its text is not UTF-8."))
}

/// UTF-8 or UTF-16 with a byte-order mark; of a cut-off opening, up to the cut.
fn decode(bytes: &Bytes, whole: bool) -> Option<String> {
    if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] = bytes[..] {
        let (encoding, _) = encoding_rs::Encoding::for_bom(bytes)?;
        let (text, _, broken) = encoding.decode(bytes);
        return (!broken || !whole).then(|| text.into_owned());
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if !whole && error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).expect("valid up to there")
        }
        Err(_) => return None,
    };
    Some(text.trim_start_matches('\u{feff}').to_owned())
}

/// The strings that a PDF shows, one line for each operator that shows text (ISO 32000-1, 9.4.3). What is compressed,
/// encrypted or in an encoding of its own is not seen.
fn shown_strings(bytes: &[u8]) -> String {
    let (mut text, mut pending, mut at) = (String::new(), String::new(), 0);
    while let Some(byte) = bytes.get(at) {
        if *byte == b'(' {
            at = literal(bytes, at + 1, &mut pending);
            continue;
        }
        let word =
            bytes[at..].iter().take_while(|byte| byte.is_ascii_alphabetic() || b"'\"".contains(byte)).count();
        match &bytes[at..at + word] {
            b"Tj" | b"TJ" | b"'" | b"\"" if !pending.is_empty() => {
                text.push_str(&std::mem::take(&mut pending));
                text.push('\n');
            }
            b"" => {}
            _ => pending.clear(),
        }
        at += word.max(1);
    }
    text
}

/// Reads a literal string from behind its opening bracket. Answers where it ends.
fn literal(bytes: &[u8], mut at: usize, text: &mut String) -> usize {
    let mut depth = 1;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'\\' => {
                if let Some(escaped) = bytes.get(at) {
                    text.push(if *escaped == b'n' { '\n' } else { char::from(*escaped) });
                }
                at += 1;
            }
            b')' if depth == 1 => break,
            byte => {
                depth += match byte {
                    b'(' => 1,
                    b')' => -1,
                    _ => 0,
                };
                text.push(char::from(*byte));
            }
        }
    }
    at
}

fn readable_runs(bytes: &Bytes) -> String {
    let readable = |byte: &u8| (b' '..=b'~').contains(byte) || *byte == b'\n' || *byte == b'\t';
    let runs = bytes
        .split(|byte| !readable(byte))
        .filter(|run| run.len() >= MIN_RUN_CHARS)
        .map(|run| String::from_utf8_lossy(run));
    runs.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::super::content::Content;
    use super::read;

    #[test]
    fn text_must_be_unicode_in_a_text_file() {
        let latin = Content::of(b"H\xf6he der Haftung");
        assert_eq!(read("a.txt", &latin).unwrap_err().code, "invalid_file");
        assert_eq!(read("a.md", &Content::of("Höhe".as_bytes())).unwrap(), "Höhe");
        let wide: Vec<u8> =
            [0xff, 0xfe].into_iter().chain("Höhe".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(read("a.txt", &Content::of(&wide)).unwrap(), "Höhe");
    }

    #[test]
    fn a_binary_file_shows_its_readable_runs() {
        let noise = Content::of(b"\n\x00\x01(The supplier is liable)\xff\xfeab\x00");
        assert_eq!(read("a.pdf", &noise).unwrap(), "(The supplier is liable)");
    }

    #[test]
    fn a_pdf_shows_the_strings_that_it_says_are_shown() {
        let pdf =
            b"%PDF-1.4\n4 0 obj<</Title (not shown)>>stream\nBT /F1 12 Tf (The supplier \\(Acme\\)) Tj\n\
            [(is ) -20 (liable)] TJ ET endstream\n\x00readable noise";
        assert_eq!(read("a.pdf", &Content::of(pdf)).unwrap(), "The supplier (Acme)\nis liable\n");
        assert_eq!(
            read("scan.pdf", &Content::of(b"%PDF-1.4\n%\xe2\xe3 stream \x00\x80(abc def")).unwrap(),
            ""
        );
    }
}
