//! The statements on the feed's own tables.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::FromRow;

use super::sweep::Report;
use crate::database::{Connection, Error};
use crate::fastio::Profile;

/// Sweeps that are kept for a person to look back at.
const SWEEPS_KEPT: i64 = 100;

/// How changes are learnt besides webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    Changes,
    Search,
    Sweeps,
}

impl Way {
    pub fn as_str(self) -> &'static str {
        match self {
            Way::Changes => "changes",
            Way::Search => "search",
            Way::Sweeps => "sweeps",
        }
    }

    fn read(word: &str) -> Way {
        match word {
            "changes" => Way::Changes,
            "search" => Way::Search,
            _ => Way::Sweeps,
        }
    }
}

/// The row of `feed`, as a person sees it too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow)]
pub struct State {
    pub way: String,
    pub reason: Option<String>,
    pub since: i64,
    pub heard_at: Option<i64>,
    pub retry_at: Option<i64>,
}

impl State {
    pub fn way(&self) -> Way {
        Way::read(&self.way)
    }
}

/// Which way works; none before the first try.
pub async fn state(connection: &mut Connection) -> Result<Option<State>, Error> {
    sqlx::query_as("SELECT way, reason, since, heard_at, retry_at FROM feed").fetch_optional(connection).await
}

/// Writes down which way works now. True when it is another than before.
pub async fn set_way(
    connection: &mut Connection,
    way: Way,
    (reason, retry_at): (Option<&str>, Option<i64>),
    now: i64,
) -> Result<bool, Error> {
    let before = state(&mut *connection).await?;
    let changed = before.as_ref().is_none_or(|before| before.way() != way);
    sqlx::query(SET_WAY)
        .bind(way.as_str())
        .bind(reason)
        .bind(before.filter(|_| !changed).map_or(now, |before| before.since))
        .bind(now)
        .bind(retry_at)
        .execute(connection)
        .await?;
    Ok(changed)
}

const SET_WAY: &str = "
    INSERT INTO feed (feed, way, reason, since, heard_at, retry_at) VALUES (1, $1, $2, $3, $4, $5)
    ON CONFLICT (feed) DO UPDATE SET way = excluded.way, reason = excluded.reason, since = excluded.since,
                                     heard_at = excluded.heard_at, retry_at = excluded.retry_at";

/// Where we are in an organisation's change feed.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Cursor {
    pub cursor: String,
    /// The last page was not the end.
    pub more: bool,
    pub version: Option<String>,
    profiles: String,
}

impl Cursor {
    pub fn new(cursor: &str, more: bool, version: Option<&str>, profiles: &[Profile]) -> Self {
        Cursor {
            cursor: cursor.to_owned(),
            more,
            version: version.map(str::to_owned),
            profiles: serde_json::to_string(profiles).expect("texts only"),
        }
    }

    pub fn profiles(&self) -> Vec<Profile> {
        serde_json::from_str(&self.profiles).unwrap_or_default()
    }
}

pub async fn cursor(connection: &mut Connection, org: &str) -> Result<Option<Cursor>, Error> {
    sqlx::query_as("SELECT cursor, more, version, profiles FROM feed_cursor WHERE org = $1")
        .bind(org)
        .fetch_optional(connection)
        .await
}

pub async fn set_cursor(connection: &mut Connection, org: &str, cursor: &Cursor) -> Result<(), Error> {
    sqlx::query(SET_CURSOR)
        .bind(org)
        .bind(&cursor.cursor)
        .bind(cursor.more)
        .bind(&cursor.version)
        .bind(&cursor.profiles)
        .execute(connection)
        .await?;
    Ok(())
}

const SET_CURSOR: &str = "
    INSERT INTO feed_cursor (org, cursor, more, version, profiles) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (org) DO UPDATE SET cursor = excluded.cursor, more = excluded.more, version = excluded.version,
                                    profiles = excluded.profiles";

/// The cursor with which the end was reached last before `before`; the oldest one when there is none so old.
pub async fn trail(connection: &mut Connection, org: &str, before: i64) -> Result<Option<String>, Error> {
    sqlx::query_scalar(TRAIL).bind(org).bind(before).fetch_optional(connection).await
}

const TRAIL: &str = "
    SELECT cursor FROM feed_trail WHERE org = $1
    ORDER BY CASE WHEN reached_at <= $2 THEN 0 ELSE 1 END,
             CASE WHEN reached_at <= $2 THEN -reached_at ELSE reached_at END
    LIMIT 1";

/// Notes that the end was reached, at most once in `apart`, and forgets what no poll will begin at any more.
pub async fn leave_trail(
    connection: &mut Connection,
    (org, cursor): (&str, &str),
    (now, overlap): (i64, i64),
) -> Result<(), Error> {
    sqlx::query(LEAVE_TRAIL)
        .bind(org)
        .bind(now)
        .bind(cursor)
        .bind(now - overlap / 4)
        .execute(&mut *connection)
        .await?;
    sqlx::query(FORGET_TRAIL).bind(org).bind(now - overlap).execute(connection).await?;
    Ok(())
}

/// A clock that stepped back leaves rows of the future; they count as older ones do.
const LEAVE_TRAIL: &str = "
    INSERT INTO feed_trail (org, reached_at, cursor)
    SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT 1 FROM feed_trail WHERE org = $1 AND reached_at > $4)
    ON CONFLICT DO NOTHING";

const FORGET_TRAIL: &str = "
    DELETE FROM feed_trail WHERE org = $1
      AND reached_at < (SELECT max(reached_at) FROM feed_trail WHERE org = $1 AND reached_at <= $2)";

/// Forgets a trail whose cursors Fastio no longer knows.
pub async fn drop_trail(connection: &mut Connection, org: &str) -> Result<(), Error> {
    sqlx::query("DELETE FROM feed_trail WHERE org = $1").bind(org).execute(connection).await?;
    Ok(())
}

/// Up to when the events of `profile` were searched.
pub async fn searched(connection: &mut Connection, profile: &Profile) -> Result<Option<i64>, Error> {
    sqlx::query_scalar("SELECT until FROM feed_search WHERE profile = $1")
        .bind(profile.to_string())
        .fetch_optional(connection)
        .await
}

pub async fn set_searched(connection: &mut Connection, profile: &Profile, until: i64) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO feed_search (profile, until) VALUES ($1, $2)
         ON CONFLICT (profile) DO UPDATE SET until = excluded.until",
    )
    .bind(profile.to_string())
    .bind(until)
    .execute(connection)
    .await?;
    Ok(())
}

/// A workspace or share to be listed as a whole.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Relist {
    pub profile: String,
    pub reason: String,
    pub asked_at: i64,
}

pub async fn relists(connection: &mut Connection) -> Result<Vec<Relist>, Error> {
    sqlx::query_as("SELECT profile, reason, asked_at FROM relist ORDER BY asked_at, profile")
        .fetch_all(connection)
        .await
}

pub async fn ask_relist(
    connection: &mut Connection,
    (profile, reason): (&Profile, &str),
    now: i64,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO relist (profile, reason, asked_at) VALUES ($1, $2, $3)
         ON CONFLICT (profile) DO UPDATE SET reason = excluded.reason, asked_at = excluded.asked_at",
    )
    .bind(profile.to_string())
    .bind(reason)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// It was listed, unless it was asked for again meanwhile.
pub async fn relisted(connection: &mut Connection, relist: &Relist) -> Result<(), Error> {
    sqlx::query("DELETE FROM relist WHERE profile = $1 AND asked_at = $2")
        .bind(&relist.profile)
        .bind(relist.asked_at)
        .execute(connection)
        .await?;
    Ok(())
}

/// How far a backfill came.
#[derive(Debug, Clone, Default, PartialEq, Eq, FromRow)]
pub struct Progress {
    pub cursor: Option<String>,
    pub listed: i64,
    pub queued: i64,
    pub ended_at: Option<i64>,
    pub total: Option<i64>,
}

pub async fn backfill(connection: &mut Connection, name: &str) -> Result<Option<Progress>, Error> {
    sqlx::query_as("SELECT cursor, listed, queued, ended_at, total FROM backfill WHERE profile = $1")
        .bind(name)
        .fetch_optional(connection)
        .await
}

pub async fn set_backfill(connection: &mut Connection, name: &str, progress: &Progress) -> Result<(), Error> {
    sqlx::query(SET_BACKFILL)
        .bind(name)
        .bind(&progress.cursor)
        .bind(progress.listed)
        .bind(progress.queued)
        .bind(progress.ended_at)
        .bind(progress.total)
        .execute(connection)
        .await?;
    Ok(())
}

const SET_BACKFILL: &str = "
    INSERT INTO backfill (profile, cursor, listed, queued, ended_at, total) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (profile) DO UPDATE SET cursor = excluded.cursor, listed = excluded.listed,
        queued = excluded.queued, ended_at = excluded.ended_at, total = excluded.total";

/// How a sweep ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// A list could not be read to its end.
    Incomplete,
    /// More would go than the limit allows.
    Stopped,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Incomplete => "incomplete",
            Outcome::Stopped => "stopped",
        }
    }
}

/// A sweep as a person looks back at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow)]
pub struct SweepRow {
    pub sweep: String,
    pub started_at: i64,
    pub ended_at: i64,
    pub outcome: String,
    /// A [`Report`], JSON.
    pub report: String,
}

pub async fn record_sweep(connection: &mut Connection, report: &Report) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO sweep (sweep, started_at, ended_at, dry_run, outcome, report) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&report.sweep)
    .bind(report.started_at)
    .bind(report.ended_at)
    .bind(report.dry_run)
    .bind(report.outcome().as_str())
    .bind(serde_json::to_string(report).map_err(|error| Error::Encode(error.into()))?)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "DELETE FROM sweep WHERE sweep NOT IN (SELECT sweep FROM sweep ORDER BY started_at DESC LIMIT $1)",
    )
    .bind(SWEEPS_KEPT)
    .execute(connection)
    .await?;
    Ok(())
}

/// A rule and the fingerprint of what it covers.
pub type RuleMark<'a> = (&'a str, &'a str);

/// Writes down that everything is in line with these rules, and with no others.
pub async fn rules_swept(connection: &mut Connection, rules: &[RuleMark<'_>], now: i64) -> Result<(), Error> {
    let names: Vec<&str> = rules.iter().map(|(name, _)| *name).collect();
    sqlx::query("DELETE FROM swept_rule WHERE rule NOT IN (SELECT value FROM json_each($1))")
        .bind(serde_json::to_string(&names).expect("a list of texts is JSON"))
        .execute(&mut *connection)
        .await?;
    for (name, fingerprint) in rules {
        sqlx::query(RULE_SWEPT).bind(*name).bind(*fingerprint).bind(now).execute(&mut *connection).await?;
    }
    Ok(())
}

const RULE_SWEPT: &str = "
    INSERT INTO swept_rule (rule, fingerprint, swept_at) VALUES ($1, $2, $3)
    ON CONFLICT (rule) DO UPDATE SET fingerprint = excluded.fingerprint, swept_at = excluded.swept_at";

/// The rules that everything was last in line with, and their fingerprints.
pub async fn swept_rules(connection: &mut Connection) -> Result<BTreeMap<String, String>, Error> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT rule, fingerprint FROM swept_rule").fetch_all(connection).await?;
    Ok(rows.into_iter().collect())
}

/// The newest sweep of everything.
pub async fn last_sweep(connection: &mut Connection) -> Result<Option<SweepRow>, Error> {
    sqlx::query_as(
        "SELECT sweep, started_at, ended_at, outcome, report FROM sweep WHERE dry_run = 0 ORDER BY started_at DESC LIMIT 1",
    )
    .fetch_optional(connection)
    .await
}
