//! How fast the bytes of a large file go from Fastio to OpenAI, beside the same over the same loopback without Docket; and what
//! eight of them at once take of memory.

use std::process::{Command, ExitCode};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

use crate::load::{Deliveries, Lone};
use crate::machine::Machine;
use crate::report::Report;
use crate::server::{BaseOptions, COVERED, Place};
use crate::stands::Stands;

const BYTES: u64 = 512_000_000;
const SHORT_BYTES: u64 = 32_000_000;

/// Files at once.
const AT_ONCE: usize = 8;

/// Of the rate of `curl | curl`.
const PART: f64 = 0.95;

const MEMORY_MB: f64 = 8.0;

/// After this long a server that is ready has looked at everything that it looks at once.
const SETTLES: Duration = Duration::from_secs(3);

/// Between looks whether the files have come through.
const LOOK: Duration = Duration::from_millis(20);

const PATIENCE: Duration = Duration::from_secs(600);

/// Sends a file of 512 MB through Docket and through `curl | curl`, in turns, and takes the middle one of each; then eight at once
/// through Docket.
///
/// Both are measured by the stand-ins: from the request for the file's bytes at Fastio to the File object at OpenAI, hashing at
/// both ends included. It exits 1 when Docket is slower than 0.95 of curl, or when eight at once take 8 MB more than idle.
#[derive(Debug, Args)]
pub struct Options {
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
    /// One file of 32 MB in each way, and nothing is judged
    #[arg(long)]
    short: bool,
    /// Rounds of one file in each way
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    #[command(flatten)]
    base: BaseOptions,
}

pub fn run(options: Options) -> anyhow::Result<ExitCode> {
    let (bytes, rounds) = if options.short { (SHORT_BYTES, 1) } else { (BYTES, options.rounds.max(1)) };
    let base = options.base.open()?;
    let mut report = Report::begin("transfer", Machine::now(&base.folder), options.json);
    let stands = Stands::start(&base, &["--index-delay", "1ms"])?;
    let place = Place::new(&base, &stands)?;
    let server = place.serve()?;
    sleep(SETTLES);
    let idle_kb = server.usage()?.resident_kb;

    let (mut docket, mut curl) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let node = stands.generate_one(&format!("/curl-{round}.bin"), bytes)?;
        curl.push(by_curl(&stands, &node)?);
        let node = stands.generate_one(&format!("/one-{round}.txt"), bytes)?;
        docket.push(by_docket(&stands, &place, &[node])?);
    }
    let megabytes = bytes as f64 / 1e6;
    let (docket, curl) = (middle(docket), middle(curl));
    for (what, seconds) in [("curl into curl", curl), ("docket", docket)] {
        let rate = megabytes / seconds;
        report.row(
            &format!("{what:<20} {megabytes:.0} MB in {seconds:>6.2} s: {rate:>6.0} MB/s"),
            json!({"what": what, "megabytes": megabytes, "seconds": seconds, "megabytes_per_second": rate}),
        );
    }
    let mut nodes = Vec::new();
    for file in 0..AT_ONCE {
        nodes.push(stands.generate_one(&format!("/eight-{file}.txt"), bytes + file as u64)?);
    }
    let seconds = by_docket(&stands, &place, &nodes)?;
    let above_mb = server.usage()?.peak_kb.saturating_sub(idle_kb) as f64 / 1024.0;
    report.row(
        &format!(
            "{AT_ONCE} at once through docket in {seconds:.2} s: {above_mb:.1} MB above {:.1} MB when idle",
            idle_kb as f64 / 1024.0
        ),
        json!({"what": "eight at once", "seconds": seconds, "above_idle_mb": above_mb, "idle_kb": idle_kb}),
    );
    let judged = |holds| (!options.short).then_some(holds);
    let part = curl / docket;
    report.judge(
        "one file, beside curl into curl",
        "at least 0.95 of it",
        format!("{part:.2} of it"),
        judged(part >= PART),
    );
    let holds = judged(above_mb <= MEMORY_MB);
    report.judge("eight at once", "at most 8 MB above idle", format!("{above_mb:.1} MB"), holds);
    Ok(report.end())
}

fn middle(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// Seconds from the first request for bytes until the last file has come through.
fn by_docket(stands: &Stands, place: &Place, nodes: &[String]) -> anyhow::Result<f64> {
    stands.forget_calls()?;
    for node in nodes {
        let delivery = Deliveries::about(&format!("evt_{node}"), COVERED, node);
        let status = Lone::open(place.address, delivery)?.send()?;
        anyhow::ensure!(status == 202, "the webhook was answered {status}");
    }
    let began = Instant::now();
    loop {
        if let Some(seconds) = took(stands, nodes.len())? {
            return Ok(seconds);
        }
        anyhow::ensure!(began.elapsed() < PATIENCE, "the files do not come through");
        sleep(LOOK);
    }
}

/// The same by curl, which sends the form that Docket sends.
fn by_curl(stands: &Stands, node: &str) -> anyhow::Result<f64> {
    let read =
        format!("{}/workspace/{COVERED}/storage/{node}/read/", stands.fastio_url.trim_end_matches('/'));
    stands.forget_calls()?;
    let script = format!(
        "set -eo pipefail
         {{ printf -- '--x\\r\\nContent-Disposition: form-data; name=\"purpose\"\\r\\n\\r\\nassistants\\r\\n'
            printf -- '--x\\r\\nContent-Disposition: form-data; name=\"file\"; filename=\"curl.txt\"\\r\\nContent-Type: text/plain\\r\\n\\r\\n'
            curl -sSf -H 'Authorization: Bearer key' '{read}'
            printf -- '\\r\\n--x--\\r\\n'; }} |
         curl -sSf -X POST -T - -H 'Expect:' -H 'Authorization: Bearer key' \
              -H 'Content-Type: multipart/form-data; boundary=x' '{}/files' -o /dev/null",
        stands.openai_url.trim_end_matches('/')
    );
    let ended = Command::new("bash").args(["-c", &script]).status().context("bash and curl are needed")?;
    anyhow::ensure!(ended.success(), "curl failed: {ended}");
    took(stands, 1)?.context("the stand-ins saw no transfer")
}

/// Seconds from the first read at Fastio to the last upload at OpenAI, if there are so many.
fn took(stands: &Stands, files: usize) -> anyhow::Result<Option<f64>> {
    let [fastio, openai] = stands.requests()?;
    let read = |one: &&Value| one["path"].as_str().is_some_and(|path| path.contains("/read/"));
    let began = fastio.iter().filter(read).filter_map(|one| one["at_ms"].as_i64()).min();
    let sent = openai
        .iter()
        .filter(|one| one["method"] == "POST" && one["path"] == "/v1/files" && one["outcome"] == 200);
    let ends: Vec<i64> =
        sent.filter_map(|one| Some(one["at_ms"].as_i64()? + one["duration_ms"].as_i64()?)).collect();
    let last = ends.iter().max().filter(|_| ends.len() >= files);
    Ok(began.zip(last).map(|(began, last)| (last - began) as f64 / 1_000.0))
}
