//! Text that others wrote, made harmless for where it is put: Markdown and CSV.
//!
//! What a document or a model says may be meant to be rendered: an image that tells a stranger's server who reads it, a
//! cell that a spreadsheet runs. None of it is dropped; it is shown as the text it is.

use std::borrow::Cow;

/// Characters that mean something anywhere in a line of Markdown.
const SPECIAL: &str = "\\`*_{}[]<>|~&#!$";

/// Our own mark of a proven quote, which nobody else may set.
const TICK: char = '✔';

/// What it becomes in others' text.
const NO_TICK: &str = "(tick)";

/// Text within a line of Markdown or a cell of a table: white space becomes single spaces.
pub fn inline(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (place, word) in text.split_whitespace().enumerate() {
        if place > 0 {
            escaped.push(' ');
        }
        for character in word.chars().filter(|c| !c.is_control()) {
            if character == TICK {
                escaped.push_str(NO_TICK);
                continue;
            }
            if SPECIAL.contains(character) {
                escaped.push('\\');
            }
            escaped.push(character);
        }
    }
    escaped
}

/// Text as paragraphs of Markdown: its empty lines part them, and no line becomes a heading, list or rule.
pub fn paragraphs(text: &str) -> String {
    let mut paragraphs: Vec<String> = Vec::new();
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().chain([""]) {
        let line = inline(line);
        if !line.is_empty() {
            lines.push(at_line_start(&line).into_owned());
        } else if !lines.is_empty() {
            paragraphs.push(std::mem::take(&mut lines).join("\n"));
        }
    }
    paragraphs.join("\n\n")
}

/// Escapes what means something at a line's start only: lists, rules and underlined headings.
fn at_line_start(line: &str) -> Cow<'_, str> {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    match line.as_bytes().get(digits) {
        Some(b'.' | b')') if digits > 0 => Cow::Owned(format!("{}\\{}", &line[..digits], &line[digits..])),
        Some(b'-' | b'+' | b'=') if digits == 0 => Cow::Owned(format!("\\{line}")),
        _ => Cow::Borrowed(line),
    }
}

/// A model's own Markdown, without images and HTML: those act when they are rendered.
pub fn markdown(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut characters = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).peekable();
    while let Some(character) = characters.next() {
        let next = characters.peek().copied();
        let acts = match character {
            '!' => next == Some('['),
            '<' => next.is_some_and(|next| next.is_ascii_alphabetic() || matches!(next, '/' | '!' | '?')),
            _ => false,
        };
        if acts {
            kept.push('\\');
        }
        kept.push(character);
    }
    kept.trim().replace(TICK, NO_TICK)
}

/// A field of a CSV file (RFC 4180).
pub fn field(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    let text = if is_formula(&text) { format!("'{text}") } else { text };
    let plain = !text.contains([',', '"', '\n', '\t', ';']) && text.trim() == text;
    if plain { text } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

/// Whether a spreadsheet would run it. Numbers are let through: they are what they look like.
fn is_formula(text: &str) -> bool {
    let begins = text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    (begins || text.starts_with(['\t', '\n'])) && text.parse::<f64>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_document_stays_text_in_markdown() {
        assert_eq!(inline("a | b\n*c* [x](y) <img src=z> `d`"), r"a \| b \*c\* \[x\](y) \<img src=z\> \`d\`");
        assert_eq!(paragraphs("# H\n- a\n1. b\n\n---\n\n=\u{7} x"), "\\# H\n\\- a\n1\\. b\n\n\\---\n\n\\= x");
    }

    #[test]
    fn a_model_s_markdown_keeps_its_form_but_nothing_that_acts() {
        let text =
            "# Title\n\n- **a** [link](https://example.com) ![x](https://evil/?q=1) <script>1 < 2</script>";
        let kept = markdown(text);
        assert_eq!(
            kept,
            "# Title\n\n- **a** [link](https://example.com) \\![x](https://evil/?q=1) \\<script>1 < 2\\</script>"
        );
    }

    #[test]
    fn nobody_else_sets_our_mark() {
        assert_eq!(inline("“No cap” ✔ page 3"), "“No cap” (tick) page 3");
        assert_eq!(markdown("“No cap” ✔ page 3"), "“No cap” (tick) page 3");
    }

    #[test]
    fn a_field_is_quoted_where_it_must_be() {
        assert_eq!(field("plain text"), "plain text");
        assert_eq!(field("a,b"), "\"a,b\"");
        assert_eq!(field("say \"no\""), "\"say \"\"no\"\"\"");
        assert_eq!(field("two\r\nlines"), "\"two\nlines\"");
        assert_eq!(field(" padded"), "\" padded\"");
    }

    #[test]
    fn a_spreadsheet_runs_nothing_of_it() {
        for formula in ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "  =1", "＝1+1", "\n=1"] {
            let field = field(formula);
            assert!(field.trim_start_matches('"').starts_with('\''), "{formula:?} became {field:?}");
        }
        assert_eq!(field("-5"), "-5");
        assert_eq!(field("5-3"), "5-3");
    }
}
