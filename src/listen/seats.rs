//! Who may hold a connection when more are wanted than there may be. There are two such places: where a request's head is
//! waited for, and the fewer ones where requests are served.
//!
//! A connection costs us something before we know its sender. So none is turned away for being one too many: another one
//! is closed instead, and the order in which they are closed keeps those apart that are only held and those that are used.
//! First goes the idle connection that was silent longest; then one whose request is not proven yet; last one over which
//! something right came. A delivery that waits for its commit is never closed. A sender needs milliseconds between
//! connecting and being proven, and a client that holds connections must keep making new ones, at its own cost.
//!
//! *Addresses.* Among equals one of the address with the most connections gives way, and none of an address with fewer than
//! the average, so one address can crowd out itself only. There is no limit per address, because behind a proxy all senders
//! have one: alone it may hold every place.
//!
//! *Known senders.* A quarter of the places is for addresses from which something right came lately. Strangers never hold
//! more than the rest, and so cannot press them out; nor can they press out the strangers, or a sender that moves would
//! never be let in again.
//!
//! *Health.* Deliveries that wait for their commit never hold the last eighth of the places, and everything else gives way
//! within tenths of a second. So `/livez` is reached and answered while everything else stands still.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::gate::Gate;
use super::peer::{KnownPeers, Peer};

/// How many connections there may be, and how fast they may change.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub places: usize,
    /// How many can be made to give way in a second. A client that lost its connection may come back at once, so this is what
    /// such clients can cost us; and a connection that waits for a place waits for all before it at this rate.
    pub a_second: u32,
    /// How long a request that is not proven keeps its place, at least.
    pub request_time: Duration,
}

impl Bounds {
    /// How long a connection that asks nothing keeps its place: when all have just come, the rate is kept.
    fn grace(&self) -> Duration {
        let places = u32::try_from(self.places).unwrap_or(u32::MAX);
        Duration::from_secs(1) * places / self.a_second
    }
}

/// Between two looks at who is old enough to give way.
const SHORTEST_WAIT: Duration = Duration::from_millis(5);

/// The connections there are.
pub struct Seats {
    limit: usize,
    /// How long an idle connection, and one with a request, keeps a seat that others want.
    grace: (Duration, Duration),
    known: Arc<KnownPeers>,
    state: Mutex<State>,
    /// Connections wait in the order of arrival, strangers in one line and known senders in the other.
    lines: [tokio::sync::Mutex<()>; 2],
    /// Told when a seat becomes free.
    freed: Notify,
    gate: Gate,
}

#[derive(Default)]
struct State {
    seats: HashMap<u64, Taken>,
    parties: HashMap<Peer, Party>,
    /// Deliveries that wait for their commit.
    delivering: usize,
    /// Counts what happens: later is larger.
    turn: u64,
}

/// A connection.
struct Taken {
    peer: Peer,
    stage: Stage,
    /// Something right came over it.
    proven: bool,
    /// Its place in the queue that it stands in.
    turn: u64,
    give_way: Arc<Notify>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// No request is in hand.
    Idle,
    /// One is, and it is not proven yet.
    Asking,
    /// One is that must be answered.
    Vouched,
}

/// The connections of one address.
#[derive(Default)]
struct Party {
    seats: usize,
    /// Those that can be made to give way, in the order of [`QUEUES`] and each in the order of time.
    queues: [BTreeMap<u64, (Instant, u64)>; QUEUES.len()],
}

/// Who gives way before whom.
const QUEUES: [(Stage, bool); 4] =
    [(Stage::Idle, false), (Stage::Asking, false), (Stage::Idle, true), (Stage::Asking, true)];

/// How many of these are of connections over which nothing right came.
const UNPROVEN: usize = 2;

impl Party {
    /// How many connections stand in the first `queues`.
    fn can_give_way(&self, queues: usize) -> usize {
        self.queues[..queues].iter().map(BTreeMap::len).sum()
    }
}

impl Taken {
    fn queue(&self) -> Option<usize> {
        QUEUES.iter().position(|queue| *queue == (self.stage, self.proven))
    }
}

impl Seats {
    pub fn new(bounds: Bounds, known: Arc<KnownPeers>) -> Arc<Seats> {
        let grace = (bounds.grace(), bounds.grace().max(bounds.request_time));
        let (state, lines, freed, gate) =
            (Mutex::default(), Default::default(), Notify::new(), Gate::default());
        Arc::new(Seats { limit: bounds.places, grace, known, state, lines, freed, gate })
    }

    /// Takes a seat, from another connection if need be.
    pub async fn take(self: &Arc<Self>, peer: Peer) -> Seat {
        let line = usize::from(self.known.list().has(peer, Instant::now()));
        let _first = self.lines[line].lock().await;
        loop {
            let freed = self.freed.notified();
            if let Some(seat) = self.try_take(peer, Instant::now()) {
                return seat;
            }
            // All connections are too new to give way, but not for longer than this.
            let _ = tokio::time::timeout(self.grace.0.max(SHORTEST_WAIT), freed).await;
        }
    }

    fn try_take(self: &Arc<Self>, peer: Peer, now: Instant) -> Option<Seat> {
        let mut state = self.state();
        if let Some(gives_way) = self.who_gives_way(&state, peer, now) {
            state.remove(gives_way?).notify_one();
            if let Some(suppressed) = self.gate.pass() {
                let limit = self.limit;
                tracing::warn!(limit, suppressed, "all connections are taken: one gave way to another");
            }
        }
        let (id, give_way) = state.add(peer, now);
        Some(Seat { visitor: Visitor { seats: self.clone(), id, peer }, give_way })
    }

    /// Which connection must give way to one from `peer`: none while there is room, and perhaps none can.
    fn who_gives_way(&self, state: &State, peer: Peer, now: Instant) -> Option<Option<u64>> {
        let list = self.known.list();
        let is_known = |(peer, _): &(&Peer, &Party)| list.has(**peer, now);
        let (known, strangers): (Vec<_>, Vec<_>) = state.parties.iter().partition(is_known);
        let taken: usize = strangers.iter().map(|(_, party)| party.seats).sum();
        let found = match list.has(peer, now) {
            false if taken >= self.strangers() => self.first(&strangers, now),
            _ if state.seats.len() < self.limit => return None,
            false => self.first(&known, now),
            true => self.first(&known, now).or_else(|| self.first(&strangers, now)),
        };
        Some(found)
    }

    /// The first of a crowd that can be made to give way now.
    fn first(&self, crowd: &[(&Peer, &Party)], now: Instant) -> Option<u64> {
        let crowd: Vec<&Party> = crowd
            .iter()
            .map(|(_, party)| *party)
            .filter(|party| party.can_give_way(QUEUES.len()) > 0)
            .collect();
        // While there are enough of the others, one that delivered is not closed only because they are all too new.
        let unproven: usize = crowd.iter().map(|party| party.can_give_way(UNPROVEN)).sum();
        let queues = if unproven >= (self.limit / 8).max(1) { UNPROVEN } else { QUEUES.len() };
        // Those with less than the average are not the crowd, however long they have been idle.
        let all: usize = crowd.iter().map(|party| party.can_give_way(QUEUES.len())).sum();
        let crowd = || crowd.iter().filter(|party| party.can_give_way(QUEUES.len()) * crowd.len() >= all);
        (0..queues).find_map(|queue| {
            let grace = if QUEUES[queue].0 == Stage::Idle { self.grace.0 } else { self.grace.1 };
            let fronts = crowd().filter_map(|party| {
                let (turn, (since, id)) = party.queues[queue].first_key_value()?;
                let is_over = now.saturating_duration_since(*since) >= grace;
                is_over.then_some((party.seats, std::cmp::Reverse(*turn), *id))
            });
            fronts.max().map(|(_, _, id)| id)
        })
    }

    /// The most that strangers may hold together.
    fn strangers(&self) -> usize {
        self.limit - self.limit / 4
    }

    /// A thread that panicked in here has at worst left a seat in the wrong queue.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Adds a connection: its id, and how it is told to give way.
    fn add(&mut self, peer: Peer, now: Instant) -> (u64, Arc<Notify>) {
        self.turn += 1;
        let (id, give_way) = (self.turn, Arc::new(Notify::new()));
        let taken = Taken { peer, stage: Stage::Idle, proven: false, turn: id, give_way: give_way.clone() };
        let party = self.parties.entry(peer).or_default();
        party.seats += 1;
        party.queues[0].insert(id, (now, id));
        self.seats.insert(id, taken);
        (id, give_way)
    }

    /// Takes a seat away, and answers how to tell who sits on it.
    fn remove(&mut self, id: u64) -> Arc<Notify> {
        self.change(id, |taken| taken.stage = Stage::Vouched);
        let taken = self.seats.remove(&id).expect("who is removed has a seat");
        self.delivering -= 1;
        let party = self.parties.get_mut(&taken.peer).expect("every seat belongs to a peer");
        party.seats -= 1;
        if party.seats == 0 {
            self.parties.remove(&taken.peer);
        }
        taken.give_way
    }

    /// Changes a connection that has not given way yet, and puts it at the end of the queue where it belongs now.
    fn change(&mut self, id: u64, change: impl FnOnce(&mut Taken)) {
        let Some(taken) = self.seats.get_mut(&id) else { return };
        let party = self.parties.get_mut(&taken.peer).expect("every seat belongs to a peer");
        match taken.queue() {
            Some(queue) => {
                party.queues[queue].remove(&taken.turn);
            }
            None => self.delivering -= 1,
        }
        change(taken);
        self.turn += 1;
        taken.turn = self.turn;
        match taken.queue() {
            Some(queue) => {
                party.queues[queue].insert(taken.turn, (Instant::now(), id));
            }
            None => self.delivering += 1,
        }
    }
}

/// A connection's right to be served. It ends when this is dropped, or earlier when another connection is to be served.
pub struct Seat {
    visitor: Visitor,
    give_way: Arc<Notify>,
}

impl Seat {
    pub fn visitor(&self) -> Visitor {
        self.visitor.clone()
    }

    /// Returns when the seat was given to another connection.
    pub async fn gives_way(&self) {
        self.give_way.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.visitor.seats.state();
        if state.seats.contains_key(&self.visitor.id) {
            state.remove(self.visitor.id);
        }
        drop(state);
        self.visitor.seats.freed.notify_waiters();
    }
}

/// The client at the other end of a connection. Every request carries it among its extensions.
#[derive(Clone)]
pub struct Visitor {
    seats: Arc<Seats>,
    id: u64,
    peer: Peer,
}

impl Visitor {
    pub(super) fn peer(&self) -> Peer {
        self.peer
    }

    /// A request begins. It ends when what is returned is dropped.
    pub(super) fn begin(&self) -> InHand {
        self.seats.state().change(self.id, |taken| taken.stage = Stage::Asking);
        InHand(self.clone())
    }

    /// Whether something right came from this address lately.
    pub fn is_known(&self) -> bool {
        self.seats.known.list().has(self.peer, Instant::now())
    }

    /// The request in hand is right, so from now on it does not give way, and its address is known. False when too many
    /// of that kind are in hand already.
    #[must_use]
    pub fn vouch(&self) -> bool {
        let mut state = self.seats.state();
        self.seats.known.list().add(self.peer, Instant::now());
        if state.delivering >= (self.seats.limit - self.seats.limit / 8).max(1) {
            return false;
        }
        state.change(self.id, |taken| (taken.stage, taken.proven) = (Stage::Vouched, true));
        true
    }
}

/// A request in hand.
pub(super) struct InHand(Visitor);

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.seats.state().change(self.0.id, |taken| taken.stage = Stage::Idle);
    }
}
