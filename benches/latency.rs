//! How long a change takes from its webhook until the vector store says `completed`: with nothing else to do, and beside an
//! inbox that is full.

use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::json;

use crate::database;
use crate::load::{Deliveries, Latencies, Lone};
use crate::machine::Machine;
use crate::report::Report;
use crate::server::{Base, BaseOptions, COVERED, Place};
use crate::stands::Stands;

const P50_MS: f64 = 6.0;
const P99_MS: f64 = 15.0;

/// Between two changes, so that one is done before the next begins: they would share the processor otherwise.
const PAUSE: Duration = Duration::from_millis(40);

/// How long the last change may take until it is found.
const PATIENCE: Duration = Duration::from_secs(120);

/// A document of a page or two.
const CONTENT: &str = "Liability is capped at EUR 50,000 for each claim and each year of this contract. ";

/// Measures how long a change takes from its webhook until the file can be found in the vector store.
///
/// A file is put into the stand-in for Fastio, a signed webhook tells of it, and the stand-in for OpenAI remembers when the
/// store had completed it. Both run on the same cores, and their time is part of the number; indexing takes 1 ms. One file
/// follows the other, with a pause. Then the same beside an inbox that is full: deliveries that no rule covers wait in it,
/// and are drained meanwhile.
///
/// It exits 1 when a promise does not hold.
#[derive(Debug, Args)]
pub struct Options {
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
    /// Few changes beside a small inbox: shows that it works; times are shown and not judged
    #[arg(long)]
    short: bool,
    /// Changes of each kind
    #[arg(long, value_name = "N", default_value_t = 500)]
    changes: usize,
    /// Deliveries that wait in the full inbox: a little below what the settings allow
    #[arg(long, value_name = "N", default_value_t = 490_000)]
    inbox: usize,
    #[command(flatten)]
    base: BaseOptions,
}

pub fn run(options: Options) -> anyhow::Result<ExitCode> {
    let (changes, inbox) = if options.short { (40, 2_000) } else { (options.changes, options.inbox) };
    let base = options.base.open()?;
    let mut report = Report::begin("latency", Machine::now(&base.folder), options.json);
    report.say("what                             changes  p50 ms  p95 ms  p99 ms  longest");
    for (what, waiting) in [("an empty inbox", 0), ("a full inbox", inbox)] {
        let found = measure(&base, changes, waiting)?;
        let (p50, p95, p99, longest) = (found.ms(0.5), found.ms(0.95), found.ms(0.99), found.ms(1.0));
        let count = found.len();
        report.row(
            &format!("{what:<32} {count:>7} {p50:>7.1} {p95:>7.1} {p99:>7.1} {longest:>8.1}"),
            json!({"what": what, "changes": count, "p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "longest_ms": longest}),
        );
        let measured = format!("p50 {p50:.1} ms, p99 {p99:.1} ms");
        let holds = p50 <= P50_MS && p99 <= P99_MS;
        report.judge(
            what,
            "p50 at most 6 ms, p99 at most 15 ms",
            measured,
            (!options.short).then_some(holds),
        );
    }
    Ok(report.end())
}

/// How long each of so many changes took, beside an inbox in which so many deliveries wait at first. Only those count that came
/// while some still did.
fn measure(base: &Base, changes: usize, waiting: usize) -> anyhow::Result<Latencies> {
    let stands = Stands::start(base, &["--index-delay", "1ms"])?;
    let place = Place::new(base, &stands)?;
    let mut server = place.serve()?;
    // The first one makes the vector store.
    let _ = change(&place, &stands, "first", 1)?;
    found(&stands, 1)?;
    if waiting > 0 {
        server.stop()?;
        database::fill_inbox(place.path(), waiting)?;
        server = place.serve()?;
    }
    let inbox = database::having(place.path(), "inbox")?;
    let mut sent = Vec::new();
    while sent.len() < changes && (waiting == 0 || database::waiting(&inbox)? > 0) {
        let name = format!("contract-{}", sent.len());
        sent.push((format!("{name}.txt"), change(&place, &stands, &name, sent.len() + 2)?));
        sleep(PAUSE);
        if waiting == 0 {
            // On a busy machine one may take longer; the next one must not be in its way. The first one counts too.
            found(&stands, sent.len() + 1)?;
        }
    }
    anyhow::ensure!(!sent.is_empty(), "the inbox was empty before the first change");
    found(&stands, sent.len() + 1)?;
    server.stop()?;
    let found = stands.completed()?;
    let took = sent.iter().map(|(name, sent_at)| {
        let completed = found.iter().find(|(found, _)| found == name).map(|(_, at)| *at);
        completed.map_or(u32::MAX, |at| u32::try_from(at - sent_at).unwrap_or(0))
    });
    Ok(Latencies::new(took.collect()))
}

/// Puts a file into Fastio and tells of it. Answers when it was told, in microseconds of Unix time.
fn change(place: &Place, stands: &Stands, name: &str, number: usize) -> anyhow::Result<i64> {
    let node = stands.put(&format!("/Contracts/{name}.txt"), &CONTENT.repeat(20 + number % 30))?;
    let delivery = Deliveries::about(&format!("evt_{name}"), COVERED, &node);
    let mut sender = Lone::open(place.address, delivery)?;
    let at = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?;
    let status = sender.send()?;
    anyhow::ensure!(status == 202, "the webhook was answered {status}");
    Ok(at)
}

/// Waits until so many files are complete.
fn found(stands: &Stands, count: usize) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let found = stands.completed_count()?;
        if found >= count {
            return Ok(());
        }
        anyhow::ensure!(began.elapsed() < PATIENCE, "{found} of {count} files were completed");
        sleep(PAUSE);
    }
}
