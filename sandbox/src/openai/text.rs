//! The text a vector store would read out of a file. A stand-in parses nothing: text files are taken as they are, and of
//! a PDF or an office document only the runs of readable characters are seen.

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
        return Ok(readable_runs(opening));
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
        let pdf = Content::of(b"%PDF-1.4\n\x00\x01(The supplier is liable)\xff\xfeab\x00");
        assert_eq!(read("a.pdf", &pdf).unwrap(), "%PDF-1.4\n\n(The supplier is liable)");
    }
}
