//! Whether what Docket does all the time costs the same in a database that has grown as in a small one.
//!
//! The small one has a thousandth of the rows: enough to fill every page that a list shows, so that both have as much to print.

mod ask;
mod fill;
mod jobs;

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use serde_json::json;

use crate::load::Latencies;
use crate::machine::Machine;
use crate::postgres::Postgres;
use crate::report::Report;
use crate::server::{Base, BaseOptions, Place};
use crate::stands::Stands;
use fill::Size;

/// How much more anything may cost in the large one, and how long the status may take there.
const TIMES: f64 = 1.5;
const STATUS_MS: f64 = 20.0;

/// How often an acknowledgement is measured alone and while people look at pages, and how much longer it may take then.
const ROUNDS: usize = 7;
const LOOKED_AT_TIMES: f64 = 1.05;

/// How long a page may take, however many rows there are. Below it nobody sees that one database is larger.
const PAGE_MS: f64 = 100.0;

/// What is faster than this differs by the machine's mood, and nobody notices it.
const NOTHING_MS: f64 = 0.05;

/// Measures whether what Docket does all the time costs the same in a database that has grown.
///
/// Two databases are filled: with files, each with its copy, its events and a job that is held because OpenAI refuses the key;
/// the small one has a thousandth of them. In both it is measured how long a claim with its settling takes, an
/// acknowledgement, the status, each command that lists something, and each page; and in the large one what open pages take from
/// acknowledgements.
///
/// The whole form needs 9 GB of disk for a while and takes about ten minutes; on PostgreSQL it needs room for what is brought there as well,
/// and longer. It exits 1 when a promise does not hold.
#[derive(Debug, Args)]
pub struct Options {
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
    /// A database of 5,000 files: shows that it works; times are shown and not judged
    #[arg(long)]
    short: bool,
    /// Files in the large database, each with a copy and a held job
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    files: u32,
    /// Events in it
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    events: u32,
    /// On PostgreSQL, which `docket database copy` brings both databases to
    #[arg(long)]
    postgres: bool,
    #[command(flatten)]
    base: BaseOptions,
}

/// What the same thing took in both databases.
struct Took {
    what: String,
    small_ms: f64,
    large_ms: f64,
}

impl Took {
    /// From what each time took, in turn, in microseconds; the middle counts.
    fn new(what: &str, [small, large]: [Vec<u32>; 2]) -> Took {
        let middle = |took| Latencies::new(took).ms(0.5);
        Took { what: what.to_owned(), small_ms: middle(small), large_ms: middle(large) }
    }

    fn times(&self) -> f64 {
        self.large_ms / self.small_ms.max(NOTHING_MS)
    }
}

/// Where databases are filled.
struct Ground {
    base: Base,
    stands: Stands,
    /// Where they are brought to.
    postgres: Option<Postgres>,
}

pub fn run(options: Options) -> anyhow::Result<ExitCode> {
    let large = match options.short {
        true => Size { files: 5_000, events: 25_000, lanes: 0 },
        false => Size { files: options.files, events: options.events, lanes: 0 },
    };
    let small = Size { files: large.files / 1000, events: large.events / 1000, ..large }.at_least_a_page();
    let base = options.base.open()?;
    let mut report = Report::begin("growth", Machine::now(&base.folder), options.json);
    let stands = Stands::start(&base, &[])?;
    let postgres = options.postgres.then(|| Postgres::start(&base.folder)).transpose()?;
    let mut ground = Ground { base, stands, postgres };
    let sizes = [small, large];
    let (small, large) = (ground.filled(&mut report, small)?, ground.filled(&mut report, large)?);
    report.say("what                                         small ms  large ms  times");
    let claims = jobs::claim_and_settle("claim and settle a job", [&small, &large])?;
    show(&mut report, &claims, options.short);
    claims_among_lanes(&mut report, &mut ground)?;
    // A server asks a little after its start whether the key is still refused.
    ground.stands.refuse_key()?;
    let mut servers = [small.serve()?, large.serve()?];
    for asked in ask::ALL {
        show(&mut report, &asked.measure([&small, &large])?, options.short);
    }
    let looked_at = ask::looked_at(&large, if options.short { 1 } else { ROUNDS })?;
    tell(&mut report, &looked_at);
    let holds = (!options.short).then_some(looked_at.times() <= LOOKED_AT_TIMES);
    report.judge(
        &looked_at.what,
        "at most 1.05 times as long",
        format!("{:.2} times", looked_at.times()),
        holds,
    );
    for (place, size) in [(&small, sizes[0]), (&large, sizes[1])] {
        let held = ask::held(place)?;
        anyhow::ensure!(
            held >= u64::from(size.files),
            "{held} of {} held jobs are left: some were let go",
            size.files
        );
    }
    for server in &mut servers {
        anyhow::ensure!(server.stop()?, "the server did not stop in order");
    }
    Ok(report.end())
}

/// Jobs are held by what they need, and each set of needs is looked at: with a lane for each vector store a claim costs more. Nothing
/// is promised of that.
fn claims_among_lanes(report: &mut Report, ground: &mut Ground) -> anyhow::Result<()> {
    let few = Size { files: 0, events: 0, lanes: 0 };
    let (two, many) = (ground.filled(report, few)?, ground.filled(report, Size { lanes: LANES, ..few })?);
    let what = format!("claim and settle, 2 lanes and {LANES}");
    tell(report, &jobs::claim_and_settle(&what, [&two, &many])?);
    Ok(())
}

/// More vector stores than a Docket is likely to have rules for.
const LANES: u32 = 1_000;

fn tell(report: &mut Report, took: &Took) {
    let Took { what, small_ms, large_ms } = took;
    let times = took.times();
    report.row(
        &format!("{what:<42} {small_ms:>10.3} {large_ms:>9.3} {times:>6.2}"),
        json!({"what": what, "small_ms": small_ms, "large_ms": large_ms, "times": times}),
    );
}

fn show(report: &mut Report, took: &Took, short: bool) {
    let Took { what, large_ms, .. } = took;
    let times = took.times();
    tell(report, took);
    if what.starts_with(ask::PAGE) {
        let holds = (!short).then_some(*large_ms < PAGE_MS);
        return report.judge(what, "below 100 ms", format!("{large_ms:.1} ms"), holds);
    }
    report.judge(
        what,
        "at most 1.5 times as long",
        format!("{times:.2} times"),
        (!short).then_some(times <= TIMES),
    );
    if what == ask::STATUS {
        let holds = (!short).then_some(*large_ms < STATUS_MS);
        report.judge(what, "below 20 ms", format!("{large_ms:.1} ms"), holds);
    }
}

impl Ground {
    /// A place with a database of this size.
    fn filled(&mut self, report: &mut Report, size: Size) -> anyhow::Result<Place> {
        let place = Place::new(&self.base, &self.stands)?;
        // The server makes the tables.
        place.serve()?.stop()?;
        let began = Instant::now();
        let megabytes = fill::fill(place.path(), size)? / 1_000_000;
        let (Size { files, events, .. }, seconds) = (size, began.elapsed().as_secs_f64());
        report.row(
            &format!("{files} files, {events} events, {files} held jobs: {megabytes} MB, filled in {seconds:.0} s"),
            json!({"files": files, "events": events, "held_jobs": files, "megabytes": megabytes, "fill_seconds": seconds}),
        );
        let Some(postgres) = &mut self.postgres else { return Ok(place) };
        let (_, url) = postgres.database()?;
        let began = Instant::now();
        place.docket(&["database", "copy", "--to", &url])?;
        let seconds = began.elapsed().as_secs_f64();
        report.row(
            &format!("brought to PostgreSQL, and each row compared, in {seconds:.0} s"),
            json!({"files": files, "events": events, "copy_seconds": seconds}),
        );
        Place::on(&self.base, &self.stands, &url)
    }
}
