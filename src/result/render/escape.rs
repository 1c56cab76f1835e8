//! Text that others wrote, made harmless for where it is put: Markdown and CSV.
//!
//! What a document or a model says may be meant to be rendered: an image that tells a stranger's server who reads it, a
//! cell that a spreadsheet runs. None of it is dropped; it is shown as the text it is.

use std::borrow::Cow;

use super::seen::shown;

/// Characters that mean something anywhere in a line of Markdown, and that a backslash makes plain.
const SPECIAL: &str = "\\`*_{}[]>|~#!$";

/// Ends of host names, besides those of two letters, that renderers make a link of without being asked to (linkify-it).
const DOMAINS: [&str; 15] = [
    "biz", "com", "edu", "gov", "net", "org", "pro", "web", "xxx", "aero", "asia", "coop", "info", "museum",
    "name",
];

/// What is in no address that is shown as code: two of them cannot stand in code in a table, and the others make something
/// in a renderer that does not see the code for what it is.
const PARTING: [char; 7] = ['`', '|', '<', '>', '[', ']', '\\'];

/// What may stand around an address without being part of it.
const AROUND: &[char] = &[
    '(', ')', '[', ']', '{', '}', '<', '>', '"', '\'', '“', '”', '„', '‘', '’', '«', '»', ',', ';', '.', '!',
    '?', '*', '~',
];

/// Text within a line of Markdown or a cell of a table: white space becomes single spaces.
pub fn inline(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (place, one) in text.split_whitespace().enumerate() {
        if place > 0 {
            escaped.push(' ');
        }
        // Alone it begins no reference, and is read more easily as it is.
        if one == "&" { escaped.push('&') } else { word(&mut escaped, one) }
    }
    escaped
}

/// Adds text to a line of Markdown that has begun: white space becomes one space, at the ends too.
pub fn within(line: &mut String, text: &str) {
    for piece in text.split_inclusive(char::is_whitespace) {
        let one = piece.trim_end();
        word(line, one);
        if one.len() < piece.len() && !line.ends_with([' ', '\n']) {
            line.push(' ');
        }
    }
}

/// A word, which may hold what a renderer would make a link of, or a picture, by itself. That is shown as code, in which
/// nothing is looked for.
fn word(line: &mut String, word: &str) {
    let word = shown(word);
    for part in word.split_inclusive(PARTING) {
        let core = part.trim_end_matches(PARTING).trim_matches(AROUND);
        if core.is_empty() || !is_live(core) {
            characters(line, part);
            continue;
        }
        let begin = part.find(core).expect("a part of it was cut off at its ends");
        characters(line, &part[..begin]);
        code(line, core);
        characters(line, &part[begin + core.len()..]);
    }
}

fn characters(line: &mut String, text: &str) {
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            // As references, since some renderers know no backslash before these.
            '<' => line.push_str("&lt;"),
            '&' if characters.peek().is_none_or(|next| next.is_alphanumeric() || *next == '#') => {
                line.push_str("&amp;");
            }
            special if SPECIAL.contains(special) => {
                line.push('\\');
                line.push(special);
            }
            other => line.push(other),
        }
    }
}

/// Text as code within a line.
pub fn code(line: &mut String, text: &str) {
    let fence = "`".repeat(longest_fence(text) + 1);
    let pad = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
    // Two runs of backticks that touch would be one.
    if line.ends_with('`') {
        line.push(' ');
    }
    *line += &format!("{fence}{pad}{text}{pad}{fence}");
}

/// How many backticks stand in a row at most.
pub fn longest_fence(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Whether a renderer may make something of it: an address with or without a scheme, or a picture called `:name:`.
fn is_live(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    word.contains("://")
        || word.contains("www.")
        || (word.contains('@') && word.contains(':'))
        || word.match_indices('.').any(|(dot, _)| is_host(&word[..dot], &word[dot + 1..]))
        || word.match_indices(':').any(|(colon, _)| is_picture(&word[colon + 1..]))
}

fn is_host(before: &str, after: &str) -> bool {
    let end = after.find(|c: char| !c.is_alphanumeric()).unwrap_or(after.len());
    let (domain, rest) = after.split_at(end);
    let named = DOMAINS.contains(&domain)
        || (domain.chars().count() == 2 && domain.chars().all(char::is_alphabetic))
        || (domain == "xn" && rest.starts_with("--"))
        || (domain.len() >= 4 && !domain.is_ascii() && domain.chars().all(char::is_alphabetic));
    named && before.ends_with(char::is_alphanumeric)
}

fn is_picture(after: &str) -> bool {
    let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-');
    after.split_once(':').is_some_and(|(inner, _)| {
        !inner.is_empty() && inner.chars().all(name) && !inner.bytes().all(|byte| byte.is_ascii_digit())
    })
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

/// Escapes what means something at a line's start only: lists, rules, tables and underlined headings.
pub fn at_line_start(line: &str) -> Cow<'_, str> {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    match line.as_bytes().get(digits) {
        Some(b'.' | b')') if digits > 0 => Cow::Owned(format!("{}\\{}", &line[..digits], &line[digits..])),
        Some(b'-' | b'+' | b'=' | b':') if digits == 0 => Cow::Owned(format!("\\{line}")),
        _ => Cow::Borrowed(line),
    }
}

/// A field of a table whose columns this character parts, quoted as in CSV (RFC 4180). What others wrote in it has
/// passed [`shown`].
pub fn field(text: &str, separator: char) -> String {
    let text = without_formulas(&text.replace('\r', ""), separator);
    let plain = !text.contains([',', '"', '\n', '\t', ';', separator]) && text.trim() == text;
    if plain { text } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

/// Whether a program takes this for the end of a cell, whatever the table was written with. A comma ends one where it was not: what
/// holds one is quoted, but the quotation mark begins in the middle of a cell there.
fn ends_cell(character: char, separator: char) -> bool {
    matches!(character, ';' | '\t' | '\n') || (character == ',' && separator != ',')
}

/// What a spreadsheet would run begins with `'` instead. A program set up for another country takes semicolons or tabs
/// for the ends of cells, and what follows one begins a cell there.
fn without_formulas(text: &str, separator: char) -> String {
    let mut kept = String::with_capacity(text.len());
    if text.starts_with(['\t', '\n']) {
        kept.push('\'');
    }
    let ends = |c: char| ends_cell(c, separator);
    for part in text.split_inclusive(ends) {
        let begins = part.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
        // Numbers are let through: they are what they look like.
        if begins && part.trim_end_matches(ends).trim().parse::<f64>().is_err() {
            kept.push('\'');
        }
        kept.push_str(part);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(text: &str) -> String {
        field(text, ',')
    }

    #[test]
    fn text_of_a_document_stays_text_in_markdown() {
        assert_eq!(
            inline("a | b\n*c* \\[x\\](y) <img src=z> `d` Smith & Co &#10004; R&D"),
            r"a \| b \*c\* \\\[x\\\](y) &lt;img src=z\> \`d\` Smith & Co &amp;\#10004; R&amp;D"
        );
        assert_eq!(
            paragraphs("# H\n- a\n1. b\n\n---\n\n=\u{7} x"),
            "\\# H\n\\- a\n1\\. b\n\n\\---\n\n\\=‹U+0007› x"
        );
    }

    #[test]
    fn what_a_renderer_makes_a_link_or_picture_of_is_shown_as_code() {
        assert_eq!(inline("see (http://evil.example/?q=1). So"), "see (`http://evil.example/?q=1`). So");
        assert_eq!(
            inline("www.evil.example evil.com xmpp:a@b.c :white_check_mark:"),
            "`www.evil.example` `evil.com` `xmpp:a@b.c` `:white_check_mark:`"
        );
        assert_eq!(inline("z.B. No.5 10:30:45 e.g. U.S.A"), "z.B. No.5 10:30:45 e.g. U.S.A");
        assert_eq!(inline("http://a`b|c"), r"`http://a`\`b\|c");
    }

    #[test]
    fn a_field_is_quoted_where_it_must_be() {
        assert_eq!(csv("plain text"), "plain text");
        assert_eq!(csv("a,b"), "\"a,b\"");
        assert_eq!(csv("say \"no\""), "\"say \"\"no\"\"\"");
        assert_eq!(csv("two\r\nlines"), "\"two\nlines\"");
        assert_eq!(csv(" padded"), "\" padded\"");
    }

    #[test]
    fn a_spreadsheet_runs_nothing_of_it() {
        for formula in
            ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "  =1", "＝1+1", "\n=1", "-1;=1"]
        {
            let field = csv(formula);
            let cells = field.trim_matches('"').split([';', '\t', '\n']);
            for cell in cells.filter(|cell| cell.parse::<f64>().is_err()) {
                assert!(
                    !cell.trim_start().starts_with(['=', '+', '-', '@', '＝']),
                    "{formula:?} became {field:?}"
                );
            }
        }
        assert_eq!(csv("-5"), "-5");
        assert_eq!(csv("5-3"), "5-3");
        assert_eq!(csv("a; -5; =B1"), "\"a; -5;' =B1\"");
    }
}
