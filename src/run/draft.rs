//! What a run was shown of its document: whether it is a text that stands for it, and whether the document is still being written: tracked changes and comments in a Word document. Its text, as it is
//! read out, may have what was deleted beside what was inserted, so a quote is no proof of what was agreed.

use super::Runs;
use super::row::Run;
use crate::openai::FileId;
use crate::queue::Verdict;
use crate::sync::copy::Draft;
use crate::sync::form::note_on_result;
use crate::sync::reading::store;

impl Runs {
    /// What the document says of its own changes, if there are any.
    pub(super) async fn draft(&self, run: &Run) -> Result<Option<Draft>, Verdict> {
        let wanted = FileId(run.file_id.clone());
        let known = self.database.read(move |connection| store::copy_of(connection, &wanted)).await?;
        Ok(known.and_then(|known| known.draft).filter(|draft| !draft.is_clean()))
    }

    /// What is to be said of a text that stands for the document.
    pub(super) async fn stand_in(&self, run: &Run) -> Result<Option<&'static str>, Verdict> {
        let wanted = FileId(run.file_id.clone());
        let known = self.database.read(move |connection| store::copy_of(connection, &wanted)).await?;
        Ok(known.and_then(|known| known.copy.claim).as_deref().and_then(note_on_result))
    }
}

/// The reason why a person has to look at the result.
pub(super) fn in_words(draft: Draft) -> String {
    let count = |count: u32, what: &str| match count {
        0 => None,
        1 => Some(format!("1 {what}")),
        many => Some(format!("{many} {what}s")),
    };
    let counts = [count(draft.changes, "tracked change"), count(draft.comments, "comment")];
    format!("the document has {}", counts.into_iter().flatten().collect::<Vec<_>>().join(" and "))
}

/// The same as it stands at the top of the result.
pub(super) fn note(draft: Draft) -> String {
    let words = in_words(draft).replacen("the", "The", 1);
    let doubt = match draft.changes {
        0 => "a quote may be of a comment, which is no part of what is agreed",
        _ => {
            "deleted words may stand beside inserted ones in its text, and Docket cannot tell which of them are agreed"
        }
    };
    format!("{words}: {doubt}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_agreed_is_told_in_words() {
        assert_eq!(
            in_words(Draft { changes: 1, comments: 2 }),
            "the document has 1 tracked change and 2 comments"
        );
        assert!(
            note(Draft { changes: 3, comments: 0 })
                .starts_with("The document has 3 tracked changes: deleted")
        );
        assert!(note(Draft { changes: 0, comments: 1 }).starts_with("The document has 1 comment: a quote"));
    }
}
