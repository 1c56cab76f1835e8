//! The statements on `file_out`, `room_count` and `storage_seen`, and the one decision on who is in and who is out. Whoever decides is in a
//! transaction, in which all that is held is counted.

use std::collections::{BTreeMap, HashSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::Budgets;
use super::amount::Amount;
use super::scope::{Of, Scope};
use crate::database::{Connection, Error, from_row, json_list, params, statements};
use crate::fastio::FileKey;
use crate::job::{self, Task};
use crate::queue::Priority;
use crate::sync::listing::Place;

/// Candidates that are read at once.
const PAGE: u32 = 64;

/// Files that are looked through for some that may leave. More that are pinned, one after the other, are more than a budget is for.
const LOOKED_THROUGH: usize = 20_000;

/// How much leaves at once beside what has to, in hundredths of a budget, so that the next upload need not wait.
const BESIDE: i64 = 1;

/// How often a use is written down: a file that is found all day is written once an hour.
pub const USED_MS: i64 = 60 * 60 * 1000;

/// What is held for a rule, and what is out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// At OpenAI, or on its way there, and to stay.
    pub staying: Amount,
    /// Still at OpenAI, and to go.
    pub leaving: Amount,
    pub out: Amount,
    /// Out although it was changed or asked for.
    pub wanted: Amount,
}

impl Held {
    /// What is at OpenAI.
    pub fn held(&self) -> Amount {
        self.staying + self.leaving
    }

    /// All that is out.
    pub fn all_out(&self) -> Amount {
        self.out + self.wanted
    }

    fn add(&mut self, other: &Held) {
        self.staying += other.staying;
        self.leaving += other.leaving;
        self.out += other.out;
        self.wanted += other.wanted;
    }
}

/// What all rules hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// By rule; copies of which the rule is not known are under the empty name.
    pub rules: BTreeMap<String, Held>,
    /// What the project holds beside that, and when it was seen.
    pub strangers: Option<(Amount, i64)>,
}

struct Count {
    rule: String,
    place: String,
    amount: Amount,
}

from_row!(row => Count { rule, place, amount: amount(row)? });

fn amount(row: &crate::database::Row<'_>) -> Result<Amount, Error> {
    Ok(Amount { files: row.get("files")?, bytes: row.get("bytes")?, stored: row.get("stored")? })
}

impl Usage {
    /// What counts for `scope`.
    pub fn of(&self, scope: &Scope) -> Held {
        let mut sum = Held::default();
        self.rules.iter().filter(|(rule, _)| scope.has(rule)).for_each(|(_, held)| sum.add(held));
        if let (Of::Project, Some((strangers, _))) = (&scope.of, self.strangers) {
            sum.staying += strangers;
        }
        sum
    }
}

/// What is held now.
pub fn usage(connection: &mut Connection) -> Result<Usage, Error> {
    let mut usage = Usage::default();
    for Count { rule, place, amount } in connection.all(USAGE, &[])? {
        let held = usage.rules.entry(rule).or_default();
        let of = match place.as_str() {
            "in" => &mut held.staying,
            "leaving" => &mut held.leaving,
            "out" => &mut held.out,
            _ => &mut held.wanted,
        };
        *of = amount;
    }
    let seen: Option<(i64, i64, i64)> = connection.first(STRANGERS, &[])?;
    usage.strangers = seen.map(|(files, bytes, seen_at)| (Amount { files, bytes, stored: 0 }, seen_at));
    Ok(usage)
}

/// Writes down what the project holds, as a whole list of it says, of which Docket's own is no part.
pub fn saw(connection: &mut Connection, (files, bytes): (u64, u64), now: i64) -> Result<(), Error> {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    connection.run(SAW, params![number(files), number(bytes), now]).map(drop)
}

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

impl crate::database::FromRow for OwnAmount {
    fn from_row(row: &crate::database::Row<'_>) -> Result<Self, Error> {
        amount(row).map(OwnAmount)
    }
}

/// Decides whether a file may be uploaded, and has others leave for it, or writes down that it is out.
pub fn admit(tx: &mut Connection, budgets: &Budgets, wanted: &Wanted, now: i64) -> Result<Admission, Error> {
    let source_id = wanted.key.to_string();
    if let Some(reason) = tx.first::<String>(REASON, params![wanted.rule, source_id])? {
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

/// A file that is out.
struct OutRow {
    source_id: String,
    rule: String,
    since: i64,
    scope: String,
    why: String,
    wanted: bool,
    bytes: i64,
    reason: String,
    used_at: i64,
}

from_row!(row => OutRow {
    source_id,
    rule,
    since,
    scope,
    why,
    wanted: row.get::<i64>("wanted")? != 0,
    bytes,
    reason,
    used_at,
});

impl OutRow {
    fn write(&self, tx: &mut Connection) -> Result<(), Error> {
        let OutRow { source_id, rule, since, scope, why, wanted, bytes, reason, used_at } = self;
        let wanted = i64::from(*wanted);
        tx.run(OUT, params![source_id, rule, since, scope, why, wanted, bytes, reason, used_at]).map(drop)
    }
}

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

/// As `file_out.why` has it.
const USED_LEAST: &str = "used_least";

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

fn task(source_id: &str) -> Option<Task> {
    let FileKey { profile, node } = source_id.parse().ok()?;
    Some(Task::File { profile, node })
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
pub(super) fn shrink(
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

struct Outside {
    source_id: String,
    rule: String,
    bytes: i64,
}

from_row!(Outside { source_id, rule, bytes });

/// Brings back up to `most` files of a rule for which there is room again, what was used last first, as long as each budget keeps a tenth
/// of it. How many it were.
pub(super) fn refill(
    tx: &mut Connection,
    budgets: &Budgets,
    (rule, most): (&str, u32),
    now: i64,
) -> Result<usize, Error> {
    let usage = usage(tx)?;
    let mut coming = Amount::default();
    let mut back = Vec::new();
    for Outside { source_id, rule, bytes } in tx.all::<Outside>(OUTSIDE, params![rule, most])? {
        let amount = Amount { files: 1, bytes, stored: bytes };
        let has_room = budgets.of(&rule).all(|scope| {
            let held = usage.of(scope).held() + coming + amount;
            scope.most.hundredths(REFILLED).over(held).is_none()
        });
        if has_room {
            coming += amount;
            back.push(source_id);
        }
    }
    for source_id in &back {
        tx.run(COME_IN, params![source_id, rule])?;
        if let Some(task) = task(source_id) {
            job::enqueue(tx, &task, Priority::Backfill, now)?;
        }
    }
    Ok(back.len())
}

/// Up to how many hundredths a budget is filled with what nobody asks for. What leaves when it is full does not come back before so much
/// is free.
const REFILLED: i64 = 90;

/// The rules of which files are out.
pub(super) fn rules_with_out(connection: &mut Connection) -> Result<Vec<String>, Error> {
    connection.all(RULES_WITH_OUT, &[])
}

/// Somebody wants these files: they are used now, and come back if they are out. How many come back.
pub fn bring(tx: &mut Connection, source_ids: &[String], now: i64) -> Result<u64, Error> {
    let ids = json_list(source_ids);
    tx.run(USED, params![ids, now, now])?;
    let out: Vec<String> = tx.all(OUT_OF, params![ids])?;
    tx.run(BRING, params![ids])?;
    for task in out.iter().filter_map(|source_id| task(source_id)) {
        job::enqueue(tx, &task, Priority::Live, now)?;
    }
    Ok(out.len() as u64)
}

/// Those of these files whose last use is to be written down.
pub fn unused(connection: &mut Connection, source_ids: &[String], now: i64) -> Result<Vec<String>, Error> {
    connection.all(UNUSED, params![json_list(source_ids), now - USED_MS])
}

/// These files are used now.
pub fn used(tx: &mut Connection, source_ids: &[String], now: i64) -> Result<(), Error> {
    tx.run(USED, params![json_list(source_ids), now, now - USED_MS]).map(drop)
}

/// Why this file is out for this rule, in words; none where it is not.
pub fn out_reason(connection: &mut Connection, source_id: &str, rule: &str) -> Result<Option<String>, Error> {
    connection.first(REASON, params![rule, source_id])
}

/// Forgets that a file is out: of all rules, or of those that are not among `rules`, comma-separated.
pub(in crate::sync) fn forget(
    tx: &mut Connection,
    source_id: &str,
    except: Option<&String>,
) -> Result<(), Error> {
    tx.run(FORGET, params![source_id, except]).map(drop)
}

/// The next files that are out behind `after`, by their ids, that a person means.
pub fn out_page(
    connection: &mut Connection,
    (place, rule): (Option<&Place>, Option<&str>),
    (after, most): (&str, u32),
) -> Result<Vec<String>, Error> {
    connection.all(
        OUT_PAGE,
        params![
            after,
            place.map(Place::path),
            place.and_then(Place::globs),
            place.map(Place::text),
            place.map(Place::node),
            rule,
            most,
        ],
    )
}

/// Gives what stands under one rule's name to another name.
pub fn rename_rule(tx: &mut Connection, (old, new): (&str, &str)) -> Result<(), Error> {
    for row in tx.all::<OutRow>(OF_RULE, params![old])? {
        tx.run(COME_IN, params![row.source_id, old])?;
        OutRow { rule: new.to_owned(), ..row }.write(tx)?;
    }
    tx.run(RENAME_COPIES, params![old, new]).map(drop)
}

/// Since when what the project holds is near to what it may hold.
pub fn near(connection: &mut Connection) -> Result<Option<i64>, Error> {
    connection.first(NEAR, &[])
}

/// Writes down that it is, or is not any more.
pub(super) fn set_near(tx: &mut Connection, is_near: bool, now: i64) -> Result<(), Error> {
    match is_near {
        true => tx.run(COMES_NEAR, params![now]),
        false => tx.run(IS_CLEAR, &[]),
    }
    .map(drop)
}

statements! {
    USAGE = "SELECT rule, place, files, bytes, stored FROM room_count";
    STRANGERS = "SELECT files, bytes, seen_at FROM storage_seen";
    SAW = "
        INSERT INTO storage_seen (one, files, bytes, seen_at)
        SELECT 1, CASE WHEN $1 > own.files THEN $1 - own.files ELSE 0 END,
               CASE WHEN $2 > own.bytes THEN $2 - own.bytes ELSE 0 END, $3
        FROM (SELECT CAST(coalesce(sum(files), 0) AS BIGINT) AS files, CAST(coalesce(sum(bytes), 0) AS BIGINT) AS bytes
              FROM room_count
              WHERE place IN ('in', 'leaving')) AS own
        WHERE true
        ON CONFLICT (one) DO UPDATE SET files = excluded.files, bytes = excluded.bytes, seen_at = excluded.seen_at";
    OWN = "
        SELECT coalesce(sum(CASE WHEN coalesce(segment, 1) = 1 THEN 1 ELSE 0 END), 0) AS files,
               CAST(coalesce(sum(bytes), 0) AS BIGINT) AS bytes,
               CAST(coalesce(sum(coalesce(usage_bytes, bytes)), 0) AS BIGINT) AS stored
        FROM copy WHERE source_id = $1 AND rule = $2 AND state <> 'retiring'";
    REASON = "SELECT reason FROM file_out WHERE rule = $1 AND source_id = $2";
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
    OUT = "
        INSERT INTO file_out (source_id, rule, since, scope, why, wanted, bytes, reason, used_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING";
    LEAVE = "
        UPDATE copy INDEXED BY copy_source SET state = 'retiring', since = $3, unanswered_at = NULL
        WHERE source_id = $1 AND rule = $2 AND state = 'indexed'";
    OUTSIDE = "
        SELECT source_id, rule, bytes FROM file_out WHERE rule = $1
        ORDER BY used_at DESC, source_id DESC LIMIT $2";
    COME_IN = "DELETE FROM file_out WHERE source_id = $1 AND rule = $2";
    RULES_WITH_OUT = "
        SELECT rule FROM room_count WHERE place IN ('out', 'wanted') AND files > 0 GROUP BY rule ORDER BY rule";
    USED = "
        UPDATE file SET used_at = $2 WHERE source_id IN (SELECT value FROM json_each($1)) AND used_at < $3";
    UNUSED = "SELECT source_id FROM file WHERE source_id IN (SELECT value FROM json_each($1)) AND used_at < $2";
    OUT_OF = "SELECT DISTINCT source_id FROM file_out WHERE source_id IN (SELECT value FROM json_each($1))";
    BRING = "DELETE FROM file_out WHERE source_id IN (SELECT value FROM json_each($1))";
    FORGET = "
        DELETE FROM file_out
        WHERE source_id = $1 AND (CAST($2 AS TEXT) IS NULL OR instr(',' || $2 || ',', ',' || rule || ',') = 0)";
    OUT_PAGE = "
        SELECT f.source_id
        FROM (SELECT DISTINCT source_id FROM file_out
              WHERE source_id > $1 AND (CAST($6 AS TEXT) IS NULL OR rule = $6)) AS o
        JOIN file AS f ON f.source_id = o.source_id
        WHERE (CAST($2 AS TEXT) IS NULL OR f.path = $2 OR substr(f.path, 1, length($2) + 1) = $2 || '/'
               OR f.source_id IN ($4, f.profile || ':' || $5)
               OR EXISTS (SELECT 1 FROM json_each($3) WHERE f.path GLOB value))
        ORDER BY f.source_id LIMIT $7";
    OF_RULE = "
        SELECT source_id, rule, since, scope, why, wanted, bytes, reason, used_at FROM file_out
        WHERE rule = $1 ORDER BY source_id";
    RENAME_COPIES = "UPDATE copy SET rule = $2 WHERE rule = $1";
    NEAR = "SELECT since FROM storage_near";
    COMES_NEAR = "INSERT INTO storage_near (one, since) VALUES (1, $1) ON CONFLICT DO NOTHING";
    IS_CLEAR = "DELETE FROM storage_near";
}
