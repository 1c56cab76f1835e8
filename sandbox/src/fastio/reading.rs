//! What Fastio's AI reads out of a file (`ai.state`, `…/content/`): as a test says that it does, or by itself after a while, where the
//! stand-in was told that it does ([`crate::Options::read_delay`]).
//!
//! By itself it understands nothing: a text is read as it is, and of anything else the longest run of plain letters in it, as an image may
//! have a line of them. An archive, which a workbook is too, is not read.

use std::borrow::Cow;

use super::content::Stored;
use super::tree::Node;

/// What is shorter is no text, but chance.
const SHORTEST: usize = 16;

/// How archives begin.
const ARCHIVE: &[u8] = b"PK\x03\x04";

/// How far the AI is with a file.
#[derive(Debug)]
pub struct Reading<'a> {
    /// `disabled`, `pending`, `in_progress`, `ready` or `failed`.
    pub state: &'a str,
    /// None until it is ready.
    pub text: Option<Cow<'a, str>>,
    /// The version that it was read out of, without hyphens.
    pub version: &'a str,
}

/// How far it is with a file that it begins with when a version is there, and takes `delay_ms` for.
pub fn reading<'a>(node: &'a Node, delay_ms: Option<i64>, now: i64) -> Option<Reading<'a>> {
    if let Some(said) = &node.extraction {
        let text = (said.state == "ready").then(|| Cow::from(&said.text));
        return Some(Reading { state: &said.state, text, version: &said.version });
    }
    let version = node.version()?;
    let version_id = version.id.as_str();
    if now - version.created < delay_ms? {
        return Some(Reading { state: "pending", text: None, version: version_id });
    }
    let text = read(&version.content);
    Some(Reading { state: if text.is_some() { "ready" } else { "failed" }, text, version: version_id })
}

fn read(content: &Stored) -> Option<Cow<'_, str>> {
    let bytes = content.bytes()?;
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Some(Cow::from(text));
    }
    let runs = bytes.split(|byte| !(byte.is_ascii_graphic() || *byte == b' ' || *byte == b'\n'));
    let longest = runs.max_by_key(|run| run.len()).filter(|run| run.len() >= SHORTEST);
    let longest = longest.filter(|_| !bytes.starts_with(ARCHIVE))?;
    Some(String::from_utf8_lossy(longest))
}
