//! What keeps a rule from spending more than was meant, and what its tokens cost.

use serde::Deserialize;

use super::{Attach, RunSettings};
use crate::openai::Usage;

/// Runs that a rule may begin within 24 hours. More than a busy team files in a day, and few enough that a mistake (a folder of
/// thousands moved in, a program that rewrites every file) is noticed before it has cost much.
pub(super) fn default_max_runs_per_day() -> u32 {
    500
}

/// Tokens that a rule's runs may read and write within 24 hours: those 500 runs over documents of thirty pages, at some 20,000
/// tokens each. At two dollars for a million that is twenty dollars a day.
pub(super) fn default_max_tokens_per_day() -> u64 {
    10_000_000
}

/// What a model's tokens cost (`[prices."MODEL"]`), in US dollars for a million of them, as OpenAI's price list has it.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    pub input: f64,
    /// Default: as `input`.
    pub cached_input: Option<f64>,
    pub output: f64,
}

impl Price {
    /// Whether it is one.
    pub fn is_sound(&self) -> bool {
        [Some(self.input), self.cached_input, Some(self.output)]
            .into_iter()
            .flatten()
            .all(|price| price.is_finite() && price >= 0.0)
    }

    /// What this use costs, in millionths of a dollar.
    pub fn of(&self, usage: &Usage) -> u64 {
        let cached = usage.cached_tokens.min(usage.input_tokens);
        let cached_price = self.cached_input.unwrap_or(self.input);
        let full = (usage.input_tokens - cached) as f64 * self.input;
        (full + cached as f64 * cached_price + usage.output_tokens as f64 * self.output).round() as u64
    }

    /// What so many tokens cost at most, in millionths of a dollar.
    pub fn at_most(&self, input_tokens: u64, output_tokens: u64) -> u64 {
        self.of(&Usage { input_tokens, output_tokens, ..Usage::default() })
    }
}

/// What is done with a document that is too large for the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TooLarge {
    /// It is searched instead of shown whole, once, and the result says so.
    FileSearch,
    /// The run fails.
    Fail,
}

impl TooLarge {
    /// A rule that leaves the way open, or names search as one, may search. One that asks for whole documents only was written by
    /// a person who wants no clause left to a search.
    pub(super) fn of(run: &RunSettings) -> TooLarge {
        let may_search = run.attach.is_empty() || run.attach.contains(&Attach::FileSearch);
        run.too_large.unwrap_or(if may_search { TooLarge::FileSearch } else { TooLarge::Fail })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_has_its_price() {
        let price = Price { input: 2.0, cached_input: Some(0.5), output: 8.0 };
        let usage = Usage { input_tokens: 1_000, cached_tokens: 400, output_tokens: 100, ..Usage::default() };
        assert_eq!(price.of(&usage), 1_200 + 200 + 800);
        assert_eq!(price.at_most(1_000_000, 0), 2_000_000, "two dollars");
        assert!(price.is_sound() && !Price { input: -1.0, ..price }.is_sound());
    }
}
