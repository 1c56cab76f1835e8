//! What a server and its commands are asked all the time: each in one database and then in the other, and so on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::Value;

use super::Took;
use crate::http;
use crate::load::{self, Deliveries, Load, Lone, Pace};
use crate::server::{COVERED, Place};

pub const STATUS: &str = "GET /api/v1/status";

/// How what is measured of a page is called, up to its path.
pub const PAGE: &str = "page ";

/// The most that a page may send.
const PAGE_BYTES: usize = 60_000;

/// The server answers from what it read less than a second ago, and it is the reading that is measured.
const READ_ANEW: Duration = Duration::from_millis(1_100);

/// How often each is asked.
const OFTEN: usize = 7;
const LONE: usize = 200;
const BURSTS: usize = 3;
const BURST: Duration = Duration::from_secs(1);

/// Pages that people have open, and how often each reads itself anew.
const OPEN: u32 = 10;
const REFRESH: Duration = Duration::from_secs(5);

/// The number of the first burst there, none of which was sent before.
const FIRST_ROUND: usize = 100;

/// Between two deliveries of which each is to be alone.
const PAUSE: Duration = Duration::from_millis(5);

/// One thing that is asked.
#[derive(Debug, Clone, Copy)]
pub enum Asked {
    Status,
    Command(&'static [&'static str]),
    /// A page of the dashboard.
    Page(&'static str),
    /// A lone delivery.
    Delivery,
    /// One acknowledgement in a burst of covered events, while the drain looks each of them up among all.
    Burst,
}

pub const ALL: [Asked; 23] = [
    Asked::Status,
    Asked::Command(&["status", "--json"]),
    Asked::Command(&["files", "--json"]),
    Asked::Command(&["files", "--json", "--state", "behind"]),
    Asked::Command(&["files", "--json", "--state", "gone"]),
    Asked::Command(&["files", "--json", "--rule", "all"]),
    Asked::Command(&["files", "--json", "/Contracts/007/contract-7.txt"]),
    Asked::Command(&["events", "--json"]),
    Asked::Command(&["jobs", "list", "--json"]),
    Asked::Command(&["jobs", "list", "--json", "--state", "waiting"]),
    Asked::Command(&["jobs", "list", "--json", "--state", "dead"]),
    Asked::Command(&["runs", "list", "--json"]),
    Asked::Page("/"),
    Asked::Page("/files"),
    Asked::Page("/files?state=behind"),
    Asked::Page("/files?state=gone"),
    Asked::Page("/files?path=%2FContracts%2F007%2Fcontract-7.txt"),
    Asked::Page("/runs"),
    Asked::Page("/webhooks"),
    Asked::Page("/jobs"),
    Asked::Page("/jobs?state=waiting"),
    Asked::Delivery,
    Asked::Burst,
];

impl Asked {
    pub fn measure(self, places: [&Place; 2]) -> anyhow::Result<Took> {
        match self {
            Asked::Status => in_turn(STATUS, OFTEN, places, |place| {
                sleep(READ_ANEW);
                timed(|| http::must(place.operator, "GET", "/api/v1/status", "").map(drop))
            }),
            Asked::Command(command) => {
                let what = format!("docket {}", command.join(" "));
                in_turn(&what, OFTEN, places, |place| timed(|| place.docket(command).map(drop)))
            }
            Asked::Page(path) => in_turn(&format!("{PAGE}{path}"), OFTEN, places, |place| {
                timed(|| {
                    let page = http::must(place.operator, "GET", path, "")?;
                    anyhow::ensure!(page.len() < PAGE_BYTES, "{path} has {} bytes", page.len());
                    Ok(())
                })
            }),
            Asked::Delivery => lone(places),
            Asked::Burst => {
                let mut burst = 0;
                in_turn("acknowledge one of a covered burst", BURSTS, places, |place| {
                    burst += 1;
                    each_of_burst(place, burst)
                })
            }
        }
    }
}

/// How many jobs wait in a place where OpenAI is held still.
pub fn held(place: &Place) -> anyhow::Result<u64> {
    let status: Vec<Value> = serde_json::from_str(&place.docket(&["status", "--json"])?)?;
    let value = |name: &str, label: &str| {
        let row = status.iter().find(|row| row["name"] == name && row["label"] == label);
        row.and_then(|row| row["value"].as_u64())
    };
    value("pause", "openai")
        .context("nothing holds OpenAI any more, so what was measured was measured beside work")?;
    value("job", "waiting").context("the status does not say how many jobs wait")
}

/// Measures in one place and then in the other, so many times.
fn in_turn(
    what: &str,
    times: usize,
    places: [&Place; 2],
    mut took: impl FnMut(&Place) -> anyhow::Result<u32>,
) -> anyhow::Result<Took> {
    let mut all = [Vec::new(), Vec::new()];
    for _ in 0..times {
        for (place, all) in places.into_iter().zip(&mut all) {
            all.push(took(place)?);
        }
    }
    Ok(Took::new(what, all))
}

/// Microseconds.
fn timed(what: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<u32> {
    let began = Instant::now();
    what()?;
    Ok(u32::try_from(began.elapsed().as_micros())?)
}

fn lone(places: [&Place; 2]) -> anyhow::Result<Took> {
    let mut senders = Vec::new();
    for place in places {
        senders.push(Lone::open(place.address, Deliveries::spread("evt", COVERED, LONE))?);
    }
    let mut all = [Vec::new(), Vec::new()];
    for _ in 0..LONE {
        for (sender, all) in senders.iter_mut().zip(&mut all) {
            sleep(PAUSE);
            all.push(timed(|| {
                let status = sender.send()?;
                anyhow::ensure!(status == 202, "a delivery was answered {status}");
                Ok(())
            })?);
        }
    }
    Ok(Took::new("acknowledge a lone delivery", all))
}

/// What an acknowledgement in a burst takes while nobody looks on, and while that many pages are open, in turn.
pub fn looked_at(place: &Place, rounds: usize) -> anyhow::Result<Took> {
    let mut all = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        for (watched, all) in [false, true].into_iter().zip(&mut all) {
            let burst = FIRST_ROUND + 2 * round + usize::from(watched);
            let over = AtomicBool::new(!watched);
            let took = std::thread::scope(|scope| {
                let reader = scope.spawn(|| read_pages(place, &over));
                let took = each_of_burst(place, burst);
                over.store(true, Ordering::Relaxed);
                reader.join().map_err(|_| anyhow::anyhow!("the reader of pages panicked"))??;
                took
            });
            all.push(took?);
        }
    }
    Ok(Took::new(&format!("the same, while {OPEN} pages are open"), all))
}

/// Asks for one page after the other, as often as all open pages together do.
fn read_pages(place: &Place, over: &AtomicBool) -> anyhow::Result<()> {
    let pages = ALL.iter().filter_map(|asked| if let Asked::Page(path) = asked { Some(path) } else { None });
    for path in pages.cycle() {
        if over.load(Ordering::Relaxed) {
            break;
        }
        http::must(place.operator, "GET", path, "")?;
        sleep(REFRESH / OPEN);
    }
    Ok(())
}

/// Microseconds of one.
fn each_of_burst(place: &Place, burst: usize) -> anyhow::Result<u32> {
    const MOST_A_SECOND: usize = 120_000;
    let count = MOST_A_SECOND * BURST.as_secs() as usize;
    let deliveries = Deliveries::spread(&format!("evt_{burst}"), COVERED, count);
    let addresses = vec![place.address];
    let load = Load { addresses, connections: 64, duration: BURST, pace: Pace::Closed };
    let (outcome, ()) = load::run(&load, deliveries, || Ok(()))?;
    Ok((1e6 / outcome.rate(Duration::ZERO, BURST)) as u32)
}
