//! A page for Word: the few parts of a document that it needs. It has no field, no macro and no part that is fetched; of the page's own
//! text nothing is taken for markup.

use std::io::{Cursor, Write};

use pulldown_cmark::{Event, Tag, TagEnd};
use zip::write::SimpleFileOptions;
use zip::{DateTime, ZipWriter};

use super::pieces::{Piece, pieces, words};
use super::{ResultPage, columns, markdown};

/// Between the margins of a page of A4, in twentieths of a point.
const TEXT_WIDTH: usize = 9_638;

/// How far a list or a quote stands in.
const INDENT: usize = 360;

const TYPES: &str = r#"<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/><Override PartName="/word/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.styles+xml"/></Types>"#;

const PARTS: &str = r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="document" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>"#;

const STYLES: &str = include_str!("word_styles.xml");

const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";

/// A result for Word.
pub fn word(page: &ResultPage<'_>) -> Vec<u8> {
    let markdown = markdown(page);
    let pieces = pieces(&markdown);
    let mut writer = Writer { tables: columns::widths(&pieces, TEXT_WIDTH).into_iter(), ..Writer::default() };
    pieces.into_iter().for_each(|piece| writer.take(piece));
    writer.end_paragraph();
    let (document, links) = (writer.document(), writer.links());
    let parts = [
        ("[Content_Types].xml", TYPES),
        ("_rels/.rels", PARTS),
        ("word/document.xml", &document),
        ("word/_rels/document.xml.rels", &links),
        ("word/styles.xml", STYLES.trim_end()),
    ];
    packed(&parts).expect("memory takes whatever is written")
}

/// The same parts make the same bytes, so no time is in them.
fn packed(parts: &[(&str, &str)]) -> zip::result::ZipResult<Vec<u8>> {
    let mut package = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().last_modified_time(DateTime::default());
    for (name, part) in parts {
        package.start_file(*name, options)?;
        package.write_all(XML.as_bytes())?;
        package.write_all(part.as_bytes())?;
    }
    Ok(package.finish()?.into_inner())
}

/// Around a paragraph.
enum Container {
    Quote,
    /// With its marker, until that is written.
    Item(Option<String>),
}

#[derive(Default)]
struct Writer {
    body: String,
    /// The paragraph under way.
    runs: String,
    /// What it is, where it is more than a paragraph.
    style: Option<String>,
    containers: Vec<Container>,
    /// The number of the next item of each list; none where they have no numbers.
    lists: Vec<Option<u64>>,
    bold: usize,
    italic: usize,
    in_link: bool,
    /// Where links lead.
    addresses: Vec<String>,
    /// The widths of the columns of the tables that are to come.
    tables: std::vec::IntoIter<Vec<usize>>,
}

impl Writer {
    fn take(&mut self, piece: Piece<'_>) {
        match piece {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Code(text) => self.run(&text, "<w:rStyle w:val=\"CodeText\"/>"),
            Event::SoftBreak => self.run(" ", ""),
            Event::HardBreak => self.run("\n", ""),
            Event::Rule => {
                self.end_paragraph();
                self.body += "<w:p><w:pPr><w:pStyle w:val=\"Rule\"/></w:pPr></w:p>";
            }
            other => self.run(&words(other), ""),
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Emphasis => self.italic += 1,
            Tag::Strong => self.bold += 1,
            Tag::Link { dest_url, .. } => {
                self.addresses.push(dest_url.into_string());
                self.runs += &format!("<w:hyperlink r:id=\"link{}\">", self.addresses.len());
                self.in_link = true;
            }
            other => {
                self.end_paragraph();
                self.start_block(other);
            }
        }
    }

    fn start_block(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { level, .. } => self.style = Some(format!("Heading{}", level as usize)),
            Tag::CodeBlock(_) => self.style = Some("Code".to_owned()),
            Tag::BlockQuote(_) => self.containers.push(Container::Quote),
            Tag::List(first) => self.lists.push(first),
            Tag::Item => {
                let marker = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}.", *number - 1)
                    }
                    _ => "•".to_owned(),
                };
                self.containers.push(Container::Item(Some(marker)));
            }
            Tag::Table(_) => {
                let widths = self.tables.next().unwrap_or_default();
                let columns = widths.iter().map(|width| format!("<w:gridCol w:w=\"{width}\"/>"));
                let columns: String = columns.collect();
                self.body += "<w:tbl><w:tblPr><w:tblStyle w:val=\"Cells\"/><w:tblW w:w=\"5000\" w:type=\"pct\"/></w:tblPr>";
                self.body += &format!("<w:tblGrid>{columns}</w:tblGrid>");
            }
            Tag::TableHead => {
                self.body += "<w:tr><w:trPr><w:tblHeader/></w:trPr>";
                self.bold += 1;
            }
            Tag::TableRow => self.body += "<w:tr>",
            Tag::TableCell => self.body += "<w:tc>",
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Emphasis => self.italic -= 1,
            TagEnd::Strong => self.bold -= 1,
            TagEnd::Link => {
                self.runs += "</w:hyperlink>";
                self.in_link = false;
            }
            TagEnd::TableCell => {
                self.paragraph();
                self.body += "</w:tc>";
            }
            other => {
                self.end_paragraph();
                self.end_block(other);
            }
        }
    }

    fn end_block(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Item => {
                if let Some(Container::Item(Some(_))) = self.containers.last() {
                    self.paragraph();
                }
                self.containers.pop();
            }
            TagEnd::BlockQuote(_) => drop(self.containers.pop()),
            TagEnd::List(_) => drop(self.lists.pop()),
            TagEnd::TableHead => {
                self.bold -= 1;
                self.body += "</w:tr>";
            }
            TagEnd::TableRow => self.body += "</w:tr>",
            // Two tables that touch would be one.
            TagEnd::Table => self.body += "</w:tbl><w:p/>",
            _ => {}
        }
    }

    /// Adds text to the paragraph under way.
    fn run(&mut self, text: &str, properties: &str) {
        if text.is_empty() {
            return;
        }
        let link = if self.in_link { "<w:rStyle w:val=\"Hyperlink\"/>" } else { properties };
        let bold = if self.bold > 0 { "<w:b/>" } else { "" };
        let italic = if self.italic > 0 { "<w:i/>" } else { "" };
        self.runs += &format!("<w:r><w:rPr>{link}{bold}{italic}</w:rPr>");
        let text = if self.style.as_deref() == Some("Code") { text.trim_end_matches('\n') } else { text };
        for (place, line) in text.split('\n').enumerate() {
            if place > 0 {
                self.runs += "<w:br/>";
            }
            self.runs += &format!("<w:t xml:space=\"preserve\">{}</w:t>", escaped(line));
        }
        self.runs += "</w:r>";
    }

    fn end_paragraph(&mut self) {
        if !self.runs.is_empty() {
            self.paragraph();
        }
        self.style = None;
    }

    /// Writes the paragraph under way, which may be empty.
    fn paragraph(&mut self) {
        let runs = std::mem::take(&mut self.runs);
        let in_quote = self.containers.iter().any(|container| matches!(container, Container::Quote));
        let style = self.style.take().or_else(|| in_quote.then(|| "Quote".to_owned()));
        let style = style.map(|style| format!("<w:pStyle w:val=\"{style}\"/>")).unwrap_or_default();
        let (left, marker) = (self.containers.len() * INDENT, self.marker());
        let (hanging, marker) = match marker {
            Some(marker) => (INDENT, format!("<w:r><w:t>{marker}</w:t></w:r><w:r><w:tab/></w:r>")),
            None => (0, String::new()),
        };
        let indent = match left {
            0 => String::new(),
            left => format!("<w:ind w:left=\"{left}\" w:hanging=\"{hanging}\"/>"),
        };
        self.body += &format!("<w:p><w:pPr>{style}{indent}</w:pPr>{marker}{runs}</w:p>");
    }

    /// What stands before the first paragraph of an item.
    fn marker(&mut self) -> Option<String> {
        match self.containers.last_mut() {
            Some(Container::Item(marker)) => marker.take(),
            _ => None,
        }
    }

    fn document(&self) -> String {
        format!(
            "<w:document xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\" \
             xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\"><w:body>{}<w:sectPr>\
             <w:pgSz w:w=\"11906\" w:h=\"16838\"/><w:pgMar w:top=\"1134\" w:right=\"1134\" w:bottom=\"1134\" w:left=\"1134\" \
             w:header=\"709\" w:footer=\"709\" w:gutter=\"0\"/></w:sectPr></w:body></w:document>",
            self.body
        )
    }

    /// Where the document's links lead, and where its styles are.
    fn links(&self) -> String {
        const KIND: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
        let links = self.addresses.iter().enumerate().map(|(place, address)| {
            format!(
                "<Relationship Id=\"link{}\" Type=\"{KIND}/hyperlink\" Target=\"{}\" TargetMode=\"External\"/>",
                place + 1,
                escaped(address)
            )
        });
        let links: String = links.collect();
        format!(
            "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">\
             <Relationship Id=\"styles\" Type=\"{KIND}/styles\" Target=\"styles.xml\"/>{links}</Relationships>"
        )
    }
}

/// Text as text of XML, without what XML cannot hold.
fn escaped(text: &str) -> String {
    let bad = |c: char| (c.is_control() && c != '\t') || matches!(c, '\u{fffe}' | '\u{ffff}');
    let text = text.replace(bad, "\u{fffd}");
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
