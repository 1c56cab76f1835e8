//! A file's bytes and name: whether it is UTF-8 does not depend on how it is cut into pieces, what is not becomes it,
//! and any name gets a form or a reason.
#![no_main]

use docket::sync::form::form;
use docket::sync::utf8::{Utf8, to_utf8};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((step, bytes)) = data.split_first() else { return };
    let mut checked = Utf8::default();
    let whole = bytes.chunks(usize::from(*step).max(1)).try_for_each(|piece| checked.piece(piece));
    let is_utf8 = whole.is_ok() && checked.end().is_ok();
    assert_eq!(is_utf8, std::str::from_utf8(bytes).is_ok());
    let _ = to_utf8(bytes);
    if let Ok(name) = std::str::from_utf8(bytes) {
        let (name, mime_type) = name.split_once('\n').unwrap_or((name, ""));
        let _ = form(name, Some(mime_type).filter(|text| !text.is_empty()), u64::from(*step));
    }
});
