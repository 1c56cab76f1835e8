//! What a Docket that has nothing to do costs: its memory, its start, its size on disk.

use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;

use crate::load::Latencies;
use crate::machine::Machine;
use crate::report::Report;
use crate::server::{BaseOptions, Place};
use crate::stands::Stands;

const RSS_MB: f64 = 20.0;
const READY_SECONDS: f64 = 0.15;
const BINARY_MB: f64 = 20.0;

/// After this long a server that is ready has looked at everything that it looks at once.
const SETTLES: Duration = Duration::from_secs(3);

/// Measures what a server that has nothing to do costs: its memory, its start until it is ready, the size of its binary.
///
/// It measures the production binary, which has no stand-ins in it. It exits 1 when one of them is more than promised.
#[derive(Debug, Args)]
pub struct Options {
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
    /// Fewer starts, and nothing is judged
    #[arg(long)]
    short: bool,
    /// Starts of each kind
    #[arg(long, value_name = "N", default_value_t = 20)]
    starts: usize,
    #[command(flatten)]
    base: BaseOptions,
}

pub fn run(options: Options) -> anyhow::Result<ExitCode> {
    let base = options.base.open()?;
    let mut report = Report::begin("footprint", Machine::now(&base.folder), options.json);
    let stands = Stands::start(&base, &[])?;
    let starts = if options.short { 3 } else { options.starts };

    let binary_mb = std::fs::metadata(&base.binary)?.len() as f64 / 1e6;
    report.row(
        &format!("binary                            {binary_mb:>8.1} MB"),
        json!({"binary_mb": binary_mb}),
    );

    // With the file of a database that each start makes, and with one that is there.
    let (mut first, mut again) = (Vec::new(), Vec::new());
    let mut rss = (0, 0);
    for start in 0..starts {
        let place = Place::new(&base, &stands)?;
        for ready in [&mut first, &mut again] {
            let began = Instant::now();
            let mut server = place.serve()?;
            ready.push(u32::try_from(began.elapsed().as_micros())?);
            if start == 0 {
                sleep(SETTLES);
                let used = server.usage()?;
                rss = (rss.0.max(used.resident_kb), rss.1.max(used.peak_kb));
            }
            anyhow::ensure!(server.stop()?, "the server did not stop in order");
        }
    }
    let mut slowest = 0.0_f64;
    for (what, ready) in [("first start until it is ready", first), ("any other start", again)] {
        let ready = Latencies::new(ready);
        let (half, most) = (ready.ms(0.5) / 1000.0, ready.ms(1.0) / 1000.0);
        slowest = slowest.max(half);
        let line = format!("{what:<32} {half:>9.3} s (half of {starts}; longest {most:.3} s)");
        report.row(&line, json!({"what": what, "p50_seconds": half, "longest_seconds": most}));
    }
    let (rss_mb, peak_mb) = (rss.0 as f64 / 1024.0, rss.1 as f64 / 1024.0);
    let line =
        format!("memory when idle                  {rss_mb:>8.1} MB (at most {peak_mb:.1} MB until then)");
    report.row(&line, json!({"rss_mb": rss_mb, "peak_mb": peak_mb}));

    let judged = [
        ("memory when idle", "at most 20 MB", format!("{rss_mb:.1} MB"), rss_mb <= RSS_MB),
        ("start until ready", "at most 0.15 s", format!("{slowest:.3} s"), slowest <= READY_SECONDS),
        ("binary", "at most 20 MB", format!("{binary_mb:.1} MB"), binary_mb <= BINARY_MB),
    ];
    for (what, goal, measured, holds) in judged {
        report.judge(what, goal, measured, (!options.short).then_some(holds));
    }
    Ok(report.end())
}
