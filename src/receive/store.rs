//! The statements on `inbox`, `receive_count` and `openai_webhook`.

use std::ops::{ControlFlow, RangeInclusive};

use super::count::Taken;
use crate::database::{Connection, Error, Param, from_row, params, statements};

/// A delivery whose signature was right, as the inbox keeps it.
#[derive(Debug)]
pub struct Delivery {
    /// Unix milliseconds, by our clock.
    pub received_at: i64,
    /// As the signature has it.
    pub signed_at: i64,
    pub scheme: &'static str,
    pub secret_index: u32,
    /// A JSON object of the headers that help to explain it.
    pub headers: String,
    /// The exact bytes that were signed.
    pub body: Vec<u8>,
    pub request_id: String,
}

/// Adds rows in their order.
pub fn insert(connection: &mut Connection, deliveries: &[Delivery]) -> Result<(), Error> {
    let rows = deliveries.iter().map(|row| -> [&dyn Param; 7] {
        let Delivery { received_at, signed_at, scheme, secret_index, headers, body, request_id } = row;
        [received_at, signed_at, scheme, secret_index, headers, body, request_id]
    });
    connection.run_together(INSERT, rows).map(drop)
}

/// Takes and gives back `bytes` of space: what a delivery needs, without a delivery.
pub fn probe(connection: &mut Connection, bytes: usize) -> Result<(), Error> {
    let id: i64 = connection.one(PROBE, params![vec![0_u8; bytes]])?;
    delete(connection, &[id..=id]).map(drop)
}

/// Rows that wait for the drain.
pub fn waiting(connection: &mut Connection) -> Result<i64, Error> {
    connection.one(WAITING, &[])
}

/// When the row came in that has waited longest.
pub fn waiting_since(connection: &mut Connection) -> Result<Option<i64>, Error> {
    connection.first(WAITING_SINCE, &[])
}

/// A row of the inbox, on its way out.
#[derive(Debug)]
pub struct InboxRow {
    pub inbox_id: i64,
    pub received_at: i64,
    /// None for one that an earlier version took in.
    pub signed_at: Option<i64>,
    pub scheme: String,
    pub secret_index: i64,
    pub body: Vec<u8>,
    /// None for one that an earlier version took in.
    pub request_id: Option<String>,
}

// By place and not by name: looking names up takes as long as reading a row, and these are many.
from_row!(row => InboxRow {
    inbox_id: row.at(0)?,
    received_at: row.at(1)?,
    signed_at: row.at(2)?,
    scheme: row.at(3)?,
    secret_index: row.at(4)?,
    body: row.at(5)?,
    request_id: row.at(6)?,
});

/// How much one pass of the drain takes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub rows: u32,
    /// At least one row is taken, however long it is.
    pub bytes: usize,
}

/// The oldest rows, within the limits.
pub fn oldest(connection: &mut Connection, limits: Limits) -> Result<Vec<InboxRow>, Error> {
    let (mut rows, mut bytes) = (Vec::new(), 0);
    connection.each(OLDEST, params![limits.rows], |row: InboxRow| {
        bytes += row.body.len();
        if !rows.is_empty() && bytes > limits.bytes {
            return Ok(ControlFlow::Break(()));
        }
        rows.push(row);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(rows)
}

/// At most `limit` rows that came after `id`, the newest first.
pub fn newest(connection: &mut Connection, id: i64, limit: u32) -> Result<Vec<InboxRow>, Error> {
    connection.all(NEWEST, params![id, limit])
}

/// The last row; 0 where there is none.
pub fn last(connection: &mut Connection) -> Result<i64, Error> {
    connection.one(LAST, &[])
}

/// Ascending numbers as the ranges in which none is missing. In SQLite there is one, because its writer gives a number when it commits.
pub fn ranges(ids: impl Iterator<Item = i64>) -> Vec<RangeInclusive<i64>> {
    let mut ranges: Vec<RangeInclusive<i64>> = Vec::new();
    for id in ids {
        match ranges.last_mut() {
            Some(last) if *last.end() + 1 == id => *last = *last.start()..=id,
            _ => ranges.push(id..=id),
        }
    }
    ranges
}

/// Removes the rows of these numbers and says how many there were.
pub fn delete(connection: &mut Connection, ranges: &[RangeInclusive<i64>]) -> Result<u64, Error> {
    ranges.iter().map(|range| connection.run(DELETE, params![range.start(), range.end()])).sum()
}

pub fn add_counts(connection: &mut Connection, taken: &Taken) -> Result<(), Error> {
    for (name, label, count) in taken.rows() {
        connection.run(ADD_COUNT, params![name, label, count])?;
    }
    Ok(())
}

/// What the public listener has answered so far: name, label, count. A few seconds behind.
pub fn counts(connection: &mut Connection) -> Result<Vec<(String, String, i64)>, Error> {
    connection.all(COUNTS, &[])
}

/// Remembers a webhook of OpenAI by its id. False when it is remembered already.
pub fn remember_webhook(connection: &mut Connection, id: &str, now: i64) -> Result<bool, Error> {
    Ok(connection.run(REMEMBER_WEBHOOK, params![id, now])? == 1)
}

/// Forgets the webhooks of OpenAI that came before `before`.
pub fn forget_webhooks(connection: &mut Connection, before: i64) -> Result<(), Error> {
    connection.run(FORGET_WEBHOOKS, params![before]).map(drop)
}

statements! {
    INSERT = "
        INSERT INTO inbox (received_at, signed_at, scheme, secret_index, headers, body, request_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7)", postgres: "
        INSERT INTO inbox (received_at, signed_at, scheme, secret_index, headers, body, request_id)
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::bytea[], $7::text[])";

    PROBE = "
        INSERT INTO inbox (received_at, scheme, secret_index, headers, body) VALUES (0, 'probe', 0, '{}', $1)
        RETURNING inbox_id";

    /// Rows come in at one end and go at the other, so none of them has to be looked at: each end by itself, because SQLite reads
    /// all rows for both.
    WAITING = "SELECT coalesce((SELECT max(inbox_id) FROM inbox) - (SELECT min(inbox_id) FROM inbox) + 1, 0)";

    WAITING_SINCE = "SELECT received_at FROM inbox ORDER BY inbox_id LIMIT 1";

    OLDEST = "
        SELECT inbox_id, received_at, signed_at, scheme, secret_index, body, request_id
        FROM inbox ORDER BY inbox_id LIMIT $1";

    LAST = "SELECT coalesce(max(inbox_id), 0) FROM inbox";

    NEWEST = "
        SELECT inbox_id, received_at, signed_at, scheme, secret_index, body, request_id
        FROM inbox WHERE inbox_id > $1 ORDER BY inbox_id DESC LIMIT $2";

    DELETE = "DELETE FROM inbox WHERE inbox_id BETWEEN $1 AND $2";

    ADD_COUNT = "
        INSERT INTO receive_count (name, label, count) VALUES ($1, $2, $3)
        ON CONFLICT (name, label) DO UPDATE SET count = receive_count.count + excluded.count";

    COUNTS = "SELECT name, label, count FROM receive_count ORDER BY name, label";

    REMEMBER_WEBHOOK =
        "INSERT INTO openai_webhook (webhook_id, received_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";

    FORGET_WEBHOOKS = "DELETE FROM openai_webhook WHERE received_at < $1";
}
