//! The statements on `clock`.

use crate::database::{Connection, Error, params, statements};

/// The latest time that a server has written down.
pub fn seen(connection: &mut Connection) -> Result<Option<i64>, Error> {
    connection.first(SEEN, &[])
}

/// Writes down that it has been this late.
pub fn see(connection: &mut Connection, now: i64) -> Result<(), Error> {
    connection.run(SEE, params![now]).map(drop)
}

statements! {
    SEEN = "SELECT seen_at FROM clock";

    SEE = "
        INSERT INTO clock (one, seen_at) VALUES (1, $1)
        ON CONFLICT (one) DO UPDATE SET seen_at = excluded.seen_at WHERE excluded.seen_at > clock.seen_at";
}
