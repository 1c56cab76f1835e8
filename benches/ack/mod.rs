//! How many deliveries a second Docket acknowledges, how long each waits, and that each that was acknowledged is there after
//! a SIGKILL.
//!
//! Every burst is on a database of its own. The bare server ([`crate::bare`]) is put under the same load right before, and
//! only the ratio of two neighbours is judged: the machine may be busy, but it is about equally busy for both.

mod burst;
mod lone;
mod peers;
mod sustained;

use std::process::{Command, ExitCode};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use crate::load::{Deliveries, Load, Outcome, Pace};
use crate::machine::Machine;
use crate::process::{Process, Usage};
use crate::report::Report;
use crate::server::{Base, BaseOptions, COVERED, UNCOVERED, listening};
use crate::stands::Stands;

/// Measures acknowledgements: how many a second, how long each takes, and whether each is still there after a kill.
///
/// Deliveries are signed beforehand, each is another event about another file, and 64 keep-alive connections send them. A
/// bare server on the same HTTP stack, which checks the signature and stores nothing, is measured in between: it is the
/// ceiling that the rates are compared with. At the end of each burst the server is killed with SIGKILL while deliveries are
/// under way, and each that was answered with 2xx must be in its database.
///
/// It exits 1 when a promise does not hold. The whole form takes about six minutes.
#[derive(Debug, Args)]
pub struct Options {
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
    /// Everything for a second or two: shows that it works and that nothing is lost; rates are shown and not judged
    #[arg(long)]
    short: bool,
    /// Connections that send
    #[arg(long, value_name = "N", default_value_t = 64)]
    connections: usize,
    /// Bursts of each kind; the ratio in the middle counts
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: usize,
    /// How long a burst is
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    seconds: u64,
    /// How long the load without a break is
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    sustained: u64,
    /// Jobs that are due while the workers are busy
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    jobs: usize,
    /// How long the stand-ins take for an answer, as services across a network do
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 50)]
    answer: u32,
    /// Only these parts
    #[arg(long, value_name = "PART", value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Beside each burst one on what a person would write or pick instead, each made durable
    #[arg(long)]
    peers: bool,
    #[command(flatten)]
    base: BaseOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Bursts of events that no rule covers, and that one covers
    Burst,
    /// A load without a break, and four fifths of it in an open loop
    Sustained,
    /// One delivery at a time, beside one synced commit
    Lone,
    /// A burst while the workers have due jobs
    Busy,
}

impl Options {
    fn shortened(mut self) -> Options {
        if self.short {
            (self.rounds, self.seconds, self.sustained, self.jobs) = (1, 1, 2, 500);
        }
        self
    }

    fn has(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

/// A run of this benchmark.
struct Ack {
    options: Options,
    report: Report,
    base: Base,
    stands: Stands,
    /// Rates of the bare server, in the order they were measured.
    bare: Vec<f64>,
    /// Sets of deliveries that were signed: each has a name of its own.
    signed: usize,
    /// Acknowledged and not found after a kill; and found more than once.
    lost: usize,
    doubled: usize,
    acknowledged: usize,
}

pub fn run(options: Options) -> anyhow::Result<ExitCode> {
    let options = options.shortened();
    let base = options.base.open()?;
    let report = Report::begin("ack", Machine::now(&base.folder), options.json);
    let stands = Stands::start(&base, &["--index-delay", "200ms"])?;
    stands.take(options.answer)?;
    let (bare, signed, lost, doubled, acknowledged) = (Vec::new(), 0, 0, 0, 0);
    let mut ack = Ack { options, report, base, stands, bare, signed, lost, doubled, acknowledged };
    ack.report.say(HEAD);
    if ack.options.has(Part::Burst) {
        ack.bursts()?;
    }
    if ack.options.has(Part::Sustained) {
        ack.sustained()?;
    }
    if ack.options.has(Part::Lone) {
        ack.lone()?;
    }
    if ack.options.has(Part::Busy) {
        ack.busy()?;
    }
    let Ack { mut report, lost, doubled, acknowledged, .. } = ack;
    let measured = format!("{acknowledged} acknowledged, {lost} lost, {doubled} twice");
    report.judge("each 2xx is there after a SIGKILL", "once", measured, Some(lost + doubled == 0));
    Ok(report.end())
}

const HEAD: &str = "what                             acks/s   bare   ratio  p50 ms  p99 ms p99.9 ms  cpu/1000 ms  rss MB  inbox  refused";

/// The part of the time at the end by which it is judged what goes on for ever.
const END: f64 = 1.0 / 3.0;

/// One load on one server.
#[derive(Default)]
pub struct Measured {
    what: String,
    pub rate: f64,
    /// The rate in the last third of the time.
    rate_at_end: f64,
    /// The rate of the bare server beside it.
    bare: Option<f64>,
    pub p50: f64,
    pub p99: f64,
    p999: f64,
    cpu_per_1000: f64,
    sender_cpu_per_1000: f64,
    rss_mb: u64,
    /// Rows of the inbox at the end.
    inbox: usize,
    refused: usize,
    ran_out: bool,
}

impl Measured {
    /// What a load of so many seconds came to, with what the server had used before and after it.
    pub fn of(what: &str, load: &Load, outcome: &Outcome, used: (Usage, Usage)) -> Measured {
        let latencies = outcome.latencies(load.duration);
        let thousands = latencies.len() as f64 / 1000.0;
        Measured {
            what: what.to_owned(),
            rate: outcome.rate(Duration::ZERO, load.duration),
            rate_at_end: outcome.rate(load.duration.mul_f64(1.0 - END), load.duration),
            p50: latencies.ms(0.5),
            p99: latencies.ms(0.99),
            p999: latencies.ms(0.999),
            cpu_per_1000: (used.1.cpu_ms - used.0.cpu_ms) as f64 / thousands,
            sender_cpu_per_1000: outcome.sender_cpu_ms as f64 / thousands,
            rss_mb: used.1.resident_kb / 1024,
            refused: outcome.refused,
            ran_out: outcome.ran_out,
            ..Measured::default()
        }
    }

    fn ratio(&self) -> Option<f64> {
        self.bare.map(|bare| self.rate / bare)
    }

    fn line(&self) -> String {
        let bare = self.bare.map_or_else(String::new, |bare| format!("{bare:.0}"));
        let ratio = self.ratio().map_or_else(String::new, |ratio| format!("{:.1} %", 100.0 * ratio));
        let Measured { what, rate, p50, p99, p999, cpu_per_1000, rss_mb, inbox, refused, .. } = self;
        let late = if self.ran_out { "  (no signed delivery was left)" } else { "" };
        format!(
            "{what:<30} {rate:>8.0} {bare:>6} {ratio:>7} {p50:>7.2} {p99:>7.2} {p999:>8.2} {cpu_per_1000:>12.1} \
             {rss_mb:>7} {inbox:>6} {refused:>8}{late}"
        )
    }

    fn json(&self) -> Value {
        json!({
            "what": self.what, "acks_per_second": self.rate, "bare_acks_per_second": self.bare,
            "ratio": self.ratio(), "p50_ms": self.p50, "p99_ms": self.p99, "p999_ms": self.p999,
            "server_cpu_ms_per_1000": self.cpu_per_1000, "sender_cpu_ms_per_1000": self.sender_cpu_per_1000,
            "rss_mb": self.rss_mb, "inbox_rows_at_end": self.inbox, "refused": self.refused,
            "ran_out_of_signed_deliveries": self.ran_out,
        })
    }
}

impl Ack {
    /// A set of deliveries, enough for so many seconds.
    fn sign(&mut self, workspace: &str, seconds: u64) -> (String, Deliveries) {
        /// More a second than any server of this shape was measured to take on two cores.
        const MOST: f64 = 120_000.0;
        self.signed += 1;
        let name = format!("evt_bench{:04}", self.signed);
        let deliveries = Deliveries::sign(&name, workspace, (MOST * seconds as f64) as usize);
        (name, deliveries)
    }

    fn closed(&self, address: std::net::SocketAddr) -> Load {
        let duration = Duration::from_secs(self.options.seconds);
        Load { addresses: vec![address], connections: self.options.connections, duration, pace: Pace::Closed }
    }

    fn show(&mut self, measured: &Measured) {
        self.report.row(&measured.line(), measured.json());
    }

    /// The highest of the rates that the bare server was measured at lately; a burst of it when there is none yet.
    fn ceiling(&mut self) -> anyhow::Result<f64> {
        match self.bare.last() {
            Some(bare) => Ok(*bare),
            None => self.bare_burst(),
        }
    }

    /// A goal, judged unless this is the short form.
    fn judge(&mut self, what: &str, goal: &str, measured: String, holds: bool) {
        self.report.judge(what, goal, measured, (!self.options.short).then_some(holds));
    }
}

/// Starts the bare server.
fn start_bare() -> anyhow::Result<(Process, std::net::SocketAddr)> {
    let (process, line) = listening(Command::new(std::env::current_exe()?).arg("bare"))?;
    Ok((process, line.parse()?))
}

/// The one in the middle.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// How the events of a burst are called, and where they happened.
const KINDS: [(&str, &str); 2] = [("burst, uncovered", UNCOVERED), ("burst, covered", COVERED)];
