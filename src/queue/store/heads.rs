//! Where the first job of each lane stood last, where many servers share the queue.
//!
//! While any session holds a snapshot, PostgreSQL keeps each version of a row that the snapshot may see, and the entry of each in every
//! index. The jobs that were claimed since stand before those that wait, and a look at a lane from its beginning passes all of them, at
//! every claim. So it begins where the look before it found the first one. What has come in front of that since, as what a dead server had
//! in hand, is found by a look at everything: once a second, less often where that takes long, and whenever nothing can be claimed. So are
//! leases that have run out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::claim::{First, firsts};
use crate::contain::lock;
use crate::database::{Connection, Error, Sql, json_list, params};

/// How long what has come in front may stand there while there is something else to do: for as long as such a look takes, so many times
/// over, but so long at least and at most.
const PAUSE: u32 = 100;
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// More lanes than there are; if there are more, they are looked at from the beginning.
const MOST_LANES: usize = 256;

/// Looks at lanes that have come since, of which each look finds one in each gap between those that are known.
const MOST_LOOKS: usize = 16;

/// Needs and priority.
type Lane = (String, i64);

/// When its first job is due, and which that is.
type Place = (i64, i64);

/// The first places of one process's lanes. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Heads(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    lanes: BTreeMap<Lane, Place>,
    whole: Looked,
    leases: Looked,
}

/// When something was looked at as a whole, and how long that took.
#[derive(Debug, Default)]
struct Looked {
    at: Option<Instant>,
    took: Duration,
}

impl Looked {
    fn is_due(&self) -> bool {
        let pause = (self.took * PAUSE).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        self.at.is_none_or(|at| at.elapsed() >= pause)
    }

    fn since(began: Instant) -> Looked {
        Looked { at: Some(Instant::now()), took: began.elapsed() }
    }
}

impl Heads {
    /// The first job of each lane; `but` are passed over. Where none of them is one that can be claimed, no lane hides another.
    pub(super) fn firsts(
        &self,
        connection: &mut Connection,
        but: &[i64],
        is_ready: impl Fn(&First) -> bool,
    ) -> Result<Vec<First>, Error> {
        if let Some(lanes) = self.known() {
            let found = look(connection, but, lanes)?;
            if found.iter().any(is_ready) {
                // Only a look that passed over nothing says where a lane begins.
                self.note(&found, but.is_empty(), None);
                return Ok(found);
            }
        }
        let began = Instant::now();
        let found = firsts(connection, but)?;
        self.note(&found, but.is_empty(), Some(Looked::since(began)));
        Ok(found)
    }

    /// Whether the leases were not looked at for as long: then whoever asks does it now, and nobody else meanwhile.
    pub fn is_time_for_leases(&self) -> bool {
        let mut state = lock(&self.0);
        let is_time = state.leases.is_due();
        if is_time {
            state.leases.at = Some(Instant::now());
        }
        is_time
    }

    /// Looks at the leases.
    pub fn at_leases<T>(&self, look: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let found = look();
        lock(&self.0).leases = Looked::since(began);
        found
    }

    /// The lanes, unless it is time to look at everything: then whoever asks does that now, and nobody else meanwhile.
    fn known(&self) -> Option<BTreeMap<Lane, Place>> {
        let mut state = lock(&self.0);
        if state.whole.is_due() {
            state.whole.at = Some(Instant::now());
            return None;
        }
        (1..=MOST_LANES).contains(&state.lanes.len()).then(|| state.lanes.clone())
    }

    fn note(&self, found: &[First], are_heads: bool, whole: Option<Looked>) {
        let mut state = lock(&self.0);
        if let Some(whole) = whole {
            state.whole = whole;
        }
        if !are_heads {
            return;
        }
        if state.lanes.len() > MOST_LANES {
            state.lanes.clear();
        }
        for first in found {
            let place = (first.due_at, first.id);
            state.lanes.insert((first.needs.text().to_owned(), first.priority), place);
        }
    }
}

/// The first job of each of `lanes` from its place on, and of each lane between them.
fn look(
    connection: &mut Connection,
    but: &[i64],
    mut lanes: BTreeMap<Lane, Place>,
) -> Result<Vec<First>, Error> {
    for _ in 0..MOST_LOOKS {
        let known: Vec<Value> = lanes
            .iter()
            .map(|((needs, priority), (due_at, id))| json!([needs, priority, due_at, id]))
            .collect();
        let found: Vec<First> =
            connection.all(HEADS, params![json_list(but), Value::from(known).to_string()])?;
        let before = lanes.len();
        for first in &found {
            lanes.entry((first.needs.text().to_owned(), first.priority)).or_insert((first.due_at, first.id));
        }
        if lanes.len() == before {
            return Ok(found);
        }
    }
    firsts(connection, but)
}

/// PostgreSQL's alone: the first job of each known lane from its place on; of the lanes with the same needs before it and, behind the last
/// of these, after it; and of those whose needs come before the next ones that are known. A look at an index ends where its first
/// column or, behind one that is fixed, its second does: by a comparison of rows it would go on to the end of all that have the same needs.
const HEADS: Sql = Sql::listed(
    "WITH lane AS MATERIALIZED (
         SELECT needs, priority, due_at, id,
                lag(priority, 1, -1::bigint) OVER (PARTITION BY needs ORDER BY priority) AS priority_before,
                lead(needs, 1, U&'\\+10FFFF' COLLATE \"C\") OVER (ORDER BY needs, priority) AS next_needs
         FROM (SELECT (value ->> 0) COLLATE \"C\" AS needs, (value ->> 1)::bigint AS priority,
                      (value ->> 2)::bigint AS due_at, (value ->> 3)::bigint AS id
               FROM json_array_elements($2::json)
               UNION ALL SELECT '' COLLATE \"C\", -1, 0, 0) AS known)
     SELECT first.id, first.priority, first.due_at, first.needs FROM lane, LATERAL (
         (SELECT id, priority, due_at, needs FROM job
          WHERE state = 'waiting' AND needs = lane.needs AND priority = lane.priority
            AND (due_at, id) >= (lane.due_at, lane.id) AND id <> ALL ($1::text[]::bigint[])
          ORDER BY due_at, id LIMIT 1)
         UNION ALL
         (SELECT id, priority, due_at, needs FROM job
          WHERE state = 'waiting' AND needs = lane.needs AND priority > lane.priority_before
            AND priority < lane.priority AND id <> ALL ($1::text[]::bigint[])
          ORDER BY priority, due_at, id LIMIT 1)
         UNION ALL
         (SELECT id, priority, due_at, needs FROM job
          WHERE state = 'waiting' AND lane.next_needs <> lane.needs AND needs = lane.needs
            AND priority > lane.priority AND id <> ALL ($1::text[]::bigint[])
          ORDER BY priority, due_at, id LIMIT 1)
         UNION ALL
         (SELECT id, priority, due_at, needs FROM job
          WHERE state = 'waiting' AND lane.next_needs <> lane.needs AND needs > lane.needs
            AND needs < lane.next_needs AND id <> ALL ($1::text[]::bigint[])
          ORDER BY needs, priority, due_at, id LIMIT 1)) AS first",
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::in_postgres;
    use crate::queue::Priority;
    use crate::queue::store::{NewJob, enqueue};

    const TAKE: Sql = Sql::listed(
        "DELETE FROM job WHERE id IN (
             SELECT id FROM job WHERE state = 'waiting' ORDER BY needs, priority, due_at, id LIMIT 500)",
    );
    const BLOCKS: Sql = Sql::listed(
        "SELECT pg_stat_get_xact_blocks_fetched('job'::regclass) + pg_stat_get_xact_blocks_fetched('job_lane'::regclass)",
    );

    fn add(tx: &mut Connection, key: &str, needs: &[&str], now: i64) -> Result<(), Error> {
        let job = NewJob { key, task: "{}", needs, priority: Priority::Live };
        enqueue(tx, &job, now).map(drop)
    }

    /// What `look` finds, by number, and how many blocks it reads for that.
    fn read(
        tx: &mut Connection,
        look: impl FnOnce(&mut Connection) -> Result<Vec<First>, Error>,
    ) -> Result<(i64, Vec<i64>), Error> {
        let before: i64 = tx.one(BLOCKS, &[])?;
        let mut found: Vec<i64> = look(tx)?.into_iter().map(|first| first.id).collect();
        found.sort_unstable();
        Ok((tx.one::<i64>(BLOCKS, &[])? - before, found))
    }

    #[test]
    fn one_of_many_looks_at_everything_while_the_others_go_by_what_is_known() {
        let heads = Heads::default();
        lock(&heads.0).lanes.insert(("openai".to_owned(), 0), (1, 1));
        assert!(heads.known().is_none(), "nothing was looked at yet");
        assert!(heads.known().is_some_and(|lanes| lanes.len() == 1), "that look is under way");
        lock(&heads.0).whole = Looked { at: None, took: Duration::ZERO };
        assert!(heads.known().is_none(), "it is time again");
        assert!(heads.known().is_some());
    }

    /// To its own transaction what it deleted is what to others is deleted beside a snapshot: gone, and not to be cleaned away.
    #[tokio::test]
    async fn what_was_claimed_beside_a_snapshot_is_passed_once_and_not_by_every_claim() {
        let database = in_postgres().await;
        let measured = database.write(|tx| {
            let heads = Heads::default();
            for number in 0..4_100 {
                add(tx, &number.to_string(), &["fastio", "openai"], 1)?;
            }
            add(tx, "of another lane", &["openai"], 1)?;
            let mut known = Vec::new();
            for _ in 0..8 {
                heads.firsts(tx, &[], |_| true)?;
                known.push(read(tx, |tx| heads.firsts(tx, &[], |_| true))?);
                tx.run(TAKE, &[])?;
            }
            heads.firsts(tx, &[], |_| true)?;
            known.push(read(tx, |tx| heads.firsts(tx, &[], |_| true))?);
            let whole = read(tx, |tx| firsts(tx, &[]))?;
            // Before the known lanes, between them and behind them.
            for needs in [["a"], ["fastio"], ["fastio x"], ["z"]] {
                add(tx, needs[0], &needs, 1)?;
            }
            let come = read(tx, |tx| heads.firsts(tx, &[], |_| true))?;
            let all = read(tx, |tx| firsts(tx, &[]))?;
            // In front of what is known, while there is something else to do and when there is not.
            tx.run(TAKE, &[])?;
            add(tx, "in front", &["fastio", "openai"], 0)?;
            let busy = read(tx, |tx| heads.firsts(tx, &[], |_| false))?;
            Ok((whole, known, come, all, busy))
        });
        let (whole, known, come, all, busy) = measured.await.unwrap();
        let late = &known[8];
        assert_eq!(whole.1, late.1);
        // Of some hundred that hold the lane.
        assert!(known.iter().all(|(blocks, _)| *blocks < 30), "{known:?}");
        assert!(whole.0 > 2 * late.0, "{} blocks instead of {}", late.0, whole.0);
        assert_eq!(come.1, all.1);
        assert_eq!(come.1.len(), 6);
        assert_eq!(busy.1.len(), 1);
    }
}
