//! Texts that Fastio has: what it read out of a file, in pieces, with the pages they stand on; and notes.

use crate::http::value::Fields;

use super::answer::Opened;
use super::client::{Client, storage};
use super::envelope::Envelope;
use super::{Error, NodeId, Profile, VersionId};

/// Pieces asked for at once. The default is 20 and the most is not documented.
const PIECES_PER_CALL: &str = "100";

/// Bytes of text asked for at once: the documented default.
const BYTES_PER_CALL: &str = "262144";

/// More calls than any file needs whose text is worth checking: 10,000 × 256 KiB is 2.5 GB.
const MAX_CALLS: usize = 10_000;

/// A file's text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extract {
    /// In the order of the file.
    pub pieces: Vec<Piece>,
    /// Fastio has read the file at all. It reads files in its own time, and some never.
    pub indexed: bool,
    /// False when there is more: the file is still being read, or the text is longer than was asked for.
    pub complete: bool,
    /// The version that this is the text of. It may be an older one than the current.
    pub version: Option<VersionId>,
}

/// One piece of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Piece {
    pub text: String,
    /// The first and the last page it stands on, where Fastio says.
    pub pages: Option<(u32, u32)>,
}

impl Client {
    /// The text of a file's current version, or of the one Fastio has read ([`Extract::version`]), up to about
    /// `max_bytes` (the last piece may go beyond): `GET {profile}/storage/{node}/content/`.
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] when the file is gone; [`super::ErrorKind::Unreadable`] also when Fastio reads
    /// another version meanwhile or the pieces do not go on; and those of every call.
    pub async fn text(&self, profile: &Profile, node: &NodeId, max_bytes: usize) -> Result<Extract, Error> {
        const OPERATION: &str = "reading a file's text";
        let path = storage(profile, &[node.as_str(), "content"]);
        let (mut extract, mut bytes, mut from) = (Extract::default(), 0_usize, "0".to_owned());
        for call in 0..MAX_CALLS {
            let query =
                [("chunk_from", from.as_str()), ("limit", PIECES_PER_CALL), ("max_bytes", BYTES_PER_CALL)];
            let Opened { head, envelope, .. } = self.call(OPERATION, &path, &query).await?;
            let unreadable = |what| Error::unreadable(OPERATION, &head, what);
            let page = read(&envelope).ok_or_else(|| unreadable("no list of pieces"))?;
            if call > 0 && page.extract.version != extract.version {
                return Err(unreadable("the text is of another version now"));
            }
            let Extract { pieces, indexed, complete, version } = page.extract;
            bytes = pieces.iter().fold(bytes, |sum, piece| sum.saturating_add(piece.text.len()));
            let nothing_new = pieces.is_empty();
            extract.pieces.extend(pieces);
            (extract.indexed, extract.complete, extract.version) = (indexed, complete, version);
            match page.next {
                // Only a literal null ends the list (Fastio's API reference).
                None => return Ok(extract),
                Some(next) if next == from || nothing_new => {
                    return Err(unreadable("the pieces do not go on"));
                }
                Some(_) if bytes >= max_bytes => break,
                Some(next) => from = next,
            }
        }
        extract.complete = false;
        Ok(extract)
    }
}

impl Client {
    /// The Markdown of a note's current version, and which version that is: `GET {profile}/storage/{node}/readnote/`.
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] when the note is gone, and those of every call.
    pub async fn note(&self, profile: &Profile, node: &NodeId) -> Result<(String, Option<VersionId>), Error> {
        const OPERATION: &str = "reading a note";
        let Opened { head, envelope, .. } =
            self.call(OPERATION, &storage(profile, &[node.as_str(), "readnote"]), &[]).await?;
        // The newest reference has the fields flat; the official client reads `content` beside the whole `note`.
        let note = envelope.object("note");
        let text =
            envelope.get("content").or_else(|| note?.get("content")).and_then(crate::http::value::text);
        let version = note.and_then(|note| note.id("version")).or_else(|| envelope.root().id("version"));
        let text = text.ok_or_else(|| Error::unreadable(OPERATION, &head, "no text"))?;
        Ok((text, version.map(VersionId)))
    }
}

struct Page {
    extract: Extract,
    next: Option<String>,
}

fn read(envelope: &Envelope) -> Option<Page> {
    let said = |name| envelope.get(name).and_then(crate::http::value::flag);
    let text = |name| envelope.get(name).and_then(crate::http::value::text);
    let pieces: Vec<Piece> = envelope.list("chunks")?.iter().filter_map(Fields::of).map(piece).collect();
    let extract = Extract {
        indexed: said("indexed").unwrap_or(!pieces.is_empty()),
        complete: said("complete").unwrap_or(false),
        version: text("indexed_version_id").filter(|id| !id.is_empty()).map(VersionId),
        pieces,
    };
    Some(Page { extract, next: text("next_cursor") })
}

fn piece(fields: Fields<'_>) -> Piece {
    let page = |name| fields.unsigned(name).and_then(|page| u32::try_from(page).ok());
    let first = page("start_page");
    let pages = first.map(|first| (first, page("end_page").unwrap_or(first).max(first)));
    Piece { text: fields.text("text").unwrap_or_default(), pages }
}
