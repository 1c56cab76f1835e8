//! The cells of an OpenDocument spreadsheet, read from its `content.xml` while that is unpacked (ODF 1.3, part 3). A cell or a row
//! that is said to stand there a million times is written so often as there is room, and is held once.

use std::io::{self, BufReader, Read};

use calamine::DataRef;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};

use super::{MOST_OF_SHEETS, TOO_LARGE, Text, value};
use crate::sync::upload::WHOLE_AT_MOST;

/// The largest piece between two marks: several times the largest text that a cell may have. It is held in memory.
const MOST_OF_PIECE: u64 = 1024 * 1024;

/// How deep elements may be in one another. Programs get to about twenty; the names of all that are open are held.
const DEEPEST: usize = 64;

/// What is in a cell or beside the cells, and is none of their values: comments, drawings, what was there before a change, and
/// what other programs sent.
const NO_VALUES: [&str; 4] =
    ["office:annotation", "table:dde-links", "table:shapes", "table:tracked-changes"];

/// Writes the sheets of a spreadsheet's `content`; the error says in words why not.
pub(super) fn sheets(content: impl Read, text: &mut Text) -> Result<(), String> {
    let pieces = Pieces { content, whole: MOST_OF_SHEETS, piece: MOST_OF_PIECE };
    let mut xml = quick_xml::Reader::from_reader(BufReader::new(pieces));
    xml.config_mut().expand_empty_elements = true;
    let mut tables = Tables {
        text,
        depth: 0,
        skipped: None,
        is_spreadsheet: false,
        is_table: false,
        row: 0,
        rows: 1,
        column: 0,
        cell: None,
    };
    let mut piece = Vec::new();
    while !tables.text.is_full {
        piece.clear();
        xml.get_mut().get_mut().piece = MOST_OF_PIECE;
        match xml.read_event_into(&mut piece).map_err(|error| unread(&error))? {
            Event::Start(element) => tables.open(&element)?,
            Event::End(element) => tables.close(element.name().0),
            Event::Text(text) => tables.says(&text.xml10_content()),
            Event::CData(text) => tables.says(&text.xml10_content()),
            Event::GeneralRef(reference) => match reference.resolve_char_ref() {
                Ok(Some(character)) => tables.says(character.encode_utf8(&mut [0; 4])),
                _ => tables.says(resolve_xml_entity(&reference).unwrap_or_default()),
            },
            Event::Eof if tables.depth > 0 => return Err("it ends too early".to_owned()),
            Event::Eof => break,
            _ => {}
        }
    }
    Ok(())
}

/// What is wrong, without the words of the file, which have no length that is known.
fn unread(error: &quick_xml::Error) -> String {
    match error {
        quick_xml::Error::Io(error) => error.to_string(),
        _ => "its content is no XML".to_owned(),
    }
}

/// What is known of the place in the content.
struct Tables<'a> {
    text: &'a mut Text,
    /// How many elements are open.
    depth: usize,
    /// The one of them in which nothing is looked at.
    skipped: Option<usize>,
    is_spreadsheet: bool,
    is_table: bool,
    row: u32,
    /// How often this row stands there.
    rows: u32,
    column: u32,
    cell: Option<Cell>,
}

struct Cell {
    /// How often it stands there.
    columns: u32,
    /// Its value, where its attributes say it better than what is shown.
    value: Option<DataRef<'static>>,
    /// What is shown where there is none, a line for each paragraph.
    shown: String,
    paragraphs: usize,
    is_paragraph: bool,
}

impl Tables<'_> {
    fn open(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("its elements are in one another too deep".to_owned());
        }
        let name = element.name().0;
        match name {
            _ if self.skipped.is_some() => {}
            "office:spreadsheet" => self.is_spreadsheet = true,
            _ if !self.is_spreadsheet => {}
            _ if NO_VALUES.contains(&name) || name.starts_with("draw:") => self.skipped = Some(self.depth),
            "table:table" => {
                let name = attribute(element, "table:name")?.unwrap_or_default();
                // One in a cell is none of the sheets, nor are the values that were taken from another file.
                if self.is_table || name.starts_with('\'') && name.contains("'#$") {
                    self.skipped = Some(self.depth);
                } else {
                    self.text.sheet(&name);
                    (self.is_table, self.row) = (true, 0);
                }
            }
            _ if !self.is_table => {}
            "table:table-row" => {
                self.rows = times(element, "table:number-rows-repeated")?;
                self.column = 0;
            }
            "table:table-cell" | "table:covered-table-cell" => self.cell = Some(Cell::of(element)?),
            _ => self.open_in_cell(name, element)?,
        }
        Ok(())
    }

    fn open_in_cell(&mut self, name: &str, element: &BytesStart<'_>) -> Result<(), String> {
        match (name, &mut self.cell) {
            ("text:p" | "text:h", Some(cell)) => {
                if cell.paragraphs > 0 {
                    cell.says("\n");
                }
                cell.paragraphs += 1;
                cell.is_paragraph = true;
            }
            ("text:s", Some(cell)) => {
                let room = (WHOLE_AT_MOST as usize).saturating_sub(cell.shown.len());
                cell.says(&" ".repeat(room.min(times(element, "text:c")? as usize)));
            }
            ("text:tab", Some(cell)) => cell.says("\t"),
            ("text:line-break", Some(cell)) => cell.says("\n"),
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, name: &str) {
        match name {
            _ if self.skipped == Some(self.depth) => self.skipped = None,
            _ if self.skipped.is_some() => {}
            "office:spreadsheet" => self.is_spreadsheet = false,
            "table:table" => self.is_table = false,
            "table:table-row" if self.is_table => {
                self.text.again(self.row, self.rows.saturating_sub(1));
                self.row = self.row.saturating_add(self.rows);
            }
            "table:table-cell" | "table:covered-table-cell" => {
                if let Some(cell) = self.cell.take() {
                    self.write(cell);
                }
            }
            "text:p" | "text:h" => {
                if let Some(cell) = &mut self.cell {
                    cell.is_paragraph = false;
                }
            }
            _ => {}
        }
        self.depth -= 1;
    }

    fn write(&mut self, cell: Cell) {
        let next = self.column.saturating_add(cell.columns);
        let value = value(&cell.value.unwrap_or(DataRef::String(cell.shown)));
        if !value.is_empty() {
            for column in self.column..next {
                self.text.cell((self.row, column), &value);
                if self.text.is_full {
                    break;
                }
            }
        }
        self.column = next;
    }

    fn says(&mut self, text: &str) {
        let cell = self.cell.as_mut().filter(|cell| cell.is_paragraph && self.skipped.is_none());
        if let Some(cell) = cell {
            cell.says(text);
        }
    }
}

impl Cell {
    fn of(element: &BytesStart<'_>) -> Result<Self, String> {
        let said = |name| attribute(element, name);
        let value = match said("office:value-type")?.as_deref() {
            Some("float" | "percentage" | "currency") => {
                said("office:value")?.and_then(|number| number.parse().ok()).map(DataRef::Float)
            }
            Some("date") => said("office:date-value")?.map(|at| DataRef::DateTimeIso(at.replace('T', " "))),
            Some("boolean") => said("office:boolean-value")?.map(|yes| DataRef::Bool(yes == "true")),
            Some("string") => {
                said("office:string-value")?.filter(|text| !text.is_empty()).map(DataRef::String)
            }
            _ => None,
        };
        let columns = times(element, "table:number-columns-repeated")?;
        Ok(Cell { columns, value, shown: String::new(), paragraphs: 0, is_paragraph: false })
    }

    fn says(&mut self, text: &str) {
        // What is longer than a whole text has no room in it.
        if self.value.is_none() && self.shown.len() < WHOLE_AT_MOST as usize {
            self.shown.push_str(text);
        }
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, String> {
    for attribute in element.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| unread(&error.into()))?;
        if attribute.key.0 == name {
            let value =
                attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| unread(&error))?;
            return Ok(Some(value.into_owned()));
        }
    }
    Ok(None)
}

/// How often something stands there: once, unless an attribute says otherwise.
fn times(element: &BytesStart<'_>, name: &str) -> Result<u32, String> {
    let times = attribute(element, name)?.and_then(|times| times.parse().ok());
    Ok(times.filter(|times| *times > 0).unwrap_or(1))
}

/// The content as it is unpacked, within what it may become, and within what one piece of it may.
struct Pieces<R> {
    content: R,
    whole: u64,
    piece: u64,
}

impl<R: Read> Read for Pieces<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(into)?;
        for left in [&mut self.whole, &mut self.piece] {
            *left = left.checked_sub(read as u64).ok_or_else(|| io::Error::other(TOO_LARGE))?;
        }
        Ok(read)
    }
}
