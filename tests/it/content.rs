//! What a file is: its bytes, its type at Fastio and its name decide together in which form OpenAI gets it.

use std::fmt::Write;

use serde_json::json;

use crate::harness::{Harness, WORKSPACE, hex_sha256};

const JPEG: &[u8] =
    b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0H\0H\0\0\xff\xdb\0C\0\x08\x06\x06\x07\x06\x05\x08\x07";
const PDF: &[u8] = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\nBT (Liability is capped.) Tj ET\nstream\n\x78\x9c\x03\0\xd7\xa5\x6d\nendstream";

/// Bytes in which nothing can be read.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 7_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        [0, 1, 2, 3, 128, 200, 255][(state >> 24) as usize % 7]
    };
    (0..length).map(|_| next()).collect()
}

fn zip(entry: &str) -> Vec<u8> {
    let length = u8::try_from(entry.len()).unwrap();
    [
        &b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"[..],
        &[length, 0, 0, 0],
        entry.as_bytes(),
        &noise(200),
    ]
    .concat()
}

fn utf16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(order).collect()
}

impl Harness {
    async fn put_these(&self, files: &[(&str, Vec<u8>)]) {
        for (path, content) in files {
            self.put_bytes(WORKSPACE, path, content.clone()).await;
        }
        self.settle().await;
        assert!(self.jobs().await.is_empty(), "{:#?}", self.jobs().await);
    }

    /// `NAME at OpenAI`, sorted.
    async fn sent(&self) -> Vec<String> {
        let mut names: Vec<String> = self.copies().await.into_iter().map(|copy| copy.filename).collect();
        names.sort();
        names
    }

    /// Ends a test in which Docket sent texts otherwise than they are, or not at all, and meant to.
    async fn finish_having_judged(self) {
        self.finish_leaving_kinds(&["held otherwise than it is", "skipped"]).await;
    }
}

#[tokio::test]
async fn binary_under_the_name_of_a_text_goes_as_what_it_is_or_is_skipped_with_the_reason() {
    let h = Harness::start().await;
    h.put_these(&[
        ("/scan.txt", PDF.to_vec()),
        ("/notes.md", JPEG.to_vec()),
        (
            "/page.html",
            b"GIF89a\x01\0\x01\0\x80\0\0\xff\xff\xff\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;".to_vec(),
        ),
        ("/archive.txt", zip("holiday.jpg")),
        ("/film.json", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\0\0\0\x08mdat".to_vec()),
        ("/letter.pdf", zip("word/document.xml")),
        ("/slides.docx", zip("ppt/presentation.xml")),
        ("/table.docx", zip("xl/workbook.xml")),
        ("/noise.csv", noise(4_000)),
    ])
    .await;
    assert_eq!(h.sent().await, ["letter.docx", "scan.pdf", "slides.pptx"]);
    let skipped = h.skipped().await;
    let told = |name: &str, what: &str| {
        let line = skipped.iter().find(|line| line.starts_with(&format!("/{name}:")));
        assert!(line.is_some_and(|line| line.contains(what)), "{name}: {what} in {skipped:#?}");
    };
    told("notes.md", "its name ends in .md, but what is in it is JPEG");
    told("page.html", "GIF");
    told("archive.txt", "a ZIP archive");
    told("film.json", "MP4");
    told("table.docx", "an Excel workbook");
    told("noise.csv", "does not look like text");
    assert_eq!(h.text("scan.pdf").await, "Liability is capped.\n");
    h.finish_having_judged().await;
}

#[tokio::test]
async fn a_type_that_is_known_needs_no_extension() {
    let h = Harness::start().await;
    for path in ["/Master%20Agreement", "/NDA%20v2.1"] {
        h.put_as("application/pdf", path, noise(400)).await;
    }
    h.put_these(&[
        ("/Deed", PDF.to_vec()),
        ("/report-v1.2", PDF.to_vec()),
        ("/2024.01.15-notes", b"What was said on liability.".to_vec()),
        ("/core.1234", noise(400)),
    ])
    .await;
    let expected =
        ["2024.01.15-notes.txt", "Deed.pdf", "Master Agreement.pdf", "NDA v2.1.pdf", "report-v1.2.pdf"];
    assert_eq!(h.sent().await, expected);
    assert_eq!(h.skipped().await, ["/core.1234: OpenAI's file search does not read .1234 files"]);
    h.finish_having_judged().await;
}

#[tokio::test]
async fn text_is_found_in_whatever_encoding_it_is() {
    let h = Harness::start().await;
    let export = "Campaign;Clicks;Liability\r\nSpring;12;none\r\nSummer;40;none\r\n";
    let latin =
        "Odpowiedzialność dostawcy jest ograniczona; każda ze stron może wypowiedzieć umowę na piśmie.";
    let japanese = "供給者の責任は、本契約に基づき支払われた金額を上限とする。ただし、故意または重大な過失による場合はこの限りではない。";
    h.put_these(&[
        ("/export.csv", utf16(export, u16::to_le_bytes)),
        ("/export.txt", utf16(export, u16::to_be_bytes)),
        ("/marked.txt", [b"\xff\xfe".to_vec(), utf16(export, u16::to_le_bytes)].concat()),
        ("/polish.txt", encoding_rs::ISO_8859_2.encode(latin).0.into_owned()),
        ("/japanese.txt", encoding_rs::SHIFT_JIS.encode(japanese).0.into_owned()),
        ("/german.txt", b"Haftung f\xfcr Sch\xe4den h\xf6chstens 50.000 \x80".to_vec()),
        ("/broken.txt", b"Haftung f\xc3\xbcr Sch\xc3\xa4den \xa7\xff".to_vec()),
        ("/nul.json", b"{\"party\": \"Acme\0 Ltd\", \"cap\": 50000, \"currency\": \"EUR\"}".to_vec()),
        ("/mark.txt", b"\xef\xbb\xbf".to_vec()),
        ("/empty.txt", Vec::new()),
    ])
    .await;
    for name in ["export.csv.txt", "export.txt", "marked.txt"] {
        assert_eq!(h.text(name).await, export, "{name}");
    }
    assert_eq!(h.text("polish.txt").await, latin);
    assert_eq!(h.text("japanese.txt").await, japanese);
    assert_eq!(h.text("german.txt").await, "Haftung für Schäden höchstens 50.000 €");
    assert_eq!(h.text("broken.txt").await, "Haftung für Schäden ??");
    assert_eq!(h.text("nul.json").await, "{\"party\": \"Acme  Ltd\", \"cap\": 50000, \"currency\": \"EUR\"}");
    let blank = ["/empty.txt: the file is empty", "/mark.txt: the file holds only white space"];
    assert_eq!(h.skipped().await, blank);
    let rows = h.records().files(&Default::default()).await;
    let broken = rows.iter().find(|row| row.path.as_deref() == Some("/broken.txt")).unwrap();
    assert_eq!(broken.copy.note.as_deref(), Some("2 bytes that are no text replaced"));
    h.finish_having_judged().await;
}

#[tokio::test]
async fn a_page_that_becomes_utf8_says_so() {
    let h = Harness::start().await;
    h.put_these(&[("/page.html", b"<meta charset=\"windows-1252\"><p>H\xf6he: 5 \x80</p>".to_vec())]).await;
    assert_eq!(h.text("page.html").await, "<meta charset=\"utf-8\"><p>Höhe: 5 €</p>");
    h.finish_having_judged().await;
}

#[tokio::test]
async fn pictures_and_attachments_are_left_out_and_it_is_said() {
    let h = Harness::start().await;
    let picture = "iVBORw0KGgo".repeat(28_000);
    let markdown = format!("![plan](data:image/png;base64,{picture}) three small words");
    let mut mail = "From: a@example.com\r\nSubject: Offer\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=XY\r\n\r\n\
        --XY\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nPlease find our offer.\r\n\
        --XY\r\nContent-Type: application/pdf; name=\"offer.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        .to_owned();
    // More than is held as a whole.
    let line = "JVBERi0xLjQKJeLjz9MK".repeat(3);
    (0..90_000).for_each(|_| write!(mail, "{line}\r\n").unwrap());
    mail.push_str("--XY\r\nContent-Type: text/plain\r\n\r\nRegards\r\n--XY--\r\n");
    let only = format!("<img src='data:image/jpeg;base64,{}'>", "/9j/4AAQ".repeat(100));
    h.put_these(&[
        ("/plan.md", markdown.into_bytes()),
        ("/offer.eml", mail.into_bytes()),
        ("/only.md", format!("data:image/png;base64,{picture}").into_bytes()),
        ("/page.htm", only.into_bytes()),
    ])
    .await;
    assert_eq!(h.text("plan.md").await, "![plan]([image left out]) three small words");
    let mail = h.text("offer.eml.txt").await;
    assert!(mail.contains("our offer") && mail.contains("Regards") && mail.len() < 500, "{mail}");
    assert!(mail.contains("[attachment left out: offer.pdf]"), "{mail}");
    assert_eq!(h.text("page.htm.txt").await, "<img src='[image left out]'>");
    for copy in h.copies().await {
        assert!(copy.bytes < 500, "{} has {} bytes", copy.filename, copy.bytes);
    }
    assert!(h.skipped().await[0].starts_with("/only.md: the file holds only embedded pictures"));
    let rows = h.records().files(&Default::default()).await;
    let note =
        |path: &str| rows.iter().find(|row| row.path.as_deref() == Some(path)).unwrap().copy.note.clone();
    assert_eq!(note("/plan.md").as_deref(), Some("1 embedded picture left out"));
    assert_eq!(note("/offer.eml").as_deref(), Some("1 embedded file left out"));
    h.finish_having_judged().await;
}

#[tokio::test]
async fn a_long_text_is_mended_while_it_passes() {
    let h = Harness::start().await;
    let mut text = "Haftung für Schäden.\n".repeat(300_000).into_bytes();
    let middle = text.len() / 2 / 23 * 23;
    text[middle] = 0xff;
    h.put_these(&[("/long.txt", text.clone())]).await;
    text[middle] = b'?';
    let copy = &h.copies().await[0];
    assert_eq!(copy.sha256, hex_sha256(&text));
    h.finish_having_judged().await;
}

#[tokio::test]
async fn another_name_for_the_same_bytes_is_a_new_form() {
    let h = Harness::start().await;
    h.put("/memo.pdf", "What was agreed on liability.").await;
    h.openai_fails(json!({"kind": "index_failure", "code": "invalid_file", "count": 1})).await;
    h.settle().await;
    assert!(h.skipped().await[0].starts_with("/memo.pdf: OpenAI could not index it"));
    h.rename("/memo.pdf", "/memo.txt").await;
    h.converges().await;
    assert_eq!(h.sent().await, ["memo.txt"]);
    // What an earlier version sent as text, by its name alone.
    h.put_bytes(WORKSPACE, "/scan.txt", PDF.to_vec()).await;
    h.settle().await;
    h.meddle("UPDATE copy SET claim = NULL, filename = 'scan.txt' WHERE filename = 'scan.pdf'").await;
    h.rename("/scan.txt", "/scan.pdf").await;
    h.converges().await;
    assert_eq!((h.sent().await, h.uploads().await), (vec!["memo.txt".to_owned(), "scan.pdf".to_owned()], 4));
    // And what was recognised before it got its right name has its form already.
    h.put_bytes(WORKSPACE, "/other.txt", [PDF, b" "].concat()).await;
    h.converges().await;
    h.rename("/other.txt", "/other.pdf").await;
    h.converges().await;
    assert_eq!(h.uploads().await, 5);
    h.finish().await;
}

#[tokio::test]
async fn a_file_that_was_refused_under_another_name_is_found_by_a_sweep() {
    let h = Harness::start().await;
    h.put("/memo.pdf", "What was agreed on liability.").await;
    h.openai_fails(json!({"kind": "index_failure", "code": "invalid_file", "count": 1})).await;
    h.settle().await;
    h.without_webhooks().await;
    h.rename("/memo.pdf", "/memo.txt").await;
    h.sweep().await;
    h.no_faults().await;
    h.settle().await;
    assert_eq!(h.sent().await, ["memo.txt"]);
    h.finish().await;
}
