//! What a person says of an answer: whether it may be relied on, and why.

use jiff::Timestamp;
use serde::Serialize;

/// The word that a person gives an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    Accepted,
    Rejected,
}

impl Said {
    pub fn as_str(self) -> &'static str {
        match self {
            Said::Accepted => "accepted",
            Said::Rejected => "rejected",
        }
    }

    pub fn parse(text: &str) -> Option<Said> {
        [Said::Accepted, Said::Rejected].into_iter().find(|said| said.as_str() == text)
    }
}

/// A person's verdict on one answer. It says nothing of any other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    pub said: Said,
    pub by: String,
    pub note: String,
    /// Unix milliseconds.
    pub at: i64,
}

/// Characters of a note: it is read before the result, and is none itself.
const MOST_NOTE: usize = 1_000;

const MOST_NAME: usize = 100;

/// Why somebody says so, as they write it.
///
/// # Errors
/// What is wrong with it, in words.
pub fn note(text: &str) -> Result<String, String> {
    within(text, MOST_NOTE)
}

/// Who says so, as they write it.
///
/// # Errors
/// What is wrong with it, in words.
pub fn name(text: &str) -> Result<String, String> {
    within(text, MOST_NAME)
}

fn within(text: &str, most: usize) -> Result<String, String> {
    match text.trim() {
        "" => Err("it is empty: say it in words".to_owned()),
        text if text.chars().count() > most => Err(format!("it has more than {most} characters")),
        text => Ok(text.to_owned()),
    }
}

impl Judgement {
    /// `accepted on 2026-11-27 by Kim`.
    pub fn words(&self) -> String {
        let day = Timestamp::from_millisecond(self.at).map(|at| at.strftime("%Y-%m-%d").to_string());
        format!("{} on {} by {}", self.said.as_str(), day.unwrap_or_default(), self.by)
    }

    /// `Accepted on 2026-11-27 by Kim: as agreed`.
    pub fn sentence(&self) -> String {
        format!("{}: {}", capital(&self.words()), self.note)
    }
}

/// With its first letter as a sentence has it.
pub(super) fn capital(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    first + letters.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_a_sentence() {
        let judgement = Judgement {
            said: Said::Accepted,
            by: "Kim".to_owned(),
            note: "as agreed".to_owned(),
            at: 1_790_000_000_000,
        };
        assert_eq!(judgement.sentence(), "Accepted on 2026-09-21 by Kim: as agreed");
    }
}
