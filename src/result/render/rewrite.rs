//! A model's own Markdown: parsed, and written anew from what is allowed.
//!
//! What is kept is headings, paragraphs, emphasis, lists, quotes, code, tables, rules, and links by `https` and `mailto`.
//! Nothing else can come out, because nothing of the input is copied: each text passes [`escape`], whatever it was part
//! of. A picture, a tag or a link elsewhere is shown as text with its address as code.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd, TextMergeStream};
use url::{Host, Url};

use super::{escape, grid, seen};

/// Lists and quotes within each other; what is deeper stands at this depth. A person indents three or four.
const MAX_DEPTH: usize = 10;

/// A report has headings of the first two levels; a model's begin below.
const HEADINGS_ABOVE: usize = 2;

/// The lowest heading there is.
const LOWEST_HEADING: usize = 6;

/// `text` as harmless Markdown.
pub fn markdown(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut writer = Writer::default();
    for event in TextMergeStream::new(Parser::new_ext(&text, Options::ENABLE_TABLES)) {
        writer.take(event);
    }
    writer.flush();
    writer.out.trim_end().to_owned()
}

/// Around a block.
enum Container {
    Quote,
    /// With its marker, until that is written.
    Item {
        marker: Option<String>,
        width: usize,
    },
    /// Too deep to be shown as what it is.
    Flat,
}

#[derive(Default)]
struct Writer {
    out: String,
    containers: Vec<Container>,
    /// The number of the next item of each list; none where they have no numbers.
    lists: Vec<Option<u64>>,
    /// An empty line must part the next block from the one before.
    apart: bool,
    /// The paragraph, heading or cell under way.
    line: String,
    /// Where emphasis that is open began in `line`.
    open: Vec<usize>,
    /// What ends each link or picture that is open, and where it began.
    ends: Vec<(usize, String)>,
    heading: usize,
    code: Option<String>,
    rows: Option<Vec<Vec<String>>>,
}

impl Writer {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => match &mut self.code {
                Some(code) => code.push_str(&text),
                None => escape::within(&mut self.line, &text),
            },
            Event::Code(text) if self.rows.is_some() && text.contains('|') => {
                escape::within(&mut self.line, &text);
            }
            Event::Code(text) => escape::code(&mut self.line, &seen::shown(&text.replace(['\n', '\t'], " "))),
            Event::Html(text) | Event::InlineHtml(text) => {
                escape::within(&mut self.line, text.trim_end_matches('\n'));
                if text.ends_with('\n') {
                    self.line.push('\n');
                }
            }
            Event::SoftBreak => self.line.push('\n'),
            Event::HardBreak if self.rows.is_some() || self.heading > 0 => self.line.push(' '),
            Event::HardBreak => self.line.push_str("\\\n"),
            Event::Rule => {
                self.flush();
                self.block("* * *");
            }
            // Parsed only where an option asks for them.
            Event::InlineMath(text) | Event::DisplayMath(text) | Event::FootnoteReference(text) => {
                escape::within(&mut self.line, &text);
            }
            Event::TaskListMarker(_) => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Emphasis => self.emphasis("*"),
            Tag::Strong => self.emphasis("**"),
            Tag::Link { dest_url, .. } => {
                let (begin, end) = match allowed(&dest_url) {
                    Some(url) => ("[", format!("]({url})")),
                    None => ("", elsewhere(&dest_url)),
                };
                self.ends.push((self.line.len() + begin.len(), end));
                self.line.push_str(begin);
            }
            Tag::Image { dest_url, .. } => {
                self.line.push_str("\\[picture: ");
                self.ends.push((self.line.len(), format!("\\]{}", elsewhere(&dest_url))));
            }
            Tag::Heading { level, .. } => {
                self.flush();
                self.heading = (level as usize + HEADINGS_ABOVE).min(LOWEST_HEADING);
            }
            Tag::CodeBlock(CodeBlockKind::Fenced(_) | CodeBlockKind::Indented) => {
                self.flush();
                self.code = Some(String::new());
            }
            Tag::BlockQuote(_) => {
                self.flush();
                self.part();
                self.enter(Container::Quote);
            }
            Tag::List(first) => self.list(first),
            Tag::Item => self.item(),
            Tag::Table(_) => {
                self.flush();
                self.rows = Some(Vec::new());
            }
            Tag::TableHead | Tag::TableRow => self.rows.iter_mut().for_each(|rows| rows.push(Vec::new())),
            _ => self.flush_block(),
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Emphasis => self.emphasised("*"),
            TagEnd::Strong => self.emphasised("**"),
            TagEnd::Link | TagEnd::Image => {
                let Some((begin, end)) = self.ends.pop() else { return };
                // A link that shows nothing cannot be seen.
                if self.line.len() == begin && end.starts_with("](") {
                    escape::code(&mut self.line, &end[2..end.len() - 1]);
                }
                self.line.push_str(&end);
            }
            TagEnd::Heading(_) => {
                let text = self.taken().replace('\n', " ");
                let marks = "#".repeat(std::mem::take(&mut self.heading));
                if !text.is_empty() {
                    self.block(&format!("{marks} {text}"));
                }
            }
            TagEnd::CodeBlock => {
                let code = self.code.take().unwrap_or_default();
                let code = seen::shown(code.trim_end_matches('\n'));
                let fence = "`".repeat(escape::longest_fence(&code).max(2) + 1);
                self.block(&format!("{fence}\n{code}\n{fence}"));
            }
            TagEnd::BlockQuote(_) => self.leave(),
            TagEnd::Item => {
                self.flush();
                if let Some(Container::Item { marker: Some(_), .. }) = self.containers.last() {
                    self.write("");
                }
                self.leave();
                self.apart = false;
            }
            TagEnd::List(_) => {
                self.lists.pop();
                self.apart = true;
            }
            TagEnd::TableCell => {
                let cell = self.taken().replace('\n', " ");
                if let Some(row) = self.rows.as_mut().and_then(|rows| rows.last_mut()) {
                    row.push(cell);
                }
            }
            TagEnd::Table => {
                let mut rows = self.rows.take().unwrap_or_default().into_iter();
                let header = rows.next().unwrap_or_default();
                self.block(grid::table(header, rows.collect()).trim_end());
            }
            TagEnd::TableHead | TagEnd::TableRow => {}
            _ => self.flush_block(),
        }
    }

    fn emphasis(&mut self, mark: &str) {
        self.open.push(self.line.len());
        self.line.push_str(mark);
    }

    fn emphasised(&mut self, mark: &str) {
        let Some(begin) = self.open.pop() else { return };
        // Marks around nothing would be text, or a rule.
        if self.line.len() == begin + mark.len() {
            self.line.truncate(begin)
        } else {
            self.line.push_str(mark)
        }
    }

    fn list(&mut self, first: Option<u64>) {
        self.flush();
        // A list may follow its item's text at once, unless it begins with a number other than one.
        let within = matches!(self.containers.last(), Some(Container::Item { marker: None, .. }));
        if within && first.is_none_or(|number| number == 1) {
            self.apart = false;
        }
        self.part();
        self.lists.push(first);
    }

    fn item(&mut self) {
        self.flush();
        self.apart = false;
        let marker = match self.lists.last_mut() {
            Some(Some(number)) => {
                let marker = format!("{number}. ");
                *number += 1;
                marker
            }
            _ => "- ".to_owned(),
        };
        let width = marker.len();
        self.enter(Container::Item { marker: Some(marker), width });
    }

    fn enter(&mut self, container: Container) {
        let deep = self.containers.len() >= MAX_DEPTH;
        self.containers.push(if deep { Container::Flat } else { container });
    }

    fn leave(&mut self) {
        self.flush();
        self.containers.pop();
        self.apart = true;
    }

    /// The text under way, without what a line may not begin or end with.
    fn taken(&mut self) -> String {
        self.open.clear();
        self.ends.clear();
        let text = std::mem::take(&mut self.line);
        let lines = text.split('\n').map(str::trim).filter(|line| !line.is_empty());
        lines.map(escape::at_line_start).collect::<Vec<_>>().join("\n")
    }

    /// Writes the text under way as a paragraph. In a heading or a cell it waits for that one's end.
    fn flush(&mut self) {
        let text = self.taken();
        if !text.is_empty() {
            self.block(&text);
        }
    }

    fn flush_block(&mut self) {
        if self.rows.is_none() && self.heading == 0 {
            self.flush();
        }
    }

    fn block(&mut self, text: &str) {
        self.part();
        for line in text.split('\n') {
            self.write(line);
        }
        self.apart = true;
    }

    fn part(&mut self) {
        if std::mem::take(&mut self.apart) {
            self.write("");
        }
    }

    fn write(&mut self, line: &str) {
        let begin = self.out.len();
        for container in &mut self.containers {
            match container {
                Container::Quote => self.out.push_str("> "),
                Container::Item { marker, width } => match marker.take() {
                    Some(marker) => self.out.push_str(&marker),
                    None => self.out.extend(std::iter::repeat_n(' ', *width)),
                },
                Container::Flat => {}
            }
        }
        self.out.push_str(line);
        let end = self.out[begin..].trim_end_matches(' ').len();
        self.out.truncate(begin + end);
        self.out.push('\n');
    }
}

/// The address of what is not made a link or a picture.
fn elsewhere(address: &str) -> String {
    let mut text = String::from(" (");
    let address = seen::shown(address).replace(['\n', '\t', '|'], " ");
    escape::code(&mut text, if address.trim().is_empty() { "nothing" } else { &address });
    text + ")"
}

/// The address as it may stand in a link, if a link may lead there.
pub(super) fn allowed(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    let text = match url.scheme() {
        // What stands before an `@` looks like a host and is none.
        "https" if url.username().is_empty() && url.password().is_none() => match url.host()? {
            Host::Domain(_) | Host::Ipv4(_) => url.as_str(),
            Host::Ipv6(_) => return None,
        },
        // Without a subject or text that the document wrote.
        "mailto" => {
            let plain = |c: char| c.is_ascii_alphanumeric() || "@.-_+".contains(c);
            let to = url.path();
            return to.chars().all(plain).then(|| format!("mailto:{to}")).filter(|_| to.contains('@'));
        }
        _ => return None,
    };
    let mut kept = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => kept.push_str("&amp;"),
            plain if plain.is_ascii_alphanumeric() || "-._~:/?#@!$+,;=%".contains(plain) => kept.push(plain),
            other => {
                let mut bytes = [0; 4];
                other.encode_utf8(&mut bytes).bytes().for_each(|byte| kept += &format!("%{byte:02X}"));
            }
        }
    }
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::markdown;

    #[test]
    fn a_model_s_markdown_keeps_its_form() {
        let text = "# Title\n\nOne *two* **three** `four`\nfive  \nsix\n\n- a\n  - b\n    1. c\n- d\n\n  e\n\n> quoted\n> - in it\n\n\
                    ```rust\nlet x = 1;\n```\n\n| a | b |\n|---|:-:|\n| `c` | d\\|e |\n\n3. three\n4. four\n\n---\n\n\
                    [docs](https://example.com/a_(b)?q=1&r=2) <mailto:a@example.com>";
        insta::assert_snapshot!(markdown(text));
    }

    #[test]
    fn a_model_s_markdown_keeps_nothing_that_acts() {
        let text = "\\![t](https://evil.example/?d=1) ![p](https://evil.example/p.png \"title\") \\<img src=x> <b onclick=1>b</b>\n\n\
                    <script>\nalert(1)\n</script>\n\n[j](javascript:alert(1)) [h](http://evil.example) [r][x] https://evil.example\n\n\
                    [x]: https://evil.example/ref 'x'\n\n&#10004; all found &lt;img src=y&gt; www.evil.example\n\n- [x] done[^1]\n\n\
                    ```mermaid\ngraph TD\n```\n";
        insta::assert_snapshot!(markdown(text));
    }

    #[test]
    fn lists_within_lists_without_end_are_written_in_little_room() {
        let deep: String = (0..200).map(|depth| format!("{}- x\n", "  ".repeat(depth))).collect();
        assert!(markdown(&deep).len() < deep.len());
        let quotes = format!("{}x", "> ".repeat(5_000));
        assert!(markdown(&quotes).len() < 100);
    }
}
