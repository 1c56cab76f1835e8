//! A workbook, or what is in one: behind the first byte is a whole file, the stream of an .xls, the table of an .ods, or the
//! texts that cells share and the cells. It becomes a text within the limit, whose headings are lines, or a reason that is fit to print.
#![no_main]

use docket::sync::sheets::written;
use ground::is_fit_to_print;
use libfuzzer_sys::fuzz_target;

#[path = "../../tests/it/workbook.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod workbook;

const MOST: usize = 4 * 1024 * 1024;

fuzz_target!(|data: &[u8]| {
    let Some((kind, data)) = data.split_first() else { return };
    let bytes = match kind % 5 {
        0 => data.to_vec(),
        1 => workbook::compound("Workbook", data),
        2 => workbook::compound("Book", data),
        3 => workbook::ods(&String::from_utf8_lossy(data)),
        _ => {
            let (globals, cells) = data.split_at(data.len() / 2);
            let version = if kind & 8 == 0 { 0x0600 } else { 0x0500 };
            workbook::compound("Workbook", &workbook::stream(version, globals, &[("S", 0, cells.to_vec())]))
        }
    };
    match written(&bytes) {
        Ok(written) => {
            assert!(written.text.len() < MOST);
            assert!(written.text.is_empty() || written.text.starts_with("## "), "{:?}", written.text);
        }
        // What the reader of today's workbooks says, it says in its own words.
        Err(why) if *kind % 5 != 0 => is_fit_to_print(&why),
        Err(_) => {}
    }
});
