//! Finding files by name or by text, and the latest changes. These look at every node; nothing that runs often asks them.

use serde_json::{Map, Value, json};

use super::call::Call;
use super::nodes::{pagination, read_cursor};
use super::{Answer, ok};
use crate::fastio::id::shown;
use crate::fastio::profile::Profile;
use crate::fastio::refusal::Refusal;
use crate::fastio::render;
use crate::fastio::tree::{Key, Node, ROOT};

const SEARCH_MAX: usize = 500;
const SEARCH_DEFAULT: usize = 100;

/// The documented limit of every way to match a name but `auto`.
const MAX_PATTERN_CHARS: usize = 256;

const RECENT_MAX: usize = 500;
const RECENT_DEFAULT: usize = 100;

/// How long an indexed chunk is, as `content/` cuts them. What else a row says of its best chunk is not documented, and where
/// its score comes from has only this one documented name for a file's content.
const CHUNK_CHARS: usize = 2_000;

/// How much text a hit shows around what was found.
const SNIPPET_CHARS: usize = 160;

pub fn search(call: &Call, profile: &Profile) -> Answer {
    let wanted = call.query.need("search")?;
    let limit = call.query.number::<usize>("limit")?.unwrap_or(SEARCH_DEFAULT).clamp(1, SEARCH_MAX);
    let offset = call.query.number::<usize>("offset")?.unwrap_or(0);
    let within = call.query.get("search_in").unwrap_or("both");
    let (names, texts) = match within {
        "both" => (true, true),
        "filename" => (true, false),
        "content" => (false, true),
        _ => return Err(Refusal::input("search_in: This must be filename, content or both.")),
    };
    let mode = call.query.get("name_match").unwrap_or("auto");
    if !["auto", "exact", "prefix", "contains", "glob"].contains(&mode) {
        return Err(Refusal::input("name_match: This must be auto, exact, prefix, contains or glob."));
    }
    if mode != "auto" && wanted.chars().count() > MAX_PATTERN_CHARS {
        let text = "The search pattern may not exceed 256 characters when name_match is not auto.";
        return Err(Refusal::input_code(144_711, text));
    }
    let (files, total) = call.state.look(|world| {
        let tree = world.tree(profile)?;
        let mut files = Map::new();
        let mut total = 0;
        for (key, node) in tree.live_after(ROOT) {
            let named = names && name_matches(mode, wanted, &node.name);
            let found = if texts { found_in(node, wanted) } else { None };
            if !named && found.is_none() {
                continue;
            }
            total += 1;
            if total > offset && files.len() < limit {
                let version = node.version().map(|version| shown(&version.id));
                let best = found.as_ref().map(
                    |(place, _)| json!({"position": place / CHUNK_CHARS, "indexed_version_id": version}),
                );
                let score = if named { 1.0 } else { 0.5 };
                let row = json!({
                    "name": node.name,
                    "parent_id": tree.node(node.parent).map_or("root".to_owned(), |folder| shown(&folder.id)),
                    "type": node.kind.as_str(),
                    "relevance_score": score,
                    "raw_score": score,
                    "score_source": if named { "filename" } else { "keyword" },
                    "match_source": if named { "filename" } else { "content" },
                    "content_snippet": found.map(|(_, snippet)| snippet),
                    "best_chunk": best,
                    "path": tree.path(key),
                    "path_complete": true,
                });
                files.insert(shown(&node.id), row);
            }
        }
        Ok::<_, Refusal>((files, total))
    })?;
    let has_more = total > offset + files.len();
    ok(json!({
        "files": files,
        "search_metadata": {"search_in": within, "name_match": mode},
        "pagination": {"total": total, "limit": limit, "offset": offset, "has_more": has_more},
    }))
}

fn name_matches(mode: &str, wanted: &str, name: &str) -> bool {
    let (wanted, name) = (wanted.to_lowercase(), name.to_lowercase());
    match mode {
        "exact" => name == wanted,
        "prefix" => name.starts_with(&wanted),
        "glob" => glob(wanted.as_bytes(), name.as_bytes()),
        _ => name.contains(&wanted),
    }
}

/// `*` stands for any characters and `?` for one.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    match pattern {
        [] => name.is_empty(),
        [b'*', rest @ ..] => (0..=name.len()).any(|skipped| glob(rest, &name[skipped..])),
        [b'?', rest @ ..] => !name.is_empty() && glob(rest, &name[1..]),
        [byte, rest @ ..] => name.first() == Some(byte) && glob(rest, &name[1..]),
    }
}

/// Where in the file's text what is wanted stands, in characters, and the text around it as it is written there.
fn found_in(node: &Node, wanted: &str) -> Option<(usize, String)> {
    let text = node.version()?.content.text()?;
    let (mut letters, wanted) = (Vec::new(), wanted.to_lowercase());
    // Each character beside its lower case, which may be longer: places count in what is written.
    let lower: String = text
        .chars()
        .enumerate()
        .flat_map(|(place, letter)| letter.to_lowercase().map(move |lower| (place, lower)))
        .map(|(place, lower)| {
            letters.extend(std::iter::repeat_n(place, lower.len_utf8()));
            lower
        })
        .collect();
    let at = lower.find(&wanted).and_then(|byte| letters.get(byte).copied())?;
    let before = at.saturating_sub(SNIPPET_CHARS / 2);
    Some((at, text.chars().skip(before).take(SNIPPET_CHARS).collect()))
}

/// The latest changed first.
pub fn recent(call: &Call, profile: &Profile) -> Answer {
    let size = call.query.number::<usize>("page_size")?.unwrap_or(RECENT_DEFAULT).clamp(1, RECENT_MAX);
    let skipped = match call.query.get("cursor").map(read_cursor).transpose()? {
        Some(place) => place.parse::<usize>().map_err(|_| Refusal::input("cursor: Invalid cursor."))?,
        None => 0,
    };
    let kind = call.query.get("type");
    let (output, now) = (call.output()?, call.now());
    let (items, next) = call.state.look(|world| {
        let tree = world.tree(profile)?;
        let nodes =
            tree.live_after(ROOT).filter(|(_, node)| kind.is_none_or(|kind| kind == node.kind.as_str()));
        let mut all: Vec<(i64, Key)> = nodes.map(|(key, node)| (node.modified, key)).collect();
        all.sort_unstable_by(|one, other| other.cmp(one));
        let page = all.iter().skip(skipped).take(size);
        let items: Vec<Value> = page.map(|(_, key)| render::node(tree, *key, output, now)).collect();
        let next = (all.len() > skipped + size).then(|| (skipped + size).to_string());
        Ok::<_, Refusal>((items, next))
    })?;
    ok(json!({"nodes": {"count": items.len(), "items": items}, "pagination": pagination(size, next)}))
}
