//! Text that is meant to do something, in what is made for a browser, for Word and for spreadsheets: each is read by a parser of others,
//! and holds nothing but what is on a list.

use std::cell::RefCell;
use std::io::{Cursor, Read};

use html5ever::tokenizer::{
    BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};
use proptest::prelude::*;
use zip::ZipArchive;

use super::hostile_tests::{hostile, said};
use super::*;

/// What a page for a browser is made of.
const ELEMENTS: [&str; 30] = [
    "html",
    "head",
    "meta",
    "style",
    "title",
    "body",
    "p",
    "br",
    "hr",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "em",
    "strong",
    "ul",
    "ol",
    "li",
    "blockquote",
    "pre",
    "code",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "a",
];

/// The tags of a page, and what else is in it but text.
#[derive(Default)]
struct Tags(RefCell<Vec<String>>);

impl TokenSink for Tags {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let fault = match token {
            Token::TagToken(tag) => {
                let attributes = tag.attrs.iter().map(|one| (&*one.name.local, &*one.value));
                let is_plain = ELEMENTS.contains(&&*tag.name)
                    && attributes.clone().all(|(name, value)| harmless(&tag.name, name, value));
                (tag.kind == TagKind::StartTag && !is_plain).then(|| format!("{tag:?}"))
            }
            Token::CommentToken(text) => Some(format!("a comment: {text}")),
            _ => None,
        };
        self.0.borrow_mut().extend(fault);
        TokenSinkResult::Continue
    }
}

fn harmless(tag: &str, name: &str, value: &str) -> bool {
    match (tag, name) {
        ("a", "href") => leads_where_it_may(value),
        ("a", "rel") => value == "noopener noreferrer",
        ("ol", "start") => value.parse::<u64>().is_ok(),
        ("html", "lang") => true,
        ("meta", "charset" | "name") => true,
        ("meta", "http-equiv") => value == "Content-Security-Policy",
        ("meta", "content") => {
            ["width=device-width", "no-referrer", "default-src 'none'; style-src 'unsafe-inline'"]
                .contains(&value)
        }
        _ => false,
    }
}

fn leads_where_it_may(address: &str) -> bool {
    address.starts_with("https://") || address.starts_with("mailto:")
}

fn fault_for_a_browser(html: &str) -> Option<String> {
    let input = BufferQueue::default();
    input.push_back(html.into());
    let tokenizer = Tokenizer::new(Tags::default(), TokenizerOpts::default());
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.0.take().into_iter().next()
}

/// One part of a package.
pub fn part(package: &[u8], name: &str) -> String {
    let mut package = ZipArchive::new(Cursor::new(package)).unwrap();
    let mut text = String::new();
    package.by_name(name).unwrap().read_to_string(&mut text).unwrap();
    text
}

const PARTS: [&str; 5] = [
    "[Content_Types].xml",
    "_rels/.rels",
    "word/document.xml",
    "word/_rels/document.xml.rels",
    "word/styles.xml",
];

/// What a document for Word is made of. There is no field among it, and no object.
const WORD: [&str; 32] = [
    "document",
    "body",
    "p",
    "pPr",
    "pStyle",
    "ind",
    "r",
    "rPr",
    "rStyle",
    "b",
    "i",
    "t",
    "tab",
    "br",
    "hyperlink",
    "tbl",
    "tblPr",
    "tblStyle",
    "tblW",
    "tblGrid",
    "gridCol",
    "tr",
    "trPr",
    "tblHeader",
    "tc",
    "tcPr",
    "tcW",
    "sectPr",
    "pgSz",
    "pgMar",
    "shd",
    "jc",
];

fn fault_for_word(package: &[u8]) -> Option<String> {
    let names: Vec<String> = ZipArchive::new(Cursor::new(package))
        .unwrap()
        .file_names()
        .map(|name| name.unwrap().into_owned())
        .collect();
    if names != PARTS {
        return Some(format!("parts {names:?}"));
    }
    for name in PARTS {
        let text = part(package, name);
        let Ok(document) = roxmltree::Document::parse(&text) else {
            return Some(format!("{name} is no XML: {text}"));
        };
        let elements = document.descendants().filter(|node| node.is_element());
        for element in elements {
            let fault = match name {
                "word/document.xml" => !WORD.contains(&element.tag_name().name()),
                "word/_rels/document.xml.rels" => {
                    let target = element.attribute("Target").unwrap_or("styles.xml");
                    target != "styles.xml" && !leads_where_it_may(target)
                }
                _ => false,
            };
            if fault {
                return Some(format!("{name}: {element:?}"));
            }
        }
    }
    let text = part(package, "word/document.xml");
    text.chars().find(|c| crate::hidden::is_hidden(*c) && !matches!(c, '\n' | '\t')).map(|c| format!("{c:?}"))
}

fn page<'a>(answer: Answer<'a>, evil: &'a str, judgement: &'a Judgement) -> ResultPage<'a> {
    ResultPage {
        provenance: Provenance {
            file: evil,
            version: evil,
            rule: evil,
            engine: "responses",
            model: evil,
            definition: "d",
            response: Some(evil),
            started_at: 0,
            finished_at: 1,
            tokens: None,
        },
        answer,
        notes: &[],
        unread: Some(evil),
        notice: Some(evil),
        judgement: Some(judgement),
        asked: Some(Asked { prompt: evil, since: 0 }),
    }
}

fn does_nothing(text: &str) -> Result<(), TestCaseError> {
    let judgement = said(text);
    let page = page(Answer::Text(text), text, &judgement);
    prop_assert_eq!(fault_for_a_browser(&html(&page)), None, "{:?}", text);
    prop_assert_eq!(fault_for_word(&word(&page)), None, "{:?}", text);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_in_a_page_for_a_browser_or_word_does_anything(text in hostile()) {
        does_nothing(&text)?;
    }
}

#[test]
fn what_is_hostile_to_pages_does_nothing() {
    for text in [
        "</title><script>alert(1)</script>",
        "--><img src=x onerror=y>",
        "\"><a href='javascript:x'>x</a>",
        "</w:t></w:r><w:r><w:fldChar w:fldCharType=\"begin\"/></w:r>",
        "]]><!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>&e;",
        "{ HYPERLINK \"http://evil.example\" } { INCLUDEPICTURE \"https://evil.example/p\" }",
        "DDEAUTO c:\\windows\\system32\\cmd.exe",
        "[x](https://ok.example/?\"&<>') [y](http://evil.example) ![z](https://evil.example/z)",
        "\u{0}\u{1b}[2J\u{202e}\u{fffe}\u{ffff}\u{feff}",
        "> - 1. # x\n>   | a |\n>   |---|\n>   | b |",
    ] {
        does_nothing(text).unwrap();
    }
}
