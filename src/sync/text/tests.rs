use encoding_rs::{ISO_8859_2, SHIFT_JIS, WINDOWS_1252};

use super::*;

fn text(bytes: &[u8], sort: Sort) -> String {
    String::from_utf8(prepare(bytes, sort).unwrap().bytes).unwrap()
}

fn plain(bytes: &[u8]) -> String {
    text(bytes, Sort::Plain)
}

fn utf16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(order).collect()
}

#[test]
fn single_bad_bytes_cost_themselves_and_nothing_else() {
    assert_eq!(plain(b"Haftung f\xc3\xbcr Sch\xc3\xa4den \xa7\xff"), "Haftung für Schäden ??");
    assert_eq!(plain(b"{\"party\": \"Acme\0 Ltd\"}"), "{\"party\": \"Acme  Ltd\"}");
}

#[test]
fn old_encodings_become_utf8() {
    let german = "Die Haftung des Lieferanten für Schäden beträgt höchstens 50.000 €.";
    assert_eq!(plain(&WINDOWS_1252.encode(german).0), german);
    let polish = "Odpowiedzialność dostawcy jest ograniczona do kwoty pięćdziesięciu tysięcy złotych; każda ze stron może \
                  wypowiedzieć umowę na piśmie.";
    assert_eq!(plain(&ISO_8859_2.encode(polish).0), polish);
    let japanese = "供給者の責任は、本契約に基づき支払われた金額を上限とする。ただし、故意または重大な過失による場合はこの限りではない。";
    assert_eq!(plain(&SHIFT_JIS.encode(japanese).0), japanese);
}

#[test]
fn utf16_is_known_without_its_mark() {
    let export = "Campaign;Clicks\r\nSpring;12\r\nSummer;40\r\n";
    assert_eq!(plain(&utf16(export, u16::to_le_bytes)), export);
    assert_eq!(plain(&utf16(export, u16::to_be_bytes)), export);
    let russian = "Ответственность поставщика ограничена суммой договора.\nСрок: 12 месяцев.\n";
    assert_eq!(plain(&utf16(russian, u16::to_le_bytes)), russian);
    let chinese = "供应商的责任以合同金额为限。\n期限：12个月。\n";
    assert_eq!(plain(&utf16(chinese, u16::to_be_bytes)), chinese);
    assert_eq!(plain(b"\xff\xfeh\0i\0"), "hi");
}

#[test]
fn utf32_is_read_by_its_mark_and_is_no_text_without() {
    let text = "Die Haftung beträgt höchstens 50.000 €. 供应商的责任 😀\r\n";
    for order in [u32::to_le_bytes, u32::to_be_bytes] {
        let bytes: Vec<u8> = text.chars().flat_map(|character| order(character.into())).collect();
        let marked = [&order(0xfeff)[..], &bytes].concat();
        assert_eq!(plain(&marked), text);
        assert_eq!(prepare(&bytes, Sort::Plain), Err(Unreadable::NoText));
        assert_eq!(prepare(&order(0xfeff), Sort::Plain), Err(Unreadable::Blank));
    }
}

#[test]
fn a_slip_makes_no_other_format_of_a_text() {
    for begin in ["<!DOCTYPE html>", "#!/bin/sh\n", "<?xml version=\"1.0\"?>", "BMW AG"] {
        let slip = format!("{begin}{} and \0 then\u{1a}", "a text of more than a few words".repeat(9));
        assert_eq!(plain(slip.as_bytes()), slip.replace('\0', " "));
    }
}

#[test]
fn what_does_not_look_like_text_is_none() {
    let noise: Vec<u8> =
        (0..400_u32).map(|n| [0, 1, 2, 3, 128, 200, 255][(n * n * 7 + n) as usize % 7]).collect();
    assert_eq!(prepare(&noise, Sort::Plain), Err(Unreadable::NoText));
    assert_eq!(
        prepare(b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0H\0H\0\0", Sort::Plain),
        Err(Unreadable::NoText)
    );
    for blank in [&b" \n\t"[..], b"\xef\xbb\xbf", b"\xff\xfe", b"\xff\xfe \0\n\0"] {
        assert_eq!(prepare(blank, Sort::Plain), Err(Unreadable::Blank), "{blank:?}");
    }
}

#[test]
fn a_picture_in_a_page_is_left_out_and_said_so() {
    let picture = "iVBORw0KGgo".repeat(1000);
    let page = format!(
        "# Plan\n\n![chart](data:image/png;base64,{picture}==) three words <a href='data:text/plain,x'>"
    );
    let prepared = prepare(page.as_bytes(), Sort::Markdown).unwrap();
    let left = String::from_utf8(prepared.bytes).unwrap();
    assert_eq!(left, "# Plan\n\n![chart]([image left out]) three words <a href='data:text/plain,x'>");
    assert_eq!(prepared.note.as_deref(), Some("1 embedded picture left out"));
    let only = format!("data:image/png;base64,{picture}");
    assert_eq!(prepare(only.as_bytes(), Sort::Page), Err(Unreadable::OnlyEmbedded));
    assert_eq!(
        text(b"write data:image/png;base64,... there", Sort::Markdown),
        "write data:image/png;base64,... there"
    );
}

#[test]
fn it_does_not_matter_how_a_text_is_cut() {
    let picture = "iVBORw0KGgo".repeat(30);
    let page = format!("für <img src=\"data:image/gif;base64,{picture}\"> and datadata: <p>");
    let mail = mail(&picture);
    for (whole, sort) in [(page, Sort::Page), (mail, Sort::Mail)] {
        let expected = text(whole.as_bytes(), sort);
        for step in [1, 2, 7, 100] {
            let mut flow = Flow::of(sort);
            let mut out = Vec::new();
            for piece in whole.as_bytes().chunks(step) {
                out.extend(flow.piece(bytes::Bytes::copy_from_slice(piece)).unwrap());
            }
            out.extend(flow.end());
            assert_eq!(String::from_utf8(out).unwrap(), expected, "in pieces of {step}");
        }
    }
}

#[test]
fn what_holds_only_pictures_is_so_of_any_length() {
    let picture = format!("data:image/png;base64,{}\n ", "iVBORw0KGgo".repeat(30));
    for (before, expected) in
        [("", Err(Unreadable::OnlyEmbedded)), ("\u{feff}", Err(Unreadable::OnlyEmbedded)), ("a", Ok(()))]
    {
        let whole = format!("{before}{picture}{picture}");
        assert_eq!(prepare(whole.as_bytes(), Sort::Markdown).map(drop), expected);
        for step in [7, 100, 10_000] {
            let mut flow = Flow::of(Sort::Markdown);
            for piece in whole.as_bytes().chunks(step) {
                flow.piece(bytes::Bytes::copy_from_slice(piece)).unwrap();
            }
            flow.end();
            assert_eq!(flow.readable(), expected, "in pieces of {step}");
        }
    }
}

fn mail(attached: &str) -> String {
    format!(
        "From: a@example.com\r\nSubject: Offer\r\nContent-Type: multipart/mixed;\r\n boundary=\"b 1\"\r\n\r\n--b 1\r\n\
         Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: base64\r\n\r\nSPZjaHN0ZW5z\r\nIDUw\r\n--b 1\r\n\
         Content-Type: application/pdf; name=\"offer.pdf\"\r\nContent-Transfer-Encoding: BASE64\r\n\r\n{attached}\r\n{attached}\r\n\
         --b 1\r\nContent-Type: text/plain\r\n\r\nRegards\r\n--b 1--\r\n"
    )
}

#[test]
fn a_mail_says_what_it_says_without_its_attachments() {
    let left = text(mail(&"JVBERi0x".repeat(9)).as_bytes(), Sort::Mail);
    assert!(left.contains("Höchstens 50") && left.contains("Regards"), "{left}");
    assert!(left.contains("[attachment left out: offer.pdf]") && !left.contains("JVBE"), "{left}");
}

#[test]
fn what_stands_for_an_attachment_stands_behind_its_header() {
    let header = "From: a@example.com\nContent-Type: application/pdf; name=\"a.pdf\"\nContent-Transfer-Encoding: base64\n\n";
    let left = text(format!("{header}JVBERi0x\n").as_bytes(), Sort::Mail);
    assert_eq!(left, format!("{header}[attachment left out: a.pdf]\n"));
}

#[test]
fn a_mail_in_quoted_printable_reads_as_it_was_written() {
    let part = |kind: &str, body: &str| {
        format!("--b\nContent-Type: {kind}\nContent-Transfer-Encoding: Quoted-Printable\n\n{body}\n")
    };
    let picture = "iVBORw0KGgo".repeat(30);
    let mail = format!(
        "Content-Type: multipart/alternative; boundary=b\n\n{}{}{}--b--\n",
        part("text/plain; charset=iso-8859-1", "H=F6chstens 50=\n.000"),
        part(
            "text/html",
            &format!("<p class=3D\"x\">f=C3=BCr <img src=3D\"data:image/png;base64,{picture}\">")
        ),
        part("application/xml", "<a b=3D\"c\">"),
    );
    let left = text(mail.as_bytes(), Sort::Mail);
    for said in ["\nHöchstens 50.000\n", "<p class=\"x\">für <img src=\"[image left out]\">", "<a b=3D\"c\">"]
    {
        assert!(left.contains(said), "{said} in {left}");
    }
}

#[test]
fn a_page_in_an_old_encoding_does_not_say_so_any_more() {
    let page = WINDOWS_1252.encode("<meta charset=\"windows-1252\"><p>Höhe – 5 €").0;
    assert_eq!(text(&page, Sort::Page), "<meta charset=\"utf-8\"><p>Höhe – 5 €");
}
