//! What happened, in the three ways Fastio tells it on request: event search, the organisation's change feed, and the
//! activity long poll.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::call::Call;
use super::{Answer, ok};
use crate::fastio::event::Event;
use crate::fastio::id::{canonical, shown};
use crate::fastio::profile::{Profile, ProfileKind};
use crate::fastio::refusal::Refusal;
use crate::fastio::world::World;
use crate::fastio::{ORG_ID, render, time};

/// The documented range and default of the feed's `limit`.
const FEED_MAX: usize = 1_000;
const FEED_DEFAULT: usize = 250;

/// The documented largest page of event search, and an inferred default.
const SEARCH_MAX: usize = 250;
const SEARCH_DEFAULT: usize = 100;

/// The documented longest name of an event that is searched for.
const MAX_NAME_CHARS: usize = 100;

/// The longest a poll is held, as the documented example waits.
const MAX_WAIT_SECONDS: u64 = 95;

/// The most keys one poll answers; a client that sees this many looks at everything anyway.
const MAX_ACTIVITY: usize = 1_000;

/// Bytes in front of a feed cursor. In base64 they are `+`, `/` and `+` again, which a client must encode, once.
const FEED_MARK: [u8; 4] = [0xfb, 0xff, 0xfe, 0xfb];

pub fn profile(call: &Call, kind: &str, id: &str) -> Answer {
    let profile = if kind == "share" { Profile::share(id) } else { Profile::workspace(id) };
    call.state.look(|world| world.tree(&profile).map(|_| ()))?;
    let mut fields = json!({});
    fields[kind] = described(&profile);
    ok(fields)
}

/// A workspace or a share, as lists and details show it.
pub fn described(profile: &Profile) -> Value {
    let id = &profile.id;
    json!({"id": id, "name": id, "folder_name": id, "org_id": ORG_ID, "intelligence": false})
}

pub fn details(call: &Call, id: &str) -> Answer {
    let event = call.state.look(|world| world.log.find(&canonical(id)).map(render::event));
    ok(json!({"event": event.ok_or_else(|| Refusal::not_found("The event"))?}))
}

pub fn acknowledge(call: &Call, id: &str) -> Answer {
    let known = call.state.change(|world| world.log.acknowledge(&canonical(id)));
    if known { ok(json!({"event_id": canonical(id)})) } else { Err(Refusal::not_found("The event")) }
}

/// Newest first. Pages are cut from everything that happened in the profile, and only then lose the rows that do not
/// match: short and empty pages in the middle are normal, as with Fastio, where rows one may not see go the same way.
pub fn search(call: &Call) -> Answer {
    let query = &call.query;
    let scopes = ["workspace_id", "share_id", "org_id", "user_id", "parent_event_id"];
    if scopes.iter().all(|scope| query.get(scope).is_none()) {
        return Err(Refusal::input(
            "One of workspace_id, share_id, org_id, user_id or parent_event_id is required.",
        ));
    }
    let alone = ["parent_event_id", "acknowledged", "limit", "offset", "output"];
    if query.get("parent_event_id").is_some()
        && query.0.iter().any(|(name, _)| !alone.contains(&name.as_str()))
    {
        return Err(Refusal::input(
            "parent_event_id: This can only be combined with acknowledged, limit and offset.",
        ));
    }
    if query.get("event").is_some_and(|name| name.chars().count() > MAX_NAME_CHARS) {
        return Err(Refusal::input("event: This may have at most 100 characters."));
    }
    let limit = query.number::<usize>("limit")?.unwrap_or(SEARCH_DEFAULT);
    if !(1..=SEARCH_MAX).contains(&limit) {
        return Err(Refusal::input("limit: This must be between 1 and 250."));
    }
    let offset = query.number::<usize>("offset")?.unwrap_or(0);
    let before = query.get("cursor").map(|cursor| unmark(cursor, b's').ok_or_else(bad_cursor)).transpose()?;
    let wanted = Wanted::read(call)?;
    let (rows, next) = call.state.look(|world| {
        let mut scoped = (world.log.after(0).rev())
            .filter(|event| before.is_none_or(|before| event.seq < before) && in_scope(call, event))
            .skip(offset);
        let page: Vec<&Event> = scoped.by_ref().take(limit).collect();
        let next = scoped.next().and(page.last()).map(|event| mark(event.seq, b's'));
        let rows: Vec<Value> =
            page.into_iter().filter(|event| wanted.matches(event)).map(render::event).collect();
        (rows, next)
    });
    ok(json!({
        "events": rows,
        "pagination": {"has_more": next.is_some(), "next_cursor": next, "page_size": limit},
    }))
}

fn bad_cursor() -> Refusal {
    Refusal::input_code(158_008, "Invalid cursor.")
}

fn in_scope(call: &Call, event: &Event) -> bool {
    let is = |field: &str, actual: &str| call.query.get(field).is_none_or(|wanted| wanted == actual);
    let of = |field: &str, kind: ProfileKind| {
        let wanted = call.query.get(field);
        wanted.is_none_or(|id| event.profile.kind == kind && event.profile.id == id)
    };
    // No event here has a parent event; `user_id` is not the one who did it.
    of("workspace_id", ProfileKind::Workspace)
        && of("share_id", ProfileKind::Share)
        && is("org_id", ORG_ID)
        && call.query.get("parent_event_id").is_none()
}

/// The filters that take rows off a page.
struct Wanted<'a> {
    call: &'a Call,
    object: Option<String>,
    acknowledged: Option<bool>,
    from: Option<i64>,
    to: Option<i64>,
}

impl Wanted<'_> {
    fn read(call: &Call) -> Result<Wanted<'_>, Refusal> {
        let moment = |name: &str| {
            let wrong = || Refusal::input(format!("{name}: This is not a valid date."));
            call.query.get(name).map(|text| time::read(text).ok_or_else(wrong)).transpose()
        };
        let object = call.query.get("object_id").map(canonical);
        let acknowledged = call.query.get("acknowledged").map(|_| call.query.flag("acknowledged"));
        Ok(Wanted { call, object, acknowledged, from: moment("created-min")?, to: moment("created-max")? })
    }

    fn matches(&self, event: &Event) -> bool {
        let is = |field: &str, actual: &str| self.call.query.get(field).is_none_or(|wanted| wanted == actual);
        // Times are compared as they are shown: in whole seconds.
        let at = event.at.div_euclid(1000) * 1000;
        is("event", &event.name())
            && is("category", event.category())
            && is("subcategory", event.subcategory())
            && is("calling_user_id", &event.user)
            && self.acknowledged.is_none_or(|wanted| wanted == event.acknowledged)
            && self.object.as_ref().is_none_or(|object| *object == event.object)
            && self.from.is_none_or(|from| at >= from)
            && self.to.is_none_or(|to| at <= to)
    }
}

/// The change feed. Inferred limits: it tells no purge, as documented, and no download.
pub fn changes(call: &Call, org: &str) -> Answer {
    if org != ORG_ID {
        return Err(Refusal::forbidden(135_626, "You cannot read anything in this organization."));
    }
    let limit = match call.query.number::<usize>("limit") {
        Ok(limit) => limit.unwrap_or(FEED_DEFAULT),
        Err(_) => 0,
    };
    if !(1..=FEED_MAX).contains(&limit) {
        return Err(Refusal::input_code(207_321, "limit: This must be between 1 and 1000."));
    }
    call.state.look(|world| {
        let profiles = profiles(world);
        let head = world.log.head();
        let Some(cursor) = call.query.get("cursor") else {
            return ok(json!({"changes": [], "cursor": mark(head, b'f'), "has_more": false, "profiles": profiles}));
        };
        let after = unmark(cursor, b'f').filter(|seq| *seq <= head).ok_or_else(bad_cursor)?;
        if after + 1 < world.log.tail() {
            let text = "The cursor has expired. Resynchronize, then continue from a new cursor.";
            return Err(Refusal::input_code(187_907, text).with_params(json!({"reason": "cursor_expired"})));
        }
        let mut rows = world.log.after(after).filter(|event| event.in_feed());
        let page: Vec<&Event> = rows.by_ref().take(limit).collect();
        let has_more = rows.next().is_some();
        let reached = if has_more { page.last().map_or(head, |event| event.seq) } else { head };
        let changes: Vec<Value> = page.into_iter().map(render::change).collect();
        ok(json!({"changes": changes, "cursor": mark(reached, b'f'), "has_more": has_more, "profiles": profiles}))
    })
}

fn profiles(world: &World) -> Value {
    let mut hasher = DefaultHasher::new();
    let items: Vec<Value> = (world.trees())
        .map(|tree| {
            tree.profile.to_string().hash(&mut hasher);
            json!({"id": tree.profile.id, "type": tree.profile.kind.as_str()})
        })
        .collect();
    let version = format!("{:016x}", hasher.finish());
    json!({"version": version[..6], "items": items})
}

/// A place in the log as an opaque cursor, with a check so that a mangled one is refused.
fn mark(seq: u64, of: u8) -> String {
    let mut bytes = FEED_MARK.to_vec();
    bytes.push(of);
    bytes.extend(seq.to_be_bytes());
    bytes.extend(crc32c::crc32c(&bytes).to_be_bytes()[..3].iter());
    STANDARD.encode(bytes)
}

fn unmark(cursor: &str, of: u8) -> Option<u64> {
    let bytes = STANDARD.decode(cursor).ok()?;
    let (place, _) = bytes.strip_prefix(&FEED_MARK)?.strip_prefix(&[of])?.split_first_chunk::<8>()?;
    let seq = u64::from_be_bytes(*place);
    (mark(seq, of) == cursor).then_some(seq)
}

/// Holds the request until something happens in the profile, within limits. `lastactivity` is a place in the log.
pub async fn poll(call: &Call, id: &str) -> Answer {
    let wait = call.query.number::<u64>("wait")?.unwrap_or(0).min(MAX_WAIT_SECONDS);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(wait);
    let Some(since) = call.query.number::<u64>("lastactivity")? else {
        let head = call.state.look(|world| world.log.head());
        return ok(json!({"activity": [], "lastactivity": head.to_string()}));
    };
    let mut news = call.state.news();
    loop {
        news.borrow_and_update();
        let (keys, head) = call.state.look(|world| (activity(world, id, since), world.log.head()));
        let changed = tokio::time::timeout_at(deadline, news.changed());
        if !keys.is_empty() || !matches!(changed.await, Ok(Ok(()))) {
            return ok(json!({"activity": keys, "lastactivity": head.to_string()}));
        }
    }
}

fn activity(world: &World, id: &str, since: u64) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for event in world.log.after(since).filter(|event| event.in_feed()) {
        if id == ORG_ID || event.profile.id == id || event.user == id {
            let key = format!("storage:{}", shown(&event.object));
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        if keys.len() >= MAX_ACTIVITY {
            break;
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::{mark, unmark};

    #[test]
    fn a_cursor_needs_encoding_and_tells_when_it_was_mangled() {
        let cursor = mark(12, b'f');
        assert!(cursor.contains('+') && cursor.contains('/'), "{cursor}");
        assert_eq!(unmark(&cursor, b'f'), Some(12));
        assert_eq!(unmark(&cursor, b's'), None);
        assert_eq!(unmark(&cursor.replace('+', " "), b'f'), None);
    }
}
