//! What is written into a file, by its name: each time with a number in it that nothing else has.

use fastrand::Rng;
use rust_xlsxwriter::Workbook;

/// A text with more bytes goes to OpenAI in segments.
pub const CUT_ABOVE: usize = 20_000;

/// The first line of each table.
pub const HEADER: &str = "id,party,clause\n";

/// The texts that are large enough for two to five segments, one time in five a little one.
const CUT: std::ops::Range<usize> = CUT_ABOVE + 1..48_000;
const UNCUT: std::ops::Range<usize> = 200..CUT_ABOVE;
const UNCUT_ONE_IN: u8 = 5;

/// What Fastio's AI reads nothing of, but for the words behind it.
const IMAGE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\xff";
const OLD_MAIL: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0\0\0\xff\xfe\x09\0";

/// What files are called that texts stand for at OpenAI, and notes. A link has no extension, and its name is a number.
pub const STOOD_FOR: [&str; 4] = ["png", "msg", "xlsx", "md"];

/// And what they are called that are cut.
pub const TABLES: [&str; 2] = ["csv", "jsonl"];

/// What a file is to hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Content {
    pub bytes: Vec<u8>,
    /// What it is, where it is no file: `note` or `link`.
    pub kind: Option<&'static str>,
    /// What OpenAI is to hold in its place.
    pub stand_in: Option<String>,
}

impl From<String> for Content {
    fn from(text: String) -> Content {
        Content { bytes: text.into_bytes(), ..Content::default() }
    }
}

/// How a file is called behind its last point; nothing of a link.
pub fn extension(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// The words that all contents of one number have. They are of one length, so that uploads can be mistaken for one another.
fn words(number: u64) -> String {
    format!("Clause {number:08}: liability is limited.")
}

/// The content of the file at `path`.
pub fn of(path: &str, number: u64, random: &mut Rng) -> Content {
    let words = words(number);
    match extension(path) {
        "csv" | "jsonl" => {
            let sizes = if random.u8(0..UNCUT_ONE_IN) == 0 { UNCUT } else { CUT };
            sized(path, number, random.usize(sizes))
        }
        "png" => {
            Content { bytes: [IMAGE, words.as_bytes()].concat(), stand_in: Some(words), ..Content::default() }
        }
        "msg" => Content {
            bytes: [OLD_MAIL, words.as_bytes(), b"\0"].concat(),
            stand_in: Some(words),
            ..Content::default()
        },
        "xlsx" => workbook(&words),
        "md" => Content { bytes: words.into_bytes(), kind: Some("note"), stand_in: None },
        "" => Content { kind: Some("link"), ..Content::default() },
        _ => words.into(),
    }
}

/// A text of about so many bytes, with the seams that its name promises.
pub fn sized(path: &str, number: u64, size: usize) -> Content {
    let words = words(number);
    let piece: &dyn Fn(usize) -> String = match extension(path) {
        "csv" => &|row| format!("{row:06},\"Acme,\nroom {row}\",{words}\n"),
        "jsonl" => &|row| format!("{{\"id\": {row}, \"clause\": \"{words}\"}}\n"),
        _ => &|row| format!("{words}\nIt is the paragraph {row}.\n\n"),
    };
    let mut text = String::with_capacity(size);
    if extension(path) == "csv" {
        text.push_str(HEADER);
    }
    for row in 0.. {
        text.push_str(&piece(row));
        if text.len() >= size {
            break;
        }
    }
    text.into()
}

fn workbook(words: &str) -> Content {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    let written = sheet.write(0, 0, "Clause").and_then(|sheet| sheet.write(1, 0, words)).map(drop);
    let bytes = written.and_then(|()| book.save_to_buffer());
    let stand_in = format!("## Sheet1\n\nClause\n{words}");
    Content {
        bytes: bytes.expect("a workbook of two cells can be written"),
        stand_in: Some(stand_in),
        ..Content::default()
    }
}
