//! The sender: many keep-alive connections, a thread, and nothing that costs what the server could use.
//!
//! In a *closed loop* each connection sends the next delivery when the last one was answered. In an *open loop* deliveries
//! have their times, at a fixed rate, and a delivery's latency counts from the time at which it should have been sent: a
//! server that stalls is late for all that was due meanwhile. The timer's step of a millisecond is part of those numbers.

mod connection;
mod delivery;
mod latency;
mod lone;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use connection::Connection;
pub use delivery::{Deliveries, SECRET, keep, number};
pub use latency::Latencies;
pub use lone::Lone;

/// How long a sender waits after it was refused. Fastio would wait longer; a loop must not be one of refusals.
const AFTER_REFUSAL: Duration = Duration::from_millis(5);

/// When deliveries are sent.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// As soon as the last one of the connection was answered.
    Closed,
    /// So many a second.
    Open(f64),
}

pub struct Load {
    /// Where to: the connections are spread over them.
    pub addresses: Vec<SocketAddr>,
    pub connections: usize,
    pub duration: Duration,
    pub pace: Pace,
}

/// A delivery that was answered with 2xx.
#[derive(Debug, Clone, Copy)]
pub struct Answered {
    pub number: u32,
    /// When, since the load began.
    pub at_us: u32,
    pub latency_us: u32,
}

/// What came of a load.
#[derive(Default)]
pub struct Outcome {
    /// All that were acknowledged, also after the time was over.
    pub answered: Vec<Answered>,
    /// Answers that were not 2xx, by how many there were.
    pub refused: usize,
    /// Deliveries that got no answer before the time was over.
    pub unanswered: usize,
    /// Deliveries that were to be sent and for which there was no signed one left.
    pub ran_out: bool,
    /// Processor time of the sender itself.
    pub sender_cpu_ms: u64,
}

struct Shared {
    deliveries: Deliveries,
    next: AtomicUsize,
    /// The time is over: no more is sent, and an error is the server's end.
    over: AtomicBool,
    ran_out: AtomicBool,
    begin: Instant,
    pace: Pace,
}

/// Puts `load` on a server. When its time is over, and while deliveries are still under way, `at_end` is called, which may
/// measure the server and kill it.
pub fn run<T>(
    load: &Load,
    deliveries: Deliveries,
    at_end: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<(Outcome, T)> {
    // One thread: a second one would take from the server what the first one does not need.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connections = Vec::new();
        for address in load.addresses.iter().cycle().take(load.connections) {
            connections.push((*address, Connection::open(*address).await?));
        }
        let shared = Arc::new(Shared {
            deliveries,
            next: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            ran_out: AtomicBool::new(false),
            begin: Instant::now(),
            pace: load.pace,
        });
        let cpu = own_cpu_ms();
        let senders: Vec<_> = connections
            .into_iter()
            .map(|connection| tokio::spawn(send(shared.clone(), connection)))
            .collect();
        tokio::time::sleep_until(shared.begin + load.duration).await;
        let sender_cpu_ms = own_cpu_ms() - cpu;
        let ended = at_end()?;
        shared.over.store(true, Ordering::Relaxed);
        let mut all = Outcome { sender_cpu_ms, ..Outcome::default() };
        for sender in senders {
            let one = sender.await??;
            all.answered.extend(one.answered);
            all.refused += one.refused;
            all.unanswered += one.unanswered;
        }
        all.ran_out = shared.ran_out.load(Ordering::Relaxed);
        Ok((all, ended))
    })
}

/// One connection's part of the load.
async fn send(
    shared: Arc<Shared>,
    (address, mut connection): (SocketAddr, Connection),
) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut request = Vec::new();
    while !shared.over.load(Ordering::Relaxed) {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        if number >= shared.deliveries.len() {
            shared.ran_out.store(true, Ordering::Relaxed);
            break;
        }
        let due = shared.due(number).await;
        if shared.over.load(Ordering::Relaxed) {
            break;
        }
        shared.deliveries.write(number, &mut request);
        match connection.ask(&request).await {
            Ok(200..300) => outcome.answered.push(shared.answered(number, due)),
            Ok(_) => {
                outcome.refused += 1;
                tokio::time::sleep(AFTER_REFUSAL).await;
            }
            // The server was killed, as it was to be; or it hung up by itself, and a sender comes again.
            Err(_) => {
                outcome.unanswered += 1;
                match Connection::open(address).await {
                    Ok(again) => connection = again,
                    Err(_) if shared.over.load(Ordering::Relaxed) => break,
                    Err(error) => anyhow::bail!("the server hung up and does not listen: {error}"),
                }
            }
        }
    }
    Ok(outcome)
}

impl Outcome {
    /// How many were acknowledged and are not among those that were kept.
    pub fn lost(&self, kept: &[bool]) -> usize {
        self.answered.iter().filter(|one| !kept[one.number as usize]).count()
    }

    /// How many a second were acknowledged from one time of the load until another.
    pub fn rate(&self, from: Duration, until: Duration) -> f64 {
        let within = |at: u32| (from.as_micros()..until.as_micros()).contains(&u128::from(at));
        let count = self.answered.iter().filter(|one| within(one.at_us)).count();
        count as f64 / (until - from).as_secs_f64()
    }

    /// How long those took that were acknowledged until then.
    pub fn latencies(&self, until: Duration) -> Latencies {
        let within = self.answered.iter().filter(|one| u128::from(one.at_us) <= until.as_micros());
        Latencies::new(within.map(|one| one.latency_us).collect())
    }
}

impl Shared {
    /// Returns when the delivery is to be sent, with the time from which its latency counts.
    async fn due(&self, number: usize) -> Instant {
        match self.pace {
            Pace::Closed => Instant::now(),
            Pace::Open(rate) => {
                let due = self.begin + Duration::from_secs_f64(number as f64 / rate);
                tokio::time::sleep_until(due).await;
                due
            }
        }
    }

    fn answered(&self, number: usize, due: Instant) -> Answered {
        let now = Instant::now();
        let micros = |time: Duration| u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        let number = u32::try_from(number).expect("fewer than four billion are signed");
        Answered { number, at_us: micros(now - self.begin), latency_us: micros(now - due) }
    }
}

/// Processor time of this whole program, which is the sender while it sends.
fn own_cpu_ms() -> u64 {
    crate::process::usage(std::process::id()).map_or(0, |usage| usage.cpu_ms)
}
