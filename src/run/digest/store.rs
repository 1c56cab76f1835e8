//! The statements on `digest_row` and `digest_ask`: what a rule's table says of each file, and since when it waits to be written.

use crate::database::{Connection, Error, from_row, params, statements};

/// When a table was asked for, in Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    pub first_at: i64,
    pub last_at: i64,
}

from_row!(Asked { first_at, last_at });

/// What names what the table of `rule` says of this file; none where it says nothing.
pub(super) fn mark(
    connection: &mut Connection,
    (rule, source_id): (&str, &str),
) -> Result<Option<String>, Error> {
    connection.first(MARK_OF, params![rule, source_id])
}

/// Asks for the table of `rule`, which is to say something else of this file: `mark` names that, and none that it says nothing.
pub(super) fn ask(
    connection: &mut Connection,
    (rule, source_id): (&str, &str),
    mark: Option<&str>,
    now: i64,
) -> Result<(), Error> {
    match mark {
        Some(mark) => connection.run(MARK, params![rule, source_id, mark])?,
        None => connection.run(UNMARK, params![rule, source_id])?,
    };
    connection.run(ASK, params![rule, now]).map(drop)
}

/// Since when the table of `rule` waits to be written; none when it does not.
pub(super) fn asked(connection: &mut Connection, rule: &str) -> Result<Option<Asked>, Error> {
    connection.first(ASKED, params![rule])
}

/// The table was written as it was to be at `asked`. Whether it was asked for since.
pub(super) fn answered(connection: &mut Connection, rule: &str, asked: Asked) -> Result<bool, Error> {
    Ok(connection.run(ANSWERED, params![rule, asked.last_at])? == 0)
}

statements! {
    MARK_OF = "SELECT mark FROM digest_row WHERE rule = $1 AND source_id = $2";
    MARK = "
        INSERT INTO digest_row (rule, source_id, mark) VALUES ($1, $2, $3)
        ON CONFLICT (rule, source_id) DO UPDATE SET mark = excluded.mark";
    UNMARK = "DELETE FROM digest_row WHERE rule = $1 AND source_id = $2";
    ASK = "
        INSERT INTO digest_ask (rule, first_at, last_at) VALUES ($1, $2, $2)
        ON CONFLICT (rule) DO UPDATE SET last_at = excluded.last_at";
    ASKED = "SELECT first_at, last_at FROM digest_ask WHERE rule = $1";
    ANSWERED = "DELETE FROM digest_ask WHERE rule = $1 AND last_at = $2";
}
