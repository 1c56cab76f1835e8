//! The sheets of a workbook, written out as CSV under a heading each. Blocking, and for texts that are held in memory: what is
//! read and what is written have limits, and an archive that would become much more than it is comes to nothing.
//!
//! Every kind is read cell by cell, in the order in which it has them, until the text is full: `calamine` does that for .xlsx
//! and .xlsb. Of .xls and .ods it makes whole tables, as large as a file says that they are, and repeats in memory whatever is
//! said to be repeated; so those are read here (`xls`, `ods`), where a cell costs what it has in the file and no more.

mod ods;
mod xls;

use std::fmt::Display;
use std::io::{self, Cursor, Read};

use calamine::{Cell, DataRef, ExcelDateTime, Reader, Xlsb, Xlsx};
use memchr::memmem;
use zip::ZipArchive;

use super::upload::WHOLE_AT_MOST;

/// The largest workbook whose sheets are written out: some hundred thousand rows. It is held in memory.
pub const MOST_BYTES: u64 = 8 * 1024 * 1024;

/// What its sheets may become when they are unpacked, which is done piece by piece.
const MOST_OF_SHEETS: u64 = 256 * 1024 * 1024;

/// What everything else in it may become, such as the texts that its cells share. Those are held in memory.
const MOST_OF_THE_REST: u64 = 24 * 1024 * 1024;

/// How many parts it may have: a few for each sheet, and one for each picture.
const MOST_PARTS: usize = 10_000;

/// What is looked at of an OpenDocument's list of its parts. It has a line for each.
const MOST_OF_MANIFEST: u64 = 1024 * 1024;

/// Where a workbook has its sheets.
const SHEETS: &str = "xl/worksheets/";

const TOO_LARGE: &str = "what is in it is too large";
const ENCRYPTED: &str = "it is encrypted with a password";

/// A workbook written out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub text: String,
    /// What is not in it, in words.
    pub lacks: Option<String>,
}

/// The sheets of the workbook that `bytes` are, whichever kind its name says.
///
/// # Errors
/// Why they cannot be written out, in words.
pub fn written(bytes: &[u8]) -> Result<Written, String> {
    let mut text = Text::default();
    let sheets = match bytes {
        [b'P', b'K', ..] => package(bytes, &mut text),
        _ if bytes.starts_with(xls::MARK) => xls::sheets(bytes, &mut text),
        _ => Err("what is in it is neither a workbook of Excel nor an OpenDocument spreadsheet".to_owned()),
    };
    sheets.map_err(|why| format!("the workbook cannot be read: {why}"))?;
    let lacks = text.is_full.then(|| format!("only its first {} MB are in it", text.text.len() / 1_000_000));
    Ok(Written { text: text.text, lacks })
}

fn package(bytes: &[u8], text: &mut Text) -> Result<(), String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    if archive.len() > MOST_PARTS {
        return Err(TOO_LARGE.to_owned());
    }
    let mut manifest = Vec::new();
    if let Ok(entry) = archive.by_name("META-INF/manifest.xml") {
        // What cannot be read of it says nothing, and is told where the content is read.
        let _ = entry.take(MOST_OF_MANIFEST).read_to_end(&mut manifest);
    }
    if memmem::find(&manifest, b"encryption-data").is_some() {
        return Err(ENCRYPTED.to_owned());
    }
    if let Ok(content) = archive.by_name("content.xml") {
        return ods::sheets(content, text);
    }
    unpacks(&mut archive)?;
    match Xlsx::new(Cursor::new(bytes)) {
        Ok(workbook) => xlsx(workbook, text),
        Err(_) => xlsb(bytes, text),
    }
}

/// Whether it stays within the limits when it is unpacked. What an archive says of that itself need not be true.
fn unpacks(archive: &mut ZipArchive<Cursor<&[u8]>>) -> Result<(), String> {
    let (mut sheets, mut rest) = (MOST_OF_SHEETS, MOST_OF_THE_REST);
    for number in 0..archive.len() {
        let entry = archive.by_index(number).map_err(|error| error.to_string())?;
        let is_sheet = entry.name().is_ok_and(|name| name.starts_with(SHEETS));
        let left = if is_sheet { &mut sheets } else { &mut rest };
        let most = *left + 1;
        let read = io::copy(&mut entry.take(most), &mut io::sink()).map_err(|error| error.to_string())?;
        *left = left.checked_sub(read).ok_or(TOO_LARGE)?;
    }
    Ok(())
}

fn xlsx(mut workbook: Xlsx<Cursor<&[u8]>>, text: &mut Text) -> Result<(), String> {
    for name in workbook.sheet_names() {
        // A chart on a sheet of its own has no cells.
        let Ok(mut cells) = workbook.worksheet_cells_reader(&name) else { continue };
        text.cells(&name, || cells.next_cell())?;
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
        text.cells(&name, || cells.next_cell())?;
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
    /// The row that is being written and the last of its columns.
    at: Option<(u32, u32)>,
    /// Where its line begins.
    line: usize,
    is_full: bool,
}

impl Text {
    /// A sheet with its cells, until there is no more room.
    fn cells<'w, E: Display>(
        &mut self,
        name: &str,
        mut next: impl FnMut() -> Result<Option<Cell<DataRef<'w>>>, E>,
    ) -> Result<(), String> {
        self.sheet(name);
        while !self.is_full
            && let Some(cell) = next().map_err(|error| error.to_string())?
        {
            self.cell(cell.get_position(), &value(cell.get_value()));
        }
        Ok(())
    }

    /// Begins a sheet.
    fn sheet(&mut self, name: &str) {
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        self.heading = Some(format!("## {name}\n\n"));
        self.at = None;
    }

    /// A cell of the sheet, by its row and column, with what CSV has of it.
    fn cell(&mut self, (row, column): (u32, u32), value: &str) {
        if value.is_empty() || self.is_full {
            return;
        }
        // What is not in order, which no program writes, begins a line of its own.
        let before = self.at.filter(|at| at.0 == row && at.1 < column).map(|at| at.1);
        let commas = (column - before.unwrap_or(0)) as usize;
        let heading = self.heading.as_ref().map_or(0, String::len);
        if self.text.len() + heading + value.len() + commas >= WHOLE_AT_MOST as usize {
            self.is_full = true;
            return;
        }
        if let Some(heading) = self.heading.take() {
            self.text.push_str(if self.text.is_empty() { "" } else { "\n\n" });
            self.text.push_str(&heading);
            self.line = self.text.len();
        } else if before.is_none() {
            self.text.push('\n');
            self.line = self.text.len();
        }
        self.text.extend((0..commas).map(|_| ','));
        self.text.push_str(value);
        self.at = Some((row, column));
    }

    /// The last row so many times more, if it is `row`.
    fn again(&mut self, row: u32, times: u32) {
        let Some((_, column)) = self.at.filter(|at| at.0 == row) else { return };
        let line = self.text[self.line..].to_owned();
        for _ in 0..times {
            if self.text.len() + line.len() + 1 >= WHOLE_AT_MOST as usize {
                self.is_full = true;
                return;
            }
            self.text.push('\n');
            self.line = self.text.len();
            self.text.push_str(&line);
        }
        self.at = Some((row.saturating_add(times), column));
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
        DataRef::DateTime(at) => time(*at),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::Error(error) => error.to_string(),
    };
    if plain.contains([',', '"', '\n', '\r']) { format!("\"{}\"", plain.replace('"', "\"\"")) } else { plain }
}

/// A day, a time of day, both, or how long something takes, in hours.
fn time(at: ExcelDateTime) -> String {
    let days = at.as_f64();
    if at.is_duration() {
        let seconds = (days.abs() * 86_400.0).round() as u64;
        let sign = if days < 0.0 { "-" } else { "" };
        return format!("{sign}{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    }
    let (year, month, day, hour, minute, second, _) = at.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    let clock = format!("{hour:02}:{minute:02}:{second:02}");
    match (days, clock.as_str()) {
        (0.0..1.0, _) => clock,
        (_, "00:00:00") => date,
        _ => format!("{date} {clock}"),
    }
}

#[cfg(test)]
mod tests;
