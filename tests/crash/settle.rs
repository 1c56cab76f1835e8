//! The end: faults are off, everything settles, and what was told must have had its effect. Then a sweep makes up for what
//! no webhook told, and all is looked at.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use docket_sandbox::judge::{absences, unbroken};
use serde_json::Value;

use crate::check::failover::Failover;
use crate::check::room::is_scarce;
use crate::check::runs::is_at_a_desk;
use crate::check::twice::overlaps;
use crate::check::{self, Broken, Rows, Seen, files, text};
use crate::cluster::person;
use crate::fleet::{self, Fleet};
use crate::options::{Options, Way};
use crate::report::Report;
use crate::stands::Stand;
use crate::work::{self, Worked};

/// Between looks whether there is something left to do.
const LOOK: Duration = Duration::from_millis(100);

/// How long nothing must be left: the change feed is asked every two seconds.
const QUIET: Duration = Duration::from_millis(2_500);

/// How long as many jobs must be left, of which some are dead, until the others are taken to wait for those.
const STANDS_STILL: Duration = Duration::from_secs(60);

pub async fn settle(options: &Options, fleet: &mut Fleet, worked: Worked) -> anyhow::Result<Report> {
    let began = Instant::now();
    idle(options, fleet).await?;
    let mut since = 0;
    if options.has(Way::Webhooks) {
        since = work::take_in(&fleet.stands, &fleet.deliver, 0).await?;
    }
    let mut stuck = quiet(options, fleet).await?;
    let has_forgotten = !forgetful(fleet, &worked).is_empty();
    let mut tidied = 0;
    if has_forgotten {
        tidied = person::tidy(fleet).await?;
        stuck = quiet(options, fleet).await?;
    }
    let (mut before, mut differences, mut found) = (Vec::new(), Vec::new(), Value::Null);
    // What was made outside and forgotten in a failover only a sweep finds, and what lost its job there only a sweep asks for again.
    if stuck.is_empty() || has_forgotten {
        if !has_forgotten && !options.sweeps() {
            before = check::broken_before_sweep(&look((options, fleet), &worked, Vec::new()).await?);
        }
        found = sweep(fleet, &[], &mut differences).await?;
        stuck = quiet(options, fleet).await?;
        sweep(fleet, &["--dry-run"], &mut differences).await?;
    }
    let seconds = began.elapsed().as_secs_f64();
    let mut seen = look((options, fleet), &worked, differences).await?;
    let lost = excuse(fleet, &worked, &mut seen);
    let mut broken = before;
    broken.extend(check::broken(&seen));
    broken.extend(Broken::of("everything settles in time", stuck));
    fleet.journal.lock().await.read().await?;
    let twice = overlaps(fleet.journal.lock().await.doings(), &worked.killed.stops);
    broken.extend(Broken::of("nothing is done twice at the same time", twice));
    if let Some(cluster) = &fleet.cluster {
        let audited = cluster.audited().await?;
        broken.extend(Broken::of("a job has one worker, and who was removed settles none", audited));
    }
    broken.extend(Broken::of("docket check says what a failover can lose", worked.unsaid.clone()));
    let slow =
        worked.killed.recoveries.iter().map(|back| back.seconds()).filter(|back| *back >= options.recovery);
    let slow = slow.map(|back| format!("a recovery took {back:.2} s")).collect();
    broken.extend(Broken::of("the server is back in time after a kill", slow));
    broken.extend(Broken::of("the server stops when it is told to", fleet.stop_servers().await?));
    if !broken.is_empty() {
        fleet.leave("fastio.json", &seen.fastio)?;
        fleet.leave("openai.json", &seen.openai)?;
        fleet.leave("searchable.json", &seen.searchable)?;
        fleet.leave("fastio-requests.json", &fleet.stands.journal(Stand::Fastio, 0).await?)?;
        fleet.leave("openai-requests.json", &fleet.stands.journal(Stand::Openai, 0).await?)?;
    }
    let there = absences(&seen.fastio, &seen.wanderers);
    let told = fleet.deliver.told().clone();
    Ok(Report {
        command: options.command(),
        binary: options.binary(),
        seconds: worked.seconds,
        settle_seconds: seconds,
        kills: worked.killed.kills,
        early_kills: worked.killed.early,
        recoveries: worked.killed.recoveries,
        whole: worked.killed.whole,
        stops: worked.killed.stops.len(),
        failovers: worked.killed.failovers.len(),
        lost_to_failovers: lost,
        tidied,
        ended: fleet.ended.len(),
        events: seen.acknowledged.len(),
        answers: told.answers,
        tries_in_vain: told.tries_in_vain,
        acknowledged_by_stand_in: since,
        changes: worked.changes,
        files: files(&seen.fastio).filter(|file| file["trashed"] == false).count(),
        always_found: unbroken(&seen.searchable, &there),
        found_by_sweep: found,
        runs: seen.rows.runs.len(),
        requests: (fleet.stands.requests(Stand::Fastio).await?, fleet.stands.requests(Stand::Openai).await?),
        struck: worked.struck,
        broken,
    })
}

/// Leaves out the events that a failover lost where commits do not wait for the standby. Answers how many there are.
fn excuse(fleet: &Fleet, worked: &Worked, seen: &mut Seen) -> usize {
    let failovers = forgetful(fleet, worked);
    let told = fleet.deliver.told();
    let all = seen.acknowledged.len();
    seen.acknowledged.retain(|event| {
        let may_be_lost = failovers.iter().any(|failover| failover.may_lose(told.acknowledged[event]));
        seen.rows.events.contains(event) || !may_be_lost
    });
    all - seen.acknowledged.len()
}

/// The failovers that may have lost something.
fn forgetful<'a>(fleet: &Fleet, worked: &'a Worked) -> &'a [Failover] {
    match &fleet.cluster {
        Some(cluster) if !cluster.world.is_synchronous => &worked.killed.failovers,
        _ => &[],
    }
}

/// Waits until Fastio has told everything. The server's own work makes events too, so that takes as long as the work.
async fn idle(options: &Options, fleet: &Fleet) -> anyhow::Result<()> {
    let began = Instant::now();
    while !fleet.stands.is_idle().await? {
        let left = began.elapsed().as_secs() < options.patience;
        anyhow::ensure!(left, "Fastio's webhooks do not come to an end");
    }
    Ok(())
}

/// Waits until nothing is left to do and stays so. Answers what is stuck when that does not come.
async fn quiet(options: &Options, fleet: &mut Fleet) -> anyhow::Result<Vec<String>> {
    let (began, mut since) = (Instant::now(), None);
    let mut tell = Instant::now();
    let mut last = (0, Instant::now());
    loop {
        fleet.lives()?;
        let left = fleet.looks.left().await?;
        if left.jobs != last.0 {
            last = (left.jobs, Instant::now());
        }
        if left.inbox == 0 && left.jobs == 0 {
            let since = *since.get_or_insert_with(Instant::now);
            if since.elapsed() > QUIET {
                return Ok(Vec::new());
            }
        } else {
            since = None;
        }
        // What is dead stays, and so does what waits for that.
        let stays = left.dead == left.jobs || last.1.elapsed() > STANDS_STILL;
        if left.dead > 0 && stays || began.elapsed().as_secs() > options.patience {
            let Rows { jobs, .. } = fleet.looks.rows().await?;
            return Ok(jobs);
        }
        if tell.elapsed() > Duration::from_secs(10) {
            tell = Instant::now();
            fleet.journal.lock().await.read().await?;
            eprintln!("settling: {} jobs are left", left.jobs);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Runs `docket sweep`. Adds what a dry run still finds, and what any leaves undone.
async fn sweep(fleet: &Fleet, flags: &[&str], wrong: &mut Vec<String>) -> anyhow::Result<Value> {
    let (code, out) = fleet.docket(&[&["sweep", "--json"], flags].concat()).await?;
    let answer: Value = serde_json::from_str(&out).unwrap_or_default();
    if code != 0 {
        wrong.push(format!("docket sweep {} exits {code}: {out}", flags.join(" ")));
    }
    if flags.contains(&"--dry-run") {
        wrong.extend(answer["differences"].as_array().into_iter().flatten().map(Value::to_string));
    }
    Ok(answer["report"]["found"].clone())
}

/// The nodes of the files that there may be no room for.
fn scarce_nodes(fastio: &Value) -> impl Iterator<Item = String> {
    let scarce = files(fastio).filter(|file| is_scarce(text(&file["path"])));
    scarce.map(|file| text(&file["node_id"]).to_owned())
}

async fn look(
    (options, fleet): (&Options, &Fleet),
    worked: &Worked,
    differences: Vec<String>,
) -> anyhow::Result<Seen> {
    let desks = &worked.script.desks;
    let fastio = fleet.stands.state(Stand::Fastio, 0).await?;
    // Of what may have to leave nobody expects that it is found all the time.
    let wanderers = worked.script.wanderers.iter().cloned().chain(scarce_nodes(&fastio)).collect();
    let mut desk = BTreeMap::new();
    let at_the_desk = |file: &&Value| file["trashed"] == false && is_at_a_desk(text(&file["path"]));
    for file in files(&fastio).filter(at_the_desk) {
        desk.insert(text(&file["path"]).to_owned(), fleet.stands.read(text(&file["node_id"])).await?);
    }
    let told = fleet.deliver.told().clone();
    Ok(Seen {
        rows: fleet.looks.rows().await?,
        openai: fleet.stands.state(Stand::Openai, 0).await?,
        searchable: fleet.stands.searchable().await?,
        room: options.has(Way::Room).then(|| fleet::room(options)),
        fastio,
        acknowledged: told.acknowledged.into_keys().collect(),
        strange: told.strange,
        wanderers,
        desk,
        taken: desks.iter().flat_map(|desk| desk.taken.iter().copied()).collect(),
        moves: desks.iter().map(|desk| desk.moves).sum(),
        copied: desks.iter().map(|desk| desk.copied).sum(),
        stand_ins: worked.script.stand_ins.clone(),
        cut: fleet::cut(options),
        imported: worked.script.imported.clone(),
        stores: [
            ("all", None),
            ("asked", Some(Way::Fastio)),
            ("contracts", None),
            ("scarce", Some(Way::Room)),
        ]
        .into_iter()
        .filter_map(|(store, way)| way.is_none_or(|way| options.has(way)).then_some(store))
        .collect(),
        differences,
        forgetful: forgetful(fleet, worked).to_vec(),
    })
}
