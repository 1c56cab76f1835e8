//! The statements on `inbox` and `receive_count`.

use std::sync::LazyLock;

use sqlx::FromRow;

use super::count::Taken;
use crate::database::{Connection, Error};

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
}

const COLUMNS: usize = 6;

/// Rows per statement. One text per size, so that each is prepared once; 128 rows were measured to be fast, and stay
/// far below either database's limit of parameters.
const MANY: usize = 128;
const SOME: usize = 16;

static INSERT_MANY: LazyLock<String> = LazyLock::new(|| insert_text(MANY));
static INSERT_SOME: LazyLock<String> = LazyLock::new(|| insert_text(SOME));
static INSERT_ONE: LazyLock<String> = LazyLock::new(|| insert_text(1));

fn insert_text(rows: usize) -> String {
    let row = |row: usize| {
        let parameters: Vec<String> =
            (1..=COLUMNS).map(|column| format!("${}", row * COLUMNS + column)).collect();
        format!("({})", parameters.join(", "))
    };
    let rows: Vec<String> = (0..rows).map(row).collect();
    let rows = rows.join(", ");
    format!("INSERT INTO inbox (received_at, signed_at, scheme, secret_index, headers, body) VALUES {rows}")
}

/// Adds rows in their order, many per statement.
pub async fn insert(connection: &mut Connection, deliveries: Vec<Delivery>) -> Result<(), Error> {
    let mut left = deliveries.into_iter();
    while left.len() > 0 {
        let (text, rows): (&'static str, usize) = match left.len() {
            MANY.. => (INSERT_MANY.as_str(), MANY),
            SOME.. => (INSERT_SOME.as_str(), SOME),
            _ => (INSERT_ONE.as_str(), 1),
        };
        let mut query = sqlx::query(text);
        for delivery in left.by_ref().take(rows) {
            query = query
                .bind(delivery.received_at)
                .bind(delivery.signed_at)
                .bind(delivery.scheme)
                .bind(i64::from(delivery.secret_index))
                .bind(delivery.headers)
                .bind(delivery.body);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Takes and gives back `bytes` of space: what a delivery needs, without a delivery.
pub async fn probe(connection: &mut Connection, bytes: usize) -> Result<(), Error> {
    let id: i64 = sqlx::query_scalar(PROBE).bind(vec![0_u8; bytes]).fetch_one(&mut *connection).await?;
    sqlx::query(DELETE).bind(id).bind(id).execute(connection).await?;
    Ok(())
}

const PROBE: &str = "
    INSERT INTO inbox (received_at, scheme, secret_index, headers, body) VALUES (0, 'probe', 0, '{}', $1)
    RETURNING inbox_id";

/// Rows that wait for the drain.
pub async fn waiting(connection: &mut Connection) -> Result<i64, Error> {
    sqlx::query_scalar(WAITING).fetch_one(connection).await
}

/// Rows come in at one end and go at the other, so none of them has to be looked at.
const WAITING: &str = "SELECT coalesce(max(inbox_id) - min(inbox_id) + 1, 0) FROM inbox";

/// When the row came in that has waited longest.
pub async fn waiting_since(connection: &mut Connection) -> Result<Option<i64>, Error> {
    sqlx::query_scalar("SELECT received_at FROM inbox ORDER BY inbox_id LIMIT 1")
        .fetch_optional(connection)
        .await
}

/// A row of the inbox, on its way out.
#[derive(Debug, FromRow)]
pub struct InboxRow {
    pub inbox_id: i64,
    pub received_at: i64,
    /// None for one that an earlier version took in.
    pub signed_at: Option<i64>,
    pub scheme: String,
    pub secret_index: i64,
    pub body: Vec<u8>,
}

/// How much one pass of the drain takes.
#[derive(Debug, Clone, Copy)]
pub struct Portion {
    pub rows: u32,
    /// At least one row is taken, however long it is.
    pub bytes: i64,
}

/// The oldest rows, at most a portion of them.
pub async fn oldest(connection: &mut Connection, portion: Portion) -> Result<Vec<InboxRow>, Error> {
    let sizes: Vec<(i64, i64)> =
        sqlx::query_as(SIZES).bind(i64::from(portion.rows)).fetch_all(&mut *connection).await?;
    let (mut bytes, mut last) = (0, None);
    for (id, size) in sizes {
        bytes += size;
        if last.is_some() && bytes > portion.bytes {
            break;
        }
        last = Some(id);
    }
    sqlx::query_as(OLDEST).bind(last).bind(i64::from(portion.rows)).fetch_all(connection).await
}

const SIZES: &str = "SELECT inbox_id, length(body) FROM inbox ORDER BY inbox_id LIMIT $1";

const OLDEST: &str = "
    SELECT inbox_id, received_at, signed_at, scheme, secret_index, body
    FROM inbox WHERE inbox_id <= $1 ORDER BY inbox_id LIMIT $2";

/// Removes the rows from `first` to `last` and says how many there were.
pub async fn delete(connection: &mut Connection, first: i64, last: i64) -> Result<u64, Error> {
    Ok(sqlx::query(DELETE).bind(first).bind(last).execute(connection).await?.rows_affected())
}

const DELETE: &str = "DELETE FROM inbox WHERE inbox_id BETWEEN $1 AND $2";

/// Whether anything waits.
pub async fn is_empty(connection: &mut Connection) -> Result<bool, Error> {
    Ok(sqlx::query(PEEK).fetch_optional(connection).await?.is_none())
}

const PEEK: &str = "SELECT 1 FROM inbox LIMIT 1";

pub async fn add_counts(connection: &mut Connection, taken: &Taken) -> Result<(), Error> {
    for (name, label, count) in taken.rows() {
        sqlx::query(ADD_COUNT).bind(name).bind(label).bind(count).execute(&mut *connection).await?;
    }
    Ok(())
}

const ADD_COUNT: &str = "
    INSERT INTO receive_count (name, label, count) VALUES ($1, $2, $3)
    ON CONFLICT (name, label) DO UPDATE SET count = receive_count.count + excluded.count";

/// What the public listener has answered so far: name, label, count. A few seconds behind.
pub async fn counts(connection: &mut Connection) -> Result<Vec<(String, String, i64)>, Error> {
    sqlx::query_as(COUNTS).fetch_all(connection).await
}

const COUNTS: &str = "SELECT name, label, count FROM receive_count ORDER BY name, label";

/// Remembers a webhook of OpenAI by its id. False when it is remembered already.
pub async fn remember_webhook(connection: &mut Connection, id: &str, now: i64) -> Result<bool, Error> {
    let added = sqlx::query(
        "INSERT INTO openai_webhook (webhook_id, received_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    )
    .bind(id)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(added.rows_affected() == 1)
}

/// Forgets the webhooks of OpenAI that came before `before`.
pub async fn forget_webhooks(connection: &mut Connection, before: i64) -> Result<(), Error> {
    sqlx::query("DELETE FROM openai_webhook WHERE received_at < $1").bind(before).execute(connection).await?;
    Ok(())
}
