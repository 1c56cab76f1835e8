//! The buckets of servers that share an account: a row for each limit, from which a server draws what it needs for about a second. So
//! it costs a small write for some tens of files and none for each; what was used comes back a minute after it was told, and what was
//! not needed at once. What a server that dies had drawn comes back a minute after it is known to be dead.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Limit;
use super::bucket::Bucket;
use super::store;
use crate::contain::lock;
use crate::database::{Connection, Database, Error};

/// The part of a minute's tokens that is drawn at once: a second's.
const LOTS: u32 = 60;

/// How long drawn tokens lie unused before they are given back.
const KEPT: Duration = Duration::from_secs(2);

/// What the row of a limit holds.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    bucket: Bucket,
    /// How many each server has drawn and not told of yet.
    drawn: BTreeMap<i64, u32>,
}

/// The buckets, as one of the servers sees them.
#[derive(Debug)]
pub struct Shared {
    database: Database,
    replica: i64,
    hands: Mutex<HashMap<Limit, Arc<Mutex<Hand>>>>,
    /// One at a time draws: the others find what it has left.
    turn: tokio::sync::Mutex<()>,
}

/// What this server has drawn of a limit.
#[derive(Debug, Default)]
struct Hand {
    /// Not taken yet.
    left: u32,
    /// Used, and not told.
    used: u32,
    /// Until then nothing is asked of the service.
    closed_until: i64,
    /// Fewer than so many were to be had until then: for a backfill, and for what comes now.
    lacking: [Option<(u32, i64)>; 2],
    /// When some were last taken.
    taken: Option<Instant>,
}

/// What is wanted of a limit.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// At least so many, or none.
    pub least: u32,
    /// And up to so many.
    pub most: u32,
    pub live: bool,
    pub now: i64,
}

/// What one exchange with the row does besides.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Draw(Wanted),
    /// The service said that it is too much, and perhaps for how long.
    Close(Option<Duration>),
    /// Only what was used is told, and what is not needed given back.
    Tell,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
struct Done {
    drawn: u32,
    /// When there may be as many as were wanted at least, where there were not.
    opens_at: Option<i64>,
    closed_until: i64,
}

impl Shared {
    /// `None` where the server shares its database with nobody.
    pub fn of(database: &Database) -> Option<Self> {
        let replica = database.replica()?;
        let (hands, turn) = (Mutex::default(), tokio::sync::Mutex::default());
        Some(Shared { database: database.clone(), replica, hands, turn })
    }

    fn hand(&self, limit: &Limit) -> Arc<Mutex<Hand>> {
        lock(&self.hands).entry(limit.clone()).or_default().clone()
    }

    /// Takes so many; else says when there may be room for them. `size` is the whole limit.
    pub async fn take(&self, (limit, size): (&Limit, u32), wanted: Wanted) -> Result<Result<(), i64>, Error> {
        let hand = self.hand(limit);
        if let Some(taken) = lock(&hand).take(&wanted) {
            return Ok(taken);
        }
        let _turn = self.turn.lock().await;
        if let Some(taken) = lock(&hand).take(&wanted) {
            return Ok(taken);
        }
        let lot = Wanted { most: wanted.least.max(size / LOTS), ..wanted };
        self.exchange((limit, size), Deed::Draw(lot), wanted.now).await?;
        Ok(lock(&hand).take(&wanted).unwrap_or(Err(wanted.now)))
    }

    /// How many there are now, of up to as many as are wanted.
    pub async fn room(&self, (limit, size): (&Limit, u32), wanted: Wanted) -> Result<u32, Error> {
        let hand = self.hand(limit);
        let _turn = self.turn.lock().await;
        let left = lock(&hand).left;
        if left < wanted.most {
            let more = Wanted { least: 0, most: wanted.most - left, ..wanted };
            self.exchange((limit, size), Deed::Draw(more), wanted.now).await?;
        }
        let hand = lock(&hand);
        Ok(if hand.closed_until > wanted.now { 0 } else { hand.left.min(wanted.most) })
    }

    /// How many there are of all, as far as is known here: what other servers have drawn counts as used. It draws none.
    pub async fn left(&self, (limit, size): (&Limit, u32), now: i64) -> Result<u32, Error> {
        let name = limit.cause();
        let state = self.database.observe(move |connection| store::seen(connection, &name)).await?;
        let room = Row::read(&state, size).bucket.room(size, true, now);
        let hand = self.hand(limit);
        let hand = lock(&hand);
        Ok(if hand.closed_until > now { 0 } else { room.saturating_add(hand.left).min(size) })
    }

    /// The service said that it is too much. Says until when no server asks.
    pub async fn refused(
        &self,
        (limit, size): (&Limit, u32),
        wait: Option<Duration>,
        now: i64,
    ) -> Result<i64, Error> {
        let _turn = self.turn.lock().await;
        Ok(self.exchange((limit, size), Deed::Close(wait), now).await?.closed_until)
    }

    /// What they were taken for has ended, or they were not needed.
    pub fn put_down(&self, limit: &Limit, count: u32, is_spent: bool) {
        let hand = self.hand(limit);
        let mut hand = lock(&hand);
        if is_spent { hand.used += count } else { hand.left += count }
    }

    /// When so many may be taken, as far as is known here.
    pub fn opens_at(&self, limit: &Limit, (count, live): (u32, bool), now: i64) -> i64 {
        let hand = self.hand(limit);
        let hand = lock(&hand);
        let at = match hand.lacking[usize::from(live)] {
            Some((_, until)) if hand.left < count => until,
            _ => now,
        };
        at.max(hand.closed_until).max(now)
    }

    /// Tells what was used, and gives back what lies unused.
    pub async fn tell(&self, sizes: impl Fn(&Limit) -> u32, now: i64) -> Result<(), Error> {
        let limits: Vec<(Limit, Arc<Mutex<Hand>>)> =
            lock(&self.hands).iter().map(|(limit, hand)| (limit.clone(), hand.clone())).collect();
        for (limit, hand) in limits {
            let _turn = self.turn.lock().await;
            if lock(&hand).has_something_to_tell() {
                self.exchange((&limit, sizes(&limit)), Deed::Tell, now).await?;
            }
        }
        Ok(())
    }

    /// One transaction with the row of a limit.
    async fn exchange(&self, (limit, size): (&Limit, u32), deed: Deed, now: i64) -> Result<Done, Error> {
        let (hand, replica) = (self.hand(limit), self.replica);
        let (used, unused) = lock(&hand).give_back(matches!(deed, Deed::Close(_)));
        let name = limit.cause();
        let exchange = move |tx: &mut Connection| {
            let mut row = Row::read(&store::held(tx, &name)?, size);
            row.bury(&tx.living()?, now);
            row.return_of(replica, (used, unused), now);
            let done = row.does(deed, replica, now);
            let state =
                serde_json::to_string(&row).map_err(|_| Error::bug("a bucket cannot be written down"))?;
            store::put(tx, &name, &state).map(|()| done)
        };
        let done = self.database.claim(exchange).await;
        let mut hand = lock(&hand);
        match &done {
            Ok(done) => {
                hand.left += done.drawn;
                hand.closed_until = done.closed_until;
                if let Deed::Draw(wanted) = deed {
                    hand.lacking[usize::from(wanted.live)] = done.opens_at.map(|at| (wanted.least, at));
                }
            }
            Err(_) => (hand.used, hand.left) = (hand.used + used, hand.left + unused),
        }
        done
    }
}

impl Hand {
    /// Takes what is wanted of what is left; none where that is not enough and may be to be had.
    fn take(&mut self, wanted: &Wanted) -> Option<Result<(), i64>> {
        if self.closed_until > wanted.now {
            return Some(Err(self.closed_until));
        }
        if self.left >= wanted.least {
            self.left -= wanted.least;
            self.taken = Some(Instant::now());
            return Some(Ok(()));
        }
        let (count, until) = self.lacking[usize::from(wanted.live)]?;
        (wanted.least >= count && until > wanted.now).then_some(Err(until))
    }

    fn lies_unused(&self) -> bool {
        self.left > 0 && self.taken.is_none_or(|taken| taken.elapsed() > KEPT)
    }

    fn has_something_to_tell(&self) -> bool {
        self.used > 0 || self.lies_unused()
    }

    /// What goes back: how many were used, and how many were not.
    fn give_back(&mut self, all: bool) -> (u32, u32) {
        let unused = if all || self.lies_unused() { std::mem::take(&mut self.left) } else { 0 };
        (std::mem::take(&mut self.used), unused)
    }
}

impl Row {
    /// As it was written down; as new where it was not.
    fn read(state: &str, size: u32) -> Row {
        let known = serde_json::from_str(state).ok();
        let mut row: Row = known.unwrap_or_else(|| Row { bucket: Bucket::new(size), drawn: BTreeMap::new() });
        row.bucket.resize(size);
        row
    }

    /// What servers had that are no more may have been used until now.
    fn bury(&mut self, living: &[i64], now: i64) {
        let dead: Vec<i64> = self.drawn.keys().filter(|replica| !living.contains(replica)).copied().collect();
        for replica in dead {
            let count = self.drawn.remove(&replica).unwrap_or(0);
            self.bucket.used(count, now);
        }
    }

    fn return_of(&mut self, replica: i64, (used, unused): (u32, u32), now: i64) {
        self.bucket.used(used, now);
        self.bucket.unused(unused, now);
        let drawn = self.drawn.entry(replica).or_default();
        *drawn = drawn.saturating_sub(used + unused);
    }

    fn does(&mut self, deed: Deed, replica: i64, now: i64) -> Done {
        let mut done = Done { drawn: 0, opens_at: None, closed_until: 0 };
        match deed {
            Deed::Draw(Wanted { least, most, live, .. }) => {
                let room = self.bucket.room(most, live, now);
                if room < least {
                    done.opens_at = Some(self.bucket.opens_at(least, live, now));
                } else if room > 0 && self.bucket.take(room, live, now).is_ok() {
                    done.drawn = room;
                    *self.drawn.entry(replica).or_default() += room;
                }
            }
            Deed::Close(wait) => {
                self.bucket.refused(wait, now);
            }
            Deed::Tell => {}
        }
        done.closed_until = self.bucket.closed_until();
        done
    }
}
