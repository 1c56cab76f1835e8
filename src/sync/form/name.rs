//! Names as they are sent: safe in a header, short enough, and with the extension that OpenAI goes by.

/// The longest name that is sent. Longer ones lose their middle; nothing documents OpenAI's limit, file systems' is 255.
pub(super) const LONGEST: usize = 200;

/// The extension in lower case. A leading dot makes a hidden file, not an extension.
pub(super) fn extension(name: &str) -> Option<String> {
    let (stem, extension) = name.rsplit_once('.')?;
    (!stem.is_empty() && !extension.is_empty()).then(|| extension.to_ascii_lowercase())
}

/// A name that may stand in a multipart header and in a citation, and that every encoding on the way keeps: no control
/// characters (reqwest 0.13.5 leaves a line break in the header), no path, and nothing that a header quotes or escapes.
/// How a server takes a backslash, a quote or a percent sign apart differs from one to the next, and by its name a File
/// object is found whose upload was not answered.
pub(super) fn clean(name: &str) -> String {
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
pub(super) fn shorten(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let half = (limit - '…'.len_utf8()) / 2;
    let head = text.floor_char_boundary(half);
    let tail = text.ceil_char_boundary(text.len() - half);
    format!("{}…{}", &text[..head], &text[tail..])
}

/// `stem` with `extension`, as long as a name may be.
pub(super) fn with(stem: &str, extension: &str) -> String {
    format!("{}.{extension}", shorten(stem, LONGEST - extension.len() - 1))
}

/// Whether a name says that it is of a format, known here or not: `drawing.xyz` does, `NDA v2.1` and `README` do not. A hidden
/// file is some program's.
pub(super) fn says_a_format(name: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphabetic()) && word.chars().all(|c| c.is_ascii_alphanumeric())
    };
    name.starts_with('.') || extension(name).is_some_and(|extension| is_word(&extension))
}
