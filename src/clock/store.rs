//! The statements on `clock`.

use crate::database::{Connection, Error};

/// The latest time that a server has written down.
pub async fn seen(connection: &mut Connection) -> Result<Option<i64>, Error> {
    sqlx::query_scalar("SELECT seen_at FROM clock").fetch_optional(connection).await
}

/// Writes down that it has been this late.
pub async fn see(connection: &mut Connection, now: i64) -> Result<(), Error> {
    sqlx::query(SEE).bind(now).execute(connection).await?;
    Ok(())
}

const SEE: &str = "
    INSERT INTO clock (one, seen_at) VALUES (1, $1)
    ON CONFLICT (one) DO UPDATE SET seen_at = max(clock.seen_at, excluded.seen_at)";
