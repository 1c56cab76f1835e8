//! Whether the numbers that triggers keep are those that counting would give, after a life of random changes.

use fastrand::Rng;
use rusqlite::Connection;

use super::migrate::MAIN;

/// Every kept number that is not what the rows come to.
pub fn miscounted(connection: &Connection) -> Vec<String> {
    let mut statement = connection.prepare(include_str!("../../../tests/it/harness/kept.sql")).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// Changes rows at random, so many times, in transactions of which a third are taken back.
pub fn live(connection: &Connection, random: &mut Rng, changes: u32) {
    // Not in a database of before there were verdicts.
    let judges = connection.column_exists(None, "run", "verdict").unwrap();
    changed(random, changes, judges, |sql| {
        connection.execute_batch(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
    });
}

/// The same, by whoever executes it.
pub fn changed(random: &mut Rng, changes: u32, judges: bool, mut execute: impl FnMut(&str)) {
    let mut open = false;
    for _ in 0..changes {
        if !open {
            execute("BEGIN");
        }
        execute(&change(random, judges));
        open = random.u8(0..4) > 0;
        if !open {
            execute(if random.u8(0..3) == 0 { "ROLLBACK" } else { "COMMIT" });
        }
    }
    if open {
        execute("COMMIT");
    }
}

fn change(random: &mut Rng, judges: bool) -> String {
    let (id, rule) = (random.u8(0..6), random.u8(0..2));
    let source = format!("'workspace:1:{id}'");
    match random.u8(0..13) {
        0 => job(random, id),
        1 | 2 => file(random, &source, id),
        3 => format!("DELETE FROM file WHERE source_id = {source}"),
        4 => copy(random, &source),
        5 => event(random, id),
        6 | 7 => format!(
            "INSERT INTO run (rule, source_id, profile, node, path, content_hash, bytes, file_id, vector_store, definition,
                              engine, state, created_at, updated_at)
             VALUES ('r{rule}', {source}, 'workspace:1', '{id}', '/', 'h{}', 1, 'f', 'v', 'd', 'responses', 'wanted', 1, 1)
             ON CONFLICT DO NOTHING",
            random.u8(0..4)
        ),
        8 | 9 => run(random, &source, rule),
        11 if judges => judge(random, &source, rule),
        10 => format!("DELETE FROM run WHERE run_id % 7 = {} AND source_id = {source}", random.u8(0..7)),
        _ => existing(random, &source, rule),
    }
}

fn job(random: &mut Rng, id: u8) -> String {
    let kind = random.choice(["file", "run", "relist"]).unwrap();
    let key = if kind == "relist" { kind.to_owned() } else { format!("{kind}:{id}") };
    let priority = random.choice([0, 10]).unwrap();
    match random.u8(0..6) {
        0 | 1 => format!(
            "INSERT INTO job (key, task, needs, state, priority, due_at, created_at, updated_at)
             VALUES ('{key}', '{{}}', ' ', 'waiting', {priority}, 1, 1, 1)
             ON CONFLICT (key) DO UPDATE SET generation = job.generation + 1,
                 priority = CASE WHEN excluded.priority < job.priority THEN excluded.priority ELSE job.priority END,
                 state = CASE job.state WHEN 'dead' THEN 'waiting' ELSE job.state END"
        ),
        2 => format!("UPDATE job SET state = 'running', lease_until = 1 WHERE key = '{key}'"),
        3 => format!("UPDATE job SET state = 'waiting', lease_until = NULL WHERE key = '{key}'"),
        4 => format!("UPDATE job SET state = 'dead', lease_until = NULL, reason = 'no' WHERE key = '{key}'"),
        _ => format!("DELETE FROM job WHERE key = '{key}'"),
    }
}

fn file(random: &mut Rng, source: &str, id: u8) -> String {
    let state = random.choice(["present", "present", "skipped", "gone"]).unwrap();
    let reason = if state == "present" { "NULL" } else { "'why'" };
    format!(
        "INSERT INTO file (source_id, profile, node, state, reason, path, ancestors, rules, size, seen_at)
         VALUES ({source}, 'workspace:1', '{id}', '{state}', {reason}, '/{id}', ' root ', 'r0', 1, 1)
         ON CONFLICT (source_id) DO UPDATE SET state = excluded.state, reason = excluded.reason"
    )
}

fn copy(random: &mut Rng, source: &str) -> String {
    match random.u8(0..5) {
        0 | 1 => format!(
            "INSERT INTO copy (source_id, vector_store, state, size, filename, bytes, since)
             VALUES ({source}, 'vs_{}', 'uploading', 1, 'f', {}, 1) ON CONFLICT DO NOTHING",
            random.u8(0..2),
            random.u8(0..9)
        ),
        2 => format!("UPDATE copy SET state = 'retiring' WHERE source_id = {source}"),
        3 => {
            format!("UPDATE copy SET vector_store = 'vs_2' WHERE source_id = {source} AND state = 'retiring'")
        }
        _ => format!("DELETE FROM copy WHERE source_id = {source}"),
    }
}

fn event(random: &mut Rng, id: u8) -> String {
    let kind = random.choice(["added", "modified", "deleted"]).unwrap();
    match random.u8(0..3) {
        0 => format!("DELETE FROM event WHERE event_id LIKE 'e{id}%'"),
        _ => format!(
            "INSERT INTO event (event_id, source, kind, subject, name, profile, node, received_at)
             VALUES ('e{id}{}', 'feed', '{kind}', 'file', 'n', 'workspace:1', '{id}', 1)
             ON CONFLICT (event_id) DO NOTHING",
            random.u8(0..9)
        ),
    }
}

fn run(random: &mut Rng, source: &str, rule: u8) -> String {
    let reason = random.u8(0..3);
    let outcome =
        random.choice(["completed", "needs_review", "refused", "failed", "held", "cancelled", "superseded"]);
    let outcome = outcome.unwrap();
    let set = match random.u8(0..6) {
        0 => "state = 'wanted', outcome = NULL, held_until = NULL, ended_at = NULL".to_owned(),
        1 => format!("state = 'wanted', outcome = NULL, reason = 'why {reason}', held_until = {reason}"),
        2 => format!("reason = 'why {reason}'"),
        3 => format!("state = 'ending', outcome = '{outcome}', reason = 'why {reason}', held_until = NULL"),
        _ => format!(
            "state = 'ended', outcome = '{outcome}', reason = 'why {reason}', held_until = NULL, ended_at = 1"
        ),
    };
    format!("UPDATE run SET {set} WHERE source_id = {source} AND rule = 'r{rule}'")
}

fn judge(random: &mut Rng, source: &str, rule: u8) -> String {
    let sets =
        ["verdict = 'accepted'", "verdict = 'rejected'", "verdict = NULL", "result = NULL", "result = '{}'"];
    let set = random.choice(sets).unwrap();
    format!("UPDATE run SET {set} WHERE source_id = {source} AND rule = 'r{rule}'")
}

fn existing(random: &mut Rng, source: &str, rule: u8) -> String {
    match random.u8(0..6) {
        0 => format!("DELETE FROM run_existing WHERE source_id = {source}"),
        1 => format!("DELETE FROM run_existing WHERE rule = 'r{rule}'"),
        _ => format!(
            "INSERT INTO run_existing (rule, source_id, content_hash, found_at) VALUES ('r{rule}', {source}, 'h', 1)
             ON CONFLICT (rule, source_id) DO UPDATE SET found_at = excluded.found_at"
        ),
    }
}

#[test]
fn kept_numbers_are_what_counting_gives_after_any_life() {
    for seed in 0..8 {
        let mut connection = Connection::open_in_memory().unwrap();
        MAIN.apply(&mut connection).unwrap();
        let mut random = Rng::with_seed(seed);
        for _ in 0..40 {
            live(&connection, &mut random, 25);
            assert_eq!(miscounted(&connection), [""; 0], "seed {seed}");
        }
    }
}
