//! Whether quotes prove what they seem to prove: of true and altered ones in six languages, which are accepted; and how long it
//! takes to look a hundred up in a long contract, or in text that is made to defeat the search.

mod corpus;
mod form;
mod time;

use std::env::temp_dir;
use std::process::ExitCode;

use clap::Args;
use docket::result::quote::Document;
use serde_json::json;

use crate::machine::Machine;
use crate::report::Report;
use corpus::{Clause, Language};
use form::{FORMS, Form};

/// Of a hundred true quotes so many are to be found.
const FOUND_PERCENT: f64 = 99.0;

/// Looks up true and altered quotes of clauses in English, German, French, Spanish, Italian and Polish, as plain text, as it is
/// read out of a PDF (narrow lines, broken words, ligatures, heads and feet of pages) and out of a DOCX.
///
/// It exits 1 when an altered quote is accepted, when less than 99 in a hundred true ones are found, or when it takes too long.
#[derive(Debug, Args)]
pub struct Options {
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
    /// One document of each kind, and times are not judged
    #[arg(long)]
    short: bool,
    /// Documents of each language and form, each broken into lines and pages in its own way
    #[arg(long, value_name = "N", default_value_t = 20)]
    documents: u64,
}

/// How many quotes there were, and how many of them were taken for true.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    quotes: usize,
    accepted: usize,
}

/// What became of the true quotes, and of the altered ones.
#[derive(Debug, Default, Clone, Copy)]
struct Judged {
    own: Tally,
    altered: Tally,
}

pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let mut report = Report::begin("quotes", Machine::now(&temp_dir()), options.json);
    let documents = if options.short { 1 } else { options.documents };
    let mut all = Judged::default();
    for (place, language) in corpus::languages().iter().enumerate() {
        // Each document is broken into lines and pages in a way of its own.
        let seeds: Vec<u64> = (0..documents).map(|document| document * 100 + place as u64).collect();
        for form in FORMS {
            let one = |judged: Judged, seed: &u64| judged.and(judge(language, form, *seed));
            let judged = seeds.iter().fold(Judged::default(), one);
            report.row(&judged.line(language.name, form), judged.json(language.name, form));
            all = all.and(judged);
        }
    }
    let Judged { own, altered } = all;
    let recall = own.accepted as f64 * 100.0 / own.quotes as f64;
    let precision = own.accepted as f64 * 100.0 / (own.accepted + altered.accepted) as f64;
    let accepted = format!("{} of {} (precision {precision:.2} %)", altered.accepted, altered.quotes);
    report.judge("altered quotes accepted", "none", accepted, Some(altered.accepted == 0));
    let found = format!("{recall:.2} % of {}", own.quotes);
    report.judge("true quotes found", "at least 99 %", found, Some(recall >= FOUND_PERCENT));
    time::measure(&mut report, options.short);
    Ok(report.end())
}

fn judge(language: &Language, form: Form, seed: u64) -> Judged {
    let clauses: Vec<String> = language.clauses.iter().map(Clause::text).collect();
    let document = Document::new(&form.document(&clauses, seed));
    let tally = |quotes: Vec<String>| {
        let accepted = quotes.iter().filter(|quote| document.find(quote).is_verified()).count();
        Tally { quotes: quotes.len(), accepted }
    };
    Judged {
        own: tally(language.clauses.iter().flat_map(Clause::quotes).collect()),
        altered: tally(language.clauses.iter().flat_map(Clause::altered).collect()),
    }
}

impl Tally {
    fn and(self, other: Tally) -> Tally {
        Tally { quotes: self.quotes + other.quotes, accepted: self.accepted + other.accepted }
    }
}

impl Judged {
    fn and(self, other: Judged) -> Judged {
        Judged { own: self.own.and(other.own), altered: self.altered.and(other.altered) }
    }

    fn line(&self, language: &str, form: Form) -> String {
        let Judged { own, altered } = self;
        format!(
            "{language} {:<5} true quotes found {:>5} of {:>5}, altered ones accepted {:>2} of {:>5}",
            form.name(),
            own.accepted,
            own.quotes,
            altered.accepted,
            altered.quotes
        )
    }

    fn json(&self, language: &str, form: Form) -> serde_json::Value {
        let Judged { own, altered } = self;
        json!({
            "language": language, "form": form.name(), "true": own.quotes, "found": own.accepted,
            "altered": altered.quotes, "accepted": altered.accepted,
        })
    }
}
