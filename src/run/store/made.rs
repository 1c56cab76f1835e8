//! The statements on `run_file`: what a run's code interpreter made. One content at a time, because each may be large.

use sqlx::FromRow;

use super::super::row::RunId;
use crate::database::{Connection, Error};

/// A file that a run's code interpreter made.
#[derive(Debug, Clone, FromRow)]
pub struct Produced {
    pub file_id: String,
    pub container: String,
    pub filename: String,
    /// How much of it is here.
    pub bytes: Option<i64>,
    /// Why its content is not, in words that follow "which".
    pub reason: Option<String>,
}

/// Writes down that a run made a file.
pub async fn produced(
    connection: &mut Connection,
    id: RunId,
    (container, file_id, filename): (&str, &str, &str),
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO run_file (run_id, container, file_id, filename) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    )
    .bind(id.0)
    .bind(container)
    .bind(file_id)
    .bind(filename)
    .execute(connection)
    .await?;
    Ok(())
}

/// The files that a run made.
pub async fn all_produced(connection: &mut Connection, id: RunId) -> Result<Vec<Produced>, Error> {
    sqlx::query_as(ALL_PRODUCED).bind(id.0).fetch_all(connection).await
}

const ALL_PRODUCED: &str = "
    SELECT file_id, container, filename, length(content) AS bytes, reason
    FROM run_file WHERE run_id = $1 ORDER BY rowid";

/// The content of one.
pub async fn content(
    connection: &mut Connection,
    (id, file_id): (RunId, &str),
) -> Result<Option<Vec<u8>>, Error> {
    let content: Option<Option<Vec<u8>>> =
        sqlx::query_scalar("SELECT content FROM run_file WHERE run_id = $1 AND file_id = $2")
            .bind(id.0)
            .bind(file_id)
            .fetch_optional(connection)
            .await?;
    Ok(content.flatten())
}

/// Keeps what was downloaded, or why nothing could be.
pub async fn keep_produced(
    connection: &mut Connection,
    (id, file_id): (RunId, &str),
    content: Result<&[u8], &str>,
) -> Result<(), Error> {
    sqlx::query("UPDATE run_file SET content = $3, reason = $4 WHERE run_id = $1 AND file_id = $2")
        .bind(id.0)
        .bind(file_id)
        .bind(content.ok())
        .bind(content.err())
        .execute(connection)
        .await?;
    Ok(())
}

/// Lets go of the files' contents: they are delivered, or have nowhere to go.
pub async fn forget_produced(connection: &mut Connection, id: RunId) -> Result<(), Error> {
    sqlx::query("DELETE FROM run_file WHERE run_id = $1").bind(id.0).execute(connection).await?;
    Ok(())
}
