//! The files, each with its copies at OpenAI.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use utoipa::{IntoParams, ToSchema};

use super::{Known, Question, Wrong, ask, cursor, most, place, range};
use crate::database::{Connection, Error};
use crate::operate::range::Bounds;
use crate::sync::listing::{self, Cursor, Filter, Place, Row, Standing};

/// Which files. Without a state all but the gone.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Files {
    /// A path, a folder, a glob such as `/Contracts/*.pdf`, or a file's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Only those that stand so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Standing>,
    /// Only those that this rule covers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Those that are gone too. A place names them in any case.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// Begin with the files at this path, in the order of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Only what was changed at Fastio since then: `24h`, back from now, or `2026-11-27`, or `2026-11-27T09:30` (UTC), or Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Only what was changed at Fastio before then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// What the page before had as `next`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// How many at most; 500 are, in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Some files. One with several copies has a row for each. A page may be short of its limit, and even empty, where there are more behind
/// it: so many are looked at and no more.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FilesPage {
    pub rows: Vec<Row>,
    /// How many files they are about.
    pub files: usize,
    pub next: Option<String>,
}

impl Files {
    /// The same in the listing's words. The place in the form in which files are known there: a keyboard composes letters, and what a Mac
    /// uploaded does not.
    pub fn filter(&self, connection: &mut Connection, known: &Known) -> Result<Result<Filter, Wrong>, Error> {
        let rule = match &self.rule {
            Some(name) => Some((name.clone(), ask!(known.rule(name)).profile.to_string())),
            None => None,
        };
        let gone = self.gone || self.place.is_some();
        let Bounds { since, until } = ask!(range(self.since.as_ref(), self.until.as_ref(), known.now));
        let changed = (self.since.is_some() || self.until.is_some()).then_some((since, until));
        if changed.is_some() && self.from.is_some() {
            return Ok(Err(Wrong::Asked(
                "`from` is a path, and what changed in a time goes by that".to_owned(),
            )));
        }
        let mut filter = Filter { standing: self.state, gone, rule, place: None, changed };
        if let Some(place) = &self.place {
            filter.place = Some(place_as_known(connection, &filter, place)?);
        }
        Ok(Ok(filter))
    }
}

/// A place in the form in which files are known there, of those that `filter` leaves.
pub fn place_as_known(connection: &mut Connection, filter: &Filter, text: &str) -> Result<Place, Error> {
    if !text.is_ascii() {
        for form in [text.to_owned(), text.nfc().collect(), text.nfd().collect()] {
            let place = Place::new(&form);
            let here = Filter { place: Some(place.clone()), ..filter.clone() };
            if listing::count(connection, &here)?.files > 0 {
                return Ok(place);
            }
        }
    }
    Ok(Place::new(text))
}

impl Question for Files {
    type Answer = FilesPage;

    fn path(&self) -> String {
        "/files".to_owned()
    }

    fn answer(&self, connection: &mut Connection, known: &Known) -> Result<Result<FilesPage, Wrong>, Error> {
        let filter = ask!(self.filter(connection, known)?);
        let begin = self.from.as_deref().map_or(Cursor::Start, Cursor::before);
        let after = ask!(place(self.after.as_deref())).unwrap_or(begin);
        let listing::Page { rows, files, next } =
            listing::page(connection, &filter, &after, most(self.limit))?;
        Ok(Ok(FilesPage { rows, files, next: next.map(|next| cursor(&next)) }))
    }
}

/// How many files there are, as far as one look says.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FileCount(pub Files);

impl Question for FileCount {
    type Answer = listing::Number;

    fn path(&self) -> String {
        "/files/count".to_owned()
    }

    fn answer(
        &self,
        connection: &mut Connection,
        known: &Known,
    ) -> Result<Result<listing::Number, Wrong>, Error> {
        let filter = ask!(self.0.filter(connection, known)?);
        Ok(Ok(listing::count(connection, &filter)?))
    }
}
