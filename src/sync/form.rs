//! The form in which a file goes to OpenAI: under which name and type, or not at all and why.

/// What OpenAI takes for file search, by extension (OpenAI's guide on file search; it compares case-sensitively, so
/// ours are lower-case), with the type to send and whether it is text.
const LISTED: [(&str, &str, Content); 21] = [
    ("c", "text/x-c", Content::Text),
    ("cpp", "text/x-c++", Content::Text),
    ("cs", "text/x-csharp", Content::Text),
    ("css", "text/css", Content::Text),
    ("doc", "application/msword", Content::Binary),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", Content::Binary),
    ("go", "text/x-golang", Content::Text),
    ("html", "text/html", Content::Text),
    ("java", "text/x-java", Content::Text),
    ("js", "text/javascript", Content::Text),
    ("json", "application/json", Content::Text),
    ("md", "text/markdown", Content::Text),
    ("pdf", "application/pdf", Content::Binary),
    ("php", "text/x-php", Content::Text),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation", Content::Binary),
    ("py", "text/x-python", Content::Text),
    ("rb", "text/x-ruby", Content::Text),
    ("sh", "application/x-sh", Content::Text),
    ("tex", "text/x-tex", Content::Text),
    ("ts", "application/typescript", Content::Text),
    ("txt", "text/plain", Content::Text),
];

/// Text that OpenAI does not list. It is uploaded as `NAME.EXT.txt`.
const OTHER_TEXT: &[&str] = &[
    "adoc",
    "asciidoc",
    "asm",
    "bash",
    "bat",
    "bib",
    "cc",
    "cfg",
    "clj",
    "cmd",
    "conf",
    "csv",
    "cxx",
    "dart",
    "diff",
    "dockerfile",
    "edn",
    "el",
    "eml",
    "env",
    "erl",
    "ex",
    "exs",
    "f90",
    "fs",
    "geojson",
    "gradle",
    "graphql",
    "groovy",
    "h",
    "hh",
    "hpp",
    "hs",
    "htm",
    "hxx",
    "ics",
    "ini",
    "ipynb",
    "jl",
    "jsonl",
    "jsx",
    "kt",
    "kts",
    "less",
    "lisp",
    "log",
    "lua",
    "m",
    "makefile",
    "markdown",
    "mjs",
    "ml",
    "mm",
    "ndjson",
    "nix",
    "org",
    "pas",
    "patch",
    "pl",
    "pm",
    "properties",
    "proto",
    "ps1",
    "r",
    "rs",
    "rst",
    "sass",
    "scala",
    "scm",
    "scss",
    "sql",
    "srt",
    "svelte",
    "swift",
    "tcl",
    "text",
    "tf",
    "toml",
    "tsv",
    "tsx",
    "vb",
    "vcf",
    "vim",
    "vtt",
    "vue",
    "xhtml",
    "xml",
    "xsd",
    "xsl",
    "yaml",
    "yml",
    "zsh",
];

/// Types that are text although they do not begin with `text/`.
const TEXT_TYPES: [&str; 6] = [
    "application/json",
    "application/sql",
    "application/toml",
    "application/xml",
    "application/x-ndjson",
    "application/yaml",
];

/// What a vector store takes in one file. OpenAI says 512 MB and not which; this is the larger reading, so that OpenAI
/// itself decides about a file between the two (inferred).
pub const LARGEST: u64 = 512 * 1024 * 1024;

/// The longest name that is sent. Longer ones lose their middle; nothing documents OpenAI's limit, file systems' is 255.
const LONGEST_NAME: usize = 200;

/// How a file's bytes are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Text that OpenAI lists, which it reads as UTF-8 or UTF-16.
    Text,
    /// Text that goes as `.txt`, in UTF-8.
    OtherText,
    /// Goes through as it is.
    Binary,
}

/// How a file is uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    pub filename: String,
    pub mime_type: &'static str,
    pub content: Content,
}

/// The form for a file, or in words why OpenAI cannot hold it.
pub fn form(name: &str, mime_type: Option<&str>, size: u64) -> Result<Form, String> {
    if size == 0 {
        return Err("the file is empty".to_owned());
    }
    if size > LARGEST {
        return Err(format!(
            "the file has {} MB, and a vector store takes at most 512 MB in one file",
            size / 1_000_000
        ));
    }
    let name = clean(name);
    let extension = extension(&name);
    if let Some((listed, mime_type, content)) =
        LISTED.iter().find(|(listed, ..)| Some(*listed) == extension.as_deref())
    {
        let stem = &name[..name.len() - listed.len() - 1];
        return Ok(Form {
            filename: format!("{}.{listed}", shorten(stem, LONGEST_NAME - listed.len() - 1)),
            mime_type,
            content: *content,
        });
    }
    if is_other_text(&name, extension.as_deref(), mime_type) {
        return Ok(Form { filename: as_text(&name), mime_type: "text/plain", content: Content::OtherText });
    }
    Err(match extension {
        Some(extension) => format!("OpenAI's file search does not read .{extension} files"),
        None => {
            "OpenAI's file search does not read files of this type, and the name has no extension".to_owned()
        }
    })
}

/// Whether a file called `name` may have been sent as `filename`, in whichever form.
pub fn may_be_sent_as(name: &str, filename: &str) -> bool {
    let name = clean(name);
    let as_listed = |extension: String| {
        let stem = &name[..name.len() - extension.len() - 1];
        format!("{}.{extension}", shorten(stem, LONGEST_NAME - extension.len() - 1))
    };
    extension(&name).map(as_listed).as_deref() == Some(filename) || as_text(&name) == filename
}

/// The name of a text that OpenAI does not list.
fn as_text(name: &str) -> String {
    format!("{}.txt", shorten(name, LONGEST_NAME - ".txt".len()))
}

fn is_other_text(name: &str, extension: Option<&str>, mime_type: Option<&str>) -> bool {
    let kind = extension.map_or_else(|| name.to_ascii_lowercase(), str::to_owned);
    if OTHER_TEXT.contains(&kind.as_str()) {
        return true;
    }
    let mime_type = mime_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    // Rich text is marked up text to a computer and noise to a reader.
    (mime_type.starts_with("text/") && mime_type != "text/rtf")
        || TEXT_TYPES.contains(&mime_type)
        || mime_type.ends_with("+json")
        || mime_type.ends_with("+xml") && !mime_type.starts_with("image/")
}

/// The extension in lower case. A leading dot makes a hidden file, not an extension.
fn extension(name: &str) -> Option<String> {
    let (stem, extension) = name.rsplit_once('.')?;
    (!stem.is_empty() && !extension.is_empty()).then(|| extension.to_ascii_lowercase())
}

/// A name that may stand in a multipart header and in a citation, and that every encoding on the way keeps: no control
/// characters (reqwest 0.13.5 leaves a line break in the header), no path, and nothing that a header quotes or escapes.
/// How a server takes a backslash, a quote or a percent sign apart differs from one to the next, and by its name a File
/// object is found whose upload was not answered.
fn clean(name: &str) -> String {
    let base = name.rsplit('/').next().unwrap_or(name);
    let neutral = |c: char| match c {
        '\\' | '%' => '_',
        '"' => '\'',
        c => c,
    };
    let cleaned: String = base.chars().filter(|c| !c.is_control()).map(neutral).collect();
    let cleaned = cleaned.trim();
    if cleaned.is_empty() { "unnamed".to_owned() } else { cleaned.to_owned() }
}

/// At most `limit` bytes of `text`, keeping both ends.
fn shorten(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let half = (limit - '…'.len_utf8()) / 2;
    let head = text.floor_char_boundary(half);
    let tail = text.ceil_char_boundary(text.len() - half);
    format!("{}…{}", &text[..head], &text[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(given: &str) -> String {
        form(given, None, 1).unwrap().filename
    }

    #[test]
    fn a_listed_extension_is_sent_in_lower_case() {
        assert_eq!(name("report.PDF"), "report.pdf");
        assert_eq!(name("a.b.Docx"), "a.b.docx");
        assert_eq!(form("report.PDF", None, 1).unwrap().content, Content::Binary);
    }

    #[test]
    fn text_that_is_not_listed_is_sent_as_txt() {
        assert_eq!(name("data.CSV"), "data.CSV.txt");
        assert_eq!(name("Makefile"), "Makefile.txt");
        assert_eq!(form("notes", Some("text/plain; charset=latin1"), 1).unwrap().filename, "notes.txt");
        assert_eq!(form("feed.weird", Some("application/atom+xml"), 1).unwrap().filename, "feed.weird.txt");
    }

    #[test]
    fn what_cannot_be_read_is_skipped_with_a_reason() {
        assert_eq!(
            form("logo.PNG", Some("image/png"), 9).unwrap_err(),
            "OpenAI's file search does not read .png files"
        );
        assert_eq!(form("empty.txt", None, 0).unwrap_err(), "the file is empty");
        assert!(form("letter.rtf", Some("text/rtf"), 9).is_err());
        assert!(form(".hidden", None, 9).is_err());
        assert!(form("big.pdf", None, LARGEST + 1).unwrap_err().contains("536 MB"));
        assert!(form("big.pdf", None, LARGEST).is_ok());
    }

    #[test]
    fn names_lose_what_would_break_a_header() {
        assert_eq!(name("a\r\nX-Evil: 1.txt"), "aX-Evil: 1.txt");
        assert_eq!(name("folder/\u{7}a.txt"), "a.txt");
        assert_eq!(name("back\\slash \"100%\".txt"), "back_slash '100_'.txt");
        assert_eq!(name("déjà vu – 契約.txt"), "déjà vu – 契約.txt");
        assert_eq!(form("\n\u{7}", Some("text/plain"), 1).unwrap().filename, "unnamed.txt");
    }

    #[test]
    fn what_was_sent_is_known_by_its_name_again() {
        for given in ["report.PDF", "data.CSV", "Makefile", "a\\b.txt", &format!("{}.pdf", "ä".repeat(300))]
        {
            let sent = name(given);
            assert!(may_be_sent_as(given, &sent) && !may_be_sent_as("other.txt", &sent), "{given}");
        }
    }

    #[test]
    fn a_long_name_keeps_both_ends_and_its_extension() {
        let long = format!("{}end.pdf", "ä".repeat(300));
        let sent = name(&long);
        assert!(sent.len() <= LONGEST_NAME && sent.starts_with('ä') && sent.ends_with("end.pdf"), "{sent}");
    }
}
