//! The files: whether what can be searched of each is what it is, by path, rule and state.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::form::{Query, link, quoted};
use super::page::{Cell, Choice, Empty, Frame, Table, TableRow, choices, next_link, show};
use super::range::Range;
use super::{Dashboard, ROWS};
use crate::database::Connection;
use crate::listen::problem::Problem;
use crate::operate::guard::Viewer;
use crate::operate::words::{bytes, when};
use crate::sync::listing::{self, Cursor, Filter, Place, Row, Standing};

/// Parts of the list that one page looks through for files that pass its filter: each is two thousand files and some ten
/// milliseconds. A page behind which there may be more says so.
const PARTS: usize = 3;

pub const STATES: [&str; 6] = ["current", "unread", "behind", "out", "skipped", "gone"];

#[derive(Template)]
#[template(path = "files.html")]
struct Page {
    frame: Frame,
    path: String,
    rules: Vec<Choice>,
    states: Vec<Choice>,
    range: Range,
    table: Table,
    empty: Option<Empty>,
    /// Not all files could be looked at for this page.
    cut: bool,
    next: String,
    /// Which files a person means who acts on all of them.
    which: String,
    /// They are out, and may be brought back.
    are_out: bool,
}

pub async fn page(
    Viewer(who): Viewer,
    State(dashboard): State<Dashboard>,
    Query(fields): Query,
) -> Result<Response, Problem> {
    let (path, rule, state) = (fields.text("path"), fields.text("rule"), fields.text("state"));
    let range = Range::read(&fields, dashboard.now())?;
    let filter = Filter { changed: range.changed(), ..dashboard.filter(&path, &rule, &state) };
    let begin = fields.get("after").and_then(cursor).unwrap_or_default();
    let is_first = begin == Cursor::Start;
    let (mut rows, mut after, mut left) = (Vec::new(), Some(begin), PARTS);
    while let Some(at) = after.take() {
        let (here, room) = (filter.clone(), ROWS - u32::try_from(rows.len()).unwrap_or(ROWS).min(ROWS));
        let read = move |connection: &mut Connection| listing::page(connection, &here, &at, room);
        let part = dashboard.read(read).await?;
        rows.extend(part.rows);
        after = part.next;
        left -= 1;
        if rows.len() >= ROWS as usize || left == 0 {
            break;
        }
    }
    let now = dashboard.now();
    let pairs =
        [&[("path", path.as_str()), ("rule", &rule), ("state", &state)][..], &range.fields()].concat();
    let is_filtered = pairs.iter().any(|(_, value)| !value.is_empty());
    let empty = (rows.is_empty() && after.is_none()).then(|| match (is_first, is_filtered) {
        (true, true) => Empty {
            words: "No file passes this filter.".to_owned(),
            href: "/files".to_owned(),
            label: "Clear the filter",
        },
        (true, false) => Empty {
            words: "No file yet. One appears here when an event about it has been worked on.".to_owned(),
            href: "/webhooks".to_owned(),
            label: "See what came in",
        },
        (false, _) => Empty {
            words: "There are no more files.".to_owned(),
            href: link("/files", &pairs),
            label: "Back to the first",
        },
    });
    let mut table = table(&rows, now);
    let retries = who.role() >= crate::operate::guard::Role::Admin;
    if !retries {
        table.chosen = "";
    }
    let names = dashboard.rules.iter().map(|rule| rule.name.as_str());
    show(&Page {
        frame: dashboard.frame(who, ("/files", "Files"), command(&path, &rule, &state) + &range.options()),
        rules: choices(names, &rule),
        states: choices(STATES, &state),
        cut: after.is_some() && rows.len() < ROWS as usize,
        next: next_link("/files", &pairs, after.as_ref().map(written).as_deref()),
        which: link("", &pairs).trim_start_matches('?').to_owned(),
        are_out: state == "out",
        path,
        range,
        table,
        empty,
    })
}

/// The command that lists the same.
fn command(path: &str, rule: &str, state: &str) -> String {
    let mut command = "docket files".to_owned();
    if !path.is_empty() {
        command.push_str(&format!(" {}", quoted(path)));
    }
    if !rule.is_empty() {
        command.push_str(&format!(" --rule {}", quoted(rule)));
    }
    if !state.is_empty() {
        command.push_str(&format!(" --state {state}"));
    }
    command
}

impl Dashboard {
    pub fn filter(&self, path: &str, rule: &str, state: &str) -> Filter {
        let standing = match state {
            "current" => Some(Standing::Current),
            "unread" => Some(Standing::Unread),
            "behind" => Some(Standing::Behind),
            "out" => Some(Standing::Out),
            "skipped" => Some(Standing::Skipped),
            "gone" => Some(Standing::Gone),
            _ => None,
        };
        Filter {
            standing,
            gone: !path.is_empty(),
            rule: self.rules.named(rule).map(|rule| (rule.name.clone(), rule.profile.to_string())),
            place: (!path.is_empty()).then(|| Place::new(path)),
            changed: None,
        }
    }
}

/// Where the next page begins, as it stands in a link.
fn written(cursor: &Cursor) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_string(cursor).expect("texts and a number are JSON"))
}

fn cursor(text: &str) -> Option<Cursor> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

/// Where there is all to know of a file.
pub fn place(source_id: &str) -> String {
    link("/file", &[("id", source_id)])
}

fn table(rows: &[Row], now: i64) -> Table {
    let line = |row: &Row| {
        let name = row.path.as_deref().unwrap_or(&row.source_id);
        let since = row.since.map(|since| format!("{}: ", when(since.min(now), now))).unwrap_or_default();
        let reason = row.reason.as_ref().or(row.copy.note.as_ref()).map_or("", String::as_str);
        TableRow {
            item: row.source_id.clone(),
            label: name.to_owned(),
            cells: vec![
                Cell::link(name, place(&row.source_id)),
                Cell::state(row.state.as_str()),
                Cell::new(row.known_size().map_or_else(|| "–".to_owned(), bytes)),
                row.seen_at.map_or_else(|| Cell::new("–"), |at| Cell::past(at, now)),
                Cell::state(row.copy.state.as_deref().unwrap_or("–")),
                Cell::new(format!("{since}{reason}")),
            ],
        }
    };
    Table {
        caption: "Files, by path",
        head: vec!["path", "state", "size", "seen", "copy", "why"],
        rows: rows.iter().map(line).collect(),
        chosen: "chosen",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_list_comes_back_from_its_link() {
        for at in [
            Cursor::Files { path: "/a b/ü".to_owned(), source_id: "workspace:1:2a".to_owned() },
            Cursor::Unseen("workspace:1:2b".to_owned()),
            Cursor::Changed { at: 1_790_000_000_000, source_id: "workspace:1:2c".to_owned() },
        ] {
            assert_eq!(cursor(&written(&at)), Some(at));
        }
        assert_eq!(cursor("!"), None);
    }

    #[test]
    fn the_command_is_one_that_a_shell_takes() {
        assert_eq!(
            command("/It's here", "r", "behind"),
            "docket files '/It'\\''s here' --rule 'r' --state behind"
        );
    }
}
