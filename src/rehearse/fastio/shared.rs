//! A link to a file, for nobody.

use super::Stage;
use crate::fastio::{Node, ProfileKind};
use crate::rehearse::assumption as a;
use crate::rehearse::finding::Book;
use crate::rehearse::made::{Made, link};

/// It ends by itself, should it not be removed.
const SECONDS: u64 = 60 * 60;

impl Stage<'_> {
    pub(super) async fn share(&self, book: &mut Book<'_>, made: &mut Made, file: &Node) {
        if self.profile.kind != ProfileKind::Workspace {
            return book.unknown(&a::FILE_SHARE_IS_LISTED, "only files of workspaces have such links");
        }
        let title = link(self.mark);
        let share = match self.client.share_file(self.profile, &file.id, (&title, SECONDS)).await {
            Ok(share) => share,
            Err(error) => return book.barred(&[&a::FILE_SHARE_IS_LISTED], &error),
        };
        made.shares.push(share.clone());
        let listed = self.client.file_shares(self.profile).await;
        book.judge(&a::FILE_SHARE_IS_LISTED, listed, |all| {
            let holds = all.iter().any(|one| one.id == share && one.is(&file.id, &title));
            (holds, if holds { "listed" } else { "not listed by its title" }.to_owned())
        });
    }
}
