//! The sheets of a workbook, written out as CSV under a heading each. Blocking, and for texts that are held in memory: what is
//! read and what is written have limits, and an archive that would become much more than it is comes to nothing.

use std::fmt::{Display, Write as _};
use std::io::{self, Cursor, Read};

use calamine::{Cell, DataRef, Reader, Xlsb, Xlsx};
use zip::ZipArchive;

use super::upload::WHOLE_AT_MOST;

/// The largest workbook whose sheets are written out: some hundred thousand rows. It is held in memory.
pub const MOST_BYTES: u64 = 8 * 1024 * 1024;

/// What its sheets may become when they are unpacked, which is done piece by piece.
const MOST_OF_SHEETS: u64 = 256 * 1024 * 1024;

/// What everything else in it may become, such as the texts that its cells share. Those are held in memory.
const MOST_OF_THE_REST: u64 = 24 * 1024 * 1024;

/// Where a workbook has its sheets.
const SHEETS: &str = "xl/worksheets/";

/// A workbook written out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub text: String,
    /// What is not in it, in words.
    pub lacks: Option<String>,
}

/// The sheets of the workbook that `bytes` are; the error says in words why they cannot be written out.
pub fn written(bytes: Vec<u8>) -> Result<Written, String> {
    unpacks(&bytes).map_err(|why| format!("the workbook cannot be read: {why}"))?;
    let mut text = Text::default();
    let sheets = match Xlsx::new(Cursor::new(bytes.as_slice())) {
        Ok(workbook) => xlsx(workbook, &mut text),
        Err(_) => xlsb(&bytes, &mut text),
    };
    sheets.map_err(|why| format!("the workbook cannot be read: {why}"))?;
    let lacks = text.is_full.then(|| format!("only its first {} MB are in it", text.text.len() / 1_000_000));
    Ok(Written { text: text.text, lacks })
}

/// Whether it stays within the limits when it is unpacked. What an archive says of that itself need not be true.
fn unpacks(bytes: &[u8]) -> Result<(), String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    let (mut sheets, mut rest) = (MOST_OF_SHEETS, MOST_OF_THE_REST);
    for number in 0..archive.len() {
        let entry = archive.by_index(number).map_err(|error| error.to_string())?;
        let is_sheet = entry.name().is_ok_and(|name| name.starts_with(SHEETS));
        let left = if is_sheet { &mut sheets } else { &mut rest };
        let most = *left + 1;
        let read = io::copy(&mut entry.take(most), &mut io::sink()).map_err(|error| error.to_string())?;
        *left = left.checked_sub(read).ok_or("what is in it is too large")?;
    }
    Ok(())
}

fn xlsx(mut workbook: Xlsx<Cursor<&[u8]>>, text: &mut Text) -> Result<(), String> {
    for name in workbook.sheet_names() {
        // A chart on a sheet of its own has no cells.
        let Ok(mut cells) = workbook.worksheet_cells_reader(&name) else { continue };
        text.sheet(&name, || cells.next_cell())?;
        if text.is_full {
            break;
        }
    }
    Ok(())
}

fn xlsb(bytes: &[u8], text: &mut Text) -> Result<(), String> {
    let mut workbook = Xlsb::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    for name in workbook.sheet_names() {
        let Ok(mut cells) = workbook.worksheet_cells_reader(&name) else { continue };
        text.sheet(&name, || cells.next_cell())?;
        if text.is_full {
            break;
        }
    }
    Ok(())
}

/// What is written, row by row. Rows and sheets without a value are left out.
#[derive(Default)]
struct Text {
    text: String,
    heading: Option<String>,
    /// The row that is being written and how many of its columns are.
    at: Option<(u32, u32)>,
    is_full: bool,
}

impl Text {
    /// A sheet with its cells, until there is no more room.
    fn sheet<'w, E: Display>(
        &mut self,
        name: &str,
        mut next: impl FnMut() -> Result<Option<Cell<DataRef<'w>>>, E>,
    ) -> Result<(), String> {
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        self.heading = Some(format!("## {name}\n\n"));
        self.at = None;
        while !self.is_full
            && let Some(cell) = next().map_err(|error| error.to_string())?
        {
            self.cell(&cell);
        }
        Ok(())
    }

    fn cell(&mut self, cell: &Cell<DataRef<'_>>) {
        let value = value(cell.get_value());
        if value.is_empty() {
            return;
        }
        let (row, column) = cell.get_position();
        let (at, mut written) = self.at.unwrap_or((row, 0));
        let heading = self.heading.take();
        let is_new = at != row;
        if self.text.len() + value.len() + column as usize >= WHOLE_AT_MOST as usize {
            self.is_full = true;
            return;
        }
        if let Some(heading) = heading {
            self.text.push_str(if self.text.is_empty() { "" } else { "\n\n" });
            self.text.push_str(&heading);
        } else if is_new {
            self.text.push('\n');
            written = 0;
        }
        for _ in written..column {
            self.text.push(',');
        }
        self.text.push_str(&value);
        self.at = Some((row, column));
    }
}

/// A value as CSV has it.
fn value(value: &DataRef<'_>) -> String {
    let plain = match value {
        DataRef::Empty => String::new(),
        DataRef::String(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(yes) => yes.to_string(),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number.to_string(),
        DataRef::DateTime(at) => {
            let (year, month, day, hour, minute, second, _) = at.to_ymd_hms_milli();
            let mut text = format!("{year:04}-{month:02}-{day:02}");
            if (hour, minute, second) != (0, 0, 0) {
                write!(text, " {hour:02}:{minute:02}:{second:02}").expect("a text takes what is written");
            }
            text
        }
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::Error(error) => error.to_string(),
    };
    if plain.contains([',', '"', '\n', '\r']) { format!("\"{}\"", plain.replace('"', "\"\"")) } else { plain }
}

#[cfg(test)]
mod tests {
    use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};

    use super::*;

    #[test]
    fn each_sheet_is_a_table_under_its_name() {
        let mut book = Workbook::new();
        let sheet = book.add_worksheet().set_name("Rates").unwrap();
        sheet.write(0, 0, "Party").unwrap().write(0, 1, "Rate, net").unwrap();
        sheet.write(4, 0, "Acme \"North\"").unwrap().write(4, 2, 12.5).unwrap();
        let date = Format::new().set_num_format("yyyy-mm-dd");
        let day = ExcelDateTime::from_ymd(2026, 11, 27).unwrap();
        sheet.write_with_format(5, 0, &day, &date).unwrap();
        book.add_worksheet().set_name("Empty").unwrap();
        book.add_worksheet().set_name("Terms").unwrap().write(0, 0, true).unwrap();
        let written = written(book.save_to_buffer().unwrap()).unwrap();
        let expected =
            "## Rates\n\nParty,\"Rate, net\"\n\"Acme \"\"North\"\"\",,12.5\n2026-11-27\n\n## Terms\n\ntrue";
        assert_eq!(written, Written { text: expected.to_owned(), lacks: None });
    }

    #[test]
    fn what_would_become_much_more_than_it_is_comes_to_nothing() {
        let mut packed = zip::ZipWriter::new(Cursor::new(Vec::new()));
        packed.start_file("xl/sharedStrings.xml", zip::write::SimpleFileOptions::default()).unwrap();
        io::copy(&mut io::repeat(b' ').take(MOST_OF_THE_REST + 1), &mut packed).unwrap();
        let bytes = packed.finish().unwrap().into_inner();
        assert!(bytes.len() < 100_000);
        assert_eq!(written(bytes), Err("the workbook cannot be read: what is in it is too large".to_owned()));
        assert!(written(b"no workbook".to_vec()).is_err());
    }
}
