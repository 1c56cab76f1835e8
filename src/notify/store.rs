//! The statements on `news`, `news_channel` and `late`.

use crate::database::{Connection, Error, from_row, params, statements};
use crate::sync::freshness::Freshness;

/// News in one message. More wait for the next one.
const MOST: u32 = 200;

/// How far a channel is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    pub endpoint: String,
    pub kind: String,
    /// The message that is under way.
    pub message: Option<String>,
    /// How often that was tried, and failed.
    pub attempts: i64,
    pub begun_at: i64,
    pub next_at: i64,
    pub sent_at: i64,
    /// How the last attempt failed.
    pub trouble: Option<String>,
    /// The endpoint has said that it is gone.
    pub closed: i64,
    pub waiting: i64,
}

from_row!(Channel {
    endpoint,
    kind,
    message,
    attempts,
    begun_at,
    next_at,
    sent_at,
    trouble,
    closed,
    waiting
});

/// One piece of news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub about: String,
    pub since: Option<i64>,
    pub made_at: i64,
    /// Of a run, where it is still on record.
    pub rule: Option<String>,
    pub path: Option<String>,
    pub outcome: Option<String>,
}

from_row!(Item { about, since, made_at, rule, path, outcome });

/// Every channel, with how many news wait for it, of up to a thousand.
pub fn channels(connection: &mut Connection) -> Result<Vec<Channel>, Error> {
    connection.all(CHANNELS, &[])
}

/// Has a channel for each of `wanted` (endpoint, kind, and the hash of the address), and no other. What waited for others is dropped.
pub fn settle(tx: &mut Connection, wanted: &[(String, &str, String)]) -> Result<(), Error> {
    let there: Vec<(String, String, String)> = tx.all(ADDRESSES, &[])?;
    let is_wanted = |(endpoint, kind, address): &(String, String, String)| {
        wanted.iter().any(|(of, which, at)| of == endpoint && which == kind && at == address)
    };
    for (endpoint, kind, _) in there.iter().filter(|there| !is_wanted(there)) {
        tx.run(DROP_NEWS, params![endpoint, kind])?;
        tx.run(DROP, params![endpoint, kind])?;
    }
    for (endpoint, kind, address) in wanted {
        tx.run(ADD, params![endpoint, kind, address])?;
    }
    Ok(())
}

/// Begins a message with what waits, unless nothing does. Answers the one that is under way then.
pub fn take(
    tx: &mut Connection,
    (endpoint, kind): (&str, &str),
    (message, now): (&str, i64),
) -> Result<Option<Channel>, Error> {
    let Some(channel): Option<Channel> = tx.first(CHANNEL, params![endpoint, kind])? else { return Ok(None) };
    if channel.closed != 0 || channel.next_at > now {
        return Ok(None);
    }
    if channel.message.is_none() {
        if tx.run(GATHER, params![message, endpoint, kind, MOST])? == 0 {
            return Ok(None);
        }
        tx.run(BEGIN, params![endpoint, kind, message, now])?;
        let message = Some(message.to_owned());
        return Ok(Some(Channel { message, attempts: 0, begun_at: now, ..channel }));
    }
    Ok(Some(channel))
}

/// What a message tells, oldest first.
pub fn items(connection: &mut Connection, message: &str) -> Result<Vec<Item>, Error> {
    connection.all(ITEMS, params![message])
}

/// The message was taken. Nothing of it is kept.
pub fn told(
    tx: &mut Connection,
    (endpoint, kind, message): (&str, &str, &str),
    now: i64,
) -> Result<(), Error> {
    tx.run(FORGET, params![message])?;
    tx.run(TOLD, params![endpoint, kind, now]).map(drop)
}

/// It was not, and is tried again then.
pub fn failed(
    tx: &mut Connection,
    (endpoint, kind): (&str, &str),
    (trouble, next_at): (&str, i64),
) -> Result<(), Error> {
    tx.run(FAILED, params![endpoint, kind, trouble, next_at]).map(drop)
}

/// It is tried no more, and what has gathered behind it is dropped too. Answers how many news that were.
pub fn give_up(
    tx: &mut Connection,
    (endpoint, kind): (&str, &str),
    (trouble, now): (&str, i64),
) -> Result<u64, Error> {
    let dropped = tx.run(DROP_NEWS, params![endpoint, kind])?;
    tx.run(TOLD, params![endpoint, kind, now])?;
    tx.run(TROUBLE, params![endpoint, kind, trouble])?;
    Ok(dropped)
}

/// The endpoint is gone, as it says itself: nothing is told to it until a person opens it again.
pub fn close(tx: &mut Connection, endpoint: &str, trouble: &str) -> Result<(), Error> {
    tx.run(DROP_ALL_NEWS, params![endpoint])?;
    tx.run(CLOSE, params![endpoint, trouble]).map(drop)
}

/// The endpoint takes news again. Answers whether it was closed.
pub fn open(tx: &mut Connection, endpoint: &str) -> Result<bool, Error> {
    Ok(tx.run(OPEN, params![endpoint])? > 0)
}

/// Writes down which rules are late: those of which the oldest change came in before `before`.
pub fn judge(tx: &mut Connection, fresh: &Freshness, before: i64) -> Result<(), Error> {
    for (rule, since) in fresh.rules.iter().filter(|(_, since)| **since < before) {
        tx.run(LATE, params![rule, since])?;
    }
    let late: Vec<String> = tx.all(LATE_RULES, &[])?;
    for rule in late {
        let is_late = match fresh.rules.get(&rule) {
            Some(since) => *since < before,
            // Nothing of it waits, unless it could not be seen.
            None => !fresh.is_whole,
        };
        if !is_late {
            tx.run(ON_TIME, params![rule])?;
        }
    }
    Ok(())
}

macro_rules! channel {
    ($rest:literal) => {
        concat!(
            "SELECT endpoint, kind, message, attempts, begun_at, next_at, sent_at, trouble, closed,
                    (SELECT count(*) FROM (SELECT 1 FROM news WHERE news.endpoint = news_channel.endpoint
                                           AND news.kind = news_channel.kind LIMIT 1000) AS few) AS waiting
             FROM news_channel ",
            $rest
        )
    };
}

statements! {
    CHANNELS = channel!("ORDER BY endpoint, kind");
    CHANNEL = channel!("WHERE endpoint = $1 AND kind = $2");
    ADDRESSES = "SELECT endpoint, kind, address FROM news_channel ORDER BY endpoint, kind";
    ADD = "INSERT INTO news_channel (endpoint, kind, address) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    DROP = "DELETE FROM news_channel WHERE endpoint = $1 AND kind = $2";
    DROP_NEWS = "DELETE FROM news WHERE endpoint = $1 AND kind = $2";
    DROP_ALL_NEWS = "DELETE FROM news WHERE endpoint = $1";
    GATHER = "
        UPDATE news SET message = $1 WHERE news_id IN (
            SELECT news_id FROM news WHERE endpoint = $2 AND kind = $3 AND message IS NULL ORDER BY news_id LIMIT $4)";
    BEGIN = "
        UPDATE news_channel SET message = $3, attempts = 0, begun_at = $4 WHERE endpoint = $1 AND kind = $2";
    ITEMS = "
        SELECT n.about, n.since, n.made_at, r.rule, r.path, r.outcome
        FROM news AS n LEFT JOIN run AS r
          ON n.kind IN ('run_done', 'run_failed', 'needs_review') AND r.run_id = CAST(n.about AS BIGINT)
        WHERE n.message = $1 ORDER BY n.news_id", postgres: "
        SELECT n.about, n.since, n.made_at, r.rule, r.path, r.outcome
        FROM news AS n LEFT JOIN run AS r
          ON r.run_id = CASE WHEN n.kind IN ('run_done', 'run_failed', 'needs_review') THEN CAST(n.about AS BIGINT) END
        WHERE n.message = $1 ORDER BY n.news_id";
    FORGET = "DELETE FROM news WHERE message = $1";
    TOLD = "
        UPDATE news_channel SET message = NULL, attempts = 0, next_at = 0, sent_at = $3, trouble = NULL
        WHERE endpoint = $1 AND kind = $2";
    FAILED = "
        UPDATE news_channel SET attempts = attempts + 1, trouble = $3, next_at = $4 WHERE endpoint = $1 AND kind = $2";
    TROUBLE = "UPDATE news_channel SET trouble = $3 WHERE endpoint = $1 AND kind = $2";
    CLOSE = "
        UPDATE news_channel SET message = NULL, attempts = 0, next_at = 0, closed = 1, trouble = $2 WHERE endpoint = $1";
    OPEN = "UPDATE news_channel SET closed = 0, trouble = NULL WHERE endpoint = $1 AND closed = 1";
    LATE = "INSERT INTO late (rule, since) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    LATE_RULES = "SELECT rule FROM late ORDER BY rule";
    ON_TIME = "DELETE FROM late WHERE rule = $1";
}
