//! What OpenAI's file search reads, and what else is text or surely none, by extension and by type.

use super::Content;

/// An extension, the type to send with it, and how its bytes are read.
pub(super) type Listed = (&'static str, &'static str, Content);

/// What OpenAI takes for file search, by extension (OpenAI's guide on file search; it compares case-sensitively, so
/// ours are lower-case), with the type to send and whether it is text.
pub(super) const LISTED: [Listed; 21] = [
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
pub(super) const OTHER_TEXT: &[&str] = &[
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
pub(super) const TEXT_TYPES: [&str; 6] = [
    "application/json",
    "application/sql",
    "application/toml",
    "application/xml",
    "application/x-ndjson",
    "application/yaml",
];

/// Types that say nothing of what is in a file.
pub(super) const UNSAID_TYPES: [&str; 6] = [
    "",
    "application/octet-stream",
    "application/unknown",
    "application/x-download",
    "application/force-download",
    "binary/octet-stream",
];

/// Families of types that OpenAI's file search reads nothing of.
const UNREAD_FAMILIES: [&str; 5] = ["audio/", "font/", "image/", "model/", "video/"];

/// Single types, or how they begin, of which it reads nothing either.
const UNREAD_TYPES: [&str; 17] = [
    "application/epub",
    "application/gzip",
    "application/java-archive",
    "application/rtf",
    "application/vnd.ms-",
    "application/vnd.oasis.",
    "application/vnd.openxmlformats-officedocument.spreadsheetml",
    "application/vnd.rar",
    "application/vnd.sqlite3",
    "application/x-7z",
    "application/x-bzip",
    "application/x-msdownload",
    "application/x-rar",
    "application/x-tar",
    "application/x-xz",
    "application/zip",
    "text/rtf",
];

/// Extensions of what it reads nothing of. Their bytes are looked at only where Fastio's type says that they could be read:
/// an archive of photographs would cost a download each.
const UNREAD: &[&str] = &[
    "7z", "aac", "ai", "apk", "avi", "avif", "bmp", "bz2", "dll", "dmg", "dwg", "eot", "epub", "exe", "flac",
    "gif", "gz", "heic", "heif", "ico", "iso", "jar", "jpeg", "jpg", "m4a", "m4v", "mdb", "mkv", "mov",
    "mp3", "mp4", "mpeg", "mpg", "msi", "numbers", "odg", "odp", "ods", "odt", "ogg", "otf", "pages", "png",
    "ppt", "psd", "rar", "rtf", "so", "sqlite", "svg", "tar", "tgz", "tif", "tiff", "ttf", "wasm", "wav",
    "webm", "webp", "wma", "wmv", "woff", "woff2", "xls", "xlsb", "xlsm", "xlsx", "xz", "zip", "zst",
];

/// What OpenAI lists for an extension, which is in lower case.
pub(super) fn by_extension(extension: &str) -> Option<&'static Listed> {
    LISTED.iter().find(|listed| listed.0 == extension)
}

/// The documents that OpenAI lists, by their type.
pub(super) fn document_by_type(mime_type: &str) -> Option<&'static Listed> {
    LISTED.iter().find(|(_, listed, content)| *content == Content::Binary && *listed == mime_type)
}

pub(super) fn is_text_type(mime_type: &str) -> bool {
    // Rich text is marked up text to a computer and noise to a reader.
    (mime_type.starts_with("text/") && mime_type != "text/rtf")
        || TEXT_TYPES.contains(&mime_type)
        || mime_type.ends_with("+json")
        || mime_type.ends_with("+xml") && !mime_type.starts_with("image/")
}

/// Whether a file of this extension and type is surely none that OpenAI's file search reads.
pub(super) fn is_unread(extension: Option<&str>, mime_type: &str) -> bool {
    UNREAD_FAMILIES.iter().chain(&UNREAD_TYPES).any(|begins| mime_type.starts_with(begins))
        || extension.is_some_and(|extension| UNREAD.contains(&extension))
}
