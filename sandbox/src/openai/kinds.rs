//! Which files a vector store takes, by the table of OpenAI's guide on file search.

/// Extensions are case-sensitive: users report that `report.PDF` is refused.
pub const EXTENSIONS: [&str; 21] = [
    ".c", ".cpp", ".cs", ".css", ".doc", ".docx", ".go", ".html", ".java", ".js", ".json", ".md", ".pdf",
    ".php", ".pptx", ".py", ".rb", ".sh", ".tex", ".ts", ".txt",
];

/// Those that are not plain text inside.
const BINARY: [&str; 4] = [".doc", ".docx", ".pdf", ".pptx"];

/// The extension with its dot, or nothing.
pub fn extension(filename: &str) -> &str {
    filename.rfind('.').map_or("", |dot| &filename[dot..])
}

pub fn supported(filename: &str) -> bool {
    EXTENSIONS.contains(&extension(filename))
}

pub fn is_text(filename: &str) -> bool {
    supported(filename) && !BINARY.contains(&extension(filename))
}

/// The refusal as users of the SDKs report it.
pub fn unsupported(filename: &str) -> String {
    let extension = Some(extension(filename)).filter(|extension| !extension.is_empty()).unwrap_or("none");
    format!(
        "Files with extensions [{extension}] are not supported for retrieval. Supported file types include: [{}]",
        EXTENSIONS.join(", ")
    )
}
