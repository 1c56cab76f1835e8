//! Files that code made in a run, and a document may have told it how: which kinds are taken, and what is made of them so
//! that opening one does nothing.
//!
//! | kind | why it is taken, or not |
//! |---|---|
//! | `.csv`, `.tsv` | written anew, cell by cell, as our own tables are |
//! | `.txt` | text, every character visible |
//! | `.md` | written anew as a model's own Markdown is |
//! | `.json` | only programs read it; it must be JSON |
//! | `.png`, `.jpg` | a picture by its first bytes; whatever else hides in it, programs for pictures open it |
//! | `.pdf`, `.xlsx`, `.docx` | can hold scripts, formulas and addresses that are fetched, which no look from outside finds |
//! | `.html`, `.svg`, programs, archives | run, or hold what does |

use serde::de::IgnoredAny;

use super::render;

/// For a person, with what is left out.
const TAKEN: &str = ".csv, .tsv, .txt, .md, .json, .png and .jpg";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    Table,
    Text,
    Markdown,
    Json,
    /// With its first bytes.
    Picture(&'static [u8]),
}

impl FileKind {
    /// The kind of a file that is called so, or why it is left out.
    pub fn of(name: &str) -> Result<FileKind, String> {
        let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
        match extension.as_deref() {
            Some("csv" | "tsv") => Ok(FileKind::Table),
            Some("txt") => Ok(FileKind::Text),
            Some("md") => Ok(FileKind::Markdown),
            Some("json") => Ok(FileKind::Json),
            Some("png") => Ok(FileKind::Picture(b"\x89PNG\r\n\x1a\n")),
            Some("jpg" | "jpeg") => Ok(FileKind::Picture(b"\xff\xd8\xff")),
            _ => Err(format!("was left out, because only {TAKEN} files are taken")),
        }
    }

    /// The content as it may be written beside a document, or why it is left out.
    pub fn harmless(self, content: Vec<u8>) -> Result<Vec<u8>, String> {
        if let FileKind::Picture(first) = self {
            let is_one = content.starts_with(first);
            return is_one
                .then_some(content)
                .ok_or_else(|| "was left out, because it is no such picture".to_owned());
        }
        let text = std::str::from_utf8(&content)
            .map_err(|_| "was left out, because it is no text in UTF-8".to_owned())?
            .trim_start_matches('\u{feff}');
        Ok(match self {
            FileKind::Table => render::harmless_table(text).into_bytes(),
            FileKind::Markdown => render::harmless_markdown(text).into_bytes(),
            FileKind::Json => match serde_json::from_str::<IgnoredAny>(text) {
                Ok(IgnoredAny) => text.as_bytes().to_vec(),
                Err(_) => return Err("was left out, because it is not JSON".to_owned()),
            },
            FileKind::Text | FileKind::Picture(_) => render::visible(text).into_bytes(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(name: &str, content: &str) -> Result<String, String> {
        FileKind::of(name)?
            .harmless(content.as_bytes().to_vec())
            .map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn what_could_run_is_left_out_whatever_it_is_called() {
        for name in [
            "setup.exe",
            "a.html",
            "a.csv.lnk",
            "a.docm",
            "a.xlsx",
            "a.pdf",
            "a.svg",
            "a.zip",
            "csv",
            "a.",
            "a.csv ",
            "a.md\u{200b}",
        ] {
            assert!(FileKind::of(name).is_err(), "{name}");
        }
        assert!(made("a.png", "<script>").is_err() && made("a.json", "<script>").is_err());
        assert!(FileKind::Text.harmless(vec![b'M', b'Z', 0x90, 0xff]).is_err());
        assert!(FileKind::of("a.JPG").unwrap().harmless(vec![0xff, 0xd8, 0xff, 0xe0]).is_ok());
    }

    #[test]
    fn what_is_taken_does_nothing() {
        assert_eq!(
            made("a.csv", "a;b\n\"=cmd|' /C calc'!A0\";-5\n").unwrap(),
            "a;b\r\n'=cmd|' /C calc'!A0;-5\r\n"
        );
        assert_eq!(made("a.tsv", "=1\t\u{202e}x").unwrap(), "'=1\t‹U+202E›x\r\n");
        assert_eq!(made("a.md", "\\![x](https://evil.example)").unwrap(), "\\![x](https://evil.example/)\n");
        assert_eq!(made("a.txt", "\u{feff}a\r\n\u{1b}[2J").unwrap(), "a\n‹U+001B›[2J");
        assert_eq!(made("a.json", "{\"a\": 1e400}").unwrap(), "{\"a\": 1e400}");
    }
}
