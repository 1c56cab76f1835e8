//! A table as a workbook. Each cell is a text or a number; none is a formula or a link, whatever stands in it.

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, XlsxError};

use crate::result::name::cut;

/// Rows that a sheet holds, of which the last is for what is left out.
const MOST_ROWS: usize = 1_048_575;

/// Bytes of a cell; a spreadsheet takes 32,767 characters.
const LONGEST_CELL: usize = 32_000;

/// How wide a column gets, in pixels.
const WIDEST: u32 = 400;

/// The same table makes the same bytes.
pub fn workbook(header: &[String], rows: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    written(header, rows).expect("what is written stays below the limits of a sheet")
}

fn written(header: &[String], rows: impl Iterator<Item = Vec<String>>) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    // It would be the present time.
    let never = ExcelDateTime::from_timestamp(0)?;
    workbook.set_properties(&DocProperties::new().set_creation_datetime(&never));
    let sheet = workbook.add_worksheet();
    let bold = Format::new().set_bold();
    // A text stays one when a person opens its cell and leaves it.
    let plain = Format::new().set_quote_prefix().set_text_wrap();
    for (column, title) in (0..).zip(header) {
        sheet.write_string_with_format(0, column, cut(title, LONGEST_CELL), &bold)?;
    }
    sheet.set_freeze_panes(1, 0)?;
    let mut left_out = 0_u32;
    let mut last = 0;
    for (place, row) in (1..).zip(rows) {
        if place as usize >= MOST_ROWS {
            left_out += 1;
            continue;
        }
        last = place;
        for (column, cell) in (0..).zip(&row) {
            match number(cell) {
                Some(number) => sheet.write_number(place, column, number)?,
                None if cell.is_empty() => sheet,
                None => sheet.write_string_with_format(place, column, cut(cell, LONGEST_CELL), &plain)?,
            };
        }
    }
    if left_out > 0 {
        sheet.write_string(last + 1, 0, format!("{left_out} more rows have no room in a sheet"))?;
    }
    sheet.set_autofit_max_width(WIDEST).autofit();
    workbook.save_to_buffer()
}

/// A number that is written as a spreadsheet would write it: `007` is none.
fn number(cell: &str) -> Option<f64> {
    let number: f64 = cell.parse().ok()?;
    (number.is_finite() && number.to_string() == cell).then_some(number)
}
