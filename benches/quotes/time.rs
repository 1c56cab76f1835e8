//! How long it takes to look quotes up, beside one plain search for each.

use std::time::{Duration, Instant};

use docket::result::quote::{Document, look_up_all};
use serde_json::json;

use super::corpus::{Clause, languages};
use super::form::{FORMS, Form};
use crate::report::Report;

/// Bytes of a contract of 200 pages.
const LONG: usize = 600_000;

/// Quotes that are looked up in it.
const QUOTES: usize = 100;

const MOST: Duration = Duration::from_millis(50);

/// How many times as long as one plain search through the text for each quote it may take.
const MOST_TIMES: f64 = 8.0;

/// Text that is made to defeat the search may take so long: what one answer's quotes may take, and preparing the document.
const MOST_RESISTING: Duration = Duration::from_secs(5);

/// Bytes of such a text.
const RESISTING: usize = 4_000_000;

/// Of several measurements the shortest is taken: the others waited for something else.
const TRIES: usize = 5;

pub fn measure(report: &mut Report, short: bool) {
    let (mut longest, mut times) = (Duration::ZERO, 0.0_f64);
    for form in FORMS {
        let (own, plain) = long(form);
        let ratio = own.as_secs_f64() / plain.as_secs_f64();
        (longest, times) = (longest.max(own), times.max(ratio));
        report.row(
            &format!("200 pages as {:<5} {QUOTES} quotes in {:>6.1} ms, {ratio:.1} plain searches", form.name(), ms(own)),
            json!({"pages": 200, "form": form.name(), "quotes": QUOTES, "ms": ms(own), "plain_ms": ms(plain)}),
        );
    }
    let mut slowest = Duration::ZERO;
    for (name, piece, quote) in RESISTANT {
        let took = resisting(piece, quote);
        slowest = slowest.max(took);
        let line = format!("4 MB of {name:<16} {QUOTES} quotes in {:>6.1} ms", ms(took));
        report.row(&line, json!({"text": name, "quotes": QUOTES, "ms": ms(took)}));
    }
    let judged = |holds: bool| (!short).then_some(holds);
    report.judge(
        "a contract of 200 pages",
        "below 50 ms",
        format!("{:.1} ms", ms(longest)),
        judged(longest < MOST),
    );
    let beside = "at most 8 times";
    report.judge("beside plain searches", beside, format!("{times:.1} times"), judged(times <= MOST_TIMES));
    let text = format!("{:.1} s", slowest.as_secs_f64());
    report.judge("text that resists", "at most 5 s", text, judged(slowest <= MOST_RESISTING));
}

/// How long a long contract and its quotes take, and how long plain searches for the same quotes.
fn long(form: Form) -> (Duration, Duration) {
    let own: Vec<String> = languages()[0].clauses.iter().map(Clause::text).collect();
    let (mut clauses, mut length) = (Vec::new(), 0);
    while length < LONG {
        let item = clauses.len();
        let clause = format!("Under item {item} of the schedule this holds. {}", own[item % own.len()]);
        length += clause.len();
        clauses.push(clause);
    }
    let quotes: Vec<&String> = clauses.iter().step_by(clauses.len() / QUOTES).take(QUOTES).collect();
    let text = form.document(&clauses, 3);
    let took = shortest(|| {
        let document = Document::new(&text);
        assert!(quotes.iter().all(|quote| document.find(quote).is_verified()), "a quote is not found");
    });
    // What is not there is looked for to the end.
    let absent: Vec<String> = quotes.iter().map(|quote| format!("{quote}#")).collect();
    let plain = shortest(|| assert!(!absent.iter().any(|quote| text.contains(quote.as_str()))));
    (took, plain)
}

/// Texts that resist: what they are, what they repeat, and what each quote repeats.
const RESISTANT: [(&str, &str, &str); 6] = [
    ("near misses", "ab ", "ab "),
    ("negations", "not to pay, unless ", "to pay, unless not "),
    ("abbreviations", "a. b. c. Art. ", "Art. a. b. c. "),
    ("items of lists", "(a) not to:\n", "(a) not to: "),
    ("page numbers", "Page 1 of 9\nx y\n", "x y Page 1 of 9 "),
    ("form feeds", "a b c d\u{c}", "a b c d "),
];

fn resisting(piece: &str, quote: &str) -> Duration {
    let text = piece.repeat(RESISTING / piece.len());
    let quotes: Vec<String> = (0..QUOTES).map(|number| quote.repeat(100 + number) + "abab").collect();
    let began = Instant::now();
    let document = Document::new(&text);
    look_up_all(&document, quotes.iter().map(|quote| (String::new(), quote.as_str())).collect());
    let absent = began.elapsed();
    let quotes: Vec<String> = (0..QUOTES).map(|number| quote.repeat(10 + number)).collect();
    let began = Instant::now();
    look_up_all(&document, quotes.iter().map(|quote| (String::new(), quote.as_str())).collect());
    absent.max(began.elapsed())
}

fn shortest(mut what: impl FnMut()) -> Duration {
    let time = |_| {
        let began = Instant::now();
        what();
        began.elapsed()
    };
    (0..TRIES).map(time).min().expect("there is a try")
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
