//! The calls by which a change is learnt without a webhook: the organisation's change feed, event search, and the
//! inventory of a workspace or share.

use jiff::Timestamp;
use serde_json::Value;

use crate::http::value::Fields;

use super::answer::Opened;
use super::client::storage;
use super::envelope::Envelope;
use super::{Client, Error, Node, NodeKind, Page, Profile, ProfileKind, node, path};

/// The most rows one call of the change feed gives (Fastio's API reference).
const CHANGES_PER_PAGE: &str = "1000";

/// The most events one page of a search gives (Fastio's API reference).
const EVENTS_PER_PAGE: &str = "250";

/// The largest page of storage lists; that the inventory takes it too is inferred.
const NODES_PER_PAGE: &str = "500";

/// "Invalid cursor" of the change feed (Fastio's API reference). That of an expired one has a reason besides.
const INVALID_CURSOR: &str = "158008";
const CURSOR_EXPIRED: (&str, &str) = ("187907", "cursor_expired");

/// What the change feed answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Changes {
    Page(ChangePage),
    /// Fastio no longer knows where we were. What happened since then has to be found by listing.
    CursorLost,
}

/// A page of the change feed.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangePage {
    /// As sent: ids and an event's name each, in the shape of a webhook's event.
    pub changes: Vec<Value>,
    /// Where to go on. Opaque.
    pub cursor: String,
    /// More is there already; with a cursor that did not move, more is settling.
    pub has_more: bool,
    /// Changes when the set of workspaces and shares that the key may read does.
    pub profiles_version: Option<String>,
    pub profiles: Vec<Profile>,
}

/// Files of shares have a category of their own; a search for one alone misses the other without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    Workspace,
    Share,
}

impl Category {
    pub const ALL: [Category; 2] = [Category::Workspace, Category::Share];

    fn as_str(self) -> &'static str {
        match self {
            Category::Workspace => "workspace",
            Category::Share => "share",
        }
    }
}

/// Which events are searched for.
#[derive(Debug, Clone, Copy)]
pub struct EventSearch<'a> {
    pub profile: &'a Profile,
    pub category: Category,
    /// Unix milliseconds.
    pub since: i64,
}

/// A page of an event search, newest first. It may be short or empty with more to come: Fastio takes out what the key
/// may not see after it has cut the page.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundEvents {
    /// As sent.
    pub events: Vec<Value>,
    pub next: Option<String>,
}

/// A row of the inventory.
#[derive(Debug, Clone, PartialEq)]
pub struct Inventoried {
    pub node: Node,
    /// From the root; none where Fastio does not say the whole of it, each name included.
    pub path: Option<String>,
}

impl Inventoried {
    /// What a row does not say can only be asked for, by the file's own job: so it is then placed nowhere.
    pub fn new(node: Node, path: Option<String>) -> Self {
        // What is no file may have no size to say.
        let is_said = match node.kind {
            NodeKind::Unsaid => false,
            NodeKind::Note | NodeKind::Link => true,
            _ => node.size.is_some(),
        };
        let path = path.filter(|_| is_said);
        let kind = if node.kind == NodeKind::Unsaid { NodeKind::File } else { node.kind };
        Inventoried { node: Node { kind, ..node }, path }
    }
}

impl Client {
    /// What changed since `cursor`; without one, where to begin: `GET org/{org}/events/changes/`.
    ///
    /// # Errors
    /// [`super::ErrorKind::Forbidden`] when the key may read nothing there, and those of every call.
    pub async fn changes(&self, org: &str, cursor: Option<&str>) -> Result<Changes, Error> {
        const OPERATION: &str = "following the change feed";
        let mut query = vec![("limit", CHANGES_PER_PAGE)];
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let answer = self.send(OPERATION, &["org", org, "events", "changes"], &query).await?;
        if cursor.is_some()
            && answer.refusal().is_some_and(|refusal| {
                let code = refusal.code.as_deref();
                answer.head.status.is_client_error()
                    && (code == Some(INVALID_CURSOR)
                        || code == Some(CURSOR_EXPIRED.0)
                        || refusal.reason.as_deref() == Some(CURSOR_EXPIRED.1))
            })
        {
            return Ok(Changes::CursorLost);
        }
        let Opened { head, envelope, .. } = answer.accept(OPERATION)?;
        let page = change_page(&envelope).map_err(|what| Error::unreadable(OPERATION, &head, what))?;
        Ok(Changes::Page(page))
    }

    /// The events that are searched for: `GET events/search/`.
    ///
    /// # Errors
    /// [`super::ErrorKind::Forbidden`] when the key may not (inferred: the audit log needs an administrator's key), and
    /// those of every call.
    pub async fn search_events(
        &self,
        search: &EventSearch<'_>,
        cursor: Option<&str>,
    ) -> Result<FoundEvents, Error> {
        const OPERATION: &str = "searching events";
        let EventSearch { profile, category, since } = search;
        let scope = match profile.kind {
            ProfileKind::Workspace => "workspace_id",
            ProfileKind::Share => "share_id",
        };
        // Whole seconds, rounded down: the rows' times have no more.
        let since =
            Timestamp::from_second(since.div_euclid(1000)).unwrap_or(Timestamp::UNIX_EPOCH).to_string();
        let mut query = vec![
            (scope, profile.id.as_str()),
            ("category", category.as_str()),
            ("created-min", since.as_str()),
            ("limit", EVENTS_PER_PAGE),
        ];
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let opened = self.call(OPERATION, &["events", "search"], &query).await?;
        let found = found(&opened.envelope).and_then(|found| match (&found.next, cursor) {
            (Some(next), Some(cursor)) if next == cursor => Err("the cursor does not move"),
            _ => Ok(found),
        });
        found.map_err(|what| Error::unreadable(OPERATION, &opened.head, what))
    }

    /// A page of every live file with its path: `GET {profile}/storage/inventory/`.
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] for a workspace that is not there or not ours to see, and those of every call.
    pub async fn inventory(
        &self,
        profile: &Profile,
        cursor: Option<&str>,
    ) -> Result<Page<Inventoried>, Error> {
        const OPERATION: &str = "listing the inventory";
        // `output` is refused here. Without a type it lists nodes of every type: notes and links too.
        let mut query = vec![("include", "path"), ("page_size", NODES_PER_PAGE)];
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let opened = self.call(OPERATION, &storage(profile, &["inventory"]), &query).await?;
        let page = node::page_of(&opened.envelope, inventoried).and_then(|page| match (&page.next, cursor) {
            (Some(next), Some(cursor)) if next == cursor => Err("the cursor does not move"),
            _ => Ok(page),
        });
        page.map_err(|what| Error::unreadable(OPERATION, &opened.head, what))
    }
}

fn change_page(envelope: &Envelope) -> Result<ChangePage, &'static str> {
    let cursor = envelope.get("cursor").and_then(Value::as_str).filter(|cursor| !cursor.is_empty());
    let profiles = envelope.object("profiles");
    let items = profiles.and_then(|profiles| profiles.list("items")).unwrap_or_default();
    Ok(ChangePage {
        changes: envelope.list("changes").ok_or("no list of changes")?.to_vec(),
        cursor: cursor.ok_or("no cursor")?.to_owned(),
        has_more: envelope.get("has_more").and_then(crate::http::value::flag).unwrap_or(false),
        profiles_version: profiles.and_then(|profiles| profiles.id("version")),
        profiles: items.iter().filter_map(profile).collect(),
    })
}

fn profile(item: &Value) -> Option<Profile> {
    let fields = Fields::of(item)?;
    let id = fields.id("id")?;
    match fields.text("type")?.as_str() {
        "workspace" => Some(Profile::workspace(id)),
        "share" => Some(Profile::share(id)),
        _ => None,
    }
}

/// Where `has_more` is missing (older builds), only an empty page is the end.
fn found(envelope: &Envelope) -> Result<FoundEvents, &'static str> {
    let events = envelope.list("events").ok_or("no list of events")?.to_vec();
    let pagination = envelope.object("pagination");
    let cursor = pagination.and_then(|pagination| pagination.id("next_cursor"));
    let more = pagination.and_then(|pagination| pagination.flag("has_more"));
    match (more.unwrap_or(!events.is_empty() && cursor.is_some()), cursor) {
        (true, None) => Err("more events promised, but no cursor"),
        (true, next) => Ok(FoundEvents { events, next }),
        (false, _) => Ok(FoundEvents { events, next: None }),
    }
}

fn inventoried(row: &Value) -> Option<Inventoried> {
    let node = Node::read(row)?;
    let fields = Fields::of(row)?;
    let whole = fields.flag("path_complete").unwrap_or(true);
    let path = fields.id("path").filter(|_| whole);
    // With or without its first slash: no document shows one.
    let names = path.as_deref().map(|path| path.strip_prefix('/').unwrap_or(path));
    let path = names.filter(|names| path::is_said(names)).map(|names| path::below("", names));
    Some(Inventoried::new(node, path))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_that_is_cut_short_is_none() {
        let row = |extra: Value| {
            let mut row = json!({"id": "2a", "type": "file", "name": "a.txt", "size": 1});
            row.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            inventoried(&row).unwrap().path
        };
        assert_eq!(row(json!({"path": "/x/a.txt", "path_complete": true})).as_deref(), Some("/x/a.txt"));
        assert_eq!(row(json!({"path": "x/a.txt"})).as_deref(), Some("/x/a.txt"));
        assert_eq!(row(json!({"path": "a.txt", "path_complete": false})), None);
        assert_eq!(row(json!({})), None);
        for unsaid in ["///in.txt", "/a//in.txt", "/a/", "/", "//"] {
            assert_eq!(row(json!({ "path": unsaid })), None, "{unsaid}");
        }
    }
}
