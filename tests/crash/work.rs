//! The long part: changes, deliveries, faults and kills at the same time, until enough events are acknowledged and the
//! server was killed often enough.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context;
use fastrand::Rng;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::check::beside::numbers;
use crate::check::{IMPORTS, failover};
use crate::cluster::harm::{self, Harm};
use crate::deliver::Deliver;
use crate::faults::{self, Lane, Struck};
use crate::fleet::{Fleet, WORKSPACE};
use crate::journal::Journal;
use crate::kill::{self, Killed};
use crate::options::{Options, Way};
use crate::order::Orders;
use crate::script::{Script, Step, result_of};
use crate::stands::{Body, Stands};

/// Between looks at what was acknowledged.
const TICK: Duration = Duration::from_millis(200);

/// Between looks into the journal. The stand-in keeps 20,000 requests.
const READ: Duration = Duration::from_secs(1);

/// Between lines about how far it is.
const TELL: Duration = Duration::from_secs(10);

/// Steps that may be made before their events are acknowledged. A server that is away for a second is no reason to wait.
const AHEAD: u64 = 3_000;

/// How far behind its pace the script may fall before it stops making up for it.
const LATE: Duration = Duration::from_secs(2);

/// After this part of the events nothing more is begun that takes a minute to end.
const CALM_AFTER: f64 = 0.6;

/// What came of it.
pub struct Worked {
    pub script: Script,
    pub killed: Killed,
    pub struck: Struck,
    pub changes: u64,
    pub seconds: f64,
    /// What is wrong with what `docket check` said of failovers.
    pub unsaid: Vec<String>,
}

/// What the parts share.
#[derive(Clone)]
struct Shared {
    stands: Stands,
    deliver: Deliver,
    orders: Orders,
    progress: watch::Sender<u64>,
    changes: Arc<AtomicU64>,
    /// Enough was done.
    stop: CancellationToken,
    /// Only what ends soon, from now on.
    calm: CancellationToken,
}

pub async fn work(options: &Options, fleet: &mut Fleet) -> anyhow::Result<Worked> {
    let began = Instant::now();
    let started = fleet.start_servers()?;
    kill::back(fleet, started, (0, &[])).await.context("the first start")?;
    fleet.all_ready().await?;
    let unsaid = match &fleet.cluster {
        Some(cluster) => {
            cluster.audit().await?;
            let (_, said) = fleet.docket(&["check", "--json"]).await?;
            failover::unsaid(&serde_json::from_str(&said)?, cluster.world.is_synchronous)
        }
        None => Vec::new(),
    };
    let shared = Shared {
        stands: fleet.stands.clone(),
        deliver: fleet.deliver.clone(),
        orders: fleet.orders.clone(),
        progress: watch::Sender::new(0),
        changes: Arc::default(),
        stop: CancellationToken::new(),
        calm: CancellationToken::new(),
    };
    let struck: Arc<Mutex<Struck>> = Arc::default();
    let mut parts: JoinSet<anyhow::Result<()>> = JoinSet::new();
    for lane in Lane::ALL {
        let until = (shared.stop.clone(), shared.calm.clone());
        let plan = (lane, options.clone());
        parts.spawn(faults::strike(shared.stands.clone(), plan, struck.clone(), until));
    }
    parts.spawn(read_along(fleet.journal.clone(), shared.stop.clone()));
    parts.spawn(count(shared.clone(), options.events, options.has(Way::Webhooks)));
    let script = Script::new(options);
    let changer = tokio::spawn(change(shared.clone(), script, (options.rate(), options.has(Way::Webhooks))));
    let killed = tokio::select! {
        killed = kills(options, fleet, &shared) => killed,
        Some(ended) = parts.join_next() => match ended? {
            Ok(()) => Err(anyhow::anyhow!("a part of the test ended early")),
            Err(error) => Err(error),
        },
    };
    shared.stop.cancel();
    let killed = killed?;
    let script = changer.await??;
    while let Some(ended) = parts.join_next().await {
        ended??;
    }
    let struck = struck.lock().expect("nothing panics while it counts").clone();
    let changes = shared.changes.load(Ordering::Relaxed);
    Ok(Worked { script, killed, struck, changes, seconds: began.elapsed().as_secs_f64(), unsaid })
}

/// Kills the server whenever as many events were acknowledged as the plan says, and then waits for the rest of them.
async fn kills(options: &Options, fleet: &mut Fleet, shared: &Shared) -> anyhow::Result<Killed> {
    let mut random = Rng::with_seed(options.seed ^ 0x6b69_6c6c);
    let mut plan: Vec<u64> = (0..options.kills).map(|_| random.u64(0..options.events)).collect();
    plan.sort_unstable();
    let mut progress = shared.progress.subscribe();
    let harms =
        fleet.cluster.as_ref().map(|cluster| Harm::plan(&mut random, options.kills, cluster.world.is_pooled));
    let mut killed = Killed::default();
    let began = Instant::now();
    let mut tell = Instant::now();
    for (number, threshold) in plan.into_iter().enumerate() {
        if killed.kills >= options.kills {
            break;
        }
        while *progress.borrow_and_update() < threshold {
            progress.changed().await?;
        }
        tokio::time::sleep(Duration::from_millis(random.u64(0..500))).await;
        match &harms {
            Some(harms) => harm::strike(fleet, &mut random, harms[number], &mut killed).await?,
            None => killed.kill(fleet, &mut random, options.kills).await?,
        }
        if tell.elapsed() > TELL {
            tell = Instant::now();
            let left = fleet.looks.left().await?;
            eprintln!(
                "{:>5.0} s: {} kills, {} events, {} jobs waiting",
                began.elapsed().as_secs_f64(),
                killed.kills,
                *progress.borrow(),
                left.jobs
            );
        }
    }
    while *progress.borrow_and_update() < options.events {
        fleet.lives()?;
        progress.changed().await?;
    }
    Ok(killed)
}

/// Keeps account of what was acknowledged to the stand-in's sender, and of how far the test is.
async fn count(shared: Shared, events: u64, webhooks: bool) -> anyhow::Result<()> {
    let mut since = 0;
    while !shared.stop.is_cancelled() {
        let done = match webhooks {
            true => {
                since = take_in(&shared.stands, &shared.deliver, since).await?;
                u64::try_from(shared.deliver.told().acknowledged.len()).unwrap_or(u64::MAX)
            }
            // Nothing is acknowledged where nothing is delivered: each change is at least one event.
            false => shared.changes.load(Ordering::Relaxed),
        };
        if done as f64 > events as f64 * CALM_AFTER {
            shared.calm.cancel();
        }
        shared.progress.send_replace(done);
        tokio::select! { () = shared.stop.cancelled() => {}, () = tokio::time::sleep(TICK) => {} }
    }
    Ok(())
}

/// Reads the journal before the stand-in forgets it.
async fn read_along(
    journal: Arc<tokio::sync::Mutex<Journal>>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    while !stop.is_cancelled() {
        journal.lock().await.read().await?;
        tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(READ) => {} }
    }
    Ok(())
}

/// Takes in what the stand-in's sender was told since the `since`th acknowledgement; answers how many there are now.
pub async fn take_in(stands: &Stands, deliver: &Deliver, since: u64) -> anyhow::Result<u64> {
    let page = stands.acknowledged(since).await?;
    anyhow::ensure!(page["forgotten"].as_u64() <= Some(since), "the sandbox has forgotten acknowledgements");
    let events = page["events"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut told = deliver.told();
    for event in events {
        told.took(event);
    }
    Ok(page["newest"].as_u64().unwrap_or(since))
}

/// Makes one step after the other, at `rate` a second.
async fn change(shared: Shared, mut script: Script, (rate, talks): (f64, bool)) -> anyhow::Result<Script> {
    let folder = format!("folders/{WORKSPACE}{}", IMPORTS.trim_end_matches('/'));
    shared.stands.change(Method::PUT, &folder, Body::None).await?;
    for step in script.opening() {
        let answer = make(&shared.stands, &step).await?;
        script.learn(&step, answer.as_ref());
    }
    let pause = Duration::from_secs_f64(1.0 / rate.max(0.1));
    let mut due = tokio::time::Instant::now();
    let mut tasks = JoinSet::new();
    let mut steps = 0_u64;
    while !shared.stop.is_cancelled() {
        due += pause;
        let now = tokio::time::Instant::now();
        if due + LATE < now {
            due = now;
        }
        tokio::time::sleep_until(due).await;
        if steps > *shared.progress.borrow() + AHEAD {
            continue;
        }
        steps += 1;
        match script.next(talks) {
            Step::Tell(deliveries) => {
                for (id, body) in deliveries {
                    shared.deliver.post(&mut tasks, id, body).await;
                }
            }
            Step::Import { name, times } => {
                let url = format!("https://files.example.com/{name}?sig=s3cret");
                shared.stands.publish(&url, format!("What is called {name}.")).await?;
                shared.orders.import(&mut tasks, (url, name), times);
            }
            step => {
                let touched = touched(&shared.stands, &step).await?;
                script.takes(touched);
                let answer = make(&shared.stands, &step).await?;
                if answer.is_some() {
                    shared.changes.fetch_add(1, Ordering::Relaxed);
                }
                script.learn(&step, answer.as_ref());
            }
        }
    }
    // Each is sent until it is acknowledged; the server is there by now.
    while let Some(ended) = tasks.join_next().await {
        ended?;
    }
    Ok(script)
}

/// The contracts whose results a person touches: of the one that is there, and of the contract beside it.
async fn touched(stands: &Stands, step: &Step) -> anyhow::Result<BTreeSet<usize>> {
    let contract = match step {
        Step::Take { contract, .. } => contract,
        _ => return Ok(BTreeSet::new()),
    };
    let mut touched = BTreeSet::new();
    for path in [contract, &result_of(contract)] {
        touched.extend(stands.content(path).await?.map(|text| numbers(&text)).unwrap_or_default());
    }
    Ok(touched)
}

/// Makes a change in Fastio; `None` when Fastio refuses it.
async fn make(stands: &Stands, step: &Step) -> anyhow::Result<Option<Value>> {
    match step {
        Step::Write { path, content } => stands.put(path, content.clone()).await,
        Step::Move { from, to } => stands.rename(from, to).await,
        Step::Copy { from, to } => {
            let body = json!({"workspace": WORKSPACE, "from": from, "to": to});
            stands.change(Method::POST, "copy", Body::Json(body)).await
        }
        Step::Restore { path } => {
            let body = json!({"workspace": WORKSPACE, "path": path});
            stands.change(Method::POST, "restore", Body::Json(body)).await
        }
        Step::Trash { path } => {
            stands.change(Method::DELETE, &format!("files/{WORKSPACE}{path}"), Body::None).await
        }
        Step::Purge { path } => {
            stands.change(Method::DELETE, &format!("files/{WORKSPACE}{path}?purge=true"), Body::None).await
        }
        Step::Take { contract, edit } => match edit {
            Some(edit) => stands.put(&result_of(contract), edit.clone().into()).await,
            None => {
                let path = format!("files/{WORKSPACE}{}", result_of(contract));
                stands.change(Method::DELETE, &path, Body::None).await
            }
        },
        Step::Import { .. } | Step::Tell(_) => Ok(None),
    }
}
