//! The statements on `run_object`: what runs made at OpenAI and what holds, or may hold, what a document says. Triggers on `run` and
//! `run_file` write it down; a row goes when the thing is gone there.

use serde::Serialize;

use crate::database::{Connection, Error, Row, from_row, params, statements};

/// A kind of thing at OpenAI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectKind {
    Conversation,
    /// Of the Assistants API.
    Thread,
    Response,
    Container,
}

impl ObjectKind {
    const ALL: [(ObjectKind, &'static str); 4] = [
        (ObjectKind::Conversation, "conversation"),
        (ObjectKind::Thread, "thread"),
        (ObjectKind::Response, "response"),
        (ObjectKind::Container, "container"),
    ];

    pub fn as_str(self) -> &'static str {
        ObjectKind::ALL.iter().find(|(kind, _)| *kind == self).expect("all are there").1
    }

    pub fn parse(text: &str) -> Option<ObjectKind> {
        ObjectKind::ALL.iter().find(|(_, name)| *name == text).map(|(kind, _)| *kind)
    }
}

/// One thing at OpenAI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Object {
    pub kind: ObjectKind,
    pub id: String,
}

from_row!(row => Object { kind: kind(row)?, id: row.get("object")? });

fn kind(row: &Row<'_>) -> Result<ObjectKind, Error> {
    let kind = ObjectKind::parse(&row.get::<String>("kind")?);
    kind.ok_or_else(|| Error::bug("a run made something of an unknown kind"))
}

/// What runs over this file made.
pub fn of_source(connection: &mut Connection, source_id: &str) -> Result<Vec<Object>, Error> {
    connection.all(OF_SOURCE, params![source_id])
}

/// Whether any run over this file made something that is still there.
pub fn any_of(connection: &mut Connection, source_id: &str) -> Result<bool, Error> {
    connection.one(ANY_OF, params![source_id])
}

/// What was last heard of before `before`, at most `most`, and no run that goes on or ended since needs.
pub fn old(connection: &mut Connection, before: i64, most: u32) -> Result<Vec<Object>, Error> {
    connection.all(OLD, params![before, most])
}

/// It is gone there.
pub fn forget(connection: &mut Connection, object: &Object) -> Result<(), Error> {
    connection.run(FORGET, params![object.kind.as_str(), object.id]).map(drop)
}

/// Responses over this file that were begun and whose ids were never told.
pub fn untold(connection: &mut Connection, source_id: &str) -> Result<i64, Error> {
    connection.one(UNTOLD, params![source_id])
}

statements! {
    OF_SOURCE = "SELECT kind, object FROM run_object WHERE source_id = $1 ORDER BY run_id, kind";
    ANY_OF = "SELECT EXISTS (SELECT 1 FROM run_object WHERE source_id = $1)";
    OLD = "
        SELECT kind, object FROM run_object
        WHERE since < $1 AND kind <> 'container'
          AND NOT EXISTS (SELECT 1 FROM run WHERE run.run_id = run_object.run_id AND (state <> 'ended' OR ended_at >= $1))
        ORDER BY since LIMIT $2";
    FORGET = "DELETE FROM run_object WHERE kind = $1 AND object = $2";
    UNTOLD = "
        SELECT max(0, (SELECT count(*) FROM run JOIN run_try USING (run_id)
                       WHERE run.source_id = $1 AND run.engine IN ('responses', 'fastio'))
                      - (SELECT count(*) FROM run_object WHERE run_object.source_id = $1 AND kind = 'response'))", postgres: "
        SELECT greatest(0, (SELECT count(*) FROM run JOIN run_try USING (run_id)
                       WHERE run.source_id = $1 AND run.engine IN ('responses', 'fastio'))
                      - (SELECT count(*) FROM run_object WHERE run_object.source_id = $1 AND kind = 'response'))";
}
