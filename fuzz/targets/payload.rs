//! Whatever body Fastio sends gives events that can be recorded, or a reason.
#![no_main]

use docket::event::Kind;
use docket::event::payload::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for parsed in parse(data).into_iter().flatten() {
        let event = parsed.event;
        assert!(!event.id.is_empty());
        assert_eq!(event.kind == Kind::Ignored, event.task().is_none());
    }
});
