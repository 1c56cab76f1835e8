//! A model's free text: whatever it is, a report of it shows text and does nothing, in two renderers.
#![no_main]

use docket::result::render::{Answer, Provenance, ResultPage, markdown};
use libfuzzer_sys::fuzz_target;
use renderers::{fault, rendered};

#[path = "../renderers.rs"]
mod renderers;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let provenance = Provenance {
        file: text,
        version: "3v",
        rule: "rule",
        engine: "responses",
        model: text,
        definition: "d",
        response: None,
        started_at: 0,
        finished_at: 1,
        tokens: None,
    };
    let report = markdown(&ResultPage::of(provenance, Answer::Text(text)));
    for html in rendered(&report) {
        assert_eq!(fault(&html), None, "{report:?} became {html:?}");
    }
});
