//! What Fastio was asked to import from public addresses.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Known, Question, Wrong, ask, cursor, cut, listed, most, place};
use crate::database::{Connection, Error};
use crate::import::store::{self, Row};

#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Imports {
    /// What the page before had as `next`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Instead of `after`: the number of an import.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind: Option<i64>,
    /// How many at most; 500 are, in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ImportsPage {
    /// The newest first.
    pub rows: Vec<Row>,
    pub next: Option<String>,
}

listed!(Imports, Row);

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
