//! What each kind of change costs in calls and bytes, at both services, and whether the file could be found all the while.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

use crate::load::{Deliveries, Lone};
use crate::machine::Machine;
use crate::report::Report;
use crate::server::{Base, BaseOptions, COVERED, Place};
use crate::stands::{Calls, Stands};

/// Between looks whether a change has come to rest.
const LOOK: Duration = Duration::from_millis(50);

/// No call for so long, and no job: it has.
const RESTS: Duration = Duration::from_millis(1_500);

/// How long one change may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A document of a page or two.
const CONTENT: &str = "Liability is capped at EUR 50,000 for each claim and each year of this contract. ";

/// What a person would use instead, and the folder of `benches/peers` in which it is.
const PEERS: [(&str, &str); 3] = [("sdk", "sdk"), ("langchain", "sdk"), ("agency", "agency")];

/// At most so many calls of each kind of change: at Fastio, at OpenAI.
const PROMISED: [(&str, u64, u64); 6] =
    [("add", 2, 3), ("edit", 2, 8), ("touch", 1, 1), ("rename", 1, 1), ("delete", 1, 4), ("50 edits", 4, 16)];

/// Counts the calls, and the bytes of their bodies, that a file costs which is added, edited, touched, renamed, edited fifty times
/// within seconds, and deleted; and for how long no version of it could be found while it was edited.
///
/// --peers adds a plain script on OpenAI's own library, LangChain's `index()` over it, and agency-swarm's agent with a folder of files.
/// It exits 1 when a change costs more than promised, when the file could not be found for a moment, or when a peer needs no more calls
/// for all of it.
#[derive(Debug, Args)]
pub struct Options {
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
    /// Five edits instead of fifty
    #[arg(long)]
    short: bool,
    /// Measure the scripts, too; scripts/bench installs them under target/peers
    #[arg(long)]
    peers: bool,
    #[command(flatten)]
    base: BaseOptions,
}

pub fn run(options: Options) -> anyhow::Result<ExitCode> {
    let base = options.base.open()?;
    let mut report = Report::begin("calls", Machine::now(&base.folder), options.json);
    report.say("who                  change      Fastio  OpenAI  bytes to OpenAI  uploads");
    let edits = if options.short { 5 } else { 50 };
    let docket = docket(&base, edits)?;
    tell(&mut report, "docket", &docket.changes);
    for ((what, calls), (_, fastio, openai)) in docket.changes.iter().zip(PROMISED) {
        let (goal, measured) =
            (format!("at most {fastio} and {openai}"), format!("{} and {}", calls.fastio, calls.openai));
        report.judge(what, &goal, measured, Some(calls.fastio <= fastio && calls.openai <= openai));
    }
    let gap = format!("{} ms", docket.gap_ms);
    report.judge("time in which no version could be found", "none", gap, Some(docket.gap_ms == 0));
    for (way, folder) in PEERS.into_iter().filter(|_| options.peers) {
        let Some(peer) = Peer::installed(way, folder) else {
            report.judge(
                &format!("calls to OpenAI for all, beside {way}"),
                "fewer",
                NOT_INSTALLED.to_owned(),
                None,
            );
            continue;
        };
        let other = peer.costs(&base, edits)?;
        tell(&mut report, way, &other.changes);
        report.say(&format!("{way}: no version could be found for {} ms", other.gap_ms));
        let (own, theirs) = (docket.calls(), other.calls());
        let measured = format!("{own} beside {theirs}");
        report.judge(
            &format!("calls to OpenAI for all, beside {way}"),
            "fewer",
            measured,
            Some(own < theirs),
        );
    }
    Ok(report.end())
}

/// What all changes cost.
struct Costs {
    changes: Vec<(&'static str, Calls)>,
    gap_ms: i64,
}

impl Costs {
    /// To OpenAI.
    fn calls(&self) -> u64 {
        self.changes.iter().map(|(_, calls)| calls.openai).sum()
    }
}

fn tell(report: &mut Report, who: &str, changes: &[(&'static str, Calls)]) {
    for (what, calls) in changes {
        let Calls { fastio, openai, bytes, uploads } = calls;
        report.row(
            &format!("{who:<20} {what:<10} {fastio:>7} {openai:>7} {bytes:>16} {uploads:>8}"),
            json!({"who": who, "change": what, "fastio": fastio, "openai": openai, "bytes": bytes, "uploads": uploads}),
        );
    }
}

fn docket(base: &Base, edits: usize) -> anyhow::Result<Costs> {
    let stands = Stands::start(base, &["--index-delay", "1ms"])?;
    let place = Place::new(base, &stands)?;
    let _server = place.serve()?;
    let mut number = 0;
    let mut told = |node: &str| -> anyhow::Result<()> {
        number += 1;
        let mut sender =
            Lone::open(place.address, Deliveries::about(&format!("evt_{number}"), COVERED, node))?;
        let status = sender.send()?;
        anyhow::ensure!(status == 202, "the webhook was answered {status}");
        Ok(())
    };
    // The first file makes the vector store, and the second finds it.
    let first = stands.put("/first.txt", CONTENT)?;
    told(&first)?;
    rests(&stands, &place)?;
    let mut changes = Vec::new();
    let mut count = |what, change: &mut dyn FnMut() -> anyhow::Result<()>| -> anyhow::Result<()> {
        stands.forget_calls()?;
        change()?;
        rests(&stands, &place)?;
        changes.push((what, stands.calls()?));
        Ok(())
    };
    let mut node = String::new();
    count("add", &mut || {
        node = stands.put("/file.txt", &text(0))?;
        told(&node)
    })?;
    count("edit", &mut || told(&stands.put("/file.txt", &text(1))?))?;
    count("touch", &mut || told(&stands.put("/file.txt", &text(1))?))?;
    count("rename", &mut || {
        stands.rename("/file.txt", "/signed.txt")?;
        told(&node)
    })?;
    count("delete", &mut || {
        stands.trash("/first.txt")?;
        told(&first)
    })?;
    count("50 edits", &mut || {
        (2..2 + edits).try_for_each(|edit| told(&stands.put("/signed.txt", &text(edit))?))
    })?;
    Ok(Costs { changes, gap_ms: stands.gap_ms(Some(&node), 0)? })
}

fn text(edit: usize) -> String {
    format!("Version {edit}. {}", CONTENT.repeat(20))
}

/// Waits until nothing is asked any more and no job is left.
fn rests(stands: &Stands, place: &Place) -> anyhow::Result<()> {
    let (began, mut quiet, mut last) = (Instant::now(), Instant::now(), 0);
    loop {
        let calls = stands.newest()?;
        if calls != last {
            (last, quiet) = (calls, Instant::now());
        }
        if quiet.elapsed() >= RESTS {
            let jobs: Value = serde_json::from_str(&place.docket(&["jobs", "list", "--json"])?)?;
            if jobs.as_array().is_some_and(Vec::is_empty) {
                return Ok(());
            }
        }
        anyhow::ensure!(began.elapsed() < PATIENCE, "a change does not come to rest");
        sleep(LOOK);
    }
}

/// Said of a peer for which this machine has no Python that is new enough.
const NOT_INSTALLED: &str = "not installed";

/// A script that is started once for each change, as it tells itself.
struct Peer {
    way: &'static str,
    python: PathBuf,
    script: PathBuf,
}

impl Peer {
    fn installed(way: &'static str, folder: &str) -> Option<Peer> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let python = root.join(target).join("peers").join(folder).join("bin/python");
        let script = root.join("benches/peers").join(folder).join("sync.py");
        python.exists().then_some(Peer { way, python, script })
    }

    fn change(&self, stands: &Stands, (folder, change, edit): (&Path, &str, usize)) -> anyhow::Result<()> {
        let mut command = Command::new(&self.python);
        command.arg(&self.script).args([self.way, change, &stands.openai_url, &text(edit)]);
        let ended =
            command.current_dir(folder).status().with_context(|| self.python.display().to_string())?;
        anyhow::ensure!(ended.success(), "{} failed at {change}", self.way);
        Ok(())
    }

    fn costs(&self, base: &Base, edits: usize) -> anyhow::Result<Costs> {
        let stands = Stands::start(base, &["--index-delay", "1ms"])?;
        stands.detach_what_is_deleted()?;
        let folder = tempfile::tempdir_in(&base.folder)?;
        let run = |change: &str, edit: usize| self.change(&stands, (folder.path(), change, edit));
        // As with Docket, the store is there before.
        run("add", 0)?;
        run("delete", 0)?;
        let mut changes = Vec::new();
        let mut count = |what, edits: Range<usize>| -> anyhow::Result<()> {
            stands.forget_calls()?;
            for edit in edits {
                run(what, edit)?;
            }
            changes.push((what, stands.calls()?));
            Ok(())
        };
        count("add", 0..1)?;
        count("edit", 1..2)?;
        count("touch", 1..2)?;
        count("rename", 1..2)?;
        count("delete", 1..2)?;
        run("add", 2)?;
        let began = stands.now_ms()?;
        count("50 edits", 3..3 + edits)?;
        Ok(Costs { changes, gap_ms: stands.gap_ms(None, began)? })
    }
}
