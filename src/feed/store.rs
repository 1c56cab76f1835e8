//! The statements on the feed's own tables.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::database::{Connection, Error, Param, from_row, json_list, params, statements};
use crate::fastio::Profile;

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub way: String,
    pub reason: Option<String>,
    pub since: i64,
    pub heard_at: Option<i64>,
    pub retry_at: Option<i64>,
}

from_row!(State { way, reason, since, heard_at, retry_at });

impl State {
    pub fn way(&self) -> Way {
        Way::read(&self.way)
    }
}

/// How often a better way is tried again that was refused. The key may have been given more rights.
const TRY_AGAIN_MS: i64 = 60 * 60 * 1000;

/// Which way works; none before the first try.
pub fn state(connection: &mut Connection) -> Result<Option<State>, Error> {
    connection.first(STATE, &[])
}

/// Writes down which way works now, and why no better one does. True when it is another way than before.
pub fn set_way(connection: &mut Connection, way: Way, reason: Option<&str>, now: i64) -> Result<bool, Error> {
    let before = state(connection)?.filter(|before| before.way() == way);
    // A way that is kept keeps the time at which a better one is tried.
    let retry_at = before.as_ref().and_then(|before| before.retry_at).filter(|at| *at > now);
    let retry_at = (way != Way::Changes).then_some(retry_at.unwrap_or(now + TRY_AGAIN_MS));
    let since = before.as_ref().map_or(now, |before| before.since);
    connection.run(SET_WAY, params![way.as_str(), reason, since, now, retry_at])?;
    Ok(before.is_none())
}

/// Where we are in an organisation's change feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub cursor: String,
    /// The last page was not the end.
    pub more: bool,
    pub version: Option<String>,
    profiles: String,
}

from_row!(Cursor { cursor, more, version, profiles });

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

pub fn cursor(connection: &mut Connection, org: &str) -> Result<Option<Cursor>, Error> {
    connection.first(CURSOR, params![org])
}

pub fn set_cursor(connection: &mut Connection, org: &str, cursor: &Cursor) -> Result<(), Error> {
    let Cursor { cursor, more, version, profiles } = cursor;
    connection.run(SET_CURSOR, params![org, cursor, more, version, profiles])?;
    Ok(())
}

/// The cursor with which the end was reached last before `before`; the oldest one when there is none so old.
pub fn trail(connection: &mut Connection, org: &str, before: i64) -> Result<Option<String>, Error> {
    connection.first(TRAIL, params![org, before])
}

/// The end of a feed, as it was reached.
#[derive(Debug)]
pub struct Reached<'a> {
    pub org: &'a str,
    pub cursor: &'a str,
    /// How far back a poll may begin.
    pub overlap_ms: i64,
}

/// Notes that the end was reached, at most four times in the overlap, and forgets what no poll will begin at any more.
pub fn leave_trail(connection: &mut Connection, reached: &Reached<'_>, now: i64) -> Result<(), Error> {
    let Reached { org, cursor, overlap_ms } = *reached;
    connection.run(LEAVE_TRAIL, params![org, now, cursor, now - overlap_ms / 4])?;
    connection.run(FORGET_TRAIL, params![org, now - overlap_ms])?;
    Ok(())
}

/// Forgets a trail whose cursors Fastio no longer knows.
pub fn drop_trail(connection: &mut Connection, org: &str) -> Result<(), Error> {
    connection.run(DROP_TRAIL, params![org])?;
    Ok(())
}

/// Up to when the events of `profile` were searched.
pub fn searched(connection: &mut Connection, profile: &Profile) -> Result<Option<i64>, Error> {
    connection.first(SEARCHED, params![profile.to_string()])
}

pub fn set_searched(connection: &mut Connection, profile: &Profile, until: i64) -> Result<(), Error> {
    connection.run(SET_SEARCHED, params![profile.to_string(), until])?;
    Ok(())
}

/// A workspace or share to be listed as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relist {
    pub profile: String,
    pub reason: String,
    pub asked_at: i64,
}

from_row!(Relist { profile, reason, asked_at });

pub fn relists(connection: &mut Connection) -> Result<Vec<Relist>, Error> {
    connection.all(RELISTS, &[])
}

pub fn ask_relist(
    connection: &mut Connection,
    profile: &Profile,
    reason: &str,
    now: i64,
) -> Result<(), Error> {
    connection.run(ASK_RELIST, params![profile.to_string(), reason, now])?;
    Ok(())
}

/// It was listed, unless it was asked for again meanwhile.
pub fn relisted(connection: &mut Connection, relist: &Relist) -> Result<(), Error> {
    connection.run(RELISTED, params![relist.profile, relist.asked_at])?;
    Ok(())
}

/// How far a backfill came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    pub cursor: Option<String>,
    pub listed: i64,
    pub queued: i64,
    pub ended_at: Option<i64>,
    pub total: Option<i64>,
}

from_row!(Progress { cursor, listed, queued, ended_at, total });

pub fn backfill(connection: &mut Connection, name: &str) -> Result<Option<Progress>, Error> {
    connection.first(BACKFILL, params![name])
}

pub fn set_backfill(connection: &mut Connection, name: &str, progress: &Progress) -> Result<(), Error> {
    let Progress { cursor, listed, queued, ended_at, total } = progress;
    connection.run(SET_BACKFILL, params![name, cursor, listed, queued, ended_at, total])?;
    Ok(())
}

/// A rule's name and the fingerprint of what it covers.
pub type RuleMark = (String, String);

/// Writes down that everything is in line with these rules, and with no others.
pub fn rules_swept(connection: &mut Connection, rules: &[RuleMark], now: i64) -> Result<(), Error> {
    let names: Vec<&str> = rules.iter().map(|(name, _)| name.as_str()).collect();
    connection.run(FORGET_RULES, params![json_list(&names)])?;
    connection.run_each(RULE_SWEPT, rules.iter().map(|(name, mark)| [name as &dyn Param, mark, &now]))?;
    Ok(())
}

/// Writes down that files were asked for by other rules than those of the last whole sweep, so that the next start compares
/// with none of these: put back as they were, they are a change too.
pub fn rules_followed(connection: &mut Connection, names: &[String], now: i64) -> Result<(), Error> {
    connection.run_each(RULE_SWEPT, names.iter().map(|name| [name as &dyn Param, &"", &now]))?;
    Ok(())
}

/// The rules that everything was last in line with, and their fingerprints.
pub fn swept_rules(connection: &mut Connection) -> Result<BTreeMap<String, String>, Error> {
    let rules: Vec<RuleMark> = connection.all(SWEPT_RULES, &[])?;
    Ok(rules.into_iter().collect())
}

statements! {
    STATE = "SELECT way, reason, since, heard_at, retry_at FROM feed";
    SET_WAY = "
        INSERT INTO feed (feed, way, reason, since, heard_at, retry_at) VALUES (1, $1, $2, $3, $4, $5)
        ON CONFLICT (feed) DO UPDATE SET way = excluded.way, reason = excluded.reason, since = excluded.since,
                                         heard_at = excluded.heard_at, retry_at = excluded.retry_at";
    CURSOR = "SELECT cursor, more, version, profiles FROM feed_cursor WHERE org = $1";
    SET_CURSOR = "
        INSERT INTO feed_cursor (org, cursor, more, version, profiles) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (org) DO UPDATE SET cursor = excluded.cursor, more = excluded.more, version = excluded.version,
                                        profiles = excluded.profiles";
    TRAIL = "
        SELECT cursor FROM feed_trail WHERE org = $1
        ORDER BY CASE WHEN reached_at <= $2 THEN 0 ELSE 1 END,
                 CASE WHEN reached_at <= $2 THEN -reached_at ELSE reached_at END
        LIMIT 1";
    /// A clock that stepped back leaves rows of the future; they count as older ones do.
    LEAVE_TRAIL = "
        INSERT INTO feed_trail (org, reached_at, cursor)
        SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT 1 FROM feed_trail WHERE org = $1 AND reached_at > $4)
        ON CONFLICT DO NOTHING";
    FORGET_TRAIL = "
        DELETE FROM feed_trail WHERE org = $1
          AND reached_at < (SELECT max(reached_at) FROM feed_trail WHERE org = $1 AND reached_at <= $2)";
    DROP_TRAIL = "DELETE FROM feed_trail WHERE org = $1";
    SEARCHED = "SELECT until FROM feed_search WHERE profile = $1";
    SET_SEARCHED = "
        INSERT INTO feed_search (profile, until) VALUES ($1, $2)
        ON CONFLICT (profile) DO UPDATE SET until = excluded.until";
    RELISTS = "SELECT profile, reason, asked_at FROM relist ORDER BY asked_at, profile";
    ASK_RELIST = "
        INSERT INTO relist (profile, reason, asked_at) VALUES ($1, $2, $3)
        ON CONFLICT (profile) DO UPDATE SET reason = excluded.reason, asked_at = excluded.asked_at";
    RELISTED = "DELETE FROM relist WHERE profile = $1 AND asked_at = $2";
    BACKFILL = "SELECT cursor, listed, queued, ended_at, total FROM backfill WHERE profile = $1";
    SET_BACKFILL = "
        INSERT INTO backfill (profile, cursor, listed, queued, ended_at, total) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (profile) DO UPDATE SET cursor = excluded.cursor, listed = excluded.listed,
            queued = excluded.queued, ended_at = excluded.ended_at, total = excluded.total";
    FORGET_RULES = "DELETE FROM swept_rule WHERE rule NOT IN (SELECT value FROM json_each($1))";
    RULE_SWEPT = "
        INSERT INTO swept_rule (rule, fingerprint, swept_at) VALUES ($1, $2, $3)
        ON CONFLICT (rule) DO UPDATE SET fingerprint = excluded.fingerprint, swept_at = excluded.swept_at";
    SWEPT_RULES = "SELECT rule, fingerprint FROM swept_rule";
}
