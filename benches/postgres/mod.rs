//! What Docket does on PostgreSQL, beside what PostgreSQL itself can do in the same run on the same machine.

mod acks;
mod claims;
mod server;

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::machine::Machine;
use crate::report::Report;
use crate::server::{Base, BaseOptions};
pub use server::Postgres;

/// Measures Docket on PostgreSQL: acknowledgements beside a client that only inserts, claims while a snapshot is held, and what two servers
/// of one database do beside one.
///
/// PostgreSQL is started from the binaries that are installed, with its defaults, on the disk that is measured; every commit is synced.
///
/// It exits 1 when a promise does not hold. The whole form takes about seventeen minutes; for twelve of them a snapshot is held.
#[derive(Debug, Args)]
pub struct Options {
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
    /// Everything for a second or two: shows that it works and that nothing is lost; rates are shown and not judged
    #[arg(long)]
    short: bool,
    /// Connections that send deliveries
    #[arg(long, value_name = "N", default_value_t = 64)]
    connections: usize,
    /// Bursts; the ratio in the middle counts
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: usize,
    /// How long a burst is, and each time for which claims are counted
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    seconds: u64,
    /// How long the snapshot is held before claims are counted beside it
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    snapshot: u64,
    /// Only these parts
    #[arg(long, value_name = "PART", value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    #[command(flatten)]
    base: BaseOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Bursts of deliveries, beside a client that only inserts
    Acks,
    /// Claims without and with a snapshot that is held
    Claims,
    /// Two servers of one database, beside one
    Replicas,
}

/// What two servers do at least of what one does. What is less than one by so little is the machine's mood.
const PART_OF_ONE: f64 = 0.95;

impl Options {
    fn shortened(mut self) -> Options {
        if self.short {
            (self.rounds, self.seconds, self.snapshot) = (1, 1, 1);
        }
        self
    }

    fn has(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

/// A run of this benchmark.
struct Run {
    options: Options,
    report: Report,
    base: Base,
    server: Postgres,
}

pub fn run(options: Options) -> anyhow::Result<ExitCode> {
    let options = options.shortened();
    let base = options.base.open()?;
    let report = Report::begin("postgres", Machine::now(&base.folder), options.json);
    let server = Postgres::start(&base.folder)?;
    let mut run = Run { options, report, base, server };
    if run.options.has(Part::Acks) {
        run.acks()?;
    }
    if run.options.has(Part::Claims) {
        run.claims()?;
    }
    if run.options.has(Part::Replicas) {
        run.replicas()?;
    }
    Ok(run.report.end())
}

impl Run {
    /// What two servers of one database do, beside one.
    fn replicas(&mut self) -> anyhow::Result<()> {
        self.report.say("two servers beside one       one a second  two a second   ratio");
        for (what, ratio) in
            [("acknowledgements", self.acks_of_two()?), ("claims and settlements", self.claims_of_two()?)]
        {
            let measured = format!("{:.1} %", 100.0 * ratio);
            let goal = "no fewer than by one, but for 5 %";
            self.judge(&format!("{what} by two servers"), goal, measured, ratio >= PART_OF_ONE);
        }
        Ok(())
    }

    /// Says what one server did and what two did, and answers how many times as much that is.
    fn tell_two(&mut self, what: &str, one: f64, two: f64) -> f64 {
        let ratio = two / one;
        self.report.row(
            &format!("{what:<26} {one:>14.0} {two:>13.0} {:>6.1}%", 100.0 * ratio),
            json!({"what": what, "one_per_second": one, "two_per_second": two, "ratio": ratio}),
        );
        ratio
    }

    /// A goal, judged unless this is the short form.
    fn judge(&mut self, what: &str, goal: &str, measured: String, holds: bool) {
        self.report.judge(what, goal, measured, (!self.options.short).then_some(holds));
    }
}
