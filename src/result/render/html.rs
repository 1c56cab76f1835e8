//! A page for a browser: one file that runs nothing and fetches nothing. What is written is chosen here; of the page's own text nothing
//! is taken for markup.

use pulldown_cmark::{Event, Tag, TagEnd};

use super::pieces::{Piece, pieces, words};
use super::{ResultPage, markdown, seen};

/// Besides what looks like a page, it says to a browser that nothing else belongs to it.
const HEAD: &str = r#"<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64em; margin: 2em auto; padding: 0 1em; }
blockquote { border-left: 4px solid #888; margin-left: 0; padding-left: 1em; }
table { border-collapse: collapse; }
th, td { border: 1px solid #888; padding: 0.3em 0.6em; text-align: left; vertical-align: top; }
pre, code { white-space: pre-wrap; overflow-wrap: anywhere; }
</style>"#;

/// A result for a browser.
pub fn html(page: &ResultPage<'_>) -> String {
    let title = seen::shown(page.name());
    let mut writer = Writer::default();
    pieces(&markdown(page)).into_iter().for_each(|piece| writer.take(piece));
    let (title, body) = (escaped(&title), writer.out);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n{HEAD}\n<title>{title}</title>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )
}

#[derive(Default)]
struct Writer {
    out: String,
    in_head: bool,
}

impl Writer {
    fn take(&mut self, piece: Piece<'_>) {
        match piece {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Code(text) => self.out += &format!("<code>{}</code>", escaped(&text)),
            Event::SoftBreak => self.out.push('\n'),
            Event::HardBreak => self.out += "<br>\n",
            Event::Rule => self.out += "<hr>\n",
            other => self.out += &escaped(&words(other)),
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Link { dest_url, .. } => {
                self.out += &format!("<a rel=\"noopener noreferrer\" href=\"{}\">", escaped(&dest_url));
            }
            Tag::List(Some(first)) => self.out += &format!("<ol start=\"{first}\">\n"),
            Tag::TableHead => {
                self.in_head = true;
                self.out += "<thead><tr>";
            }
            other => {
                let name = self.element(&other.to_end());
                self.open(name);
            }
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::TableHead => {
                self.in_head = false;
                self.out += "</tr></thead>\n<tbody>\n";
            }
            TagEnd::Table => self.out += "</tbody></table>\n",
            TagEnd::CodeBlock => self.out += "</code></pre>\n",
            TagEnd::Item => self.out += "</li>\n",
            other => {
                let name = self.element(&other);
                if !name.is_empty() {
                    self.out += &format!("</{name}>");
                }
                if is_block(&other) {
                    self.out.push('\n');
                }
            }
        }
    }

    fn open(&mut self, name: &str) {
        match name {
            "" => {}
            "pre" => self.out += "<pre><code>",
            name => self.out += &format!("<{name}>"),
        }
    }

    /// What it is called in a page; nothing for what a page of ours has not.
    fn element(&self, tag: &TagEnd) -> &'static str {
        match tag {
            TagEnd::Paragraph => "p",
            TagEnd::Heading(level) => HEADINGS[*level as usize - 1],
            TagEnd::BlockQuote(_) => "blockquote",
            TagEnd::CodeBlock => "pre",
            TagEnd::List(true) => "ol",
            TagEnd::List(false) => "ul",
            TagEnd::Item => "li",
            TagEnd::Table => "table",
            TagEnd::TableRow => "tr",
            TagEnd::TableCell if self.in_head => "th",
            TagEnd::TableCell => "td",
            TagEnd::Emphasis => "em",
            TagEnd::Strong => "strong",
            TagEnd::Link => "a",
            _ => "",
        }
    }
}

const HEADINGS: [&str; 6] = ["h1", "h2", "h3", "h4", "h5", "h6"];

fn is_block(tag: &TagEnd) -> bool {
    !matches!(tag, TagEnd::Emphasis | TagEnd::Strong | TagEnd::Link | TagEnd::TableCell)
}

/// Text as text of a page.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
