//! The statements on `founding`.

use crate::database::{Connection, Error, params, statements};

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

pub fn is_founded(connection: &mut Connection) -> Result<bool, Error> {
    Ok(connection.first::<i64>(FOUNDED, &[])?.is_some())
}

/// Writes down how the database came to be, once.
pub fn found(connection: &mut Connection, how: How, now: i64) -> Result<(), Error> {
    connection.run(FOUND, params![how.as_str(), now])?;
    Ok(())
}

statements! {
    FOUNDED = "SELECT founded_at FROM founding";
    FOUND = "INSERT INTO founding (founding, how, founded_at) VALUES (1, $1, $2) ON CONFLICT DO NOTHING";
}
