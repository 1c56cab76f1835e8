//! How long a backfill of many files takes, of what OpenAI's limits demand at least. In time that is moved: both stand-ins and
//! Docket's parts run in this process by one clock, which leaps to when the next job is due. What the work itself takes of the
//! real time counts, too.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use docket::app::Parts;
use docket::clock::{Clock, Reading};
use docket::config::{Config, Sources};
use docket_sandbox::journal::RequestEnd;
use docket_sandbox::{Options as Stands, Sandbox};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::load::SECRET;
use crate::machine::Machine;
use crate::report::Report;
use crate::server::{BaseOptions, COVERED};

/// What OpenAI's documents allow: the one of its limits that a drain comes up against.
const UPLOADS_PER_MINUTE: f64 = 1_000.0;

/// Of the floor, so much may be lost.
const PART: f64 = 1.05;

/// Requests between two looks at the journal, which keeps twenty thousand.
const LOOKS: u64 = 5_000;

/// Drains a backfill of small files into one vector store, while the stand-in for OpenAI keeps the limits that are documented:
/// 1,000 uploads, 300 requests that attach to a store and 2,000 attached files a minute.
///
/// The floor is what 1,000 uploads a minute take. It exits 1 when it takes more than a twentieth longer, when a limit is met (429)
/// or when a job lost an attempt.
#[derive(Debug, Args)]
pub struct Options {
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
    /// A thousand files: shows that it works, and nothing is judged of the time
    #[arg(long)]
    short: bool,
    /// Files
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    files: u64,
    /// How long the vector store takes to index a file, in milliseconds. A worker waits for it in real time where a file is attached
    /// alone, so that a long one measures this program and no limit
    #[arg(long, value_name = "MS", default_value_t = 10)]
    index_ms: u64,
    #[command(flatten)]
    base: BaseOptions,
}

pub fn run(options: Options) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(options))
}

/// What was asked of the services so far.
#[derive(Default)]
struct Asked {
    calls: BTreeMap<String, u64>,
    refused: u64,
    /// Up to where the journals were read.
    seen: [u64; 2],
}

async fn measure(options: Options) -> anyhow::Result<ExitCode> {
    let files = if options.short { 1_000 } else { options.files };
    let base = options.base.open()?;
    let mut report = Report::begin("drain", Machine::now(&base.folder), options.json);
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let stands = Stands { index_delay: Duration::from_millis(options.index_ms), ..Stands::default() };
    let sandbox = docket_sandbox::start(stands, stop).await?;
    sandbox.fastio().make_workspace(COVERED);
    let folder = tempfile::Builder::new().prefix("docket-bench-").tempdir_in(&base.folder)?;
    let moved = Arc::new(AtomicI64::new(0));
    let clock = clock(Arc::clone(&moved));
    let parts = Parts::build(&config(&folder, &sandbox)?, clock.clone(), None).await?;

    let made = json!({"workspace": COVERED, "count": files, "seed": 1});
    let url = sandbox.fastio_url().join("/_sandbox/generate")?;
    reqwest::Client::new().post(url).json(&made).send().await?.error_for_status()?;
    let (began, since, mut asked) = (Instant::now(), clock.now(), Asked::default());
    parts.feed.backfill(None, &mut |_| {}).await?;
    let never = CancellationToken::new();
    loop {
        let at_work = (0..parts.queue.workers()).map(|_| parts.queue.work_one(&*parts.work, &never));
        let worked = join_all(at_work).await.into_iter().collect::<Result<Vec<bool>, _>>()?;
        asked.look(&sandbox, LOOKS);
        if worked.into_iter().any(|worked| worked) {
            continue;
        }
        let Some(due) = parts.queue.next_due().await? else { break };
        let ms = (due - clock.now()).max(1);
        moved.fetch_add(ms, Ordering::Relaxed);
        sandbox.openai_core().clock.shift(ms);
    }
    let (took, real) = ((clock.now() - since) as f64 / 1_000.0, began.elapsed().as_secs_f64());
    asked.look(&sandbox, 0);
    let state: Value = sandbox.openai().snapshot();
    let held = state["vector_stores"][0]["file_counts"]["completed"].as_u64().unwrap_or(0);

    let floor = files as f64 / UPLOADS_PER_MINUTE * 60.0;
    let line = format!(
        "{files} files in {took:.0} s of moved time, of which {real:.0} s were worked; the floor is {floor:.0} s ({:.3} of it)",
        took / floor
    );
    let calls: u64 = asked.calls.values().sum();
    report.row(
        &line,
        json!({"files": files, "seconds": took, "worked_seconds": real, "floor_seconds": floor, "calls": asked.calls}),
    );
    for (call, count) in &asked.calls {
        report.say(&format!("  {count:>7}  {call}"));
    }
    report.judge("files that can be found", &format!("{files}"), format!("{held}"), Some(held == files));
    report.judge(
        "limits met (429)",
        "none",
        format!("{} in {calls} calls", asked.refused),
        Some(asked.refused == 0),
    );
    let times = format!("{:.3} of it", took / floor);
    report.judge(
        "time beside the floor",
        "at most 1.05 of it",
        times,
        (!options.short).then_some(took <= floor * PART),
    );
    Ok(report.end())
}

impl Asked {
    /// Counts what came since the last look, if that are more requests than `unless`.
    fn look(&mut self, sandbox: &Sandbox, unless: u64) {
        for (at, core) in [sandbox.fastio_core(), sandbox.openai_core()].into_iter().enumerate() {
            if core.journal.newest().saturating_sub(self.seen[at]) < unless {
                continue;
            }
            let page = core.journal.since(self.seen[at]);
            self.seen[at] = page.newest;
            for one in page.requests {
                self.refused += u64::from(one.outcome == RequestEnd::Status(429));
                *self.calls.entry(format!("{} {}", one.method, general(&one.path))).or_default() += 1;
            }
        }
    }
}

/// The path without its ids.
fn general(path: &str) -> String {
    let is_id = |part: &&str| {
        part.starts_with("file-") || (part.len() > 12 && part.chars().any(|c| c.is_ascii_digit()))
    };
    path.split('/').map(|part| if is_id(&part) { "…" } else { part }).collect::<Vec<_>>().join("/")
}

/// This machine's clock, ahead by what was leapt over.
fn clock(moved: Arc<AtomicI64>) -> Clock {
    let start = Instant::now();
    Clock::new(move || {
        let moved = moved.load(Ordering::Relaxed);
        Reading {
            wall_ms: jiff::Timestamp::now().as_millisecond() + moved,
            passed_ms: i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX) + moved,
        }
    })
}

fn config(folder: &tempfile::TempDir, sandbox: &Sandbox) -> anyhow::Result<Config> {
    let settings = format!(
        "[database]\nurl = 'sqlite://docket.db'\n[fastio]\nbase_url = '{}'\n[openai]\nbase_url = '{}'\n\
         [[rule]]\nname = 'all'\nworkspace = '{COVERED}'\nvector_store = {{ create = 'all' }}\n",
        sandbox.fastio_url(),
        sandbox.openai_url()
    );
    let path = folder.path().join("docket.toml");
    std::fs::write(&path, settings)?;
    let environment =
        [("FASTIO_API_KEY", "key"), ("OPENAI_API_KEY", "key"), ("FASTIO_WEBHOOK_SECRET", SECRET)];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Config::load(&Sources { path: Some(path), set: vec![], environment }).context("the settings")
}
