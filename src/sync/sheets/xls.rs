//! The cells of an Excel workbook of before 2007 (BIFF5 and BIFF8): a compound file, and in it a stream of records. What a record
//! says that follows is believed as far as there are bytes, so that each byte is looked at a few times at most, and nothing is
//! held but the stream and the texts that cells share, which are no larger than what they are read from.

use std::collections::HashMap;
use std::io::{Cursor, Read};

use calamine::{CellErrorType, DataRef, ExcelDateTime, ExcelDateTimeType};
use cfb::CompoundFile;
use encoding_rs::{Encoding, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::{ENCRYPTED, MOST_BYTES, Text, value};

/// How a compound file begins.
pub(super) const MARK: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

const DAMAGED: &str = "it is damaged";
const CUT_SHORT: &str = "it ends too early";

/// Types of records (MS-XLS, 2.3, and of BIFF5 what is the same there).
mod kind {
    pub const FORMULA: u16 = 0x0006;
    pub const END: u16 = 0x000a;
    pub const DATES: u16 = 0x0022;
    pub const FILE_PASS: u16 = 0x002f;
    pub const CONTINUE: u16 = 0x003c;
    pub const CODE_PAGE: u16 = 0x0042;
    pub const SHEET: u16 = 0x0085;
    pub const MUL_RK: u16 = 0x00bd;
    pub const RICH_STRING: u16 = 0x00d6;
    pub const XF: u16 = 0x00e0;
    pub const SHARED_STRINGS: u16 = 0x00fc;
    pub const SHARED_STRING: u16 = 0x00fd;
    pub const NUMBER: u16 = 0x0203;
    pub const LABEL: u16 = 0x0204;
    pub const BOOL_OR_ERROR: u16 = 0x0205;
    pub const STRING: u16 = 0x0207;
    pub const RK: u16 = 0x027e;
    pub const FORMAT: u16 = 0x041e;
    pub const BEGIN: u16 = 0x0809;
}

/// Writes the sheets of the workbook that `bytes` are; the error says in words why not.
pub(super) fn sheets(bytes: &[u8], text: &mut Text) -> Result<(), String> {
    let stream = stream(bytes)?;
    let book = Book::of(&stream)?;
    // Each sheet has its own part of the stream. Where many claim the same one, it would be read for each of them.
    let mut left = stream.len();
    for sheet in &book.sheets {
        let begin = stream.get(sheet.begins_at..).ok_or(DAMAGED)?;
        let mut records = Records(begin);
        text.sheet(&sheet.name);
        book.cells(&mut records, text)?;
        if text.is_full {
            break;
        }
        left = left.checked_sub(begin.len() - records.0.len()).ok_or(DAMAGED)?;
    }
    Ok(())
}

/// The stream that holds the workbook.
fn stream(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let damaged = |error| format!("its container is damaged: {error}");
    if !lists_its_sectors(bytes) {
        return Err(DAMAGED.to_owned());
    }
    let mut file = CompoundFile::open(Cursor::new(bytes)).map_err(damaged)?;
    let Some(name) = ["Workbook", "Book"].into_iter().find(|name| file.is_stream(name)) else {
        let is_encrypted = file.is_stream("EncryptedPackage");
        return Err(if is_encrypted { ENCRYPTED } else { "there is no workbook in it" }.to_owned());
    };
    let mut stream = Vec::new();
    file.open_stream(name)
        .and_then(|open| open.take(MOST_BYTES).read_to_end(&mut stream))
        .map_err(damaged)?;
    Ok(stream)
}

/// Whether a compound file lists its sectors as one of ours does: in its header, and in one sector more at most. A longer list
/// may name one sector a million times, of which the reader of such files would make a hundred times what the file has.
fn lists_its_sectors(bytes: &[u8]) -> bool {
    let is_none = |sector: u32| sector > 0xffff_fffa;
    let next_of = |list: u32, size: usize| u32_at(bytes, (list as usize + 2).checked_mul(size)? - 4);
    let (Some(shift), Some(list)) = (u16_at(bytes, 30), u32_at(bytes, 68)) else { return false };
    matches!(shift, 9 | 12) && (is_none(list) || next_of(list, 1 << shift).is_some_and(is_none))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    /// Texts are in the workbook's code page.
    Five,
    /// They are in Unicode.
    Eight,
}

struct Sheet {
    name: String,
    begins_at: usize,
}

/// What a workbook says before its sheets.
struct Book {
    version: Version,
    code_page: &'static Encoding,
    /// Whether days are counted from 1904 on.
    is_1904: bool,
    sheets: Vec<Sheet>,
    /// What numbers are, by the number of their cell's format.
    dates: Vec<Option<ExcelDateTimeType>>,
    shared: Shared,
}

/// The texts that cells share, one behind the other, and where each ends.
#[derive(Default)]
struct Shared {
    text: String,
    ends: Vec<usize>,
}

impl Shared {
    fn get(&self, number: usize) -> Option<&str> {
        let begin = number.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.text.get(begin..*self.ends.get(number)?)
    }
}

impl Book {
    fn of(stream: &[u8]) -> Result<Self, String> {
        let mut records = Records(stream);
        let version = match records.next() {
            Some(Record { kind: kind::BEGIN, data }) if u16_at(data, 0) == Some(0x0600) => Version::Eight,
            Some(Record { kind: kind::BEGIN, data }) if u16_at(data, 0) == Some(0x0500) => Version::Five,
            Some(_) => return Err("it is of a version before Excel 5".to_owned()),
            None => return Err(CUT_SHORT.to_owned()),
        };
        let (code_page, shared) = (WINDOWS_1252, Shared::default());
        let mut book =
            Book { version, code_page, is_1904: false, sheets: Vec::new(), dates: Vec::new(), shared };
        let (mut formats, mut cell_formats) = (HashMap::new(), Vec::new());
        loop {
            let Some(Record { kind, data }) = records.next() else { return Err(CUT_SHORT.to_owned()) };
            match kind {
                kind::END => break,
                kind::FILE_PASS => return Err(ENCRYPTED.to_owned()),
                kind::XF => cell_formats.push(u16_at(data, 2).unwrap_or_default()),
                kind::FORMAT => {
                    let number = u16_at(data, 0).ok_or(DAMAGED)?;
                    let code = match version {
                        Version::Eight => book.text(&data[2..], &mut records),
                        Version::Five => book.short_text(&data[2..]),
                    };
                    formats.insert(number, date_by_code(&code.ok_or(DAMAGED)?));
                }
                _ => book.says(kind, data, &mut records).ok_or(DAMAGED)?,
            }
        }
        let by_number = |number: u16| formats.get(&number).copied().unwrap_or_else(|| date_by_number(number));
        book.dates = cell_formats.into_iter().map(by_number).collect();
        Ok(book)
    }

    /// Takes what one record says of the workbook; none when it is too short.
    fn says<'a>(&mut self, kind: u16, data: &'a [u8], records: &mut Records<'a>) -> Option<()> {
        match kind {
            kind::CODE_PAGE => {
                let known = codepage::to_encoding(u16_at(data, 0)?);
                // One byte for a character; those of DOS are not known, and are taken for those of Windows.
                self.code_page =
                    known.filter(|page| ![UTF_16LE, UTF_16BE].contains(page)).unwrap_or(WINDOWS_1252);
            }
            kind::DATES => self.is_1904 = u16_at(data, 0)? == 1,
            kind::SHEET => {
                let begins_at = u32_at(data, 0)? as usize;
                let name = self.short_text(data.get(6..)?)?;
                // Charts, macros and modules have no cells of their own.
                if data[5] == 0 {
                    self.sheets.push(Sheet { name, begins_at });
                }
            }
            kind::SHARED_STRINGS => self.shared = shared(data, records)?,
            _ => {}
        }
        Some(())
    }

    /// Writes a sheet's cells, up to where its part of the stream ends.
    fn cells(&self, records: &mut Records<'_>, text: &mut Text) -> Result<(), String> {
        // Charts on the sheet are in it with all that is theirs.
        let mut depth = 0_usize;
        let mut formula = None;
        while let Some(Record { kind, data }) = records.next() {
            match kind {
                kind::BEGIN => depth += 1,
                kind::END if depth <= 1 => return Ok(()),
                kind::END => depth -= 1,
                _ if depth == 1 => {
                    self.cell((kind, data), records, (text, &mut formula)).ok_or(DAMAGED)?;
                }
                _ => {}
            }
            if text.is_full {
                return Ok(());
            }
        }
        Err(CUT_SHORT.to_owned())
    }

    /// Writes what one record has of cells; none when it is too short. The text of a formula comes in a record of its own.
    fn cell<'a>(
        &self,
        (kind, data): (u16, &'a [u8]),
        records: &mut Records<'a>,
        (text, formula): (&mut Text, &mut Option<(u32, u32)>),
    ) -> Option<()> {
        if kind == kind::STRING {
            if let Some(at) = formula.take() {
                text.cell(at, &value(&DataRef::String(self.text(data, records)?)));
            }
            return Some(());
        }
        let has_position = [
            kind::FORMULA,
            kind::MUL_RK,
            kind::RICH_STRING,
            kind::SHARED_STRING,
            kind::NUMBER,
            kind::LABEL,
            kind::BOOL_OR_ERROR,
            kind::RK,
        ];
        if !has_position.contains(&kind) {
            return Some(());
        }
        let at = (u32::from(u16_at(data, 0)?), u32::from(u16_at(data, 2)?));
        let format = u16_at(data, 4)?;
        let found = match kind {
            kind::NUMBER => self.number(format, f64_at(data, 6)?),
            kind::RK => self.number(format, rk(u32_at(data, 6)?)),
            kind::MUL_RK => {
                // A format and a number for each column, and behind them the last column.
                for (column, cell) in (at.1..).zip(data.get(4..data.len() - 2)?.chunks_exact(6)) {
                    let number = self.number(u16_at(cell, 0)?, rk(u32_at(cell, 2)?));
                    text.cell((at.0, column), &value(&number));
                }
                return Some(());
            }
            kind::SHARED_STRING => {
                let number = u32_at(data, 6)? as usize;
                text.cell(at, &value(&DataRef::SharedString(self.shared.get(number)?)));
                return Some(());
            }
            kind::LABEL | kind::RICH_STRING => DataRef::String(self.text(data.get(6..)?, records)?),
            kind::BOOL_OR_ERROR if *data.get(7)? == 0 => DataRef::Bool(data[6] != 0),
            kind::BOOL_OR_ERROR => error(data[6]),
            _ => {
                *formula = None;
                let result = data.get(6..14)?;
                match (&result[6..], result[0]) {
                    (b"\xff\xff", 0) => {
                        *formula = Some(at);
                        DataRef::Empty
                    }
                    (b"\xff\xff", 1) => DataRef::Bool(result[2] != 0),
                    (b"\xff\xff", 2) => error(result[2]),
                    (b"\xff\xff", _) => DataRef::Empty,
                    _ => self.number(format, f64_at(result, 0)?),
                }
            }
        };
        text.cell(at, &value(&found));
        Some(())
    }

    fn number(&self, format: u16, number: f64) -> DataRef<'static> {
        match self.dates.get(usize::from(format)).copied().flatten() {
            Some(kind) => DataRef::DateTime(ExcelDateTime::new(number, kind, self.is_1904)),
            None => DataRef::Float(number),
        }
    }

    /// A text behind its length in two bytes.
    fn text<'a>(&self, data: &'a [u8], records: &mut Records<'a>) -> Option<String> {
        let length = usize::from(u16_at(data, 0)?);
        if self.version == Version::Five {
            return Some(self.decoded(data.get(2..2 + length)?));
        }
        let mut text = String::new();
        let is_wide = data.get(2)? & 1 == 1;
        Spread { now: &data[3..], then: records }.characters(length, is_wide, &mut text)?;
        Some(text)
    }

    /// A text behind its length in one byte, all in one record.
    fn short_text(&self, data: &[u8]) -> Option<String> {
        let length = usize::from(*data.first()?);
        if self.version == Version::Five {
            return Some(self.decoded(data.get(1..=length)?));
        }
        let mut text = String::new();
        let is_wide = data.get(1)? & 1 == 1;
        Spread { now: &data[2..], then: &mut Records(&[]) }.characters(length, is_wide, &mut text)?;
        Some(text)
    }

    fn decoded(&self, bytes: &[u8]) -> String {
        self.code_page.decode_without_bom_handling(bytes).0.into_owned()
    }
}

/// The texts that cells share: a count of all uses, one of the texts, and the texts.
fn shared<'a>(data: &'a [u8], records: &mut Records<'a>) -> Option<Shared> {
    let mut shared = Shared::default();
    let count = u32_at(data, 4)?;
    let mut spread = Spread { now: &data[8..], then: records };
    for _ in 0..count {
        if spread.now.is_empty() && !spread.turn() {
            // A cell that asks for more than there are says that it is damaged.
            break;
        }
        let head = spread.take(3)?;
        let (length, flags) = (u16_at(head, 0)?, head[2]);
        // Behind the text are its fonts, and how it is pronounced.
        let fonts = if flags & 8 == 0 { 0 } else { usize::from(u16_at(spread.take(2)?, 0)?) };
        let sounds = if flags & 4 == 0 { 0 } else { u32_at(spread.take(4)?, 0)? as usize };
        spread.characters(usize::from(length), flags & 1 == 1, &mut shared.text)?;
        spread.skip(fonts * 4)?;
        spread.skip(sounds)?;
        shared.ends.push(shared.text.len());
    }
    Some(shared)
}

/// What is longer than a record, and goes on in those behind it.
struct Spread<'a, 'r> {
    now: &'a [u8],
    then: &'r mut Records<'a>,
}

impl<'a> Spread<'a, '_> {
    /// Goes on with the next record, if that is for it.
    fn turn(&mut self) -> bool {
        let mut then = Records(self.then.0);
        let Some(Record { kind: kind::CONTINUE, data }) = then.next() else { return false };
        *self.then = then;
        self.now = data;
        true
    }

    /// So many bytes, which stand together.
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, left) = self.now.split_at_checked(length)?;
        self.now = left;
        Some(taken)
    }

    fn skip(&mut self, mut length: usize) -> Option<()> {
        while length > self.now.len() {
            length -= self.now.len();
            if !self.turn() {
                return None;
            }
        }
        self.take(length).map(|_| ())
    }

    /// Adds so many characters. How wide they are is said anew in each record.
    fn characters(&mut self, mut count: usize, mut is_wide: bool, text: &mut String) -> Option<()> {
        while count > 0 {
            if self.now.is_empty() {
                if !self.turn() {
                    return None;
                }
                is_wide = self.take(1)?[0] & 1 == 1;
            }
            let width = if is_wide { 2 } else { 1 };
            let here = count.min(self.now.len() / width);
            let bytes = self.take(here * width).filter(|bytes| !bytes.is_empty())?;
            if is_wide {
                let units = bytes.chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]]));
                text.extend(
                    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)),
                );
            } else {
                text.extend(bytes.iter().map(|byte| char::from(*byte)));
            }
            count -= here;
        }
        Some(())
    }
}

struct Record<'a> {
    kind: u16,
    data: &'a [u8],
}

/// The records of a stream from some place on, each behind its type and its length.
struct Records<'a>(&'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let (kind, length) = (u16_at(self.0, 0)?, u16_at(self.0, 2)?);
        let (data, left) = self.0[4..].split_at_checked(usize::from(length))?;
        self.0 = left;
        Some(Record { kind, data })
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

fn f64_at(bytes: &[u8], at: usize) -> Option<f64> {
    bytes.get(at..)?.first_chunk().map(|bytes| f64::from_le_bytes(*bytes))
}

/// A number in four bytes: an integer of 30 bits or the upper half of a float, and whether it is to be divided by a hundred.
fn rk(packed: u32) -> f64 {
    let number = if packed & 2 == 0 {
        f64::from_bits(u64::from(packed & !3) << 32)
    } else {
        f64::from(packed.cast_signed() >> 2)
    };
    if packed & 1 == 0 { number } else { number / 100.0 }
}

fn error(code: u8) -> DataRef<'static> {
    DataRef::Error(match code {
        0x00 => CellErrorType::Null,
        0x07 => CellErrorType::Div0,
        0x0f => CellErrorType::Value,
        0x17 => CellErrorType::Ref,
        0x1d => CellErrorType::Name,
        0x24 => CellErrorType::Num,
        0x2a => CellErrorType::NA,
        _ => return DataRef::Empty,
    })
}

/// Whether numbers of one of Excel's own formats are dates (ECMA-376, 18.8.30).
fn date_by_number(format: u16) -> Option<ExcelDateTimeType> {
    match format {
        14..=22 | 27..=36 | 45 | 47 | 50..=58 => Some(ExcelDateTimeType::DateTime),
        46 => Some(ExcelDateTimeType::TimeDelta),
        _ => None,
    }
}

/// The same for a format of the workbook's own: it has a letter of dates outside of what it shows as it is. Its first part is
/// for positive numbers.
fn date_by_code(code: &str) -> Option<ExcelDateTimeType> {
    let mut characters = code.chars();
    while let Some(character) = characters.next() {
        match character {
            ';' => break,
            '\\' | '_' | '*' => {
                characters.next();
            }
            '"' => {
                characters.by_ref().find(|end| *end == '"');
            }
            '[' => {
                // Hours, minutes or seconds that are no clock's; else a colour, a condition or a currency.
                let inner: String = characters.by_ref().take_while(|end| *end != ']').collect();
                if !inner.is_empty()
                    && inner.chars().all(|c| matches!(c.to_ascii_lowercase(), 'h' | 'm' | 's'))
                {
                    return Some(ExcelDateTimeType::TimeDelta);
                }
            }
            _ if matches!(character.to_ascii_lowercase(), 'd' | 'm' | 'y' | 'h' | 's') => {
                return Some(ExcelDateTimeType::DateTime);
            }
            _ => {}
        }
    }
    None
}
