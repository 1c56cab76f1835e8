//! Text that is meant to do something, through two renderers of others: what they make of it shows, and
//! does nothing.

use proptest::prelude::*;
use serde_json::json;

use super::*;

#[path = "../../../fuzz/renderers.rs"]
mod renderers;

use renderers::{fault, rendered};

/// Pieces of which hostile text is made.
const PIECES: [&str; 76] = [
    "\\",
    "!",
    "[",
    "]",
    "(",
    ")",
    "<",
    ">",
    "`",
    "```",
    "~~~",
    "*",
    "_",
    "**",
    "|",
    "\n",
    "\n\n",
    "    ",
    "\t",
    "- ",
    "1. ",
    "> ",
    "# ",
    "---",
    "===",
    ":-:",
    "|-|-|",
    "|---|---|\n",
    "&",
    "&#",
    "&lt;",
    "&#60;",
    "&#x3c;",
    "&#10004;",
    "&check;",
    ";",
    "img src=x onerror=y",
    "script>",
    "<img src=x>",
    "<script>",
    "</p>",
    "<!--",
    "-->",
    "<![CDATA[",
    "<?x",
    "<a href='javascript:x'>",
    "![x](https://evil.example/p)",
    "[x](javascript:x)",
    "[x](https://ok.example/a?b&c)",
    "[x](data:text/html,x)",
    "[x]",
    "[x]: http://evil.example/r",
    "[^1]",
    "[^1]: note",
    "http://evil.example/?q",
    "https://evil.example",
    "www.evil.example",
    "ftp://evil.example",
    "xmpp:a@evil.example",
    "mailto:a@evil.example",
    "a@evil.example",
    "<http://evil.example>",
    "<javascript:x>",
    "javascript:alert(1)",
    "✔",
    "✓",
    "⚠",
    "UNVERIFIED",
    "\u{202e}",
    "\u{200b}",
    "\r",
    "\u{0}",
    "$x$",
    "a",
    " ",
    "text",
];

fn does_nothing(markdown: &str) -> Result<(), TestCaseError> {
    for html in rendered(markdown) {
        prop_assert_eq!(fault(&html), None, "{:?} became {:?}", markdown, html);
    }
    Ok(())
}

pub(super) fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => prop::sample::select(PIECES.to_vec()).prop_map(str::to_owned),
        1 => "\\PC{1,3}",
    ];
    prop::collection::vec(piece, 1..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn nothing_that_a_model_writes_does_anything(text in hostile()) {
        does_nothing(&rewrite::markdown(&text))?;
    }

    #[test]
    fn nothing_in_a_field_does_anything(text in hostile()) {
        does_nothing(&escape::inline(&text))?;
        does_nothing(&escape::paragraphs(&text))?;
        let cell = escape::inline(&text);
        does_nothing(&grid::table(vec!["a".to_owned(), "b".to_owned()], vec![vec![cell.clone(), cell]]))?;
    }

    #[test]
    fn no_cell_is_a_formula_wherever_columns_end(text in hostile()) {
        for (separator, ends) in [(',', ";\t\n"), (';', ",;\t\n")] {
            let field = escape::field(&seen::shown(&text), separator);
            let quoted = field.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            let inside = quoted.map_or(field.clone(), |inside| inside.replace("\"\"", "\""));
            for cell in inside.split(|c| ends.contains(c)) {
                let cell = cell.trim_start();
                prop_assert!(!cell.starts_with(['=', '+', '-', '@']) || cell.parse::<f64>().is_ok(), "{text:?} became {field:?}");
            }
        }
    }
}

/// Each got through once, or gets through somewhere else.
#[test]
fn what_got_through_does_not() {
    for text in [
        "\\![x](https://evil.example/?d=1)",
        "\\\\\\![x](https://evil.example)",
        "\\<img src=https://evil.example>",
        "a\n\n<img\nsrc=x>",
        "`a``<img src=x>`",
        "``` <img src=x> ```",
        "> ```\n<img src=x>",
        "- ```\n  a\r<img src=x>\n  ```",
        "| a |\n|---|\n| `x\\|<img src=x>` |",
        "[a](<https://ok.example/\"><img src=x>>)",
        "[![x](javascript:x)](javascript:y)",
        "[x](https://a&#10;<img src=x>)",
        "[a]: <javascript:x>\n[a]",
        "&lt;img src=x&gt;&#10;&#10;&lt;img src=y&gt;",
        "&#32;&#32;&#32;&#32;<img src=x>",
        "- [x] ✔️ all found &#x2705; &check; 🗸",
    ] {
        does_nothing(&rewrite::markdown(text)).unwrap();
        does_nothing(&escape::paragraphs(text)).unwrap();
    }
    let honest =
        rewrite::markdown("See [the law](https://law.example/a?b=1&c=2) or [us](mailto:a@b.example).");
    for html in rendered(&honest) {
        assert!(
            html.contains("href=\"https://law.example/a?b=1&amp;c=2\"")
                && html.contains("href=\"mailto:a@b.example\""),
            "{html}"
        );
    }
}

/// What a person said whose words are hostile.
pub(super) fn said(evil: &str) -> Judgement {
    Judgement { said: Said::Rejected, by: evil.to_owned(), note: evil.to_owned(), at: 0 }
}

#[test]
fn a_whole_report_of_hostile_text_does_nothing() {
    let evil = "\\![x](https://evil.example) <img src=x> ✓ www.evil.example\n\n# ✅ | [a](javascript:x)";
    let judgement = said(evil);
    let report = |answer| ResultPage {
        provenance: Provenance {
            file: "/a\u{202e}/<img src=x> ✔.pdf",
            version: evil,
            rule: "r",
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
        unread: None,
        notice: None,
        judgement: Some(&judgement),
        asked: None,
    };
    let markdown = |answer| markdown(&report(answer)).replace("**⚠ Rejected", "**Rejected");
    does_nothing(&markdown(Answer::Text(evil))).unwrap();
    let text = json!({"type": "object", "additionalProperties": false, "required": ["a", "list"], "properties": {
        "a": {"type": "string"}, "list": {"type": "array", "items": {"type": "object", "additionalProperties": false,
            "required": ["b"], "properties": {"b": {"type": "string"}}}}}});
    let schema = Schema::parse("s.json", &text.to_string()).unwrap();
    let result = json!({"a": evil, "list": [{"b": evil}]});
    let data = Answer::Data { schema: &schema, result: &result, checks: &[] };
    let ours = "A quote marked ✔ stands";
    does_nothing(&markdown(data).replace(ours, "")).unwrap();
}
