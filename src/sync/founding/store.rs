//! The statements on `founding`.

use crate::database::{Connection, Error};

/// How a database came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// OpenAI held nothing of ours.
    Empty,
    /// From what the vector stores said of themselves.
    Rebuilt,
    /// A person wanted it, whatever OpenAI held.
    Anew,
}

impl How {
    fn as_str(self) -> &'static str {
        match self {
            How::Empty => "empty",
            How::Rebuilt => "rebuilt",
            How::Anew => "anew",
        }
    }
}

pub async fn is_founded(connection: &mut Connection) -> Result<bool, Error> {
    let founded: Option<i64> =
        sqlx::query_scalar("SELECT founded_at FROM founding").fetch_optional(connection).await?;
    Ok(founded.is_some())
}

/// Writes down how the database came to be, once.
pub async fn found(connection: &mut Connection, how: How, now: i64) -> Result<(), Error> {
    sqlx::query("INSERT INTO founding (founding, how, founded_at) VALUES (1, $1, $2) ON CONFLICT DO NOTHING")
        .bind(how.as_str())
        .bind(now)
        .execute(connection)
        .await?;
    Ok(())
}
