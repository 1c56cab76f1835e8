//! What goes to OpenAI in the place of a file's bytes, where its file search would read nothing in them.

/// A text that stands for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instead {
    /// What Fastio read out of it, or is still reading.
    Extract { is_there: bool },
    /// A workbook's values, written out by Docket.
    Sheets,
    /// A note of Fastio's, which has its text and no bytes of its own.
    Note,
    /// Where a link of Fastio's leads to.
    Link,
}

/// Extensions of workbooks that Docket writes out itself.
const WORKBOOKS: [&str; 5] = ["ods", "xls", "xlsb", "xlsm", "xlsx"];

const WORKBOOK_TYPES: [&str; 5] = [
    "application/vnd.ms-excel",
    "application/vnd.ms-excel.sheet.macroenabled.12",
    "application/vnd.ms-excel.sheet.binary.macroenabled.12",
    "application/vnd.oasis.opendocument.spreadsheet",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
];

const EXTRACT: &str = "fastio";
const SHEETS: &str = "csv";

impl Instead {
    /// What a copy is known by that was made so.
    pub fn key(self) -> &'static str {
        match self {
            Instead::Extract { is_there: true } => EXTRACT,
            // What is refused because it takes Fastio too long gets its chance when the text is there.
            Instead::Extract { is_there: false } => "fastio?",
            Instead::Sheets => SHEETS,
            Instead::Note => "note",
            Instead::Link => "link",
        }
    }

    /// Who wrote the text, as the copy's attributes tell it. A note is its own text.
    pub fn text_by(self) -> Option<&'static str> {
        match self {
            Instead::Extract { .. } => Some("fastio"),
            Instead::Sheets | Instead::Link => Some("docket"),
            Instead::Note => None,
        }
    }

    /// What is to be said of the copy, in words.
    pub fn words(self) -> Option<&'static str> {
        match self {
            Instead::Extract { .. } => Some("what can be searched is the text that Fastio read out of it"),
            Instead::Sheets => Some("what can be searched is its sheets, written out as CSV"),
            Instead::Note | Instead::Link => None,
        }
    }
}

/// Whether Docket can write out the sheets of a file of this extension and type, both in lower case.
pub(super) fn is_workbook(extension: Option<&str>, mime_type: &str) -> bool {
    extension.map_or(WORKBOOK_TYPES.contains(&mime_type), |extension| WORKBOOKS.contains(&extension))
}

/// What stands at the top of a result over a text that stands for its document, by the key of its copy.
pub fn note_on_result(key: &str) -> Option<&'static str> {
    match key {
        EXTRACT => Some(
            "What was read is the text that Fastio read out of the document, not the document itself: what stands in its \
             pictures or its layout may be missing, and words may be misread.",
        ),
        SHEETS => Some(
            "What was read is the values of the document's sheets, written out as CSV: its formulas, charts and comments \
             were not.",
        ),
        _ => None,
    }
}

/// Whether a copy of this key holds what Fastio read out of its file.
pub fn is_extract(key: &str) -> bool {
    key == EXTRACT
}
