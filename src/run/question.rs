//! What rules ask and have asked, and since when: the table `question`. A result says what it is the answer to.

use super::Runs;
use crate::database::{Connection, Error, from_row, params, statements};

/// What was asked, in the words of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub prompt: String,
    /// When a rule first asked it so. Unix milliseconds.
    pub since: i64,
}

from_row!(Question { prompt, since });

impl Runs {
    /// Writes down what the rules ask now.
    ///
    /// # Errors
    /// Our database's.
    pub async fn keep_questions(&self) -> Result<(), Error> {
        let (definitions, now) = (self.definitions.clone(), self.clock.now());
        let keep = move |tx: &mut Connection| {
            definitions.iter().try_for_each(|definition| {
                tx.run(KEEP, params![definition.hash, definition.prompt, now]).map(drop)
            })
        };
        self.database.write(keep).await
    }
}

/// What the definition of this hash asks, if it was kept.
pub(super) fn of(connection: &mut Connection, definition: &str) -> Result<Option<Question>, Error> {
    connection.first(OF, params![definition])
}

statements! {
    KEEP = "
        INSERT INTO question (definition, prompt, since) VALUES ($1, $2, $3)
        ON CONFLICT (definition) DO UPDATE SET prompt = excluded.prompt WHERE question.prompt IS NULL";
    OF = "SELECT prompt, since FROM question WHERE definition = $1 AND prompt IS NOT NULL";
}
