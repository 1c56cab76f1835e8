//! Texts that Fastio has of what is no plain file to OpenAI: what it read out of a file, notes, and links.

use tokio::time::{Instant, sleep};

use super::Stage;
use crate::fastio::{Error, Extract, Extraction, Node, NodeId, NodeKind};
use crate::rehearse::assumption as a;
use crate::rehearse::finding::Book;

/// What the file says in each of its versions.
const IN_EACH: &str = "Liability of either party";

/// More than the file has.
const MOST_BYTES: usize = 4096;

const NOTE: &str = "# Rehearsal\n\nThis note is removed again.";
const NOTE_NAME: &str = "rehearsal.md";

impl Stage<'_> {
    pub(super) async fn read_texts(&self, book: &mut Book<'_>, (file, folder): (&Node, &NodeId)) {
        self.read_extract(book, file).await;
        self.read_note(book, folder).await;
        self.read_link(book).await;
    }

    async fn read_extract(&self, book: &mut Book<'_>, file: &Node) {
        let began = Instant::now();
        let is_of_another = |extract: &Extract| extract.version.is_some() && extract.version != file.version;
        loop {
            let extract = match self.client.text(self.profile, &file.id, MOST_BYTES).await {
                Ok(extract) => extract,
                Err(error) => return book.barred(&[&a::TEXT_IS_EXTRACTED], &error),
            };
            let took = began.elapsed();
            if extract.indexed && !is_of_another(&extract) {
                let text: String = extract.pieces.iter().map(|piece| piece.text.as_str()).collect();
                let version = match &extract.version {
                    Some(_) => "with its version",
                    None => "without a version",
                };
                let seen =
                    format!("{} characters {version} after {} ms", text.chars().count(), took.as_millis());
                let holds = text.contains(IN_EACH) && extract.version.is_some();
                return book.note(&a::TEXT_IS_EXTRACTED, holds, seen);
            }
            let shown = self.client.node(self.profile, &file.id).await;
            if shown.is_ok_and(|node| node.extraction == Extraction::None) {
                let why = "Fastio does not read the files of this workspace, or not this one";
                return book.unknown(&a::TEXT_IS_EXTRACTED, why);
            }
            if took >= self.patience.for_indexing {
                let read = if extract.indexed { "an earlier version" } else { "nothing" };
                let seen = format!("it had read {read} after {} seconds", took.as_secs());
                return book.unknown(&a::TEXT_IS_EXTRACTED, seen);
            }
            sleep(self.patience.next_look(began)).await;
        }
    }

    async fn read_note(&self, book: &mut Book<'_>, folder: &NodeId) {
        let made = match self.client.create_note(self.profile, folder, (NOTE_NAME, NOTE)).await {
            Ok(made) => self.client.node(self.profile, &made.id).await,
            Err(error) => return book.barred(&[&a::NOTE_IS_READ], &error),
        };
        let node = match made {
            Ok(node) => node,
            Err(error) => return book.refused(&a::NOTE_IS_READ, &error),
        };
        let read = self.client.note(self.profile, &node.id).await;
        book.judge(&a::NOTE_IS_READ, read, |(text, version)| {
            let same = text.trim_end() == NOTE;
            let kind = if node.kind == NodeKind::Note { "shown as a note" } else { "not shown as a note" };
            let words = if same { "its text" } else { "another text" };
            let at = match version {
                Some(version) if Some(version) == node.version.as_ref() => "its version",
                Some(_) => "another version",
                None => "no version",
            };
            let holds = same && node.kind == NodeKind::Note && version.is_some() && *version == node.version;
            (holds, format!("{kind}, {words} with {at}"))
        });
    }

    /// A link needs a share to lead to, and nobody's is made for this: one that is there is looked at.
    async fn read_link(&self, book: &mut Book<'_>) {
        match self.link().await {
            Ok(Some(link)) => {
                let seen = if link.share.is_some() { "the share is named" } else { "no share is named" };
                book.note(&a::LINK_SAYS_ITS_SHARE, link.share.is_some(), seen);
            }
            Ok(None) => {
                let why = "there is no link on the inventory's first page";
                book.unknown(&a::LINK_SAYS_ITS_SHARE, why);
            }
            Err(error) => book.refused(&a::LINK_SAYS_ITS_SHARE, &error),
        }
    }

    async fn link(&self) -> Result<Option<Node>, Error> {
        let page = self.client.inventory(self.profile, None).await?;
        let link = page.items.into_iter().find(|row| row.node.kind == NodeKind::Link && !row.node.trashed);
        match link {
            Some(link) => self.client.node(self.profile, &link.node.id).await.map(Some),
            None => Ok(None),
        }
    }
}
