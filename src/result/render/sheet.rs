//! A table as a workbook. Each cell is a text or a number; none is a formula or a link, whatever stands in it.

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, FormatAlign, Workbook, XlsxError};
use unicode_width::UnicodeWidthStr;

use crate::result::name::cut;

/// Rows that a sheet holds, of which the last is for what is left out.
const MOST_ROWS: usize = 1_048_575;

/// Bytes of a cell; a spreadsheet takes 32,767 characters.
const LONGEST_CELL: usize = 32_000;

/// By its number in Excel.
const A4: u8 = 9;

/// How wide columns get, in pixels: as a rule, and where a text would take more lines than a row may have. A spreadsheet has none
/// wider.
const WIDE: u32 = 400;
const WIDEST: u32 = 1_790;

/// How wide a character is at most, in pixels, in any type. Some scripts have characters that are as wide as two.
const CHARACTER: u32 = 8;

/// How high a line is, in points, and lines that a row may have.
const LINE_HEIGHT: f64 = 15.0;
const MOST_LINES: u32 = 27;

/// A workbook in which those columns hold numbers that `numbers` names, and all others texts. The same table makes the same bytes.
pub fn workbook(header: &[String], numbers: &[bool], rows: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    written(header, numbers, rows).expect("what is written stays below the limits of a sheet")
}

fn written(
    header: &[String],
    numbers: &[bool],
    rows: impl Iterator<Item = Vec<String>>,
) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    // It would be the present time.
    let never = ExcelDateTime::from_timestamp(0)?;
    workbook.set_properties(&DocProperties::new().set_creation_datetime(&never));
    let sheet = workbook.add_worksheet();
    let bold = Format::new().set_bold();
    // A text stays one when a person opens its cell and leaves it.
    let plain = Format::new().set_quote_prefix().set_text_wrap().set_align(FormatAlign::Top);
    let counted = Format::new().set_align(FormatAlign::Top);
    for (column, title) in (0..).zip(header) {
        sheet.write_string_with_format(0, column, cut(title, LONGEST_CELL), &bold)?;
    }
    sheet.set_freeze_panes(1, 0)?;
    let (mut left_out, mut longest) = (0_u32, Vec::new());
    let mut last = 0;
    for (place, row) in (1..).zip(rows) {
        if place as usize >= MOST_ROWS {
            left_out += 1;
            continue;
        }
        last = place;
        longest.push(row.iter().map(|cell| pixels(cell)).max().unwrap_or(0));
        for ((column, cell), is_number) in (0..).zip(&row).zip(numbers) {
            match number(cell).filter(|_| *is_number) {
                Some(number) => sheet.write_number_with_format(place, column, number, &counted)?,
                None if cell.is_empty() => sheet,
                None => sheet.write_string_with_format(place, column, cut(cell, LONGEST_CELL), &plain)?,
            };
        }
    }
    if left_out > 0 {
        sheet.write_string(last + 1, 0, format!("{left_out} more rows have no room in a sheet"))?;
    }
    // Not every spreadsheet finds out by itself how many lines a text takes.
    let most = longest.iter().max().copied().unwrap_or(0);
    let width = most.div_ceil(MOST_LINES).clamp(WIDE, WIDEST);
    for (place, length) in (1..).zip(&longest) {
        let lines = length.div_ceil(width).clamp(1, MOST_LINES);
        if lines > 1 {
            sheet.set_row_height(place, f64::from(lines) * LINE_HEIGHT)?;
        }
    }
    sheet.set_autofit_max_width(width).autofit();
    if let Some(widest) = header.len().checked_sub(1).and_then(|column| u16::try_from(column).ok()) {
        sheet.autofilter(0, 0, last, widest)?;
    }
    // On paper: as wide as a page, under the same titles on each.
    sheet.set_landscape().set_paper_size(A4).set_print_fit_to_pages(1, 0).set_repeat_rows(0, 0)?;
    workbook.save_to_buffer()
}

/// What a text takes in one line.
fn pixels(cell: &str) -> u32 {
    u32::try_from(cell.width()).unwrap_or(u32::MAX).saturating_mul(CHARACTER)
}

/// A number that is written as a spreadsheet would write it.
fn number(cell: &str) -> Option<f64> {
    let number: f64 = cell.parse().ok()?;
    (number.is_finite() && number.to_string() == cell).then_some(number)
}
