//! What a page of HTML says of its own encoding. When it goes as UTF-8, it has to say so, or a reader that heeds it sees
//! mojibake.

use std::borrow::Cow;

use encoding_rs::Encoding;

/// How far into a page it may say so. The standard of HTML has 1,024 bytes; pages were seen to take longer.
const WITHIN: usize = 8 * 1024;

/// The encoding that a page, or an XML document, names near its beginning.
pub(super) fn declared(page: &[u8]) -> Option<&'static Encoding> {
    let (from, to) = find(page)?;
    Encoding::for_label(&page[from..to])
}

/// `page`, which is in UTF-8 by now, saying so where it says something else.
pub(super) fn in_utf8(page: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    match find(&page) {
        Some((from, to)) if !page[from..to].eq_ignore_ascii_case(b"utf-8") => {
            let mut right = page.into_owned();
            right.splice(from..to, *b"utf-8");
            // XHTML says it twice.
            Cow::Owned(in_utf8(Cow::Owned(right)).into_owned())
        }
        _ => page,
    }
}

/// Where the first name of an encoding stands that is not UTF-8 already, else the first at all.
fn find(page: &[u8]) -> Option<(usize, usize)> {
    let lower = page[..page.len().min(WITHIN)].to_ascii_lowercase();
    let mut found = None;
    for (tag, attribute) in [(&b"<?xml"[..], &b"encoding"[..]), (b"<meta", b"charset")] {
        let mut from = 0;
        while let Some(begin) = position(&lower[from..], tag).map(|at| from + at) {
            let end =
                lower[begin..].iter().position(|byte| *byte == b'>').map_or(lower.len(), |at| begin + at);
            if let Some((first, last)) = value(&lower[begin..end], attribute) {
                let place = (begin + first, begin + last);
                if &lower[place.0..place.1] != b"utf-8" {
                    return Some(place);
                }
                found = found.or(Some(place));
            }
            from = end;
        }
    }
    found
}

/// Where the value of `attribute` stands in a tag, without quotes.
fn value(tag: &[u8], attribute: &[u8]) -> Option<(usize, usize)> {
    let mut at = position(tag, attribute)? + attribute.len();
    at += tag[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    if tag.get(at) != Some(&b'=') {
        return None;
    }
    at += 1;
    at += tag[at..]
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\''))
        .count();
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'.');
    let length = tag[at..].iter().take_while(is_name).count();
    (length > 0).then_some((at, at + length))
}

fn position(bytes: &[u8], sought: &[u8]) -> Option<usize> {
    bytes.windows(sought.len()).position(|window| window == sought)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right(page: &str) -> String {
        String::from_utf8(in_utf8(Cow::Borrowed(page.as_bytes())).into_owned()).unwrap()
    }

    #[test]
    fn a_page_in_utf8_says_so_wherever_it_said_something_else() {
        assert_eq!(right("<META Charset='windows-1252'>"), "<META Charset='utf-8'>");
        assert_eq!(
            right("<meta http-equiv=\"Content-Type\" content=\"text/html; charset=iso-8859-1\"><p>charset=x"),
            "<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\"><p>charset=x"
        );
        assert_eq!(
            right("<?xml version=\"1.0\" encoding=\"latin1\"?><meta charset=latin1>"),
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><meta charset=utf-8>"
        );
        for page in ["<meta charset=UTF-8>", "<meta name=charset>", "no page at all"] {
            assert_eq!(right(page), page);
        }
        assert_eq!(declared(b"<meta charset=\"shift_jis\">").unwrap().name(), "Shift_JIS");
    }
}
