//! What PostgreSQL's errors mean.

use std::error::Error as StdError;

use tokio_postgres::error::{DbError, SqlState};

use crate::database::error::{Cause, Error};
use crate::database::open_error::OpenError;

/// Whether the transaction is to be done again from its start: others changed what it had read, or waited for it as it for them.
pub fn is_to_be_repeated(error: &tokio_postgres::Error) -> bool {
    matches!(error.code(), Some(code) if [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code))
}

/// Whether what was prepared has to be prepared anew: somebody has changed a table meanwhile.
pub fn is_out_of_date(error: &tokio_postgres::Error) -> bool {
    let is_about_a_plan = |error: &DbError| error.message().contains("cached plan");
    error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED) && error.as_db_error().is_some_and(is_about_a_plan)
}

/// By what follows from it.
pub fn explained(error: &tokio_postgres::Error) -> Error {
    let cause = Cause::Told(told(error).into());
    if is_out_of_date(error) {
        return Error::Passing(cause);
    }
    let Some(code) = error.code() else {
        // What the server did not say: the connection failed, or the library was used wrongly.
        return if is_lost(error) { Error::Passing(cause) } else { Error::Bug(cause) };
    };
    match code.code() {
        "40001" | "40P01" | "55P03" => Error::Locked(cause),
        // Of ours: others have taken over what this server did.
        "DK001" => Error::Passing(cause),
        // A statement, or a transaction that lay idle, took longer than it may.
        "57014" | "25P03" | "25P04" => Error::Passing(cause),
        // Prepared statements of another session, or none of one's own.
        "26000" | "42P05" => Error::Passing(Cause::Told(
            format!(
                "{cause}; if a pooler in transaction mode stands before PostgreSQL, set database.pooler = true"
            )
            .into(),
        )),
        "42501" => Error::Bug(Cause::Told(
            format!(
                "{cause}: this user has to be given SELECT, INSERT, UPDATE and DELETE on all tables of the schema, USAGE and SELECT on \
                 all its sequences, and EXECUTE on its functions (GRANT … ON ALL TABLES IN SCHEMA public TO …)"
            )
            .into(),
        )),
        code => match &code[..2] {
            "23" => Error::Conflict(cause),
            // Connections, resources, what an operator does, what the system's disk does.
            "08" | "53" | "57" | "58" | "40" => Error::Passing(cause),
            _ => Error::Bug(cause),
        },
    }
}

/// Whether the connection is of no use any more.
pub fn is_lost(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        Some(code) => {
            matches!(code.code(), "57P01" | "57P02" | "57P03" | "25P03" | "25P04" | "26000" | "42P05")
                || code.code().starts_with("08")
        }
        None => error.is_closed() || io(error).is_some() || !is_about_a_value(error),
    }
}

/// Errors of the library's own that leave the connection as it is.
fn is_about_a_value(error: &tokio_postgres::Error) -> bool {
    let text = error.to_string();
    ["serializ", "deserializ", "invalid", "parameters"].iter().any(|what| text.contains(what))
}

fn io<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a std::io::Error> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref() {
            return Some(io);
        }
        source = error.source();
    }
    None
}

/// In words. Not what the server tells as detail: it holds values of rows.
fn told(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        return said(error);
    }
    let (mut text, mut source) = (error.to_string(), error.source());
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    format!("PostgreSQL: {text}")
}

fn said(error: &DbError) -> String {
    format!("PostgreSQL: {} ({})", error.message(), error.code().code())
}

/// Why a connection to `place` could not be opened.
pub fn unopened(error: &tokio_postgres::Error, place: &str) -> OpenError {
    let (place, what) = (place.to_owned(), told(error));
    match error.code().map(SqlState::code) {
        Some("28P01" | "28000") => OpenError::NotLetIn { place, what },
        Some("3D000") => OpenError::NoDatabase { place },
        Some("42501") => OpenError::MayNotMigrate { place, what },
        Some("55P03") => OpenError::Migrating,
        None if error.to_string().contains("TLS") || error.to_string().contains("tls") => {
            OpenError::Tls(format!(
                "{what}; the way to a PostgreSQL on another machine is encrypted and its certificate checked: give it one (and its \
             authority with ?sslrootcert=FILE in DATABASE_URL), or set ?sslmode=disable there if the way is safe otherwise"
            ))
        }
        // A password that is missing is the library's own word.
        None if what.contains("password") => OpenError::NotLetIn { place, what },
        None if is_lost(error) => OpenError::Unreachable { place, what },
        _ => OpenError::Open(explained(error)),
    }
}
