//! A file's bytes and name: what is mended is UTF-8 of the same length however it is cut into pieces, a text passes or gets a
//! reason, and any name gets a form or one too.
#![no_main]

use docket::fastio::{Extraction, NodeKind};
use docket::sync::form::{Offer, claim};
use docket::sync::text::{Repair, Sort, prepare};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((step, bytes)) = data.split_first() else { return };
    let (mut repair, mut mended) = (Repair::default(), Vec::new());
    bytes.chunks(usize::from(*step).max(1)).for_each(|piece| repair.piece(piece, &mut mended));
    repair.end(&mut mended);
    assert_eq!(mended.len(), bytes.len());
    assert!(std::str::from_utf8(&mended).is_ok() && !mended.contains(&0));
    assert!(repair.mended() > 0 || mended == bytes);
    for sort in [Sort::Plain, Sort::Markdown, Sort::Page, Sort::Mail] {
        if let Ok(prepared) = prepare(bytes, sort) {
            assert!(std::str::from_utf8(&prepared.bytes).is_ok());
        }
    }
    let name = String::from_utf8_lossy(bytes);
    let (name, mime_type) = name.split_once('\n').unwrap_or((&name, ""));
    let offer = Offer {
        kind: NodeKind::File,
        name,
        mime_type: Some(mime_type),
        size: u64::from(*step),
        extraction: Extraction::default(),
    };
    if let Ok(claim) = claim(&offer) {
        let _ = claim.form(bytes, true);
    }
});
