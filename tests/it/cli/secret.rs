//! Secrets that would let in every sender, or none: the program says so before the first delivery, and never shows them.

use crate::harness::program::{Place, Run, SECRET};

const HERE: (&str, &str) = ("http://127.0.0.1:9/", "http://127.0.0.1:9/");
const LIVE: (&str, &str) = ("https://api.fast.io/current", "https://api.openai.com/v1");

const STRONG: &str = "whsec_bmV3LWZhc3Rpby1zZWNyZXQtMTIzNDU2";

fn run(command: &[&str], (fastio, openai): (&str, &str), changed: (&str, &str)) -> Run {
    let place = Place::new();
    place.write("docket.toml", &place.settings(fastio, openai));
    let mut environment = vec![
        ("FASTIO_API_KEY", "a-key-of-fastio"),
        ("OPENAI_API_KEY", "a-key-of-openai"),
        ("FASTIO_WEBHOOK_SECRET", STRONG),
    ];
    environment.retain(|(name, _)| *name != changed.0);
    environment.push(changed);
    place.with(&environment).docket(command)
}

/// Refused by a server before it begins, with the variable and the cure.
fn refused(at: (&str, &str), (variable, value): (&str, &str), cure: &str) {
    let run = run(&["serve"], at, (variable, value));
    assert_eq!(run.code, 2, "{value:?}: {run:?}");
    assert!(run.err.contains(variable) && run.err.contains(cure), "{value:?}: {run:?}");
    let secret = value.trim_matches(['"', '\u{feff}']);
    assert!(secret.len() < 8 || !run.err.contains(secret), "it shows the secret: {run:?}");
}

#[test]
fn a_secret_that_anybody_knows_or_can_guess_is_refused_with_the_cure() {
    for variable in ["FASTIO_WEBHOOK_SECRET", "OPENAI_WEBHOOK_SECRET"] {
        let two = format!("{STRONG},fifteen-letters");
        for weak in ["a", "whsec_YWJj", "short-secret", "aaaaaaaaaaaaaaaaaaaaaaaa", &two] {
            refused(HERE, (variable, weak), "at least 16 bytes");
        }
        for placeholder in ["whsec_…", "whsec_...", "<the webhook's secret>", "changeme-changeme-42"] {
            let cure = if placeholder.contains(' ') { "does not show" } else { "placeholder" };
            refused(HERE, (variable, placeholder), cure);
        }
        for published in [SECRET, "whsec_ZG9ja2V0LXNhbmRib3gtaXMtbm90LXNlY3JldA=="] {
            refused(LIVE, (variable, published), "is published");
        }
    }
}

#[test]
fn a_secret_or_key_that_is_not_what_its_owner_sees_is_refused_with_the_cure() {
    for variable in ["FASTIO_WEBHOOK_SECRET", "OPENAI_WEBHOOK_SECRET", "FASTIO_API_KEY", "OPENAI_API_KEY"] {
        refused(HERE, (variable, &format!("\"{STRONG}\"")), "quotation mark");
        refused(HERE, (variable, &format!("\u{feff}{STRONG}")), "byte order mark");
        refused(HERE, (variable, "bmV3LWZhc3Rpby1z ZWNyZXQtMTIzNDU2"), "a blank");
        refused(HERE, (variable, "your-key-goes-here-0123456789"), "placeholder");
        refused(HERE, (variable, &format!("\u{201c}{STRONG}\u{201d}")), "quotation mark");
        refused(HERE, (variable, &format!("{STRONG}\u{200b}")), "does not show");
        refused(HERE, (variable, &format!("Bearer {STRONG}")), "`Bearer`");
        refused(HERE, (variable, &format!("{variable}={STRONG}")), "an equals sign");
        refused(HERE, (variable, &format!("{STRONG}\\n")), "escape");
        refused(HERE, (variable, "${A_VARIABLE_OF_THE_SHELL}"), "name of a variable");
    }
}

#[test]
fn what_is_around_a_secret_in_a_file_is_told_or_does_no_harm() {
    let place = Place::new();
    place.write("docket.toml", &place.settings(HERE.0, HERE.1));
    let check = |bytes: &[u8]| {
        std::fs::write(place.path("secret"), bytes).unwrap();
        let file = place.path("secret").display().to_string();
        let environment = [
            ("FASTIO_API_KEY", "fk"),
            ("OPENAI_API_KEY", "sk"),
            ("FASTIO_WEBHOOK_SECRET_FILE", file.as_str()),
        ];
        place.with(&environment).docket(&["check", "--json"])
    };
    for harmless in [format!("{STRONG}\n"), format!("{STRONG}\r\n"), format!("  {STRONG} \n\n")] {
        let run = check(harmless.as_bytes());
        assert!(run.out.contains("one is set"), "{harmless:?}: {run:?}");
    }
    for (spoilt, cure) in [
        (format!("\u{feff}{STRONG}"), "byte order mark"),
        (format!("\"{STRONG}\"\n"), "quotation mark"),
        (format!("FASTIO_WEBHOOK_SECRET={STRONG}\n"), "an equals sign"),
    ] {
        let run = check(spoilt.as_bytes());
        assert!(run.out.contains(cure) && !run.out.contains(STRONG), "{spoilt:?}: {run:?}");
    }
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(STRONG.bytes().flat_map(|byte| [byte, 0])).collect();
    let run = check(&utf16);
    assert!(run.code == 2 && run.err.contains("save it as UTF-8"), "{run:?}");
}

#[test]
fn check_names_a_webhook_secret_that_cannot_be_used() {
    let run = run(&["check", "--json"], HERE, ("FASTIO_WEBHOOK_SECRET", "whsec_…"));
    assert_eq!(run.code, 1, "{run:?}");
    let rows: Vec<serde_json::Value> = serde_json::from_str(&run.out).unwrap();
    let row = rows.iter().find(|row| row["check"] == "webhook secret").unwrap();
    assert_eq!(row["ok"], false, "{row}");
    assert!(row["message"].as_str().unwrap().contains("placeholder"), "{row}");
}
