use super::*;

fn claim(name: &str, mime_type: Option<&str>, size: u64) -> Result<Claim, String> {
    super::claim(&Offer { kind: NodeKind::File, name, mime_type, size, extraction: Extraction::None })
}

fn name(given: &str) -> String {
    claim(given, None, 1).unwrap().filename()
}

fn sent(given: &str, mime_type: &str, bytes: &[u8]) -> Result<String, String> {
    claim(given, Some(mime_type), 9)?
        .form(bytes, true)
        .map(|form| format!("{} {}", form.filename, form.mime_type))
}

const GENERIC: &str = "application/octet-stream";

#[test]
fn a_listed_extension_is_sent_in_lower_case() {
    assert_eq!(name("report.PDF"), "report.pdf");
    assert_eq!(name("a.b.Docx"), "a.b.docx");
}

#[test]
fn text_that_is_not_listed_is_sent_as_txt() {
    assert_eq!(name("data.CSV"), "data.CSV.txt");
    assert_eq!(name("Makefile"), "Makefile.txt");
    let named = |name, mime_type| claim(name, Some(mime_type), 1).unwrap().filename();
    assert_eq!(named("notes", "text/plain; charset=latin1"), "notes.txt");
    assert_eq!(named("feed.weird", "application/atom+xml"), "feed.weird.txt");
}

#[test]
fn what_cannot_be_read_is_skipped_with_a_reason() {
    assert_eq!(
        claim("logo.PNG", Some("image/png"), 9).unwrap_err(),
        "OpenAI's file search does not read .png files, and Fastio has read no text out of it"
    );
    assert_eq!(claim("empty.txt", None, 0).unwrap_err(), "the file is empty");
    assert!(claim("letter.rtf", Some("text/rtf"), 9).is_err());
    assert!(claim("big.pdf", None, LARGEST + 1).unwrap_err().contains("536 MB"));
    assert!(claim("big.pdf", None, LARGEST).is_ok());
    assert!(sent("NDA v2.1", GENERIC, b"\0\x01\x02\x03\0\x01\x02\x03").unwrap_err().contains(".1 files"));
}

#[test]
fn workbooks_of_each_kind_go_as_their_sheets_by_name_or_type() {
    let instead = |name, mime_type| claim(name, Some(mime_type), 9).ok().and_then(|claim| claim.stands_in());
    for name in ["a.XLS", "a.xlsx", "a.xlsm", "a.xlsb", "a.ods"] {
        assert_eq!(instead(name, GENERIC), Some(Instead::Sheets), "{name}");
    }
    for mime_type in ["application/vnd.ms-excel", "application/vnd.oasis.opendocument.spreadsheet"] {
        assert_eq!(instead("Rates", mime_type), Some(Instead::Sheets));
    }
    // Old Office files of other kinds begin with the same bytes, and tables of text are called Excel's by some.
    assert_eq!(instead("a.ppt", "application/vnd.ms-powerpoint"), None);
    assert_eq!(instead("a.msg", "application/vnd.ms-outlook"), None);
    assert_eq!(instead("a.odt", "application/vnd.oasis.opendocument.text"), None);
    assert_eq!(sent("a.csv", "application/vnd.ms-excel", b"a,b").unwrap(), "a.csv.txt text/plain");
}

#[test]
fn a_type_or_the_bytes_say_what_a_name_does_not() {
    assert_eq!(
        sent("Master Agreement", "application/pdf", b"\x01\x02\x03").unwrap(),
        "Master Agreement.pdf application/pdf"
    );
    assert_eq!(sent("NDA v2.1", GENERIC, b"%PDF-1.7\n%\xe2\xe3").unwrap(), "NDA v2.1.pdf application/pdf");
    assert_eq!(
        sent("2024.01.15-notes", GENERIC, b"what was said").unwrap(),
        "2024.01.15-notes.txt text/plain"
    );
    assert!(sent("drawing.xyz", GENERIC, b"not known").unwrap_err().contains(".xyz files"));
    assert!(sent(".netrc", GENERIC, b"password 1234").is_err());
    assert_eq!(sent("scan.txt", "text/plain", b"%PDF-1.7\n%\xe2\xe3").unwrap(), "scan.pdf application/pdf");
    assert!(
        sent("notes.md", "text/markdown", b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01").unwrap_err().contains("JPEG")
    );
    assert!(sent("notes.txt", "text/plain", b"PK\x03\x04\x14\0\0\0\x08\0a.csv").unwrap_err().contains("ZIP"));
    assert!(sent("page.html", "text/html", b"GIF89a\x01\0\x01\0\x80\0\0").unwrap_err().contains("GIF"));
}

#[test]
fn text_under_the_name_of_a_document_is_openais_to_judge() {
    assert_eq!(sent("memo.pdf", "application/pdf", b"a memo").unwrap(), "memo.pdf application/pdf");
    assert!(sent("letter.doc", "application/msword", b"{\\rtf1 a letter}").is_ok());
    assert!(
        sent("photo.pdf", "application/pdf", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").unwrap_err().contains("PNG")
    );
}

#[test]
fn names_lose_what_would_break_a_header() {
    assert_eq!(name("a\r\nX-Evil: 1.txt"), "aX-Evil: 1.txt");
    assert_eq!(name("folder/\u{7}a.txt"), "a.txt");
    assert_eq!(name("back\\slash \"100%\".txt"), "back_slash '100_'.txt");
    assert_eq!(name("déjà vu – 契約.txt"), "déjà vu – 契約.txt");
    assert_eq!(claim("\n\u{7}", Some("text/plain"), 1).unwrap().filename(), "unnamed.txt");
}

#[test]
fn what_was_sent_is_known_by_its_name_again() {
    for given in ["report.PDF", "data.CSV", "Makefile", "a\\b.txt", &format!("{}.pdf", "ä".repeat(300))] {
        let sent = name(given);
        assert!(may_be_sent_as(given, &sent) && !may_be_sent_as("other.txt", &sent), "{given}");
    }
    assert!(may_be_sent_as("scan.txt", "scan.pdf") && may_be_sent_as("NDA v2.1", "NDA v2.1.pdf"));
    assert!(!may_be_sent_as("memo.pdf", "memo.txt") && !may_be_sent_as("a.md", "a.html"));
}

#[test]
fn a_copy_meets_the_claim_it_was_made_under_and_that_of_what_it_was_sent_as() {
    let claim = |name: &str| claim(name, None, 9).unwrap();
    assert!(claim("scan.txt").is_met_by(Some("txt"), "scan.pdf"), "its bytes were a PDF");
    assert!(claim("scan.pdf").is_met_by(Some("txt"), "scan.pdf"), "and now its name says so");
    assert!(!claim("memo.txt").is_met_by(Some("pdf"), "memo.pdf"));
    assert!(!claim("scan.pdf").is_met_by(None, "scan.txt"), "an earlier version sent it as text");
    assert!(claim("page.htm").is_met_by(None, "page.htm.txt") && claim("b.tsv").is_met_by(None, "a.csv.txt"));
}

#[test]
fn a_long_name_keeps_both_ends_and_its_extension() {
    let long = format!("{}end.pdf", "ä".repeat(300));
    let sent = name(&long);
    assert!(sent.len() <= name::LONGEST && sent.starts_with('ä') && sent.ends_with("end.pdf"), "{sent}");
}
