//! A quote and a document: what is found stands there, and a document holds itself.
#![no_main]

use docket::result::quote::{Document, Proof};
use ground::pieces;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [quote, document] = pieces(data);
    let (Ok(quote), Ok(text)) = (std::str::from_utf8(quote), std::str::from_utf8(document)) else { return };
    let document = Document::new(text);
    let characters = text.chars().count() as u64;
    if let Proof::Found(place) = document.find(quote) {
        assert!(place.length > 0 && place.offset + place.length <= characters, "{place:?} of {characters}");
        let lines =
            text.chars().filter(|c| "\n\r\u{b}\u{c}\u{85}\u{2028}\u{2029}".contains(*c)).count() as u64 + 1;
        assert!((1..=lines).contains(&place.line), "{place:?} of {lines} lines");
        // What is left out is left out of a sentence.
        assert!(place.left_out.is_none() || place.sentence.is_some(), "{place:?}");
        // What was found is itself a quote.
        let found: String = text.chars().skip(place.offset as usize).take(place.length as usize).collect();
        assert!(document.find(&found) != Proof::NotFound, "{found:?} was found, and is not there");
    }
    assert!(document.find(text) != Proof::NotFound, "a text does not hold itself");
});
