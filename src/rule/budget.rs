//! What OpenAI may hold, of a rule, of a vector store or of all: bytes, files, or dollars a day.

use serde::{Deserialize, Serialize};

/// A budget as it stands in the settings. What is left out is not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// Of File objects, in millions of bytes.
    pub megabytes: Option<f64>,
    pub files: Option<u64>,
    /// What vector stores keep of them is paid for by the day, at the price in `[storage]`.
    pub dollars_a_day: Option<f64>,
}

impl Budget {
    pub fn is_set(&self) -> bool {
        *self != Budget::default()
    }

    /// What is wrong with it, in words.
    ///
    /// # Errors
    /// A number that no budget can be.
    pub fn check(&self) -> Result<(), &'static str> {
        let is_sound = |number: Option<f64>| number.is_none_or(|number| number.is_finite() && number > 0.0);
        if is_sound(self.megabytes) && is_sound(self.dollars_a_day) && self.files != Some(0) {
            return Ok(());
        }
        Err("a budget is a number above 0: what is to hold nothing needs no rule")
    }
}
