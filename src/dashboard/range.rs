//! The time that a list is about, as it stands in the page's address and in its form.

use super::form::Fields;
use crate::listen::problem::Problem;
use crate::operate::range::{Bounds, bounds};

/// What a form shows, and a link repeats.
#[derive(Debug, Clone)]
pub struct Range {
    pub since: String,
    pub until: String,
    pub bounds: Bounds,
}

impl Range {
    pub fn read(fields: &Fields, now: i64) -> Result<Range, Problem> {
        let (since, until) = (fields.text("since"), fields.text("until"));
        let bounds = bounds((fields.get("since"), fields.get("until")), now).map_err(super::actions::bad)?;
        Ok(Range { since, until, bounds })
    }

    pub fn is_all(&self) -> bool {
        self.bounds == Bounds::ALL
    }

    /// None where it is all there is.
    pub fn changed(&self) -> Option<(i64, i64)> {
        (!self.is_all()).then_some((self.bounds.since, self.bounds.until))
    }

    /// As a link has it.
    pub fn fields(&self) -> [(&str, &str); 2] {
        [("since", &self.since), ("until", &self.until)]
    }

    /// As a command has it.
    pub fn options(&self) -> String {
        let said = self.fields().into_iter().filter(|(_, value)| !value.is_empty());
        said.map(|(name, value)| format!(" --{name} {}", super::form::quoted(value))).collect()
    }
}
