//! Whatever stands in docket.toml is settings, or an error of one line.
#![no_main]

use docket::config::{Config, Sources};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let one_line = |error: &dyn std::fmt::Display| {
        let text = error.to_string();
        assert!(!text.is_empty() && !text.contains('\n'), "{text}");
    };
    let sources = Sources { set: vec![text.to_owned()], ..Sources::default() };
    if let Err(error) = Config::from_text("", None, &sources) {
        one_line(&error);
    }
    match Config::from_text(text, None, &Sources::default()) {
        Err(error) => one_line(&error),
        Ok(config) => match config.rules() {
            Err(error) => one_line(&error),
            // A schema is a file's name, and any file of this machine may be named here.
            Ok(rules) if !text.contains("schema") => {
                if let Err(error) = config.runs(&rules) {
                    one_line(&error);
                }
            }
            Ok(_) => {}
        },
    }
});
