//! What Fastio was asked to import from public addresses.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Known, Question, Wrong, ask, cursor, cut, listed, most, place};
use crate::database::{Connection, Error};
use crate::import::store::{self, Row};

listed! {
    Imports of Row {}
    /// Instead of `after`: the number of an import.
    behind i64
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ImportsPage {
    /// The newest first.
    pub rows: Vec<Row>,
    pub next: Option<String>,
}

impl Question for Imports {
    type Answer = ImportsPage;

    fn path(&self) -> String {
        "/imports".to_owned()
    }

    fn answer(&self, connection: &mut Connection, _: &Known) -> Result<Result<ImportsPage, Wrong>, Error> {
        let after = ask!(place(self.after.as_deref())).or(self.behind);
        let limit = most(self.limit);
        let mut rows = store::page(connection, after, limit + 1)?;
        let next = cut(&mut rows, limit).map(|last| cursor(&last.import_id));
        Ok(Ok(ImportsPage { rows, next }))
    }
}

/// One import.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Import {
    #[serde(skip)]
    pub id: i64,
}

impl Question for Import {
    type Answer = Row;

    fn path(&self) -> String {
        format!("/imports/{}", self.id)
    }

    fn answer(&self, connection: &mut Connection, _: &Known) -> Result<Result<Row, Wrong>, Error> {
        let nothing =
            || Wrong::Nothing(format!("there is no import {}: `docket import` lists them", self.id));
        Ok(store::get(connection, self.id)?.ok_or_else(nothing))
    }
}
