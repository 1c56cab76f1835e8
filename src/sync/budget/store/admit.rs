//! The one decision on who is in and who is out, in a transaction in which all that is held is counted.

use std::collections::{HashSet, VecDeque};

use super::out::{OutRow, USED_LEAST, out_reason, task};
use super::usage::{Usage, amount, usage};
use crate::database::{Connection, Error, FromRow, Row, from_row, params, statements};
use crate::fastio::FileKey;
use crate::job;
use crate::queue::Priority;
use crate::sync::budget::Budgets;
use crate::sync::budget::amount::Amount;
use crate::sync::budget::scope::Scope;

/// Candidates that are read at once.
const PAGE: u32 = 64;

/// Files that are looked through for some that may leave. More that are pinned, one after the other, are more than a budget is for.
const LOOKED_THROUGH: usize = 20_000;

/// How much leaves at once beside what has to, in hundredths of a budget, so that the next upload need not wait.
const BESIDE: i64 = 1;

/// A file that is to be uploaded.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub key: FileKey,
    pub path: String,
    pub rule: String,
    pub size: Amount,
    /// It was changed or asked for just now.
    pub is_live: bool,
}

/// What follows for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// It may be uploaded.
    Room,
    /// It may when what leaves has left; so many files more leave now.
    Wait { reason: String, leaving: usize },
    /// It is out, which is on record.
    Out { reason: String },
}

/// A file that may leave.
#[derive(Debug, Clone)]
struct Candidate {
    source_id: String,
    rule: String,
    used_at: i64,
    path: String,
    amount: Amount,
}

from_row!(row => Candidate { source_id, rule, used_at, path, amount: amount(row)? });

/// Which files may leave.
struct Bounds<'a> {
    /// Those that were used before then.
    before: i64,
    /// Not this one.
    except: &'a str,
}

/// Those that leave, and whether they are enough.
#[derive(Debug, Default)]
struct Chosen {
    files: Vec<Candidate>,
    freed: Amount,
    is_enough: bool,
    /// There are more, which were used later.
    is_bounded: bool,
}

/// Whether there is room for what a file takes beside all that is held, where its earlier version makes room for it; and it is not out.
pub fn fits(connection: &mut Connection, budgets: &Budgets, wanted: &Wanted) -> Result<bool, Error> {
    if out_reason(connection, &wanted.key.to_string(), &wanted.rule)?.is_some() {
        return Ok(false);
    }
    let usage = usage(connection)?;
    let growth = growth(connection, wanted)?;
    Ok(budgets.of(&wanted.rule).all(|scope| scope.most.over(usage.of(scope).held() + growth).is_none()))
}

/// What the file takes more than its present version.
fn growth(connection: &mut Connection, wanted: &Wanted) -> Result<Amount, Error> {
    let own: OwnAmount = connection.one(OWN, params![wanted.key.to_string(), wanted.rule])?;
    Ok(wanted.size - own.0)
}

struct OwnAmount(Amount);

impl FromRow for OwnAmount {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        amount(row).map(OwnAmount)
    }
}

/// Decides whether a file may be uploaded, and has others leave for it, or writes down that it is out.
pub fn admit(tx: &mut Connection, budgets: &Budgets, wanted: &Wanted, now: i64) -> Result<Admission, Error> {
    let source_id = wanted.key.to_string();
    if let Some(reason) = out_reason(tx, &source_id, &wanted.rule)? {
        return Ok(Admission::Out { reason });
    }
    let usage = usage(tx)?;
    let growth = growth(tx, wanted)?;
    let used_at = used_at(tx, &source_id)?;
    let is_pinned = budgets.rules.named(&wanted.rule).is_some_and(|rule| rule.pins(&wanted.path));
    let bounds = Bounds { before: if is_pinned { i64::MAX } else { used_at }, except: &source_id };
    let mut leaving: Vec<(Candidate, &Scope, Amount)> = Vec::new();
    let mut waits: Option<String> = None;
    for scope in budgets.of(&wanted.rule) {
        if let Some(over) = scope.most.over(wanted.size) {
            return out(tx, (wanted, scope), ("too_large", scope.too_large(over), used_at), now);
        }
        let held = usage.of(scope);
        let freed = sum(leaving.iter().filter(|(one, ..)| scope.has(&one.rule)).map(|(one, ..)| one.amount));
        let Some(over) = scope.most.over(held.staying - freed + growth) else {
            if let Some(over) = scope.most.over(held.held() + growth) {
                waits = Some(format!("waits until there is room: {}", scope.full(over)));
            }
            continue;
        };
        let known = leaving.iter().map(|(one, ..)| one.source_id.clone()).collect();
        let chosen = choose(tx, budgets, (scope, over, &usage), &bounds, known)?;
        waits = Some(format!("waits until there is room: {}", scope.full(over)));
        if chosen.is_enough {
            leaving.extend(chosen.files.into_iter().map(|one| (one, scope, over)));
            continue;
        }
        if is_coming(tx, scope, &usage, &bounds)? {
            return Ok(Admission::Wait { reason: waits.unwrap_or_default(), leaving: 0 });
        }
        let full = scope.full(over);
        let (why, words) = match chosen.is_bounded {
            true => (USED_LEAST, "and all that is held was used later"),
            false => {
                ("no_room", "and all that could leave is pinned or in use: raise the budget, or pin less")
            }
        };
        return out(tx, (wanted, scope), (why, format!("{full}, {words}; {COMES}"), used_at), now);
    }
    for (one, scope, over) in &leaving {
        leave(tx, one, (scope, *over), now)?;
    }
    Ok(match waits {
        Some(reason) => Admission::Wait { reason, leaving: leaving.len() },
        None => Admission::Room,
    })
}

/// When what is out comes back, in words.
const COMES: &str = "it comes back when it changes, when a run needs it, or with: docket files bring PATH";

fn out(
    tx: &mut Connection,
    (wanted, scope): (&Wanted, &Scope),
    (why, reason, used_at): (&str, String, i64),
    now: i64,
) -> Result<Admission, Error> {
    let row = OutRow {
        source_id: wanted.key.to_string(),
        rule: wanted.rule.clone(),
        since: now,
        scope: scope.word().to_owned(),
        why: why.to_owned(),
        wanted: wanted.is_live && why != USED_LEAST,
        bytes: wanted.size.bytes,
        reason,
        used_at,
    };
    row.write(tx)?;
    Ok(Admission::Out { reason: row.reason })
}

/// Has a file leave: it is out from now on, and its job takes away what OpenAI holds.
fn leave(
    tx: &mut Connection,
    one: &Candidate,
    (scope, over): (&Scope, Amount),
    now: i64,
) -> Result<(), Error> {
    let row = OutRow {
        source_id: one.source_id.clone(),
        rule: one.rule.clone(),
        since: now,
        scope: scope.word().to_owned(),
        why: USED_LEAST.to_owned(),
        wanted: false,
        bytes: one.amount.bytes,
        reason: format!("{}, and it was used least; {COMES}", scope.full(over)),
        used_at: one.used_at,
    };
    row.write(tx)?;
    tx.run(LEAVE, params![one.source_id, one.rule, now])?;
    if let Some(task) = task(&one.source_id) {
        job::enqueue(tx, &task, Priority::Live, now)?;
    }
    Ok(())
}

fn sum(amounts: impl Iterator<Item = Amount>) -> Amount {
    amounts.fold(Amount::default(), |sum, one| sum + one)
}

/// The files of a scope that were used least, as many as make room for `over`.
fn choose(
    connection: &mut Connection,
    budgets: &Budgets,
    (scope, over, usage): (&Scope, Amount, &Usage),
    bounds: &Bounds<'_>,
    mut seen: HashSet<String>,
) -> Result<Chosen, Error> {
    let mut lists: Vec<Candidates> = rules(scope, usage).map(Candidates::of).collect();
    let beside = over + scope.most.hundredths(BESIDE).amount().where_positive(over);
    let (mut chosen, mut looked) = (Chosen::default(), 0);
    while looked < LOOKED_THROUGH && !chosen.freed.covers(beside) {
        for list in &mut lists {
            list.fill(connection)?;
        }
        let heads = lists.iter_mut().filter(|list| !list.read.is_empty());
        let Some(list) = heads.min_by_key(|list| list.read[0].used_at) else { break };
        let one = list.read.pop_front().expect("it has a head");
        looked += 1;
        if one.used_at >= bounds.before {
            chosen.is_bounded = true;
            break;
        }
        let is_pinned = budgets.rules.named(&one.rule).is_some_and(|rule| rule.pins(&one.path));
        if is_pinned || one.source_id == bounds.except || !seen.insert(one.source_id.clone()) {
            continue;
        }
        chosen.freed += one.amount;
        chosen.files.push(one);
    }
    chosen.is_enough = chosen.freed.covers(over);
    Ok(chosen)
}

/// The rules that hold something in a scope.
fn rules<'a>(scope: &'a Scope, usage: &'a Usage) -> impl Iterator<Item = &'a String> {
    usage.rules.keys().filter(|rule| scope.has(rule))
}

/// What one rule holds, what is used least first.
struct Candidates<'a> {
    rule: &'a str,
    read: VecDeque<Candidate>,
    after: (i64, String),
    is_at_end: bool,
}

impl<'a> Candidates<'a> {
    fn of(rule: &'a String) -> Self {
        Candidates { rule, read: VecDeque::new(), after: (i64::MIN, String::new()), is_at_end: false }
    }

    fn fill(&mut self, connection: &mut Connection) -> Result<(), Error> {
        if self.is_at_end || !self.read.is_empty() {
            return Ok(());
        }
        let page: Vec<Candidate> =
            connection.all(CANDIDATES, params![self.rule, self.after.0, self.after.1, PAGE])?;
        self.is_at_end = page.len() < PAGE as usize;
        if let Some(last) = page.last() {
            self.after = (last.used_at, last.source_id.clone());
        }
        self.read.extend(page);
        Ok(())
    }
}

/// Whether something that was used earlier is on its way in: it may leave when it is there.
fn is_coming(
    connection: &mut Connection,
    scope: &Scope,
    usage: &Usage,
    bounds: &Bounds<'_>,
) -> Result<bool, Error> {
    for rule in rules(scope, usage) {
        if connection.first::<i64>(COMING, params![rule, bounds.before, bounds.except])?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// When a file was changed or asked for last. Unix milliseconds; 0 where that is not known.
fn used_at(connection: &mut Connection, source_id: &str) -> Result<i64, Error> {
    Ok(connection.first(USED_AT, params![source_id])?.unwrap_or_default())
}

/// Has up to `most` files leave where more is held than a budget has room for, as when it was lowered. How many it were.
pub(in crate::sync::budget) fn shrink(
    tx: &mut Connection,
    budgets: &Budgets,
    (scope, most): (&Scope, usize),
    now: i64,
) -> Result<usize, Error> {
    let usage = usage(tx)?;
    let Some(over) = scope.most.over(usage.of(scope).staying) else { return Ok(0) };
    let bounds = Bounds { before: i64::MAX, except: "" };
    let mut chosen = choose(tx, budgets, (scope, over, &usage), &bounds, HashSet::new())?.files;
    chosen.truncate(most);
    for one in &chosen {
        leave(tx, one, (scope, over), now)?;
    }
    Ok(chosen.len())
}

statements! {
    OWN = "
        SELECT coalesce(sum(CASE WHEN coalesce(segment, 1) = 1 THEN 1 ELSE 0 END), 0) AS files,
               CAST(coalesce(sum(bytes), 0) AS BIGINT) AS bytes,
               CAST(coalesce(sum(coalesce(usage_bytes, bytes)), 0) AS BIGINT) AS stored
        FROM copy WHERE source_id = $1 AND rule = $2 AND state <> 'retiring'";
    USED_AT = "SELECT used_at FROM file WHERE source_id = $1";
    /// What has a copy that is not indexed is being worked on, and what a run that has begun reads is in use.
    CANDIDATES = "
        SELECT c.source_id, c.rule, c.used_at, f.path,
               (SELECT count(*) FROM copy AS p
                WHERE p.source_id = c.source_id AND p.rule = c.rule AND coalesce(p.segment, 1) = 1) AS files,
               (SELECT CAST(sum(bytes) AS BIGINT) FROM copy AS p WHERE p.source_id = c.source_id AND p.rule = c.rule) AS bytes,
               (SELECT CAST(sum(coalesce(usage_bytes, bytes)) AS BIGINT) FROM copy AS p
                WHERE p.source_id = c.source_id AND p.rule = c.rule) AS stored
        FROM copy AS c JOIN file AS f ON f.source_id = c.source_id
        WHERE c.rule = $1 AND c.state = 'indexed' AND (c.used_at, c.source_id) > ($2, $3) AND coalesce(c.segment, 1) = 1
          AND f.state = 'present'
          AND NOT EXISTS (SELECT 1 FROM copy AS p
                          WHERE p.source_id = c.source_id AND p.rule = c.rule AND p.state <> 'indexed')
          AND NOT EXISTS (SELECT 1 FROM run AS r
                          WHERE r.source_id = c.source_id AND r.state IN ('starting', 'running', 'answered'))
        ORDER BY c.used_at, c.source_id LIMIT $4";
    COMING = "
        SELECT 1 FROM copy AS c
        WHERE c.rule = $1 AND c.used_at < $2 AND c.source_id <> $3 AND c.state IN ('uploading', 'uploaded', 'attached')
          AND EXISTS (SELECT 1 FROM job AS j WHERE j.key = 'file:' || c.source_id AND j.state <> 'dead')
        LIMIT 1";
    LEAVE = "
        UPDATE copy INDEXED BY copy_source SET state = 'retiring', since = $3, unanswered_at = NULL
        WHERE source_id = $1 AND rule = $2 AND state = 'indexed'";
}
